//! The fuzz target's little brother: a corpus mutated by a seeded generator, so that it runs everywhere.
//!
//! `CONVOY_SEED=n` begins with another seed, `CONVOY_ROUNDS=n` runs longer. A failure prints the seed of its round, which
//! `CONVOY_SEED=n CONVOY_ROUNDS=1` replays.
#![cfg(test)]
use convoy_core::config::{
    diagnostic::Diagnostics,
    load::{Config, Found, Missing, Name, Source, load},
    report::{Colour, Layout},
    schema::check,
};
use std::env;

/// One file, which an include of any name finds again under 3 names.
struct Bytes(Vec<u8>);

impl Source for Bytes {
    fn find(&mut self, including: Option<&Name>, argument: &str) -> Result<Found, Missing> {
        let name = |text: &str| Name { shown: text.into(), identity: text.into() };
        match (including, argument) {
            (None, _) => Ok(Found::File(name("main"))),
            (_, "a" | "main") => Ok(Found::File(name(argument))),
            (_, "d") => Ok(Found::Directory(vec![(".h".into(), name(".h")), ("b".into(), name("b"))])),
            _ => Err(Missing::Nowhere { argument: argument.into(), searched: vec!["here".into()] }),
        }
    }

    fn read(&mut self, _name: &Name, bytes_max: usize) -> Result<Vec<u8>, Missing> {
        Ok(self.0.iter().copied().take(bytes_max + 1).collect())
    }
}

/// Loads, checks and lays out; everything that can be said about any bytes is asserted here.
fn run(bytes: Vec<u8>) -> (Config, Diagnostics) {
    let (config, mut diagnostics) = load(&mut Bytes(bytes), "main");
    check(&config.scopes, &mut diagnostics);
    for diagnostic in &diagnostics {
        let places = diagnostic.place.into_iter().chain(diagnostic.notes.iter().map(|(place, _)| *place));
        for place in places {
            let file = config.texts.files.get(place.file).unwrap();
            let marked = file.text.get(place.range());
            let at = config.texts.files.position(place).unwrap();
            assert!(marked.is_some() && at.line <= file.text.matches('\n').count() + 1);
            assert!(at.column <= file.text.split('\n').nth(at.line - 1).unwrap().chars().count() + 1);
        }
    }
    for (id, file) in config.texts.files.iter() {
        assert_eq!(config.texts.tree(id).unwrap().to_string(), *file.text);
    }
    let layout =
        Layout { files: &config.texts.files, diagnostics: &diagnostics, colour: Colour::Never }.to_string();
    assert!(!layout.contains('\x1b'));
    (config, diagnostics)
}

#[test]
fn mutated_files_never_panic_and_every_place_lies_inside() {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("CONVOY_SEED").unwrap_or(1);
    let rounds = number("CONVOY_ROUNDS").unwrap_or(20_000);
    let (mut clean, mut faulty) = (0_u64, 0_u64);
    for seed in first..first + rounds {
        let bytes = mutated(&mut Random(seed));
        let outcome = std::panic::catch_unwind(|| run(bytes.clone()).1.has_errors());
        assert!(outcome.is_ok(), "seed {seed}: {}", bytes.escape_ascii());
        if outcome.is_ok_and(|has_errors| has_errors) {
            faulty += 1;
        } else {
            clean += 1;
        }
    }
    if rounds > 1_000 {
        assert!(
            clean > 100 && faulty > 100,
            "the mutations are too tame or too wild: {clean} clean, {faulty} faulty"
        );
    }
}

/// Returns a corpus file with zero to eight edits.
fn mutated(random: &mut Random) -> Vec<u8> {
    let mut bytes = CORPUS[random.below(CORPUS.len())].as_bytes().to_vec();
    for _ in 0..random.below(9) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, u8::try_from(random.below(256)).unwrap()),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            4 => {
                let piece = PIECES[random.below(PIECES.len())];
                bytes.splice(at..at, piece.bytes());
            }
            _ => {
                let end = (at + random.below(40)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
        }
    }
    bytes
}

/// xorshift64*, as in Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let scrambled = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(scrambled).unwrap() % end.max(1)
    }
}

const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "=",
    "\"",
    "'",
    "\\",
    "/*",
    "*/",
    "#",
    "\n",
    " ",
    "include a\n",
    "include d ",
    "readonly_include main",
    "cluster {",
    "\u{feff}",
    "\u{201c}",
    "\0",
    "x = 1\n",
    "peers",
    "a = ( 1 2 )",
];

const CORPUS: &[&str] = &[
    include_str!("../../../dist/sample/convoyd.conf"),
    include_str!("../../../dist/sample/ecelerity-cluster.conf"),
    include_str!("../../../dist/sample/msgc_server.conf"),
    include_str!("../../../dist/sample/eccluster.conf"),
    include_str!("golden/combinations.conf"),
    include_str!("golden/names.conf"),
    include_str!("golden/values.conf"),
    "",
    "a = b",
    "s \"i\" { a = ( 1 2 ) b [ k = v ] include a } # c\n",
    "cluster { Replicate \"inbound_cidr\" { max_delay = 0.5 } heartbeats_per_sec = 5 }\n",
    "msgc_server { peers = [ a = 10.0.0.1  b = \"fd00::1\" ] }\nECCluster_Listener = { Listen \"[::]:4802\" {} }\n",
];

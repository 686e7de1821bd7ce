//! The text of `corosync.conf`, from the plan alone.
//!
//! Invariants: 1. every node writes the same list with the same numbers, whatever the order of its own configuration;
//! 2. a node's number depends on its name, so adding or removing others does not change it (two names that meet on one
//! number are told apart by their order, so theirs may); 3. a value cannot end its line: what could is refused.
//!
//! Source: `corosync.conf(5)` of corosync 3.1. The timers of knet are pinned: left to itself it derives them from the
//! token, and below 300 ms its links then come and go.
use super::Settings;
use convoy_core::time::Span;
use crc::{CRC_32_ISCSI, Crc};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::IpAddr,
    path::{Path, PathBuf},
};

/// Where corosync finds its files: below one directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paths {
    pub(super) conf: PathBuf,
    pub(super) key: PathBuf,
    pub(super) log: PathBuf,
    pub(super) ring: PathBuf,
}

impl Paths {
    pub(super) fn below(dir: &Path) -> Self {
        Self {
            conf: dir.join("corosync.conf"),
            key: dir.join("authkey"),
            log: dir.join("corosync.log"),
            ring: dir.join("ring"),
        }
    }
}

/// Why there is no such text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwritable {
    /// One link has one family.
    #[error(
        "peer `{four}` has an IPv4 and peer `{six}` an IPv6 address; the bus needs one family: write all peers in one"
    )]
    MixedFamilies {
        /// Name of a node with an IPv4 address.
        four: String,
        /// Name of a node with an IPv6 address.
        six: String,
    },
    /// A path would not fit its line.
    #[error(
        "the state directory {0:?} cannot stand in a configuration of corosync; choose one without line breaks"
    )]
    Path(PathBuf),
}

/// Returns the number of each node on the bus: 1 to 65 535.
pub(super) fn numbers<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, u32> {
    let names: std::collections::BTreeSet<_> = names.into_iter().collect();
    let mut taken = BTreeMap::new();
    for name in names {
        let mut number = NAMES.checksum(name.as_bytes()) & NUMBER_MAX;
        while number == 0 || taken.contains_key(&number) {
            number = (number + 1) & NUMBER_MAX;
        }
        taken.insert(number, name);
    }
    taken.into_iter().map(|(number, name)| (name, number)).collect()
}

/// Returns the file.
pub(super) fn text(settings: &Settings, paths: &Paths) -> Result<String, Unwritable> {
    one_family(settings)?;
    for path in [&paths.key, &paths.log, &paths.ring] {
        let bytes = path.as_os_str().as_encoded_bytes();
        if path.to_str().is_none() || bytes.iter().any(u8::is_ascii_control) {
            return Err(Unwritable::Path(path.clone()));
        }
    }
    let (cipher, hash) = if settings.encryption { ("aes256", "sha256") } else { ("none", "sha256") };
    let token = token_ms(settings.token);
    let mut text = format!(
        "# Written by convoyd from its own configuration, anew whenever that changes: change it there.
totem {{
    version: 2
    transport: knet
    token: {token}
    token_coefficient: 0
    token_retransmits_before_loss_const: 2
    crypto_cipher: {cipher}
    crypto_hash: {hash}
    keyfile: {key}
    interface {{
        linknumber: 0
        mcastport: {port}
        knet_ping_interval: {PING_INTERVAL_MS}
        knet_ping_timeout: {PING_TIMEOUT_MS}
        knet_pong_count: 1
    }}
}}
quorum {{
    provider: corosync_votequorum
}}
system {{
    sched_rr: yes
    move_to_root_cgroup: no
    state_dir: {ring}
}}
logging {{
    to_stderr: no
    to_syslog: no
    to_logfile: yes
    logfile: {log}
    timestamp: hires
}}
nodelist {{
",
        key = paths.key.display(),
        port = settings.port,
        ring = paths.ring.display(),
        log = paths.log.display(),
    );
    let numbers = numbers(settings.nodes.keys().map(|name| &**name));
    for (name, address) in &settings.nodes {
        let number = numbers.get(&**name).copied().unwrap_or_default();
        let address = address.to_canonical();
        let node = write!(
            text,
            "    node {{\n        ring0_addr: {address}\n        name: {name}\n        nodeid: {number}\n    }}\n"
        );
        debug_assert!(node.is_ok(), "a String takes everything");
    }
    text.push_str("}\n");
    Ok(text)
}

/// Returns the token's time as corosync reads it.
pub(super) fn token_ms(token: Span) -> u64 {
    token.as_ms().max(1)
}

fn one_family(settings: &Settings) -> Result<(), Unwritable> {
    let first = |four: bool| {
        let is = |address: &IpAddr| address.to_canonical().is_ipv4() == four;
        settings.nodes.iter().find(|(_, address)| is(address)).map(|(name, _)| name.to_string())
    };
    match (first(true), first(false)) {
        (Some(four), Some(six)) => Err(Unwritable::MixedFamilies { four, six }),
        _ => Ok(()),
    }
}

/// The Castagnoli polynomial, as for frames: any even spread does.
const NAMES: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
/// Knet has 16 bits for it. Among 64 names two meet once in thirty clusters; among eight, once in two thousand.
const NUMBER_MAX: u32 = 0xffff;
/// measured: with 200 and 1 000 no link was lost at a token of 100 ms under full load; with derived ones 39 a minute.
const PING_INTERVAL_MS: u32 = 200;
/// See [`PING_INTERVAL_MS`].
const PING_TIMEOUT_MS: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(nodes: &[(&str, &str)]) -> Settings {
        Settings {
            group: "ec_cluster".into(),
            nodes: nodes.iter().map(|(name, at)| ((*name).into(), at.parse().unwrap())).collect(),
            port: 4_809,
            token: Span::from_ms(300),
            encryption: true,
            key_file: None,
            dir: "/var/lib/convoy/bus".into(),
        }
    }

    fn written(settings: &Settings) -> Result<String, Unwritable> {
        text(settings, &Paths::below(&settings.dir))
    }

    #[test]
    fn the_file_is_the_golden_one() {
        let nodes = [("mx1", "10.0.0.1"), ("mx2", "::ffff:10.0.0.2"), ("mx3.example.com", "10.0.0.3")];
        let text = written(&settings(&nodes)).unwrap();
        assert_eq!(text, include_str!("golden.conf"), "{text}");
    }

    #[test]
    fn without_encryption_messages_are_authenticated_still() {
        let open = Settings { encryption: false, ..settings(&[("a", "10.0.0.1"), ("b", "10.0.0.2")]) };
        let text = written(&open).unwrap();
        assert!(text.contains("crypto_cipher: none\n    crypto_hash: sha256\n"), "{text}");
    }

    #[test]
    fn a_number_stays_when_others_come_and_go() {
        let few = numbers(["mx3", "mx1"]);
        let many = numbers(["mx0", "mx1", "mx2", "mx3"]);
        assert_eq!((few["mx1"], few["mx3"]), (many["mx1"], many["mx3"]));
        let crowd: Vec<String> = (0..2_000).map(|n| format!("mx{n}")).collect();
        let crowded = numbers(crowd.iter().map(|name| &**name));
        assert_eq!(crowded.values().collect::<std::collections::BTreeSet<_>>().len(), 2_000);
        let all: std::collections::BTreeSet<_> = many.values().collect();
        assert!(all.len() == 4 && all.iter().all(|number| (1..=NUMBER_MAX).contains(*number)));
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let mixed = written(&settings(&[("a", "10.0.0.1"), ("b", "fd00::2")])).unwrap_err();
        assert_eq!(mixed, Unwritable::MixedFamilies { four: "a".into(), six: "b".into() });
        let broken = Settings { dir: "/x\ny".into(), ..settings(&[]) };
        assert!(matches!(written(&broken), Err(Unwritable::Path(_))));
        assert!(
            written(&settings(&[("a", "fd00::1"), ("b", "fd00::2")]))
                .unwrap()
                .contains("ring0_addr: fd00::2")
        );
    }
}

//! Figures of loading a configuration and of asking it what is in effect.
//!
//! The input is generated: bindings in groups, each with domains of its own, ten lines a binding. Beside the stages
//! stand what no reader can be faster than, reading the bytes and checking that they are UTF-8, and a peer that builds
//! a tree from text without places or comments: `serde_json` on the same content. Time is the thread's own CPU time.
//! `--quick` runs everything small, so that it stays correct.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

#[path = "../tree/allocations.rs"]
mod allocations;
mod input;

use anyhow::{Context as _, Result, ensure};
use convoy_agent::settings::{self, Disk, Environment};
use convoy_benches::{
    args::Args,
    machine::{cpu_seconds, forget_peak, resident_peak},
    stats::{float, median},
    table::{self, Table},
};
use convoy_core::config::{
    effective::{From, Lookup, Step, evaluate},
    lexer::{self, Lexer},
    load::{Config, load},
    parser,
    place::FileId,
    schema,
};
use input::{Input, Question};
use std::{collections::HashMap, fs, hint::black_box, sync::Arc, time::Duration};

fn main() -> Result<()> {
    let args = Args::from_command_line();
    let (bindings, rounds) = (args.size(10_000, 200), args.size(15, 1));
    let input = Input::write(bindings)?;
    let environment = Environment { host_name: "mx1".into(), ..Environment::default() };
    let (memory, config) = memory(&input, &environment)?;
    println!("{} lines, {} bytes, checksum {:016x}\n", input.lines, input.bytes, input.checksum);
    let tables = [stages(&input, &environment, rounds)?, memory, lookups(&input, &config, rounds)];
    println!("{}", args.report(&tables));
    Ok(())
}

/// The whole load and its parts.
fn stages(input: &Input, environment: &Environment, rounds: usize) -> Result<Table> {
    let title = format!("Loading {} lines, {} bindings with domains", input.lines, input.bindings);
    let mut table = Table::new(&title, &["", "CPU time", "a line", "bytes"]);
    let big = fs::read_to_string(&input.big)?;
    let shared: Arc<str> = big.as_str().into();
    let mut row = |what: &str, seconds: f64| {
        table.row([
            what.to_owned(),
            table::time(Duration::from_secs_f64(seconds)),
            format!("{:.1} ns", seconds * 1e9 / float(input.lines)),
            format!("{}/s", table::bytes(float(input.bytes) / seconds)),
        ]);
    };
    row("limit: read the bytes", timed(rounds, || fs::read(&input.big).map_or(0, |bytes| bytes.len())));
    row(
        "limit: check that they are UTF-8",
        timed(rounds, || std::str::from_utf8(black_box(big.as_bytes())).is_ok()),
    );
    row("tokens", timed(rounds, || tokens(&big)));
    row("tree with every place", timed(rounds, || parser::parse(FileId::MAIN, &shared).0.all().count()));
    let json = input.json();
    row(
        "peer: serde_json::Value of the same",
        timed(rounds, || serde_json::from_str::<serde_json::Value>(&json).is_ok()),
    );
    let main = input.main.to_string_lossy();
    row("read, trees, merged", timed(rounds, || load(&mut Disk::new(&input.main, environment), &main)));
    let (config, mut diagnostics) = load(&mut Disk::new(&input.main, environment), &main);
    ensure!(!diagnostics.has_errors(), "the input is faulty");
    row("checked against the schema", timed(rounds, || schema::check(&config.scopes, &mut diagnostics)));
    row("settings: all of it", timed(rounds, || settings::load(&input.main, environment).is_ok()));
    table.note("Target: all of it within 150 ms.");
    Ok(table)
}

/// What a load takes and keeps. Must come first: what the process took before would be in the peak.
fn memory(input: &Input, environment: &Environment) -> Result<(Table, Config)> {
    let mut table = Table::new("Memory of that load", &["", "", "a line"]);
    let (before, made, is_reset) = (allocations::live(), allocations::made(), forget_peak());
    let loaded = settings::load(&input.main, environment);
    let loaded = loaded.map_err(|report| anyhow::anyhow!("{report}")).context("the input is faulty")?;
    let (kept, made) = (allocations::live() - before, allocations::made() - made);
    let peak = resident_peak();
    let mut row = |what: &str, text: String, a_line: String| {
        table.row([what.to_owned(), text, a_line]);
    };
    row("most that was resident, the program included", table::bytes(float(peak)), String::new());
    row(
        "kept: texts, trees, merged view, settings",
        table::bytes(float(kept)),
        table::bytes(float(kept) / float(input.lines)),
    );
    row("allocations", made.to_string(), format!("{:.2}", float(made) / float(input.lines)));
    table.note("Target: at most 100 MB resident.");
    if !is_reset {
        table.note("The kernel did not reset the peak: it is that of the whole process.");
    }
    Ok((table, loaded.config))
}

/// Questions about domains in bindings, in random order; an ordered answer's checksum is printed.
fn lookups(input: &Input, config: &Config, rounds: usize) -> Table {
    let mut table = Table::new("One effective value", &["", "CPU time", "allocations"]);
    let asked = input.questions();
    let many = asked.len();
    let mut row = |what: &str, mut ask: Box<dyn FnMut(usize) -> usize + '_>| {
        let before = allocations::made();
        let mut sum = 0;
        let seconds = timed(rounds, || sum = (0..many).map(&mut ask).sum::<usize>());
        let made = (allocations::made() - before) / (many * (rounds + 1));
        let each = Duration::from_secs_f64(seconds / float(many));
        table.row([format!("{what} ({sum})"), table::time(each), made.to_string()]);
    };
    let exact: HashMap<(&str, &str, &str), usize> = asked
        .iter()
        .enumerate()
        .map(|(n, q)| ((q.group.as_str(), q.binding.as_str(), q.domain.as_str()), n))
        .collect();
    row(
        "limit: three words in a hash map",
        Box::new(|n| {
            let q = &asked[n];
            usize::from(exact.contains_key(&(q.group.as_str(), q.binding.as_str(), q.domain.as_str())))
        }),
    );
    for (what, option) in [
        ("set in the domain", "Outbound_Throttle_Messages"),
        ("set in the group", "Outbound_Throttle_Connections"),
        ("set globally", "Retry_Interval"),
        ("set nowhere", "Max_Recipients_Per_Connection"),
    ] {
        let lookup = Lookup::new(&config.scopes, option);
        let ask = |n: usize| {
            let q = &asked[n];
            let path = [
                ("Binding_Group", Some(q.group.as_str())),
                ("Binding", Some(q.binding.as_str())),
                ("Domain", Some(q.domain.as_str())),
            ];
            weight(lookup.at(&path).from)
        };
        row(&format!("prepared, {what}"), Box::new(ask));
    }
    let steps: Vec<[Step; 3]> = asked.iter().map(Question::steps).collect();
    row("`evaluate`, set in the domain", {
        Box::new(|n| weight(evaluate(&config.scopes, &steps[n], "outbound_throttle_messages").from))
    });
    let by_pattern = Lookup::new(&config.scopes, "Max_Messages_Per_Connection");
    row("through a regular expression, ten tried", {
        Box::new(|n| weight(by_pattern.at(&[("Domain", Some(asked[n].other.as_str()))]).from))
    });
    table.note("Target: at most 1 us. In brackets the checksum of the answers.");
    table
}

fn weight(from: From<'_>) -> usize {
    match from {
        From::Set { setting, .. } => setting.place().range().len(),
        From::Default(text) => text.len(),
        From::Unset => 0,
    }
}

fn tokens(text: &str) -> usize {
    let mut lexer = Lexer::new(text, 0);
    let mut count = 0;
    while lexer.token().kind != lexer::Kind::End {
        count += 1;
    }
    count
}

/// Returns the median of some rounds, seconds; one round before them does not count.
fn timed<R>(rounds: usize, mut round: impl FnMut() -> R) -> f64 {
    let mut one = || {
        let begin = cpu_seconds();
        let result = black_box(round());
        let end = cpu_seconds();
        drop(result);
        end - begin
    };
    one();
    median(&(0..rounds).map(|_| one()).collect::<Vec<_>>())
}

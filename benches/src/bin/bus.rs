//! What agreement costs on three hosts with a corosync each: a message's way, and how soon the survivors of a fault agree.
//!
//! A message's way is measured by turns through the bus and through corosync's own library in the same process, from
//! the call to the message's own delivery. A fault's time runs from before the fault is made to the regular
//! configuration at the last survivor; the shell command that makes it, 2 to 5 ms, is part of it.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use anyhow::{Context, Result};
use convoy_benches::{
    args::Args,
    stats::Samples,
    table::{Table, time},
};
use lab::bus::{self, Engines, Options, monotonic_ns};
use std::{env, thread, time::Duration};

fn main() -> Result<()> {
    if env::var_os(bus::ROLE).is_some() {
        return bus::work();
    }
    let args = Args::from_command_line();
    let program = Some(env::current_exe()?);
    let mut engines = Engines::up(Options { token_ms: TOKEN_MS, program, ..Options::default() })?;
    engines.join_all()?;
    let tables = [latencies(&mut engines, args)?, faults(&mut engines, args)?];
    println!("{}", args.report(&tables));
    Ok(())
}

fn latencies(engines: &mut Engines, args: Args) -> Result<Table> {
    let mut table = Table::new("Agreed multicast, three hosts", &["bytes", "through", "p50", "p99", "max"]);
    let (rounds, count) = args.size((10, 500), (1, 20));
    for len in [200, 20_000] {
        let (mut ours, mut raw) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(times(engines, &format!("ping {count} {len}"))?);
            raw.push(times(engines, &format!("raw {count} {len}"))?);
        }
        for (through, runs) in [("the bus", ours), ("corosync's library", raw)] {
            let all = Samples::merged(runs)?;
            table.row([
                len.to_string(),
                through.to_owned(),
                time(all.p50()),
                time(all.p99()),
                time(all.max()),
            ]);
        }
    }
    table.note(format!("{} messages of each, one at a time, in {rounds} turns", rounds * count));
    Ok(table)
}

fn times(engines: &mut Engines, order: &str) -> Result<Samples> {
    let line = engines.seat(0).ask(order)?;
    let times = line.split(' ').skip(1).map(|ns| Ok(Duration::from_nanos(ns.parse()?)));
    Samples::new(times.collect::<Result<_>>()?)
}

/// What happens to the third host.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Killed,
    Cut,
    Unplugged,
}

impl Fault {
    fn make(self, engines: &mut Engines) -> Result<()> {
        match self {
            Self::Killed => engines.host(2).kill_all(),
            Self::Cut => engines.lab().cut(3),
            Self::Unplugged => engines.lab().unplug(3),
        }
    }

    fn mend(self, engines: &mut Engines) -> Result<()> {
        match self {
            Self::Killed => {
                engines.kill(2, true)?;
                engines.start(2)?;
                engines.seat(2).ask("join").map(drop)
            }
            Self::Cut => engines.lab().heal(),
            Self::Unplugged => engines.lab().plug(3),
        }
    }
}

fn faults(engines: &mut Engines, args: Args) -> Result<Table> {
    let title = format!("New view on both survivors, token {TOKEN_MS} ms");
    let mut table = Table::new(&title, &["the third host", "median", "longest", "runs", "together again"]);
    let runs = args.size(20, 2);
    for (fault, what) in [
        (Fault::Killed, "daemon and corosync killed"),
        (Fault::Cut, "cut off at the bridge"),
        (Fault::Unplugged, "link down"),
    ] {
        let (mut parted, mut together) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            parted.push(until(engines, 2, |engines| fault.make(engines))?);
            together.push(until(engines, 3, |engines| fault.mend(engines))?);
            // waits: for a ring at rest; a fault in the middle of a change is another matter.
            thread::sleep(REST);
        }
        let (parted, together) = (Samples::new(parted)?, Samples::new(together)?);
        table.row([
            what.to_owned(),
            time(parted.p50()),
            time(parted.max()),
            runs.to_string(),
            time(together.p50()),
        ]);
    }
    table.note("together again: from mending to the view of all on hosts 1 and 2; a killed host starts anew");
    Ok(table)
}

/// Returns how long after `act` the first two hosts had a regular configuration of `size`.
fn until(
    engines: &mut Engines,
    size: usize,
    act: impl FnOnce(&mut Engines) -> Result<()>,
) -> Result<Duration> {
    let order = format!("until {size} {WITHIN_MS}");
    for seat in 0..2 {
        engines.seat(seat).bus().begin(&order)?;
    }
    let begun = monotonic_ns();
    act(engines)?;
    let mut last = begun;
    for seat in 0..2 {
        let lines = engines.seat(seat).bus().end()?;
        let at = lines.first().and_then(|line| line.strip_prefix("at ")).context("a time")?;
        last = last.max(at.parse().with_context(|| format!("host {seat}: no view of {size}"))?);
    }
    Ok(Duration::from_nanos(last - begun))
}

/// What the figures are asked for at; the default is three times as long.
const TOKEN_MS: u64 = 100;
/// chosen: ten times what any of it takes.
const WITHIN_MS: u32 = 30_000;
/// chosen: several turns of the ring, and the links' own timers.
const REST: Duration = Duration::from_millis(1_500);

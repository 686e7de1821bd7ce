//! Random schedules on real corosyncs, held to the contract.
//!
//! `CONVOY_BUS_SCHEDULES=50` runs that many instead of a handful, `CONVOY_BUS_SEED=n` one of them. The world decides
//! along with the seed, so a failing run leaves its whole trace in a file, with what the corosyncs wrote into their logs.
use anyhow::{Context, Result};
use lab::{
    bus::{Engines, Options},
    conformance::{Harness, Record, Rule, Schedule, Shape, Step, Trace, Violation, check, run},
    prng::Prng,
};
use std::{env, fmt::Write as _, fs};

/// Schedules of the ordinary run. chosen: each takes some seconds.
const SCHEDULES: u64 = 4;

#[test]
fn random_schedules_on_real_corosyncs_keep_the_contract() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("CONVOY_BUS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CONVOY_BUS_SCHEDULES").unwrap_or(SCHEDULES),
    };
    let mut failures = Vec::new();
    for seed in seeds {
        let (trace, logs) = one(seed).with_context(|| format!("seed {seed}"))?;
        let verdict = check(&trace);
        let text = match &verdict {
            Ok(()) => "kept".to_owned(),
            Err(violation) if is_known(violation) => {
                format!("kept, but for what the contract says of corosync: {violation}")
            }
            Err(_) => "BROKEN".to_owned(),
        };
        println!("seed {seed}: {}: {text}", summary(&trace));
        if let Err(violation) = verdict
            && !is_known(&violation)
        {
            let path = env::temp_dir().join(format!("convoy-bus-{seed}.trace"));
            let lives = trace.lives.iter().fold(String::new(), |text, life| text + &life.to_string());
            fs::write(&path, lives + &logs).with_context(|| path.display().to_string())?;
            failures.push(format!("seed {seed}: {violation}\ntrace: {}", path.display()));
        }
    }
    assert!(
        failures.is_empty(),
        "{}\nreplay with: CONVOY_BUS_SEED=n cargo test -p convoy-tests --test bus random",
        failures.join("\n")
    );
    Ok(())
}

/// Tells whether the contract (4) says that corosync does this: a change that overtakes another one, on hosts that do not
/// get to run, can leave one side not knowing that the other was elsewhere.
fn is_known(violation: &Violation) -> bool {
    violation.rule == Rule::Together
}

/// Runs a schedule. Returns what came of it, and the logs of all corosyncs.
fn one(seed: u64) -> Result<(Trace, String)> {
    let mut prng = Prng::new(seed);
    let hosts = 2 + prng.index(3);
    let mut engines = Engines::up(Options { hosts, ..Options::default() })?;
    let shape = Shape {
        seats: hosts,
        steps: 20 + prng.index(40),
        faults: engines.faults(),
        burst_max: 1 + prng.index(40),
        len_max: 200_000,
        rounds_max: 10 + prng.index(50),
    };
    let mut schedule = Schedule::random(prng.next(), &shape);
    // More than an engine takes at once, somewhere.
    let at = prng.index(schedule.steps.len());
    schedule.steps.insert(at, Step::Send { seat: prng.index(hosts), count: 3_000, len: 1_000 });
    let trace = run(&mut engines, &schedule)?;
    let log = |seat: usize| {
        let text = fs::read_to_string(engines.dir(seat).join("corosync.log")).unwrap_or_default();
        format!("corosync of process {seat}:\n{text}")
    };
    Ok((trace, (0..hosts).map(log).collect()))
}

/// Counts what came of a schedule.
fn summary(trace: &Trace) -> String {
    let mut text = format!("{} lives", trace.lives.len());
    let mut count = |what: &str, is: fn(&Record) -> bool| {
        let records = trace.lives.iter().flat_map(|life| &life.records);
        let times = records.filter(|record| is(record)).count();
        write!(text, ", {times} {what}").expect("a string can be written to");
    };
    count("configurations", |record| matches!(record, Record::Configuration { .. }));
    count("taken", |record| matches!(record, Record::Taken { .. }));
    count("refused", |record| matches!(record, Record::Refused { .. }));
    count("delivered", |record| matches!(record, Record::Delivered { .. }));
    count("lost", |record| matches!(record, Record::Lost));
    count("left", |record| matches!(record, Record::Left));
    count("crashed", |record| matches!(record, Record::Crashed));
    text
}

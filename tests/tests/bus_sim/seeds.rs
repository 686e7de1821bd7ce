//! Random schedules, by the thousand.
use lab::{
    bus_model::{Coverage, Happened, Options},
    conformance::{Alone, Harness, Modelled, Schedule, Shape, Trace, check, run},
    prng::Prng,
};
use std::{ops::Range, thread};

/// Runs a schedule of the model.
pub(crate) fn modelled(seed: u64, defect: Option<lab::bus_model::Defect>) -> (Trace, Coverage) {
    let mut prng = Prng::new(seed);
    let processes = 2 + prng.index(4);
    let mut harness = Modelled::new(prng.next(), Options { processes, defect, ..Options::default() });
    let shape = Shape {
        seats: processes,
        steps: 10 + prng.index(90),
        faults: harness.faults(),
        burst_max: 1 + prng.index(12),
        len_max: 100,
        rounds_max: 1 + prng.index(20),
    };
    let trace = run(&mut harness, &Schedule::random(prng.next(), &shape))
        .expect("the model has no troubles of its own");
    let coverage = harness.world().coverage();
    (trace, coverage)
}

/// The trace without what only the model knows.
pub(crate) fn without_numbers(mut trace: Trace) -> Trace {
    for record in trace.lives.iter_mut().flat_map(|life| &mut life.records) {
        if let lab::conformance::Record::Configuration { number, .. } = record {
            *number = None;
        }
    }
    trace
}

fn seeds() -> (Range<u64>, bool) {
    let number = |text: &str| text.trim().parse::<u64>().expect("a seed is a number");
    match (std::env::var("CONVOY_BUS_SEED"), std::env::var("CONVOY_BUS_SEEDS")) {
        (Ok(seed), _) => (number(&seed)..number(&seed) + 1, false),
        (_, Ok(range)) => {
            let (from, to) = range.split_once("..").expect("CONVOY_BUS_SEEDS=from..to");
            (number(from)..number(to), false)
        }
        _ => (0..1_000, true),
    }
}

/// Checks a seed, with and without the numbers.
///
/// # Errors
/// What was broken and how to see it again; the trace too if only one seed is run.
fn check_seed(seed: u64) -> Result<Coverage, String> {
    let (trace, coverage) = modelled(seed, None);
    let bare = without_numbers(trace.clone());
    for trace in [&trace, &bare] {
        check(trace).map_err(|violation| {
            let one = std::env::var_os("CONVOY_BUS_SEED").is_some();
            let lives: String = trace.lives.iter().filter(|_| one).map(ToString::to_string).collect();
            format!(
                "{lives}seed {seed}: {violation}\nreplay with: \
                 CONVOY_BUS_SEED={seed} cargo test -p convoy-tests --test bus_sim seeds"
            )
        })?;
    }
    Ok(coverage)
}

#[test]
fn the_model_keeps_the_contract_and_does_all_that_it_allows() {
    let (seeds, all) = seeds();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let runs: Vec<Result<Coverage, String>> = thread::scope(|scope| {
        let share = |n: usize| seeds.clone().skip(n).step_by(workers);
        let threads: Vec<_> =
            (0..workers).map(|n| scope.spawn(move || share(n).map(check_seed).collect::<Vec<_>>())).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Vec<Result<Coverage, String>>>| {
            thread.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause))
        };
        threads.into_iter().flat_map(join).collect()
    });
    let mut coverage = Coverage::default();
    for run in &runs {
        match run {
            Ok(run) => coverage.add(run),
            Err(broken) => panic!("{broken}"),
        }
    }
    for what in Happened::ALL {
        println!("{:>9} {what:?}", coverage.of(what));
        assert!(!all || coverage.of(what) > 0, "in {} runs it never happened: {what:?}", runs.len());
    }
}

#[test]
fn a_seed_decides_the_trace() {
    for seed in [1, 77] {
        assert_eq!(modelled(seed, None), modelled(seed, None), "seed {seed} twice");
    }
    assert_ne!(modelled(1, None).0, modelled(2, None).0);
}

#[test]
fn the_bus_of_one_keeps_the_contract() {
    for seed in 0..100 {
        let mut harness = Alone::new(1);
        let faults = harness.faults();
        let len_max = convoy_core::bounds::BUS_MESSAGE_MAX;
        let shape = Shape { seats: 1, steps: 30, faults, burst_max: 3, len_max, rounds_max: 4 };
        let mut schedule = Schedule::random(seed, &shape);
        // More than it takes at once.
        schedule.steps.push(lab::conformance::Step::Send { seat: 0, count: 1_100, len: 12 });
        let trace = run(&mut harness, &schedule).unwrap();
        check(&trace).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
    }
}

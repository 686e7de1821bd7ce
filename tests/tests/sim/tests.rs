//! Random clusters, by the hundred.
use crate::{
    checks,
    clock::{At, MS, SECOND},
    faults::{describe, random_world},
    world::World,
};
use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

/// Figures of one run, equal for equal seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outcome {
    digest: u64,
    steps: u64,
    settled_in: At,
    queued_most: usize,
}

/// Trouble for some seconds, then peace: everyone agrees with the truth, soon and from then on.
fn run(world: &mut World) -> Outcome {
    let trouble = world.prng.within(2..=5) * SECOND;
    world.run(trouble);
    world.workload.pause_max = 0;
    world.heal();
    let settled_in = world.settle();
    let before = since(world);
    world.run(SECOND);
    assert_eq!(before, since(world), "nobody changes its mind in peace");
    checks::converged(world).expect("what was agreed stays agreed");
    let digest = world.sites.iter().fold(0, |all, site| crate::prng::mix(all ^ site.digest));
    Outcome { digest, steps: world.steps, settled_in, queued_most: world.queued_most }
}

/// Returns when each node last changed its mind about each other.
fn since(world: &World) -> Vec<u64> {
    let pairs = (0..world.sites.len()).flat_map(|n| (0..world.sites.len()).map(move |of| (n, of)));
    pairs.filter(|(n, of)| n != of).map(|(n, of)| world.member(n, of).since.as_ns()).collect()
}

/// Runs one seed. A failure is told with all that is needed to see it again.
fn run_seed(seed: u64) -> Outcome {
    let mut world = random_world(seed);
    catch_unwind(AssertUnwindSafe(|| run(&mut world))).unwrap_or_else(|cause| {
        let text = cause.downcast_ref::<String>().map_or("a panic", String::as_str);
        let at = world.agenda.now() / MS;
        let circumstances = describe(&world);
        std::panic::resume_unwind(Box::new(format!(
            "seed {seed} failed at {at} ms: {text}\n{circumstances}replay with: \
             CONVOY_SIM_SEED={seed} cargo test -p convoy-tests --test sim seeds"
        )))
    })
}

fn seeds() -> Range<u64> {
    let number = |text: &str| text.trim().parse::<u64>().expect("a seed is a number");
    match (std::env::var("CONVOY_SIM_SEED"), std::env::var("CONVOY_SIM_SEEDS")) {
        (Ok(seed), _) => number(&seed)..number(&seed) + 1,
        (_, Ok(range)) => {
            let (from, to) = range.split_once("..").expect("CONVOY_SIM_SEEDS=from..to");
            number(from)..number(to)
        }
        _ => 0..200,
    }
}

#[test]
fn all_seeds_end_in_agreement() {
    let seeds = seeds();
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut outcomes = Vec::new();
        let mut failures = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || failures.len() >= FAILURES_SHOWN {
                return (outcomes, failures);
            }
            match catch_unwind(|| run_seed(seed)) {
                Ok(outcome) => outcomes.push(outcome),
                Err(cause) => failures.push(*cause.downcast::<String>().expect("run_seed says why")),
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let results = thread::scope(|scope| {
        let threads = (0..workers).map(|_| scope.spawn(work)).collect::<Vec<_>>();
        threads.into_iter().map(|thread| thread.join().expect("failures are returned")).collect::<Vec<_>>()
    });
    let (outcomes, failures): (Vec<_>, Vec<_>) = results.into_iter().unzip();
    let (outcomes, failures) = (outcomes.concat(), failures.concat());
    let slowest = outcomes.iter().map(|outcome| outcome.settled_in).max().unwrap_or(0);
    println!(
        "{} runs, {} steps, agreed at latest {} ms after the heal, at most {} bytes waited",
        outcomes.len(),
        outcomes.iter().map(|outcome| outcome.steps).sum::<u64>(),
        slowest / MS,
        outcomes.iter().map(|outcome| outcome.queued_most).max().unwrap_or(0),
    );
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn a_seed_decides_everything() {
    for seed in [3, 33] {
        assert_eq!(run_seed(seed), run_seed(seed), "seed {seed} twice");
    }
}

/// Failures after which a worker stops looking for more.
const FAILURES_SHOWN: usize = 2;

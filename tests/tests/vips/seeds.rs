//! Many runs.
use super::run::{Defect, Outcome, Run};
use std::{env, panic};

/// Schedules of the ordinary run.
const SCHEDULES: u64 = 200;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

#[test]
fn no_address_is_answered_for_twice_and_every_one_is_at_rest() {
    if let Some(seed) = number("CONVOY_SEED") {
        Run::new(seed, None).go();
        return;
    }
    let mut sum = Outcome::default();
    let schedules = number("CONVOY_SCHEDULES").unwrap_or(SCHEDULES);
    for seed in 0..schedules {
        let Outcome { faults, takeovers, moves } = Run::new(seed, None).go();
        sum = Outcome {
            faults: sum.faults + faults,
            takeovers: sum.takeovers + takeovers,
            moves: sum.moves + moves,
        };
    }
    // The schedules are worth something only if nodes die in them and are taken over.
    eprintln!("{schedules} schedules: {sum:?}");
    assert!(sum.takeovers * 20 > schedules && sum.moves > schedules / 2, "{sum:?}");
}

/// Runs until one fails, and returns its seed.
fn first_failure(defect: Defect) -> Option<u64> {
    (0..300).find(|seed| panic::catch_unwind(|| Run::new(*seed, Some(defect)).go()).is_err())
}

#[test]
fn a_wire_that_never_answers_is_noticed() {
    assert!(first_failure(Defect::WireIsMute).is_some());
}

#[test]
fn a_kernel_that_ignores_its_lease_is_noticed() {
    assert!(first_failure(Defect::LeaseIsIgnored).is_some());
}

#[test]
fn a_host_that_hears_nobody_and_believes_it_is_noticed() {
    assert!(first_failure(Defect::SilenceNeedsNoControl).is_some());
}

#[test]
fn a_host_that_takes_over_what_others_hear_is_noticed() {
    assert!(first_failure(Defect::NobodyVouches).is_some());
}

#[test]
fn a_host_that_is_left_out_and_does_not_learn_of_it_is_noticed() {
    assert!(first_failure(Defect::ViewsAreSecret).is_some());
}

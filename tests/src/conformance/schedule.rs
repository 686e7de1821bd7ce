//! Random schedules: what befalls the processes of a run, in which order. A seed decides.
use super::{Faults, Tag};
use crate::prng::Prng;

/// One thing to do. What makes no sense when its turn comes is passed over: a crash of who is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A process joins.
    Join(usize),
    /// A process leaves.
    Leave(usize),
    /// A process sends so many messages, as fast as they are taken and up to the first that is not.
    Send {
        /// Who.
        seat: usize,
        /// How many.
        count: usize,
        /// Bytes of each.
        len: usize,
    },
    /// The ways between these parts are cut.
    Partition(Vec<Vec<usize>>),
    /// All ways are open again.
    Heal,
    /// A process dies.
    Crash(usize),
    /// A new one takes the place of one that has died, and joins.
    Restart {
        /// Where.
        seat: usize,
        /// With the number that the dead one had on the bus.
        same: bool,
    },
    /// The engine under a process dies.
    Lose(usize),
    /// A process reads no events.
    Stall(usize),
    /// It reads again.
    Resume(usize),
    /// Things happen, for so many rounds.
    Advance(usize),
}

/// What kind of schedule.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Processes.
    pub seats: usize,
    /// Steps after everyone has joined.
    pub steps: usize,
    /// Faults that may be in it.
    pub faults: Faults,
    /// Most messages sent at once.
    pub burst_max: usize,
    /// Bytes of the longest message.
    pub len_max: usize,
    /// Most rounds that pass between two steps.
    pub rounds_max: usize,
}

/// What befalls the processes of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// In this order.
    pub steps: Vec<Step>,
}

impl Schedule {
    /// Returns the schedule that a seed decides.
    pub fn random(seed: u64, shape: &Shape) -> Self {
        let mut prng = Prng::new(seed);
        let mut steps = Vec::new();
        for seat in 0..shape.seats {
            steps.push(Step::Join(seat));
            steps.push(pause(&mut prng, shape));
        }
        while steps.len() < 2 * (shape.seats + shape.steps) {
            steps.push(step(&mut prng, shape));
            steps.push(pause(&mut prng, shape));
        }
        Self { steps }
    }
}

/// Half of the pauses are none: then things befall a process in the middle of others.
fn pause(prng: &mut Prng, shape: &Shape) -> Step {
    let most = if prng.per_mille(500) { 0 } else { shape.rounds_max };
    Step::Advance(prng.index(most + 1))
}

fn step(prng: &mut Prng, shape: &Shape) -> Step {
    let seat = prng.index(shape.seats);
    let kind = prng.below(100);
    match kind {
        0..3 => Step::Leave(seat),
        3..9 => Step::Join(seat),
        9..13 if shape.faults.crash => Step::Crash(seat),
        13..21 if shape.faults.crash => Step::Restart { seat, same: prng.per_mille(500) },
        21..24 if shape.faults.lose => Step::Lose(seat),
        24..30 if shape.faults.partition => Step::Partition(parts(prng, shape.seats)),
        30..36 if shape.faults.partition => Step::Heal,
        36..39 => Step::Stall(seat),
        39..45 => Step::Resume(seat),
        _ => Step::Send { seat, count: 1 + prng.index(shape.burst_max), len: length(prng, shape.len_max) },
    }
}

/// Mostly short messages, some of any length, the longest, and one byte too long.
fn length(prng: &mut Prng, max: usize) -> usize {
    match prng.below(100) {
        0 => max,
        1 => max + 1,
        2..12 => prng.index(max),
        _ => Tag::LEN_MIN + prng.index(64),
    }
}

/// Two or three parts; now and then somebody is in none.
fn parts(prng: &mut Prng, seats: usize) -> Vec<Vec<usize>> {
    let count = 2 + prng.index(2);
    let mut parts = vec![Vec::new(); count];
    for seat in 0..seats {
        if !prng.per_mille(50) {
            parts[prng.index(count)].push(seat);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_schedule_and_only_what_can_be_made_is_in_it() {
        let faults = Faults::default();
        let shape = Shape { seats: 3, steps: 200, faults, burst_max: 4, len_max: 90, rounds_max: 5 };
        let schedule = Schedule::random(1, &shape);
        assert_eq!(schedule, Schedule::random(1, &shape));
        assert_ne!(schedule, Schedule::random(2, &shape));
        for step in schedule.steps {
            let fits = match step {
                Step::Partition(_) | Step::Heal | Step::Crash(_) | Step::Restart { .. } | Step::Lose(_) => {
                    false
                }
                Step::Send { seat, count, len } => seat < 3 && count <= 4 && len <= 91,
                Step::Join(seat) | Step::Leave(seat) | Step::Stall(seat) | Step::Resume(seat) => seat < 3,
                Step::Advance(rounds) => rounds <= 5,
            };
            assert!(fits);
        }
    }
}

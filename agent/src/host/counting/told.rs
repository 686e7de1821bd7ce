//! Compares what the cluster side was told with what the kernel holds, and has told again what was missed.
//!
//! The audit compares the kernel's tables with its sockets; a change that was counted and whose notice was lost is
//! right there, and wrong in every sum. Invariants: 1. a host counts as missed only when two comparisons in a row
//! found the same two counts for it: what moves, or is on its way, differs once; 2. nobody is waited for longer than
//! [`ANSWER_WITHIN`], and a question that was not answered is not asked again; 3. a comparison remembers at most
//! [`SEEN_MAX`] hosts of a direction; more are found in the next ones.
use super::{Report, report, tables::Entries, threads::Shared};
use convoy_common::{
    addr::Host,
    count::{Count, Direction},
    kernel::{HostCount, is_retired},
};
use convoy_core::counters::{Cell, CidrTree, bounded};
use crossbeam_channel::{Receiver, Sender, bounded as channel};
use std::{collections::BTreeMap, time::Duration};

/// Remembers the latest comparison.
#[derive(Debug, Default)]
pub(super) struct Told {
    asked: Option<Asked>,
    last: [Seen; 2],
}

/// What the cluster side knows of both directions.
type Trees = [CidrTree; 2];

/// Hosts that differ: what was told, and what the kernel holds.
type Seen = BTreeMap<Host, (Option<Cell>, Option<Cell>)>;

#[derive(Debug)]
struct Asked {
    answer: Receiver<Trees>,
    /// It was waited for, in vain.
    late: bool,
}

impl Told {
    /// Asks what the cluster side knows, unless an earlier question is open or it has too much to read already.
    pub(super) fn ask(&mut self, shared: &Shared, out: &Sender<Report>) {
        if self.asked.is_none() && !out.is_full() {
            let (reply, answer) = channel(1);
            let sent = shared.send(out, Report::Told { reply }).is_none();
            self.asked = sent.then_some(Asked { answer, late: false });
        }
    }

    /// Compares the answer, if there is one, with tables read after the question. Returns the hosts that were missed.
    pub(super) fn compare(&mut self, tables: &[Entries; 2]) -> Vec<(Direction, Host)> {
        let Some(told) = self.answer() else { return Vec::new() };
        let mut missed = Vec::new();
        for ((direction, held), (told, last)) in
            Direction::ALL.into_iter().zip(tables).zip(told.iter().zip(&mut self.last))
        {
            let mut now = differences(held, told);
            now.retain(|host, counts| {
                let again = last.get(host) == Some(counts);
                if again {
                    missed.push((direction, *host));
                }
                !again // it is told anew, so it is judged anew
            });
            *last = now;
        }
        missed
    }

    fn answer(&mut self) -> Option<Trees> {
        let asked = self.asked.as_mut()?;
        let wait = if asked.late { Duration::ZERO } else { ANSWER_WITHIN };
        match asked.answer.recv_timeout(wait) {
            Ok(trees) => {
                self.asked = None;
                Some(trees)
            }
            Err(error) => {
                asked.late = true;
                if error.is_disconnected() {
                    self.asked = None; // it was thrown away with the queue, or the daemon is stopping
                }
                None
            }
        }
    }
}

/// Returns the hosts of which something else is held than was told. `held` is in order of host.
fn differences(held: &[(Host, HostCount)], told: &CidrTree) -> Seen {
    let mut seen = Seen::new();
    let mut both = 0;
    for (host, entry) in held {
        let (held, told) = (bounded(count(entry)), told.get(*host));
        both += usize::from(told.is_some());
        if held != told && !is_retired(entry.current) && seen.len() < SEEN_MAX {
            seen.insert(*host, (told, held));
        }
    }
    if told.len() > both {
        for (host, cell) in told.hosts() {
            let is_held = held.binary_search_by_key(&host, |(host, _)| *host).is_ok();
            if !is_held && seen.len() < SEEN_MAX {
                seen.insert(host, (Some(cell), None));
            }
        }
    }
    seen
}

fn count(entry: &HostCount) -> Count {
    report::count(entry)
}

/// Longest wait for an answer. chosen: the cluster thread answers within microseconds, behind a full queue of reports
/// within some milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_millis(50);
/// Hosts of a direction that a comparison remembers.
const SEEN_MAX: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_core::counters::Replica;

    fn host(n: u8) -> Host {
        Host::new([192, 0, 2, n].into())
    }

    fn held(hosts: &[(u8, u32, u64)]) -> [Entries; 2] {
        let entry =
            |&(n, current, total): &(u8, u32, u64)| (host(n), HostCount { current, reported: 0, total });
        [hosts.iter().map(entry).collect(), Entries::new()]
    }

    fn told(hosts: &[(u8, u64, u64)]) -> Trees {
        let mut replica = Replica::default();
        for &(n, current, total) in hosts {
            replica.set_own(host(n), Some(Count { current, total }));
        }
        [replica.own().clone(), CidrTree::default()]
    }

    /// One comparison: what is held, what was told, and who is found missing.
    type Step<'a> = (&'a [(u8, u32, u64)], &'a [(u8, u64, u64)], &'a [u8]);

    fn check(steps: &[Step<'_>]) {
        let mut compared = Told::default();
        for (step, (hold, tell, missed)) in steps.iter().enumerate() {
            let (reply, answer) = channel(1);
            compared.asked = Some(Asked { answer, late: false });
            reply.send(told(tell)).unwrap();
            let expected = missed.iter().map(|n| (Direction::Inbound, host(*n))).collect::<Vec<_>>();
            assert_eq!(compared.compare(&held(hold)), expected, "step {step}");
        }
    }

    #[test]
    fn what_was_told_right_is_never_missed() {
        let (hold, tell): (&[_], &[_]) = (&[(1, 2, 3), (2, 0, 9)], &[(1, 2, 3), (2, 0, 9)]);
        check(&[(hold, tell, &[]), (hold, tell, &[])]);
    }

    #[test]
    fn a_host_that_differs_the_same_twice_is_missed() {
        check(&[
            (&[(1, 2, 3)], &[(1, 1, 2)], &[]),
            (&[(1, 2, 3)], &[(1, 1, 2)], &[1]),
            (&[(1, 2, 3)], &[(1, 1, 2)], &[]),
            (&[(1, 2, 3)], &[(1, 1, 2)], &[1]),
            (&[(1, 2, 3)], &[(1, 2, 3)], &[]),
        ]);
    }

    #[test]
    fn what_is_on_its_way_is_not_missed() {
        check(&[
            (&[(1, 2, 3)], &[(1, 1, 2)], &[]),
            (&[(1, 3, 4)], &[(1, 2, 3)], &[]),
            (&[(1, 3, 5)], &[(1, 3, 4)], &[]),
        ]);
    }

    #[test]
    fn hosts_that_only_one_side_knows_are_missed() {
        let (hold, tell): (&[_], &[_]) = (&[(1, 1, 1), (3, 1, 1)], &[(1, 1, 1), (2, 1, 1)]);
        check(&[(hold, tell, &[]), (hold, tell, &[2, 3])]);
    }

    #[test]
    fn an_entry_without_history_and_one_on_its_way_out_are_no_hosts() {
        let out = convoy_common::kernel::RETIRED;
        let hold: &[_] = &[(1, 0, 0), (2, out, 4)];
        check(&[(hold, &[], &[]), (hold, &[], &[])]);
    }

    #[test]
    fn a_question_without_an_answer_is_asked_once() {
        let mut compared = Told::default();
        let (reply, answer) = channel(1);
        compared.asked = Some(Asked { answer, late: false });
        assert!(compared.compare(&held(&[])).is_empty());
        assert!(compared.asked.as_ref().is_some_and(|asked| asked.late));
        drop(reply);
        compared.compare(&held(&[]));
        assert!(compared.asked.is_none());
    }
}

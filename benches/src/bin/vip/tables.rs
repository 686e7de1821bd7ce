//! What is printed of all runs.
use crate::{
    Family, Peer,
    scene::{Fault, Outcome},
};
use anyhow::Result;
use convoy_benches::{
    stats::Samples,
    table::{self, Table},
};
use std::time::Duration;

/// Runs of one fault with one peer.
pub(crate) struct FaultRow {
    pub(crate) fault: Fault,
    pub(crate) peer: Peer,
    /// The peer's name with its version.
    pub(crate) name: String,
    outcomes: Vec<Outcome>,
    failed: Vec<String>,
    /// Questions that two hosts answered.
    pub(crate) doubles: u64,
}

impl FaultRow {
    /// Returns a row without runs.
    pub(crate) fn new(fault: Fault, peer: Peer) -> Self {
        Self { fault, peer, name: String::new(), outcomes: vec![], failed: vec![], doubles: 0 }
    }

    /// Takes a run. A peer that does not put an address back has not failed to be measured.
    pub(crate) fn take(&mut self, run: Result<Outcome>) -> Result<()> {
        match run {
            Ok(outcome) => self.outcomes.push(outcome),
            Err(error) if self.fault == Fault::Deleted => self.failed.push(format!("{error:#}")),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Runs with one number of addresses and one peer.
pub(crate) struct Many {
    pub(crate) peer: Peer,
    /// Intervals with which the peer did not come to rest, or failed.
    pub(crate) given_up: usize,
    /// Number and family.
    what: String,
    /// The peer's name with its version.
    name: String,
    outcomes: Vec<Outcome>,
    failed: Vec<String>,
    doubles: u64,
}

impl Many {
    /// Returns a row without runs.
    pub(crate) fn new(peer: Peer, count: u32, family: Family) -> Self {
        let what = match family {
            Family::Ipv4 => format!("{count} of IPv4"),
            Family::Ipv6 => format!("{count} of IPv6"),
        };
        Self { peer, given_up: 0, what, name: String::new(), outcomes: vec![], failed: vec![], doubles: 0 }
    }

    /// Takes a run, and tells whether it came to anything. An interval that never led to anything is given up.
    pub(crate) fn take(&mut self, interval_ms: u64, run: Result<(String, Outcome, u64)>) -> bool {
        match run {
            Ok((name, outcome, doubles)) => {
                self.name = name;
                self.outcomes.push(outcome);
                self.doubles += doubles;
                true
            }
            Err(error) => {
                self.failed.push(format!("at {interval_ms} ms: {error:#}"));
                self.given_up += usize::from(self.outcomes.is_empty());
                !self.outcomes.is_empty()
            }
        }
    }
}

/// Returns the table of one address.
pub(crate) fn one_address(rows: &[FaultRow]) -> Result<Table> {
    let mut table = Table::new(
        "One address; a client probes it every millisecond",
        &[
            "what happens to its owner",
            "by",
            "runs",
            "outage p50",
            "max",
            "lost p50",
            "max",
            "none lost",
            "two owners",
        ],
    );
    for row in rows {
        let what = match row.fault {
            Fault::Cut => "cut off at the bridge",
            Fault::Unplugged => "its link loses the carrier",
            Fault::Killed => "its host is killed whole",
            Fault::Drained => "it gives it away",
            Fault::Deleted => "ip addr del",
        };
        let mut lost: Vec<_> = row.outcomes.iter().map(|outcome| outcome.outage.lost).collect();
        lost.sort_unstable();
        let cell = |lost: Option<&usize>| lost.map_or_else(String::new, usize::to_string);
        let whole = lost.iter().filter(|lost| **lost == 0).count();
        let [p50, max] = times(&row.outcomes, |outcome| outcome.outage.span)?;
        table.row([
            what.to_owned(),
            row.name.clone(),
            row.outcomes.len().to_string(),
            p50,
            max,
            cell(lost.get(lost.len().saturating_sub(1) / 2)),
            cell(lost.last()),
            whole.to_string(),
            row.doubles.to_string(),
        ]);
    }
    for row in rows.iter().filter(|row| row.fault == Fault::Deleted) {
        let [p50, max] = times(&row.outcomes, |outcome| outcome.all)?;
        table.note(format!(
            "{}: an address deleted with ip(8) is announced after {p50} (p50; max {max}).",
            row.name
        ));
        fail(&mut table, &row.name, &row.failed);
    }
    table.note(
        "An outage is the longest time between two answers, a millisecond of which is the client's own pace. Two owners: \
         questions of the witness that two hosts answered, until all was as before; it asks 200 a second.",
    );
    Ok(table)
}

/// Returns the table of many addresses.
pub(crate) fn many_addresses(rows: &[Many]) -> Result<Table> {
    let mut table = Table::new(
        "All addresses of a host that is killed whole",
        &[
            "addresses",
            "by",
            "runs",
            "first announced p50",
            "all p50",
            "all max",
            "between p50",
            "max",
            "two owners",
        ],
    );
    for row in rows {
        let [first, _] = times(&row.outcomes, |outcome| outcome.first)?;
        let [all, all_max] = times(&row.outcomes, |outcome| outcome.all)?;
        let [between, between_max] =
            times(&row.outcomes, |outcome| outcome.all.saturating_sub(outcome.first))?;
        let (runs, doubles) = (row.outcomes.len().to_string(), row.doubles.to_string());
        let name = row.name.clone();
        table.row([row.what.clone(), name, runs, first, all, all_max, between, between_max, doubles]);
    }
    for row in rows {
        fail(&mut table, &row.what, &row.failed);
    }
    table.note(
        "From the last echo that the dead owner answered. Between: from the first announcement by another host to the \
         first of the last address. Two owners: questions that two hosts answered, from the start of the daemons on, of 16 \
         addresses.",
    );
    Ok(table)
}

/// Says below a table which runs came to nothing, and why.
fn fail(table: &mut Table, what: &str, failed: &[String]) {
    if !failed.is_empty() {
        table.note(format!("{what}: runs that came to nothing: {}", failed.join("; ")));
    }
}

/// Returns median and maximum; empty cells of no run.
fn times(outcomes: &[Outcome], of: impl Fn(&Outcome) -> Duration) -> Result<[String; 2]> {
    if outcomes.is_empty() {
        return Ok([String::new(), String::new()]);
    }
    let samples = Samples::new(outcomes.iter().map(of).collect())?;
    Ok([table::time(samples.p50()), table::time(samples.max())])
}

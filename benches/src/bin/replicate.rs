//! Replication in the lab, three nodes, beside HAProxy's peers in the same namespaces and the same run.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use anyhow::Result;
use convoy_benches::{
    args::Args,
    peers::{convoy, haproxy, node::Node},
    stats::{Paired, Samples, float, median},
    table::{self, Table},
};
use lab::{Lab, LabOptions};
use std::time::Duration;

fn main() -> Result<()> {
    let args = Args::from_command_line();
    let (hosts, rounds, samples) = (args.size(200_000, 5_000), args.size(7, 1), args.size(2_000, 100));
    let tables = [
        visible(rounds, samples)?,
        teach(rounds, hosts)?,
        memory(hosts)?,
        choose_delay(args.size(3, 1), args.size(500, 50))?,
    ];
    println!("{}", args.report(&tables));
    Ok(())
}

/// Both clusters are up while either is measured, by turns.
fn visible(rounds: usize, samples: usize) -> Result<Table> {
    let lab = Lab::up(&LabOptions::default())?;
    let mut ours = convoy::Cluster::start(&lab, "0")?;
    let mut theirs = haproxy::Cluster::start(&Node::all_of(&lab))?;
    let (mut all_ours, mut all_theirs) = (vec![], vec![]);
    for round in 0..rounds {
        if round % 2 == 0 {
            all_ours.push(ours.visible_latency(samples)?);
            all_theirs.push(theirs.visible_latency(samples)?);
        } else {
            all_theirs.push(theirs.visible_latency(samples)?);
            all_ours.push(ours.visible_latency(samples)?);
        }
    }
    let medians = |runs: &[Samples]| runs.iter().map(|run| run.p50().as_secs_f64()).collect();
    let paired = Paired { ours: medians(&all_ours), theirs: medians(&all_theirs) };
    let (ours, theirs) = (Samples::merged(all_ours)?, Samples::merged(all_theirs)?);
    let mut table = Table::new("One change visible on a peer, max_delay 0", &["", "p50", "p99", "max"]);
    for (name, samples) in
        [("Convoy: connect(2) on one host to `global` on another", &ours), ("HAProxy peers", &theirs)]
    {
        table.row([
            name.to_owned(),
            table::time(samples.p50()),
            table::time(samples.p99()),
            table::time(samples.max()),
        ]);
    }
    table.row(["Convoy / HAProxy, median of rounds".to_owned(), table::ratio(paired.ratio())]);
    table.note(format!(
        "{rounds} rounds of {samples} by turns. Ours includes the TCP handshake of the counted connection."
    ));
    table.note("Targets: p50 at most 0.25 ms, p99 at most 1.5 ms.");
    Ok(table)
}

fn teach(rounds: usize, hosts: u32) -> Result<Table> {
    let lab = Lab::up(&LabOptions::default())?;
    let mut ours = convoy::Cluster::start(&lab, "0.01")?;
    ours.fill(&[1], hosts)?;
    let mut theirs = haproxy::Cluster::start(&Node::all_of(&lab))?;
    let (mut starts, mut answers) =
        (Paired { ours: vec![], theirs: vec![] }, Paired { ours: vec![], theirs: vec![] });
    for round in 0..=rounds {
        let (us, them) = if round % 2 == 0 {
            let us = ours.teach(hosts)?;
            (us, theirs.teach(hosts)?)
        } else {
            let them = theirs.teach(hosts)?;
            (ours.teach(hosts)?, them)
        };
        if round > 0 {
            starts.ours.push(us.from_start.as_secs_f64());
            starts.theirs.push(them.from_start.as_secs_f64());
            answers.ours.push(us.from_answer.as_secs_f64());
            answers.theirs.push(them.from_answer.as_secs_f64());
        }
    }
    let title = format!("{hosts} entries to a restarted node, until all are there");
    let mut table = Table::new(&title, &["", "Convoy", "HAProxy", "ratio"]);
    for (name, paired) in [("from the start of its process", &starts), ("from its first answer", &answers)] {
        table.row([
            name.to_owned(),
            seconds(&paired.ours),
            seconds(&paired.theirs),
            table::ratio(paired.ratio()),
        ]);
    }
    table.note(format!(
        "Medians of {rounds} rounds by turns. Target: at most 0.18 s, and not slower than HAProxy."
    ));
    Ok(table)
}

fn memory(hosts: u32) -> Result<Table> {
    let lab = Lab::up(&LabOptions::default())?;
    let ours = convoy::Cluster::start(&lab, "0.01")?.memory(hosts)?;
    let theirs = haproxy::Cluster::start(&Node::all_of(&lab))?.memory_per_entry(hosts)?;
    let title = format!("Memory, {hosts} hosts on each of three nodes");
    let mut table = Table::new(&title, &["", "a host and node"]);
    table.row(["convoyd".to_owned(), table::bytes(ours.agent)]);
    table.row(["the kernel's table of the node's own hosts, a host".to_owned(), table::bytes(ours.kernel)]);
    table.row(["HAProxy, an entry, node taught".to_owned(), table::bytes(theirs.replica)]);
    table.note("Resident memory. Every node counts hosts of its own, so `global` holds three times as many.");
    table.note("Target: at most 150 B a host and node in the agent.");
    Ok(table)
}

/// What a delay costs in latency and what it saves in work, for the default of `max_delay`.
fn choose_delay(rounds: usize, samples: usize) -> Result<Table> {
    let head = ["max_delay", "p50", "p99", "writes a change", "bytes a change", "CPU a change"];
    let mut table = Table::new("What max_delay buys: connections one after another", &head);
    for delay in ["0", "0.001", "0.01", "0.1", "1.0"] {
        let lab = Lab::up(&LabOptions::default())?;
        let mut cluster = convoy::Cluster::start(&lab, delay)?;
        let before = cluster.cost()?;
        let samples = if delay == "1.0" { samples.min(20) } else { samples };
        let runs = (0..rounds).map(|_| cluster.visible_latency(samples)).collect::<Result<Vec<_>>>()?;
        let after = cluster.cost()?;
        let changes = float(rounds * samples * 2);
        let per_change =
            |before: u64, after: u64| float(usize::try_from(after - before).unwrap_or(0)) / changes;
        let seen = Samples::merged(runs)?;
        table.row([
            format!("{delay} s"),
            table::time(seen.p50()),
            table::time(seen.p99()),
            format!("{:.2}", per_change(before.0.mesh.writes, after.0.mesh.writes)),
            table::bytes(per_change(before.0.mesh.sent_bytes, after.0.mesh.sent_bytes)),
            table::time(after.1.saturating_sub(before.1).div_f64(changes)),
        ]);
    }
    table.note("Opens and closes are a change each; writes go to two peers and include heartbeats.");
    Ok(table)
}

fn seconds(times: &[f64]) -> String {
    table::time(Duration::from_secs_f64(median(times)))
}

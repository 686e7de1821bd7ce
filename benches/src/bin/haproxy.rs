//! HAProxy's numbers alone: what replication is measured against.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use anyhow::Result;
use convoy_benches::{
    args::Args,
    peers::{
        haproxy::{self, Cluster},
        node::Node,
    },
    stats::{Samples, float, median},
    table::{self, Table},
};
use lab::{Lab, LabOptions};
use std::time::Duration;

fn main() -> Result<()> {
    let args = Args::from_command_line();
    let entries = args.size(200_000, 5_000);
    let rounds = args.size(7, 1);
    let samples = args.size(2_000, 100);
    let lab = Lab::up(&LabOptions::default())?;
    let nodes = Node::all_of(&lab);

    let (mut latencies, mut starts, mut answers, mut writers, mut replicas) =
        (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        let mut cluster = Cluster::start(&nodes)?;
        latencies.push(cluster.visible_latency(samples)?);
        let memory = cluster.memory_per_entry(entries)?;
        writers.push(memory.writer);
        replicas.push(memory.replica);
        let times = cluster.teach(entries)?;
        starts.push(times.from_start.as_secs_f64());
        answers.push(times.from_answer.as_secs_f64());
    }
    let latency = Samples::merged(latencies)?;
    let seconds = |times: &[f64]| table::time(Duration::from_secs_f64(median(times)));

    let title = format!("HAProxy {} peers, three hosts of the lab", haproxy::version()?);
    let mut table = Table::new(&title, &["what", "median", "p99", "max"]);
    table
        .row([
            "one update visible on a peer".to_owned(),
            table::time(latency.p50()),
            table::time(latency.p99()),
            table::time(latency.max()),
        ])
        .row([
            format!("{entries} entries to a restarted node, from its start"),
            seconds(&starts),
            String::new(),
            worst(&starts),
        ])
        .row([
            "  the same, from its first answer".to_owned(),
            seconds(&answers),
            String::new(),
            worst(&answers),
        ])
        .row(["memory an entry, node written to".to_owned(), table::bytes(median(&writers))])
        .row(["memory an entry, node taught".to_owned(), table::bytes(median(&replicas))])
        .note(format!(
            "{rounds} rounds on fresh clusters; {} updates; four counters an entry.",
            float(latency.count())
        ));
    println!("{}", args.report(&[table]));
    Ok(())
}

fn worst(times: &[f64]) -> String {
    table::time(Duration::from_secs_f64(times.iter().copied().fold(0.0, f64::max)))
}

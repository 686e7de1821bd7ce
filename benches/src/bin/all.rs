//! What it costs to ask every node at once: `convoy --all status` on eight hosts with a corosync each, beside `convoy status`.
//!
//! The program is timed from before its start to its end, as whoever types it waits for it; the question alone on a
//! control connection that is open already. The limit is what the node itself answers: a command that goes around cannot
//! be faster than that.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use anyhow::{Context, Result, ensure};
use convoy_benches::{
    args::Args,
    stats::Samples,
    table::{Table, time},
};
use lab::{Agent, Lab, LabOptions, until};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

fn main() -> Result<()> {
    let args = Args::from_command_line();
    let hosts = args.size(8, 2);
    let lab = Lab::up(&LabOptions { hosts, ..LabOptions::default() })?;
    let mut agents = Vec::new();
    for host in 1..=hosts {
        agents.push(start(&lab, host)?);
    }
    wait_for_view(&lab, hosts)?;
    println!("{}", args.report(&[measure(&lab, hosts, args)?]));
    drop(agents);
    Ok(())
}

fn start(lab: &Lab, host: usize) -> Result<Agent> {
    let host = lab.host(host);
    // The default token: nothing is to change while it is measured.
    host.write_config(&host.bus_config().replace("  bus_token = 0.1\n", ""))?;
    let mut agent = host.spawn_agent(host.convoyd()?.own_run())?;
    agent.wait_notified("READY=1", BOUND)?;
    Ok(agent)
}

fn wait_for_view(lab: &Lab, hosts: usize) -> Result<()> {
    for host in 1..=hosts {
        until("one view of all", BOUND, || {
            let view: Value = lab.host(host).convoy_json(&["view"])?;
            let members = view["members"].as_array().map_or(0, Vec::len);
            Ok((members == hosts).then_some(()))
        })?;
    }
    Ok(())
}

fn measure(lab: &Lab, hosts: usize, args: Args) -> Result<Table> {
    let (turns, count) = args.size((20, 10), (1, 3));
    let mut connection = Connection::open(lab)?;
    let all = r#"{"ask":"all","line":"{\"ask\":\"status\"}","within_ms":9000}"#;
    let one = r#"{"ask":"status"}"#;
    let mut runs: [Vec<Duration>; 4] = Default::default();
    for _ in 0..turns {
        for _ in 0..count {
            runs[0].push(program(lab, &["--json", "--all", "status"], hosts)?);
            runs[1].push(program(lab, &["--json", "status"], 1)?);
            runs[2].push(connection.ask(all, hosts)?);
            runs[3].push(connection.ask(one, 1)?);
        }
    }
    let title = format!("Asking {hosts} nodes at once");
    let mut table = Table::new(&title, &["what", "nodes", "p50", "p99", "max"]);
    let names = [
        ("convoy --all status", hosts),
        ("convoy status", 1),
        ("all, on an open connection", hosts),
        ("status, on an open connection", 1),
    ];
    for ((what, nodes), times) in names.into_iter().zip(runs) {
        let times = Samples::new(times)?;
        table.row([what.into(), nodes.to_string(), time(times.p50()), time(times.p99()), time(times.max())]);
    }
    table.note(format!("{} of each by turns; programs from before their start to their end", turns * count));
    Ok(table)
}

/// Runs the client and returns how long it took; every node must have answered.
fn program(lab: &Lab, words: &[&str], nodes: usize) -> Result<Duration> {
    let begun = Instant::now();
    let output = lab.host(1).convoy(words)?;
    let took = begun.elapsed();
    ensure!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    check(&output.stdout, nodes)?;
    Ok(took)
}

fn check(answer: &[u8], nodes: usize) -> Result<()> {
    let answer: Value = serde_json::from_slice(answer)?;
    let Some(answers) = answer["answers"].as_array() else {
        ensure!(nodes == 1 && answer["node"].is_string(), "{answer}");
        return Ok(());
    };
    let answered = answers.iter().filter(|answer| answer["code"] == 0).count();
    ensure!(answered == nodes, "{answered} of {nodes} answered: {answer}");
    Ok(())
}

/// A connection to the first host's daemon.
struct Connection(BufReader<UnixStream>);

impl Connection {
    fn open(lab: &Lab) -> Result<Self> {
        let path = lab.host(1).run_dir().join("convoyd.sock");
        let stream = UnixStream::connect(&path).with_context(|| path.display().to_string())?;
        stream.set_read_timeout(Some(BOUND))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn ask(&mut self, request: &str, nodes: usize) -> Result<Duration> {
        let mut line = String::new();
        let begun = Instant::now();
        self.0.get_mut().write_all(format!("{request}\n").as_bytes())?;
        self.0.read_line(&mut line)?;
        let took = begun.elapsed();
        check(line.as_bytes(), nodes)?;
        Ok(took)
    }
}

/// Longest wait for anything; eight corosyncs on two cores take a while to form.
const BOUND: Duration = Duration::from_mins(2);

//! What counting costs: kernel time for each end of a connection, and the connection rate with and without it.
//!
//! Server and client are processes in one network namespace; only the server's control group is counted, so one end
//! of each connection is, as on a real host. Everything is removed on return; a killed run leaves a bpffs directory
//! and a control group named `convoy-bench-PID`, which counting nothing cost nothing.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use anyhow::Result;
use convoy_agent::{
    host::counting::{self, Handle, Options, Settings},
    sys::wake::Wake,
};
use convoy_benches::{
    args::Args,
    bpf,
    stats::{Paired, float, median, paired},
    table::{self, Table},
};
use convoy_core::time::Span;
use lab::traffic::{self, End, Namespace, Worker};
use std::{
    env, fs,
    net::{IpAddr, Ipv6Addr},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

fn main() -> Result<()> {
    if env::var_os(traffic::ROLE).is_some() {
        return traffic::work();
    }
    let args = Args::from_command_line();
    let site = Site::new()?;
    let mut cost = Table::new(
        "Kernel time of counting, one end of each connection counted, bpf_stats on",
        &[
            "hosts in the table",
            "runs a connection",
            "ns a run",
            "ns a connection end",
            "quietest batch",
            "limit",
        ],
    );
    for hosts in [args.size(1_000, 100), args.size(100_000, 1_000)] {
        let used = site.cost(hosts, args.size(50_000, 500))?;
        cost.row([
            hosts.to_string(),
            format!("{:.2}", used.runs),
            format!("{:.0}", used.ns / used.runs),
            format!("{:.0}", used.ns),
            format!("{:.0}", used.least),
            "800".into(),
        ]);
    }
    cost.note(
        "bpf_stats itself adds 20 to 30 ns a run; most runs are callbacks that are not ours and return early",
    );

    let mut rate = Table::new(
        "Connections opened and closed a second, counting on and off by turns",
        &["agent's delay", "on", "off", "on / off", "range", "limit"],
    );
    let (rounds, connections) = (args.size(21, 1), args.size(10_000, 300));
    for delay in [Span::from_ms(20), Span::ZERO] {
        let figures = site.rates(rounds, connections, delay)?;
        let (low, high) = figures.ratio_range();
        rate.row([
            delay.to_string(),
            table::rate(median(&figures.ours)),
            table::rate(median(&figures.theirs)),
            table::ratio(figures.ratio()),
            format!("{} to {}", table::ratio(low), table::ratio(high)),
            "0.970".into(),
        ]);
    }
    rate.note(format!(
        "{connections} connections a turn from 500 hosts, {rounds} rounds, medians; on loopback"
    ));
    rate.note("`on` has the agent's threads beside it, which share the processors with client and server");
    println!("{}", args.report(&[cost, rate]));
    Ok(())
}

/// Kernel time a connection.
struct Cost {
    runs: f64,
    /// Median of the batches.
    ns: f64,
    /// Quietest batch.
    least: f64,
}

/// A namespace with a server that can be counted.
struct Site {
    settings: Settings,
    namespace: Namespace,
    program: PathBuf,
    _state: tempfile::TempDir,
}

impl Site {
    fn new() -> Result<Self> {
        let name = format!("convoy-bench-{}", std::process::id());
        let namespace = Namespace::new()?;
        traffic::enter(namespace.path())?;
        let cgroup = counting::default_cgroup()?.join(&name);
        fs::create_dir(&cgroup)?;
        let state = tempfile::tempdir()?;
        let settings =
            Settings::new(counting::default_bpffs().with_file_name(&name), cgroup, state.path().into());
        Ok(Self { settings, namespace, program: env::current_exe()?, _state: state })
    }

    fn pair(&self) -> Result<(Worker, Worker)> {
        let mut server = self.namespace.worker(&self.program, Some(&self.settings.cgroup))?;
        server.listen("[::]:25".parse()?)?;
        Ok((server, self.namespace.worker(&self.program, None)?))
    }

    /// Measures kernel time with `hosts` hosts in the table.
    fn cost(&self, hosts: usize, connections: usize) -> Result<Cost> {
        let _stats = bpf::Stats::on()?;
        let (_server, mut client) = self.pair()?;
        let agent = self.start(Span::from_ms(20))?;
        let (from, to) = (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), "[::1]:25".parse()?);
        client.churn(hosts, nth(from, 0), hosts, to, End::ClientReset)?;
        // Batches, and their median: who runs a program may be preempted in it, by whatever else is on the machine.
        let (mut runs, mut ns) = (Vec::with_capacity(BATCHES), Vec::with_capacity(BATCHES));
        let batch = connections / BATCHES;
        for n in 0..BATCHES {
            let from = nth(from, n * batch % hosts);
            let before = self.observed()?;
            client.churn(batch, from, batch, to, End::Client)?;
            let after = self.observed()?;
            let each = |after: u64, before: u64| -> Result<f64> {
                Ok(float(usize::try_from(after - before)?) / float(batch))
            };
            runs.push(each(after.0, before.0)?);
            ns.push(each(after.1, before.1)?);
        }
        agent.stop();
        self.remove()?;
        let least = ns.iter().copied().fold(f64::INFINITY, f64::min);
        Ok(Cost { runs: median(&runs), ns: median(&ns), least })
    }

    /// Measures connection rates with counting on and off.
    fn rates(&self, rounds: usize, connections: usize, delay: Span) -> Result<Paired> {
        let (_server, client) = self.pair()?;
        let client = std::cell::RefCell::new(client);
        let turn = || -> Result<f64> {
            let begun = Instant::now();
            client.borrow_mut().churn(
                connections,
                "127.1.0.1".parse()?,
                500,
                "127.0.0.1:25".parse()?,
                End::ClientReset,
            )?;
            Ok(float(connections) / begun.elapsed().as_secs_f64())
        };
        paired(
            rounds,
            || {
                let agent = self.start(delay)?;
                // The start's listing of sockets and tables is not what is measured.
                thread::sleep(Duration::from_millis(50)); // waits: for the start to settle
                let rate = turn()?;
                agent.stop();
                self.remove()?;
                Ok(rate)
            },
            turn,
        )
    }

    /// Counts, with an agent whose reports are read and dropped.
    fn start(&self, delay: Span) -> Result<Handle> {
        let (out, reports) = crossbeam_channel::bounded(1024);
        let options = Options { delay, ..Options::default() };
        let handle = counting::spawn(counting::open(&self.settings)?, options, out, Wake::new()?)?;
        drop(thread::spawn(move || reports.iter().for_each(drop)));
        Ok(handle)
    }

    fn remove(&self) -> Result<()> {
        Ok(counting::remove(&self.settings.bpffs)?)
    }

    /// Returns how often the program ran and for how many nanoseconds.
    fn observed(&self) -> Result<(u64, u64)> {
        bpf::observed(&self.settings.bpffs.join("observe_link"))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.remove());
        // Its processes were killed before; the kernel may still be burying them.
        for _ in 0..200 {
            if fs::remove_dir(&self.settings.cgroup).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10)); // waits: for the kernel to bury processes
        }
    }
}

/// Returns the address `n` after `from`.
fn nth(from: Ipv6Addr, n: usize) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(from.to_bits() + n as u128))
}

/// Parts in which kernel time is taken.
const BATCHES: usize = 50;

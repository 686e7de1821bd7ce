//! Whether the counts still equal the sockets after a million connections and every fault there is, on three hosts.
//!
//! Host 1 loses its daemon to SIGKILL again and again; host 2 has a table for fewer hosts than call it; host 3 is
//! told nonsense on its mesh port and reloads its configuration; and host 1's tables are thrown away once, so that
//! its programs are attached anew under load. Connections of both families end in every way. Afterwards nothing may
//! be left: drift, what audits repaired, and connections that were counted against those that were opened.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use anyhow::{Context, Result, bail};
use convoy_agent::host::counting;
use convoy_benches::{args::Args, table::Table};
use lab::{
    Agent, Lab, LabOptions, Signal,
    traffic::{self, End, Worker},
    until,
};
use serde_json::Value;
use std::{
    env,
    io::Write,
    net::{IpAddr, SocketAddr, TcpStream},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

fn main() -> Result<()> {
    if env::var_os(traffic::ROLE).is_some() {
        return traffic::work();
    }
    let args = Args::from_command_line();
    let lab = Lab::up(&LabOptions::default())?;
    let site = Site { lab: &lab, over: AtomicBool::new(false), program: env::current_exe()? };
    let rounds = args.size(56, 1);
    let begun = Instant::now();
    let (opened, _agents) = site.storm(rounds, args.size(2_000, 100))?;
    let took = begun.elapsed();

    let mut table = Table::new(
        "Counts after every fault",
        &["host", "what happened to it", "opened", "counted", "open now", "drift", "repaired", "untold"],
    );
    let mut all = 0;
    for (number, opened) in (1..).zip(opened) {
        let left = site.settled(number)?;
        let what = match number {
            1 => format!("daemon killed {rounds} times, programs attached anew once"),
            2 => format!("table of {SMALL} hosts, {CALLERS} call"),
            _ => format!("nonsense from a peer and a reload, {rounds} times each"),
        };
        all += opened;
        table.row([
            number.to_string(),
            what,
            opened.to_string(),
            left.total.to_string(),
            left.current.to_string(),
            left.drift.to_string(),
            left.repaired.to_string(),
            left.untold.to_string(),
        ]);
    }
    table.note(format!("{all} connections in {:.0} s, IPv4 and IPv6, ended in six ways", took.as_secs_f64()));
    table.note("host 1 counts from its latest attach on; host 2 counts nobody for whom it has no room");
    println!("{}", args.report(&[table]));
    lab.down()
}

struct Site<'a> {
    lab: &'a Lab,
    /// The load has ended: no more faults.
    over: AtomicBool,
    program: PathBuf,
}

/// What a host says in the end.
struct Left {
    total: u64,
    current: u64,
    drift: u64,
    repaired: u64,
    untold: u64,
}

impl Site<'_> {
    /// Runs load and faults side by side until the load has ended; returns the connections opened to each host, and
    /// the daemons.
    fn storm(&self, rounds: usize, each: usize) -> Result<(Vec<usize>, Vec<Agent>)> {
        let small = self.lab.host(2).default_config();
        self.lab.host(2).write_config(
            &small.replace("max_delay = 0.01", &format!("max_delay = 0.01 max_size = {SMALL}")),
        )?;
        let _servers: Vec<Worker> = (1..=3).map(|host| self.serve(host)).collect::<Result<_>>()?;
        // Those of hosts 2 and 3 see all of it; that of host 1 comes when the load is on.
        let (second, third) = (self.lab.host(2).start_agent()?, self.lab.host(3).start_agent()?);
        thread::scope(|scope| {
            let loads: Vec<_> =
                (1..=3).map(|host| scope.spawn(move || self.load(host, rounds, each))).collect();
            let faults = [
                scope.spawn(|| self.kill_daemon(rounds)),
                scope.spawn(|| self.watch(second)),
                scope.spawn(|| self.annoy_daemon(third, rounds)),
            ];
            let opened: Vec<Result<usize>> = loads.into_iter().map(join).collect();
            self.over.store(true, Ordering::Relaxed);
            let agents: Vec<Result<Agent>> = faults.into_iter().map(join).collect();
            Ok((opened.into_iter().collect::<Result<_>>()?, agents.into_iter().collect::<Result<_>>()?))
        })
    }

    /// Calls a host from many networks of both families, and hangs up in every way.
    fn load(&self, host: usize, rounds: usize, each: usize) -> Result<usize> {
        let mut client = self.lab.client().worker(&self.program, None)?;
        let mut opened = 0;
        for _ in 0..rounds {
            for v6 in [false, true] {
                let from: IpAddr = if v6 { "2001:db8:b::1" } else { "203.0.113.1" }.parse()?;
                let to = self.address(host, v6);
                for end in End::PLAIN.into_iter().chain([End::ServerTimeout]) {
                    let n = if end == End::ServerTimeout { each / 100 } else { each * 3 / 5 };
                    client.churn(n, from, if v6 { CALLERS } else { 200 }, to, end)?;
                    opened += n;
                }
            }
        }
        Ok(opened)
    }

    /// Host 1: attach under load, then SIGKILL and restart; half-way the tables are thrown away.
    fn kill_daemon(&self, times: usize) -> Result<Agent> {
        let host = self.lab.host(1);
        let mut agent = host.start_agent()?;
        for n in 0..times {
            if self.waited(Duration::from_secs(1)) {
                break;
            }
            agent.process().kill(Signal::KILL)?;
            agent.process().wait(BOUND)?;
            if n == times / 2 {
                counting::remove(host.bpffs_dir())?;
            }
            agent = host.start_agent()?;
        }
        self.watch(agent)
    }

    /// Host 3: nonsense on the mesh port, and reloads.
    fn annoy_daemon(&self, mut agent: Agent, times: usize) -> Result<Agent> {
        let host = self.lab.host(3);
        let mesh = SocketAddr::new(host.v4().into(), 4802);
        for n in 0..times {
            if self.waited(Duration::from_secs(1)) {
                break;
            }
            let nonsense = vec![u8::try_from(n % 251)?; 100_000];
            // It is cut off in the middle, which is the point.
            let talk = || TcpStream::connect(mesh).and_then(|mut peer| peer.write_all(&nonsense));
            drop(self.lab.host(2).inside(talk)?);
            agent.process().kill(Signal::HUP)?;
        }
        self.watch(agent)
    }

    /// Sees that a daemon lasts as long as the storm does.
    fn watch(&self, mut agent: Agent) -> Result<Agent> {
        while !self.waited(Duration::from_secs(1)) {
            if let Some(status) = agent.process().status()? {
                bail!("convoyd ended: {status}\n{}", agent.process().tail(20));
            }
        }
        Ok(agent)
    }

    /// Waits; tells whether the storm is over.
    fn waited(&self, span: Duration) -> bool {
        let end = Instant::now() + span;
        while Instant::now() < end && !self.over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20)); // waits: between two faults
        }
        self.over.load(Ordering::Relaxed)
    }

    /// Returns what a host says once nothing is open and two more audits have looked.
    fn settled(&self, number: usize) -> Result<Left> {
        let host = self.lab.host(number);
        let ask = |words: &[&str]| host.convoy_json(words);
        let sum = || -> Result<(u64, u64)> {
            let own = host.name().to_owned();
            let (v4, v6) = (
                host.query("inbound_cidr", "0.0.0.0/0", Some(&own))?,
                host.query("inbound_cidr", "::/0", Some(&own))?,
            );
            Ok((v4.current + v6.current, v4.total + v6.total))
        };
        until("silence", BOUND, || Ok((sum()?.0 == 0).then_some(())))
            .or_else(|error| ensure_known(error, &sum()))?;
        let audits = number_of(&ask(&["drift"])?, "audits")?;
        let drift = until("two audits", BOUND, || {
            let drift = ask(&["drift"])?;
            Ok((number_of(&drift, "audits")? >= audits + 2).then_some(drift))
        })?;
        let (current, total) = sum()?;
        Ok(Left {
            total,
            current,
            drift: number_of(&drift, "inbound")? + number_of(&drift, "outbound")?,
            repaired: number_of(&drift, "repaired")?,
            untold: number_of(&drift, "untold")?,
        })
    }

    fn address(&self, number: usize, v6: bool) -> SocketAddr {
        let host = self.lab.host(number);
        SocketAddr::new(if v6 { host.v6().into() } else { host.v4().into() }, 25)
    }

    fn serve(&self, number: usize) -> Result<Worker> {
        let host = self.lab.host(number);
        let mut server = host.worker(&self.program, Some(host.cgroup().path()))?;
        server.listen(self.address(number, false))?;
        server.listen(self.address(number, true))?;
        Ok(server)
    }
}

/// A host that does not fall silent is a result, not a failure of the benchmark.
fn ensure_known(error: anyhow::Error, sum: &Result<(u64, u64)>) -> Result<()> {
    match sum {
        Ok(_) => Ok(()),
        Err(_) => Err(error),
    }
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    match thread.join() {
        Ok(done) => done,
        Err(_) => bail!("a thread of the benchmark panicked; its message is above"),
    }
}

fn number_of(answer: &Value, field: &str) -> Result<u64> {
    answer[field].as_u64().with_context(|| format!("no {field} in {answer}"))
}

/// Hosts that host 2 has room for.
const SMALL: usize = 400;
/// Hosts that call.
const CALLERS: usize = 1_000;
/// Longest wait for anything.
const BOUND: Duration = Duration::from_mins(1);

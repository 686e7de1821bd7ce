//! How fast a node that dies is suspected, how often one that lives is suspected or voted out, and what that costs.
//!
//! Three daemons in the lab at a hundred heartbeats a second, and beside them, on the same hosts in the same run, the
//! baseline: a heartbeat every 10 ms and a limit of 50 ms. A suspicion is timed until the control socket of another host
//! answers that the node is not alive: what an operator or a program there would see. A cut lies somewhere in the run of
//! the command that makes it, so it is timed twice: from the last heartbeat that came through, which was before it, and
//! from before the command.
//!
//! The nodes that live have a bus with `bus_token` 0.1 beside their heartbeats; the others, which are killed, have none.
#![expect(clippy::print_stdout, reason = "a benchmark prints its tables")]

mod naive;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use convoy_agent::host::control::{
    client::Client,
    shape::{Heartbeats, MemberRow, Membership, Request, Status},
};
use convoy_benches::{
    args::Args,
    busy,
    stats::Samples,
    table::{self, Table},
};
use lab::{Agent, Lab, LabOptions, Signal, until};
use naive::Naive;
use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// See the module.
#[derive(Clone, Copy, Debug, Parser)]
struct Flags {
    #[command(flatten)]
    args: Args,
    /// Minutes under four busy loops
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Faults of each kind
    #[arg(long, default_value_t = 20)]
    runs: usize,
}

fn main() -> Result<()> {
    let flags = Flags::parse();
    let args = flags.args;
    let mut tables = Vec::new();
    {
        let lab = Lab::up(&LabOptions { ipv6: false, ..LabOptions::default() })?;
        let mut site = Site::start(&lab, FAST, false)?;
        let naive = Naive::start(&lab)?;
        tables.push(faults(&mut site, &naive, args.size(flags.runs, 2))?);
    }
    {
        let lab = Lab::up(&LabOptions { ipv6: false, ..LabOptions::default() })?;
        let site = Site::start(&lab, FAST, true)?;
        let naive = Naive::start(&lab)?;
        let span = args.size(Duration::from_secs(60 * flags.minutes), Duration::from_secs(2));
        tables.push(false_alarms(&site, &naive, span)?);
    }
    tables.push(costs(args.size(Duration::from_secs(10), Duration::from_millis(200)))?);
    println!("{}", args.report(&tables));
    Ok(())
}

/// Cuts the third host's link and kills its daemon, again and again.
fn faults(site: &mut Site<'_>, naive: &Naive, runs: usize) -> Result<Table> {
    let (mut orders, mut cuts, mut silences) = (vec![], vec![], vec![]);
    let (mut theirs, mut kills, mut unheard) = (vec![], vec![], vec![]);
    for _ in 0..runs {
        site.settle()?;
        let begun = Instant::now();
        site.lab.cut(3)?;
        orders.push(begun.elapsed());
        let (at, row) = site.wait_for(|row| row.state != "alive")?;
        cuts.push(at - begun);
        silences
            .push(Duration::from_secs_f64(row.heartbeats.and_then(|beats| beats.heard_s).context("heard")?));
        let other = until("the baseline notices", WAIT, || {
            Ok(naive.first(site.lab.host(1), site.lab.host(3), begun))
        })?;
        theirs.push(other - begun);
        site.lab.heal()?;
    }
    for _ in 0..runs {
        site.settle()?;
        let begun = Instant::now();
        site.agents[2].process().kill(Signal::KILL)?;
        kills.push(site.wait_for(|row| row.state != "alive")?.0 - begun);
        let has_stopped = |row: &MemberRow| row.heartbeats.as_ref().is_some_and(|beats| beats.suspect);
        unheard.push(site.wait_for(has_stopped)?.0 - begun);
        site.agents[2].process().wait(WAIT)?;
        site.agents[2] = site.lab.host(3).start_agent()?;
    }
    let orders = Samples::new(orders)?;
    let mut table = Table::new(
        &format!("A node that dies, at {FAST} heartbeats a second"),
        &["until another host shows it suspect", "p50", "max", "limit"],
    );
    let mut row = |what: &str, times: Vec<Duration>, limit: &str| -> Result<()> {
        let samples = Samples::new(times)?;
        table.row([what, &table::time(samples.p50()), &table::time(samples.max()), limit]);
        Ok(())
    };
    row("its link is cut, from the last heartbeat that came", silences, "40 ms")?;
    row("the same, from before the command that cuts it", cuts, "")?;
    row("the same, baseline of 10 ms and 50 ms", theirs, "")?;
    row("SIGKILL of its daemon, by heartbeats alone", unheard, "40 ms")?;
    row("the same, with the closed connection", kills, "")?;
    table.note(format!(
        "{runs} runs each. The cut is a command of nft(8), whose {} (p50; max {}) are part of the time.",
        table::time(orders.p50()),
        table::time(orders.max()),
    ));
    Ok(table)
}

/// Nobody dies; four threads of this program want both cores.
fn false_alarms(site: &Site<'_>, naive: &Naive, span: Duration) -> Result<Table> {
    site.settle()?;
    let (before, theirs) = (site.suspicions()?, naive.count());
    let buses = site.buses()?;
    busy::beside(BUSY, span);
    let (suspicions, theirs) = (site.suspicions()? - before, naive.count() - theirs);
    let changes = site.buses()?.iter().zip(&buses).map(|(now, then)| now.changes_since(*then)).max();
    let statuses =
        (1..=3).map(|host| site.ask::<Status>(host, &Request::Status)).collect::<Result<Vec<_>>>()?;
    let late = statuses.iter().map(|status| status.heartbeats.late_max_s).fold(0.0, f64::max);
    let priority = &statuses[0].heartbeats.priority;
    let all = (1..=3).map(|host| site.beats(host)).collect::<Result<Vec<_>>>()?;
    let sum = |of: fn(&Heartbeats) -> u64| all.iter().flatten().map(of).sum::<u64>();
    let gap = all.iter().flatten().map(|beats| beats.gap_max_s).fold(0.0, f64::max);
    let minutes = span.as_secs_f64() / 60.0;
    let mut table = Table::new(
        &format!("Nodes that live, {BUSY} busy loops on {} cores", thread::available_parallelism()?),
        &["of nodes that live", &format!("in {minutes:.1} minutes"), "limit in 10 minutes"],
    );
    table.row([
        "changes of the agreed view, or losses of the bus, at token 100 ms",
        &changes.unwrap_or(0).to_string(),
        "0",
    ]);
    table.row(["suspicions of 6 pairs, 35 ms at 100 a second", &suspicions.to_string(), "2"]);
    table.row(["the same, baseline of 50 ms at 100 a second", &theirs.to_string(), ""]);
    table.note(format!(
        "Heartbeats run at {priority} priority. Of {} heartbeats {} were lost; the longest time between two that raised \
         no suspicion, busy or not, was {:.1} ms, and the most by which the thread ran late {:.1} ms.",
        sum(|beats| beats.heard),
        sum(|beats| beats.lost),
        gap * 1e3,
        late * 1e3,
    ));
    Ok(table)
}

/// What the thread takes of a processor.
fn costs(span: Duration) -> Result<Table> {
    let mut table = Table::new(
        "Processor time of the heartbeat thread of one node",
        &["nodes", "100 a second", "200 a second"],
    );
    for nodes in [3, 8] {
        let lab = Lab::up(&LabOptions { hosts: nodes, ipv6: false, ..LabOptions::default() })?;
        let mut site = Site::start(&lab, FAST, false)?;
        let mut share = |rate| -> Result<String> {
            site.set_rate(rate)?;
            site.settle()?;
            let pid = site.agents[0].process().pid();
            let before = processor_time(pid)?;
            let begun = Instant::now();
            thread::sleep(span); // waits: for processor time to be used
            let used = processor_time(pid)?.saturating_sub(before);
            Ok(format!("{:.2} %", 100.0 * used.as_secs_f64() / begun.elapsed().as_secs_f64()))
        };
        let cells = [share(FAST)?, share(FASTEST)?];
        table.row([nodes.to_string()].into_iter().chain(cells));
    }
    table.note("Of one core, over 10 s; sending, receiving and judging, system calls included.");
    Ok(table)
}

/// Daemons, one a host.
struct Site<'a> {
    lab: &'a Lab,
    agents: Vec<Agent>,
    /// Each has a corosync.
    bus: bool,
}

/// How far a node's bus has come.
#[derive(Clone, Copy, Debug)]
struct BusAt {
    epoch: u64,
    members: usize,
}

impl BusAt {
    /// Returns how many views were taken in between; each has an epoch of its own, also one with the same members.
    fn changes_since(self, then: Self) -> u64 {
        self.epoch.saturating_sub(then.epoch).max(u64::from(self.members != then.members))
    }
}

impl<'a> Site<'a> {
    fn start(lab: &'a Lab, rate: u32, bus: bool) -> Result<Self> {
        let mut site = Self { lab, agents: vec![], bus };
        site.write(rate)?;
        for host in lab.hosts() {
            let launch = host.convoyd()?;
            let mut agent = host.spawn_agent(if bus { launch.own_run() } else { launch })?;
            agent.wait_notified("READY=1", WAIT)?;
            site.agents.push(agent);
        }
        site.settle()?;
        Ok(site)
    }

    fn write(&self, rate: u32) -> Result<()> {
        self.lab.hosts().iter().try_for_each(|host| {
            let group = "cluster_group = \"ec_cluster\"";
            let text = format!("{group}\n  heartbeats_per_sec = {rate}");
            let config = if self.bus { host.bus_config() } else { host.default_config() };
            host.write_config(&config.replace(group, &text))
        })
    }

    fn set_rate(&mut self, rate: u32) -> Result<()> {
        self.write(rate)?;
        for agent in &mut self.agents {
            agent.process().kill(Signal::HUP)?;
            agent.wait_notified("RELOADING=1", WAIT)?;
            agent.wait_notified("READY=1", WAIT)?;
        }
        Ok(())
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, host: usize, request: &Request) -> Result<T> {
        let mut client = Client::connect(&self.lab.host(host).run_dir())?;
        Ok(serde_json::from_str(client.ask(request)?)?)
    }

    /// Returns what a host hears of the others.
    fn beats(&self, host: usize) -> Result<Vec<Heartbeats>> {
        let membership: Membership = self.ask(host, &Request::Membership)?;
        Ok(membership.members.into_iter().filter_map(|row| row.heartbeats).collect())
    }

    /// Waits until everybody hears everybody.
    fn settle(&self) -> Result<()> {
        for host in 1..=self.lab.hosts().len() {
            until("all are alive and heard", WAIT, || {
                let membership: Membership = self.ask(host, &Request::Membership)?;
                let is_well = |row: &MemberRow| {
                    row.state == "alive"
                        && row
                            .heartbeats
                            .as_ref()
                            .is_none_or(|beats| !beats.suspect && beats.incarnation == row.incarnation)
                };
                Ok(membership.members.iter().all(is_well).then_some(()))
            })?;
        }
        let count = self.lab.hosts().len();
        until("all are in one view", WAIT, || {
            let buses = self.buses()?;
            let agree = buses.iter().all(|bus| bus.epoch == buses[0].epoch && bus.members == count);
            Ok((agree || !self.bus).then_some(()))
        })
    }

    /// Returns how far everybody's bus has come; in the same view, if there is a bus and its members have agreed.
    fn buses(&self) -> Result<Vec<BusAt>> {
        let at = |host| -> Result<BusAt> {
            let status: Status = self.ask(host, &Request::Status)?;
            Ok(BusAt { epoch: status.bus.epoch.unwrap_or(0), members: status.bus.members })
        };
        (1..=self.lab.hosts().len()).map(at).collect()
    }

    /// Returns when the first host's answer about the third was like that, and the answer.
    fn wait_for(&self, is: impl Fn(&MemberRow) -> bool) -> Result<(Instant, MemberRow)> {
        let mut client = Client::connect(&self.lab.host(1).run_dir())?;
        let end = Instant::now() + WAIT;
        loop {
            let membership: Membership = serde_json::from_str(client.ask(&Request::Membership)?)?;
            let at = Instant::now();
            let row = membership.members.into_iter().find(|row| row.name == self.lab.host(3).name());
            let row = row.context("the third host is no member")?;
            if is(&row) {
                return Ok((at, row));
            }
            ensure!(at < end, "nobody noticed: {row:?}");
            thread::sleep(Duration::from_micros(200)); // waits: between two looks
        }
    }

    fn suspicions(&self) -> Result<u64> {
        let all = (1..=3).map(|host| self.beats(host)).collect::<Result<Vec<_>>>()?;
        Ok(all.iter().flatten().map(|beats| beats.suspicions).sum())
    }
}

/// Returns the processor time that a daemon's heartbeat thread has used; see proc(5), `schedstat`.
fn processor_time(pid: u32) -> Result<Duration> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.trim() == "heartbeat" {
            let text = fs::read_to_string(task.join("schedstat"))?;
            let ns = text.split_whitespace().next().context("schedstat is empty")?.parse()?;
            return Ok(Duration::from_nanos(ns));
        }
    }
    anyhow::bail!("process {pid} has no heartbeat thread")
}

/// Heartbeats a second.
const FAST: u32 = 100;
const FASTEST: u32 = 200;
const BUSY: usize = 4;
/// Longest wait for anything.
const WAIT: Duration = Duration::from_mins(1);

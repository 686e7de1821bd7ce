//! Convoy's own cluster in the lab, measured at the same doors as its peers: real daemons, real connections.
use crate::stats::{Samples, float};
use anyhow::{Context as _, Result, ensure};
use convoy_agent::{
    host::control::{
        client::Client,
        shape::{Membership, Request, SharedList, SharedQuery, Status},
    },
    sys::bpf::{Table, Update},
};
use convoy_common::{
    addr::Host,
    kernel::{HostCount, name},
};
use lab::{Agent, Lab, Process, Signal};
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    os::fd::{AsFd, AsRawFd},
    time::{Duration, Instant},
};

/// Three hosts with `convoyd`, the first with a listener on port 25.
#[derive(Debug)]
pub struct Cluster<'a> {
    lab: &'a Lab,
    agents: Vec<Option<Agent>>,
    /// Kept running; it ends with this.
    #[expect(dead_code, reason = "held for the process")]
    listener: Process,
}

/// How long a restarted node took to hold everything again.
#[derive(Clone, Copy, Debug)]
pub struct TeachTimes {
    /// From the start of the process until its `global` is complete.
    pub from_start: Duration,
    /// From the first answer of its control socket until then.
    pub from_answer: Duration,
}

/// What the counts cost in one agent.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Resident bytes of the agent for each host and node.
    pub agent: f64,
    /// Bytes the kernel accounts for one node's table of hosts, for each host.
    pub kernel: f64,
}

impl<'a> Cluster<'a> {
    /// Writes a configuration with this `max_delay` on every host, and starts all daemons.
    pub fn start(lab: &'a Lab, max_delay: &str) -> Result<Self> {
        for host in lab.hosts() {
            let config =
                host.default_config().replace("max_delay = 0.01", &format!("max_delay = {max_delay}"));
            host.write_config(&config)?;
        }
        let agents = lab.hosts().iter().map(|host| host.start_agent().map(Some)).collect::<Result<_>>()?;
        // smtp-sink takes connections and talks SMTP on them; it is in the host's cgroup, so they are counted.
        let listener =
            lab.host(1).launch("smtp-sink").args(["-u", "root", "0.0.0.0:25", "1000"]).spawn("smtp-sink")?;
        let mut cluster = Self { lab, agents, listener };
        cluster.wait_for_members()?;
        Ok(cluster)
    }

    /// Measures how long a new connection to the first host takes to be readable in `global` on the second.
    ///
    /// From just before connect(2), so the handshake is included, until the answer of the control socket, which is
    /// asked without pause.
    pub fn visible_latency(&mut self, samples: usize) -> Result<Samples> {
        let to = SocketAddr::from((self.lab.host(1).v4(), 25));
        let mut client = self.client(2)?;
        self.lab.in_client(|| {
            let mut times = Vec::with_capacity(samples);
            // The first connection waits for the listener, which has just been started.
            wait("a listener on port 25", || Ok(TcpStream::connect(to).is_ok()))?;
            let before = settled_total(&mut client)?;
            for wanted in (before + 1..).take(samples) {
                let begun = Instant::now();
                let connection = TcpStream::connect(to).context("connect to port 25")?;
                while total(&mut client)? < wanted {
                    ensure!(begun.elapsed() < WAIT, "a connection is not visible on the second host");
                }
                times.push(begun.elapsed());
                drop(connection);
            }
            Samples::new(times)
        })?
    }

    /// Puts `hosts` idle hosts into the kernel tables of the given nodes, counted from 1, each its own ones, and
    /// restarts their daemons, which adopt them. Returns when every node's `global` holds all of them.
    pub fn fill(&mut self, nodes: &[usize], hosts: u32) -> Result<()> {
        for &node in nodes {
            self.stop(node)?;
            let pin = self.lab.host(node).bpffs_dir().join(name::INBOUND_HOSTS);
            let table = Table::<Host, HostCount>::open(&pin).context("open the pinned table")?;
            for index in 0..hosts {
                let count = HostCount { current: 0, reported: 0, total: 1 + u64::from(index % 7) };
                table.put(&host(node, index), &count, Update::Any).context("fill the pinned table")?;
            }
            self.restart(node)?;
        }
        let all = usize::try_from(hosts)? * nodes.len();
        (1..=self.agents.len()).try_for_each(|node| self.wait_for_hosts(node, all))
    }

    /// Kills the last node's daemon, starts it again, and measures until its `global` holds `hosts` hosts again.
    pub fn teach(&mut self, hosts: u32) -> Result<TeachTimes> {
        let last = self.agents.len();
        self.kill(last)?;
        let host = self.lab.host(last);
        fs::remove_file(host.run_dir().join("convoyd.sock")).context("remove the killed daemon's socket")?;
        let begun = Instant::now();
        self.agents[last - 1] = Some(host.spawn_agent(host.convoyd()?)?);
        let mut client = loop {
            match Client::connect(&host.run_dir()) {
                Ok(client) => break client,
                Err(_) => ensure!(begun.elapsed() < WAIT, "the restarted daemon does not answer"),
            }
        };
        let answered = Instant::now();
        let wanted = usize::try_from(hosts)?;
        while hosts_in_global(&mut client)? < wanted {
            ensure!(begun.elapsed() < WAIT, "the restarted daemon was not taught");
        }
        let complete = Instant::now();
        let query = ask::<SharedQuery>(&mut client, &query_all())?;
        let expected: u64 = (0..hosts).map(|index| 1 + u64::from(index % 7)).sum();
        ensure!(query.total >= expected, "taught a total of {}, expected {expected}", query.total);
        Ok(TeachTimes { from_start: complete - begun, from_answer: complete - answered })
    }

    /// Measures resident memory of the second node's daemon before and after every node counts `hosts` hosts of its
    /// own, best on a fresh cluster.
    pub fn memory(&mut self, hosts: u32) -> Result<Memory> {
        self.kill(2)?;
        self.restart(2)?;
        self.wait_for_members()?;
        let before = self.rss(2)?;
        let nodes = (1..=self.agents.len()).collect::<Vec<_>>();
        self.fill(&nodes, hosts)?;
        let cells = f64::from(hosts) * float(nodes.len());
        let agent = (self.rss(2)? - before) / cells;
        let kernel = self.kernel_bytes(2)? / f64::from(hosts);
        Ok(Memory { agent, kernel })
    }

    /// Returns what crossed the first node's connections so far, and the CPU time its daemon took.
    pub fn cost(&self) -> Result<(Status, Duration)> {
        let status = ask::<Status>(&mut self.client(1)?, &Request::Status)?;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid(1)?))?;
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect::<Vec<_>>();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        Ok((status, Duration::from_millis(10 * (ticks(11) + ticks(12)))))
    }

    fn stop(&mut self, node: usize) -> Result<()> {
        let mut agent = self.agents[node - 1].take().context("no daemon runs there")?;
        agent.process().kill(Signal::TERM)?;
        agent.process().wait(WAIT)?;
        Ok(())
    }

    fn kill(&mut self, node: usize) -> Result<()> {
        let mut agent = self.agents[node - 1].take().context("no daemon runs there")?;
        agent.process().kill(Signal::KILL)?;
        agent.process().wait(WAIT)?;
        Ok(())
    }

    fn restart(&mut self, node: usize) -> Result<()> {
        self.agents[node - 1] = Some(self.lab.host(node).start_agent()?);
        Ok(())
    }

    fn client(&self, node: usize) -> Result<Client> {
        Ok(Client::connect(&self.lab.host(node).run_dir())?)
    }

    fn wait_for_members(&mut self) -> Result<()> {
        for node in 1..=self.agents.len() {
            let mut client = self.client(node)?;
            wait("a full membership", || {
                let answer = ask::<Membership>(&mut client, &Request::Membership)?;
                Ok(answer.members.iter().all(|member| member.state == "alive" && member.complete))
            })?;
        }
        Ok(())
    }

    fn wait_for_hosts(&self, node: usize, hosts: usize) -> Result<()> {
        let mut client = self.client(node)?;
        wait("all hosts everywhere", || Ok(hosts_in_global(&mut client)? >= hosts))
    }

    fn pid(&self, node: usize) -> Result<u32> {
        let pid = fs::read_to_string(self.lab.host(node).run_dir().join("convoyd.lock"))?;
        Ok(pid.trim().parse()?)
    }

    fn rss(&self, node: usize) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid(node)?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib = line.trim().trim_end_matches(" kB").parse::<u32>()?;
        Ok(f64::from(kib) * 1024.0)
    }

    fn kernel_bytes(&self, node: usize) -> Result<f64> {
        let pin = self.lab.host(node).bpffs_dir().join(name::INBOUND_HOSTS);
        let table = Table::<Host, HostCount>::open(&pin)?;
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", table.as_fd().as_raw_fd()))?;
        let line =
            info.lines().find_map(|line| line.strip_prefix("memlock:")).context("no memlock in fdinfo")?;
        Ok(float(line.trim().parse()?))
    }
}

/// Asks one question and reads the answer.
fn ask<T: serde::de::DeserializeOwned>(client: &mut Client, request: &Request) -> Result<T> {
    Ok(serde_json::from_str(client.ask(request)?)?)
}

fn total(client: &mut Client) -> Result<u64> {
    Ok(ask::<SharedQuery>(client, &query_all())?.total)
}

/// Returns the total once it has not changed for a while.
fn settled_total(client: &mut Client) -> Result<u64> {
    let (mut last, mut since) = (total(client)?, Instant::now());
    while since.elapsed() < SETTLED {
        let now = total(client)?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(last)
}

fn hosts_in_global(client: &mut Client) -> Result<usize> {
    let list = ask::<SharedList>(client, &Request::SharedList)?;
    Ok(list.objects.iter().find(|object| object.object == "inbound_cidr").map_or(0, |object| object.hosts))
}

fn query_all() -> Request {
    Request::SharedQuery { object: "inbound_cidr".into(), prefix: "0.0.0.0/0".into(), from: None }
}

/// Host number `index` of a node: spread over the address space like the clients of a mail server.
fn host(node: usize, index: u32) -> Host {
    let spread = index.wrapping_mul(0x9E37_79B1).rotate_left(8) & 0x3FFF_FFFF;
    let node = u32::try_from(node).unwrap_or(0);
    Host::new(IpAddr::V4(Ipv4Addr::from(node << 30 | spread)))
}

fn wait(what: &str, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
    lab::until(what, WAIT, || Ok(ready()?.then_some(())))
}

/// Longest wait for anything.
const WAIT: Duration = Duration::from_mins(1);
/// Time without a change after which nothing more is on its way.
const SETTLED: Duration = Duration::from_millis(300);

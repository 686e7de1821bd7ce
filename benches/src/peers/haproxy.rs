//! HAProxy with a stick-table that its `peers` protocol replicates: the peer of Convoy's replication.
//!
//! Every node holds the whole table, updates are pushed at once, and a restarted node is taught by a live one:
//! the same job as a view of counts, by a program that many mail hosts already run. What it does not do is sum:
//! the last writer wins, so a count of connections to two nodes is wrong on both.
//!
//! Updates and reads go through the runtime API (a Unix socket) over connections that stay open, which is its
//! fastest door. Source: HAProxy 2.6 configuration manual, section 3.5 (peers), and management guide, section 9.3.
mod runtime;

use crate::{
    peers::node::Node,
    stats::{Samples, float},
};
use anyhow::{Context as _, Result, bail, ensure};
use runtime::Runtime;
use std::{
    fs,
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A cluster of HAProxy processes that replicate one table of hosts with four counters each.
///
/// The processes and their files go when this is dropped, and the processes also when the program is killed.
#[derive(Debug)]
pub struct Cluster {
    members: Vec<Member>,
    /// Hosts `0..filled` have been written.
    filled: u32,
    /// Updates measured so far.
    updates: usize,
    // After the members: its directory holds their sockets.
    _dir: tempfile::TempDir,
}

/// How long a restarted node took to hold everything again.
#[derive(Clone, Copy, Debug)]
pub struct TeachTimes {
    /// Entries that were taught.
    pub entries: u32,
    /// From the start of the process until its table is complete.
    pub from_start: Duration,
    /// From the first answer of its runtime socket until its table is complete.
    pub from_answer: Duration,
}

/// What the table costs in one process.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Entries that were added between the two readings.
    pub entries: u32,
    /// Resident bytes an entry on the node that was written to.
    pub writer: f64,
    /// Resident bytes an entry on a node that was taught.
    pub replica: f64,
}

impl Cluster {
    /// Starts one process a node and returns when an update of each is visible on all others.
    ///
    /// # Errors
    /// When HAProxy is missing (`script/bootstrap --bench`), refuses its configuration, or the nodes do not find
    /// each other in time; with what it printed.
    pub fn start(nodes: &[Node]) -> Result<Self> {
        ensure!(nodes.len() > 1, "replication needs at least two nodes");
        let dir = tempfile::Builder::new().prefix("convoy-haproxy-").tempdir().context("make a directory")?;
        let port = free_port()?;
        let members = nodes
            .iter()
            .map(|node| Member::start(node.clone(), nodes, port, dir.path()))
            .collect::<Result<Vec<_>>>()?;
        let mut cluster = Self { members, filled: 0, updates: 0, _dir: dir };
        for index in 0..cluster.members.len() {
            // Keys outside the range that `fill` uses.
            cluster.publish(index, host(u32::MAX - u32::try_from(index)?), 1)?;
        }
        Ok(cluster)
    }

    /// Measures how long one update on the first node takes to be readable on the second, `samples` times.
    ///
    /// From just before the command is written to the first node until the answer with the new value is read from
    /// the second, which is asked without pause.
    pub fn visible_latency(&mut self, samples: usize) -> Result<Samples> {
        let host = host(u32::MAX - 99);
        let mut times = Vec::with_capacity(samples);
        for _ in 0..samples {
            // Never a value that was there before: an update must change something to be told.
            self.updates += 1;
            times.push(self.visible_once(0, 1, host, self.updates)?);
        }
        Samples::new(times)
    }

    /// Sees to it that every node holds `entries` hosts or more, written on the first node.
    pub fn fill(&mut self, entries: u32) -> Result<()> {
        while self.filled < entries {
            // One line of commands fits HAProxy's buffer of 16 KiB.
            let batch = (entries - self.filled).min(FILL_BATCH);
            let set = |index| format!("set table {TABLE} key {} data.gpc0 {}", host(index), value_of(index));
            let line = (self.filled..self.filled + batch).map(set).collect::<Vec<_>>().join(";");
            self.members[0].runtime.ask(&line)?;
            self.filled += batch;
        }
        let total = self.members[0].used()?;
        self.members.iter_mut().try_for_each(|member| member.wait_for(total))
    }

    /// Kills the last node and starts it again, and measures how long the others take to teach it all entries.
    ///
    /// # Errors
    /// Also when a sample of the taught entries does not carry the value that was written.
    pub fn teach(&mut self, entries: u32) -> Result<TeachTimes> {
        self.fill(entries)?;
        let total = self.members[0].used()?;
        let last = self.members.len() - 1;
        let member = &mut self.members[last];
        member.kill()?;
        let started = Instant::now();
        member.spawn()?;
        let answered = Instant::now();
        member.wait_for(total)?;
        let complete = Instant::now();
        for index in (0..entries).step_by((entries / 100).max(1) as usize) {
            let value = member.value(host(index))?;
            ensure!(value == Some(u64::from(value_of(index))), "entry {index} was taught as {value:?}");
        }
        Ok(TeachTimes { entries: total, from_start: complete - started, from_answer: complete - answered })
    }

    /// Measures resident memory before and after adding `entries` hosts, best on a fresh cluster.
    pub fn memory_per_entry(&mut self, entries: u32) -> Result<Memory> {
        let last = self.members.len() - 1;
        let read = |cluster: &Self| {
            Ok::<_, anyhow::Error>((cluster.members[0].rss()?, cluster.members[last].rss()?))
        };
        let before = read(self)?;
        self.fill(self.filled + entries)?;
        let after = read(self)?;
        let entry = |before: usize, after: usize| float(after.saturating_sub(before)) / f64::from(entries);
        Ok(Memory { entries, writer: entry(before.0, after.0), replica: entry(before.1, after.1) })
    }

    /// Updates on `from` until every other node shows it.
    fn publish(&mut self, from: usize, host: Ipv6Addr, value: usize) -> Result<()> {
        for to in (0..self.members.len()).filter(|&to| to != from) {
            self.visible_once(from, to, host, value)?;
        }
        Ok(())
    }

    fn visible_once(&mut self, from: usize, to: usize, host: Ipv6Addr, value: usize) -> Result<Duration> {
        let begun = Instant::now();
        self.members[from].runtime.send(&format!("set table {TABLE} key {host} data.gpc0 {value}"))?;
        let value_expected = u64::try_from(value)?;
        while self.members[to].value(host)? != Some(value_expected) {
            ensure!(begun.elapsed() < WAIT, "an update is not visible on {}", self.members[to].describe());
        }
        let visible = begun.elapsed();
        self.members[from].runtime.receive()?;
        Ok(visible)
    }
}

/// One process with its files and an open connection to its runtime socket.
#[derive(Debug)]
struct Member {
    node: Node,
    child: Child,
    runtime: Runtime,
    config: PathBuf,
    socket: PathBuf,
    log: PathBuf,
}

impl Member {
    fn start(node: Node, all: &[Node], port: u16, dir: &Path) -> Result<Self> {
        let file = |end: &str| dir.join(format!("{}.{end}", node.name()));
        let (config, socket, log) = (file("cfg"), file("sock"), file("log"));
        fs::write(&config, configuration(&node, all, port, &socket)).context("write the configuration")?;
        let (child, runtime) = run(&node, &config, &socket, &log)?;
        Ok(Self { node, child, runtime, config, socket, log })
    }

    fn spawn(&mut self) -> Result<()> {
        (self.child, self.runtime) = run(&self.node, &self.config, &self.socket, &self.log)?;
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        self.child.kill().context("kill haproxy")?;
        self.child.wait().context("wait for haproxy")?;
        match fs::remove_file(&self.socket) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("remove its socket")
            }
            _ => Ok(()),
        }
    }

    /// Returns how many entries the table holds.
    fn used(&mut self) -> Result<u32> {
        let answer = self.runtime.ask("show table")?;
        let used = answer.lines().filter(|line| line.contains(TABLE)).find_map(|line| field(line, "used:"));
        used.and_then(|used| used.parse().ok()).with_context(|| format!("no `used:` in {answer:?}"))
    }

    /// Returns the first counter of a host, or nothing when it is not in the table.
    fn value(&mut self, host: Ipv6Addr) -> Result<Option<u64>> {
        let answer = self.runtime.ask(&format!("show table {TABLE} key {host}"))?;
        Ok(field(answer, "gpc0=").and_then(|value| value.parse().ok()))
    }

    /// Waits until the table holds `entries`, asking every half millisecond so as not to be in the way.
    fn wait_for(&mut self, entries: u32) -> Result<()> {
        let begun = Instant::now();
        loop {
            let used = self.used()?;
            if used >= entries {
                return Ok(());
            }
            ensure!(begun.elapsed() < WAIT, "{used} of {entries} entries arrived on {}", self.describe());
            // waits: for the next look; asking without pause would take processor time from what is measured.
            thread::sleep(Duration::from_micros(500));
        }
    }

    /// Returns resident memory in bytes.
    fn rss(&self) -> Result<usize> {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
        Ok(kib.with_context(|| format!("no Rss in {path}"))? * 1024)
    }

    fn describe(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        format!("{} (its log: {})", self.node.name(), log.trim())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // It may be gone already; either way nothing of it stays.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Starts a process and returns when its runtime socket answers.
fn run(node: &Node, config: &Path, socket: &Path, log: &Path) -> Result<(Child, Runtime)> {
    let file = fs::File::create(log).context("make a log")?;
    let mut child = node
        .command("haproxy")
        .args(["-db", "-f"])
        .arg(config)
        .stdout(file.try_clone().context("share the log")?)
        .stderr(file)
        .spawn()
        .context("start haproxy; script/bootstrap --bench installs it")?;
    let begun = Instant::now();
    loop {
        if let Ok(runtime) = Runtime::connect(socket) {
            return Ok((child, runtime));
        }
        let ended = child.try_wait().context("look at haproxy")?;
        if ended.is_some() || begun.elapsed() > WAIT {
            drop(child.kill());
            drop(child.wait());
            bail!(
                "haproxy on {} does not answer: {}",
                node.name(),
                fs::read_to_string(log).unwrap_or_default()
            );
        }
        // waits: for the socket, which appears some milliseconds after the start.
        thread::sleep(Duration::from_micros(200));
    }
}

/// Configuration of one node: the same table on all, each the peer of every other.
fn configuration(node: &Node, all: &[Node], port: u16, socket: &Path) -> String {
    let mut servers = String::new();
    for other in all {
        servers.push_str("    server ");
        servers.push_str(other.name());
        // A node's own line has no address: that is what makes it the local one.
        if other.name() != node.name() {
            servers.push(' ');
            servers.push_str(&SocketAddr::new(other.address(), port).to_string());
        }
        servers.push('\n');
    }
    let bind = match node.address() {
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("[{address}]:{port}"),
    };
    let (name, socket) = (node.name(), socket.display());
    format!(
        "global\n    localpeer {name}\n    stats socket {socket} mode 600 level admin\n    stats timeout 1h\n\
         defaults\n    mode tcp\n    timeout connect 1s\n    timeout client 1h\n    timeout server 1h\n\
         peers cluster\n    bind {bind}\n{servers}    \
         table hosts type ipv6 size 1m expire 1h store conn_cur,conn_cnt,gpc0,gpc1\n"
    )
}

/// Returns the version of the installed HAProxy, for the tables.
///
/// # Errors
/// When there is none; `script/bootstrap --bench` installs it.
pub fn version() -> Result<String> {
    let output = Command::new("haproxy")
        .arg("-v")
        .stdin(Stdio::null())
        .output()
        .context("run haproxy; script/bootstrap --bench installs it")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.split_whitespace().nth(2).unwrap_or("unknown").to_owned())
}

/// The word that follows `name` in `line`.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(name)?;
    rest.split_whitespace().next()
}

/// The host with number `index`: spread over many networks, as clients of a mail host are.
fn host(index: u32) -> Ipv6Addr {
    let [a, b, c, d] = index.to_be_bytes();
    Ipv6Addr::from([0x20, 0x01, 0x0d, 0xb8, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 1])
}

/// The value written for a host, so that taught entries can be checked.
fn value_of(index: u32) -> u32 {
    index % 1000 + 1
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    let socket = TcpListener::bind("127.0.0.1:0").context("find a free port")?;
    Ok(socket.local_addr().context("find a free port")?.port())
}

/// The table, as the runtime API calls it: peers section, slash, name.
const TABLE: &str = "cluster/hosts";
/// Commands in one line of `fill`: chosen so that the longest line stays below 16 KiB.
const FILL_BATCH: u32 = 150;
/// Longest wait for anything; two orders of magnitude above the slowest thing measured.
const WAIT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;

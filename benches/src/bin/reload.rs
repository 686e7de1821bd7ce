//! What a reload costs: the time until a large configuration is in force, and what a peer notices of it.
//!
//! Three nodes in the lab; the first one counts connections all the while, is sent SIGHUP again and again, and each
//! time finds another set of ports in a configuration of 100 000 lines. A fourth member is played by this program:
//! it takes the first node's connection, says nothing, and notes when each heartbeat arrives.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod reload {
    pub(crate) mod heartbeats;
}

use anyhow::{Context, Result, ensure};
use convoy_agent::{
    settings::{self, Environment},
    sys::bpf::Table as Pinned,
};
use convoy_benches::{
    args::Args,
    stats::Samples,
    table::{self, Table},
};
use convoy_common::kernel::name;
use lab::{
    Agent, Lab, LabOptions, Signal,
    traffic::{self, End, Worker},
};
use reload::heartbeats::Heartbeats;
use std::{
    env,
    fmt::Write as _,
    fs,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

fn main() -> Result<()> {
    if env::var_os(traffic::ROLE).is_some() {
        return traffic::work();
    }
    let args = Args::from_command_line();
    let (bindings, rounds, connections) = (args.size(10_000, 100), args.size(30, 2), args.size(3_000, 100));
    let lab = Lab::up(&LabOptions { hosts: 4, ipv6: false, ..LabOptions::default() })?;
    let mut site = Site::start(&lab, bindings)?;
    let load = site.load_alone(rounds)?;
    let quiet = gaps((0..rounds).map(|_| site.observe()))?;

    let mut client = worker(&lab, 0)?;
    let to = SocketAddr::new(lab.host(1).v4().into(), PORT);
    client.open(HELD, "198.51.100.1".parse()?, 50, to)?;
    let mut busily = |work: &mut dyn FnMut(usize) -> Result<Reload>| -> Result<Vec<Reload>> {
        let once = |round| {
            client.begin_churn(connections, "198.51.100.1".parse()?, 250, to, End::Client)?;
            let done = work(round)?;
            client.wait()?;
            Ok(done)
        };
        (0..rounds).map(once).collect()
    };
    let busy = busily(&mut |_| Ok((Duration::ZERO, site.observe()?)))?;
    let before = site.suspicions()?;
    let reloads = busily(&mut |round| site.reload(round))?;
    let counted = site.settled(2 * rounds * connections)?;
    let suspicions = site.suspicions()? - before;

    let times = Samples::new(reloads.iter().map(|reload| reload.0).collect())?;
    let lines = bindings * LINES_PER_BINDING;
    let mut table = Table::new(
        &format!("Reload of {lines} lines on one of three nodes that counts connections"),
        &["what", "p50", "max", "limit"],
    );
    let mut row = |what: &str, samples: &Samples, limit: &str| {
        table.row([what, &table::time(samples.p50()), &table::time(samples.max()), limit]);
    };
    row("SIGHUP until in force", &times, "300 ms");
    row("of which reading and checking, measured alone", &load, "150 ms");
    row(
        "largest gap between heartbeats in a reload",
        &gaps(reloads.iter().map(|reload| Ok(reload.1)))?,
        "200 ms",
    );
    row("the same without reloads, connections as before", &gaps(busy.iter().map(|spell| Ok(spell.1)))?, "");
    row("the same on a quiet node", &quiet, "");
    table.note(format!(
        "{rounds} reloads; {counted} connections were opened and closed meanwhile and counted, {HELD} held open; \
         {suspicions} nodes suspected. A heartbeat is due every 100 ms: a gap of 200 ms is one that was missed."
    ));
    println!("{}", args.report(&[table]));
    Ok(())
}

/// How long a reload took, and the largest gap between heartbeats meanwhile.
type Reload = (Duration, Duration);

fn gaps(gaps: impl Iterator<Item = Result<Duration>>) -> Result<Samples> {
    Samples::new(gaps.collect::<Result<_>>()?)
}

/// Three daemons, a server, and the member that listens.
struct Site<'a> {
    lab: &'a Lab,
    agents: Vec<Agent>,
    heartbeats: Heartbeats,
    /// Kept running; it ends with this.
    _server: Worker,
    large: PathBuf,
}

impl<'a> Site<'a> {
    fn start(lab: &'a Lab, bindings: usize) -> Result<Self> {
        let large = lab.host(1).dir().join("bindings.conf");
        fs::write(&large, configuration(bindings)?)?;
        let heartbeats = Heartbeats::listen(lab.host(4), &lab.host(1).v4().into())?;
        let mut server = worker(lab, 1)?;
        server.listen(SocketAddr::new(lab.host(1).v4().into(), PORT))?;
        let site = Self { lab, agents: vec![], heartbeats, _server: server, large };
        site.write(false)?;
        let agents = (1..=3).map(|host| lab.host(host).start_agent()).collect::<Result<_>>()?;
        let site = Self { agents, ..site };
        lab::until("the first heartbeat", WAIT, || Ok((site.heartbeats.count() > 0).then_some(())))?;
        Ok(site)
    }

    /// Writes the first node's configuration, with or without another port.
    fn write(&self, more: bool) -> Result<()> {
        let host = self.lab.host(1);
        let ports = if more { format!("{PORT} {OTHER}") } else { PORT.to_string() };
        let group = "cluster_group = \"ec_cluster\"";
        let small = host.default_config().replace(group, &format!("{group}\n  inbound_ports = ( {ports} )"));
        host.write_config(&format!("include \"{}\"\n{small}", self.large.display()))
    }

    /// Reloads with another set of ports; returns how long it took, and the largest gap between heartbeats meanwhile.
    fn reload(&mut self, round: usize) -> Result<Reload> {
        let more = round.is_multiple_of(2);
        self.write(more)?;
        let begun = Instant::now();
        let agent = &mut self.agents[0];
        agent.process().kill(Signal::HUP)?;
        agent.wait_notified("READY=1", WAIT)?;
        let took = begun.elapsed();
        ensure!(self.is_counted(OTHER)? == more, "it says ready and has other ports");
        thread::sleep(AFTER); // waits: for heartbeats, which only time brings
        Ok((took, self.heartbeats.largest_gap(begun, Instant::now())?))
    }

    /// Returns the largest gap between heartbeats in a spell about as long as a reload is watched.
    fn observe(&self) -> Result<Duration> {
        let begun = Instant::now();
        thread::sleep(2 * AFTER); // waits: for heartbeats, which only time brings
        self.heartbeats.largest_gap(begun, Instant::now())
    }

    /// Reads and checks the configuration in this process.
    fn load_alone(&self, rounds: usize) -> Result<Samples> {
        let environment = Environment::default();
        let once = || -> Result<Duration> {
            let begun = Instant::now();
            let loaded = settings::load(&self.lab.host(1).config_path(), &environment)?;
            let took = begun.elapsed();
            drop(loaded);
            Ok(took)
        };
        Samples::new((0..rounds).map(|_| once()).collect::<Result<_>>()?)
    }

    /// Tells whether the kernel counts connections to a port.
    fn is_counted(&self, port: u16) -> Result<bool> {
        let pin = self.lab.host(1).bpffs_dir().join(name::INBOUND_PORTS);
        let word = Pinned::<u32, u64>::open(&pin)?.get(&u32::from(port >> 6))?.context("no such word")?;
        Ok(word >> (port & 63) & 1 == 1)
    }

    /// Waits until the second node knows of so many connections that have ended, and of those held; returns how many.
    fn settled(&self, ended: usize) -> Result<u64> {
        let held = u64::try_from(HELD)?;
        let wanted = held + u64::try_from(ended)?;
        lab::until("all connections counted", WAIT, || {
            let seen = self.lab.host(2).query("inbound_cidr", "0.0.0.0/0", None)?;
            ensure!(seen.total <= wanted, "{seen:?}: more than {wanted}");
            Ok((seen.total == wanted && seen.current == held).then_some(wanted - held))
        })
    }

    /// Returns how often a daemon suspected another.
    fn suspicions(&mut self) -> Result<usize> {
        let log = |agent: &mut Agent| fs::read_to_string(agent.process().log());
        let logs = self.agents.iter_mut().map(log).collect::<Result<Vec<_>, _>>()?;
        Ok(logs.iter().map(|log| log.matches("state=suspect").count()).sum())
    }
}

/// Starts a worker in the client, or in a host and its control group.
fn worker(lab: &Lab, host: usize) -> Result<Worker> {
    let place = if host == 0 { lab.client() } else { lab.host(host) };
    let cgroup = (host > 0).then(|| place.cgroup().path());
    place.worker(&env::current_exe()?, cgroup)
}

/// Returns bindings with a domain each, as sites that have run for years have them.
fn configuration(bindings: usize) -> Result<String> {
    let mut text = String::new();
    for n in 0..bindings {
        let source = IpAddr::from([10, 200, u8::try_from(n >> 8)?, u8::try_from(n & 255)?]);
        writeln!(
            text,
            "Binding \"binding{n:05}\" {{\n  Bind_Address = \"{source}\"\n  EHLO_Hostname = \"mx{n}.example.com\"\n  \
             Max_Outbound_Connections = {}\n  Domain \"customer{n}.example\" {{\n    Max_Outbound_Connections = {}\n    \
             Max_Deliveries_Per_Connection = 100\n    Retry_Interval = 1200\n  }}\n}}",
            20 + n % 7,
            2 + n % 5,
        )?;
    }
    Ok(text)
}

const LINES_PER_BINDING: usize = 10;
const PORT: u16 = 25;
const OTHER: u16 = 2526;
/// Connections that are open all the while.
const HELD: usize = 200;
/// Watched after a reload: three heartbeats.
const AFTER: Duration = Duration::from_millis(300);
/// Longest wait for anything.
const WAIT: Duration = Duration::from_mins(2);

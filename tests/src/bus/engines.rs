//! Several hosts with a bus, in a lab: the real engine as a harness of the conformance suite, and for tests of its own.
use super::{ROLE, plan};
use crate::{
    Host, Lab, LabOptions, Process, Signal,
    conformance::{Faults, Harness, worker::RemoteBus},
    until,
};
use anyhow::{Context, Result, bail};
use convoy_core::group::bus::{Bus, Event};
use rustix::process::{Pid, kill_process};
use std::{
    env, fs,
    io::BufReader,
    path::PathBuf,
    process::{ChildStdin, ChildStdout},
    thread,
    time::Duration,
};

/// What the buses are made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Hosts; default 3.
    pub hosts: usize,
    /// `token` of corosync in ms; default 100.
    pub token_ms: u64,
    /// Further words of every host's plan; default none.
    pub more: String,
    /// The program that is a host's process; default `bus-worker`.
    pub program: Option<PathBuf>,
    /// Whether the addresses are IPv6.
    pub ipv6: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { hosts: 3, token_ms: 100, more: String::new(), program: None, ipv6: false }
    }
}

/// The bus of a host.
pub type Remote = RemoteBus<BufReader<ChildStdout>, ChildStdin>;

/// A host's process.
#[derive(Debug)]
pub struct Seat {
    process: Process,
    bus: Remote,
}

/// A lab whose hosts have buses; none has joined.
#[derive(Debug)]
pub struct Engines {
    seats: Vec<Option<Seat>>,
    options: Options,
    /// Last: the processes go with it.
    lab: Lab,
}

/// How a bus fares, as its process says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Whether it is a member.
    pub connected: bool,
    /// Whether it uses a corosync that is not its own.
    pub adopted: bool,
    /// Its corosync's process id.
    pub pid: Option<u32>,
    /// How many times it was lost.
    pub losses: u64,
    /// The version of corosync.
    pub version: String,
    /// What is wrong, or `-`.
    pub trouble: String,
}

impl Seat {
    /// Returns its bus.
    pub fn bus(&mut self) -> &mut Remote {
        &mut self.bus
    }

    /// Returns its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Gives an order of the process's own and returns its answer, a line.
    ///
    /// # Errors
    /// When the process does not answer, or with an error.
    pub fn ask(&mut self, order: &str) -> Result<String> {
        match self.bus.order(order) {
            Some(lines) => Ok(lines.first().cloned().unwrap_or_default()),
            None => bail!("{order}: {:?}; log:\n{}", self.bus.trouble(), self.process.tail(30)),
        }
    }

    /// Returns how its bus fares.
    pub fn state(&mut self) -> Result<Said> {
        let line = self.ask("state")?;
        let mut words = line.splitn(7, ' ').skip(1);
        let mut word = || words.next().with_context(|| format!("a word more in {line:?}"));
        Ok(Said {
            connected: word()?.parse()?,
            adopted: word()?.parse()?,
            pid: word()?.parse().ok(),
            losses: word()?.parse()?,
            version: word()?.to_owned(),
            trouble: word()?.to_owned(),
        })
    }

    /// Sends a signal to its corosync.
    pub fn signal_engine(&mut self, signal: Signal) -> Result<()> {
        let pid = self.state()?.pid.context("there is no corosync of its own")?;
        let pid = Pid::from_raw(pid.try_into()?).context("a process id")?;
        kill_process(pid, signal).context("signal corosync")
    }
}

impl Engines {
    /// Brings a lab up with a bus on every host.
    pub fn up(options: Options) -> Result<Self> {
        let lab = Lab::up(&LabOptions { hosts: options.hosts, ..LabOptions::default() })?;
        let seats = (0..options.hosts).map(|_| None).collect();
        let mut engines = Self { seats, options, lab };
        for seat in 0..engines.seats.len() {
            engines.start(seat)?;
        }
        Ok(engines)
    }

    /// Returns the lab.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Returns a host.
    pub fn host(&self, seat: usize) -> &Host {
        self.lab.host(seat + 1)
    }

    /// Returns a host's process.
    ///
    /// # Panics
    /// When it was killed and not started again.
    pub fn seat(&mut self, seat: usize) -> &mut Seat {
        self.seats[seat].as_mut().expect("it was not killed")
    }

    /// Returns the processes that run, to be used side by side.
    pub fn running(&mut self) -> impl Iterator<Item = &mut Seat> {
        self.seats.iter_mut().flatten()
    }

    /// Returns the plan of a host's bus, as its process reads it.
    pub fn plan_of(&self, seat: usize) -> String {
        let dir = self.dir(seat);
        let nodes = self.lab.hosts().iter().map(|host| {
            let address: std::net::IpAddr =
                if self.options.ipv6 { host.v6().into() } else { host.v4().into() };
            format!(" node={}@{address}", host.name())
        });
        let nodes: String = nodes.collect();
        format!("dir={} token={}{nodes} {}", dir.display(), self.options.token_ms, self.options.more)
    }

    /// Returns the directory of a host's bus.
    pub fn dir(&self, seat: usize) -> PathBuf {
        self.host(seat).state_dir().join("bus")
    }

    /// Starts the process of a host.
    pub fn start(&mut self, seat: usize) -> Result<()> {
        self.start_prepared(seat, "true")
    }

    /// Starts the process of a host after a command of the shell, which may change the mounts it sees.
    pub fn start_prepared(&mut self, seat: usize, command: &str) -> Result<()> {
        self.seats[seat] = Some(self.seat_on(seat, command)?);
        Ok(())
    }

    /// Starts a further process on a host, beside the one that is there and with the mounts that this one sees.
    pub fn second_process(&mut self, seat: usize) -> Result<Seat> {
        let enter = format!("exec nsenter {} \"$@\"; true", self.mounts_of(seat));
        self.seat_on(seat, &enter)
    }

    /// Returns the flag of `nsenter(1)` for the mounts that a host's process sees.
    pub fn mounts_of(&mut self, seat: usize) -> String {
        format!("--mount=/proc/{}/ns/mnt", self.seat(seat).process.pid())
    }

    fn seat_on(&self, seat: usize, command: &str) -> Result<Seat> {
        let text = self.plan_of(seat);
        plan(&text).context("the plan")?;
        let program = self.options.program.clone().map_or_else(program, Ok)?;
        let script = format!("{command} && exec \"$@\"");
        let launch = self.host(seat).launch("sh").args(["-c", &script, "sh"]).arg(program).arg(&text);
        let (process, orders, answers) = launch.env(ROLE, "").own_run().converse("bus")?;
        Ok(Seat { process, bus: RemoteBus::new(orders, BufReader::new(answers)) })
    }

    /// Kills a host's process, and its corosync with it if `engine`; else that ends by itself.
    pub fn kill(&mut self, seat: usize, engine: bool) -> Result<()> {
        if engine {
            self.host(seat).kill_all()?;
        }
        if let Some(mut gone) = self.seats[seat].take() {
            gone.process.kill(Signal::KILL)?;
            gone.process.wait(END_WITHIN)?;
        }
        until("the host's last process ends", END_WITHIN, || {
            let procs = fs::read_to_string(self.host(seat).cgroup().procs())?;
            Ok(procs.is_empty().then_some(()))
        })
    }

    /// Has every process that runs join, and waits until all are members of one configuration.
    pub fn join_all(&mut self) -> Result<()> {
        let count = self.running().count();
        for seat in self.running() {
            seat.bus.join();
        }
        self.agree(count)
    }

    /// Waits until every process that runs has a configuration of `count`.
    pub fn agree(&mut self, count: usize) -> Result<()> {
        let running: Vec<usize> = (0..self.seats.len()).filter(|seat| self.seats[*seat].is_some()).collect();
        running.into_iter().try_for_each(|seat| self.agree_of(seat, count))
    }

    /// Waits until one host's process has a configuration of `count`.
    pub fn agree_of(&mut self, seat: usize, count: usize) -> Result<()> {
        let seat = self.seat(seat);
        let at = seat.ask(&format!("until {count} {}", AGREE_WITHIN.as_millis()))?;
        if at == "at -" {
            let state = seat.state()?;
            bail!("no configuration of {count}: {state:?}; log:\n{}", seat.process.tail(30));
        }
        Ok(())
    }

    /// Returns the next event of a process that `wanted` likes; others are passed over.
    pub fn event<T>(&mut self, seat: usize, wanted: impl Fn(Event) -> Option<T>) -> Result<T> {
        let seat = self.seat(seat);
        let found = until("an event", AGREE_WITHIN, || {
            while let Some(event) = seat.bus.poll() {
                if let Some(found) = wanted(event) {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        });
        found.with_context(|| format!("log:\n{}", seat.process.tail(30)))
    }
}

impl Harness for Engines {
    fn seats(&self) -> usize {
        self.seats.len()
    }

    fn faults(&self) -> Faults {
        Faults { partition: true, crash: true, lose: true }
    }

    fn bus(&mut self, seat: usize) -> &mut dyn Bus {
        &mut self.seat(seat).bus
    }

    fn partition(&mut self, parts: &[Vec<usize>]) -> Result<()> {
        self.lab.heal()?;
        let part = |seat: usize| parts.iter().position(|part| part.contains(&seat));
        for (from, to) in (0..self.seats()).flat_map(|from| (0..self.seats()).map(move |to| (from, to))) {
            let together = part(from).is_some() && part(from) == part(to);
            if from != to && !together {
                self.lab.cut_one_way(from + 1, to + 1)?;
            }
        }
        Ok(())
    }

    fn heal(&mut self) -> Result<()> {
        self.lab.heal()
    }

    fn crash(&mut self, seat: usize) -> Result<()> {
        self.kill(seat, false)
    }

    fn restart(&mut self, seat: usize, _same: bool) -> Result<()> {
        self.start(seat)
    }

    fn lose(&mut self, seat: usize) -> Result<()> {
        // One that is not there yet cannot be lost.
        let has_engine = self.seat(seat).state()?.pid.is_some();
        if has_engine { self.seat(seat).signal_engine(Signal::KILL) } else { Ok(()) }
    }

    fn advance(&mut self) -> Result<()> {
        // waits: the world goes on by itself; this is how long a step of it is.
        thread::sleep(STEP);
        for seat in self.running() {
            if let Some(trouble) = seat.bus.trouble() {
                bail!("a worker does not answer: {trouble:#}; log:\n{}", seat.process.tail(30));
            }
        }
        Ok(())
    }

    fn settle_rounds_max(&self) -> usize {
        SETTLE_ROUNDS_MAX
    }
}

fn program() -> Result<PathBuf> {
    let running = env::current_exe().context("own path")?;
    let beside = running.ancestors().skip(1).take(2).map(|dir| dir.join("bus-worker"));
    beside.into_iter().find(|path| path.is_file()).with_context(|| {
        format!("no program `bus-worker` near {}: cargo build -p convoy-tests --bins", running.display())
    })
}

/// chosen: a host starts its corosync in 0.3 s, and rings form within a second of it on a machine with other work.
const AGREE_WITHIN: Duration = Duration::from_secs(30);
/// chosen: as above.
const END_WITHIN: Duration = Duration::from_secs(10);
/// chosen: a tenth of the token's time.
const STEP: Duration = Duration::from_millis(10);
/// chosen: 30 s of steps.
const SETTLE_ROUNDS_MAX: usize = 3_000;

//! The process with the bus: what it does when it is told.
//!
//! | order | answer, then `ok` |
//! |---|---|
//! | those of `conformance::worker` | theirs |
//! | `state` | how the bus fares: `connected adopted pid losses`, numbers or `-`, then the version, then the trouble |
//! | `reload PLAN` | nothing |
//! | `until N MS` | when, in ns of the monotonic clock, a regular configuration of N members was there; `-` if it was not in MS |
//! | `ping N LEN` | N times in ns from multicast to own delivery, through the bus |
//! | `raw N LEN` | the same on corosync's own connection, in another group |
//! | `stop` | ms that stopping took, and how it went |
use crate::conformance::worker;
use anyhow::{Context, Result, bail, ensure};
use convoy_agent::{
    host::bus::{self, BusHandle, Engine, Plan, Settings, State},
    sys::{
        cpg::{Connection, Delivery, Error, Library},
        log::Log,
        wake::Wake,
    },
};
use convoy_core::{
    group::bus::{Bus, Configuration, Event, Kind},
    time::Span,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    time::{ClockId, clock_gettime},
};
use std::{
    collections::{BTreeMap, VecDeque},
    io::{BufRead, Write, stdin, stdout},
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, Instant},
};

/// Reads a plan: words `KEY=VALUE`, of which `node=NAME@ADDRESS` may come several times.
pub fn plan(text: &str) -> Result<Plan> {
    let mut engine = Engine::Corosync;
    let mut settings = Settings {
        group: "ec_cluster".into(),
        nodes: BTreeMap::new(),
        port: 4_809,
        token: Span::from_ms(100),
        encryption: true,
        key_file: None,
        dir: "bus".into(),
    };
    for word in text.split_whitespace() {
        let (key, value) = word.split_once('=').with_context(|| format!("no value: {word}"))?;
        match key {
            "engine" if value == "solo" => engine = Engine::Solo,
            "group" => settings.group = value.into(),
            "port" => settings.port = value.parse()?,
            "token" => settings.token = Span::from_ms(value.parse()?),
            "encryption" => settings.encryption = value.parse()?,
            "key" => settings.key_file = Some(value.into()),
            "dir" => settings.dir = value.into(),
            "node" => {
                let (name, address) = value.split_once('@').context("no address")?;
                settings.nodes.insert(name.into(), address.parse()?);
            }
            _ => bail!("no such key: {word}"),
        }
    }
    Ok(Plan { engine, corosync: settings })
}

/// Set in the environment of a process that shall call [`work`].
pub const ROLE: &str = "CONVOY_BUS";

/// Is such a process, whose first argument is the plan, until its standard input ends.
///
/// # Errors
/// When there is no plan, the bus cannot be made, or orders cannot be read any more.
pub fn work() -> Result<()> {
    let text = std::env::args().nth(1).context("the argument is the plan")?;
    let _log = Log::start();
    let wake = Wake::new()?;
    let handle = bus::spawn(plan(&text)?, wake.clone())?;
    Work::new(handle, wake).serve(stdin().lock(), stdout().lock())
}

/// A process with a bus.
#[derive(Debug)]
pub struct Work {
    bus: Option<Kept>,
    wake: Wake,
}

impl Work {
    /// Begins with this bus, which wakes `wake`.
    pub fn new(handle: BusHandle, wake: Wake) -> Self {
        Self { bus: Some(Kept { handle, events: VecDeque::new() }), wake }
    }

    /// Does what it is told until the orders end.
    ///
    /// # Errors
    /// When orders or answers cannot be read or written any more.
    pub fn serve(mut self, orders: impl BufRead, mut answers: impl Write) -> Result<()> {
        for order in orders.lines() {
            let order = order?;
            let answer = match self.own_order(&order) {
                Ok(Some(answer)) => answer + "ok",
                Ok(None) => {
                    let bus = self.bus.as_mut().context("the bus is stopped")?;
                    worker::serve(bus, order.as_bytes(), &mut answers)?;
                    continue;
                }
                Err(error) => format!("error {error:#}"),
            };
            writeln!(answers, "{answer}")?;
            answers.flush()?;
        }
        Ok(())
    }

    fn own_order(&mut self, order: &str) -> Result<Option<String>> {
        let (word, rest) = order.split_once(' ').unwrap_or((order, ""));
        let number = |at: usize| -> Result<u64> { Ok(rest.split(' ').nth(at).context("a number")?.parse()?) };
        if word == "stop" {
            let handle = self.bus.take().context("the bus is stopped")?.handle;
            let begin = Instant::now();
            let stopped = handle.stop();
            return Ok(Some(format!("stopped {} {stopped:?}\n", begin.elapsed().as_millis())));
        }
        let bus = self.bus.as_mut().context("the bus is stopped")?;
        Ok(Some(match word {
            "state" => state_line(&bus.handle.state()),
            "reload" => {
                bus.handle.reload(plan(rest)?)?;
                String::new()
            }
            "until" => {
                let size = usize::try_from(number(0)?)?;
                bus.until(&self.wake, size, Duration::from_millis(number(1)?))
            }
            "ping" => times(&bus.ping(&self.wake, number(0)?, usize::try_from(number(1)?)?)?),
            "raw" => times(&raw_ping(number(0)?, usize::try_from(number(1)?)?)?),
            _ => return Ok(None),
        }))
    }
}

/// A bus whose events may have been looked at already; they are polled again.
#[derive(Debug)]
struct Kept {
    handle: BusHandle,
    events: VecDeque<Event>,
}

impl Kept {
    /// Waits for a configuration of this size; what comes before stays to be polled.
    fn until(&mut self, wake: &Wake, size: usize, within: Duration) -> String {
        let end = Instant::now() + within;
        loop {
            wake.clear();
            while let Some(event) = self.handle.poll() {
                let now = monotonic_ns();
                let is = matches!(&event, Event::Configuration(Configuration { kind: Kind::Regular, members })
                    if members.len() == size);
                self.events.push_back(event);
                if is {
                    return format!("at {now}\n");
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return "at -\n".to_owned();
            }
            wait(wake, left);
        }
    }

    fn ping(&mut self, wake: &Wake, count: u64, len: usize) -> Result<Vec<u64>> {
        let own = self.handle.id().context("not a member")?;
        let payload = vec![7; len];
        (0..count)
            .map(|_| {
                let begin = Instant::now();
                let sent = self.handle.multicast(&payload);
                ensure!(sent.is_ok(), "{sent:?}");
                loop {
                    wake.clear();
                    while let Some(event) = self.handle.poll() {
                        match event {
                            Event::Message { sender, .. } if sender == own => {
                                return Ok(u64::try_from(begin.elapsed().as_nanos())?);
                            }
                            Event::Lost(why) => bail!("lost: {why}"),
                            _ => {}
                        }
                    }
                    ensure!(begin.elapsed() < PING_WITHIN, "a message is not delivered");
                    wait(wake, PING_WITHIN);
                }
            })
            .collect()
    }
}

impl Bus for Kept {
    fn id(&self) -> Option<convoy_core::group::bus::MemberId> {
        self.handle.id()
    }

    fn join(&mut self) {
        self.handle.join();
    }

    fn leave(&mut self) {
        self.events.clear();
        self.handle.leave();
    }

    fn multicast(&mut self, payload: &[u8]) -> Result<(), convoy_core::group::bus::Unsent> {
        self.handle.multicast(payload)
    }

    fn poll(&mut self) -> Option<Event> {
        self.events.pop_front().or_else(|| self.handle.poll())
    }
}

/// Sends to a group of its own over a connection of its own, as little around corosync as can be.
fn raw_ping(count: u64, len: usize) -> Result<Vec<u64>> {
    let library = Arc::new(Library::load()?);
    let mut connection = Connection::open(&library)?;
    connection.join(RAW_GROUP)?;
    let own = connection.local_node()?;
    await_delivery(&mut connection, |delivery| matches!(delivery, Delivery::Change { .. }))?;
    let payload = vec![7; len];
    let is_own = |delivery: &Delivery| matches!(delivery, Delivery::Message { sender, .. } if sender.node == own && sender.id == std::process::id());
    let mut times = Vec::new();
    for _ in 0..count {
        let begin = Instant::now();
        loop {
            match connection.multicast([&payload, &[]]) {
                Ok(()) => break,
                Err(Error::TryAgain) => std::thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
        }
        await_delivery(&mut connection, is_own)?;
        times.push(u64::try_from(begin.elapsed().as_nanos())?);
    }
    Ok(times)
}

fn await_delivery(connection: &mut Connection, wanted: impl Fn(&Delivery) -> bool) -> Result<()> {
    let begin = Instant::now();
    loop {
        while let Some(delivery) = connection.dispatch()? {
            if wanted(&delivery) {
                return Ok(());
            }
        }
        ensure!(begin.elapsed() < PING_WITHIN, "corosync does not deliver");
        wait(connection, PING_WITHIN);
    }
}

fn wait(fd: &impl AsFd, within: Duration) {
    let timeout = Timespec::try_from(within).unwrap_or_default();
    // An interrupted wait is a short one.
    let _ready: Result<usize, _> = poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout));
}

fn times(times: &[u64]) -> String {
    times.iter().fold("times".to_owned(), |line, ns| format!("{line} {ns}")) + "\n"
}

fn state_line(state: &State) -> String {
    let pid = state.pid.map_or("-".to_owned(), |pid| pid.to_string());
    format!(
        "state {} {} {pid} {} {} {}\n",
        state.connected,
        state.adopted,
        state.losses,
        state.version.as_deref().unwrap_or("-"),
        state.trouble.as_deref().unwrap_or("-").replace('\n', " "),
    )
}

/// Returns the time of the clock that all processes of a machine share, in nanoseconds.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// Nobody else is in it.
const RAW_GROUP: &str = "convoy_raw";
/// chosen: a message takes half a millisecond.
const PING_WITHIN: Duration = Duration::from_secs(10);

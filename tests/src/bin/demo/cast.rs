//! Who takes part: the hosts with their Postfix and convoyd, the sink, and the crowd that sends mail.
use crate::{HOSTS, timed};
use anyhow::{Context, Result};
use lab::{Agent, Lab, MailLoad, Process, Sender, Signal, Sink};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// The lab with everything running in it.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) sink: Sink,
    agents: Mutex<Vec<Option<Agent>>>,
}

impl<'a> Stage<'a> {
    /// Starts the sink, Postfix and convoyd on all hosts.
    pub(crate) fn set(lab: &'a Lab) -> Result<Self> {
        let sink = timed("sink", "takes mail on every address of four networks", || lab.start_sink(1))?;
        timed("Postfix", "on each host: ports 25 and 587, IPv4 and IPv6", || {
            on_all(lab, |host| host.start_postfix().map(drop))
        })?;
        let agents = timed("convoyd", "on each host: kernel programs loaded, peers found", || {
            let agents = on_all(lab, lab::Host::start_agent)?;
            lab::until("all hosts alive to each other", MEET_BOUND, || {
                for host in lab.hosts() {
                    if host.members()?.values().filter(|state| *state == "alive").count() < HOSTS {
                        return Ok(None);
                    }
                }
                Ok(Some(()))
            })?;
            Ok(agents)
        })?;
        Ok(Self { lab, sink, agents: Mutex::new(agents.into_iter().map(Some).collect()) })
    }

    /// Cuts a host off and kills all its processes at once: no goodbye reaches anybody.
    pub(crate) fn lose_power(&self, host: usize) -> Result<()> {
        self.lab.cut(host + 1)?;
        self.lab.hosts()[host].kill_all()?;
        let agent = lock(&self.agents)[host].take();
        if let Some(mut agent) = agent {
            agent.process().wait(MEET_BOUND)?;
        }
        Ok(())
    }

    /// Puts it back on the network with Postfix and convoyd.
    pub(crate) fn give_power(&self, host: usize) -> Result<()> {
        let place = &self.lab.hosts()[host];
        self.lab.heal()?;
        let agent = place.start_agent()?;
        lock(&self.agents)[host] = Some(agent);
        place.start_postfix().map(drop)
    }
}

/// Does the same on all hosts at once.
fn on_all<T: Send>(lab: &Lab, work: impl Fn(&lab::Host) -> Result<T> + Sync) -> Result<Vec<T>> {
    thread::scope(|scope| {
        let running: Vec<_> = lab.hosts().iter().map(|host| scope.spawn(|| work(host))).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Programs that send mail, one for each pair of a source address and a host, and restarted when they are done.
#[derive(Debug)]
pub(crate) struct Crowd<'a> {
    lab: &'a Lab,
    members: Vec<Correspondent>,
    closed: [bool; HOSTS],
}

/// One of them.
#[derive(Debug)]
struct Correspondent {
    sender: Sender,
    host: usize,
    number: usize,
    process: Option<Process>,
}

impl<'a> Crowd<'a> {
    /// Gives every source address its user; nobody sends yet.
    pub(crate) fn gather(lab: &'a Lab) -> Result<Self> {
        let sources = SOURCES.iter().map(|source| source.parse().context(*source));
        let senders = lab.senders(&sources.collect::<Result<Vec<IpAddr>>>()?)?;
        let pairs =
            senders.iter().enumerate().flat_map(|(at, sender)| (0..HOSTS).map(move |to| (at, sender, to)));
        let members = pairs
            // Not everybody writes to everybody: each host has a tree of its own.
            .filter(|(at, _, to)| (at + to) % 4 != 3)
            .enumerate()
            .map(|(number, (_, sender, host))| Correspondent { sender: *sender, host, number, process: None })
            .collect();
        Ok(Self { lab, members, closed: [false; HOSTS] })
    }

    /// Starts up to `most` of those who do not send.
    fn encourage(&mut self, most: usize) -> Result<()> {
        let mut started = 0;
        for member in &mut self.members {
            if self.closed[member.host] || started == most {
                continue;
            }
            let ended = match &mut member.process {
                Some(process) => process.status()?.is_some(),
                None => true,
            };
            if ended {
                member.process = Some(member.write(self.lab, MESSAGES)?);
                started += 1;
            }
        }
        Ok(())
    }

    /// All who write to this host fall silent, as behind a dead link.
    pub(crate) fn leave(&mut self, host: usize) {
        self.closed[host] = true;
        for member in self.members.iter_mut().filter(|member| member.host == host) {
            if let Some(process) = &member.process {
                // It may have ended by itself.
                drop(process.kill(Signal::KILL));
            }
            member.process = None;
        }
    }

    /// They write again.
    pub(crate) fn come_back(&mut self, host: usize) {
        self.closed[host] = false;
    }

    /// Starts senders that go on for hours without anybody restarting them.
    pub(crate) fn settle_in(mut self) -> Result<()> {
        for member in &mut self.members {
            member.process = Some(member.write(self.lab, MESSAGES_KEPT)?);
        }
        Ok(())
    }
}

impl Correspondent {
    fn write(&mut self, lab: &Lab, messages: usize) -> Result<Process> {
        let host = &lab.hosts()[self.host];
        let address = match self.sender.address {
            IpAddr::V4(_) => IpAddr::V4(host.v4()),
            IpAddr::V6(_) => IpAddr::V6(host.v6()),
        };
        let port = if self.number.is_multiple_of(5) { 587 } else { 25 };
        self.number += 31; // prime to all that it chooses among, so the next time is another choice
        let load = MailLoad {
            to: if self.number.is_multiple_of(3) {
                BEYOND[self.number % BEYOND.len()]
            } else {
                "user@inbox.test"
            },
            sessions: 1 + self.number % 3,
            messages,
            pause_s: 2,
            keep_open: !self.number.is_multiple_of(4),
        };
        lab.send_mail(Some(self.sender), SocketAddr::new(address, port), &load)
    }
}

/// Keeps the crowd sending until it is over.
pub(crate) fn keep_sending(crowd: &Mutex<Crowd<'_>>, over: &AtomicBool) -> Result<()> {
    while !over.load(Ordering::Relaxed) {
        lock(crowd).encourage(STARTS_A_TURN)?;
        // waits: between two looks at who has finished.
        thread::sleep(TURN);
    }
    Ok(())
}

/// Locks; whoever panicked while holding it left a state that is still one.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where mail comes from: 14 addresses in 6 networks.
const SOURCES: [&str; 14] = [
    "198.51.100.7",
    "203.0.113.4",
    "2001:db8:a::7",
    "192.0.2.10",
    "198.51.100.25",
    "100.64.7.1",
    "203.0.113.77",
    "2001:db8:b::5",
    "198.51.100.110",
    "192.0.2.66",
    "2001:db8:a::25",
    "203.0.113.200",
    "198.51.100.200",
    "2001:db8:a::99",
];
/// Recipients at the sink, in four networks.
const BEYOND: [&str; 5] =
    ["x@[198.18.1.10]", "x@[198.18.2.20]", "x@[198.18.1.11]", "x@[198.19.7.30]", "x@[IPv6:2001:db8:5::40]"];
/// chosen: a sender lives a few seconds, so that the tree moves.
const MESSAGES: usize = 12;
/// A message a second for more than a day.
const MESSAGES_KEPT: usize = 100_000;
/// chosen: the crowd grows over two seconds, visibly.
const STARTS_A_TURN: usize = 3;
const TURN: Duration = Duration::from_millis(100);
const MEET_BOUND: Duration = Duration::from_secs(20);

//! The bus thread: owns the connection to corosync and, if it had to start one, corosync itself.
//!
//! ```text
//!   Absent --joined--> Opening --answers--> Joining --taken--> Joined
//!     ^  ^                |                    |                 |
//!     |  '--left----------+--------------------+-----------------'
//!     '--- Backing off <--- a failure; a loss is told to a member first
//! ```
//!
//! Joined: what is delivered becomes events, in order; messages go out until corosync has enough. Corosync is watched
//! by our own messages: one that delivers none for a while is taken for stopped, and killed if it is ours.
use super::{
    changes::Changes,
    corosync::{self, Corosync, Reloaded, Trouble},
    front,
    shared::{Incoming, Intent, Outgoing, Shared, Spell},
};
use crate::sys::cpg::{Connection, Delivery, Error as CpgError, Library, Process};
use convoy_core::group::bus::{Configuration, Event, MemberId};
use crossbeam_channel::{Receiver, Sender};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    collections::VecDeque,
    os::fd::AsFd as _,
    sync::Arc,
    time::{Duration, Instant},
};

/// See the module.
#[derive(Debug)]
pub(super) struct Engine {
    shared: Arc<Shared>,
    outgoing: Receiver<Outgoing>,
    incoming: Sender<Incoming>,
    intent: Intent,
    library: Option<Arc<Library>>,
    corosync: Option<Corosync>,
    link: Link,
    spell: Spell,
    /// A message that corosync did not take yet.
    held: Option<Outgoing>,
    /// Bytes of each message that it took and has not delivered. They wait, as far as the user is concerned: corosync
    /// itself would take all that the host has memory for.
    undelivered: VecDeque<usize>,
    /// In a row, without a membership between them.
    failures: u32,
    /// The corosync in use was not ours: it may come back by itself.
    adopted: bool,
    /// The operator was told that the key is no secret.
    warned: bool,
    tended: Instant,
}

#[derive(Debug)]
enum Link {
    /// Nobody asks for a membership, or nobody has tried yet.
    Absent,
    /// The last attempt failed.
    BackingOff { until: Instant },
    /// Corosync starts, or is expected back.
    Opening { until: Instant },
    /// Connected.
    Open(Box<Membership>),
}

/// A connection and what came over it.
#[derive(Debug)]
struct Membership {
    connection: Connection,
    own: MemberId,
    changes: Changes,
    /// Corosync has taken the wish to join.
    asked: bool,
    /// Seconds, as this thread lived them, without a message of our own.
    quiet: u32,
    /// Of its life.
    seconds: u32,
    next_second: Instant,
}

/// What keeps this process off the bus.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(
        "libcpg cannot be loaded: {0}; install it (Debian: corosync and libcpg4), or set bus_engine = solo"
    )]
    Library(libloading::Error),
    #[error(transparent)]
    Corosync(#[from] Trouble),
    #[error(transparent)]
    Cpg(#[from] CpgError),
    #[error("corosync does not answer since {} s; its log says more", OPEN_WITHIN.as_secs())]
    Silent,
    #[error("corosync has delivered nothing for {0} s: it is stopped, or its host is overloaded")]
    Wedged(u32),
    #[error("the configuration of the bus has changed")]
    Changed,
}

impl Engine {
    pub(super) fn new(shared: Arc<Shared>, outgoing: Receiver<Outgoing>, incoming: Sender<Incoming>) -> Self {
        let intent = shared.intent();
        Self {
            shared,
            outgoing,
            incoming,
            intent,
            library: None,
            corosync: None,
            link: Link::Absent,
            spell: Spell::default(),
            held: None,
            undelivered: VecDeque::new(),
            failures: 0,
            adopted: false,
            warned: false,
            tended: Instant::now(),
        }
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        loop {
            self.shared.nudge.clear();
            self.follow();
            if self.intent.stop {
                break;
            }
            let pause = self.step();
            self.wait(pause);
        }
        // A corosync that has ended takes the membership along, and a connection to it ends without a wait.
        self.end_corosync();
        self.close();
    }

    /// Does what the user's intent asks for.
    fn follow(&mut self) {
        let intent = self.shared.intent();
        let old = std::mem::replace(&mut self.intent, intent);
        if self.intent.life != self.spell.life {
            self.close();
            self.spell.life = self.intent.life;
            self.failures = 0;
            self.link = Link::Absent;
        }
        if self.intent.settings == old.settings {
            return;
        }
        let regroup = self.intent.settings.group != old.settings.group;
        if let Link::BackingOff { .. } = self.link {
            self.link = Link::Absent;
        }
        if self.adopted && self.is_open() {
            tracing::warn!(
                "the corosync in use was not started by convoyd: its configuration stays as it is"
            );
        }
        let restart = match self.corosync.as_mut().map(|corosync| corosync.reload(&self.intent.settings)) {
            Some(Ok(Reloaded::Restart)) => true,
            Some(Err(error)) => {
                tracing::error!("{error}; the bus goes on as it was");
                self.shared.set_state(|state| state.trouble = Some(error.to_string()));
                false
            }
            Some(Ok(Reloaded::Taken)) | None => false,
        };
        if (regroup || restart) && self.intent.joined {
            self.lose(&Failure::Changed);
            self.link = Link::Absent;
        }
        if restart {
            self.end_corosync();
        }
    }

    /// Goes on; returns how long it may be until the next time if nothing happens.
    fn step(&mut self) -> Duration {
        let now = Instant::now();
        if !self.intent.joined {
            self.watch_idle();
            return IDLE;
        }
        match &self.link {
            Link::BackingOff { until } if *until > now => {
                let left = *until - now;
                self.watch_idle();
                return left;
            }
            Link::Absent | Link::BackingOff { .. } => self.connect(now),
            Link::Opening { until } => {
                let late = *until <= now;
                self.open(late);
            }
            Link::Open(_) => {}
        }
        if let Link::Open(_) = self.link {
            match self.converse(now) {
                Ok(pause) => return pause,
                Err(failure) => {
                    // If ours is gone, how it ended is the better reason.
                    let gone = matches!(failure, Failure::Cpg(CpgError::Gone { .. }));
                    let ended = self.corosync.as_mut().filter(|_| gone).and_then(Corosync::look_at_end);
                    self.fail(&ended.map_or(failure, Failure::Corosync));
                }
            }
        }
        match &self.link {
            Link::Opening { .. } => OPEN_AGAIN,
            Link::BackingOff { until } => until.saturating_duration_since(now),
            Link::Absent | Link::Open(_) => Duration::ZERO,
        }
    }

    /// Without a connection only the process itself tells how it fares.
    fn watch_idle(&mut self) {
        if let Some(trouble) = self.corosync.as_mut().and_then(Corosync::look) {
            tracing::warn!("{trouble}");
            self.end_corosync();
        }
    }

    /// Looks for a corosync that runs, else starts one.
    fn connect(&mut self, now: Instant) {
        if let Err(failure) = self.try_connect(now) {
            self.fail(&failure);
        }
    }

    fn try_connect(&mut self, now: Instant) -> Result<(), Failure> {
        if self.library.is_none() {
            self.library = Some(Arc::new(Library::load().map_err(Failure::Library)?));
            self.shared.set_state(|state| state.version = corosync::version());
        }
        if self.try_open()? {
            return Ok(());
        }
        if self.adopted {
            // Whoever runs it starts it again; two would be in each other's way.
            self.adopted = false;
            self.link = Link::Opening { until: now + ADOPTED_BACK_WITHIN };
            return Ok(());
        }
        if self.corosync.is_none() {
            if self.intent.settings.key_file.is_none() && !std::mem::replace(&mut self.warned, true) {
                tracing::warn!(
                    "bus_key_file is not set: the key of the bus is made of cluster_group alone, and keeps out \
                     only who does not know that name"
                );
            }
            let corosync = Corosync::start(&self.intent.settings)?;
            self.shared.set_signaller(Some(corosync.child().signaller()));
            self.shared.set_state(|state| state.pid = Some(corosync.child().pid()));
            self.corosync = Some(corosync);
        }
        self.link = Link::Opening { until: now + OPEN_WITHIN };
        Ok(())
    }

    /// Opens a connection; tells whether there is one.
    fn try_open(&mut self) -> Result<bool, Failure> {
        let Some(library) = &self.library else { return Ok(false) };
        let opened = Connection::open(library).and_then(|connection| {
            let node = connection.local_node()?;
            Ok((connection, MemberId { host: node, process: std::process::id() }))
        });
        let (connection, own) = match opened {
            Ok(opened) => opened,
            Err(CpgError::TryAgain | CpgError::Gone { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if let Some(deaf) = self.corosync.as_ref().and_then(Corosync::deafness) {
            return Err(deaf.into());
        }
        self.adopted = self.corosync.is_none();
        if self.adopted {
            tracing::info!(node = own.host, "a corosync runs here already and is used as it is");
        }
        let adopted = self.adopted;
        self.shared.set_state(|state| state.adopted = adopted);
        self.spell.number += 1;
        self.link = Link::Open(Box::new(Membership {
            connection,
            own,
            changes: Changes::new(own),
            asked: false,
            quiet: 0,
            seconds: 0,
            next_second: Instant::now() + SECOND,
        }));
        Ok(true)
    }

    fn open(&mut self, late: bool) {
        let failure = match self.try_open() {
            Ok(true) => return,
            Err(failure) => failure,
            Ok(false) => match self.corosync.as_mut().map(Corosync::look) {
                Some(Some(trouble)) => Failure::Corosync(trouble),
                Some(None) if !late => return,
                None if !late => return,
                Some(None) => Failure::Silent,
                // The one we used did not come back: start our own.
                None => return self.link = Link::Absent,
            },
        };
        self.fail(&failure);
    }

    /// Gives the attempt up: the failure is told, corosync ends if it is ours, and the next attempt waits.
    fn fail(&mut self, failure: &Failure) {
        self.lose(failure);
        self.end_corosync();
        let delay = BACK_OFF_MIN.saturating_mul(1 << self.failures.min(16)).min(BACK_OFF_MAX);
        self.failures += 1;
        self.link = Link::BackingOff { until: Instant::now() + delay };
    }

    /// Ends the membership, and tells the member so.
    fn lose(&mut self, failure: &Failure) {
        let text = failure.to_string();
        let member = match &self.link {
            Link::Open(membership) if membership.changes.is_member() => Some(membership.own),
            _ => None,
        };
        let known = self.shared.state().trouble.is_some_and(|known| known == text);
        if member.is_some() || !known {
            tracing::warn!("the bus: {text}");
        }
        self.shared.set_state(|state| {
            state.losses += u64::from(member.is_some());
            state.trouble = Some(text.clone());
        });
        if let Failure::Wedged(_) = failure {
            self.free();
        }
        if let Some(own) = member {
            self.tell(own, [Event::Lost(text)]);
            self.shared.wake.wake();
        }
        self.close();
    }

    /// Makes sure that nothing waits for a corosync that does not answer.
    fn free(&mut self) {
        if self.corosync.is_some() {
            self.shared.kill();
        } else if let Link::Open(membership) = std::mem::replace(&mut self.link, Link::Absent) {
            membership.connection.abandon();
        }
    }

    /// Leaves. What was to be sent is dropped: it belongs to the membership that ends.
    fn close(&mut self) {
        self.link = Link::Absent;
        self.shared.set_state(|state| (state.connected, state.adopted) = (false, false));
        let waiting = self.held.take().into_iter().chain(self.outgoing.try_iter());
        for len in waiting.map(|message| message.payload.len()).chain(self.undelivered.drain(..)) {
            self.shared.out.remove(len);
        }
    }

    fn end_corosync(&mut self) {
        if let Some(corosync) = self.corosync.take() {
            corosync.stop();
            self.shared.set_signaller(None);
            self.shared.set_state(|state| state.pid = None);
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.link, Link::Open(_))
    }

    /// Puts events in the queue, of which the caller knows that it has room.
    fn tell(&self, own: MemberId, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.shared.events.add(front::bytes(&event));
            let sent = self.incoming.try_send(Incoming { spell: self.spell, own, event });
            debug_assert!(sent.is_ok(), "the queue has room for what a look delivers");
        }
    }

    /// Talks to corosync: joins, takes what it delivers, gives it what is to be sent.
    fn converse(&mut self, now: Instant) -> Result<Duration, Failure> {
        let wedged_after = self.wedged_after();
        let Link::Open(membership) = &mut self.link else { return Ok(IDLE) };
        if !membership.asked {
            match membership.connection.join(&self.intent.settings.group) {
                Ok(()) => membership.asked = true,
                Err(CpgError::TryAgain) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let more = self.take(DELIVERIES_MAX)?;
        let sending = self.send()?;
        let Link::Open(membership) = &mut self.link else { return Ok(IDLE) };
        if self.shared.events.has_room() && membership.next_second <= now {
            membership.next_second = now + SECOND;
            membership.quiet += 1;
            membership.seconds += 1;
            if membership.seconds <= DEAFNESS_LOOKS
                && let Some(deaf) = self.corosync.as_ref().and_then(Corosync::deafness)
            {
                return Err(deaf.into());
            }
            if membership.quiet >= wedged_after {
                return Err(Failure::Wedged(wedged_after));
            }
            if membership.changes.is_member() && membership.quiet > 1 {
                match membership.connection.multicast([&[], &[PROBE]]) {
                    Ok(()) | Err(CpgError::TryAgain) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if membership.changes.is_pending() {
                // The end of the change is overdue; corosync's order of things is another than we know.
                let told = membership.changes.settle();
                let own = membership.own;
                if self.tell_configurations(own, told) {
                    self.shared.wake.wake();
                }
            }
        }
        Ok(match &self.link {
            _ if more || sending == Sending::More => Duration::ZERO,
            _ if sending == Sending::Held => SEND_AGAIN,
            Link::Open(membership) if !membership.asked => JOIN_AGAIN,
            _ => SECOND,
        })
    }

    /// Seconds without a message of our own after which corosync is taken for stopped.
    fn wedged_after(&self) -> u32 {
        let token = self.intent.settings.token.as_ms().div_ceil(1_000);
        u32::try_from(token).unwrap_or(u32::MAX).saturating_mul(4).saturating_add(WEDGED_AFTER)
    }

    /// Takes up to `max` deliveries, as long as the user's queue has room; tells whether there may be more.
    fn take(&mut self, max: usize) -> Result<bool, Failure> {
        let mut any = false;
        let mut more = true;
        for _ in 0..max {
            let Link::Open(membership) = &mut self.link else { return Ok(false) };
            more = self.shared.events.has_room();
            let delivery = if more { membership.connection.dispatch() } else { Ok(None) };
            let delivery = match delivery {
                Ok(Some(delivery)) => delivery,
                Ok(None) => {
                    more = false;
                    break;
                }
                Err(error) => {
                    if any {
                        self.shared.wake.wake();
                    }
                    return Err(error.into());
                }
            };
            any |= self.deliver(delivery);
        }
        if any {
            self.shared.wake.wake();
        }
        Ok(more)
    }

    /// Turns a delivery into events; tells whether there are any.
    fn deliver(&mut self, delivery: Delivery) -> bool {
        let Link::Open(membership) = &mut self.link else { return false };
        let own = membership.own;
        tracing::trace!(?delivery, "corosync delivers");
        match delivery {
            Delivery::Change { members, left, by_nodes } => {
                let members = members.into_iter().map(member).collect();
                let told = membership.changes.change(members, left.into_iter().map(member), by_nodes);
                self.tell_configurations(own, told)
            }
            Delivery::Ring => {
                let told = membership.changes.settle();
                self.tell_configurations(own, told)
            }
            Delivery::Message { sender, mut bytes } => {
                let sender = member(sender);
                // No message is delivered in the middle of a change.
                let told = membership.changes.settle();
                if sender == own {
                    membership.quiet = 0;
                }
                let is_member = membership.changes.is_member();
                let any = self.tell_configurations(own, told);
                // Others in the group that do not speak this, and probes, end here.
                if bytes.pop() != Some(MESSAGE) || !is_member {
                    return any;
                }
                if sender == own
                    && let Some(len) = self.undelivered.pop_front()
                {
                    // The event wakes the user in any case.
                    self.shared.out.remove(len);
                }
                self.tell(own, [Event::Message { sender, payload: bytes }]);
                true
            }
        }
    }

    fn tell_configurations(&mut self, own: MemberId, told: Vec<Configuration>) -> bool {
        let any = !told.is_empty();
        if any {
            self.failures = 0;
            self.shared.set_state(|state| (state.connected, state.trouble) = (true, None));
        }
        self.tell(own, told.into_iter().map(Event::Configuration));
        any
    }

    /// Gives corosync what waits, until it has enough.
    fn send(&mut self) -> Result<Sending, Failure> {
        let Link::Open(membership) = &self.link else { return Ok(Sending::Done) };
        for _ in 0..SENDS_MAX {
            let Some(message) = self.held.take().or_else(|| self.outgoing.try_recv().ok()) else {
                return Ok(Sending::Done);
            };
            if message.spell == self.spell {
                match membership.connection.multicast([&message.payload, &[MESSAGE]]) {
                    Ok(()) => {
                        self.undelivered.push_back(message.payload.len());
                        continue;
                    }
                    Err(CpgError::TryAgain) => {
                        self.held = Some(message);
                        return Ok(Sending::Held);
                    }
                    Err(error) => {
                        self.held = Some(message);
                        return Err(error.into());
                    }
                }
            }
            if self.shared.out.remove(message.payload.len()) {
                self.shared.wake.wake();
            }
        }
        Ok(Sending::More)
    }

    /// Waits until something happens, or for `pause`.
    fn wait(&mut self, pause: Duration) {
        let pause = if pause >= SECOND && self.tended.elapsed() > TEND_EVERY {
            self.tended = Instant::now();
            if let Some(corosync) = &mut self.corosync {
                corosync.tend();
            }
            SECOND
        } else {
            pause
        };
        let mut fds = vec![PollFd::new(&self.shared.nudge, PollFlags::IN)];
        // While the user's queue is full, what corosync has stays there.
        let connection = match &self.link {
            Link::Open(membership) if self.shared.events.has_room() => Some(membership.connection.as_fd()),
            _ => None,
        };
        let of_corosync: Vec<_> = self.corosync.iter().flat_map(Corosync::fds).collect();
        fds.extend(connection.iter().chain(&of_corosync).map(|fd| PollFd::new(fd, PollFlags::IN)));
        let timeout = Timespec::try_from(pause).unwrap_or_default();
        if let Err(error) = poll(&mut fds, Some(&timeout))
            && error != rustix::io::Errno::INTR
        {
            tracing::error!(%error, "the bus cannot wait for corosync");
        }
    }
}

/// What became of the messages that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    /// There are none.
    Done,
    /// There may be more.
    More,
    /// Corosync has enough for now.
    Held,
}

fn member(process: Process) -> MemberId {
    MemberId { host: process.node, process: process.id }
}

/// The last byte of a message: what stands before it is the user's.
const MESSAGE: u8 = 1;
/// The last byte of a message that only its sender looks at.
const PROBE: u8 = 2;
const SECOND: Duration = Duration::from_secs(1);
/// Nothing is expected; a child that ends wakes anyway.
const IDLE: Duration = Duration::from_secs(60);
/// chosen: corosync starts in 0.2 s, and an attempt takes half a millisecond.
const OPEN_AGAIN: Duration = Duration::from_millis(10);
/// chosen: a loaded host takes a second to start it.
const OPEN_WITHIN: Duration = Duration::from_secs(15);
/// chosen: service managers wait some hundred milliseconds before they start a program again.
const ADOPTED_BACK_WITHIN: Duration = Duration::from_secs(5);
/// chosen: an earlier membership of this process ends within a turn of the ring.
const JOIN_AGAIN: Duration = Duration::from_millis(5);
/// chosen: corosync takes some hundred messages in a millisecond.
const SEND_AGAIN: Duration = Duration::from_millis(1);
/// First and longest wait after failures in a row.
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
/// See [`BACK_OFF_MIN`].
const BACK_OFF_MAX: Duration = Duration::from_secs(5);
/// Seconds, and four token times, without a message of our own. chosen: forming a ring of 32 takes 12 s at most.
const WEDGED_AFTER: u32 = 15;
/// Seconds at which the log is looked at. chosen: corosync writes it within one.
const DEAFNESS_LOOKS: u32 = 3;
/// Deliveries in one look, before messages are sent.
const DELIVERIES_MAX: usize = 256;
/// Messages sent in one look, before deliveries are taken.
const SENDS_MAX: usize = 64;
/// chosen: the log grows by some lines when nodes come and go.
const TEND_EVERY: Duration = Duration::from_secs(60);

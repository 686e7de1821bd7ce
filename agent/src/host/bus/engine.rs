//! The bus thread: keeps a connection to corosync and, if it had to start one, corosync itself.
//!
//! ```text
//!   Absent --joined--> Opening --answers--> Open (see `membership`)
//!     ^  ^                |                  |
//!     |  '--left----------+------------------'
//!     '--- BackingOff <--- a failure; a member is told its loss first
//! ```
use super::{
    corosync::{self, Corosync, Reloaded, Trouble},
    membership::{Broken, Membership},
    shared::{Intent, Queues, Spell},
};
use crate::sys::cpg::{Connection, Error as CpgError, Library};
use convoy_core::group::bus::{Event, MemberId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

/// See the module.
#[derive(Debug)]
pub(super) struct Engine {
    queues: Queues,
    intent: Intent,
    /// Changes of the intent that were followed.
    followed: u64,
    library: Option<Arc<Library>>,
    corosync: Option<Corosync>,
    link: Link,
    spell: Spell,
    /// In a row, without a membership between them.
    failures: u32,
    /// The corosync in use was not ours: it may come back by itself.
    adopted: bool,
    /// The operator was told that the key is no secret.
    warned: bool,
    /// How many times it was looked whether this connection's corosync is deaf.
    looks: u32,
    tended: Instant,
    /// Our corosync has written an error, or has ended.
    stirred: bool,
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
    Broken(#[from] Broken),
    #[error("corosync does not answer since {} s; its log says more", OPEN_WITHIN.as_secs())]
    Silent,
    #[error("the configuration of the bus has changed")]
    Changed,
}

impl Engine {
    pub(super) fn new(queues: Queues) -> Self {
        Self {
            intent: queues.shared.intent(),
            queues,
            followed: u64::MAX,
            library: None,
            corosync: None,
            link: Link::Absent,
            spell: Spell::default(),
            failures: 0,
            adopted: false,
            warned: false,
            looks: 0,
            tended: Instant::now(),
            stirred: false,
        }
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        loop {
            self.queues.shared.nudge.clear();
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
        // Counted before it is copied: a change in between is followed again.
        let changes = self.queues.shared.changes();
        if mem::replace(&mut self.followed, changes) == changes {
            return;
        }
        let intent = self.queues.shared.intent();
        let old = mem::replace(&mut self.intent, intent);
        if self.intent.life != self.spell.life {
            self.close();
            self.spell.life = self.intent.life;
            self.failures = 0;
        }
        if self.intent.settings != old.settings {
            self.reconfigure(self.intent.settings.group != old.settings.group);
        }
    }

    /// Takes new settings; those of another group always end the membership.
    fn reconfigure(&mut self, regroup: bool) {
        if let Link::BackingOff { .. } = self.link {
            self.link = Link::Absent;
        }
        if self.adopted && matches!(self.link, Link::Open(_)) {
            tracing::warn!(
                "the corosync in use was not started by convoyd: its configuration stays as it is"
            );
        }
        let reloaded = self.corosync.as_mut().map(|corosync| corosync.reload(&self.intent.settings));
        let restart = match reloaded {
            Some(Ok(Reloaded::Restart)) => true,
            Some(Ok(Reloaded::Taken)) | None => false,
            Some(Err(error)) => {
                tracing::error!("{error}; the bus goes on as it was");
                self.queues.shared.set_state(|state| state.trouble = Some(error.to_string()));
                false
            }
        };
        if (regroup || restart) && self.intent.joined {
            self.lose(&Failure::Changed);
        }
        if restart {
            self.end_corosync();
        }
    }

    /// Goes on; returns how long it may be until the next time if nothing happens.
    fn step(&mut self) -> Duration {
        if mem::take(&mut self.stirred) {
            self.look();
        }
        let now = Instant::now();
        if !self.intent.joined {
            return IDLE;
        }
        let done = match &self.link {
            Link::BackingOff { until } if *until > now => Ok(()),
            Link::Absent | Link::BackingOff { .. } => self.connect(now),
            Link::Opening { until } => {
                let late = *until <= now;
                self.open(late)
            }
            Link::Open(_) => Ok(()),
        };
        let done = done.and_then(|()| self.converse());
        let pause = done.unwrap_or_else(|failure| {
            self.fail(failure);
            Duration::ZERO
        });
        match &self.link {
            Link::Absent => Duration::ZERO,
            Link::BackingOff { until } => until.saturating_duration_since(now),
            Link::Opening { .. } => OPEN_AGAIN,
            Link::Open(_) => pause,
        }
    }

    /// Takes what our corosync has written, and its end.
    fn look(&mut self) {
        let Some(trouble) = self.corosync.as_mut().and_then(Corosync::look) else { return };
        if !self.intent.joined {
            tracing::warn!("{trouble}");
            return self.end_corosync();
        }
        // What it had delivered before comes first; that there is no more of it is known.
        let last: Result<Duration, Failure> = self.converse();
        tracing::debug!(?last, "corosync has ended");
        self.fail(trouble.into());
    }

    /// Looks for a corosync that runs, else starts one.
    fn connect(&mut self, now: Instant) -> Result<(), Failure> {
        if self.library.is_none() {
            self.library = Some(Arc::new(Library::load().map_err(Failure::Library)?));
            self.queues.shared.set_state(|state| state.version = corosync::version());
        }
        if self.try_open()? {
            return Ok(());
        }
        if mem::take(&mut self.adopted) {
            // Whoever runs it starts it again; two would be in each other's way.
            self.link = Link::Opening { until: now + ADOPTED_BACK_WITHIN };
            return Ok(());
        }
        if self.corosync.is_none() {
            self.start_corosync()?;
        }
        self.link = Link::Opening { until: now + OPEN_WITHIN };
        Ok(())
    }

    fn start_corosync(&mut self) -> Result<(), Failure> {
        if self.intent.settings.key_file.is_none() && !mem::replace(&mut self.warned, true) {
            tracing::warn!(
                "bus_key_file is not set: the key of the bus is made of cluster_group alone, and keeps out only who \
                 does not know that name"
            );
        }
        let corosync = Corosync::start(&self.intent.settings)?;
        self.queues.shared.set_signaller(Some(corosync.child().signaller()));
        self.queues.shared.set_state(|state| state.pid = Some(corosync.child().pid()));
        self.corosync = Some(corosync);
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
            Err(error) => return Err(Broken::Cpg(error).into()),
        };
        let adopted = self.corosync.is_none();
        if adopted {
            tracing::info!(node = own.host, "a corosync runs here already and is used as it is");
        }
        self.adopted = adopted;
        self.queues.shared.set_state(|state| state.adopted = adopted);
        self.spell.number += 1;
        self.looks = 0;
        self.link = Link::Open(Box::new(Membership::new(connection, own, self.spell)));
        Ok(true)
    }

    fn open(&mut self, late: bool) -> Result<(), Failure> {
        if self.try_open()? {
            return Ok(());
        }
        match self.corosync.as_mut().map(Corosync::look) {
            Some(Some(trouble)) => Err(trouble.into()),
            Some(None) | None if !late => Ok(()),
            Some(None) => Err(Failure::Silent),
            // The one we used did not come back: start our own.
            None => {
                self.link = Link::Absent;
                Ok(())
            }
        }
    }

    fn converse(&mut self) -> Result<Duration, Failure> {
        let Link::Open(membership) = &mut self.link else { return Ok(Duration::ZERO) };
        // Its log may come a moment after its answers.
        if self.looks <= membership.age().min(DEAFNESS_LOOKS) {
            self.looks += 1;
            if let Some(deaf) = self.corosync.as_ref().and_then(Corosync::deafness) {
                return Err(deaf.into());
            }
        }
        let settings = &self.intent.settings;
        let pause = membership.converse(&settings.group, settings.token, &self.queues)?;
        if membership.told_as().is_some() {
            self.failures = 0;
        }
        Ok(pause)
    }

    /// Gives the attempt up: the failure is told, corosync ends if it is ours, and the next attempt waits.
    fn fail(&mut self, failure: Failure) {
        // If ours is gone, how it ended is the better reason.
        let gone = matches!(failure, Failure::Broken(Broken::Cpg(CpgError::Gone { .. })));
        let ended = self.corosync.as_mut().filter(|_| gone).and_then(Corosync::look_at_end);
        let midway = matches!(failure, Failure::Broken(Broken::Midway));
        self.lose(&ended.map_or(failure, Failure::Corosync));
        if !midway {
            self.end_corosync();
        }
        let delay = BACK_OFF_MIN.saturating_mul(1 << self.failures.min(16)).min(BACK_OFF_MAX);
        self.failures += 1;
        self.link = Link::BackingOff { until: Instant::now() + delay };
    }

    /// Ends the membership, and tells the member so.
    fn lose(&mut self, failure: &Failure) {
        let text = failure.to_string();
        let member = match &self.link {
            Link::Open(membership) => membership.told_as(),
            Link::Absent | Link::BackingOff { .. } | Link::Opening { .. } => None,
        };
        let shared = &self.queues.shared;
        if member.is_some() || shared.state().trouble.as_ref() != Some(&text) {
            tracing::warn!("the bus: {text}");
        }
        shared.set_state(|state| {
            state.losses += u64::from(member.is_some());
            state.trouble = Some(text.clone());
        });
        if let Failure::Broken(Broken::Wedged(_)) = failure
            && !shared.kill()
            && let Link::Open(membership) = mem::replace(&mut self.link, Link::Absent)
        {
            // It is not ours to kill, and would not answer a farewell.
            membership.abandon(&self.queues);
        }
        if let Some(own) = member {
            self.queues.tell(self.spell, own, Event::Lost(text));
            self.queues.shared.wake.wake();
        }
        self.close();
    }

    /// Leaves.
    fn close(&mut self) {
        self.queues.shared.set_state(|state| (state.connected, state.adopted) = (false, false));
        if let Link::Open(membership) = mem::replace(&mut self.link, Link::Absent) {
            membership.end(&self.queues);
        }
    }

    fn end_corosync(&mut self) {
        if let Some(corosync) = self.corosync.take() {
            corosync.stop();
            self.queues.shared.set_signaller(None);
            self.queues.shared.set_state(|state| state.pid = None);
        }
    }

    /// Waits until something happens, or for `pause`.
    fn wait(&mut self, pause: Duration) {
        if self.tended.elapsed() > TEND_EVERY {
            self.tended = Instant::now();
            self.corosync.iter_mut().for_each(Corosync::tend);
        }
        let membership = match &self.link {
            Link::Open(membership) => membership.fd(&self.queues),
            Link::Absent | Link::BackingOff { .. } | Link::Opening { .. } => None,
        };
        let mut fds: Vec<_> = self.corosync.iter().flat_map(Corosync::fds).collect();
        let of_corosync = fds.len();
        fds.extend(membership);
        let nudge = PollFd::new(&self.queues.shared.nudge, PollFlags::IN);
        let others = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN));
        let mut waited: Vec<_> = std::iter::once(nudge).chain(others).collect();
        let timeout = Timespec::try_from(pause).unwrap_or_default();
        if let Err(error) = poll(&mut waited, Some(&timeout))
            && error != rustix::io::Errno::INTR
        {
            tracing::error!(%error, "the bus cannot wait for corosync");
        }
        self.stirred = waited.iter().skip(1).take(of_corosync).any(|fd| !fd.revents().is_empty());
    }
}

/// Nothing is expected; a child that ends wakes anyway.
const IDLE: Duration = Duration::from_mins(1);
/// chosen: corosync starts in 0.2 s, and an attempt takes half a millisecond.
const OPEN_AGAIN: Duration = Duration::from_millis(10);
/// chosen: a loaded host takes a second to start it.
const OPEN_WITHIN: Duration = Duration::from_secs(15);
/// chosen: service managers wait some hundred milliseconds before they start a program again.
const ADOPTED_BACK_WITHIN: Duration = Duration::from_secs(5);
/// First and longest wait after failures in a row.
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
/// See [`BACK_OFF_MIN`].
const BACK_OFF_MAX: Duration = Duration::from_secs(5);
/// Seconds in which the log is looked at. chosen: corosync writes it within one.
const DEAFNESS_LOOKS: u32 = 3;
/// chosen: the log grows by some lines when nodes come and go.
const TEND_EVERY: Duration = Duration::from_mins(1);

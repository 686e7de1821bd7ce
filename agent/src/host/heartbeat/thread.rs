//! The thread itself: sleeps until a heartbeat is due, one arrives, or somebody falls silent.
use super::{Event, Link, PeerBeats, Plan, Priority, Refusal, keeping::Keeping, sockets::Sockets};
use crate::sys::{realtime, wake::Wake};
use convoy_core::{
    bounds,
    group::{Detector, Pulse, detector::Watch},
    time::{Instant, Span},
    wire::{
        Beat,
        beat::{self, View},
    },
};
use crossbeam_channel::{Sender, TrySendError};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// Where the thread tells what it finds.
pub(super) struct Outlet {
    pub(super) events: Sender<Event>,
    pub(super) wake: Wake,
}

/// See the module.
struct Heart {
    link: Link,
    outlet: Outlet,
    plan: Plan,
    view: View,
    keeping: Keeping,
    detector: Detector,
    pulse: Pulse,
    sockets: Sockets,
    /// When sockets that could not be had are asked for again.
    reopen_at: Option<Instant>,
    trouble: Option<Arc<str>>,
    /// Peers in the detector's order: where they are, and what did not go out to them.
    targets: Vec<(SocketAddr, u64)>,
    sent: u64,
    refused: [u64; Refusal::COUNT],
    /// Reasons that the cluster thread was told of.
    told: [bool; Refusal::COUNT],
    deferred: u64,
    is_deferring: bool,
    late_max: Span,
    /// Somebody held the orders when they were looked for.
    mail_waits: bool,
    /// Peers whose row in the snapshot is old, one bit each.
    stale: u64,
    datagram: [u8; DATAGRAM_BYTES],
}

/// Runs until it is told to stop; tells `ready` when everybody is in the snapshot.
pub(super) fn run(plan: Plan, link: Link, outlet: Outlet, ready: &Sender<()>) {
    let priority = run_first();
    let now = link.now();
    let mut heart = Heart {
        pulse: Pulse::new(plan.interval, now),
        view: View::default(),
        keeping: Keeping::default(),
        detector: Detector::default(),
        sockets: Sockets::default(),
        reopen_at: None,
        trouble: None,
        targets: Vec::new(),
        sent: 0,
        refused: [0; Refusal::COUNT],
        told: [false; Refusal::COUNT],
        deferred: 0,
        is_deferring: false,
        late_max: Span::ZERO,
        mail_waits: false,
        stale: 0,
        datagram: [0; DATAGRAM_BYTES],
        plan,
        link,
        outlet,
    };
    heart.link.board().priority = priority;
    heart.prepare(now);
    if ready.send(()).is_err() {
        return;
    }
    if let Err(error) = heart.beat_on() {
        tracing::error!(%error, "the heartbeat thread cannot wait for its sockets");
    }
}

impl Heart {
    fn beat_on(&mut self) -> io::Result<()> {
        loop {
            let wanted = self.next();
            let was_nudged = self.wait(wanted)?;
            let now = self.link.now();
            if let Some(wanted) = wanted {
                let late = now.since(wanted);
                self.late_max = self.late_max.max(late);
                self.detector.excuse(now, late);
            }
            if (was_nudged || self.mail_waits) && self.take_mail(now) {
                return Ok(());
            }
            if self.reopen_at.is_some_and(|at| at <= now) {
                self.open(now);
            }
            self.receive(now);
            let heard = self.detector.heard_now(now);
            self.detector.tick(now);
            if self.plan.lease.is_some() && self.detector.heard_now(now) < heard {
                // Whoever is not heard is to know at once that its addresses may be taken over.
                self.pulse.hurry(now);
            }
            if let Some(news) = self.keeping.tick(now, &self.detector, &self.link)
                && !self.offer(Event::Lease(news))
            {
                self.keeping.keep_news();
            }
            self.send(now);
            self.tell(now);
            self.publish();
        }
    }

    /// Returns when there is something to do although nothing arrives.
    fn next(&self) -> Option<Instant> {
        let due = (!self.plan.peers.is_empty()).then(|| self.pulse.due());
        let retry = self.mail_waits || self.stale != 0 || self.detector.has_news() || self.keeping.has_news();
        let soon = retry.then(|| self.link.now() + RETRY);
        let lease = self.keeping.next_deadline();
        [due, soon, self.reopen_at, self.detector.next_deadline(), lease].into_iter().flatten().min()
    }

    /// Sleeps until then, or until something arrives. Returns whether there may be orders.
    fn wait(&self, until: Option<Instant>) -> io::Result<bool> {
        let timeout = until.map(|until| timespec(until.since(self.link.now())));
        let nudge = PollFd::new(self.link.nudge(), PollFlags::IN);
        let ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let mut sockets = self.sockets.iter().map(|socket| PollFd::new(socket, PollFlags::IN));
        // As many descriptors as there are; on the stack.
        let (polled, nudged) = match (sockets.next(), sockets.next()) {
            (None, _) => {
                let mut fds = [nudge];
                (poll(&mut fds, timeout.as_ref()), ready(&fds[0]))
            }
            (Some(one), None) => {
                let mut fds = [nudge, one];
                (poll(&mut fds, timeout.as_ref()), ready(&fds[0]))
            }
            (Some(one), Some(other)) => {
                let mut fds = [nudge, one, other];
                (poll(&mut fds, timeout.as_ref()), ready(&fds[0]))
            }
        };
        match polled {
            Ok(_) | Err(Errno::INTR) => Ok(nudged),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the orders that wait. Returns whether to end.
    fn take_mail(&mut self, now: Instant) -> bool {
        self.link.nudge().clear();
        let Some(mail) = self.link.try_mail() else {
            self.mail_waits = true;
            return false;
        };
        self.mail_waits = false;
        if let Some(view) = mail.view.filter(|view| *view != self.view) {
            self.view = view;
            self.detector.set_epoch(now, view.epoch);
            if self.plan.lease.is_some() {
                // Whoever is not in it is to know at once.
                self.pulse.hurry(now);
            }
        }
        if let Some(lease) = mail.lease {
            self.keeping.set_lease(lease);
        }
        if let Some((plan, done)) = mail.plan {
            self.plan = plan;
            self.pulse.set_interval(self.plan.interval, now);
            self.prepare(now);
            if done.send(()).is_err() {
                tracing::debug!("the daemon did not wait for the heartbeats to change");
            }
        }
        if mail.stop {
            self.keeping.end();
        }
        mail.stop
    }

    /// Brings everything in line with the plan; allocates.
    fn prepare(&mut self, now: Instant) {
        let unsent = |name: &str| {
            let known = self.detector.watches().iter().position(|watch| **watch.name() == *name);
            known.and_then(|at| self.targets.get(at)).map_or(0, |(_, unsent)| *unsent)
        };
        let target =
            |(name, address): (&Arc<str>, &IpAddr)| (SocketAddr::new(*address, self.plan.port), unsent(name));
        self.targets = self.plan.peers.iter().map(target).collect();
        // The thread's clock starts with it, and it starts with the daemon.
        self.keeping.set_rules(self.plan.lease);
        self.detector.tell_early(self.plan.lease.is_some());
        self.detector.set_grace(self.plan.lease.map(|rules| rules.grace()));
        let listen_from = Instant::from_ns(0) + self.plan.start_delay;
        self.detector.set_peers(&self.plan.name, &self.plan.peers, listen_from);
        let rows =
            self.detector.watches().iter().zip(&self.targets).map(|(watch, target)| row(watch, target.1));
        self.link.board().peers = rows.collect();
        self.open(now);
    }

    /// Opens the sockets that the plan needs and that are not open.
    fn open(&mut self, now: Instant) {
        let trouble = self.sockets.adapt(&self.plan).err().map(|(at, error)| {
            let text = format!(
                "cannot exchange heartbeats on UDP {at}: {error}; see who has it with `ss -Hlunp sport = {}`, and \
                 whether the address is on this host",
                at.port()
            );
            Arc::<str>::from(text)
        });
        self.reopen_at = trouble.is_some().then(|| now + REOPEN);
        if let Some(text) = trouble.as_ref().filter(|text| self.trouble.as_ref() != Some(*text)) {
            self.offer(Event::Trouble(text.to_string()));
        }
        self.trouble.clone_from(&trouble);
        self.link.board().trouble = trouble;
    }

    /// Reads what has arrived.
    fn receive(&mut self, now: Instant) {
        let Self { sockets, detector, datagram, .. } = self;
        let mut first = [None; Refusal::COUNT];
        for socket in sockets.iter() {
            for _ in 0..bounds::BEATS_READ_MAX {
                // Anything but a datagram means that there is none now; the next look tells what lasts.
                let Ok((length, from)) = socket.recv_from(datagram) else { break };
                let from = from.ip().to_canonical();
                let heard = Beat::parse(&datagram[..length])
                    .map_err(Refusal::from)
                    .and_then(|beat| detector.heard(now, from, &beat).map_err(Refusal::from));
                match heard {
                    Ok(at) => self.stale |= 1 << at,
                    Err(why) => {
                        self.refused[why.index()] += 1;
                        first[why.index()].get_or_insert((why, from));
                    }
                }
            }
        }
        for (why, from) in first.into_iter().flatten() {
            if !self.told[why.index()] {
                self.told[why.index()] = self.offer(Event::Refused { why, from });
            }
        }
    }

    /// Says that this process lives, if it is time.
    fn send(&mut self, now: Instant) {
        if self.plan.peers.is_empty() {
            return;
        }
        let Some(sequence) = self.pulse.beat(now) else { return };
        let mut beat = Beat {
            name: &self.plan.name,
            incarnation: self.plan.incarnation,
            sequence,
            interval_us: u32::try_from(self.pulse.interval().as_ns() / 1_000).unwrap_or(u32::MAX),
            unheard: false,
            view: self.view,
            roll: self.detector.roll(),
        };
        let mut buffer = [0; beat::BYTES_MAX];
        for ((to, unsent), watch) in self.targets.iter_mut().zip(self.detector.watches()) {
            beat.unheard = !watch.is_heard();
            let bytes = beat.emit(&mut buffer);
            // Whatever it is, the next heartbeat is the next attempt.
            match self.sockets.send(bytes, *to) {
                Ok(()) => self.sent += 1,
                Err(_) => *unsent += 1,
            }
        }
    }

    /// Hands on what changed. What finds no room stays with the detector, and is replaced there by what is newer.
    fn tell(&mut self, now: Instant) {
        while self.detector.has_news() {
            if self.outlet.events.is_full() {
                self.deferred += u64::from(!self.is_deferring);
                self.is_deferring = true;
                return;
            }
            self.is_deferring = false;
            let Some(opinion) = self.detector.poll(now) else { return };
            let at = self.detector.watches().iter().position(|watch| *watch.name() == opinion.name);
            self.stale |= at.map_or(0, |at| 1 << at);
            self.offer(Event::Opinion(opinion));
        }
    }

    /// Puts an event in the queue, if there is room, and wakes who reads it.
    fn offer(&self, event: Event) -> bool {
        match self.outlet.events.try_send(event) {
            Ok(()) => {
                self.outlet.wake.wake();
                true
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// Brings the snapshot up to date, unless it is being read.
    fn publish(&mut self) {
        let Some(mut board) = self.link.try_board() else { return };
        board.sent = self.sent;
        board.refused = self.refused;
        board.deferred = self.deferred;
        board.late_max = self.late_max;
        for (at, watch) in self.detector.watches().iter().enumerate() {
            let (Some(target), Some(to)) = (self.targets.get(at), board.peers.get_mut(at)) else { continue };
            to.unsent = target.1;
            if self.stale & (1 << at) != 0 {
                *to = row(watch, target.1);
            }
        }
        self.stale = 0;
    }
}

fn row(watch: &Watch, unsent: u64) -> PeerBeats {
    PeerBeats {
        name: watch.name().clone(),
        incarnation: watch.incarnation(),
        heard_at: watch.heard_at(),
        suspect: watch.is_suspect(),
        interval: watch.interval(),
        counts: watch.counts(),
        view: watch.view(),
        unsent,
    }
}

/// Makes the calling thread run before others as far as it may, and tells how far that is.
fn run_first() -> Priority {
    let refused = match realtime::run_first() {
        Ok(()) => {
            tracing::info!(priority = realtime::PRIORITY, "heartbeats run at real-time priority (SCHED_RR)");
            return Priority::RealTime;
        }
        Err(error) => error,
    };
    match realtime::run_before_ordinary() {
        Ok(()) => {
            tracing::info!(%refused, nice = realtime::NICE, "heartbeats run before ordinary threads, not at real-time priority");
            Priority::Nice
        }
        Err(error) => {
            tracing::warn!(
                %error,
                "heartbeats run at ordinary priority: peers may suspect this node when it is busy; grant CAP_SYS_NICE"
            );
            Priority::Ordinary
        }
    }
}

fn timespec(span: Span) -> Timespec {
    let second = Span::from_secs(1).as_ns();
    let part = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Timespec { tv_sec: part(span.as_ns() / second), tv_nsec: part(span.as_ns() % second) }
}

/// Room for one datagram, and a byte by which a longer one is known to be none of ours.
const DATAGRAM_BYTES: usize = beat::BYTES_MAX + 1;
/// Pause before a lock that was held, or a queue that was full, is tried again.
const RETRY: Span = Span::from_ms(1);
/// Pause before sockets that could not be had are asked for again.
const REOPEN: Span = Span::from_secs(1);

const _: () = assert!(bounds::NODES_MAX <= u64::BITS as usize);

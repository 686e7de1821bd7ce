//! The user's side of the corosync engine: a [`Bus`] that never waits.
use super::{
    Settings, State,
    engine::Engine,
    shared::{Incoming, Outgoing, Queues, Shared, Spell, weight},
};
use crate::sys::{realtime, wake::Wake};
use convoy_core::{
    bounds,
    group::bus::{Bus, Event, MemberId, Unsent},
};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

/// How stopping went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// The thread waits for a corosync that does not answer; it ends with this process.
    #[error("corosync does not answer; its connection was given up")]
    Abandoned,
    /// Our bug; the message is in the log.
    #[error("the bus thread panicked")]
    Panicked,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Front {
    shared: Arc<Shared>,
    out: Sender<Outgoing>,
    events: Receiver<Incoming>,
    thread: Option<JoinHandle<()>>,
    /// Disconnected when the thread ends.
    ended: Receiver<()>,
    joined: bool,
    life: u64,
    /// Of the configuration that was polled last, while the membership lasts.
    member: Option<(Spell, MemberId)>,
    /// A message was refused, and no room told since.
    refused: bool,
}

impl Front {
    pub(super) fn spawn(settings: Settings, wake: Wake) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(settings, Wake::new()?, wake));
        let (out, outgoing) = bounded(bounds::BUS_QUEUE_MAX);
        let (incoming, events) = bounded(bounds::BUS_QUEUE_MAX + EVENTS_SPARE);
        let (running, ended) = bounded(1);
        let run = {
            let shared = shared.clone();
            move || {
                let _running: Sender<()> = running;
                // A busy host must not look dead: agreement goes before whatever else wants the processor.
                if let Err(error) = realtime::run_before_ordinary() {
                    tracing::debug!(%error, "the bus thread runs at ordinary priority; grant CAP_SYS_NICE");
                }
                Engine::new(Queues { shared, outgoing, incoming }).run();
            }
        };
        let thread = thread::Builder::new().name("bus".into()).stack_size(STACK_BYTES).spawn(run)?;
        Ok(Self {
            shared,
            out,
            events,
            thread: Some(thread),
            ended,
            joined: false,
            life: 0,
            member: None,
            refused: false,
        })
    }

    pub(super) fn reload(&self, settings: Settings) {
        self.shared.want(|intent| intent.settings = settings);
    }

    pub(super) fn state(&self) -> State {
        self.shared.state()
    }

    pub(super) fn stop(&mut self) -> Result<(), Stopped> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.shared.want(|intent| intent.stop = true);
        let ended =
            |within| self.ended.recv_timeout(within) != Err(crossbeam_channel::RecvTimeoutError::Timeout);
        if !ended(STOP_WITHIN) {
            // A stopped corosync answers nothing; dead it ends every wait for it.
            if !self.shared.kill() || !ended(STOP_AFTER_KILL_WITHIN) {
                return Err(Stopped::Abandoned);
            }
        }
        thread.join().map_err(|_panic| Stopped::Panicked)
    }

    fn intend(&mut self, joined: bool) {
        self.joined = joined;
        self.life += 1;
        (self.member, self.refused) = (None, false);
        let life = self.life;
        self.shared.want(|intent| (intent.life, intent.joined) = (life, joined));
    }
}

impl Bus for Front {
    fn id(&self) -> Option<MemberId> {
        self.member.map(|(_, own)| own)
    }

    fn join(&mut self) {
        if !self.joined {
            self.intend(true);
        }
    }

    fn leave(&mut self) {
        if self.joined {
            self.intend(false);
        }
    }

    fn multicast(&mut self, payload: &[u8]) -> Result<(), Unsent> {
        let Some((spell, _)) = self.member else { return Err(Unsent::Absent) };
        if payload.len() > bounds::BUS_MESSAGE_MAX {
            return Err(Unsent::TooLong);
        }
        if !self.shared.out.has_room() {
            self.refused = true;
            return Err(Unsent::Full);
        }
        self.shared.out.add(payload.len());
        if self.out.try_send(Outgoing { spell, payload: payload.to_vec() }).is_err() {
            // The queue has room for all that `out` lets through: the thread has ended.
            self.shared.out.remove(payload.len());
            return Err(Unsent::Absent);
        }
        self.shared.nudge.wake();
        Ok(())
    }

    fn poll(&mut self) -> Option<Event> {
        if self.refused && self.shared.out.is_half_gone() {
            self.refused = false;
            return Some(Event::Room);
        }
        for Incoming { spell, own, event } in self.events.try_iter() {
            if self.shared.events.remove(weight(&event)) {
                self.shared.nudge.wake();
            }
            if spell.life != self.life {
                continue;
            }
            match &event {
                Event::Configuration(_) => self.member = Some((spell, own)),
                Event::Lost(_) => (self.member, self.refused) = (None, false),
                Event::Message { .. } | Event::Room => {}
            }
            return Some(event);
        }
        None
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "the bus did not stop in order");
        }
    }
}

/// One look of the bus thread delivers a loss, and both configurations of a change, although the queue is full.
const EVENTS_SPARE: usize = 8;
/// libcpg puts a message of up to 1 MiB on the stack when it dispatches, and 64 KiB when it sends.
const STACK_BYTES: usize = 4 << 20;
/// chosen: a corosync in order ends in 40 ms, and gets two seconds before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(3);
/// chosen: libqb looks every two seconds whether the side it waits for still lives.
const STOP_AFTER_KILL_WITHIN: Duration = Duration::from_secs(3);

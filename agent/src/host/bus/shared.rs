//! What the two sides of the bus share: the user's intent, the messages on their way, how it fares.
//!
//! Invariants: 1. a message and an event carry the number of the life (one join of the user's) and of the spell (one
//! membership of the engine's) that they belong to, and are dropped in any other; 2. what waits in either direction is
//! bounded in number and bytes; 3. whoever makes room for a side that found none wakes it.
use super::{Engine, Settings, State};
use crate::sys::{child::Signaller, wake::Wake};
use convoy_core::{
    bounds,
    group::bus::{Event, MemberId},
};
use crossbeam_channel::{Receiver, Sender};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
};

/// Which membership something belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spell {
    /// Counts the user's joins and leaves.
    pub(super) life: u64,
    /// Counts the engine's memberships.
    pub(super) number: u64,
}

/// A message on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) spell: Spell,
    pub(super) payload: Vec<u8>,
}

/// An event on its way to the user, with this process's name at it.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) spell: Spell,
    pub(super) own: MemberId,
    pub(super) event: Event,
}

/// What the user wants; the latest counts.
#[derive(Clone, Debug)]
pub(super) struct Intent {
    pub(super) life: u64,
    pub(super) joined: bool,
    pub(super) stop: bool,
    pub(super) settings: Settings,
}

/// How many wait, and how much they are.
#[derive(Debug, Default)]
pub(super) struct Load {
    len: AtomicUsize,
    bytes: AtomicUsize,
    /// Somebody found no room.
    starved: AtomicBool,
}

impl Load {
    pub(super) fn add(&self, bytes: usize) {
        self.len.fetch_add(1, SeqCst);
        self.bytes.fetch_add(bytes, SeqCst);
    }

    /// Takes one off; returns whether whoever found no room is to be woken.
    pub(super) fn remove(&self, bytes: usize) -> bool {
        self.len.fetch_sub(1, SeqCst);
        self.bytes.fetch_sub(bytes, SeqCst);
        self.starved.load(SeqCst) && self.is_half_gone() && self.starved.swap(false, SeqCst)
    }

    /// Returns whether one more may wait. If not, whoever makes room will say so.
    pub(super) fn has_room(&self) -> bool {
        if !self.is_full() {
            return true;
        }
        self.starved.store(true, SeqCst);
        // What went between the two looks has not seen that somebody waits.
        !self.is_full()
    }

    pub(super) fn is_half_gone(&self) -> bool {
        self.len.load(SeqCst) <= bounds::BUS_QUEUE_MAX / 2
            && self.bytes.load(SeqCst) <= bounds::BUS_QUEUE_BYTES_MAX / 2
    }

    fn is_full(&self) -> bool {
        self.len.load(SeqCst) >= bounds::BUS_QUEUE_MAX
            || self.bytes.load(SeqCst) >= bounds::BUS_QUEUE_BYTES_MAX
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    intent: Mutex<Intent>,
    /// Counts the changes of the intent: the thread copies it when it has changed, not whenever it is woken.
    changes: AtomicU64,
    state: Mutex<State>,
    /// Of our corosync, so that a thread that waits for it can be freed.
    signaller: Mutex<Option<Signaller>>,
    /// Messages on their way out.
    pub(super) out: Load,
    /// Events on their way to the user.
    pub(super) events: Load,
    /// Wakes the bus thread.
    pub(super) nudge: Wake,
    /// Wakes the user.
    pub(super) wake: Wake,
}

impl Shared {
    pub(super) fn new(settings: Settings, nudge: Wake, wake: Wake) -> Self {
        let state = State {
            engine: Engine::Corosync,
            connected: false,
            trouble: None,
            pid: None,
            version: None,
            adopted: false,
            losses: 0,
        };
        Self {
            changes: AtomicU64::new(0),
            intent: Mutex::new(Intent { life: 0, joined: false, stop: false, settings }),
            state: Mutex::new(state),
            signaller: Mutex::new(None),
            out: Load::default(),
            events: Load::default(),
            nudge,
            wake,
        }
    }

    pub(super) fn intent(&self) -> Intent {
        lock(&self.intent).clone()
    }

    /// Returns how many times the intent has changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(SeqCst)
    }

    /// Changes what is wanted, and has the thread look.
    pub(super) fn want(&self, change: impl FnOnce(&mut Intent)) {
        change(&mut lock(&self.intent));
        self.changes.fetch_add(1, SeqCst);
        self.nudge.wake();
    }

    pub(super) fn state(&self) -> State {
        lock(&self.state).clone()
    }

    pub(super) fn set_state(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
    }

    pub(super) fn set_signaller(&self, signaller: Option<Signaller>) {
        *lock(&self.signaller) = signaller;
    }

    /// Kills our corosync, if there is one; tells whether there was.
    pub(super) fn kill(&self) -> bool {
        let signaller = lock(&self.signaller).clone();
        signaller.map(|signaller| signaller.kill()).is_some()
    }
}

/// The bus thread's ends of the queues.
#[derive(Debug)]
pub(super) struct Queues {
    pub(super) shared: Arc<Shared>,
    pub(super) outgoing: Receiver<Outgoing>,
    pub(super) incoming: Sender<Incoming>,
}

impl Queues {
    /// Puts an event in its queue, of which the caller knows that it has room.
    pub(super) fn tell(&self, spell: Spell, own: MemberId, event: Event) {
        self.shared.events.add(weight(&event));
        let sent = self.incoming.try_send(Incoming { spell, own, event });
        // Full it cannot be, and when the user's side is gone nobody reads.
        debug_assert!(
            !sent.is_err_and(|error| error.is_full()),
            "the queue has room for what a look delivers"
        );
    }

    /// A message of so many bytes does not wait any more, and is not delivered.
    pub(super) fn forget(&self, bytes: usize) {
        if self.shared.out.remove(bytes) {
            self.shared.wake.wake();
        }
    }

    /// Drops all messages on their way out.
    pub(super) fn forget_outgoing(&self) {
        self.outgoing.try_iter().for_each(|message| self.forget(message.payload.len()));
    }
}

/// Returns what an event weighs in its queue.
pub(super) fn weight(event: &Event) -> usize {
    match event {
        Event::Message { payload, .. } => payload.len(),
        Event::Configuration(_) | Event::Room | Event::Lost(_) => 0,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_found_no_room_is_woken_once_when_half_is_gone() {
        let load = Load::default();
        for _ in 0..bounds::BUS_QUEUE_MAX {
            assert!(load.has_room());
            load.add(1);
        }
        assert!(!load.has_room());
        let woken = (0..bounds::BUS_QUEUE_MAX).filter(|_| load.remove(1)).count();
        assert_eq!(woken, 1);
        assert!(load.has_room());
    }

    #[test]
    fn few_large_ones_fill_it_too() {
        let load = Load::default();
        load.add(bounds::BUS_QUEUE_BYTES_MAX);
        assert!(!load.has_room());
        assert!(load.remove(bounds::BUS_QUEUE_BYTES_MAX));
    }
}

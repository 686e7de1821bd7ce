//! The bus of a process that is alone: every configuration is itself, every message comes straight back.
use super::bus::{Bus, Configuration, Event, Kind, MemberId, Unsent};
use crate::bounds;
use alloc::{collections::VecDeque, vec::Vec};

/// See the module.
#[derive(Clone, Debug)]
pub struct Solo {
    own: MemberId,
    joined: bool,
    waiting: usize,
    full: bool,
    events: VecDeque<Event>,
}

impl Solo {
    /// Returns the bus of the process with this number. It has not joined.
    pub fn new(process: u32) -> Self {
        let own = MemberId { host: 1, process };
        Self { own, joined: false, waiting: 0, full: false, events: VecDeque::new() }
    }
}

impl Bus for Solo {
    fn id(&self) -> Option<MemberId> {
        self.joined.then_some(self.own)
    }

    fn join(&mut self) {
        if self.joined {
            return;
        }
        self.joined = true;
        let members = [self.own].into();
        self.events.push_back(Event::Configuration(Configuration { kind: Kind::Regular, members }));
    }

    fn leave(&mut self) {
        *self = Self::new(self.own.process);
    }

    fn multicast(&mut self, payload: &[u8]) -> Result<(), Unsent> {
        if !self.joined {
            return Err(Unsent::Absent);
        }
        if payload.len() > bounds::BUS_MESSAGE_MAX {
            return Err(Unsent::TooLong);
        }
        if self.full || self.waiting >= bounds::BUS_QUEUE_MAX {
            self.full = true;
            return Err(Unsent::Full);
        }
        self.waiting += 1;
        self.events.push_back(Event::Message { sender: self.own, payload: Vec::from(payload) });
        Ok(())
    }

    fn poll(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if matches!(event, Event::Message { .. }) {
            self.waiting -= 1;
            if self.full && self.waiting <= bounds::BUS_QUEUE_MAX / 2 {
                self.full = false;
                self.events.push_back(Event::Room);
            }
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined() -> Solo {
        let mut bus = Solo::new(7);
        bus.join();
        assert!(matches!(bus.poll(), Some(Event::Configuration(_))));
        bus
    }

    #[test]
    fn the_only_configuration_is_itself() {
        let mut bus = Solo::new(7);
        assert_eq!((bus.id(), bus.poll(), bus.multicast(b"x")), (None, None, Err(Unsent::Absent)));
        bus.join();
        bus.join();
        let own = bus.id().expect("it has joined");
        let alone = Configuration { kind: Kind::Regular, members: [own].into() };
        assert_eq!((bus.poll(), bus.poll()), (Some(Event::Configuration(alone)), None));
        assert_eq!(own.process, 7);
    }

    #[test]
    fn messages_come_back_in_their_order_and_whole() {
        let mut bus = joined();
        let longest = alloc::vec![9; bounds::BUS_MESSAGE_MAX];
        for payload in [b"one".as_slice(), b"", &longest] {
            assert_eq!(bus.multicast(payload), Ok(()));
        }
        let sender = bus.id().expect("it has joined");
        for payload in [b"one".to_vec(), Vec::new(), longest] {
            assert_eq!(bus.poll(), Some(Event::Message { sender, payload }));
        }
        assert_eq!(bus.multicast(&alloc::vec![9; bounds::BUS_MESSAGE_MAX + 1]), Err(Unsent::TooLong));
        assert_eq!(bus.poll(), None, "what was refused is not delivered");
    }

    #[test]
    fn who_was_refused_is_told_once_when_half_has_gone() {
        let mut bus = joined();
        for _ in 0..bounds::BUS_QUEUE_MAX {
            assert_eq!(bus.multicast(b"x"), Ok(()));
        }
        assert_eq!((bus.multicast(b"x"), bus.multicast(b"x")), (Err(Unsent::Full), Err(Unsent::Full)));
        for _ in 0..bounds::BUS_QUEUE_MAX / 2 {
            assert_eq!(bus.multicast(b"x"), Err(Unsent::Full), "not before half has gone");
            assert!(matches!(bus.poll(), Some(Event::Message { .. })));
        }
        assert_eq!(bus.multicast(b"x"), Ok(()));
        let mut rooms = 0;
        while let Some(event) = bus.poll() {
            rooms += u32::from(event == Event::Room);
        }
        assert_eq!(rooms, 1);
    }

    #[test]
    fn nothing_is_delivered_to_who_has_left() {
        let mut bus = joined();
        assert_eq!(bus.multicast(b"x"), Ok(()));
        bus.leave();
        assert_eq!((bus.id(), bus.poll(), bus.multicast(b"x")), (None, None, Err(Unsent::Absent)));
        bus.join();
        assert!(matches!(bus.poll(), Some(Event::Configuration(_))));
        assert_eq!(bus.poll(), None, "nor in the next life");
    }
}

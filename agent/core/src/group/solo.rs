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
        if self.waiting >= bounds::BUS_QUEUE_MAX {
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

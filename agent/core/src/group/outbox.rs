//! Own messages on their way to the bus: a few at a time, so that an engine is never full of them.
//!
//! The bus delivers what a process sends to itself too; that is how the outbox knows what has gone.
use crate::bounds;
use alloc::{collections::VecDeque, vec::Vec};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    /// What the membership says; sent before everything else.
    first: VecDeque<Vec<u8>>,
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
    under_way: usize,
    refused: u64,
}

/// The outbox is full; counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Outbox {
    /// Takes a message.
    ///
    /// # Errors
    /// When [`BUS_WAITING_MAX`](bounds::BUS_WAITING_MAX) bytes would wait.
    pub fn push(&mut self, message: Vec<u8>) -> Result<(), Full> {
        if self.waiting_bytes + message.len() > bounds::BUS_WAITING_MAX {
            self.refused += 1;
            return Err(Full);
        }
        self.waiting_bytes += message.len();
        self.waiting.push_back(message);
        Ok(())
    }

    /// Takes a message of the membership: there are two at most, and nothing works without them.
    pub fn push_first(&mut self, message: Vec<u8>) {
        self.first.push_back(message);
    }

    /// Takes a message that others wait for: there are a few in each step that members take together, and the bus is lost
    /// before they become many.
    pub fn push_agreed(&mut self, message: Vec<u8>) {
        self.waiting_bytes += message.len();
        self.waiting.push_back(message);
    }

    /// Returns the next message to send now.
    pub fn send(&mut self) -> Option<Vec<u8>> {
        if self.under_way >= bounds::BUS_WINDOW {
            return None;
        }
        let message = self.first.pop_front().or_else(|| {
            let message = self.waiting.pop_front()?;
            self.waiting_bytes -= message.len();
            Some(message)
        })?;
        self.under_way += 1;
        Some(message)
    }

    /// An own message has come back.
    pub fn delivered(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// The bus is lost: nothing that was said there is of use on the next one.
    pub fn clear(&mut self) {
        *self = Self { refused: self.refused, ..Self::default() };
    }

    /// Returns how many messages were refused since the start.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn no_more_than_the_window_is_under_way() {
        let mut outbox = Outbox::default();
        for n in 0..=bounds::BUS_WINDOW {
            outbox.push(vec![u8::try_from(n).unwrap()]).unwrap();
        }
        let sent = core::iter::from_fn(|| outbox.send()).count();
        assert_eq!(sent, bounds::BUS_WINDOW);
        outbox.delivered();
        assert_eq!((outbox.send(), outbox.send()), (Some(vec![64]), None));
    }

    #[test]
    fn too_much_is_refused_and_counted_but_not_the_membership() {
        let mut outbox = Outbox::default();
        outbox.push(vec![0; bounds::BUS_WAITING_MAX]).unwrap();
        assert_eq!((outbox.push(vec![0]), outbox.refused()), (Err(Full), 1));
        outbox.push_first(vec![7]);
        assert_eq!(outbox.send(), Some(vec![7]));
        outbox.clear();
        assert_eq!((outbox.send(), outbox.refused()), (None, 1));
    }
}

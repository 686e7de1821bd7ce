//! Messages that say who sent them, as which one, and whether they came whole.
//!
//! ```text
//! 0..2  seat      2..4  life      4..8  number      8..12  length of it all      12..  filler, from all of these
//! ```
//!
//! Numbers are little endian.
use crate::prng::mix;
use std::fmt;

/// A message's name, unique in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// The process that sent it, by its number in the run.
    pub seat: u16,
    /// Which of the lives of that process, from 0.
    pub life: u16,
    /// Which of the messages of that life, from 0.
    pub number: u32,
}

impl Tag {
    /// Bytes of the shortest message.
    pub const LEN_MIN: usize = 12;

    /// Returns the message of this name with so many bytes; with [`LEN_MIN`](Self::LEN_MIN) if those are fewer.
    pub fn payload(self, len: usize) -> Vec<u8> {
        let len = len.max(Self::LEN_MIN);
        let mut payload = Vec::with_capacity(len);
        payload.extend(self.seat.to_le_bytes());
        payload.extend(self.life.to_le_bytes());
        payload.extend(self.number.to_le_bytes());
        payload.extend(u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
        let mut block = self.first_block();
        while payload.len() < len {
            block = mix(block);
            let rest = len - payload.len();
            payload.extend(&block.to_le_bytes()[..rest.min(8)]);
        }
        payload
    }

    /// Reads the name of a message; `None` if it is not, byte for byte, what its sender made.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let (seat, rest) = payload.split_first_chunk()?;
        let (life, rest) = rest.split_first_chunk()?;
        let (number, _) = rest.split_first_chunk()?;
        let tag = Self {
            seat: u16::from_le_bytes(*seat),
            life: u16::from_le_bytes(*life),
            number: u32::from_le_bytes(*number),
        };
        (payload.len() >= Self::LEN_MIN && tag.payload(payload.len()) == payload).then_some(tag)
    }

    fn first_block(self) -> u64 {
        u64::from(self.seat) << 48 | u64::from(self.life) << 32 | u64::from(self.number)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.seat, self.life, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_tells_its_name_and_any_damage() {
        let tag = Tag { seat: 2, life: 1, number: 70_000 };
        for len in [0, 12, 13, 19, 20, 21, 4_000] {
            let payload = tag.payload(len);
            assert_eq!(payload.len(), len.max(Tag::LEN_MIN));
            assert_eq!(Tag::read(&payload), Some(tag));
            assert_eq!(Tag::read(&payload[..payload.len() - 1]), None, "cut short");
            for at in 0..payload.len().min(40) {
                let mut damaged = payload.clone();
                damaged[at] ^= 1;
                assert_ne!(Tag::read(&damaged), Some(tag), "a bit of byte {at}");
            }
        }
        assert_eq!(Tag::read(b""), None);
    }
}

//! The messages: what each kind of frame carries.
//!
//! ```text
//!  kind  message    payload
//!     1  hello      incarnation u64, interval_us u32, name text, group text, build text
//!     2  welcome    incarnation u64, name text
//!     3  refusal    code u8, reason text
//!     4  heartbeat  (nothing)
//!     5  goodbye    (nothing)
//!     6  delta      object u8, family u8, entries
//!     7  range      object u8, family u8, flags u8, first addr, last addr, entries
//!     8  resync     (nothing)
//!
//!  text     length u16, bytes of UTF-8
//!  addr     4 or 16 bytes, network order, by family (4 or 6)
//!  entries  to the end of the payload; addr, current u32, total u64 each; addresses ascend strictly
//! ```
//! Integers are little-endian, addresses in network order. In a delta, `total = 0` says the host is no longer
//! counted. A range is everything the sender counts from `first` to `last`: what it does not name is gone.
//! Flag 1 opens a full transfer, flag 2 completes it.
use super::{
    entries::{Entries, v4_host},
    frame::{self, Frame},
    payload::{Payload, put_text},
};
use crate::bounds;
use alloc::vec::Vec;
use convoy_common::{
    addr::{Family, Host},
    count::Direction,
};
use core::fmt;

/// A replicated object, by its number on the wire and its name in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Object {
    /// Open inbound connections by peer address (manual: `inbound_cidr`).
    InboundCidr = 1,
    /// Open outbound connections by remote address (manual: `outbound_cidr`).
    OutboundCidr = 2,
}

impl Object {
    /// All objects, in the order in which they are listed and transferred.
    pub const ALL: [Self; 2] = [Self::InboundCidr, Self::OutboundCidr];

    /// Returns the name that configuration and commands use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InboundCidr => "inbound_cidr",
            Self::OutboundCidr => "outbound_cidr",
        }
    }

    /// Returns the object of that name, whatever its case.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|object| object.name().eq_ignore_ascii_case(name))
    }

    /// Returns the object that holds the counts of `direction`.
    pub const fn of(direction: Direction) -> Self {
        match direction {
            Direction::Inbound => Self::InboundCidr,
            Direction::Outbound => Self::OutboundCidr,
        }
    }

    fn from_code(code: u8) -> Result<Self, MessageError> {
        Self::ALL.into_iter().find(|object| *object as u8 == code).ok_or(MessageError::Object { code })
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a node does not take a peer's connection, one code per remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// The peer speaks another protocol version.
    Version = 1,
    /// The name is not in this node's peer list.
    Unknown = 2,
    /// The peer list gives that name another address: two nodes may use one name.
    Address = 3,
    /// The peer is of another `cluster_group`.
    Group = 4,
    /// The name is this node's own.
    Self_ = 5,
    /// A later life of that node is already known.
    Stale = 6,
    /// The peer sent what no node sends.
    Protocol = 7,
}

impl Refusal {
    const ALL: [Self; 7] =
        [Self::Version, Self::Unknown, Self::Address, Self::Group, Self::Self_, Self::Stale, Self::Protocol];
}

/// One message. Borrows its payload; entries are read one by one and were all checked when it was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// First on a connection, from the node that opened it; again when its heartbeat changes.
    Hello(Hello<'a>),
    /// The answer: the node that took the connection says who it is.
    Welcome {
        /// Life of the answering process.
        incarnation: u64,
        /// Its node name.
        name: &'a str,
    },
    /// The answer that ends the connection.
    Refused {
        /// What is wrong.
        code: Refusal,
        /// The same for people.
        reason: &'a str,
    },
    /// The sender is alive and has nothing to say.
    Heartbeat,
    /// The sender leaves; its counts leave with it.
    Goodbye,
    /// Hosts whose count changed.
    Delta {
        /// Whose counts.
        object: Object,
        /// What they are now.
        entries: Entries<'a>,
    },
    /// Everything the sender counts from `first` to `last`.
    Range {
        /// Whose counts.
        object: Object,
        /// Opens a full transfer.
        opens: bool,
        /// Completes a full transfer.
        completes: bool,
        /// Lowest address covered.
        first: Host,
        /// Highest address covered.
        last: Host,
        /// The hosts in between.
        entries: Entries<'a>,
    },
    /// The receiver missed a frame and asks for a full transfer.
    Resync,
}

/// Who opens a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// Life of the process: larger than that of any earlier process of this node.
    pub incarnation: u64,
    /// Time between its heartbeats, microseconds, at least 1.
    pub interval_us: u32,
    /// Node name, 1..=[`bounds::NAME_BYTES_MAX`] bytes.
    pub name: &'a str,
    /// `cluster_group`, as long.
    pub group: &'a str,
    /// Version of the program, for people.
    pub build: &'a str,
}

/// Why a frame is no message. Each of them ends the connection; the peer is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not a kind of this version.
    #[error("unknown message kind {kind}")]
    Kind {
        /// What the frame says.
        kind: u8,
    },
    /// Not an object of this version.
    #[error("unknown object {code}")]
    Object {
        /// What the message says.
        code: u8,
    },
    /// Neither 4 nor 6.
    #[error("unknown address family {code}")]
    Family {
        /// What the message says.
        code: u8,
    },
    /// The payload is shorter than its message.
    #[error("message of kind {kind} ends early, at {length} bytes")]
    Short {
        /// The kind.
        kind: u8,
        /// Bytes there were.
        length: usize,
    },
    /// The payload is longer than its message.
    #[error("message of kind {kind} has {extra} bytes too many")]
    Long {
        /// The kind.
        kind: u8,
        /// Bytes left over.
        extra: usize,
    },
    /// A field has a value that no node sends.
    #[error("{field} is out of range")]
    Field {
        /// Which.
        field: &'static str,
    },
    /// Entries are not in order, or outside of their range.
    #[error("entry {index} is out of order or outside of its range")]
    Order {
        /// Which, from 0.
        index: usize,
    },
    /// An entry's counts are impossible.
    #[error("entry {index} has impossible counts")]
    Counts {
        /// Which, from 0.
        index: usize,
    },
}

impl<'a> Message<'a> {
    /// Reads the message in `frame` and checks all of it.
    pub fn parse(frame: &Frame<'a>) -> Result<Self, MessageError> {
        let mut payload = Payload::new(frame.kind, frame.payload);
        let message = match frame.kind {
            1 => Self::Hello(Hello {
                incarnation: payload.u64()?,
                interval_us: payload.u32()?,
                name: payload.name("name")?,
                group: payload.name("group")?,
                build: payload.text("build", bounds::NAME_BYTES_MAX)?,
            }),
            2 => Self::Welcome { incarnation: payload.u64()?, name: payload.name("name")? },
            3 => Self::Refused {
                code: payload.refusal()?,
                reason: payload.text("reason", bounds::REASON_BYTES_MAX)?,
            },
            4 => Self::Heartbeat,
            5 => Self::Goodbye,
            6 => {
                let (object, family) = (Object::from_code(payload.u8()?)?, payload.family()?);
                let entries = payload.entries(family)?;
                entries.check(None)?;
                Self::Delta { object, entries }
            }
            7 => {
                let (object, family, flags) =
                    (Object::from_code(payload.u8()?)?, payload.family()?, payload.u8()?);
                let (first, last) = (payload.host(family)?, payload.host(family)?);
                if flags & !(OPENS | COMPLETES) != 0 {
                    return Err(MessageError::Field { field: "flags" });
                }
                if first > last {
                    return Err(MessageError::Field { field: "first" });
                }
                let entries = payload.entries(family)?;
                entries.check(Some((first, last)))?;
                let (opens, completes) = (flags & OPENS != 0, flags & COMPLETES != 0);
                Self::Range { object, opens, completes, first, last, entries }
            }
            8 => Self::Resync,
            kind => return Err(MessageError::Kind { kind }),
        };
        payload.end()?;
        Ok(message)
    }
}

/// Returns the frame of a message without entries. Texts beyond their bounds are cut at a character.
pub fn emit(sequence: u64, message: &Message<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    let kind = match message {
        Message::Hello(hello) => {
            payload.extend_from_slice(&hello.incarnation.to_le_bytes());
            payload.extend_from_slice(&hello.interval_us.to_le_bytes());
            put_text(&mut payload, hello.name, bounds::NAME_BYTES_MAX);
            put_text(&mut payload, hello.group, bounds::NAME_BYTES_MAX);
            put_text(&mut payload, hello.build, bounds::NAME_BYTES_MAX);
            1
        }
        Message::Welcome { incarnation, name } => {
            payload.extend_from_slice(&incarnation.to_le_bytes());
            put_text(&mut payload, name, bounds::NAME_BYTES_MAX);
            2
        }
        Message::Refused { code, reason } => {
            payload.push(*code as u8);
            put_text(&mut payload, reason, bounds::REASON_BYTES_MAX);
            3
        }
        Message::Heartbeat => 4,
        Message::Goodbye => 5,
        Message::Delta { object, entries } => {
            payload.extend_from_slice(&[*object as u8, entries.code()]);
            payload.extend_from_slice(entries.bytes());
            6
        }
        Message::Range { object, opens, completes, first, last, entries } => {
            let flags = u8::from(*opens) * OPENS + u8::from(*completes) * COMPLETES;
            payload.extend_from_slice(&[*object as u8, entries.code(), flags]);
            let skip = if matches!(entries, Entries::V4(_)) { 12 } else { 0 };
            payload.extend_from_slice(&first.addr[skip..]);
            payload.extend_from_slice(&last.addr[skip..]);
            payload.extend_from_slice(entries.bytes());
            7
        }
        Message::Resync => 8,
    };
    frame::emit(kind, sequence, &payload)
}

impl<'a> Payload<'a> {
    fn refusal(&mut self) -> Result<Refusal, MessageError> {
        let code = self.u8()?;
        let known = Refusal::ALL.into_iter().find(|refusal| *refusal as u8 == code);
        known.ok_or(MessageError::Field { field: "code" })
    }

    fn family(&mut self) -> Result<Family, MessageError> {
        match self.u8()? {
            4 => Ok(Family::V4),
            6 => Ok(Family::V6),
            code => Err(MessageError::Family { code }),
        }
    }

    fn host(&mut self, family: Family) -> Result<Host, MessageError> {
        match family {
            Family::V4 => self.take().map(v4_host),
            Family::V6 => self.take().map(|addr| Host { addr }),
        }
    }

    fn entries(&mut self, family: Family) -> Result<Entries<'a>, MessageError> {
        let (kind, bytes) = (self.kind(), self.rest());
        Entries::from_bytes(family, bytes).ok_or(MessageError::Short { kind, length: bytes.len() })
    }
}

const OPENS: u8 = 1;
const COMPLETES: u8 = 2;

#[cfg(test)]
mod tests;

//! What members say on the bus: introductions, commands, answers.
//!
//! ```text
//!  magic "CB", version u8 (1), kind u8, then by kind:
//!     1  introduction  epoch u64, since u64, card
//!     2  change        card
//!     3  command       id u64, target u8, target text, caller text, line text
//!     4  answer        host u32, process u32, id u64, code u8, lines
//!     5  vip           about the addresses that the cluster shares; see `wire::vip`
//!
//!  card       role u8, incarnation u64, name text, subcluster text, version text, address, groups u8 and as many
//!             texts, parameters u8 and as many of: name text, shown text, digest u64
//!  text       length u16, bytes of UTF-8 without control characters
//!  lines      length u32, bytes of UTF-8; newlines and tabs are its only control characters
//!  address    family u8 (0, 4 or 6), then for 4 and 6 the address in network order and port u16
//! ```
//! Integers are little-endian. The engine keeps messages whole and in order, so they carry neither length nor checksum.
use super::{
    MessageError,
    payload::{Payload, put_ip, put_lines, put_member, put_text},
    vip::Said,
};
use crate::{
    bounds,
    group::{
        bus::MemberId,
        view::{Card, Parameter, Role},
    },
};
use alloc::{sync::Arc, vec::Vec};
use core::net::SocketAddr;

/// One message on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agreed<'a> {
    /// Said by every member in every configuration: who it is, and the last view it took.
    Introduction {
        /// Epoch of that view; 0 when there was none.
        epoch: u64,
        /// Epoch of the first view the member was in; 0 when there was none.
        since: u64,
        /// Who it is.
        card: Card,
    },
    /// Who a member is has changed.
    Change(Card),
    /// A console command for some members.
    Command(Command<'a>),
    /// What a member answers to a command.
    Answer {
        /// The member that gave the command.
        to: MemberId,
        /// Which of its commands.
        id: u64,
        /// Exit code, as of the command line.
        code: u8,
        /// The answer's text.
        text: &'a str,
    },
    /// About the addresses that the cluster shares.
    Vip(Said),
}

/// A console command on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// Number of the command at its sender.
    pub id: u64,
    /// Who is to carry it out.
    pub target: Target<'a>,
    /// Who gives it, for authorization and the log: user and node.
    pub caller: &'a str,
    /// The command.
    pub line: &'a str,
}

/// Who is to carry out a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Every member of a group.
    Group(&'a str),
    /// The member with a node name.
    Node(&'a str),
}

impl<'a> Agreed<'a> {
    /// Reads a message and checks all of it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let mut header = Payload::new(0, bytes);
        if header.take()? != MAGIC {
            return Err(MessageError::Field { field: "magic" });
        }
        if header.u8()? != VERSION {
            return Err(MessageError::Field { field: "version" });
        }
        let kind = header.u8()?;
        let mut payload = Payload::new(kind, header.rest());
        let message = match kind {
            1 => {
                let (epoch, since) = (payload.u64()?, payload.u64()?);
                if since > epoch {
                    return Err(MessageError::Field { field: "since" });
                }
                Self::Introduction { epoch, since, card: payload.card()? }
            }
            2 => Self::Change(payload.card()?),
            3 => Self::Command(Command {
                id: payload.u64()?,
                target: payload.target()?,
                caller: payload.text("caller", bounds::CALLER_BYTES_MAX)?,
                line: payload.text("line", bounds::COMMAND_BYTES_MAX)?,
            }),
            4 => Self::Answer {
                to: payload.member()?,
                id: payload.u64()?,
                code: payload.u8()?,
                text: payload.lines("answer", bounds::ANSWER_BYTES_MAX)?,
            },
            5 => Self::Vip(Said::parse(&mut payload)?),
            kind => return Err(MessageError::Kind { kind }),
        };
        payload.end()?;
        Ok(message)
    }

    /// Returns the bytes of a message. What is beyond its bound is cut.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Vec::from(MAGIC);
        out.push(VERSION);
        match self {
            Self::Introduction { epoch, since, card } => {
                out.push(1);
                out.extend_from_slice(&epoch.to_le_bytes());
                out.extend_from_slice(&since.to_le_bytes());
                put_card(&mut out, card);
            }
            Self::Change(card) => {
                out.push(2);
                put_card(&mut out, card);
            }
            Self::Command(Command { id, target, caller, line }) => {
                out.push(3);
                out.extend_from_slice(&id.to_le_bytes());
                let (code, name) = match target {
                    Target::Group(name) => (1, name),
                    Target::Node(name) => (2, name),
                };
                out.push(code);
                put_text(&mut out, name, bounds::NAME_BYTES_MAX);
                put_text(&mut out, caller, bounds::CALLER_BYTES_MAX);
                put_text(&mut out, line, bounds::COMMAND_BYTES_MAX);
            }
            Self::Answer { to, id, code, text } => {
                out.push(4);
                put_member(&mut out, *to);
                out.extend_from_slice(&id.to_le_bytes());
                out.push(*code);
                put_lines(&mut out, text, bounds::ANSWER_BYTES_MAX);
            }
            Self::Vip(said) => {
                out.push(5);
                said.put(&mut out);
            }
        }
        out
    }
}

impl<'a> Payload<'a> {
    fn target(&mut self) -> Result<Target<'a>, MessageError> {
        match self.u8()? {
            1 => Ok(Target::Group(self.name("group")?)),
            2 => Ok(Target::Node(self.name("node")?)),
            _ => Err(MessageError::Field { field: "target" }),
        }
    }

    fn card(&mut self) -> Result<Card, MessageError> {
        let role = match self.u8()? {
            1 => Role::Node,
            2 => Role::Manager,
            _ => return Err(MessageError::Field { field: "role" }),
        };
        let incarnation = self.u64()?;
        let name = self.name("name")?.into();
        let subcluster = self.text("subcluster", bounds::NAME_BYTES_MAX)?.into();
        let version = self.text("version", bounds::NAME_BYTES_MAX)?.into();
        let address = self.address()?;
        let groups = self.many("groups", bounds::GROUPS_MAX, |payload| Ok(payload.name("group")?.into()))?;
        let parameters = self.many("parameters", bounds::PARAMETERS_MAX, |payload| {
            Ok(Parameter {
                name: payload.name("parameter")?.into(),
                shown: payload.text("value", bounds::NAME_BYTES_MAX)?.into(),
                digest: payload.u64()?,
            })
        })?;
        Ok(Card { role, incarnation, name, subcluster, version, address, groups, parameters })
    }

    fn address(&mut self) -> Result<Option<SocketAddr>, MessageError> {
        match self.u8()? {
            0 => Ok(None),
            family => Ok(Some(SocketAddr::new(self.ip_of(family)?, self.u16()?))),
        }
    }

    fn many<T>(
        &mut self,
        field: &'static str,
        most: usize,
        one: impl Fn(&mut Self) -> Result<T, MessageError>,
    ) -> Result<Arc<[T]>, MessageError> {
        let count = usize::from(self.u8()?);
        if count > most {
            return Err(MessageError::Field { field });
        }
        (0..count).map(|_| one(self)).collect()
    }
}

fn put_card(out: &mut Vec<u8>, card: &Card) {
    out.push(match card.role {
        Role::Node => 1,
        Role::Manager => 2,
    });
    out.extend_from_slice(&card.incarnation.to_le_bytes());
    put_text(out, &card.name, bounds::NAME_BYTES_MAX);
    put_text(out, &card.subcluster, bounds::NAME_BYTES_MAX);
    put_text(out, &card.version, bounds::NAME_BYTES_MAX);
    match card.address {
        None => out.push(0),
        Some(address) => {
            put_ip(out, address.ip());
            out.extend_from_slice(&address.port().to_le_bytes());
        }
    }
    put_many(out, &card.groups, bounds::GROUPS_MAX, |out, group| {
        put_text(out, group, bounds::NAME_BYTES_MAX);
    });
    put_many(out, &card.parameters, bounds::PARAMETERS_MAX, |out, parameter| {
        put_text(out, &parameter.name, bounds::NAME_BYTES_MAX);
        put_text(out, &parameter.shown, bounds::NAME_BYTES_MAX);
        out.extend_from_slice(&parameter.digest.to_le_bytes());
    });
}

fn put_many<T>(out: &mut Vec<u8>, all: &[T], most: usize, one: impl Fn(&mut Vec<u8>, &T)) {
    let all = &all[..all.len().min(most)];
    out.push(u8::try_from(all.len()).unwrap_or(u8::MAX));
    for item in all {
        one(out, item);
    }
}

const MAGIC: [u8; 2] = *b"CB";
const VERSION: u8 = 1;
const _: () = assert!(bounds::GROUPS_MAX < 256 && bounds::PARAMETERS_MAX < 256);
const _: () = assert!(bounds::ANSWER_BYTES_MAX + 64 <= bounds::BUS_MESSAGE_MAX);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;

    fn card() -> Card {
        Card {
            role: Role::Node,
            incarnation: 7,
            name: "mx1".into(),
            subcluster: "default".into(),
            version: "0.1.0".into(),
            address: Some("192.0.2.1:4802".parse().unwrap()),
            groups: ["ec_cluster".into(), "ec_console".into()].into(),
            parameters: [Parameter { name: "view_mature_time".into(), shown: "5".into(), digest: 9 }].into(),
        }
    }

    fn samples() -> [Agreed<'static>; 4] {
        let command = Command {
            id: 3,
            target: Target::Group("ec_console"),
            caller: "root@mx1",
            line: "cluster membership",
        };
        let manager =
            Card { role: Role::Manager, address: Some("[2001:db8::1]:1".parse().unwrap()), ..card() };
        [
            Agreed::Introduction { epoch: 4, since: 2, card: card() },
            Agreed::Change(manager),
            Agreed::Command(command),
            Agreed::Answer { to: MemberId { host: 1, process: 2 }, id: 3, code: 0, text: "a\tb\nc\n" },
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        for message in samples() {
            assert_eq!(Agreed::parse(&message.emit()), Ok(message));
        }
    }

    #[test]
    fn every_cut_message_is_refused() {
        for message in samples() {
            let bytes = message.emit();
            for end in 0..bytes.len() {
                assert!(Agreed::parse(&bytes[..end]).is_err(), "{message:?} cut at {end}");
            }
            let longer = [&bytes[..], &[0]].concat();
            assert!(matches!(Agreed::parse(&longer), Err(MessageError::Long { extra: 1, .. })));
        }
    }

    #[test]
    fn an_answer_that_would_move_the_cursor_is_made_harmless_and_a_raw_one_is_refused() {
        let to = MemberId { host: 1, process: 2 };
        let bytes = Agreed::Answer { to, id: 3, code: 0, text: "a\x1b[2Jb" }.emit();
        assert_eq!(Agreed::parse(&bytes), Ok(Agreed::Answer { to, id: 3, code: 0, text: "a?[2Jb" }));
        let mut raw = bytes;
        *raw.iter_mut().find(|byte| **byte == b'?').unwrap() = 0x1b;
        assert_eq!(Agreed::parse(&raw), Err(MessageError::Field { field: "answer" }));
    }

    #[test]
    fn a_text_too_long_is_cut_at_a_character() {
        let long = "ä".repeat(bounds::NAME_BYTES_MAX);
        let bytes = Agreed::Change(Card { subcluster: long.as_str().into(), ..card() }).emit();
        let Ok(Agreed::Change(read)) = Agreed::parse(&bytes) else { panic!("not a change") };
        assert_eq!(&*read.subcluster, &long[..bounds::NAME_BYTES_MAX - 1]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0_u8..6) {
            let framed = [&MAGIC[..], &[VERSION, kind], &bytes].concat();
            for bytes in [&bytes[..], &framed] {
                if let Ok(message) = Agreed::parse(bytes) {
                    let again = message.emit();
                    prop_assert_eq!(Agreed::parse(&again), Ok(message));
                }
            }
        }

        #[test]
        fn any_answer_arrives(text in any::<String>()) {
            let to = MemberId { host: 1, process: 2 };
            let bytes = Agreed::Answer { to, id: 3, code: 0, text: &text }.emit();
            prop_assert!(Agreed::parse(&bytes).is_ok());
        }
    }
}

//! What members say on the bus about the addresses that they share: kind 5 of `wire::agreed`.
//!
//! ```text
//!  word u8, then by word:
//!     1  digest     epoch u64, digest u64           of the sender's table, in each view
//!     2  part       epoch u64, flags u8 (1 first, 2 last, 4 formed, 8 firm, 16 leaving), weight u32,
//!                   drained u8 and as many texts, entries u32 and as many: address, flags u8 (1 own, 2 known,
//!                   4 unable, 8 preference, 16 follow, 32 closed), preference text, follow address, bindings u8 and as many
//!                   texts, services u8 and as many texts
//!     3  elect      epoch u64                       the view is mature
//!     4  balance    epoch u64, most u32
//!     5  move       node text, addresses
//!     6  ready      addresses                       on the sender's host, silent
//!     7  released   addresses                       the sender answers for them no more
//!     8  able       able u8, addresses
//!     9  drain      on u8, node text
//!    10  take over  host u32, process u32           that member fell silent, and its kernel too
//!    11  ask        epoch u64, number u64           does everybody agree that the sender has what it has?
//!    12  agree      host u32, process u32, number u64
//!    13  leave
//!    14  opened     addresses                       nobody but the sender answers for them
//!    15  neighbours length u32 and as many: address, mac 6 bytes, age_s u32
//!    16  relieve    epoch u64, length u32 and as many: address, host u32, process u32
//!
//!  addresses  length u32 and as many addresses
//!  address    family u8 (4 or 6) and the address in network order
//! ```
use super::{
    MessageError,
    arp::Mac,
    payload::{Payload, put_ip, put_member, put_text},
};
use crate::{
    bounds,
    group::bus::MemberId,
    vip::{Claim, Offered},
};
use alloc::{sync::Arc, vec::Vec};
use core::net::IpAddr;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// What the sender's table is.
    Digest {
        /// Of the view.
        epoch: u64,
        /// Of the table.
        digest: u64,
    },
    /// Some of what the sender would hold.
    Part(Part),
    /// Every address is to have an owner.
    Elect {
        /// Of the view that is mature.
        epoch: u64,
    },
    /// Loads are to be evened.
    Balance {
        /// Of the view that is mature.
        epoch: u64,
        /// By how many moves, about.
        most: u32,
    },
    /// Addresses are to go to a node.
    Move {
        /// Its name.
        node: Arc<str>,
        /// Which.
        addresses: Vec<IpAddr>,
    },
    /// They are on the sender's host, silent.
    Ready(Vec<IpAddr>),
    /// The sender answers for them no more.
    Released(Vec<IpAddr>),
    /// The sender can hold them, or not.
    Able {
        /// Whether it can.
        able: bool,
        /// Which.
        addresses: Vec<IpAddr>,
    },
    /// A node is to have nothing, or may have again.
    Drain {
        /// Whether it is to have nothing.
        on: bool,
        /// Its name.
        node: Arc<str>,
    },
    /// That member fell silent, and so did its kernel.
    TakeOver(MemberId),
    /// Do all agree that the sender has what it has?
    Ask {
        /// Of the sender's view.
        epoch: u64,
        /// Counts the sender's questions.
        number: u64,
    },
    /// The sender agrees.
    Agree {
        /// Who asked.
        to: MemberId,
        /// Which of its questions.
        number: u64,
    },
    /// The sender is about to leave.
    Leave,
    /// Nobody but the sender answers for them.
    Opened(Vec<IpAddr>),
    /// Addresses are to move, to even connections.
    Relieve {
        /// Of the view that is mature.
        epoch: u64,
        /// Each, and where to.
        moves: Vec<(IpAddr, MemberId)>,
    },
    /// Hosts that the sender heard of lately on the links of managed addresses.
    Neighbours(Vec<Neighbour>),
}

/// A host on a segment: its address, its link address, seconds since it was heard of.
pub type Neighbour = (IpAddr, Mac, u32);

/// Some of what a member would hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent answers, each a bit on the bus")]
pub struct Part {
    /// Of the view in which it was asked for; 0 when it was not.
    pub epoch: u64,
    /// It begins a report.
    pub first: bool,
    /// It ends a report.
    pub last: bool,
    /// There has been an election where the sender comes from.
    pub formed: bool,
    /// The sender's kernel may answer.
    pub firm: bool,
    /// The sender is about to leave.
    pub leaving: bool,
    /// The sender's share.
    pub weight: u32,
    /// Nodes that are to have nothing; in the first part.
    pub drained: Vec<Arc<str>>,
    /// Addresses, and what the sender says of each.
    pub entries: Vec<(Offered, Claim)>,
}

impl Said {
    pub(super) fn parse(payload: &mut Payload<'_>) -> Result<Self, MessageError> {
        let said = match payload.u8()? {
            1 => Self::Digest { epoch: payload.u64()?, digest: payload.u64()? },
            2 => Self::Part(payload.part()?),
            3 => Self::Elect { epoch: payload.u64()? },
            4 => Self::Balance { epoch: payload.u64()?, most: payload.u32()? },
            5 => Self::Move { node: payload.name("node")?.into(), addresses: payload.addresses()? },
            6 => Self::Ready(payload.addresses()?),
            7 => Self::Released(payload.addresses()?),
            8 => Self::Able { able: payload.flag("able")?, addresses: payload.addresses()? },
            9 => Self::Drain { on: payload.flag("drain")?, node: payload.name("node")?.into() },
            10 => Self::TakeOver(payload.member()?),
            11 => Self::Ask { epoch: payload.u64()?, number: payload.u64()? },
            12 => Self::Agree { to: payload.member()?, number: payload.u64()? },
            13 => Self::Leave,
            14 => Self::Opened(payload.addresses()?),
            15 => {
                let length = payload.length("neighbours")?;
                let neighbour = |_| Ok((payload.ip()?, payload.take::<6>()?, payload.u32()?));
                Self::Neighbours((0..length).map(neighbour).collect::<Result<_, MessageError>>()?)
            }
            16 => {
                let (epoch, length) = (payload.u64()?, payload.length("moves")?);
                let moves = (0..length).map(|_| Ok((payload.ip()?, payload.member()?)));
                Self::Relieve { epoch, moves: moves.collect::<Result<_, MessageError>>()? }
            }
            _ => return Err(MessageError::Field { field: "word" }),
        };
        Ok(said)
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let numbers = |out: &mut Vec<u8>, word: u8, numbers: &[u64]| {
            out.push(word);
            for number in numbers {
                out.extend_from_slice(&number.to_le_bytes());
            }
        };
        let list = |out: &mut Vec<u8>, word: u8, addresses: &[IpAddr]| {
            out.push(word);
            put_addresses(out, addresses);
        };
        match self {
            Self::Digest { epoch, digest } => numbers(out, 1, &[*epoch, *digest]),
            Self::Part(part) => {
                out.push(2);
                put_part(out, part);
            }
            Self::Elect { epoch } => numbers(out, 3, &[*epoch]),
            Self::Balance { epoch, most } => {
                numbers(out, 4, &[*epoch]);
                out.extend_from_slice(&most.to_le_bytes());
            }
            Self::Move { node, addresses } => {
                out.push(5);
                put_text(out, node, bounds::NAME_BYTES_MAX);
                put_addresses(out, addresses);
            }
            Self::Ready(addresses) => list(out, 6, addresses),
            Self::Released(addresses) => list(out, 7, addresses),
            Self::Able { able, addresses } => {
                out.extend_from_slice(&[8, u8::from(*able)]);
                put_addresses(out, addresses);
            }
            Self::Drain { on, node } => {
                out.extend_from_slice(&[9, u8::from(*on)]);
                put_text(out, node, bounds::NAME_BYTES_MAX);
            }
            Self::TakeOver(member) => {
                out.push(10);
                put_member(out, *member);
            }
            Self::Ask { epoch, number } => numbers(out, 11, &[*epoch, *number]),
            Self::Agree { to, number } => {
                out.push(12);
                put_member(out, *to);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Self::Leave => out.push(13),
            Self::Opened(addresses) => list(out, 14, addresses),
            Self::Relieve { epoch, moves } => {
                numbers(out, 16, &[*epoch]);
                put_length(out, moves.len());
                for (address, to) in moves.iter().take(bounds::VIPS_MAX) {
                    put_ip(out, *address);
                    put_member(out, *to);
                }
            }
            Self::Neighbours(neighbours) => {
                out.push(15);
                put_length(out, neighbours.len());
                for (address, mac, age) in neighbours.iter().take(bounds::VIPS_MAX) {
                    put_ip(out, *address);
                    out.extend_from_slice(mac);
                    out.extend_from_slice(&age.to_le_bytes());
                }
            }
        }
    }
}

impl Payload<'_> {
    fn flag(&mut self, field: &'static str) -> Result<bool, MessageError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(MessageError::Field { field }),
        }
    }

    fn length(&mut self, field: &'static str) -> Result<usize, MessageError> {
        let length = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if length > bounds::VIPS_MAX { Err(MessageError::Field { field }) } else { Ok(length) }
    }

    fn addresses(&mut self) -> Result<Vec<IpAddr>, MessageError> {
        let length = self.length("addresses")?;
        (0..length).map(|_| self.ip()).collect()
    }

    fn names(&mut self, field: &'static str) -> Result<Vec<Arc<str>>, MessageError> {
        let count = self.u8()?;
        (0..count).map(|_| Ok(self.name(field)?.into())).collect()
    }

    fn part(&mut self) -> Result<Part, MessageError> {
        let (epoch, flags, weight) = (self.u64()?, self.u8()?, self.u32()?);
        if flags > 31 || weight == 0 {
            return Err(MessageError::Field { field: "part" });
        }
        let drained = self.names("drained")?;
        let count = self.length("entries")?;
        let entries = (0..count).map(|_| self.entry()).collect::<Result<_, _>>()?;
        Ok(Part {
            epoch,
            first: flags & 1 != 0,
            last: flags & 2 != 0,
            formed: flags & 4 != 0,
            firm: flags & 8 != 0,
            leaving: flags & 16 != 0,
            weight,
            drained,
            entries,
        })
    }

    fn entry(&mut self) -> Result<(Offered, Claim), MessageError> {
        let (address, flags) = (self.ip()?, self.u8()?);
        if flags > 63 {
            return Err(MessageError::Field { field: "entry" });
        }
        let preference = if flags & 8 != 0 { Some(self.name("preference")?.into()) } else { None };
        let follow = if flags & 16 != 0 { Some(self.ip()?) } else { None };
        let (bindings, services) = (self.names("bindings")?.into(), self.names("services")?.into());
        let claim = Claim {
            own: flags & 1 != 0,
            known: flags & 2 != 0,
            unable: flags & 4 != 0,
            closed: flags & 32 != 0,
        };
        Ok((Offered { address, bindings, services, preference, follow }, claim))
    }
}

fn put_part(out: &mut Vec<u8>, part: &Part) {
    out.extend_from_slice(&part.epoch.to_le_bytes());
    let flags = [part.first, part.last, part.formed, part.firm, part.leaving];
    out.push(bits(&flags));
    out.extend_from_slice(&part.weight.max(1).to_le_bytes());
    put_names(out, &part.drained);
    put_length(out, part.entries.len());
    for (offered, claim) in part.entries.iter().take(bounds::VIPS_MAX) {
        put_ip(out, offered.address);
        let (preference, follow) = (offered.preference.as_ref(), offered.follow);
        out.push(bits(&[
            claim.own,
            claim.known,
            claim.unable,
            preference.is_some(),
            follow.is_some(),
            claim.closed,
        ]));
        if let Some(preference) = preference {
            put_text(out, preference, bounds::NAME_BYTES_MAX);
        }
        if let Some(follow) = follow {
            put_ip(out, follow);
        }
        put_names(out, &offered.bindings);
        put_names(out, &offered.services);
    }
}

fn bits(flags: &[bool]) -> u8 {
    flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag))
}

fn put_names(out: &mut Vec<u8>, names: &[Arc<str>]) {
    let names = &names[..names.len().min(usize::from(u8::MAX))];
    out.push(u8::try_from(names.len()).unwrap_or(u8::MAX));
    for name in names {
        put_text(out, name, bounds::NAME_BYTES_MAX);
    }
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length.min(bounds::VIPS_MAX)).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
}

fn put_addresses(out: &mut Vec<u8>, addresses: &[IpAddr]) {
    put_length(out, addresses.len());
    addresses.iter().take(bounds::VIPS_MAX).for_each(|address| put_ip(out, *address));
}

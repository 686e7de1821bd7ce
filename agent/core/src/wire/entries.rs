//! Entries: hosts and their counts, as they lie in a frame.
//!
//! Read in place, without a copy. All checks are made once, when the message is parsed. The layout is in
//! [`message`](super::message)'s header.
use super::message::MessageError;
use crate::{bounds, counters::Cell};
use alloc::vec::Vec;
use convoy_common::addr::{Family, Host, V4_MAPPED};
use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, LE, U32, U64, Unaligned};

/// Entries of one family, as they lie in the frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Entries<'a> {
    /// IPv4 hosts.
    V4(&'a [EntryV4]),
    /// IPv6 hosts.
    V6(&'a [EntryV6]),
}

/// An IPv4 host and its count, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct EntryV4 {
    addr: [u8; 4],
    current: U32<LE>,
    total: U64<LE>,
}

/// An IPv6 host and its count, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct EntryV6 {
    addr: [u8; 16],
    current: U32<LE>,
    total: U64<LE>,
}

/// Entries of one family on their way out.
#[derive(Debug)]
pub enum EntryBuf {
    /// IPv4 hosts.
    V4(Vec<EntryV4>),
    /// IPv6 hosts.
    V6(Vec<EntryV6>),
}

impl EntryBuf {
    /// Returns an empty list of `family`.
    pub fn new(family: Family) -> Self {
        match family {
            Family::V4 => Self::V4(Vec::new()),
            Family::V6 => Self::V6(Vec::new()),
        }
    }

    /// Adds a host of this list's family; `None` says that it is no longer counted.
    pub fn push(&mut self, host: Host, cell: Option<Cell>) {
        let cell = cell.unwrap_or(Cell { current: 0, total: 0 });
        let (current, total) = (U32::new(cell.current), U64::new(cell.total));
        match self {
            Self::V4(entries) => {
                let [.., a, b, c, d] = host.addr;
                entries.push(EntryV4 { addr: [a, b, c, d], current, total });
            }
            Self::V6(entries) => entries.push(EntryV6 { addr: host.addr, current, total }),
        }
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.as_entries().len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the list as a message carries it.
    pub fn as_entries(&self) -> Entries<'_> {
        match self {
            Self::V4(entries) => Entries::V4(entries),
            Self::V6(entries) => Entries::V6(entries),
        }
    }
}

impl<'a> Entries<'a> {
    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        match self {
            Self::V4(entries) => entries.len(),
            Self::V6(entries) => entries.len(),
        }
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the family of all entries.
    pub fn family(&self) -> Family {
        match self {
            Self::V4(_) => Family::V4,
            Self::V6(_) => Family::V6,
        }
    }

    /// Returns the hosts and their counts in order; `None` for a host that is no longer counted.
    pub fn iter(self) -> impl Iterator<Item = (Host, Option<Cell>)> + 'a {
        let (v4, v6) = match self {
            Self::V4(entries) => (entries, &[][..]),
            Self::V6(entries) => (&[][..], entries),
        };
        let v4 = v4.iter().map(|entry| (v4_host(entry.addr), entry.current.get(), entry.total.get()));
        let v6 = v6.iter().map(|entry| (Host { addr: entry.addr }, entry.current.get(), entry.total.get()));
        v4.chain(v6).map(|(host, current, total)| (host, (total > 0).then_some(Cell { current, total })))
    }

    /// Takes `bytes` as entries of `family`; `None` when they end inside one.
    pub(super) fn from_bytes(family: Family, bytes: &'a [u8]) -> Option<Self> {
        match family {
            Family::V4 => <[EntryV4]>::ref_from_bytes(bytes).ok().map(Self::V4),
            Family::V6 => <[EntryV6]>::ref_from_bytes(bytes).ok().map(Self::V6),
        }
    }

    /// Makes sure that hosts ascend, are of the family, lie `within` the range if one is given, and have
    /// counts that a node can have; "no longer counted" is for deltas, which have no range.
    pub(super) fn check(self, within: Option<(Host, Host)>) -> Result<(), MessageError> {
        let mut before = None;
        for (index, (host, cell)) in self.iter().enumerate() {
            let inside = within.is_none_or(|(first, last)| first <= host && host <= last);
            let family = matches!(self, Self::V4(_)) == (host.family() == Family::V4);
            if !inside || !family || before >= Some(host) {
                return Err(MessageError::Order { index });
            }
            before = Some(host);
            let possible = match cell {
                Some(cell) => {
                    cell.current <= bounds::CURRENT_MAX
                        && cell.total <= bounds::TOTAL_MAX
                        && u64::from(cell.current) <= cell.total
                }
                None => within.is_none() && self.current(index) == 0,
            };
            if !possible {
                return Err(MessageError::Counts { index });
            }
        }
        Ok(())
    }

    fn current(self, index: usize) -> u32 {
        match self {
            Self::V4(entries) => entries.get(index).map_or(0, |entry| entry.current.get()),
            Self::V6(entries) => entries.get(index).map_or(0, |entry| entry.current.get()),
        }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::V4(_) => 4,
            Self::V6(_) => 6,
        }
    }

    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Self::V4(entries) => entries.as_bytes(),
            Self::V6(entries) => entries.as_bytes(),
        }
    }
}

impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Returns the host of an IPv4 address in network order.
pub(super) fn v4_host(octets: [u8; 4]) -> Host {
    let mut addr = [0; 16];
    addr[..12].copy_from_slice(&V4_MAPPED);
    addr[12..].copy_from_slice(&octets);
    Host { addr }
}

const _: () = assert!(size_of::<EntryV4>() == 16 && size_of::<EntryV6>() == 28);

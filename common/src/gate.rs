//! The contract between `convoyd` and the programs that decide who answers for an address: names, layouts, sizes.
//!
//! A managed address has a slot. It is answered for while its slot says [`Standing::Held`] and the node's one lease has
//! not run out. An address without a slot is none of our business.
//!
//! Invariants: 1. every type here has no implicit padding and a size asserted at compile time; 2. a change of any
//! layout, name or meaning below raises [`ABI_VERSION`]; the key of [`name::ADDRESSES`] and the layout of [`Abi`] never
//! change, so that an agent of another version takes the managed addresses over; 3. the slot of an address does not
//! change while it is managed: standings change in place, so a program never reads another address's; 4. numbers are in
//! host byte order, addresses in network byte order.
//! Does not decide who holds what: that is the agent.
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Version of everything in this file.
pub const ABI_VERSION: u32 = 2;

/// Names of maps, programs and pins. The pin of a map has the map's name, at most 15 bytes (kernel: `BPF_OBJ_NAME_LEN`).
pub mod name {
    /// Hash: [`Host`](crate::addr::Host) to its slot, every managed address.
    pub const ADDRESSES: &str = "gate_addresses";
    /// Array, memory-mapped: [`Standing`](super::Standing) as a 64-bit number, indexed by slot.
    pub const STANDINGS: &str = "gate_standings";
    /// Array of one, memory-mapped: the instant of `CLOCK_BOOTTIME` in nanoseconds at which the lease runs out.
    pub const LEASE: &str = "gate_lease";
    /// Array, memory-mapped: counters indexed by [`Stat`](super::Stat).
    pub const STATS: &str = "gate_stats";
    /// Array of one: [`Abi`](super::Abi), written last.
    pub const ABI: &str = "gate_abi";
    /// Every map of the object, in the order in which pins are made.
    pub const MAPS: [&str; 5] = [ADDRESSES, STANDINGS, LEASE, STATS, ABI];
    /// Program: classifier of what comes in.
    pub const INGRESS: &str = "gate_ingress";
    /// Program: classifier of what goes out.
    pub const EGRESS: &str = "gate_egress";
}

/// Addresses the maps take unless the agent says otherwise when it makes them.
pub const ADDRESSES_DEFAULT: usize = 16_384;

/// Whether this node may answer for an address. What is not [`Held`](Self::Held) is silent, whatever the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may not.
    Silent,
    /// It may not, and the address is on the host: nothing that others advertise of it concerns this host's IPv6.
    Standby,
    /// It may, while the lease lasts; the address is on the host.
    Held,
}

impl Standing {
    /// Returns the number in the map.
    pub const fn number(self) -> u64 {
        match self {
            Self::Silent => 0,
            Self::Held => 1,
            Self::Standby => 2,
        }
    }
}

/// What the pinned maps were made for. All zero until they are complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Abi {
    /// [`ABI_VERSION`] of the agent that made them.
    pub version: u32,
    /// Addresses the maps take.
    pub addresses_max: u32,
    /// The network namespace whose interfaces have the programs.
    pub netns_cookie: u64,
}

/// Index of a counter in the `gate_stats` map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stat {
    /// Questions dropped on their way in: ARP requests and neighbour solicitations.
    Questions,
    /// Announcements dropped on their way out: answers, gratuitous ARP, neighbour advertisements, and questions whose
    /// sender is a managed address.
    Announcements,
    /// Of both, those dropped only because the lease had run out: the address was held.
    Lapsed,
    /// Neighbour advertisements of others to everybody, for addresses that are on this host, kept from its IPv6.
    Aside,
}

impl Stat {
    /// Number of counters in the `gate_stats` map.
    pub const LEN: usize = 4;

    /// Returns the index in the map.
    pub const fn index(self) -> u32 {
        match self {
            Self::Questions => 0,
            Self::Announcements => 1,
            Self::Lapsed => 2,
            Self::Aside => 3,
        }
    }
}

const _: () = {
    assert!(size_of::<Abi>() == 16 && align_of::<Abi>() == 8);
};

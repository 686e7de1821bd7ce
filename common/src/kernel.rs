//! The contract between `convoyd` and its kernel programs: names, layouts, sizes.
//!
//! Invariants: 1. every type here has no implicit padding and a size asserted at compile time; 2. a change of any
//! layout, name or meaning below raises [`ABI_VERSION`], so that a new agent replaces what an old one pinned;
//! 3. numbers are in host byte order (both sides run on one machine), addresses in network byte order.
//! Does not decide anything: what is counted is `ebpf/`, what follows from it is the agent.
use crate::{addr::Host, count::Direction};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Version of everything in this file. A pinned table of another version is replaced, never read.
pub const ABI_VERSION: u32 = 2;

/// Names of maps, programs and pins. The pin of a map has the map's name, at most 15 bytes (kernel: `BPF_OBJ_NAME_LEN`).
pub mod name {
    /// Hash: [`Host`](crate::addr::Host) to [`HostCount`](super::HostCount), connections others opened to us.
    pub const INBOUND_HOSTS: &str = "inbound_hosts";
    /// Hash: [`Host`](crate::addr::Host) to [`HostCount`](super::HostCount), connections we opened to others.
    pub const OUTBOUND_HOSTS: &str = "outbound_hosts";
    /// Array: bitmap of local ports whose inbound connections are counted.
    pub const INBOUND_PORTS: &str = "inbound_ports";
    /// Array: bitmap of remote ports whose outbound connections are counted.
    pub const OUTBOUND_PORTS: &str = "outbound_ports";
    /// Hash: socket cookie to [`Note`](super::Note), for the few sockets whose own flags do not tell enough.
    pub const SOCKETS: &str = "sockets";
    /// Hash: socket cookie to [`Seed`](super::Seed) of connections older than the attach.
    pub const SEEDED: &str = "seeded";
    /// Array of one, memory-mapped: [`Control`](super::Control).
    pub const CONTROL: &str = "control";
    /// Array, memory-mapped: counters indexed by [`Stat`](super::Stat).
    pub const STATS: &str = "stats";
    /// Array of one: [`Abi`](super::Abi), written last.
    pub const ABI: &str = "abi";
    /// Ring buffer of [`Changed`](super::Changed).
    pub const CHANGES: &str = "changes";
    /// Every map of the object, in the order in which pins are made.
    pub const MAPS: [&str; 10] = [
        INBOUND_HOSTS,
        OUTBOUND_HOSTS,
        INBOUND_PORTS,
        OUTBOUND_PORTS,
        SOCKETS,
        SEEDED,
        CONTROL,
        STATS,
        CHANGES,
        ABI,
    ];
    /// Program: `sock_ops`, counts opens and closes.
    pub const OBSERVE: &str = "observe";
    /// Program: classifier, never attached; run by the agent to change a table atomically.
    pub const CORRECT: &str = "correct";
    /// Program: BTF tracepoint, closes seeded connections; attached only while there are some.
    pub const CLOSE_SEEDED: &str = "close_seeded";
    /// Pin of the link that attaches [`OBSERVE`] to the cgroup.
    pub const OBSERVE_LINK: &str = "observe_link";
    /// Pin of the link that attaches [`CLOSE_SEEDED`].
    pub const CLOSE_SEEDED_LINK: &str = "close_seeded_lnk";
}

/// Hosts a host map holds unless the agent says otherwise when it creates the map.
pub const HOSTS_DEFAULT: usize = 262_144;
/// Connections older than the attach that can be counted. chosen: more than a host's file descriptors.
pub const SEEDED_MAX: usize = 262_144;
/// Sockets of which a note can be kept. chosen: as many as can be seeded.
pub const NOTES_MAX: usize = SEEDED_MAX;
/// Bytes of the ring of changes: 131 072 records of 32 bytes. A power of two.
pub const CHANGES_BYTES: usize = 4 << 20;
/// Words of a port bitmap: 65 536 bits in 64-bit words.
pub const PORT_WORDS: usize = 1024;
/// Set in [`HostCount::current`] of an entry about to be deleted: nothing may be counted in it any more.
///
/// A corrupted entry that went below zero reads `0xC000_0000` or more, so that it is not taken for a retired one.
pub const RETIRED: u32 = 0x8000_0000;

/// Tells whether `current` belongs to an entry about to be deleted.
pub const fn is_retired(current: u32) -> bool {
    current >> 30 == RETIRED >> 30
}

/// Connections of one host, as the kernel programs keep it. The value of both host maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HostCount {
    /// Open now; see [`RETIRED`].
    pub current: u32,
    /// Drain epoch in which the agent was last told about a change of this entry.
    pub reported: u32,
    /// Opened since this host entered the table.
    pub total: u64,
}

/// Callbacks that a counted socket asks for, which is how it is known as counted: its state changes, and one more that
/// tells the direction and almost never comes (a retransmission).
///
/// They are the `BPF_SOCK_OPS_*_CB_FLAG` bits of the kernel: 1 for timeouts, 2 for retransmissions, 4 for states. The
/// kernel keeps them on the socket, so a mark costs no memory and no lookup.
pub const MARKS: u32 = 7;
/// [`MARKS`] of a socket that is not counted, and whose close ends the [`Note`] about it.
pub const MARK_NOTED: u32 = 4;

/// Returns the [`MARKS`] of a socket that is counted in `direction`.
pub const fn mark(direction: Direction) -> u32 {
    match direction {
        Direction::Inbound => 4 | 1,
        Direction::Outbound => 4 | 2,
    }
}

/// A connection older than the attach, counted by its socket's cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Seed {
    /// The remote host.
    pub host: Host,
    /// [`Direction`] as a number.
    pub direction: u8,
    /// Zero.
    pub pad: [u8; 7],
}

/// What is known of one socket that neither its ports nor the time of the attach tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Note {
    /// 1 when it is counted, although it may be older than the attach or on a port that is not counted any more;
    /// 0 when it is not, although it should be: there was no room, or it met an entry being retired.
    pub counted: u8,
    /// [`Direction`] as a number.
    pub direction: u8,
    /// Zero.
    pub pad: [u8; 6],
}

/// Record of the ring: this host's entry changed since the agent last drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Changed {
    /// The remote host.
    pub host: Host,
    /// [`Direction`] as a number.
    pub direction: u8,
    /// Zero.
    pub pad: [u8; 7],
}

/// What the agent tells the programs while they run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Control {
    /// Only sockets of the network namespace with this cookie are counted (`SO_NETNS_COOKIE`).
    pub netns_cookie: u64,
    /// Drain epoch: a host is announced once in each.
    pub epoch: u32,
    /// Whether the agent takes stock of the sockets that exist: a [`Stock`] as a number.
    pub taking_stock: u32,
    /// 1 while there may be connections counted by cookie: a close asks for its seed before it trusts the mark.
    pub seeds: u32,
    /// Zero.
    pub pad: u32,
}

/// Whether stock is being taken of the sockets that exist. While it is, the kernel makes a [`Note`] of every connection
/// that it counts, so that one without is known to be uncounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stock {
    /// It is not: what is open on a counted port is counted, unless a note says otherwise.
    Taken = 0,
    /// After an attach: a mark without a note is of an earlier program, whose counts are gone.
    Attached = 1,
    /// After a change of ports: marks are our own.
    PortsChanged = 2,
}

/// What the pinned maps were made for. All zero until the tables are complete and attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Abi {
    /// [`ABI_VERSION`] of the agent that made them.
    pub version: u32,
    /// Entries of the inbound host map.
    pub hosts_max_inbound: u32,
    /// Entries of the outbound host map.
    pub hosts_max_outbound: u32,
    /// Zero.
    pub pad: u32,
    /// The network namespace whose connections are counted.
    pub netns_cookie: u64,
    /// Identity (inode number) of the cgroup the program is attached to.
    pub cgroup_id: u64,
}

/// Index of a counter in the `stats` map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stat {
    /// Inbound connections not counted because the host map took no new host.
    RefusedInbound = 0,
    /// Outbound connections not counted because the host map took no new host.
    RefusedOutbound = 1,
    /// Connections not counted because the socket took no mark.
    Unmarked = 2,
    /// Changes that found the ring full; answered by a full read.
    RingDropped = 3,
    /// Connections that met an entry being retired; counted by the next sweep.
    Deferred = 4,
    /// Notes that found no room; the counts of their hosts are repaired by audits.
    NotesLost = 5,
}

impl Stat {
    /// Number of counters in the `stats` map.
    pub const LEN: usize = 6;
}

/// What [`Correction`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Op {
    /// Count the connection with this cookie once, until it is unseeded.
    Seed = 1,
    /// Stop counting the connection with this cookie.
    Unseed = 2,
    /// Add to a host's entry; makes the entry if there is none and `current` is positive.
    Adjust = 3,
    /// Mark an idle entry as [`RETIRED`] if nothing was opened since it was read.
    Retire = 4,
}

/// What a [`Correction`] did, as the program's return value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Outcome {
    /// Done.
    Applied = 1,
    /// The host map takes no new host, or the entry is being retired.
    Refused = 2,
    /// Nothing to do: already seeded, not seeded, or no longer idle.
    Unchanged = 3,
    /// The record was not understood; an agent and an object of different builds.
    Malformed = 4,
}

/// One atomic change of the tables, handed to the `correct` program as its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Correction {
    /// Zero; stands where the program's packet has its link header, which the kernel wants to see.
    pub frame: [u8; 16],
    /// The remote host.
    pub host: Host,
    /// Socket cookie; for [`Op::Seed`] and [`Op::Unseed`].
    pub cookie: u64,
    /// For [`Op::Retire`]: the total that was read.
    pub total: u64,
    /// An [`Op`] as a number.
    pub op: u32,
    /// A [`Direction`] as a number.
    pub direction: u32,
    /// For [`Op::Adjust`]: added to `current`; what is positive is added to `total` too.
    pub current: i32,
    /// Zero.
    pub pad: u32,
}

impl Direction {
    /// Reads a direction from its number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Inbound),
            1 => Some(Self::Outbound),
            2.. => None,
        }
    }
}

const _: () = {
    assert!(size_of::<HostCount>() == 16 && align_of::<HostCount>() == 8);
    assert!(size_of::<Seed>() == 24 && size_of::<Note>() == 8 && size_of::<Changed>() == 24);
    assert!(size_of::<Control>() == 24 && size_of::<Abi>() == 32);
    assert!(size_of::<Correction>() == 64 && align_of::<Correction>() == 8);
    assert!(PORT_WORDS * 64 == 1 << 16 && CHANGES_BYTES.is_power_of_two());
};

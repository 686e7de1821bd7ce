//! What is counted for one host, and in which direction.
use core::fmt;

/// Which way a connection was opened, seen from this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Direction {
    /// A remote host connected to a local mail port.
    Inbound = 0,
    /// This node connected to a remote mail port.
    Outbound = 1,
}

impl Direction {
    /// Both directions, in the order in which every listing shows them.
    pub const ALL: [Self; 2] = [Self::Inbound, Self::Outbound];
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        })
    }
}

/// Connections of one host, or the sum over the hosts of a prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Open now (gauge).
    pub current: u64,
    /// Opened since the host was first seen (counter). A host that is present has at least 1.
    pub total: u64,
}

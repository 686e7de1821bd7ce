//! What the configuration says about the sockets of `Control_Listener` and about who may do what.
//!
//! Source: reference section 3.2.
use convoy_common::{addr::Host, prefix::Prefix};
use convoy_core::config::pattern::Pattern;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// The console's part of what the configuration asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Sockets besides the daemon's own; at most `CONTROL_LISTENS_MAX`.
    pub endpoints: Vec<Endpoint>,
    /// Whether commands on the daemon's own socket and over the bus have to be allowed to a role: what
    /// `Control_Listener` says outside its `Listen` scopes.
    pub authorize: bool,
    /// Who may do what; at most `ROLES_MAX`.
    pub roles: Vec<Role>,
}

/// One socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where.
    pub at: At,
    /// Mode of a Unix socket.
    pub file_mode: u16,
    /// Connections the kernel keeps until they are accepted.
    pub backlog: u16,
    /// Receive buffer in bytes; `None` leaves it to the kernel.
    pub receive_buffer: Option<u32>,
    /// Send buffer in bytes; `None` leaves it to the kernel.
    pub send_buffer: Option<u32>,
    /// Whether small packets are sent at once.
    pub nodelay: bool,
    /// Time after which an idle connection is closed.
    pub timeout: Duration,
    /// What holds for clients of no `Peer` scope.
    pub access: Access,
    /// What holds for clients of a block; the longest that holds a client decides.
    pub peers: Vec<(Prefix, Access)>,
}

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// A path.
    Unix(PathBuf),
    /// A loopback address.
    Tcp(SocketAddr),
}

/// How a client is met.
#[expect(clippy::struct_excessive_bools, reason = "four options of the reference, each on or off by itself")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The client's user has to be known.
    pub authenticate: bool,
    /// Commands have to be allowed to a role.
    pub authorize: bool,
    /// A client whose user is not known is taken nevertheless.
    pub always_allow: bool,
    /// No client is taken; wins over `always_allow`.
    pub always_deny: bool,
}

/// A name that is a user's or a group's, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The name.
    pub name: String,
    /// Commands, in order; at most `ROLE_PATTERNS_MAX`.
    pub allow: Vec<Pattern>,
}

impl Endpoint {
    /// Returns how a client at `address` is met. Clients of a Unix socket are on loopback.
    pub fn access(&self, address: IpAddr) -> Access {
        let host = Host::from(address);
        let holding = self.peers.iter().filter(|(prefix, _)| prefix.contains(host));
        holding.max_by_key(|(prefix, _)| prefix.bits()).map_or(self.access, |(_, access)| *access)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

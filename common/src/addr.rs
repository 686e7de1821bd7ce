//! Host addresses of both families in one key.
//!
//! An IPv4 address is kept in its v4-mapped form (`::ffff:a.b.c.d`), so that a v4-mapped peer of a dual-stack
//! socket and a plain IPv4 peer are one host. Source: RFC 4291 section 2.5.5.2.
use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The family a host address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4, and every v4-mapped IPv6 address.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both families, in the order in which every listing shows them.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// Returns the length of an address of this family: 32 or 128 bits.
    pub const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// A host address, 16 bytes in network byte order; IPv4 is v4-mapped. The key of the kernel's host maps.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct Host {
    /// The address, most significant byte first.
    pub addr: [u8; 16],
}

impl Host {
    /// Folds a v4-mapped address to its IPv4 host; any other address is itself.
    pub const fn new(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(v4) => Self { addr: v4.to_ipv6_mapped().octets() },
            IpAddr::V6(v6) => Self { addr: v6.octets() },
        }
    }

    /// Returns the family; v4-mapped addresses are IPv4.
    pub fn family(&self) -> Family {
        if self.addr[..12] == V4_MAPPED { Family::V4 } else { Family::V6 }
    }

    /// Returns the address as programs and people write it.
    pub fn ip(&self) -> IpAddr {
        match self.family() {
            Family::V4 => {
                let [.., a, b, c, d] = self.addr;
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            Family::V6 => IpAddr::V6(Ipv6Addr::from(self.addr)),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(addr: IpAddr) -> Self {
        Self::new(addr)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip().fmt(f)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The first twelve bytes of every v4-mapped address.
pub const V4_MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

const _: () = assert!(size_of::<Host>() == 16 && align_of::<Host>() == 1);

//! CIDR prefixes of both families.
use crate::addr::{Family, Host};
use core::{
    fmt,
    net::{AddrParseError, IpAddr},
    num::ParseIntError,
    str::FromStr,
};

/// A CIDR block: its lowest address and the number of leading bits that are fixed.
///
/// Invariants: bits below the prefix are zero; `bits` counts within the family (0..=32 for IPv4, 0..=128 for IPv6).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    base: Host,
    family: Family,
    bits: u8,
}

impl Prefix {
    /// Returns the prefix of `bits` bits around `host`; bits below it are cleared.
    ///
    /// `None` when `bits` exceeds the family's length.
    pub fn new(host: Host, bits: u8) -> Option<Self> {
        let family = host.family();
        if bits > family.bits() {
            return None;
        }
        let value = u128::from_be_bytes(host.addr) & mask(family, bits);
        Some(Self { base: Host { addr: value.to_be_bytes() }, family, bits })
    }

    /// Returns the prefix that holds exactly `host`.
    pub fn host(host: Host) -> Self {
        let family = host.family();
        Self { base: host, family, bits: family.bits() }
    }

    /// Returns the prefix that holds every address of `family`.
    pub fn all(family: Family) -> Self {
        let base = match family {
            Family::V4 => Host { addr: (0xffff_u128 << 32).to_be_bytes() },
            Family::V6 => Host { addr: [0; 16] },
        };
        Self { base, family, bits: 0 }
    }

    /// Returns the lowest address.
    pub fn first(&self) -> Host {
        self.base
    }

    /// Returns the highest address.
    pub fn last(&self) -> Host {
        let value = u128::from_be_bytes(self.base.addr) | !mask(self.family, self.bits);
        Host { addr: value.to_be_bytes() }
    }

    /// Returns the family all addresses below this prefix belong to.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Returns the number of fixed leading bits, counted within the family.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Tells whether `host` is below this prefix. No IPv4 host is below an IPv6 prefix, not even below `::/0`.
    pub fn contains(&self, host: Host) -> bool {
        host.family() == self.family && self.first() <= host && host <= self.last()
    }
}

/// The bits that a prefix of `bits` bits fixes, within the 128-bit form of `family`.
fn mask(family: Family, bits: u8) -> u128 {
    let free = u32::from(family.bits() - bits);
    u128::MAX.checked_shl(free).unwrap_or(0)
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An IPv6 prefix above ::ffff:0:0/96 may have a base that reads as v4-mapped only at 96 bits and more,
        // and those are folded; so the base alone tells how to print.
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrefixError {
    /// The part before the slash is no IP address.
    Address(AddrParseError),
    /// The part after the slash is no number.
    Bits(ParseIntError),
    /// The number after the slash exceeds the family's length.
    TooLong {
        /// What was written.
        bits: u8,
        /// 32 or 128.
        max: u8,
    },
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(_) => {
                f.write_str("not an IP address; write a prefix as 192.0.2.0/24 or 2001:db8::/32")
            }
            Self::Bits(_) => {
                f.write_str("the length after the slash is not a number; write a prefix as 192.0.2.0/24")
            }
            Self::TooLong { bits, max } => write!(f, "length {bits} exceeds {max} bits"),
        }
    }
}

impl core::error::Error for PrefixError {}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Reads `addr/N` or `addr` (one host). Bits below the prefix are cleared, as the reference does.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (addr, bits) = match text.split_once('/') {
            Some((addr, bits)) => (addr, Some(bits.parse::<u8>().map_err(PrefixError::Bits)?)),
            None => (text, None),
        };
        let ip = addr.parse::<IpAddr>().map_err(PrefixError::Address)?;
        let host = Host::new(ip);
        let Some(bits) = bits else { return Ok(Self::host(host)) };
        let max = if ip.is_ipv4() { 32 } else { 128 };
        if bits > max {
            return Err(PrefixError::TooLong { bits, max });
        }
        Ok(match (ip, host.family()) {
            // ::ffff:a.b.c.d/N with N of 96 or more is the IPv4 block; above that it is IPv6 space.
            (IpAddr::V6(_), Family::V4) if bits >= 96 => {
                Self::new(host, bits - 96).unwrap_or(Self::all(Family::V4))
            }
            (IpAddr::V6(v6), _) => {
                let value = u128::from(v6) & mask(Family::V6, bits);
                Self { base: Host { addr: value.to_be_bytes() }, family: Family::V6, bits }
            }
            (IpAddr::V4(_), _) => Self::new(host, bits).unwrap_or(Self::host(host)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate alloc;
    use alloc::string::ToString;

    fn check(text: &str, printed: &str) {
        assert_eq!(text.parse::<Prefix>().unwrap().to_string(), printed);
    }

    #[test]
    fn text_is_read_masked_and_printed() {
        check("192.0.2.77/24", "192.0.2.0/24");
        check("192.0.2.77", "192.0.2.77/32");
        check("0.0.0.0/0", "0.0.0.0/0");
        check("::/0", "::/0");
        check("2001:db8::1/32", "2001:db8::/32");
        check("::ffff:192.0.2.1", "192.0.2.1/32");
        check("::ffff:192.0.2.1/120", "192.0.2.0/24");
        check("::ffff:192.0.2.1/90", "::ffc0:0:0/90");
    }

    #[test]
    fn no_ipv4_host_is_below_an_ipv6_prefix() {
        let all6 = "::/0".parse::<Prefix>().unwrap();
        assert!(!all6.contains(Host::new("192.0.2.1".parse().unwrap())));
        assert!(all6.contains(Host::new("2001:db8::1".parse().unwrap())));
    }

    #[test]
    fn first_and_last_bound_the_block() {
        let prefix = "10.1.0.0/16".parse::<Prefix>().unwrap();
        assert_eq!(prefix.first().to_string(), "10.1.0.0");
        assert_eq!(prefix.last().to_string(), "10.1.255.255");
    }

    #[test]
    fn too_long_and_malformed_prefixes_are_refused() {
        assert_eq!("10.0.0.0/33".parse::<Prefix>(), Err(PrefixError::TooLong { bits: 33, max: 32 }));
        assert!(matches!("10.0.0/8".parse::<Prefix>(), Err(PrefixError::Address(_))));
        assert!(matches!("10.0.0.0/x".parse::<Prefix>(), Err(PrefixError::Bits(_))));
    }
}

//! What every peer that keeps addresses answered for must do to be measured: the same acts, told the same way.
use anyhow::Result;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Daemons on all hosts of a lab that keep managed addresses on one of them. Host 1 is to have all of them whenever it is
/// well and has not given them away. Whatever it starts ends with the lab.
pub trait Failover {
    /// Returns name, version and the detection interval, for the tables.
    fn name(&self) -> &str;

    /// Starts one host's daemon anew, after all of that host's processes were killed and the addresses that they left were
    /// removed, as by a start of the host.
    fn restart(&mut self, host: usize) -> Result<()>;

    /// Has a host give all its addresses away in the way that is meant for it, and returns when it is told to, not when
    /// it is done.
    fn drain(&mut self, host: usize) -> Result<()>;

    /// Ends what [`drain`](Self::drain) did.
    fn undrain(&mut self, host: usize) -> Result<()>;
}

/// The networks that managed addresses are of; they are on the segment, and no host has another address of them.
pub const NETWORKS: [&str; 2] = ["10.78.0.0/16", "fd78::/64"];

/// Returns `count` managed addresses of IPv4: 10.78.0.1 and up.
///
/// # Errors
/// When there are not so many.
pub fn ipv4(count: u32) -> Result<Vec<IpAddr>> {
    anyhow::ensure!(count < 1 << 16, "10.78.0.0/16 has no {count} addresses");
    Ok((1..=count).map(|n| Ipv4Addr::from(0x0a4e_0000 | n).into()).collect())
}

/// Returns `count` managed addresses of IPv6: `fd78::1` and up.
pub fn ipv6(count: u32) -> Vec<IpAddr> {
    (1..=count).map(|n| Ipv6Addr::from((0xfd78 << 112) | u128::from(n)).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_distinct_and_of_their_network() -> Result<()> {
        let four = ipv4(300)?;
        assert_eq!(
            (four[0].to_string().as_str(), four[299].to_string().as_str()),
            ("10.78.0.1", "10.78.1.44")
        );
        let six = ipv6(300);
        assert_eq!((six[0].to_string().as_str(), six[299].to_string().as_str()), ("fd78::1", "fd78::12c"));
        assert!(ipv4(1 << 16).is_err());
        Ok(())
    }
}

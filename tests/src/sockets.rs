//! The truth about a host's connections, as the kernel tells it through ss(8).
//!
//! A connection counts from established to closed. TIME-WAIT does not, nor does FIN-WAIT-2 once the kernel has
//! replaced the socket by a time-wait one (`timer:(timewait,...)`): both are after the close.
use anyhow::{Context, Result};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// Which end of a connection the host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The host was called: its own port is the service's.
    Inbound,
    /// The host called: the other port is the service's.
    Outbound,
}

/// Counts connections by remote address in the output of `ss -Htno`.
pub(crate) fn count(text: &str, ports: &[u16], direction: Direction) -> Result<BTreeMap<IpAddr, usize>> {
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(state), Some(local), Some(remote)) = (words.next(), words.nth(2), words.next()) else {
            continue;
        };
        let closed =
            matches!(state, "LISTEN" | "TIME-WAIT" | "UNCONN" | "CLOSED") || state.starts_with("SYN");
        if closed || words.any(|word| word.starts_with("timer:(timewait")) {
            continue;
        }
        let (local, remote) = (socket_addr(local)?, socket_addr(remote)?);
        let port = match direction {
            Direction::Inbound => local.port(),
            Direction::Outbound => remote.port(),
        };
        if ports.contains(&port) {
            *counts.entry(remote.ip().to_canonical()).or_default() += 1;
        }
    }
    Ok(counts)
}

/// Reads `10.0.0.1:25`, `[fd77::1]:25` and `[fe80::1]%eth0:25`.
fn socket_addr(word: &str) -> Result<SocketAddr> {
    let (address, port) = word.rsplit_once(':').with_context(|| format!("ss wrote {word}"))?;
    let address = address.split('%').next().unwrap_or(address).trim_matches(['[', ']']);
    let address: IpAddr = address.parse().with_context(|| format!("ss wrote {word}"))?;
    Ok(SocketAddr::new(address, port.parse().with_context(|| format!("ss wrote {word}"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_from_established_to_close() -> Result<()> {
        let check = |line: &str, direction, want: Option<&str>| -> Result<()> {
            let counts = count(line, &[25], direction)?;
            let want: BTreeMap<IpAddr, usize> =
                want.into_iter().map(|a| Ok((a.parse()?, 1))).collect::<Result<_>>()?;
            assert_eq!(counts, want, "{line}");
            Ok(())
        };
        let inbound = Direction::Inbound;
        check("ESTAB 0 0 10.77.0.1:25 198.51.100.7:4000", inbound, Some("198.51.100.7"))?;
        check("ESTAB 0 0 10.77.0.1:25 198.51.100.7:4000", Direction::Outbound, None)?;
        check("ESTAB 0 0 10.77.0.1:4000 198.18.1.1:25", Direction::Outbound, Some("198.18.1.1"))?;
        check("CLOSE-WAIT 1 0 [fd77::1]:25 [2001:db8:a::1]:4000", inbound, Some("2001:db8:a::1"))?;
        check("ESTAB 0 0 [::ffff:10.77.0.1]:25 [::ffff:192.0.2.1]:4000", inbound, Some("192.0.2.1"))?;
        check(
            "FIN-WAIT-2 0 0 10.77.0.1:25 192.0.2.1:4 timer:(keepalive,2sec,0)",
            inbound,
            Some("192.0.2.1"),
        )?;
        check("FIN-WAIT-2 0 0 10.77.0.1:25 192.0.2.1:4000 timer:(timewait,59sec,0)", inbound, None)?;
        check("TIME-WAIT 0 0 10.77.0.1:25 192.0.2.1:4000 timer:(timewait,59sec,0)", inbound, None)?;
        check("SYN-RECV 0 0 10.77.0.1:25 192.0.2.1:4000", inbound, None)?;
        check("ESTAB 0 0 [fe80::1]%eth0:25 [fe80::2]:4000", inbound, Some("fe80::2"))?;
        Ok(())
    }
}

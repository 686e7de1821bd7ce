//! The same tree on every host, equal to what the kernels' socket tables say.
use crate::site::Site;
use anyhow::{Result, ensure};
use lab::traffic::End;

#[test]
fn three_hosts_show_one_tree_that_equals_ss() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.open(1, 30, "198.51.100.1", 10)?;
    site.open(2, 20, "198.51.100.1", 10)?;
    site.open(3, 12, "203.0.113.9", 3)?;
    site.open(3, 8, "2001:db8:a::1", 4)?;
    let sums = site.wait_for_sums(&[1, 2, 3])?;
    ensure!(sums.values().sum::<u64>() == 70, "{sums:?}");
    ensure!(sums[&"198.51.100.3".parse()?] == 5, "three on one host and two on another are five");
    for host in 1..=3 {
        let host = site.lab.host(host);
        ensure!(host.query("inbound_cidr", "198.51.100.0/24", None)?.current == 50);
        ensure!(host.query("inbound_cidr", "2001:db8::/32", None)?.current == 8);
        ensure!(host.query("inbound_cidr", "0.0.0.0/0", Some("mta3"))?.current == 12);
        let top = host.top("inbound_cidr", 24, 2)?;
        ensure!(top[0].prefix == "198.51.100.0/24" && top[0].current == 50, "{top:?}");
    }
    site.client.end(70, End::Client)?;
    site.wait_for_silence()?;
    Ok(())
}

#[test]
fn tens_of_thousands_of_connections_leave_no_drift() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    let mut total = 0;
    for (host, v6, end) in [
        (1, false, End::Client),
        (2, true, End::ClientReset),
        (3, false, End::ServerReset),
        (1, true, End::Server),
        (2, false, End::HalfClosed),
    ] {
        let from = if v6 { "2001:db8:b::1" } else { "203.0.113.1" };
        let to = site.address(host, v6);
        site.client.churn(EACH, from.parse()?, 50, to, end)?;
        total += EACH as u64;
    }
    let to = site.address(3, true);
    site.client.churn(20, "2001:db8:b::1".parse()?, 4, to, End::ServerTimeout)?;
    total += 20;
    site.wait_for_silence()?;
    for host in 1..=3 {
        let drift = site.audited(host)?;
        ensure!(drift["inbound"] == 0 && drift["outbound"] == 0 && drift["repaired"] == 0, "{drift:?}");
        let host = site.lab.host(host);
        let (v4, v6) =
            (host.query("inbound_cidr", "0.0.0.0/0", None)?, host.query("inbound_cidr", "::/0", None)?);
        ensure!(v4.total + v6.total == total, "{} of {total} were counted", v4.total + v6.total);
    }
    Ok(())
}

/// Connections of each kind.
const EACH: usize = 4_000;

//! For which addresses the host's kernel answers.
use crate::site::{BOUND, OTHERS, Site, VIPS, addresses, ip, said};
use anyhow::{Result, ensure};
use convoy_agent::host::gate::{self, Dropped, Standing};
use lab::until;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

#[test]
fn a_silent_address_is_not_answered_for_and_an_unmanaged_one_is() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let vips = addresses(VIPS);
    site.check_answered(&vips, true)?;
    let gate = site.open()?;
    site.check_answered(&vips, true)?;
    gate.set(&vips, Standing::Silent)?;
    // No lease helps an address that is not held.
    gate.lease().renew(u64::MAX);
    site.check_answered(&vips, false)?;
    ensure!(
        gate.dropped() == Dropped { questions: 4, announcements: 0, lapsed: 0, aside: 0 },
        "two questions and two probes were dropped: {:?}",
        gate.dropped()
    );
    gate.forget(&[vips.clone(), addresses(OTHERS)].concat())?;
    ensure!(gate.addresses().is_empty());
    site.check_answered(&vips, true)
}

#[test]
fn a_held_address_is_answered_for_while_the_lease_lasts() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let (gate, vips) = (site.open()?, addresses(VIPS));
    let lease = gate.lease();
    gate.set(&vips, Standing::Held)?;
    ensure!(lease.until() == 0);
    site.check_answered(&vips, false)?;
    lease.renew(u64::MAX);
    site.check_answered(&vips, true)?;
    lease.revoke();
    site.check_answered(&vips, false)?;
    let dropped = gate.dropped();
    ensure!(dropped.lapsed == 8 && dropped.questions == 8, "all for want of a lease: {dropped:?}");
    lease.renew(u64::MAX);
    site.check_answered(&vips, true)?;
    gate.set(&vips[..1], Standing::Silent)?;
    site.check_answered(&vips[..1], false)?;
    site.check_answered(&vips[1..], true)
}

#[test]
fn a_lease_runs_out_by_itself() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let (gate, vips) = (site.open()?, addresses(VIPS));
    gate.set(&vips, Standing::Held)?;
    let lease = gate.lease();
    lease.renew(gate::boottime_ns() + 300_000_000);
    // Nobody is there to do anything when it ends.
    drop(gate);
    until("the end of the lease", BOUND, || Ok((gate::boottime_ns() > lease.until()).then_some(())))?;
    site.check_answered(&vips, false)
}

#[test]
fn the_kernel_of_a_peer_finds_a_held_address_only() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let (gate, vips) = (site.open()?, addresses(VIPS));
    for family in ["ipv4", "ipv6"] {
        // A peer that gives up after 3 s would give up on every address alike.
        for setting in ["retrans_time_ms=50", "delay_first_probe_time=0", "base_reachable_time_ms=100"] {
            said(site.client(), &format!("sysctl -q net.{family}.neigh.eth0.{setting}"))?;
        }
    }
    gate.set(&vips, Standing::Silent)?;
    gate.lease().renew(u64::MAX);
    for vip in vips {
        let listener = site.inside(|| Ok(TcpListener::bind(SocketAddr::new(vip, 0))?))?;
        let port = listener.local_addr()?;
        let refused = site.client().inside(|| TcpStream::connect_timeout(&port, BOUND))?;
        ensure!(refused.is_err(), "{vip} was reached while it was silent");
        ensure!(neighbour(&site, vip)?.contains("FAILED"), "{}", neighbour(&site, vip)?);
        gate.set(&[vip], Standing::Held)?;
        let stream = site.client().inside(|| TcpStream::connect_timeout(&port, BOUND))??;
        // It uses its connections on when it falls silent, and answers no more.
        gate.set(&[vip], Standing::Silent)?;
        let (mut accepted, _) = listener.accept()?;
        std::io::Write::write_all(&mut accepted, b"220")?;
        let mut greeting = [0; 3];
        std::io::Read::read_exact(&mut &stream, &mut greeting)?;
        ensure!(&greeting == b"220");
    }
    Ok(())
}

/// Returns what the client's kernel knows of an address.
fn neighbour(site: &Site, address: IpAddr) -> Result<String> {
    ip(site.client(), &format!("neigh show to {address} dev eth0"))
}

//! Advertisements of others for addresses that are on the host: the kernel's neighbour cache tells what reached its IPv6.
use crate::{
    frames::{Kind, frame},
    site::{BOUND, CLIENT, Site, Wire, addresses, ip},
};
use anyhow::{Result, ensure};
use convoy_agent::host::gate::Standing;
use lab::until;
use std::net::IpAddr;

#[test]
fn what_others_advertise_of_an_address_that_is_here_does_not_reach_ipv6() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let gate = site.open()?;
    let [here, elsewhere, last] = ["fd77::1:102", "fd77::1:103", "fd77::1:104"];
    let all = addresses([here, elsewhere, last]);
    gate.set(&all[1..2], Standing::Silent)?;
    for (standing, aside) in [(Standing::Standby, 1), (Standing::Held, 2)] {
        gate.set(&all[..1], standing)?;
        // It takes the gate's word for where the address is, so that the cache can be the witness.
        advertise(&site, &all)?;
        ensure!(neighbour(&site, all[0])?.contains(STALE_MAC), "{}", neighbour(&site, all[0])?);
        ensure!(gate.dropped().aside == aside, "{:?}", gate.dropped());
    }
    gate.set(&all[..1], Standing::Silent)?;
    advertise(&site, &all)?;
    ensure!(
        !neighbour(&site, all[0])?.contains(STALE_MAC),
        "one that is not here is a neighbour like any other"
    );
    ensure!(gate.dropped().aside == 2, "{:?}", gate.dropped());
    Ok(())
}

/// Has the host know all of them with a link address of before, the client advertise them in their order, and the host
/// learn of all but the first.
fn advertise(site: &Site, all: &[IpAddr]) -> Result<()> {
    for address in all {
        ip(site.host(), &format!("neigh replace {address} lladdr {STALE_MAC} nud stale dev eth0"))?;
    }
    let mut wire = Wire::open(site.client(), "eth0")?;
    for address in all {
        wire.send(&frame(Kind::Announcement, *address, CLIENT, &[]))?;
    }
    until("the host to learn of those that are elsewhere", BOUND, || {
        let learnt =
            |address: &IpAddr| Ok::<_, anyhow::Error>(!neighbour(site, *address)?.contains(STALE_MAC));
        Ok((learnt(&all[1])? && learnt(&all[2])?).then_some(()))
    })
}

/// Returns what the host's kernel knows of an address.
fn neighbour(site: &Site, address: IpAddr) -> Result<String> {
    ip(site.host(), &format!("neigh show to {address} dev eth0"))
}

const STALE_MAC: &str = "02:00:00:00:00:99";

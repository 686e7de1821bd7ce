//! What leaves the host, whoever sends it and however late.
use crate::{
    frames::{Kind, frame},
    site::{HOST, Site, VIPS, Wire, addresses, check},
};
use anyhow::{Context, Result, ensure};
use convoy_agent::host::gate::{Gate, Standing};
use std::net::IpAddr;

#[test]
fn nothing_that_claims_a_silent_address_leaves() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let (gate, vips) = (site.open()?, addresses(VIPS));
    let lease = gate.lease();
    check_leaves(&site, &vips, true)?;
    lease.renew(u64::MAX);
    gate.set(&vips, Standing::Silent)?;
    check_leaves(&site, &vips, false)?;
    check_dropped(&gate, 6, 0)?;
    gate.set(&vips, Standing::Held)?;
    check_leaves(&site, &vips, true)?;
    // An agent that was stopped, and announces when it wakes up.
    lease.renew(1);
    check_leaves(&site, &vips, false)?;
    check_dropped(&gate, 12, 6)?;
    gate.forget(&vips)?;
    check_leaves(&site, &vips, true)
}

#[test]
fn a_silent_host_may_ask_whether_anybody_has_the_address() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let gate = site.open()?;
    // The client has these; that it answers is what the next owner goes by.
    let held_elsewhere = addresses(["10.77.0.251", "fd77::251"]);
    gate.set(&held_elsewhere, Standing::Silent)?;
    for kind in Kind::ASKS {
        let mut wire = Wire::open(site.host(), "eth0")?;
        for address in &held_elsewhere {
            wire.send(&frame(kind, *address, HOST, &[]))?;
        }
        wire.hear_until(HOST, &held_elsewhere)?;
    }
    Ok(())
}

fn check_leaves(site: &Site, vips: &[IpAddr], leaves: bool) -> Result<()> {
    for kind in Kind::SAYS {
        let arrived = site.arrives(kind, vips, &[])?;
        check(&arrived, vips, leaves).with_context(|| format!("{kind:?}"))?;
    }
    Ok(())
}

fn check_dropped(gate: &Gate, announcements: u64, lapsed: u64) -> Result<()> {
    let dropped = gate.dropped();
    ensure!((dropped.announcements, dropped.lapsed) == (announcements, lapsed), "{dropped:?}");
    Ok(())
}

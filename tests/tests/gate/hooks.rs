//! Interfaces that come and go, and the two ways to attach to one.
use crate::{
    agents::{attached, programs},
    site::{Site, VIPS, addresses, ip, open, said},
};
use anyhow::{Context, Result, ensure};
use convoy_agent::host::gate::{self, Error, Hook, Standing};
use convoy_common::gate::name;
use std::{collections::BTreeSet, fs};

#[test]
fn a_kernel_without_tcx_is_served_by_filters() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let vips = addresses(VIPS);
    let open = || {
        site.inside(|| {
            let mut gate = open(&site.settings())?;
            gate.attach_by(Hook::Clsact, "eth0")?;
            gate.attach_by(Hook::Clsact, "eth0")?;
            Ok(gate)
        })
    };
    let gate = open()?;
    gate.set(&vips, Standing::Silent)?;
    site.check_answered(&vips, false)?;
    ensure!(filters(&site)? == 2, "each program once");
    drop(gate);
    ensure!(filters(&site)? == 2, "filters end with the agent");
    let gate = open()?;
    ensure!(gate.adopted() && filters(&site)? == 2);
    site.check_answered(&vips, false)?;
    gate.set(&vips, Standing::Held)?;
    gate.lease().renew(u64::MAX);
    site.check_answered(&vips, true)?;
    drop(gate);
    site.inside(|| Ok(gate::remove(&site.pins())?))?;
    ensure!(filters(&site)? == 0 && !site.pins().exists());
    site.check_answered(&vips, true)
}

#[test]
fn interfaces_that_are_not_named_are_let_go() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let vips = addresses(VIPS);
    ip(site.host(), "link add eth0.x type veth peer name other")?;
    let mut gate = site.open()?;
    site.inside(|| Ok(gate.attach("eth0.x")?)).context("no pin may have a dot in its name")?;
    gate.set(&vips, Standing::Silent)?;
    ensure!(pins(&site)? == 4 && attached(&site)? == 2);
    let mut only = |names: &[&str]| {
        let names: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        site.inside(|| Ok(gate.detach_others(&names)?))
    };
    only(&["eth0.x", "eth7"])?;
    ensure!(pins(&site)? == 2);
    crate::site::until_answered(&site, &vips)?;
    only(&[])?;
    ensure!(pins(&site)? == 0);
    Ok(())
}

#[test]
fn an_interface_that_is_made_again_is_attached_again() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let mut gate = site.open()?;
    let made_again = "link add index 77 name again type veth peer name other";
    for _ in 0..2 {
        // The same number: its pins are there, and dead.
        ip(site.host(), made_again)?;
        site.inside(|| Ok(gate.attach("again")?))?;
        ensure!(site.inside(|| programs("again"))? == 2);
        ip(site.host(), "link del again")?;
    }
    let refused = site.inside(|| Ok(gate.attach("again").err()))?;
    ensure!(matches!(refused, Some(Error::NoInterface { .. })), "{refused:?}");
    drop(gate);
    ensure!(pins(&site)? == 4);
    site.open()?;
    ensure!(pins(&site)? == 2, "pins of an interface that is gone are not adopted");
    Ok(())
}

/// Counts our filters on the host's interface.
fn filters(site: &Site) -> Result<usize> {
    let mut count = 0;
    for (side, program) in [("ingress", name::INGRESS), ("egress", name::EGRESS)] {
        let shown = said(site.host(), &format!("tc filter show dev eth0 {side}"))?;
        count += shown.lines().filter(|line| line.contains(program)).count();
    }
    Ok(count)
}

/// Counts pins that are not maps.
fn pins(site: &Site) -> Result<usize> {
    let names = fs::read_dir(site.pins())?.map(|entry| Ok(entry?.file_name()));
    let names: Vec<_> = names.collect::<Result<_>>()?;
    Ok(names.iter().filter(|pin| !name::MAPS.iter().any(|map| pin.as_os_str() == *map)).count())
}

//! What happens to hosts: death, cuts, pulled plugs, hands that delete addresses.
use super::site::{BOUND, Site, addresses};
use anyhow::{Result, ensure};
use lab::{Signal, VipOptions, until};

fn options() -> VipOptions {
    VipOptions { addresses: addresses(6), ..VipOptions::default() }
}

#[test]
fn a_host_that_dies_is_taken_over_and_comes_back() -> Result<()> {
    let mut site = Site::up(&options())?;
    site.die(1)?;
    site.wait_until_held(&[2, 3])?;
    // As after a start of the host: nothing of the dead one is left on it.
    for address in site.plumbed(1)? {
        site.lab
            .host(1)
            .launch("ip")
            .args(["addr", "del", &format!("{address}"), "dev", "eth0"])
            .run(BOUND)?;
    }
    site.lab.heal()?;
    site.start(1)?;
    until("even loads", BOUND, || Ok(site.loads(1)?.values().all(|load| *load == 2).then_some(())))?;
    site.wait_until_held(&[1, 2, 3])?;
    site.finish()?;
    Ok(())
}

#[test]
fn a_daemon_that_dies_on_a_living_host_is_fenced_by_its_kernel_and_cleans_up_when_it_is_back() -> Result<()> {
    let mut site = Site::up(&options())?;
    site.end(2, Signal::KILL)?;
    ensure!(!site.plumbed(2)?.is_empty(), "its addresses outlive it");
    site.wait_until_held(&[1, 3])?;
    let history = site.convoy(1, &["vip", "history"])?;
    ensure!(history.contains("mta2") && !history.contains("member"), "who has left has a name: {history}");
    site.start(2)?;
    until("even loads", BOUND, || Ok(site.loads(1)?.values().all(|load| *load == 2).then_some(())))?;
    site.wait_until_held(&[1, 2, 3])?;
    site.finish()?;
    Ok(())
}

#[test]
fn a_host_that_is_cut_off_gives_up_and_the_majority_takes_over_until_it_is_back() -> Result<()> {
    let site = Site::up(&options())?;
    site.lab.cut(3)?;
    site.wait_until_held(&[1, 2])?;
    until("the lonely host to know", BOUND, || Ok((site.vips(3)?["firm"] == false).then_some(())))?;
    site.lab.heal()?;
    until("even loads", BOUND, || Ok(site.loads(3)?.values().all(|load| *load == 2).then_some(())))?;
    site.wait_until_held(&[1, 2, 3])?;
    site.finish()?;
    Ok(())
}

#[test]
fn a_host_that_only_does_not_hear_or_is_not_heard_never_makes_two_owners() -> Result<()> {
    let site = Site::up(&options())?;
    for round in 0..2 {
        if round == 0 {
            site.lab.mute(1)?;
        } else {
            site.lab.deafen(1)?;
        }
        site.wait_until_held(&[2, 3])?;
        site.lab.heal()?;
        until("even loads", BOUND, || Ok(site.loads(1)?.values().all(|load| *load == 2).then_some(())))?;
        site.wait_until_held(&[1, 2, 3])?;
    }
    site.finish()?;
    Ok(())
}

#[test]
fn a_pulled_plug_gives_addresses_away_and_they_come_back_with_it() -> Result<()> {
    let site = Site::up(&options())?;
    site.lab.unplug(2)?;
    site.wait_until_held(&[1, 3])?;
    site.lab.plug(2)?;
    until("even loads", BOUND, || Ok(site.loads(1)?.values().all(|load| *load == 2).then_some(())))?;
    site.wait_until_held(&[1, 2, 3])?;
    site.finish()?;
    Ok(())
}

#[test]
fn a_deleted_address_comes_back_and_others_are_not_touched() -> Result<()> {
    let site = Site::up(&options())?;
    let host = site.lab.host(1);
    host.launch("ip").args(["addr", "add", "10.78.9.9/32", "dev", "eth0"]).run(BOUND)?;
    let own = site.plumbed(1)?;
    for address in &own {
        let output =
            host.launch("ip").args(["addr", "del", &address.to_string(), "dev", "eth0"]).run(BOUND)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    until("all to be back", BOUND, || Ok((site.plumbed(1)?.len() == own.len()).then_some(())))?;
    let output = host.launch("ip").args(["-o", "addr", "show", "to", "10.78.9.9"]).run(BOUND)?;
    ensure!(!output.stdout.is_empty(), "an address that nobody named was removed");
    site.wait_until_held(&[1, 2, 3])?;
    site.finish()?;
    Ok(())
}

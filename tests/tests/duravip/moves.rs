//! What operators do: look, move, drain, stop, start.
use super::site::{BOUND, Site, addresses};
use anyhow::{Context as _, Result, ensure};
use lab::{Signal, VipOptions, until};

fn options() -> VipOptions {
    VipOptions { addresses: addresses(9), ..VipOptions::default() }
}

#[test]
fn addresses_are_spread_evenly_and_only_the_owner_has_them() -> Result<()> {
    let site = Site::up(&options())?;
    // A machine that is busy with other tests may have taken one host for dead; it has its share again soon.
    let owners = until("three each", BOUND, || {
        let owners = site.wait_until_held(&[1, 2, 3])?;
        let of = |host: usize| {
            owners.values().filter(|owner| owner.as_deref() == Some(site.lab.host(host).name())).count()
        };
        Ok((1..=3).all(|host| of(host) == 3).then_some(owners))
    })?;
    for host in 1..=3 {
        let own = owners.iter().filter(|(_, owner)| owner.as_deref() == Some(site.lab.host(host).name()));
        let mut own = own.map(|(address, _)| *address).collect::<Vec<_>>();
        own.sort();
        // What was evened away from it stays there for some seconds, silent.
        let mut found = Vec::new();
        let only = until("only its own to be there", BOUND, || {
            found = site.plumbed(host)?;
            found.sort();
            Ok((found == own).then_some(()))
        });
        only.with_context(|| format!("mta{host} has {found:?}, not {own:?}"))?;
    }
    let text = site.convoy(2, &["console", "cluster duravip show"])?;
    ensure!(text.starts_with("DuraVIP State:\n"), "{text}");
    site.finish()?;
    Ok(())
}

#[test]
fn a_move_takes_an_address_there_and_a_drain_takes_all_away() -> Result<()> {
    let site = Site::up(&options())?;
    let owners = site.wait_until_held(&[1, 2, 3])?;
    let Some((address, _)) = owners.iter().find(|(_, owner)| owner.as_deref() == Some("mta1")) else {
        anyhow::bail!("mta1 has nothing");
    };
    site.convoy(3, &["vip", "move", &address.to_string(), "mta2"])?;
    until("the move", BOUND, || Ok((site.owners(1)?[address].as_deref() == Some("mta2")).then_some(())))?;
    site.wait_until_held(&[1, 2, 3])?;
    site.convoy(1, &["vip", "drain", "mta2"])?;
    until("the drain", BOUND, || Ok((!site.loads(3)?.contains_key("mta2")).then_some(())))?;
    site.wait_until_held(&[1, 2, 3])?;
    until("the drained host to be empty", BOUND, || Ok(site.plumbed(2)?.is_empty().then_some(())))?;
    site.convoy(1, &["vip", "undrain", "mta2"])?;
    until("even loads", BOUND, || Ok(site.loads(3)?.values().all(|load| *load == 3).then_some(())))?;
    site.wait_until_held(&[1, 2, 3])?;
    site.finish()?;
    Ok(())
}

#[test]
fn a_daemon_that_stops_hands_over_and_leaves_nothing_and_gets_its_share_back() -> Result<()> {
    let mut site = Site::up(&options())?;
    site.end(3, Signal::TERM)?;
    ensure!(site.plumbed(3)?.is_empty(), "{:?}", site.plumbed(3)?);
    site.wait_until_held(&[1, 2])?;
    site.start(3)?;
    until("even loads", BOUND, || Ok(site.loads(3)?.values().all(|load| *load == 3).then_some(())))?;
    site.wait_until_held(&[1, 2, 3])?;
    site.finish()?;
    Ok(())
}

#[test]
fn a_preferred_node_has_what_prefers_it_whenever_it_is_there() -> Result<()> {
    let options = VipOptions { preference: Some("mta2".into()), addresses: addresses(4), ..options() };
    let mut site = Site::up(&options)?;
    until("home", BOUND, || Ok((site.loads(1)?.get("mta2") == Some(&4)).then_some(())))?;
    site.wait_until_held(&[1, 2, 3])?;
    site.end(2, Signal::TERM)?;
    site.wait_until_held(&[1, 3])?;
    ensure!(site.loads(1)?.values().all(|load| *load == 2), "{:?}", site.loads(1)?);
    site.start(2)?;
    until("home again", BOUND, || Ok((site.loads(1)?.get("mta2") == Some(&4)).then_some(())))?;
    site.wait_until_held(&[1, 2, 3])?;
    site.finish()?;
    Ok(())
}

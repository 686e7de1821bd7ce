//! Paths between two hosts that lose frames, in one direction or both: one does not hear another that the third one hears.
use super::site::{BOUND, Site, addresses};
use anyhow::{Context as _, Result, ensure};
use lab::{VipOptions, until};
use std::{thread, time::Duration};

fn options() -> VipOptions {
    VipOptions { addresses: addresses(6), ..VipOptions::default() }
}

/// Tells whether a host has heard no heartbeats of another for so long that it suspects it.
fn suspects(site: &Site, host: usize, of: usize) -> Result<bool> {
    let answer = site.lab.host(host).convoy_json(&["membership"])?;
    let members = answer["members"].as_array().context("members")?;
    let member = members.iter().find(|member| member["name"] == site.lab.host(of).name());
    Ok(member.context("no such member")?["heartbeats"]["suspect"] == true)
}

#[test]
fn a_host_that_the_third_one_hears_keeps_what_it_has() -> Result<()> {
    let site = Site::up(&options())?;
    let owners = site.owners(3)?;
    let moves = site.convoy(3, &["vip", "history"])?;
    for hidden in [&[(1, 2)][..], &[(3, 1)], &[(1, 2), (2, 1)]] {
        hidden.iter().try_for_each(|(from, to)| site.lab.hide(*from, *to))?;
        let all_suspect = |wanted| {
            let is_so = |(from, to): &(usize, usize)| Ok(suspects(&site, *to, *from)? == wanted);
            Ok(hidden.iter().map(is_so).collect::<Result<Vec<_>>>()?.iter().all(|is_so| *is_so).then_some(()))
        };
        until("suspicion", BOUND, || all_suspect(true))?;
        thread::sleep(Duration::from_millis(700)); // waits: for more than a lease, after which it would be taken over
        ensure!(all_suspect(true)?.is_some(), "{hidden:?} are heard");
        for host in 1..=3 {
            let now = site.owners(host)?;
            let history = || site.convoy(host, &["vip", "history"]);
            ensure!(now == owners, "{hidden:?} on mta{host}: {owners:?} became {now:?}; {}", history()?);
        }
        site.lab.heal()?;
        until("heartbeats", BOUND, || all_suspect(false))?;
    }
    site.wait_until_held(&[1, 2, 3])?;
    let after = site.convoy(3, &["vip", "history"])?;
    ensure!(after.lines().count() == moves.lines().count(), "{after}");
    site.finish()?;
    Ok(())
}

#[test]
fn a_path_that_loses_everything_one_way_never_makes_two_owners() -> Result<()> {
    let site = Site::up(&options())?;
    for (from, to) in [(1, 2), (3, 1)] {
        site.lab.cut_one_way(from, to)?;
        thread::sleep(Duration::from_secs(3)); // waits: for the bus to make of it what it can
        site.lab.heal()?;
        until("even loads", BOUND, || Ok(site.loads(2)?.values().all(|load| *load == 2).then_some(())))?;
        site.wait_until_held(&[1, 2, 3])?;
    }
    site.finish()?;
    Ok(())
}

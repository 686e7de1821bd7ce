//! Paths between two hosts that lose frames, in one direction or both: one does not hear another that the third one hears.
use super::site::{BOUND, Site, addresses};
use anyhow::{Context as _, Result, ensure};
use lab::{VipOptions, prng::Prng, until};
use std::{env, thread, time::Duration};

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

/// `CONVOY_CUTS=30 cargo test -p convoy-tests --test duravip one_way` does as many as that.
#[test]
fn a_path_that_loses_everything_one_way_never_makes_two_owners() -> Result<()> {
    let cuts = env::var("CONVOY_CUTS").ok().and_then(|number| number.parse().ok()).unwrap_or(3);
    let site = Site::up(&options())?;
    let mut prng = Prng::new(7);
    for _ in 0..cuts {
        let from = prng.index(3);
        let to = (from + 1 + prng.index(2)) % 3;
        let ms = prng.scale(200..=4_000);
        site.lab.cut_one_way(from + 1, to + 1)?;
        thread::sleep(Duration::from_millis(ms)); // waits: for the bus to make of it what it can
        site.lab.heal()?;
        let held = site.wait_until_held(&[1, 2, 3]);
        let doubles = site.witness().testimony().doubles;
        ensure!(doubles == 0, "two owners, mta{} did not hear mta{} for {ms} ms", to + 1, from + 1);
        held?;
    }
    site.finish()?;
    Ok(())
}

//! Daemons that are stopped for a while, on hosts whose kernel answers on.
use super::site::{BOUND, Site, addresses};
use anyhow::{Result, ensure};
use lab::{Signal, VipOptions, prng::Prng, until};
use std::{
    env, thread,
    time::{Duration, Instant},
};

fn options() -> VipOptions {
    VipOptions { addresses: addresses(6), ..VipOptions::default() }
}

#[test]
fn a_stall_below_the_lease_moves_nothing() -> Result<()> {
    let mut site = Site::up(&options())?;
    let owners = site.wait_until_held(&[1, 2, 3])?;
    for host in 1..=3 {
        site.process(host)?.kill(Signal::STOP)?;
        thread::sleep(Duration::from_millis(250)); // waits: for a stall, half as long as the lease
        site.process(host)?.kill(Signal::CONT)?;
        until("it to be trusted again", BOUND, || Ok((site.vips(host)?["firm"] == true).then_some(())))?;
    }
    ensure!(site.wait_until_held(&[1, 2, 3])? == owners, "a short stall moved something");
    site.finish()?;
    Ok(())
}

#[test]
fn a_stall_beyond_the_lease_gives_everything_away_once() -> Result<()> {
    let mut site = Site::up(&options())?;
    site.process(2)?.kill(Signal::STOP)?;
    until("the others to hold all", BOUND, || Ok((!site.loads(1)?.contains_key("mta2")).then_some(())))?;
    site.wait_until_held(&[1, 3])?;
    site.process(2)?.kill(Signal::CONT)?;
    until("even loads", BOUND, || Ok(site.loads(1)?.values().all(|load| *load == 2).then_some(())))?;
    site.wait_until_held(&[1, 2, 3])?;
    site.finish()?;
    Ok(())
}

/// `CONVOY_STALLS=100 cargo test -p convoy-tests --test duravip many_stalls` does as many as that.
#[test]
fn many_stalls_of_any_length_never_make_two_owners() -> Result<()> {
    let stalls = env::var("CONVOY_STALLS").ok().and_then(|number| number.parse().ok()).unwrap_or(4);
    let mut site = Site::up(&options())?;
    let mut prng = Prng::new(7);
    let mut begun = Vec::new();
    for _ in 0..stalls {
        let host = 1 + prng.index(3);
        let ms = prng.scale(50..=5_000);
        begun.push((Instant::now(), host, ms));
        site.process(host)?.kill(Signal::STOP)?;
        thread::sleep(Duration::from_millis(ms)); // waits: for the stall
        site.process(host)?.kill(Signal::CONT)?;
        site.wait_until_held(&[1, 2, 3])?;
    }
    for double in site.witness().testimony().double {
        let stall = begun.iter().rfind(|(at, ..)| *at < double.asked);
        let after = stall.map(|(at, host, ms)| (*host, *ms, double.asked - *at));
        eprintln!("{double}; asked after the stall of (host, for milliseconds): {after:?}");
    }
    let testimony = site.finish()?;
    ensure!(testimony.answered > testimony.asked / 10, "{testimony:?}");
    Ok(())
}

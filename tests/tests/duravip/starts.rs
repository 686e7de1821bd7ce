//! Daemons that die or stop and start again, with so many addresses that all hosts keep all of them.
use super::site::{Site, addresses};
use anyhow::{Result, ensure};
use lab::{Signal, VipOptions, prng::Prng};
use std::env;

/// `CONVOY_STARTS=100 CONVOY_ADDRESSES=4000 cargo test -p convoy-tests --test duravip many_starts` does as many as that.
#[test]
fn many_starts_with_many_addresses_never_make_two_owners() -> Result<()> {
    let starts = number("CONVOY_STARTS")?.unwrap_or(2);
    let addresses = addresses(number("CONVOY_ADDRESSES")?.unwrap_or(600));
    ensure!(addresses.len() > 512, "with fewer they are not kept by all hosts");
    let mut site = Site::up(&VipOptions { addresses, ..VipOptions::default() })?;
    let mut prng = Prng::new(11);
    for start in 0..starts {
        let host = 1 + prng.index(3);
        let others = [1, 2, 3].into_iter().filter(|other| *other != host).collect::<Vec<_>>();
        site.end(host, if prng.per_mille(700) { Signal::KILL } else { Signal::TERM })?;
        // It comes back before the others have taken over, or after that.
        if start % 2 == 0 {
            site.wait_until_held(&others)?;
        }
        site.start(host)?;
        site.wait_until_held(&[1, 2, 3])?;
    }
    let testimony = site.finish()?;
    ensure!(testimony.answered > testimony.asked / 10, "{testimony:?}");
    Ok(())
}

fn number(variable: &str) -> Result<Option<u16>> {
    Ok(env::var(variable).ok().map(|text| text.parse()).transpose()?)
}

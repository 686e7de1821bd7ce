//! Thousands of addresses. `CONVOY_VIPS` says how many, for figures; each test prints how long its steps took.
use crate::site::{BOUND, Node, ip, lab, mac, plan};
use anyhow::{Context as _, Result, ensure};
use convoy_agent::host::address::{Event, Found, Order};
use convoy_core::vip::Want;
use lab::Ear;
use std::{
    collections::BTreeSet,
    env,
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

fn count(default: u32) -> Result<u32> {
    env::var("CONVOY_VIPS").map_or(Ok(default), |text| Ok(text.parse()?))
}

fn v4(count: u32) -> Vec<IpAddr> {
    let first = u32::from(Ipv4Addr::new(10, 88, 0, 1));
    (first..first + count).map(|bits| Ipv4Addr::from(bits).into()).collect()
}

fn v6(count: u32) -> Vec<IpAddr> {
    let first = u128::from(Ipv6Addr::new(0xfd88, 0, 0, 0, 0, 0, 0, 1));
    (first..first + u128::from(count)).map(|bits| Ipv6Addr::from(bits).into()).collect()
}

/// Waits until `mta1` has announced all of them.
fn hear_all(ear: &mut Ear, vips: &[IpAddr]) -> Result<()> {
    let mut missing: BTreeSet<IpAddr> = vips.iter().copied().collect();
    while !missing.is_empty() {
        let said = ear.hear().with_context(|| format!("{} were not announced", missing.len()))?;
        if said.mac == mac(1) {
            missing.remove(&said.address);
        }
    }
    Ok(())
}

/// Returns how long each step took.
fn in_bulk(vips: &[IpAddr]) -> Result<String> {
    let mut figures = String::new();
    let lab = lab(2)?;
    let (doubted, number) = (ip("10.77.0.100"), vips.len());
    let mut other = Node::start(lab.host(2), plan(lab.host(2), [doubted]))?;
    other.make(&[doubted], Want::Held)?;
    let managed = || vips.iter().copied().chain([doubted]);
    let mut node = Node::start(lab.host(1), plan(lab.host(1), managed()))?;
    let mut ear = Ear::open(lab.client(), "eth0")?;
    let begun = Instant::now();
    node.order(Order::Make { order: 1, wants: vips.iter().map(|vip| (*vip, Want::Held)).collect() })?;
    node.order(Order::Probe {
        id: 1,
        addresses: vec![doubted],
        controls: Vec::new(),
        every: Duration::from_millis(2),
        until: BOUND,
    })?;
    let probed = node.event("the probe", |event| match event {
        Event::Probed { id: 1, found } => Some(found.clone()),
        _ => None,
    })?;
    ensure!(probed == Found::Answer { address: doubted, mac: mac(2) }, "{probed:?}");
    let made = |event: &Event| match event {
        Event::Made(made) => Some(made.len()),
        _ => None,
    };
    let before: usize = std::iter::from_fn(|| node.told(made)).sum();
    writeln!(
        figures,
        "probe beside the work of {number}: answered in {:?}, {before} were made",
        begun.elapsed()
    )?;
    ensure!(before < number, "the probe waited for all of them");
    hear_all(&mut ear, vips)?;
    writeln!(figures, "{number} plumbed and announced in {:?}", begun.elapsed())?;
    writeln!(figures, "{:?}", node.handle().link().snapshot())?;
    node.make(vips, Want::Silent)?;
    let mut ear = Ear::open(lab.client(), "eth0")?;
    let begun = Instant::now();
    node.order(Order::Make { order: 1, wants: vips.iter().map(|vip| (*vip, Want::Held)).collect() })?;
    hear_all(&mut ear, vips)?;
    writeln!(figures, "{number} silent ones announced in {:?}", begun.elapsed())?;
    let begun = Instant::now();
    node.stop();
    writeln!(figures, "stopped in {:?}", begun.elapsed())?;
    let mut node = Node::start(lab.host(1), plan(lab.host(1), managed()))?;
    let begun = Instant::now();
    node.make(vips, Want::Silent)?;
    writeln!(
        figures,
        "{number} silent at start in {:?}: {:?}",
        begun.elapsed(),
        node.handle().link().snapshot()
    )?;
    node.stop();
    Ok(figures)
}

#[test]
fn two_thousand_addresses_are_held_and_announced_and_a_probe_does_not_wait_for_them() -> Result<()> {
    lab::require!();
    println!("{}", in_bulk(&v4(count(2_000)?))?);
    Ok(())
}

#[test]
fn the_same_with_ipv6() -> Result<()> {
    lab::require!();
    println!("{}", in_bulk(&v6(count(1_000)?))?);
    Ok(())
}

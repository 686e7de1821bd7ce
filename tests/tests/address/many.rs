//! Thousands of addresses.
use crate::site::{BOUND, Ear, Node, ip, lab, mac, plan};
use anyhow::{Result, ensure};
use convoy_agent::host::address::{Event, Found, Order};
use convoy_core::vip::Want;
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

fn vips(count: u32) -> Vec<IpAddr> {
    (0..count).map(|number| Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 88, 0, 1)) + number).into()).collect()
}

#[test]
fn two_thousand_addresses_are_held_and_announced_and_a_probe_does_not_wait_for_them() -> Result<()> {
    lab::require!();
    let lab = lab(2)?;
    let (vips, doubted) = (vips(2_000), ip("10.77.0.100"));
    let mut other = Node::start(lab.host(2), plan(lab.host(2), [doubted]))?;
    other.make(&[doubted], Want::Held)?;
    let managed = vips.iter().copied().chain([doubted]);
    let mut node = Node::start(lab.host(1), plan(lab.host(1), managed))?;
    let mut ear = Ear::open(lab.client(), "eth0")?;
    let begun = Instant::now();
    node.order(Order::Make(vips.iter().map(|vip| (*vip, Want::Held)).collect()))?;
    let (every, until) = (Duration::from_millis(2), BOUND);
    node.order(Order::Probe { id: 1, addresses: vec![doubted], every, until })?;
    let mut missing: BTreeSet<IpAddr> = vips.iter().copied().collect();
    while !missing.is_empty() {
        let said = ear.next()?;
        if said.mac == mac(1) {
            missing.remove(&said.address);
        }
    }
    println!("2 000 plumbed and announced in {:?}", begun.elapsed());
    // The probe ended while addresses were still being made.
    let mut made = 0;
    let mut made_before = None;
    node.event("all made, and the probe", |event| {
        match event {
            Event::Made(more) => made += more.iter().filter(|made| made.now == Want::Held).count(),
            Event::Probed { id: 1, found: Found::Answer { .. } } => made_before = Some(made),
            _ => {}
        }
        (made == vips.len()).then_some(())
    })?;
    ensure!(made_before.is_some_and(|before| before < vips.len()), "{made_before:?}");
    node.make(&vips, Want::Silent)?;
    let begun = Instant::now();
    node.make(&vips, Want::Held)?;
    println!("2 000 silent ones held in {:?}", begun.elapsed());
    node.stop();
    Ok(())
}

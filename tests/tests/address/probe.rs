//! Asking the wire, and hearing others claim what is held.
use crate::site::{Node, V4, V6, ip, lab, mac, plan, run_ip};
use anyhow::{Result, ensure};
use convoy_agent::host::address::{Event, Found, Order};
use convoy_core::vip::Want;
use std::{net::IpAddr, time::Duration};

fn probe(node: &mut Node, id: u64, addresses: Vec<IpAddr>, until_ms: u64) -> Result<Found> {
    let (every, until) = (Duration::from_millis(5), Duration::from_millis(until_ms));
    node.order(Order::Probe { id, addresses, controls: Vec::new(), every, until })?;
    node.event("the end of a probe", |event| match event {
        Event::Probed { id: other, found } if *other == id => Some(found.clone()),
        _ => None,
    })
}

#[test]
fn a_host_whose_kernel_lives_answers_and_one_that_is_cut_off_does_not() -> Result<()> {
    lab::require!();
    let lab = lab(2)?;
    let both = [ip(V4), ip(V6)];
    let mut one = Node::start(lab.host(1), plan(lab.host(1), both))?;
    let mut other = Node::start(lab.host(2), plan(lab.host(2), both))?;
    one.make(&both, Want::Held)?;
    // One that is on the host, silent, is heard of as one that is not.
    for want in [Want::Absent, Want::Silent] {
        other.make(&both, want)?;
        for (id, address) in (1..).zip(both) {
            let found = probe(&mut other, id, vec![address], 30_000)?;
            ensure!(found == Found::Answer { address, mac: mac(1) }, "{want:?}: {found:?}");
        }
    }
    lab.cut(1)?;
    for (id, address) in (3..).zip(both) {
        let found = probe(&mut other, id, vec![address], 100)?;
        ensure!(found == Found::Silence, "{found:?}");
    }
    lab.heal()?;
    // Its own answer is none.
    let found = probe(&mut one, 5, both.into(), 100)?;
    ensure!(found == Found::Silence, "{found:?}");
    Ok(())
}

#[test]
fn what_cannot_be_asked_is_not_taken_for_silence() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let mut node = Node::start(lab.host(1), plan(lab.host(1), [ip(V4)]))?;
    let found = probe(&mut node, 1, vec![ip("10.77.0.199")], 50)?;
    ensure!(matches!(found, Found::Unsure(_)), "not managed: {found:?}");
    lab.unplug(1)?;
    node.event("no carrier", |event| matches!(event, Event::Link { up: false, .. }).then_some(()))?;
    let found = probe(&mut node, 2, vec![ip(V4)], 50)?;
    ensure!(matches!(&found, Found::Unsure(why) if why.contains("down")), "{found:?}");
    Ok(())
}

#[test]
fn somebody_else_who_answers_for_a_held_address_is_told_of() -> Result<()> {
    lab::require!();
    let lab = lab(2)?;
    let both = [ip(V4), ip(V6)];
    let mut node = Node::start(lab.host(1), plan(lab.host(1), both))?;
    node.make(&both, Want::Held)?;
    // A host that Convoy does not know of, and that announces what it has, as kernels and switches expect it.
    let mut stranger = Node::start(lab.host(2), plan(lab.host(2), both))?;
    stranger.make(&both, Want::Held)?;
    for address in both {
        let is_it = |event: &Event| (*event == Event::Conflict { address, mac: mac(2) }).then_some(());
        node.event("a conflict", is_it)?;
    }
    // An answer of a plain kernel does too.
    stranger.stop();
    run_ip(lab.host(2), &format!("addr add {V4}/32 dev eth0"))?;
    let conflict = |event: &Event| matches!(event, Event::Conflict { .. }).then_some(());
    while node.told(conflict).is_some() {}
    lab::until("a conflict by an answer", crate::site::BOUND, || {
        let found = probe(&mut node, 9, vec![ip(V4)], 30_000)?;
        ensure!(found == Found::Answer { address: ip(V4), mac: mac(2) }, "{found:?}");
        Ok(node.told(conflict))
    })
}

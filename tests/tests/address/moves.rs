//! An address comes, is held, and goes to another host.
use crate::site::{
    BOUND, Node, V4, V6, add_link, ip, knock, lab, line, mac, plan, run_ip, until_cached, until_there,
};
use anyhow::{Result, ensure};
use convoy_agent::host::address::{Event, Found, Order};
use convoy_core::vip::Want;
use lab::Ear;
use std::{net::IpAddr, time::Duration};

/// Asks the wire from a node, and returns whether somebody answered.
fn is_answered(node: &mut Node, address: IpAddr) -> Result<bool> {
    let (every, until) = (Duration::from_millis(10), Duration::from_millis(300));
    node.order(Order::Probe { id: 7, addresses: vec![address], controls: Vec::new(), every, until })?;
    let found = node.event("the end of a probe", |event| match event {
        Event::Probed { id: 7, found } => Some(found.clone()),
        _ => None,
    })?;
    match found {
        Found::Answer { mac: from, .. } => {
            ensure!(from == mac(1), "{from:?} answered");
            Ok(true)
        }
        Found::Silence => Ok(false),
        Found::Unsure(why) => anyhow::bail!(why),
    }
}

#[test]
fn a_silent_address_is_there_and_says_nothing_and_a_held_one_answers() -> Result<()> {
    lab::require!();
    let lab = lab(2)?;
    let both = [ip(V4), ip(V6)];
    let mut one = Node::start(lab.host(1), plan(lab.host(1), both))?;
    let mut other = Node::start(lab.host(2), plan(lab.host(2), both))?;
    for address in both {
        ensure!(line(lab.host(1), address)?.is_none() && !is_answered(&mut other, address)?);
    }
    one.make(&both, Want::Silent)?;
    for address in both {
        let line = line(lab.host(1), address)?.unwrap_or_default();
        ensure!(line.contains("eth0"), "{line}");
        ensure!(address.is_ipv4() || line.contains("deprecated"), "{line}");
        ensure!(!is_answered(&mut other, address)?, "{address} is silent");
    }
    one.make(&both, Want::Held)?;
    for address in both {
        ensure!(is_answered(&mut other, address)?, "{address} is held");
    }
    one.make(&both, Want::Silent)?;
    for address in both {
        ensure!(line(lab.host(1), address)?.is_some() && !is_answered(&mut other, address)?);
    }
    one.make(&both, Want::Absent)?;
    for address in both {
        ensure!(line(lab.host(1), address)?.is_none());
    }
    Ok(())
}

#[test]
fn a_move_reaches_the_cache_of_a_client_that_never_asked_again() -> Result<()> {
    lab::require!();
    let lab = lab(2)?;
    let both = [ip(V4), ip(V6)];
    let mut one = Node::start(lab.host(1), plan(lab.host(1), both))?;
    let mut other = Node::start(lab.host(2), plan(lab.host(2), both))?;
    one.make(&both, Want::Held)?;
    for address in both {
        knock(&lab, address)?;
        until_cached(&lab, address, 1)?;
    }
    other.make(&both, Want::Silent)?;
    one.make(&both, Want::Silent)?;
    other.make(&both, Want::Held)?;
    for address in both {
        until_cached(&lab, address, 2)?;
    }
    one.make(&both, Want::Absent)?;
    Ok(())
}

#[test]
fn an_announcement_comes_in_every_round_and_once_more_when_ordered() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let vip = ip(V4);
    let mut node = Node::start(lab.host(1), plan(lab.host(1), [vip]))?;
    let mut ear = Ear::open(lab.client(), "eth0")?;
    node.make(&[vip], Want::Held)?;
    for _ in 0..4 {
        ensure!(ear.until_said(vip, 1)?.to_all);
    }
    node.order(Order::Announce(Vec::new()))?;
    ear.until_said(vip, 1)?;
    lab::until("the figures", BOUND, || Ok((node.handle().link().snapshot().announced == 5).then_some(())))
}

#[test]
fn a_device_of_a_vlan_is_a_link_like_any_other() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    for place in [&**lab.host(1), lab.client()] {
        if !add_link(
            place,
            "a_device_of_a_vlan_is_a_link_like_any_other",
            "link eth0 name eth0.10 type vlan id 10",
        )? {
            return Ok(());
        }
        run_ip(place, "link set eth0.10 up")?;
    }
    let both = [ip("10.78.0.100"), ip("fd78::100")];
    let mut plan = plan(lab.host(1), both);
    for place in plan.managed.values_mut() {
        place.interface = "eth0.10".into();
    }
    let mut node = Node::start(lab.host(1), plan)?;
    let mut ear = Ear::open(lab.client(), "eth0.10")?;
    node.make(&both, Want::Held)?;
    for address in both {
        until_there(lab.host(1), address, true)?;
        ensure!(line(lab.host(1), address)?.is_some_and(|line| line.contains("eth0.10")));
    }
    ear.until_said(both[0], 1)?;
    ear.until_said(both[1], 1)?;
    Ok(())
}

#[test]
fn only_hosts_of_interest_are_told_when_not_all_are_to_be() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let vip = ip(V4);
    let mut plan = plan(lab.host(1), [vip]);
    plan.arp_all_hosts = false;
    let mut node = Node::start(lab.host(1), plan)?;
    node.order(Order::HostsOfInterest(vec![(ip("10.77.0.251"), mac(251))]))?;
    let mut ears = [Ear::open(lab.client(), "eth0")?, Ear::open(lab.sink(), "eth0")?];
    node.make(&[vip], Want::Held)?;
    ensure!(!ears[0].until_said(vip, 1)?.to_all, "to the client alone");
    // The sink hears nothing of it before what is said to all.
    run_ip(lab.host(1), "addr add 10.77.0.201/24 dev eth0")?;
    run_ip(lab.host(1), "route flush cache")?;
    lab.host(1).inside(|| {
        let socket = std::net::UdpSocket::bind("10.77.0.201:0")?;
        socket.send_to(b"?", "10.77.0.252:9")
    })??;
    ensure!(ears[1].hear()?.address != vip);
    Ok(())
}

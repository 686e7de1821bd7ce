//! What others do to the addresses and links of a host, and what becomes of it.
use crate::site::{Node, V4, V6, ip, lab, line, plan, run_ip, until_there};
use anyhow::{Result, ensure};
use convoy_agent::host::address::{Event, Order, Plan};
use convoy_core::vip::Want;
use lab::Ear;
use std::time::{Duration, Instant};

#[test]
fn an_address_that_somebody_deletes_is_back_and_announced() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let both = [ip(V4), ip(V6)];
    let mut node = Node::start(lab.host(1), plan(lab.host(1), both))?;
    node.make(&both, Want::Held)?;
    let mut ear = Ear::open(lab.client(), "eth0")?;
    for address in both {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        run_ip(lab.host(1), &format!("addr del {address}/{bits} dev eth0"))?;
        let begun = Instant::now();
        let is = |wanted: Event| move |event: &Event| (*event == wanted).then_some(());
        node.event("vanished", is(Event::Vanished { address }))?;
        node.event("restored", is(Event::Restored { address }))?;
        println!("{address} was back {:?} after `ip` ended", begun.elapsed());
        ensure!(line(lab.host(1), address)?.is_some());
        ear.until_said(address, 1)?;
    }
    Ok(())
}

#[test]
fn an_address_that_somebody_deletes_again_and_again_is_given_up_for_a_while() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let address = ip(V4);
    let mut node = Node::start(
        lab.host(1),
        Plan { down_limit: 2, check: Duration::from_secs(5), ..plan(lab.host(1), [address]) },
    )?;
    node.make(&[address], Want::Held)?;
    for time in 1..=3 {
        run_ip(lab.host(1), &format!("addr del {V4}/32 dev eth0"))?;
        node.event("vanished", |event| (*event == Event::Vanished { address }).then_some(()))?;
        if time < 3 {
            node.event("restored", |event| (*event == Event::Restored { address }).then_some(()))?;
        }
    }
    let why = node.event("that it is given up", |event| match event {
        Event::Made(made) => made.iter().find(|made| made.now == Want::Absent)?.failed.clone(),
        _ => None,
    })?;
    ensure!(why.contains("removed from eth0 3 times") && why.contains("if_down_limit"), "{why}");
    node.event("restored", |event| (*event == Event::Restored { address }).then_some(()))?;
    ensure!(line(lab.host(1), address)?.is_some());
    Ok(())
}

#[test]
fn what_configuration_does_not_name_is_left_alone() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let host = lab.host(1);
    // Of the operator: in the network of a managed address, and beside it; one of them silent, one deleted again.
    let theirs = ["10.90.0.7/24", "10.77.0.201/32", "fd77::1:201/128"];
    let vip = ip("10.90.0.1");
    let mut plan = plan(host, [vip, ip(V6)]);
    for (address, place) in &mut plan.managed {
        place.prefix_len = if address.is_ipv4() { 24 } else { 128 };
    }
    plan.check = Duration::from_millis(20);
    let mut node = Node::start(host, plan)?;
    node.make(&[vip, ip(V6)], Want::Held)?;
    for address in theirs {
        run_ip(host, &format!("addr add {address} dev eth0"))?;
    }
    run_ip(host, "addr add 10.77.0.202/32 dev lo")?;
    run_ip(host, "addr del 10.77.0.202/32 dev lo")?;
    let passes = |node: &mut Node| {
        let is_pass = |event: &Event| matches!(event, Event::Neighbours(_)).then_some(());
        (0..3).try_for_each(|_| node.event("a pass", is_pass))
    };
    passes(&mut node)?;
    ensure!(line(host, ip("10.90.0.7"))?.is_some_and(|line| line.contains("secondary")));
    // The kernel would take the operator's address along with the first one of the network.
    node.make(&[vip, ip(V6)], Want::Absent)?;
    passes(&mut node)?;
    node.stop();
    for address in theirs {
        let address = address.split('/').next().map(ip).expect("an address");
        ensure!(line(host, address)?.is_some(), "{address} is the operator's");
    }
    ensure!(line(host, host.v4().into())?.is_some() && line(host, host.v6().into())?.is_some());
    ensure!(line(host, ip("10.77.0.202"))?.is_none(), "what the operator deleted stays deleted");
    Ok(())
}

#[test]
fn a_managed_address_that_nobody_ordered_goes_again() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let mut node = Node::start(lab.host(1), plan(lab.host(1), [ip(V4)]))?;
    run_ip(lab.host(1), &format!("addr add {V4}/32 dev lo"))?;
    until_there(lab.host(1), ip(V4), false)?;
    node.make(&[ip(V4)], Want::Silent)?;
    run_ip(lab.host(1), &format!("addr add {V4}/24 dev eth0"))?;
    lab::until("only as configured", crate::site::BOUND, || {
        let all = run_ip(lab.host(1), "-o addr show dev eth0")?;
        Ok((!all.contains(&format!("{V4}/24")) && all.contains(&format!("{V4}/32"))).then_some(()))
    })
}

#[test]
fn a_link_that_goes_and_comes_is_told_and_its_addresses_are_announced_again() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let both = [ip(V4), ip(V6)];
    let mut node = Node::start(lab.host(1), plan(lab.host(1), both))?;
    node.make(&both, Want::Held)?;
    let link = |up: bool| {
        move |event: &Event| (*event == Event::Link { interface: "eth0".into(), up }).then_some(())
    };
    node.event("up", link(true))?;
    lab.unplug(1)?;
    node.event("no carrier", link(false))?;
    let mut ear = Ear::open(lab.client(), "eth0")?;
    lab.plug(1)?;
    node.event("carrier", link(true))?;
    for address in both {
        ear.until_said(address, 1)?;
    }
    // Switched off, the kernel drops IPv6 addresses.
    run_ip(lab.host(1), "link set eth0 down")?;
    node.event("off", link(false))?;
    until_there(lab.host(1), ip(V6), false)?;
    run_ip(lab.host(1), "link set eth0 up")?;
    node.event("on", link(true))?;
    until_there(lab.host(1), ip(V6), true)?;
    let mut ear = Ear::open(lab.client(), "eth0")?;
    node.order(Order::Announce(Vec::new()))?;
    for address in both {
        ear.until_said(address, 1)?;
    }
    Ok(())
}

#[test]
fn a_link_that_is_not_there_yet_is_waited_for() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let mut plan = plan(lab.host(1), [ip(V4)]);
    for place in plan.managed.values_mut() {
        place.interface = "later0".into();
    }
    let mut node = Node::start(lab.host(1), plan)?;
    node.order(Order::Make { order: 1, wants: vec![(ip(V4), Want::Held)] })?;
    let why = node.event("a failure", |event| match event {
        Event::Made(made) => made.iter().find_map(|made| made.failed.clone()),
        _ => None,
    })?;
    ensure!(why.contains("later0"), "{why}");
    let make_link = || {
        run_ip(lab.host(1), "link add later0 type veth peer name later1")?;
        run_ip(lab.host(1), "link set later1 up")?;
        run_ip(lab.host(1), "link set later0 up")
    };
    make_link()?;
    until_there(lab.host(1), ip(V4), true)?;
    lab::until("an announcement", crate::site::BOUND, || {
        Ok((node.handle().link().snapshot().announced > 0).then_some(()))
    })?;
    // Made anew under another number.
    run_ip(lab.host(1), "link del later0")?;
    make_link()?;
    until_there(lab.host(1), ip(V4), true)
}

#[test]
fn another_plan_gives_up_what_it_does_not_name() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let both = [ip(V4), ip(V6)];
    let mut node = Node::start(lab.host(1), plan(lab.host(1), both))?;
    node.make(&both, Want::Held)?;
    node.order(Order::Reload(Box::new(plan(lab.host(1), [ip(V6)]))))?;
    until_there(lab.host(1), ip(V4), false)?;
    ensure!(line(lab.host(1), ip(V6))?.is_some(), "it is named on");
    lab::until("one managed address", crate::site::BOUND, || {
        Ok((node.handle().link().snapshot().managed == 1).then_some(()))
    })?;
    run_ip(lab.host(1), &format!("addr add {V4}/32 dev eth0"))?;
    node.make(&[ip(V6)], Want::Absent)?;
    node.stop();
    ensure!(line(lab.host(1), ip(V4))?.is_some(), "it is the operator's now");
    Ok(())
}

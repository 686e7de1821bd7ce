//! How the thread begins, and what it leaves.
use crate::site::{BOUND, Node, V4, V6, ip, lab, line, plan, run_ip};
use anyhow::{Result, ensure};
use convoy_core::vip::Want;

#[test]
fn managed_addresses_that_are_left_over_are_gone_when_it_has_started() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let host = lab.host(1);
    let left_over =
        [format!("{V4}/32 dev eth0"), format!("{V6}/128 dev eth0"), "10.77.0.201/24 dev lo".into()];
    for address in left_over {
        run_ip(host, &format!("addr add {address}"))?;
    }
    let node = Node::start(host, plan(host, [ip(V4), ip(V6), ip("10.77.0.201")]))?;
    for address in [V4, V6, "10.77.0.201"] {
        ensure!(line(host, ip(address))?.is_none(), "{address} is left over");
    }
    ensure!(line(host, host.v4().into())?.is_some());
    drop(node);
    Ok(())
}

#[test]
fn stopped_it_leaves_no_address_and_no_pin() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let host = lab.host(1);
    let both = [ip(V4), ip(V6)];
    let plan = plan(host, both);
    let pins = plan.bpffs.clone();
    let mut node = Node::start(host, plan)?;
    node.make(&both, Want::Held)?;
    ensure!(pins.exists());
    node.stop();
    ensure!(!pins.exists(), "{} is still there", pins.display());
    for address in both {
        ensure!(line(host, address)?.is_none());
    }
    Ok(())
}

#[test]
fn a_second_one_is_refused_and_told_why() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let host = lab.host(1);
    let mut node = Node::start(host, plan(host, [ip(V4)]))?;
    node.make(&[ip(V4)], Want::Held)?;
    let Err(error) = Node::start(host, plan(host, [ip(V4)])) else { anyhow::bail!("it started") };
    ensure!(format!("{error:#}").contains("another convoyd"), "{error:#}");
    lab::until("still held", BOUND, || Ok(line(host, ip(V4))?.map(drop)))
}

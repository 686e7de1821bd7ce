//! What runs beside an address.
use crate::site::{Node, V4, V6, ip, lab, line, plan};
use anyhow::{Result, ensure};
use convoy_agent::host::address::{Event, Hook, Phase};
use convoy_core::vip::Want;
use std::{fs, net::IpAddr, sync::Arc};

fn shell(script: &str) -> Arc<[Hook]> {
    [Hook::Command(["sh", "-c", script].map(String::from).into())].into()
}

fn ended(node: &mut Node, address: IpAddr, phase: Phase) -> Result<Option<String>> {
    node.event("the end of a hook", |event| match event {
        Event::Hook { address: of, phase: at, failed } if (*of, *at) == (address, phase) => {
            Some(failed.clone())
        }
        _ => None,
    })
}

#[test]
fn hooks_run_while_the_address_is_there() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let vip = ip(V4);
    let log = lab.host(1).dir().join("hooks");
    let mut plan = plan(lab.host(1), [vip]);
    let script = format!(
        "echo $CONVOY_PHASE $CONVOY_ADDRESS $CONVOY_INTERFACE $(ip -o addr show | grep -c {V4}/) >> {}",
        log.display()
    );
    plan.hooks.insert(vip, shell(&script));
    let mut node = Node::start(lab.host(1), plan)?;
    node.make(&[vip], Want::Held)?;
    ensure!(ended(&mut node, vip, Phase::Plumbed)?.is_none());
    node.make(&[vip], Want::Absent)?;
    ensure!(ended(&mut node, vip, Phase::Unplumbing)?.is_none());
    node.make(&[vip], Want::Silent)?;
    ensure!(ended(&mut node, vip, Phase::Plumbed)?.is_none());
    node.stop();
    let (plumbed, leaving) = (format!("plumbed {V4} eth0 1\n"), format!("unplumbing {V4} eth0 1\n"));
    ensure!(fs::read_to_string(&log)? == [&*plumbed, &leaving, &plumbed, &leaving].concat());
    Ok(())
}

#[test]
fn a_hook_that_fails_or_hangs_is_told_and_holds_up_its_own_address_only() -> Result<()> {
    lab::require!();
    let lab = lab(1)?;
    let (hanging, other) = (ip(V4), ip(V6));
    let mut plan = plan(lab.host(1), [hanging, other]);
    plan.hooks.insert(
        hanging,
        shell("case $CONVOY_PHASE in plumbed) echo no >&2; exit 4;; esac; sleep 1000 & wait"),
    );
    let mut node = Node::start(lab.host(1), plan)?;
    node.make(&[hanging, other], Want::Held)?;
    let why = ended(&mut node, hanging, Phase::Plumbed)?.unwrap_or_default();
    ensure!(why.contains("exit status: 4") && why.contains("no"), "{why}");
    node.order(convoy_agent::host::address::Order::Make { order: 1, wants: vec![(hanging, Want::Absent)] })?;
    node.make(&[other], Want::Absent)?;
    node.make(&[other], Want::Held)?;
    ensure!(line(lab.host(1), hanging)?.is_some(), "its hook still runs");
    let why = ended(&mut node, hanging, Phase::Unplumbing)?.unwrap_or_default();
    ensure!(why.contains("still running after 10 s, killed"), "{why}");
    crate::site::until_there(lab.host(1), hanging, false)
}

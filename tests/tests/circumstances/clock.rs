//! A clock that jumps: a node's lives stay in order.
use crate::daemon::{lab, wait_for_log, wait_for_state};
use anyhow::{Context, Result, ensure};
use lab::{Host, Signal, require};
use std::{fs, time::Duration};

fn incarnation(host: &Host) -> Result<u64> {
    host.convoy_json(&["status"])?["incarnation"].as_u64().context("incarnation")
}

#[test]
fn a_clock_set_back_does_not_make_a_node_look_old() -> Result<()> {
    require!();
    let lab = lab(2)?;
    let (host, peer) = (lab.host(1), lab.host(2));
    // The clock was centuries ahead when the daemon last started.
    let ahead = 9_999_999_999_999_999_u64;
    fs::write(host.state_dir().join("incarnation"), format!("{ahead}\n"))?;
    let _peer = peer.start_agent()?;
    for life in 1..=2 {
        let mut agent = host.start_agent()?;
        ensure!(incarnation(host)? == ahead + life);
        wait_for_log(&mut agent, &["the clock was set back"])?;
        wait_for_state(peer, "mta1", "alive")?;
        agent.process().kill(Signal::TERM)?;
        ensure!(agent.process().wait(Duration::from_secs(20))?.success());
        wait_for_state(peer, "mta1", "gone")?;
    }
    Ok(())
}

#[test]
fn a_number_that_was_damaged_is_told_and_made_anew() -> Result<()> {
    require!();
    let lab = lab(1)?;
    fs::write(lab.host(1).state_dir().join("incarnation"), "garbage\n")?;
    let mut agent = lab.host(1).start_agent()?;
    wait_for_log(&mut agent, &["incarnation", "not a number"])?;
    ensure!(incarnation(lab.host(1))? > 1_700_000_000_000_000);
    Ok(())
}

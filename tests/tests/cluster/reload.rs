//! A configuration that changes while everything runs.
use crate::site::Site;
use anyhow::{Context as _, Result, ensure};
use lab::{Signal, until};

#[test]
fn a_reload_changes_the_peers_and_loses_no_count() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.open(1, 4, "198.51.100.1", 4)?;
    site.open(3, 2, "198.51.100.1", 4)?;
    site.wait_for_sums(&[1, 2, 3])?;
    let whole = site.lab.host(1).default_config();
    let line = whole.lines().find(|line| line.contains("mta3 =")).context("no line names mta3")?.to_owned();
    site.lab.host(1).write_config(&whole.replace(&line, ""))?;
    site.agent(1)?.process().kill(Signal::HUP)?;
    until("mta3 is no peer", crate::site::BOUND, || {
        Ok((!site.lab.host(1).members()?.contains_key("mta3")).then_some(()))
    })?;
    ensure!(site.leaves(1, None)?.values().sum::<u64>() == 4);
    site.lab.host(1).write_config(&whole)?;
    site.agent(1)?.process().kill(Signal::HUP)?;
    site.wait_for_state("alive", &[1, 2, 3])?;
    site.wait_for_sums(&[1, 2, 3])?;
    Ok(())
}

#[test]
fn a_reload_that_fails_changes_nothing() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.lab.host(1).write_config("msgc_server { peers = [ mta1 = \"10.77.0.1\" \n")?;
    site.agent(1)?.process().kill(Signal::HUP)?;
    until("the error is told", crate::site::BOUND, || {
        Ok(site.agents[0]
            .as_mut()
            .context("no daemon")?
            .process()
            .tail(40)
            .contains("cannot be used")
            .then_some(()))
    })?;
    site.wait_for_state("alive", &[1, 2, 3])?;
    site.open(2, 3, "203.0.113.1", 1)?;
    site.wait_for_sums(&[1, 2, 3])?;
    Ok(())
}

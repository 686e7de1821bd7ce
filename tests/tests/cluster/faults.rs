//! Daemons that are killed, hosts that die, networks that part.
use crate::site::Site;
use anyhow::{Result, ensure};
use lab::{Signal, traffic::End};

#[test]
fn a_daemon_killed_under_load_misses_nothing() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.open(1, 40, "198.51.100.1", 20)?;
    let to = site.address(1, false);
    site.client.begin_churn(12_000, "203.0.113.1".parse()?, 40, to, End::Client)?;
    for _ in 0..3 {
        site.agent(1)?.process().kill(Signal::KILL)?;
        site.agent(1)?.process().wait(crate::site::BOUND)?;
        site.restart_agent(1)?;
    }
    site.client.wait()?;
    site.wait_for_state("alive", &[1, 2, 3])?;
    let sums = site.wait_for_sums(&[1, 2, 3])?;
    ensure!(sums.values().sum::<u64>() == 40, "{sums:?}");
    let counted = site.lab.host(2).query("inbound_cidr", "0.0.0.0/0", None)?;
    ensure!(counted.total == 12_040, "{} of 12040 were counted", counted.total);
    let drift = site.audited(1)?;
    ensure!(drift["inbound"] == 0 && drift["repaired"] == 0, "{drift:?}");
    let status = site.lab.host(1).convoy_json(&["status"])?;
    ensure!(status["kernel"]["adopted"] == true, "the tables were taken over");
    Ok(())
}

#[test]
fn a_host_that_dies_vanishes_from_the_sums_and_comes_back() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.open(1, 5, "198.51.100.1", 5)?;
    site.open(3, 7, "198.51.100.1", 5)?;
    site.wait_for_sums(&[1, 2, 3])?;
    site.lab.host(3).kill_all()?;
    site.wait_for(1, "mta3", "gone")?;
    site.wait_for(2, "mta3", "gone")?;
    let sums = site.wait_for_sums(&[1, 2])?;
    ensure!(sums.values().sum::<u64>() == 5, "{sums:?}");
    site.restart_server(3)?;
    site.restart_agent(3)?;
    site.wait_for_state("alive", &[1, 2, 3])?;
    site.open(3, 3, "198.51.100.1", 5)?;
    let sums = site.wait_for_sums(&[1, 2, 3])?;
    ensure!(sums.values().sum::<u64>() == 8, "{sums:?}");
    Ok(())
}

#[test]
fn parted_hosts_miss_each_other_and_agree_again_after_the_heal() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.open(1, 5, "198.51.100.1", 5)?;
    site.open(3, 7, "198.51.100.1", 5)?;
    site.wait_for_sums(&[1, 2, 3])?;
    site.lab.cut_one_way(3, 1)?;
    site.wait_for(1, "mta3", "gone")?;
    ensure!(site.leaves(1, None)?.values().sum::<u64>() == 5, "what is gone counts no longer");
    site.lab.cut(3)?;
    site.wait_for(2, "mta3", "gone")?;
    site.wait_for(3, "mta1", "gone")?;
    site.lab.heal()?;
    site.wait_for_state("alive", &[1, 2, 3])?;
    site.wait_for_sums(&[1, 2, 3])?;
    Ok(())
}

#[test]
fn a_goodbye_takes_effect_at_once() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.open(2, 6, "198.51.100.1", 5)?;
    site.wait_for_sums(&[1, 2, 3])?;
    site.agent(2)?.process().kill(Signal::TERM)?;
    let ended = site.agent(2)?.process().wait(crate::site::BOUND)?;
    ensure!(ended.success(), "{ended}");
    ensure!(site.lab.host(1).members()?["mta2"] == "gone", "no silence had to pass");
    ensure!(site.leaves(1, None)?.is_empty());
    Ok(())
}

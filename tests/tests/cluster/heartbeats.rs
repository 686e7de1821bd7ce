//! Heartbeat datagrams between daemons: what is suspected, what is not, and that nothing follows from it.
use crate::site::{BOUND, Site};
use anyhow::{Context, Result, ensure};
use lab::{Host, Signal, until};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A site whose nodes beat a hundred times a second, and hear each other.
fn fast() -> Result<Site> {
    let mut site = Site::up()?;
    for host in 1..=3 {
        site.reload(host, &[(GROUP, "heartbeats_per_sec = 100")])?;
    }
    for host in 1..=3 {
        for of in (1..=3).filter(|of| *of != host) {
            until("heartbeats", BOUND, || {
                let is_fast = beats(&site, host, of)?["interval_s"] == 0.01;
                Ok((is_fast && heard(&site, host, of)? > 50).then_some(()))
            })?;
        }
    }
    Ok(site)
}

/// Returns what a host tells of another's heartbeats.
fn beats(site: &Site, host: usize, of: usize) -> Result<Value> {
    let rows = site.lab.host(host).convoy_json(&["membership"])?;
    let rows = rows["members"].as_array().context("members")?;
    let row = rows.iter().find(|row| row["name"] == format!("mta{of}")).context("no such member")?;
    Ok(row["heartbeats"].clone())
}

pub(crate) fn heard(site: &Site, host: usize, of: usize) -> Result<u64> {
    beats(site, host, of)?["heard"].as_u64().context("heard")
}

#[test]
fn a_stopped_process_is_suspected_its_counts_stand_and_it_is_forgiven() -> Result<()> {
    lab::require!();
    let mut site = fast()?;
    site.open(3, 7, "198.51.100.1", 5)?;
    site.wait_for_sums(&[1, 2, 3])?;
    let before = site.lab.host(1).query("inbound_cidr", "0.0.0.0/0", None)?;
    site.agent(3)?.process().kill(Signal::STOP)?;
    for host in 1..=2 {
        until("suspicion", BOUND, || Ok((beats(&site, host, 3)?["suspect"] == true).then_some(())))?;
        ensure!(site.lab.host(host).members()?["mta3"] != "alive");
    }
    let during = site.lab.host(1).query("inbound_cidr", "0.0.0.0/0", None)?;
    site.agent(3)?.process().kill(Signal::CONT)?;
    site.wait_for_state("alive", &[1, 2, 3])?;
    ensure!(site.lab.host(1).members()?["mta2"] == "alive");
    // It may have been given up before it was asked; a machine that is busy enough takes two seconds for it.
    ensure!(during.current == before.current || during.current == 0, "{before:?} {during:?}");
    let quiet = beats(&site, 1, 2)?;
    ensure!(quiet["suspect"] == false, "{quiet}");
    Ok(())
}

#[test]
fn heartbeats_go_on_while_the_cluster_thread_stands_still() -> Result<()> {
    lab::require!();
    let mut site = fast()?;
    let pid = site.agent(3)?.process().pid();
    let stopped = StoppedThread::stop(site.lab.host(3), pid, "cluster")?;
    // Its mesh falls silent, and so it is suspect, then gone: the process lives all the while, and says so.
    site.wait_for(1, "mta3", "gone")?;
    let before = heard(&site, 1, 3)?;
    until("heartbeats", BOUND, || Ok((heard(&site, 1, 3)? > before + 100).then_some(())))?;
    drop(stopped);
    site.wait_for_state("alive", &[1, 2, 3])
}

#[test]
fn a_firewall_that_drops_datagrams_ends_nobody_and_is_named() -> Result<()> {
    lab::require!();
    let site = fast()?;
    let nft = |script: &str| -> Result<()> {
        let output = site.lab.host(3).launch("nft").args(script.split(' ')).run(BOUND)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    };
    nft("add table inet closed")?;
    nft("add chain inet closed in { type filter hook input priority 0 ; }")?;
    nft("add chain inet closed out { type filter hook output priority 0 ; }")?;
    nft("add rule inet closed in udp dport 4802 drop")?;
    nft("add rule inet closed out udp dport 4802 drop")?;
    let trouble = until("the trouble", BOUND, || {
        let rows = site.lab.host(1).convoy_json(&["membership"])?;
        let rows = rows["members"].as_array().context("members")?;
        let row = rows.iter().find(|row| row["name"] == "mta3").context("no such member")?;
        Ok(row["trouble"].as_str().map(str::to_owned))
    })?;
    let text = "no heartbeats from mta3, though its connection lives; open UDP port 4802 between all nodes";
    ensure!(trouble == text, "{trouble}");
    ensure!(site.lab.host(1).members()?["mta3"] == "suspect", "the mesh hears it");
    nft("delete table inet closed")?;
    site.wait_for_state("alive", &[1, 2, 3])
}

#[test]
fn a_node_that_never_got_a_datagram_through_is_alive() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.agent(3)?.process().kill(Signal::KILL)?;
    site.agent(3)?.process().wait(BOUND)?;
    let close =
        "table inet closed { chain out { type filter hook output priority 0; udp dport 4802 drop; }; }";
    let output = site.lab.host(3).launch("nft").arg(close).run(BOUND)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    site.restart_agent(3)?;
    site.wait_for_state("alive", &[1, 2, 3])?;
    until("the trouble", BOUND, || {
        let troubles = site.lab.host(1).convoy_json(&["status"])?["troubles"].to_string();
        Ok(troubles.contains("mta3 is alive: no heartbeats from mta3").then_some(()))
    })
}

/// One thread of a process that does not run; it goes on when this is dropped.
struct StoppedThread(PathBuf);

impl StoppedThread {
    fn stop(host: &Host, pid: u32, name: &str) -> Result<Self> {
        let group = host.cgroup().path().join("stopped");
        fs::create_dir(&group)?;
        let stopped = Self(group);
        stopped.write("cgroup.type", "threaded")?;
        stopped.write("cgroup.threads", &thread(pid, name)?)?;
        stopped.write("cgroup.freeze", "1")?;
        until("the thread stands still", BOUND, || {
            Ok(fs::read_to_string(stopped.0.join("cgroup.events"))?.contains("frozen 1").then_some(()))
        })?;
        Ok(stopped)
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        fs::write(self.0.join(file), text).with_context(|| format!("{file}: {text}"))
    }
}

impl Drop for StoppedThread {
    fn drop(&mut self) {
        // The lab ends what is left, should this fail.
        drop(self.write("cgroup.freeze", "0"));
    }
}

/// Returns the number of a process's thread.
fn thread(pid: u32, name: &str) -> Result<String> {
    let tasks = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"))?;
    for task in tasks {
        let task = task?;
        if fs::read_to_string(task.path().join("comm"))?.trim() == name {
            return Ok(task.file_name().to_string_lossy().into_owned());
        }
    }
    anyhow::bail!("process {pid} has no thread {name}")
}

const GROUP: &str = "cluster_group = \"ec_cluster\"";

//! A configuration that changes while everything runs: all of it or nothing, and no count is lost.
use crate::{
    heartbeats::heard,
    site::{BOUND, PORT, Site, worker},
};
use anyhow::{Context as _, Result, ensure};
use lab::{Direction, Signal, traffic::End, until};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// A port that is listed only after a reload.
const OTHER: u16 = 2526;

impl Site {
    /// Replaces a text in the configuration that a host starts with, and reloads it; returns when it is in force.
    pub(crate) fn reload(&mut self, host: usize, changes: &[(&str, &str)]) -> Result<()> {
        let mut text = self.lab.host(host).default_config();
        for (from, to) in changes {
            ensure!(text.contains(from), "no {from:?} in the configuration");
            text = text.replace(from, to);
        }
        self.lab.host(host).write_config(&text)?;
        let agent = self.agent(host)?;
        agent.process().kill(Signal::HUP)?;
        agent.wait_notified("RELOADING=1", BOUND)?;
        agent.wait_notified("READY=1", BOUND)
    }

    /// Kills a daemon and starts it anew.
    fn crash(&mut self, host: usize) -> Result<()> {
        let process = self.agent(host)?.process();
        process.kill(Signal::KILL)?;
        process.wait(BOUND)?;
        self.restart_agent(host)
    }

    fn log(&mut self, host: usize) -> Result<String> {
        Ok(std::fs::read_to_string(self.agent(host)?.process().log())?)
    }

    fn on_port(&self, host: usize, port: u16) -> SocketAddr {
        SocketAddr::new(self.lab.host(host).v4().into(), port)
    }

    /// Waits until `global` on all hosts is what ss(8) sees of these ports on the first.
    fn wait_for_ports(&self, ports: &[u16]) -> Result<()> {
        until("global equals ss", BOUND, || {
            let truth = self.lab.host(1).sockets(ports, Direction::Inbound)?;
            let truth: BTreeMap<IpAddr, u64> =
                truth.into_iter().map(|(at, n)| Ok((at, u64::try_from(n)?))).collect::<Result<_>>()?;
            let all = [1, 2, 3].map(|host| self.leaves(host, None));
            Ok(all
                .into_iter()
                .collect::<Result<Vec<_>>>()?
                .iter()
                .all(|leaves| *leaves == truth)
                .then_some(()))
        })
    }

    fn sum(&self, host: usize) -> Result<u64> {
        Ok(self.leaves(host, None)?.values().sum())
    }

    /// Returns the listing of ss(8) with these words.
    fn ss(&self, host: usize, words: &[&str]) -> Result<String> {
        let output = self.lab.host(host).launch("ss").args(words).run(BOUND)?;
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// Audits every second, and these inbound ports.
fn ports(list: &str) -> String {
    format!("cluster_group = \"ec_cluster\"\n  audit_interval = 1\n  inbound_ports = ( {list} )")
}

const GROUP: &str = "cluster_group = \"ec_cluster\"";
const LISTEN: &str = "Listen \"*:4802\" {}";

#[test]
fn a_reload_changes_the_peers_and_loses_no_count() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.open(1, 4, "198.51.100.1", 4)?;
    site.open(3, 2, "198.51.100.1", 4)?;
    site.wait_for_sums(&[1, 2, 3])?;
    let whole = site.lab.host(1).default_config();
    let line = whole.lines().find(|line| line.contains("mta3 =")).context("no line names mta3")?.to_owned();
    site.reload(1, &[(&line, "")])?;
    ensure!(!site.lab.host(1).members()?.contains_key("mta3"));
    ensure!(site.sum(1)? == 4);
    // It was told goodbye, so it does not wait for a silence.
    until("mta3 has let go of the counts", BOUND, || Ok((site.sum(3)? == 2).then_some(())))?;
    site.reload(1, &[])?;
    site.wait_for_state("alive", &[1, 2, 3])?;
    site.wait_for_sums(&[1, 2, 3])?;
    Ok(())
}

#[test]
fn a_reload_that_cannot_be_read_changes_nothing() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.reload(1, &[("peers = [", "peers = [ mta1 ="), (GROUP, &ports("2526"))])?;
    let log = site.log(1)?;
    ensure!(log.contains("cannot be used") && log.contains("the reload changes nothing"), "{log}");
    site.wait_for_state("alive", &[1, 2, 3])?;
    site.open(2, 3, "203.0.113.1", 1)?;
    site.wait_for_sums(&[1, 2, 3])?;
    Ok(())
}

#[test]
fn a_reload_whose_port_is_taken_changes_nothing() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    let mut squatter = worker(site.lab.host(1), None)?;
    squatter.listen(site.on_port(1, 4900))?;
    let whole = site.lab.host(1).default_config();
    let line = whole.lines().find(|line| line.contains("mta3 =")).context("no line names mta3")?.to_owned();
    let listens = "Listen \"*:4803\" {} Listen \"*:4900\" {}";
    site.reload(1, &[(LISTEN, listens), (&line, ""), (GROUP, &ports("2526"))])?;
    let log = site.log(1)?;
    ensure!(log.contains("the reload changes nothing: cannot listen on 0.0.0.0:4900"), "{log}");
    let listening = site.ss(1, &["-Hltn"])?;
    ensure!(listening.contains(":4802 ") && !listening.contains(":4803 "), "{listening}");
    site.wait_for_state("alive", &[1, 2, 3])?;
    site.open(1, 3, "203.0.113.1", 3)?;
    site.wait_for_sums(&[1, 2, 3])?;
    Ok(())
}

#[test]
fn ports_change_while_connections_are_open() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    let (first, other) = (site.on_port(1, PORT), site.on_port(1, OTHER));
    site.servers[0].as_mut().context("no server")?.listen(other)?;
    site.client.open(6, "198.51.100.1".parse()?, 3, first)?;
    site.client.open(5, "198.51.100.1".parse()?, 5, other)?;
    site.wait_for_ports(&[PORT])?;

    site.reload(1, &[(GROUP, &ports("25 2526"))])?;
    site.wait_for_ports(&[PORT, OTHER])?; // those that were open, too
    site.client.open(3, "203.0.113.1".parse()?, 3, other)?;
    site.wait_for_ports(&[PORT, OTHER])?;

    site.reload(1, &[(GROUP, &ports("2526"))])?;
    site.client.open(2, "203.0.113.9".parse()?, 1, first)?; // nobody's business any more
    site.client.open(1, "203.0.113.10".parse()?, 1, other)?;
    until("the new one is counted", BOUND, || Ok((site.sum(3)? == 15).then_some(())))?;
    let drift = site.audited(1)?;
    let expected = [("inbound", 0), ("outbound", 0), ("repaired", 0), ("untold", 0)];
    ensure!(expected.iter().all(|(name, n)| drift[*name] == *n), "{drift:?}");
    ensure!(site.sum(1)? == 15, "what was counted stays counted until it closes");

    site.client.end(6, End::Client)?; // all that were counted on the first port
    until("they are counted as closed", BOUND, || Ok((site.sum(2)? == 9).then_some(())))?;
    site.reload(1, &[(GROUP, &ports("25"))])?;
    until("the two are counted", BOUND, || Ok((site.sum(2)? == 9 + 2).then_some(())))?;
    site.client.end(11, End::Server)?;
    until("none is open", BOUND, || Ok((site.sum(2)? == 0).then_some(())))?;
    let drift = site.audited(1)?;
    ensure!(expected.iter().all(|(name, n)| drift[*name] == *n), "{drift:?}");
    Ok(())
}

#[test]
fn outbound_ports_change_while_connections_are_open() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    let second = site.on_port(2, OTHER);
    site.servers[1].as_mut().context("no server")?.listen(second)?;
    let mut sender = worker(site.lab.host(1), Some(site.lab.host(1).cgroup().path()))?;
    sender.open(4, site.lab.host(1).v4().into(), 1, second)?;
    let outbound = |site: &Site| site.lab.host(3).query("outbound_cidr", "0.0.0.0/0", None);
    ensure!(outbound(&site)?.current == 0);
    site.reload(1, &[(GROUP, &ports("25").replace("inbound_ports = ( 25 )", "outbound_ports = 2526"))])?;
    until("four are counted", BOUND, || Ok((outbound(&site)?.current == 4).then_some(())))?;
    sender.end(4, End::Client)?;
    until("none is counted", BOUND, || Ok((outbound(&site)?.current == 0).then_some(())))
}

#[test]
fn a_listener_moves_and_the_mesh_stands() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.open(1, 4, "198.51.100.1", 4)?;
    site.wait_for_sums(&[1, 2, 3])?;
    let mesh =
        |site: &Site| Ok::<_, anyhow::Error>(site.ss(1, &["-Htn", "sport", "=", ":4802"])?.lines().count());
    let before = mesh(&site)?;
    ensure!(before == 2, "two peers have dialled it");
    // A wildcard becomes one address of the same port, then all nodes move to another port.
    let own = format!("Listen \"{}:4802\" {{}}", site.lab.host(1).v4());
    site.reload(1, &[(LISTEN, &own)])?;
    ensure!(site.ss(1, &["-Hltn"])?.contains(&format!("{}:4802", site.lab.host(1).v4())));
    for host in 1..=3 {
        site.reload(host, &[(LISTEN, "Listen \"*:4803\" { listen_backlog = 77 }")])?;
        until("the old socket is gone", BOUND, || {
            let listening = site.ss(host, &["-Hltn"])?;
            ensure!(
                listening.lines().any(|line| line.contains(":4803 ") && line.contains(" 77 ")),
                "{listening}"
            );
            Ok((!listening.contains(":4802 ")).then_some(()))
        })?;
    }
    ensure!(mesh(&site)? == before, "connections that stood stand");
    site.crash(1)?;
    site.wait_for_state("alive", &[1, 2, 3])?;
    site.wait_for_sums(&[1, 2, 3])?;
    ensure!(mesh(&site)? == 0, "all connections are on the new port");
    Ok(())
}

#[test]
fn a_node_moves_to_another_address() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.open(1, 4, "198.51.100.1", 4)?;
    site.wait_for_sums(&[1, 2, 3])?;
    let (old, new) = (format!("\"{}\"", site.lab.host(1).v4()), "10.77.0.101");
    let added =
        site.lab.host(1).launch("ip").args(["addr", "add", "10.77.0.101/24", "dev", "eth0"]).run(BOUND)?;
    ensure!(added.status.success(), "{added:?}");
    for host in 1..=3 {
        site.reload(host, &[(&old, &format!("\"{new}\""))])?;
    }
    site.wait_for_state("alive", &[1, 2, 3])?;
    site.wait_for_sums(&[1, 2, 3])?;
    until("all connections are on the new address", BOUND, || {
        let mesh = site.ss(1, &["-Htn", "( sport = :4802 or dport = :4802 )"])?;
        Ok((mesh.matches(&format!("{new}:")).count() == 4 && mesh.lines().count() == 4).then_some(()))
    })
}

#[test]
fn a_node_leaves_and_joins_by_reload() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.open(1, 4, "198.51.100.1", 4)?;
    site.open(2, 2, "198.51.100.1", 4)?;
    site.wait_for_sums(&[1, 2, 3])?;
    site.reload(1, &[(GROUP, "enabled = false")])?;
    site.wait_for(2, "mta1", "gone")?;
    ensure!(site.sum(1)? == 4, "it counts alone");
    until("the others count without it", BOUND, || Ok((site.sum(3)? == 2).then_some(())))?;
    site.reload(1, &[])?;
    site.wait_for_state("alive", &[1, 2, 3])?;
    site.wait_for_sums(&[1, 2, 3])?;
    Ok(())
}

#[test]
fn delays_of_replication_change() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    let slow = [("max_delay = 0.01", "max_delay = 60")];
    let seen = |site: &Site, n| until("it is seen", BOUND / 2, || Ok((site.sum(2)? == n).then_some(())));
    let waits = |site: &mut Site, n: u64| -> Result<()> {
        site.open(1, 1, "198.51.100.1", 1)?;
        until("own count", BOUND, || {
            Ok((site.leaves(1, Some("mta1"))?.values().sum::<u64>() == n).then_some(()))
        })?;
        ensure!(site.sum(2)? == n - 1, "a change has 60 s to wait");
        Ok(())
    };
    site.reload(1, &slow)?;
    site.open(1, 1, "198.51.100.1", 1)?;
    seen(&site, 1)?; // the first after a pause goes at once
    waits(&mut site, 2)?;
    site.reload(1, &[("max_delay = 0.01", "max_delay = 60\n    max_pending = 1")])?;
    seen(&site, 2)?;
    site.reload(1, &slow)?;
    waits(&mut site, 3)?;
    site.reload(1, &[])?;
    seen(&site, 3)
}

#[test]
fn heartbeats_and_audits_change_their_rate() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.reload(1, &[(GROUP, "heartbeats_per_sec = 100\n  audit_interval = 1")])?;
    let before = (heard(&site, 1, 2)?, heard(&site, 2, 1)?);
    until("200 heartbeats", BOUND, || Ok((heard(&site, 2, 1)? >= before.1 + 200).then_some(())))?;
    ensure!(heard(&site, 1, 2)? < before.0 + 100, "the others beat ten times a second as before");
    let audits = |site: &Site, host| -> Result<u64> {
        site.lab.host(host).convoy_json(&["drift"])?["audits"].as_u64().context("audits")
    };
    // The other one audits every ten seconds as before.
    until("audits every second", BOUND, || Ok((audits(&site, 1)? >= audits(&site, 2)? + 4).then_some(())))?;
    site.wait_for_state("alive", &[1, 2, 3])
}

#[test]
fn the_log_is_quieter_and_louder_again() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    let reloads =
        |site: &mut Site| Ok::<_, anyhow::Error>(site.log(1)?.matches("configuration reloaded").count());
    site.reload(1, &[(GROUP, "debug_level = ERROR")])?;
    ensure!(reloads(&mut site)? == 1, "the last line");
    site.reload(1, &[(GROUP, "debug_level = ERROR\n  audit_interval = 2")])?;
    ensure!(reloads(&mut site)? == 1, "said nothing");
    site.reload(1, &[])?;
    ensure!(reloads(&mut site)? == 2);
    let log = site.log(1)?;
    ensure!(log.contains("changed=\"audit_interval, debug_level\""), "{log}");
    Ok(())
}

#[test]
fn buffers_of_new_connections_change() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    site.reload(1, &[("msgc_server {", "msgc_server {\n  tcpbuf_size = 40000")])?;
    site.crash(2)?;
    site.wait_for_state("alive", &[1, 2, 3])?;
    let second = site.lab.host(2).v4().to_string();
    let dialled = site.ss(1, &["-Htnm", "dst", &second, "dport", "=", ":4802"])?;
    ensure!(dialled.contains("rb80000,") && dialled.contains("tb80000,"), "{dialled}"); // the kernel doubles them
    Ok(())
}

#[test]
fn what_needs_a_restart_is_told_and_the_rest_takes_effect() -> Result<()> {
    lab::require!();
    let mut site = Site::up()?;
    let group = ports("2526").replace("ec_cluster", "another");
    site.reload(
        1,
        &[
            (GROUP, &group),
            ("max_delay = 0.01", "max_size = 9"),
            ("\"mta1\"", "\"mta9\""),
            ("mta1 =", "mta9 ="),
        ],
    )?;
    let log = site.log(1)?;
    for option in ["nodename", "cluster_group", "max_size"] {
        ensure!(log.contains(&format!("{option} changed; restart convoyd")), "{log}");
    }
    ensure!(log.contains("configuration reloaded") && log.contains("inbound_ports"), "{log}");
    let status = site.lab.host(1).convoy_json(&["status"])?["troubles"].to_string();
    ensure!(status.contains("cluster_group is another in the configuration"), "{status}");
    site.wait_for_state("alive", &[1, 2, 3])?;
    let other = site.on_port(1, OTHER);
    site.servers[0].as_mut().context("no server")?.listen(other)?;
    site.client.open(2, "198.51.100.1".parse()?, 1, other)?;
    site.wait_for_ports(&[OTHER])
}

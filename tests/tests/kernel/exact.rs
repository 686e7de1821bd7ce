//! Counts are exact whatever ends a connection, in both directions and families.
use crate::{
    mirror::Mirror,
    site::{TRAFFIC, run, sh, until},
};
use anyhow::{Result, ensure};
use convoy_common::{
    addr::Host,
    count::Direction::{Inbound, Outbound},
};
use lab::traffic::{End, Namespace};

#[test]
fn every_kind_of_end_is_counted_once() {
    run("every_kind_of_end_is_counted_once", |site| {
        let mut mirror = Mirror::start(site.open()?, 64)?;
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("[::]:25".parse()?)?;
        for end in End::PLAIN {
            // v4 to a dual-stack socket (v4-mapped in the kernel), and v6.
            client.churn(400, "127.1.0.1".parse()?, 40, "127.0.0.1:25".parse()?, end)?;
            client.churn(400, "2001:db8::1".parse()?, 40, "[::1]:25".parse()?, end)?;
        }
        mirror.until_sum(Inbound, 0, 4000)?;
        ensure!(mirror.len(Inbound) == 80, "{} hosts", mirror.len(Inbound));
        ensure!(mirror.get(Inbound, "127.1.0.7").map(|count| count.total) == Some(50));
        ensure!(mirror.get(Inbound, "2001:db8::28").map(|count| count.total) == Some(50));
        ensure!(mirror.len(Outbound) == 0, "the client is not counted");
        mirror.audited()
    });
}

#[test]
fn both_ends_are_told_apart() {
    run("both_ends_are_told_apart", |site| {
        let mut mirror = Mirror::start(site.open()?, 64)?;
        let (mut server, mut client) = (site.counted()?, site.counted()?);
        server.listen("127.0.0.9:25".parse()?)?;
        server.listen("127.0.0.9:26".parse()?)?;
        client.open(30, "127.1.0.1".parse()?, 3, "127.0.0.9:25".parse()?)?;
        client.open(30, "127.1.0.1".parse()?, 3, "127.0.0.9:26".parse()?)?; // no mail port
        mirror.until_sum(Inbound, 30, 30)?;
        mirror.until_sum(Outbound, 30, 30)?;
        ensure!(mirror.len(Inbound) == 3 && mirror.len(Outbound) == 1);
        client.end(30, End::Server)?;
        mirror.until_sum(Inbound, 0, 30)?;
        mirror.until_sum(Outbound, 0, 30)?;
        mirror.audited()
    });
}

/// Stale for minutes, once: what changed while the ring was being drained was announced to nobody.
#[test]
fn the_end_of_a_burst_is_not_lost() {
    run("the_end_of_a_burst_is_not_lost", |site| {
        let mut mirror = Mirror::start(site.open()?, 64)?;
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("127.0.0.1:25".parse()?)?;
        for burst in 1..=200 {
            // One host, so that nothing else brings its count up to date, and no more connections than it has ports
            // (closed ones keep theirs for a minute); many ends, so that the last of them
            // meets a drain.
            client.open(120, "127.1.0.1".parse()?, 1, "127.0.0.1:25".parse()?)?;
            client.end(120, End::Client)?;
            mirror.until_sum(Inbound, 0, 120 * burst)?;
        }
        mirror.audited()
    });
}

#[test]
fn a_silent_client_and_a_cut_wire_are_counted_as_closed() {
    run("a_silent_client_and_a_cut_wire_are_counted_as_closed", |site| {
        let mut mirror = Mirror::start(site.open()?, 64)?;
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("[::]:25".parse()?)?;
        client.open(100, "127.1.0.1".parse()?, 10, "127.0.0.1:25".parse()?)?;
        mirror.until_sum(Inbound, 100, 100)?;
        // The server's window to the client fills, then its patience ends.
        client.end(50, End::ServerTimeout)?;
        sh("ip link set lo down")?;
        mirror.until_sum(Inbound, 50, 100)?;
        sh("ip link set lo up")?;
        client.kill()?;
        mirror.until_sum(Inbound, 0, 100)?;
        mirror.audited()
    });
}

#[test]
fn a_killed_server_closes_what_it_held() {
    run("a_killed_server_closes_what_it_held", |site| {
        let mut mirror = Mirror::start(site.open()?, 64)?;
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("127.0.0.1:587".parse()?)?;
        client.open(500, "127.1.0.1".parse()?, 50, "127.0.0.1:587".parse()?)?;
        mirror.until_sum(Inbound, 500, 500)?;
        server.kill()?;
        // Half-closed until the client follows.
        client.kill()?;
        mirror.until_sum(Inbound, 0, 500)?;
        mirror.audited()
    });
}

#[test]
fn other_namespaces_below_the_group_are_not_counted() {
    run("other_namespaces_below_the_group_are_not_counted", |site| {
        let counting = site.open()?;
        let (mut server, mut client) = (site.counted()?, site.counted()?);
        server.listen("127.0.0.1:25".parse()?)?;
        client.churn(10, "127.1.0.1".parse()?, 1, "127.0.0.1:25".parse()?, End::Client)?;
        // The same control group, another namespace: a container of this host.
        let other = Namespace::new()?;
        let cgroup = Some(site.settings.cgroup.as_path());
        let (mut server, mut client) =
            (other.worker(TRAFFIC.as_ref(), cgroup)?, other.worker(TRAFFIC.as_ref(), cgroup)?);
        server.listen("127.0.0.1:25".parse()?)?;
        client.churn(10, "127.2.0.1".parse()?, 1, "127.0.0.1:25".parse()?, End::Client)?;
        let total = |host: &str| -> Result<Option<u64>> {
            Ok(counting.count(Inbound, Host::new(host.parse()?))?.map(|count| count.total))
        };
        until("count of ten", || Ok(total("127.1.0.1")? == Some(10)))?;
        ensure!(total("127.2.0.1")?.is_none(), "a connection of another namespace was counted");
        Ok(())
    });
}

#[test]
fn bpftool_prints_readable_fields() {
    run("bpftool_prints_readable_fields", |site| {
        let _counting = site.open()?;
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("127.0.0.1:25".parse()?)?;
        client.open(3, "127.1.0.1".parse()?, 1, "127.0.0.1:25".parse()?)?;
        let dump = sh(&format!("bpftool map dump pinned {}", site.pin("inbound_hosts").display()))?;
        for field in ["\"addr\": [", "\"current\": 3", "\"total\": 3"] {
            ensure!(dump.contains(field), "{field} is not in {dump}");
        }
        Ok(())
    });
}

//! Full tables and queues lose nothing but time.
use crate::{
    mirror::Mirror,
    site::{run, until},
};
use anyhow::ensure;
use convoy_common::count::Direction::Inbound;
use lab::traffic::End;

#[test]
fn a_full_table_refuses_counts_that_and_recovers() {
    run("a_full_table_refuses_counts_that_and_recovers", |site| {
        site.settings.hosts_max_inbound = 100;
        let mut mirror = Mirror::start(site.open()?, 64)?;
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("[::]:25".parse()?)?;
        client.open(100, "127.1.0.1".parse()?, 100, "127.0.0.1:25".parse()?)?;
        mirror.until_sum(Inbound, 100, 100)?;
        // Nobody is idle: these 40 hosts find no room.
        client.open(40, "127.2.0.1".parse()?, 40, "127.0.0.1:25".parse()?)?;
        mirror.until("40 refusals", |mirror| mirror.state.tables[0].refused == 40)?;
        // Idle hosts make room, and what was refused is counted without its doing anything.
        client.end(50, End::Client)?;
        until("90 open", || {
            mirror.catch_up();
            Ok(mirror.sum(Inbound).current == 90)
        })?;
        mirror.until("a reclaim", |mirror| mirror.state.tables[0].reclaimed > 0)?;
        ensure!(mirror.len(Inbound) <= 100, "{} hosts", mirror.len(Inbound));
        client.end(90, End::Client)?;
        until("none open", || {
            mirror.catch_up();
            Ok(mirror.sum(Inbound).current == 0)
        })?;
        mirror.audited()
    });
}

#[test]
fn many_hosts_pass_through_a_small_table() {
    run("many_hosts_pass_through_a_small_table", |site| {
        site.settings.hosts_max_inbound = 500;
        let mut mirror = Mirror::start(site.open()?, 2)?;
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("[::]:25".parse()?)?;
        client.open(100, "2001:db8:1::1".parse()?, 50, "[::1]:25".parse()?)?;
        client.begin_churn(20_000, "127.1.0.1".parse()?, 4_000, "127.0.0.1:25".parse()?, End::Client)?;
        client.wait()?;
        until("only the held ones", || {
            mirror.catch_up();
            Ok(mirror.sum(Inbound).current == 100)
        })?;
        let held = mirror.get(Inbound, "2001:db8:1::7").map(|count| count.current);
        ensure!(held == Some(2), "a host with open connections was reclaimed: {held:?}");
        client.end(100, End::Client)?;
        until("none open", || {
            mirror.catch_up();
            Ok(mirror.sum(Inbound).current == 0)
        })?;
        mirror.audited()
    });
}

#[test]
fn a_full_ring_is_answered_by_a_full_read() {
    run("a_full_ring_is_answered_by_a_full_read", |site| {
        site.settings.hosts_max_inbound = 200_000;
        let counting = site.open()?;
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("[::]:25".parse()?)?;
        // Nobody drains: 131 072 records fit, one a new host.
        client.churn(135_000, "2001:db8::1".parse()?, 135_000, "[::1]:25".parse()?, End::ClientReset)?;
        let mut mirror = Mirror::start(counting, 64)?;
        mirror.until_sum(Inbound, 0, 135_000)?;
        mirror.until("lost notices", |mirror| mirror.state.notices_lost > 0)?;
        // Later changes arrive as changes again.
        let fulls = mirror.fulls;
        client.churn(10, "127.1.0.1".parse()?, 1, "127.0.0.1:25".parse()?, End::Client)?;
        mirror.until_sum(Inbound, 0, 135_010)?;
        ensure!(mirror.fulls == fulls, "a full read without need");
        Ok(())
    });
}

#[test]
fn a_receiver_that_does_not_read_loses_nothing() {
    run("a_receiver_that_does_not_read_loses_nothing", |site| {
        let mut mirror = Mirror::start(site.open()?, 1)?;
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("[::]:25".parse()?)?;
        client.churn(3_000, "127.1.0.1".parse()?, 300, "127.0.0.1:25".parse()?, End::Client)?;
        client.open(30, "127.1.0.1".parse()?, 30, "127.0.0.1:25".parse()?)?;
        mirror.until_sum(Inbound, 30, 3_030)?;
        mirror.handle.refresh();
        let fulls = mirror.fulls;
        mirror.until("a full read", |mirror| mirror.fulls > fulls)?;
        mirror.until_sum(Inbound, 30, 3_030)
    });
}

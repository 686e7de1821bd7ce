//! Ports that are listed and taken off the list while connections come and go.
use crate::{
    mirror::Mirror,
    site::{run, until},
};
use anyhow::ensure;
use convoy_common::count::{
    Count,
    Direction::{Inbound, Outbound},
};
use lab::traffic::End;

#[test]
fn what_was_seeded_on_a_new_port_stays_counted_when_the_port_goes() {
    run("what_was_seeded_on_a_new_port_stays_counted_when_the_port_goes", |site| {
        let mut mirror = Mirror::start(site.open()?, 64)?;
        let (mut server, mut client) = (site.counted()?, site.counted()?);
        server.listen("[::]:2526".parse()?)?;
        client.open(30, "127.1.0.1".parse()?, 3, "127.0.0.1:2526".parse()?)?;
        mirror.handle.set_ports(&[25, 2526], &[25, 2526])?;
        mirror.until_sum(Inbound, 30, 30)?;
        mirror.until_sum(Outbound, 30, 30)?;
        mirror.handle.set_ports(&[25], &[25])?;
        client.open(5, "127.1.0.1".parse()?, 1, "127.0.0.1:2526".parse()?)?;
        mirror.audited()?;
        ensure!(mirror.sum(Inbound) == Count { current: 30, total: 30 }, "{:?}", mirror.sum(Inbound));
        client.end(10, End::Server)?;
        mirror.until_sum(Inbound, 20, 30)?;
        mirror.handle.set_ports(&[2526], &[])?;
        mirror.until_sum(Inbound, 25, 35)?;
        client.end(25, End::ClientReset)?;
        mirror.until_sum(Inbound, 0, 35)?;
        mirror.until_sum(Outbound, 0, 30)?;
        mirror.audited()
    });
}

#[test]
fn ports_that_come_and_go_under_load_leave_nothing_behind() {
    run("ports_that_come_and_go_under_load_leave_nothing_behind", |site| {
        let mut mirror = Mirror::start(site.open()?, 64)?;
        let mut server = site.counted()?;
        server.listen("[::]:25".parse()?)?;
        server.listen("[::]:2526".parse()?)?;
        let (mut steady, mut other, mut holder) = (site.uncounted()?, site.uncounted()?, site.uncounted()?);
        steady.begin_churn(8_000, "127.1.0.1".parse()?, 100, "127.0.0.1:25".parse()?, End::Client)?;
        other.begin_churn(8_000, "127.2.0.1".parse()?, 100, "127.0.0.1:2526".parse()?, End::ServerReset)?;
        for _ in 0..40 {
            mirror.handle.set_ports(&[25, 2526], &[])?;
            holder.open(5, "127.3.0.1".parse()?, 5, "127.0.0.1:2526".parse()?)?;
            mirror.catch_up();
            mirror.handle.set_ports(&[25], &[])?;
            holder.open(5, "127.3.0.1".parse()?, 5, "127.0.0.1:2526".parse()?)?;
            mirror.catch_up();
        }
        steady.wait()?;
        other.wait()?;
        mirror.handle.set_ports(&[25, 2526], &[])?;
        until("those held, and no other", || {
            mirror.catch_up();
            Ok(mirror.sum(Inbound).current == 400)
        })?;
        let steady = (1..=100).filter_map(|n| mirror.get(Inbound, &format!("127.1.0.{n}")));
        ensure!(steady.map(|count| count.total).sum::<u64>() == 8_000, "a port that stays loses nothing");
        mirror.audited()?;
        holder.end(400, End::Client)?;
        until("none", || {
            mirror.catch_up();
            Ok(mirror.sum(Inbound).current == 0)
        })?;
        mirror.audited()
    });
}

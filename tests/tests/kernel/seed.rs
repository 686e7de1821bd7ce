//! Connections older than the attach are counted, and closed exactly.
use crate::{
    mirror::Mirror,
    site::{run, until},
};
use anyhow::{Result, ensure};
use convoy_common::count::Direction::{Inbound, Outbound};
use lab::traffic::End;

#[test]
fn older_connections_are_seeded_and_closed() {
    run("older_connections_are_seeded_and_closed", |site| {
        let (mut server, mut client) = (site.counted()?, site.counted()?);
        let mut stranger = site.uncounted()?;
        server.listen("[::]:25".parse()?)?;
        client.open(200, "127.1.0.1".parse()?, 20, "127.0.0.1:25".parse()?)?;
        client.open(100, "2001:db8::1".parse()?, 20, "[::1]:25".parse()?)?;
        stranger.listen("127.0.0.1:587".parse()?)?;
        stranger.open(50, "127.1.0.1".parse()?, 1, "127.0.0.1:587".parse()?)?;
        let mut mirror = Mirror::start(site.open()?, 64)?;
        mirror.until_sum(Inbound, 300, 300)?;
        mirror.until_sum(Outbound, 300, 300)?;
        mirror.until("300 seeds on each side", |mirror| mirror.state.seeded == 600)?;
        ensure!(site.pin("close_seeded_lnk").exists(), "nobody watches for their close");
        client.end(100, End::ClientReset)?;
        mirror.until_sum(Inbound, 200, 300)?;
        client.end(200, End::HalfClosed)?;
        mirror.until_sum(Inbound, 0, 300)?;
        mirror.until_sum(Outbound, 0, 300)?;
        mirror.until("no seed left", |mirror| mirror.state.seeded == 0)?;
        until("detached watch", || Ok(!site.pin("close_seeded_lnk").exists()))?;
        mirror.audited()
    });
}

#[test]
fn an_attach_under_load_misses_nothing() {
    run("an_attach_under_load_misses_nothing", |site| {
        let mut server = site.counted()?;
        server.listen("[::]:25".parse()?)?;
        let mut clients = (0..2).map(|_| site.uncounted()).collect::<Result<Vec<_>>>()?;
        let mut holders = (0..2).map(|_| site.uncounted()).collect::<Result<Vec<_>>>()?;
        for (client, end) in clients.iter_mut().zip([End::Client, End::ServerReset]) {
            client.begin_churn(10_000, "127.1.0.1".parse()?, 200, "127.0.0.1:25".parse()?, end)?;
        }
        for holder in &mut holders {
            holder.open(300, "127.2.0.1".parse()?, 30, "127.0.0.1:25".parse()?)?;
        }
        let mut mirror = Mirror::start(site.open()?, 64)?;
        for client in &mut clients {
            client.wait()?;
        }
        // The queue of the mirror was full most of the time; nothing may be lost by that.
        until("only the held ones", || {
            mirror.catch_up();
            Ok(mirror.sum(Inbound).current == 600)
        })?;
        mirror.audited()?;
        for holder in &mut holders {
            holder.end(300, End::Server)?;
        }
        until("none", || {
            mirror.catch_up();
            Ok(mirror.sum(Inbound).current == 0)
        })?;
        mirror.audited()
    });
}

#[test]
fn changed_ports_count_what_is_open_and_forget_nothing() {
    run("changed_ports_count_what_is_open_and_forget_nothing", |site| {
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        let (mut late, mut later) = (site.counted()?, site.uncounted()?);
        server.listen("127.0.0.1:25".parse()?)?;
        late.listen("127.0.0.1:26".parse()?)?;
        let mut mirror = Mirror::start(site.open()?, 64)?;
        client.open(40, "127.1.0.1".parse()?, 4, "127.0.0.1:25".parse()?)?;
        later.open(30, "127.2.0.1".parse()?, 3, "127.0.0.1:26".parse()?)?;
        mirror.until_sum(Inbound, 40, 40)?;
        mirror.audited()?;
        // Those on 25 stay counted until they close, those on 26 are counted as they are found.
        mirror.handle.set_ports(&[26], &[])?;
        mirror.until_sum(Inbound, 70, 70)?;
        mirror.audited()?;
        client.churn(10, "127.1.0.1".parse()?, 1, "127.0.0.1:25".parse()?, End::Client)?;
        later.churn(10, "127.2.0.1".parse()?, 1, "127.0.0.1:26".parse()?, End::Server)?;
        mirror.until_sum(Inbound, 70, 80)?;
        client.end(20, End::ClientReset)?;
        later.end(15, End::HalfClosed)?;
        mirror.until_sum(Inbound, 35, 80)?;
        mirror.audited()?;
        // An agent that comes back with other ports than the tables were left with does the same.
        drop(mirror);
        (site.settings.inbound_ports, site.settings.outbound_ports) = (vec![25], vec![]);
        let counting = site.open()?;
        ensure!(counting.adopted(), "the tables were not adopted");
        let mut mirror = Mirror::start(counting, 64)?;
        mirror.until_sum(Inbound, 35, 80)?;
        mirror.audited()?;
        client.end(20, End::Client)?;
        later.end(15, End::Client)?;
        mirror.until_sum(Inbound, 0, 80)?;
        mirror.audited()?;
        // What the notes were for is over.
        until("no note left", || {
            let notes =
                crate::site::sh(&format!("bpftool -j map dump pinned {}", site.pin("sockets").display()))?;
            Ok(notes.trim() == "[]")
        })
    });
}

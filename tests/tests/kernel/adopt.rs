//! Agents come and go; the kernel counts on.
use crate::{
    mirror::Mirror,
    site::{run, sh},
};
use anyhow::ensure;
use convoy_common::count::Direction::Inbound;
use lab::traffic::End;
use std::fs;

#[test]
fn counting_goes_on_between_agents() {
    run("counting_goes_on_between_agents", |site| {
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("[::]:25".parse()?)?;
        let first = site.open()?;
        ensure!(!first.adopted());
        client.open(100, "127.1.0.1".parse()?, 10, "127.0.0.1:25".parse()?)?;
        drop(first);
        client.open(100, "127.1.0.1".parse()?, 10, "127.0.0.1:25".parse()?)?;
        client.end(50, End::Client)?;
        // Opening swaps the program while connections come and go.
        client.begin_churn(5_000, "127.1.1.1".parse()?, 100, "127.0.0.1:25".parse()?, End::Client)?;
        for _ in 0..10 {
            ensure!(site.open()?.adopted());
        }
        let mut mirror = Mirror::start(site.open()?, 64)?;
        client.wait()?;
        mirror.until_sum(Inbound, 150, 5_200)?;
        mirror.until("an audit", |mirror| mirror.state.drift.audits > 0)?;
        ensure!(mirror.state.adopted && mirror.state.seeded == 0, "{:?}", mirror.state);
        client.end(150, End::Server)?;
        mirror.until_sum(Inbound, 0, 5_200)?;
        mirror.audited()
    });
}

#[test]
fn seeds_outlive_the_agent() {
    run("seeds_outlive_the_agent", |site| {
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("[::]:25".parse()?)?;
        client.open(100, "127.1.0.1".parse()?, 10, "127.0.0.1:25".parse()?)?;
        let mut mirror = Mirror::start(site.open()?, 64)?;
        mirror.until_sum(Inbound, 100, 100)?;
        drop(mirror);
        client.end(60, End::Client)?;
        let mut mirror = Mirror::start(site.open()?, 64)?;
        mirror.until_sum(Inbound, 40, 100)?;
        client.end(40, End::ClientReset)?;
        mirror.until_sum(Inbound, 0, 100)?;
        mirror.audited()
    });
}

#[test]
fn tables_of_another_layout_are_replaced() {
    run("tables_of_another_layout_are_replaced", |site| {
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("[::]:25".parse()?)?;
        drop(site.open()?);
        client.open(20, "127.1.0.1".parse()?, 2, "127.0.0.1:25".parse()?)?;
        // The version is the first number of the record.
        let abi = site.pin("abi");
        let zeros = ["00"; 28].join(" ");
        sh(&format!(
            "bpftool map update pinned {} key 0 0 0 0 value hex ff 00 00 00 {zeros}",
            abi.display()
        ))?;
        let counting = site.open()?;
        ensure!(!counting.adopted(), "tables of version 255 were adopted");
        let mut mirror = Mirror::start(counting, 64)?;
        // What was open is seeded into the new tables, and only one program counts what follows.
        mirror.until_sum(Inbound, 20, 20)?;
        client.churn(100, "127.1.0.1".parse()?, 2, "127.0.0.1:25".parse()?, End::Client)?;
        mirror.until_sum(Inbound, 20, 120)?;
        client.end(20, End::Client)?;
        mirror.until_sum(Inbound, 0, 120)?;
        mirror.audited()
    });
}

#[test]
fn half_made_pins_are_replaced() {
    run("half_made_pins_are_replaced", |site| {
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("[::]:25".parse()?)?;
        for lost in ["observe_link", "inbound_hosts", "abi", "sockets"] {
            drop(site.open()?);
            fs::remove_file(site.pin(lost))?;
            ensure!(!site.open()?.adopted(), "adopted without {lost}");
            ensure!(site.open()?.adopted(), "whole again, and not adopted");
        }
        site.settings.hosts_max_inbound += 1;
        ensure!(!site.open()?.adopted(), "a table of another size was adopted");
        client.churn(10, "127.1.0.1".parse()?, 1, "127.0.0.1:25".parse()?, End::Client)?;
        let mut mirror = Mirror::start(site.open()?, 64)?;
        mirror.until_sum(Inbound, 0, 10)
    });
}

#[test]
fn removing_leaves_nothing_behind() {
    run("removing_leaves_nothing_behind", |site| {
        drop(site.open()?);
        convoy_agent::host::counting::remove(&site.settings.bpffs)?;
        ensure!(!site.settings.bpffs.exists());
        let attached = sh(&format!("bpftool cgroup show {}", site.settings.cgroup.display()))?;
        ensure!(!attached.contains("observe"), "{attached}");
        // Nothing to remove is not an error.
        Ok(convoy_agent::host::counting::remove(&site.settings.bpffs)?)
    });
}

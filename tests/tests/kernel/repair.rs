//! A damaged table is found and put right.
use crate::{
    mirror::Mirror,
    site::{run, sh},
};
use anyhow::{Result, ensure};
use convoy_common::{addr::Host, count::Direction::Inbound};
use lab::traffic::End;

/// Writes a host's entry as a careless operator would.
fn damage(pin: &std::path::Path, host: &str, current: u32) -> Result<()> {
    let key: Vec<String> = Host::new(host.parse()?).addr.iter().map(|byte| format!("{byte:02x}")).collect();
    let value: Vec<String> = current.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let rest = "00 00 00 00 07 00 00 00 00 00 00 00";
    let order = format!("key hex {} value hex {} {rest}", key.join(" "), value.join(" "));
    sh(&format!("bpftool map update pinned {} {order}", pin.display())).map(drop)
}

#[test]
fn damaged_entries_are_repaired_and_exported() {
    run("damaged_entries_are_repaired_and_exported", |site| {
        let mut mirror = Mirror::start(site.open()?, 64)?;
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("[::]:25".parse()?)?;
        client.open(20, "127.1.0.1".parse()?, 4, "127.0.0.1:25".parse()?)?;
        mirror.until_sum(Inbound, 20, 20)?;
        let hosts = site.pin("inbound_hosts");
        damage(&hosts, "127.1.0.1", 1_000)?; // 995 too many
        damage(&hosts, "127.1.0.2", 0)?; // 5 too few
        damage(&hosts, "127.1.0.3", 7_u32.wrapping_neg())?; // below zero: 12 too few
        damage(&hosts, "127.9.9.9", 3)?; // no such host
        let key = Host::new("127.1.0.4".parse()?).addr.map(|byte| format!("{byte:02x}")).join(" ");
        sh(&format!("bpftool map delete pinned {} key hex {key}", hosts.display()))?; // 5 too few
        mirror.until("a repair of all", |mirror| mirror.state.drift.repaired == 995 + 5 + 12 + 3 + 5)?;
        let current = |mirror: &Mirror, host: &str| mirror.get(Inbound, host).map(|count| count.current);
        mirror.until("the right counts", |mirror| {
            (1..=4).all(|n| current(mirror, &format!("127.1.0.{n}")) == Some(5))
                && current(mirror, "127.9.9.9") == Some(0)
        })?;
        mirror.until("no drift", |mirror| mirror.state.drift.inbound == 0)?;
        client.end(20, End::Client)?;
        mirror.until("none open", |mirror| mirror.sum(Inbound).current == 0)?;
        ensure!(mirror.state.drift.repaired == 1020, "{:?}", mirror.state.drift);
        Ok(())
    });
}

#[test]
fn a_change_whose_notice_was_lost_is_told_after_all() {
    run("a_change_whose_notice_was_lost_is_told_after_all", |site| {
        let mut mirror = Mirror::start(site.open()?, 64)?;
        let (mut server, mut client) = (site.counted()?, site.uncounted()?);
        server.listen("[::]:25".parse()?)?;
        client.open(20, "127.1.0.1".parse()?, 4, "127.0.0.1:25".parse()?)?;
        mirror.until_sum(Inbound, 20, 20)?;
        mirror.audited()?;
        // In the table and announced to nobody: two more connections that have ended.
        damage(&site.pin("inbound_hosts"), "127.1.0.1", 5)?;
        mirror.forget(Inbound, "127.1.0.2")?;
        mirror.until("both hosts are told", |mirror| mirror.state.drift.untold == 2)?;
        mirror.until_sum(Inbound, 20, 22)?;
        let drift = mirror.state.drift;
        ensure!((drift.inbound, drift.repaired) == (0, 0), "sockets and table agreed: {drift:?}");
        Ok(())
    });
}

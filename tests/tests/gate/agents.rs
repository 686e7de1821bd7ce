//! Agents come and go; the kernel guards on.
use crate::{
    frames::{Kind, frame},
    site::{BOUND, CLIENT, OTHERS, Site, VIPS, Wire, addresses, check, open, said},
};
use anyhow::{Context, Result, ensure};
use aya::programs::{SchedClassifier, TcAttachType};
use convoy_agent::{
    host::gate::{self, Error, Settings, Standing},
    sys::bpf::Table,
};
use convoy_common::gate::name;
use lab::{Signal, until};
use std::{
    io::{BufRead, BufReader},
    sync::atomic::{AtomicBool, Ordering},
};

#[test]
fn what_an_agent_adopts_is_silent_and_was_never_open() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let vips = addresses(VIPS);
    let gate = site.open()?;
    ensure!(!gate.adopted());
    gate.set(&vips, Standing::Silent)?;
    drop(gate);
    site.check_answered(&vips, false)?;
    check_fenced_while(&site, || {
        for round in 0..20 {
            // Adopted as it is, or replaced by a table of another size.
            let settings = Settings { addresses_max: 64 + round / 2, ..site.settings() };
            let mut gate = site.inside(|| open(&settings))?;
            ensure!(gate.adopted() == (round % 2 == 1 || round == 0), "round {round}");
            ensure!(gate.addresses() == vips, "{:?}", gate.addresses());
            ensure!(vips.iter().all(|vip| gate.standing(*vip) == Some(Standing::Silent)));
            site.inside(|| Ok(gate.attach("eth0")?))?;
        }
        Ok(())
    })?;
    let gate = site.open()?;
    gate.set(&vips, Standing::Held)?;
    gate.lease().renew(u64::MAX);
    site.check_answered(&vips, true)?;
    drop(gate);
    site.check_answered(&vips, true).context("an agent that ends takes nothing away")?;
    let gate = site.open()?;
    ensure!(gate.lease().until() == 0 && gate.standing(vips[0]) == Some(Standing::Silent));
    site.check_answered(&vips, false)?;
    ensure!(attached(&site)? == 2, "each program once");
    Ok(())
}

#[test]
fn tables_of_another_layout_are_replaced_and_their_addresses_stay_silent() -> Result<()> {
    lab::require!("bpftool");
    let site = Site::up()?;
    let vips = addresses(VIPS);
    let gate = site.open()?;
    gate.set(&vips, Standing::Held)?;
    gate.lease().renew(u64::MAX);
    drop(gate);
    // The version is the first number of the record.
    let abi = site.pins().join(name::ABI);
    let read = said(site.host(), &format!("bpftool -j map dump pinned {}", abi.display()))?;
    let record: serde_json::Value = serde_json::from_str(&read)?;
    let bytes = record[0]["value"].as_array().context("no record")?;
    let rest: Vec<&str> = bytes.iter().skip(4).filter_map(|byte| byte.as_str()).collect();
    said(
        site.host(),
        &format!(
            "bpftool map update pinned {} key 0 0 0 0 value hex ff 00 00 00 {}",
            abi.display(),
            rest.join(" ").replace("0x", "")
        ),
    )?;
    let gate = site.inside(|| open(&site.settings()))?;
    ensure!(!gate.adopted() && gate.addresses() == vips);
    site.check_answered(&vips, false)
}

#[test]
fn half_made_pins_are_replaced() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    for lost in name::MAPS {
        site.open()?;
        std::fs::remove_file(site.pins().join(lost))?;
        ensure!(!site.open()?.adopted(), "adopted without {lost}");
        ensure!(site.open()?.adopted(), "whole again, and not adopted");
    }
    ensure!(attached(&site)? == 2);
    Ok(())
}

#[test]
fn a_killed_holder_is_fenced_when_its_lease_runs_out() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let vips = addresses(VIPS);
    let holder = site.host().launch(env!("CARGO_BIN_EXE_gate-holder"));
    let holder = holder.args([&site.pins().display().to_string(), "eth0"]).args(VIPS);
    let (mut process, _stdin, stdout) = holder.converse("holder")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    ensure!(line == "held\n", "{line:?}: {}", process.tail(20));
    site.check_answered(&vips, true)?;
    let busy = site.inside(|| Ok(gate::open(&site.settings()).err()))?;
    ensure!(matches!(busy, Some(Error::Busy { .. })), "two agents: {busy:?}");
    process.kill(Signal::KILL)?;
    process.wait(BOUND)?;
    let lease = Table::<u32, u64>::open(&site.pins().join(name::LEASE))?;
    until("the end of the lease", BOUND, || {
        let until = lease.get(&0)?.context("no lease")?;
        Ok((until != 0 && gate::boottime_ns() > until).then_some(()))
    })?;
    site.check_answered(&vips, false)?;
    // A new agent begins where it ended, fenced.
    let gate = site.open()?;
    ensure!(gate.adopted() && gate.addresses() == vips);
    site.check_answered(&vips, false)
}

#[test]
fn removing_leaves_nothing_behind() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let vips = addresses(VIPS);
    let gate = site.open()?;
    gate.set(&vips, Standing::Silent)?;
    drop(gate);
    site.inside(|| Ok(gate::remove(&site.pins())?))?;
    ensure!(!site.pins().exists());
    until("the end of both programs", BOUND, || Ok((attached(&site)? == 0).then_some(())))?;
    site.check_answered(&vips, true)?;
    // Nothing to remove is not an error.
    site.inside(|| Ok(gate::remove(&site.pins())?))
}

/// Fails if the host answers for a VIP at any instant while `work` goes on.
fn check_fenced_while(site: &Site, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| -> Result<()> {
            let mut wire = Wire::open(site.client(), "eth0")?;
            let (vips, others) = (addresses(VIPS), addresses(OTHERS));
            while !ends.load(Ordering::Relaxed) {
                for address in vips.iter().chain(&others) {
                    wire.send(&frame(Kind::Question, *address, CLIENT, &[]))?;
                }
                check(&wire.hear_until(CLIENT, &others)?, &vips, false)?;
            }
            Ok(())
        });
        let done = work();
        ends.store(true, Ordering::Relaxed);
        asker.join().expect("the panic is shown above")?;
        done
    })
}

/// Counts our programs on the host's interface.
pub(crate) fn attached(site: &Site) -> Result<usize> {
    site.inside(|| programs("eth0"))
}

/// Counts the programs that are attached by tcx to an interface of this thread's namespace.
pub(crate) fn programs(interface: &str) -> Result<usize> {
    let mut count = 0;
    for (side, program) in [(TcAttachType::Ingress, name::INGRESS), (TcAttachType::Egress, name::EGRESS)] {
        let (_revision, programs) = SchedClassifier::query_tcx(interface, side)?;
        count += programs.iter().filter(|info| info.name_as_str() == Some(program)).count();
    }
    Ok(count)
}

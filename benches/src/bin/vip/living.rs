//! Nobody dies: how often addresses move all the same while both cores are busy.
use crate::{Peer, scene::Scene};
use anyhow::Result;
use convoy_benches::{busy, peers::failover, table::Table};
use lab::{Lab, LabOptions, witness::Testimony};
use std::{thread, time::Duration};

/// What the witness saw of one peer, beside this many busy loops.
struct Lived {
    name: String,
    before: Testimony,
    after: Testimony,
}

/// Has each peer hold addresses for this long, one after the other.
pub(crate) fn table(peers: &[Peer], interval: Duration, span: Duration) -> Result<Table> {
    let cores = thread::available_parallelism()?;
    let loops = 2 * cores.get();
    let mut table = Table::new(
        &format!("Hosts that live, {loops} busy loops on {cores} cores"),
        &["by", "minutes", "addresses", "moved", "questions", "not answered", "two owners"],
    );
    for peer in peers {
        let Lived { name, before, after } = live(*peer, interval, loops, span)?;
        let asked = after.asked - before.asked;
        table.row([
            name,
            format!("{:.1}", span.as_secs_f64() / 60.0),
            ADDRESSES.to_string(),
            (after.moves - before.moves).to_string(),
            asked.to_string(),
            asked.saturating_sub(after.answered - before.answered).to_string(),
            (after.doubles - before.doubles).to_string(),
        ]);
    }
    table.note(
        "Moved: claims of an address by another host than the one before, each of which caches follow. The witness asks who has \
         one of them 200 times a second, with the priority of a real-time thread.",
    );
    Ok(table)
}

fn live(peer: Peer, interval: Duration, loops: usize, span: Duration) -> Result<Lived> {
    let lab = Lab::up(&LabOptions::default())?;
    let scene = Scene::start(&lab, peer, interval, failover::ipv4(ADDRESSES)?)?;
    let before = scene.testimony();
    busy::beside(loops, span);
    Ok(Lived { name: scene.name().to_owned(), before, after: scene.testimony() })
}

/// The witness asks for each of them.
const ADDRESSES: u32 = 16;

//! Managed addresses: how long a client misses one when its owner fails, moves or loses it, and how long until thousands
//! are announced anew, beside keepalived at the same detection interval.
//!
//! A peer has a lab to itself: three hosts, of which the first has all addresses, a client with a real neighbour cache
//! that probes every millisecond, a witness that hears all announcements and asks who answers. Peers take turns.
#![expect(clippy::print_stdout, reason = "a benchmark prints its tables")]

mod living;
mod prober;
mod scene;
mod tables;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use convoy_benches::{
    args::Args,
    peers::{
        failover::{self, Failover},
        keepalived, vips,
    },
    table::Table,
};
use lab::{Lab, LabOptions};
use scene::{Fault, Outcome, Scene};
use std::{net::IpAddr, time::Duration};
use tables::{FaultRow, Many};

/// See the module.
#[derive(Clone, Debug, Parser)]
#[command(about = "Measures how managed addresses change hands, beside keepalived")]
struct Flags {
    #[command(flatten)]
    args: Args,
    /// Whom to measure
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Peer::value_variants().to_vec())]
    peers: Vec<Peer>,
    /// Faults of each kind for one address, in blocks of five; 0 skips that part
    #[arg(long, default_value_t = 20)]
    runs: usize,
    /// What happens to the owner of one address, in this order
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Fault::value_variants().to_vec())]
    faults: Vec<Fault>,
    /// Numbers of addresses whose owner is killed
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 4_000, 10_000])]
    counts: Vec<u32>,
    /// Times that each number is tried; 0 skips that part
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Minutes for which each peer holds addresses beside busy loops; 0 skips that part
    #[arg(long, default_value_t = 5)]
    minutes: u64,
    /// Only addresses of one family, where there are many
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Family::value_variants().to_vec())]
    families: Vec<Family>,
    /// Milliseconds between two signs of life; the later ones for those who do not come to rest with the first and many
    /// addresses
    #[arg(long, value_delimiter = ',', default_values_t = [10, 30, 100, 300])]
    interval_ms: Vec<u64>,
}

impl Flags {
    fn shortest_interval(&self) -> Result<Duration> {
        Ok(Duration::from_millis(*self.interval_ms.first().context("no interval")?))
    }
}

/// Who keeps the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Peer {
    Keepalived,
    Convoy,
}

impl Peer {
    /// Starts its daemons on all hosts, with these addresses to keep and that time between two signs of life.
    fn start<'a>(
        self,
        lab: &'a Lab,
        addresses: &[IpAddr],
        interval: Duration,
    ) -> Result<Box<dyn Failover + 'a>> {
        match self {
            Self::Keepalived => Ok(Box::new(keepalived::Cluster::start(lab, addresses, interval)?)),
            Self::Convoy => Ok(Box::new(vips::Cluster::start(lab, addresses, interval)?)),
        }
    }
}

/// Of which kind many addresses are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    fn addresses(self, count: u32) -> Result<Vec<IpAddr>> {
        match self {
            Self::Ipv4 => failover::ipv4(count),
            Self::Ipv6 => Ok(failover::ipv6(count)),
        }
    }
}

fn main() -> Result<()> {
    let flags = Flags::parse();
    let mut tables = Vec::new();
    if flags.runs > 0 {
        tables.push(one_address(&flags)?);
    }
    if flags.rounds > 0 {
        tables.push(many_addresses(&flags)?);
    }
    if flags.minutes > 0 {
        let span = flags.args.size(Duration::from_secs(60 * flags.minutes), Duration::from_secs(2));
        tables.push(living::table(&flags.peers, flags.shortest_interval()?, span)?);
    }
    println!("{}", flags.args.report(&tables));
    Ok(())
}

/// Outages of one address, by every fault.
fn one_address(flags: &Flags) -> Result<Table> {
    let runs = flags.args.size(flags.runs, 1);
    let block = runs.min(BLOCK);
    ensure!(runs.is_multiple_of(block), "--runs {runs} is no multiple of {block}");
    let interval = flags.shortest_interval()?;
    let mut rows: Vec<FaultRow> = flags
        .faults
        .iter()
        .flat_map(|fault| flags.peers.iter().map(move |peer| FaultRow::new(*fault, *peer)))
        .collect();
    for _ in 0..runs / block {
        for &peer in &flags.peers {
            let lab = Lab::up(&LabOptions::default())?;
            let mut scene = Scene::start(&lab, peer, interval, failover::ipv4(1)?)?;
            for row in rows.iter_mut().filter(|row| row.peer == peer) {
                scene.name().clone_into(&mut row.name);
                let before = scene.testimony().doubles;
                for _ in 0..block {
                    row.take(scene.suffer(row.fault, false))?;
                }
                row.doubles += scene.testimony().doubles - before;
            }
        }
    }
    tables::one_address(&rows)
}

/// From the end of an owner to the last announcement of its addresses.
fn many_addresses(flags: &Flags) -> Result<Table> {
    let rounds = flags.args.size(flags.rounds, 1);
    let counts = flags.args.size(flags.counts.clone(), vec![50]);
    let mut rows = Vec::new();
    for &family in &flags.families {
        for &count in &counts {
            let mut tried: Vec<_> = flags.peers.iter().map(|peer| Many::new(*peer, count, family)).collect();
            for _ in 0..rounds {
                for many in &mut tried {
                    // From here on with the interval that worked before.
                    while let Some(ms) = flags.interval_ms.get(many.given_up) {
                        let addresses = family.addresses(count)?;
                        let run = end_of_an_owner(many.peer, Duration::from_millis(*ms), addresses);
                        if many.take(*ms, run) {
                            break;
                        }
                    }
                }
            }
            rows.extend(tried);
        }
    }
    tables::many_addresses(&rows)
}

/// Kills the owner of all addresses in a lab of its own. Returns the peer's name, what came of it, and how often two
/// owners were seen from the start on.
fn end_of_an_owner(peer: Peer, interval: Duration, addresses: Vec<IpAddr>) -> Result<(String, Outcome, u64)> {
    let lab = Lab::up(&LabOptions::default())?;
    let mut scene = Scene::start(&lab, peer, interval, addresses)?;
    let outcome = scene.suffer(Fault::Killed, true)?;
    Ok((scene.name().to_owned(), outcome, scene.testimony().doubles))
}

/// chosen: a start takes as long as some runs, and a peer is not left to itself for all of them.
const BLOCK: usize = 5;

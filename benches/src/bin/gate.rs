//! What the gate costs: opening ten thousand addresses, and each packet that passes it.
//!
//! A host of a lab has the gate, the lab's client sends. Everything is gone on return, with the lab.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use anyhow::{Context, Result, bail, ensure};
use convoy_agent::{
    host::gate::{self, Gate, Settings, Standing},
    sys::bpf::{Table as Map, Update},
};
use convoy_benches::{
    args::Args,
    bpf,
    stats::{Paired, Samples, float, median, paired},
    table::{self, Table},
};
use convoy_common::{addr::Host, gate::name};
use lab::{Lab, LabOptions, Place};
use pnet_datalink::Channel;
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

fn main() -> Result<()> {
    let args = Args::from_command_line();
    let site = Site::new(args.size(10_000, 200))?;
    let tables = [
        site.standings(args.size(50, 2))?,
        site.packets(args.size(20_000, 1_000), args.size(10_000, 100))?,
        site.rates(args.size(11, 1), args.size(50_000, 1_000))?,
    ];
    println!("{}", args.report(&tables));
    Ok(())
}

/// A lab whose one host has a gate.
struct Site {
    lab: Lab,
    /// Half of them IPv4.
    many: Vec<IpAddr>,
    settings: Settings,
}

impl Site {
    fn new(count: u16) -> Result<Self> {
        let lab = Lab::up(&LabOptions { hosts: 1, ..LabOptions::default() })?;
        let many = (0..count / 2).flat_map(|n| {
            let [high, low] = n.to_be_bytes();
            let v6 = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 2, 0, n);
            [IpAddr::from(Ipv4Addr::new(10, 78, high, low)), v6.into()]
        });
        let (bpffs, addresses_max) = (lab.host(1).bpffs_dir().join("gate"), u32::from(count) + 1);
        Ok(Self { many: many.collect(), settings: Settings { bpffs, addresses_max }, lab })
    }

    fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.lab.host(1).inside(work)?
    }

    fn open(&self) -> Result<Gate> {
        self.inside(|| {
            let mut gate = gate::open(&self.settings)?;
            gate.attach(INTERFACE)?;
            gate.forget(&gate.addresses())?;
            Ok(gate)
        })
    }

    /// Measures changes of all addresses at once.
    fn standings(&self, rounds: usize) -> Result<Table> {
        let gate = self.open()?;
        let mut times: [Vec<Duration>; 6] = [const { Vec::new() }; 6];
        let map = Map::<Host, u32>::open(&self.settings.bpffs.join(name::ADDRESSES))?;
        for _ in 0..rounds {
            let [fresh, held, silent, one_by_one, batch, forgotten] = &mut times;
            fresh.push(timed(|| Ok(gate.set(&self.many, Standing::Silent)?))?);
            held.push(timed(|| Ok(gate.set(&self.many, Standing::Held)?))?);
            silent.push(timed(|| Ok(gate.set(&self.many, Standing::Silent)?))?);
            let entries = map.read()?;
            let put = |(host, slot): &(Host, u32)| map.put(host, slot, Update::Any);
            one_by_one.push(timed(|| Ok(entries.iter().try_for_each(put)?))?);
            batch.push(timed(|| Ok(map.put_all(&entries)?))?);
            forgotten.push(timed(|| Ok(gate.forget(&self.many)?))?);
        }
        let mut table = Table::new(
            &format!("{} addresses at once, half of them IPv6", self.many.len()),
            &["what", "p50", "max", "an address"],
        );
        let names = [
            "managed from now on, silent",
            "held, that were silent",
            "silent, that were held",
            "the same as values of a hash map, one call each",
            "the same in one batch",
            "managed no more",
        ];
        for (name, times) in names.into_iter().zip(times) {
            let times = Samples::new(times)?;
            let each = Duration::from_secs_f64(times.p50().as_secs_f64() / float(self.many.len()));
            table.row([name.into(), table::time(times.p50()), table::time(times.max()), table::time(each)]);
        }
        table.note(format!("{rounds} rounds; the programs are attached"));
        Ok(table)
    }

    /// Measures kernel time of the programs.
    fn packets(&self, datagrams: usize, questions: usize) -> Result<Table> {
        let gate = self.open()?;
        gate.set(&self.many, Standing::Silent)?;
        let vip: Ipv4Addr = "10.77.0.100".parse()?;
        let added = self.lab.host(1).launch("ip").args(["addr", "add", "10.77.0.100/32", "dev", INTERFACE]);
        ensure!(added.run(BOUND)?.status.success(), "the address cannot be added");
        let _stats = bpf::Stats::on()?;
        let mut table = Table::new(
            "Kernel time of the programs, bpf_stats on",
            &["packet", "ns on its way in", "ns on its way out"],
        );
        let (host, client) = (self.lab.host(1), self.lab.client());
        let (v4, v6) = (SocketAddr::from((host.v4(), PORT)), SocketAddr::from((host.v6(), PORT)));
        for (packet, to, back) in [
            ("IPv4, UDP", v4, SocketAddr::from((CLIENT_V4, PORT))),
            ("IPv6, UDP", v6, SocketAddr::from((CLIENT_V6, PORT))),
        ] {
            let into = self.cost("ingress", datagrams, || flood(client, to, datagrams).map(drop))?;
            let out = self.cost("egress", datagrams, || flood(host, back, datagrams).map(drop))?;
            table.row([packet.into(), format!("{into:.0}"), format!("{out:.0}")]);
        }
        let frame = question(vip);
        let ask = || ask(client, &frame, questions);
        gate.set(&[vip.into()], Standing::Held)?;
        gate.lease().renew(u64::MAX);
        let into = self.cost("ingress", questions, ask)?;
        let out = self.cost("egress", questions, ask)?;
        table.row(["ARP, question and answer, held".to_owned(), format!("{into:.0}"), format!("{out:.0}")]);
        gate.set(&[vip.into()], Standing::Silent)?;
        let into = self.cost("ingress", questions, ask)?;
        table.row(["ARP, question dropped, silent".to_owned(), format!("{into:.0}"), "-".into()]);
        table.note(format!("medians of {BATCHES} batches; bpf_stats itself adds 20 to 30 ns a run"));
        Ok(table)
    }

    /// Returns nanoseconds a run of one program while `work` is repeated, which makes at least `runs` each time.
    fn cost(&self, side: &str, runs: usize, work: impl Fn() -> Result<()>) -> Result<f64> {
        let link = pinned(&self.settings.bpffs, side)?;
        let mut ns = Vec::with_capacity(BATCHES);
        for _ in 0..BATCHES {
            let before = bpf::observed(&link)?;
            work()?;
            let after = bpf::observed(&link)?;
            let count = usize::try_from(after.0 - before.0)?;
            // What a full queue drops on the way is not run, nor paid for.
            ensure!(count > runs / 2, "{side} ran {count} times for {runs} packets");
            ns.push(float(usize::try_from(after.1 - before.1)?) / float(count));
        }
        Ok(median(&ns))
    }

    /// Measures datagrams a second with the gate and without.
    fn rates(&self, rounds: usize, datagrams: usize) -> Result<Table> {
        let mut table = Table::new(
            "Datagrams a second through the interface, gate on and off by turns",
            &["way", "on", "off", "on / off", "range"],
        );
        let (host, client) = (self.lab.host(1), self.lab.client());
        for (way, from, to) in [
            ("in", client, SocketAddr::from((host.v4(), PORT))),
            ("out", host, SocketAddr::from((CLIENT_V4, PORT))),
        ] {
            let turn = || flood(from, to, datagrams);
            let figures: Paired = paired(
                rounds,
                || {
                    let gate = self.open()?;
                    gate.set(&self.many, Standing::Silent)?;
                    turn()
                },
                || {
                    self.inside(|| Ok(gate::open(&self.settings)?.detach_others(&BTreeSet::new())?))?;
                    thread::sleep(SETTLED); // waits: for the kernel to detach, in its own time
                    turn()
                },
            )?;
            let (low, high) = figures.ratio_range();
            table.row([
                way.into(),
                table::rate(median(&figures.ours)),
                table::rate(median(&figures.theirs)),
                table::ratio(figures.ratio()),
                format!("{} to {}", table::ratio(low), table::ratio(high)),
            ]);
        }
        table.note(format!("{datagrams} of 32 bytes a turn, {rounds} rounds, one sender"));
        Ok(table)
    }
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed())
}

/// Sends datagrams that nobody waits for; returns how many a second.
fn flood(from: &Place, to: SocketAddr, count: usize) -> Result<f64> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    from.inside(|| {
        let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        let begun = Instant::now();
        for _ in 0..count {
            socket.send_to(&[0; 32], to)?;
        }
        Ok(float(count) / begun.elapsed().as_secs_f64())
    })?
}

/// Sends a frame so many times.
fn ask(from: &Place, frame: &[u8], count: usize) -> Result<()> {
    let channel = from.inside(|| {
        let found = pnet_datalink::interfaces().into_iter().find(|found| found.name == INTERFACE);
        let found = found.with_context(|| format!("no interface {INTERFACE}"))?;
        Ok::<_, anyhow::Error>(pnet_datalink::channel(&found, pnet_datalink::Config::default())?)
    })??;
    let Channel::Ethernet(mut sender, _receiver) = channel else { bail!("no Ethernet on {INTERFACE}") };
    for _ in 0..count {
        sender.send_to(frame, None).context("no room for a frame")??;
    }
    Ok(())
}

/// Builds a question of the lab's client about an address.
fn question(address: Ipv4Addr) -> Vec<u8> {
    let mac = [2, 0, 0x0a, 0x4d, 0, 251];
    let header = [&[0xff; 6], mac.as_slice(), &[8, 6]].concat();
    let head = [0, 1, 8, 0, 6, 4, 0, 1];
    let arp = [&head, mac.as_slice(), &CLIENT_V4.octets(), &[0; 6], &address.octets()].concat();
    [header, arp].concat()
}

/// Returns the pin of the link of one side; there is one interface.
fn pinned(bpffs: &Path, side: &str) -> Result<PathBuf> {
    let pins = std::fs::read_dir(bpffs)?.collect::<Result<Vec<_>, _>>()?;
    let found = pins.iter().find(|pin| pin.file_name().to_string_lossy().starts_with(side));
    Ok(found.with_context(|| format!("no pin of {side}"))?.path())
}

const INTERFACE: &str = "eth0";
/// The discard service.
const PORT: u16 = 9;
const CLIENT_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 251);
const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 0x251);
/// Parts in which kernel time is taken.
const BATCHES: usize = 11;
const SETTLED: Duration = Duration::from_millis(20);
const BOUND: Duration = Duration::from_secs(10);

//! The end: everything is held still and compared, counts with sockets, sums with their parts.
use crate::{
    HOSTS, VICTIM,
    cast::Stage,
    ink::{Ink, grouped, say},
    watch::{Board, Noticed},
};
use anyhow::{Context, Result};
use lab::{Direction, Entry, Host, Lab};
use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    time::{Duration, Instant},
};

/// The two objects, with the direction in which ss(8) counts them.
const OBJECTS: [(&str, Direction); 2] =
    [("inbound_cidr", Direction::Inbound), ("outbound_cidr", Direction::Outbound)];

type ByAddress<T> = BTreeMap<IpAddr, T>;

/// What one host holds, and what its kernel says, of one object.
#[derive(Debug)]
struct Held {
    /// What it counts itself: open now, and seen.
    own: ByAddress<(u64, u64)>,
    /// The sum over all hosts, as it knows it.
    global: ByAddress<(u64, u64)>,
    /// What ss(8) finds open.
    sockets: ByAddress<u64>,
}

/// Object by object, host by host.
struct Ledger([Vec<Held>; 2]);

/// Compares, prints what comes out, and tells whether all of it held.
pub(crate) fn give(stage: &Stage<'_>, board: &Board<'_>, ink: Ink) -> Result<bool> {
    let lab = board.lab();
    let received = stage.sink.received()?;
    say("\n   everybody is held still in the middle of what they do; the connections stay open\n");
    lab.client().cgroup().freeze(true)?;
    lab.sink().cgroup().freeze(true)?;
    let start = Instant::now();
    let mut ledger = Ledger::read(lab)?;
    while !(ledger.matches_sockets() && ledger.adds_up()) && start.elapsed() < SETTLE_BOUND {
        // waits: for what is on its way between the kernel, a host and its peers.
        std::thread::sleep(SETTLE_POLL);
        ledger = Ledger::read(lab)?;
    }
    dump(lab, ink)?;
    let drifts: Vec<(u64, u64, u64)> = lab.hosts().iter().map(drift).collect::<Result<_>>()?;
    table(&ledger, &drifts, ink);
    let mut verdicts = verdicts(&ledger, &drifts, &board.read(|state| state.noticed));
    verdicts.push((
        received > 0,
        format!("real mail went through: {} messages arrived at the sink", grouped(u64::try_from(received)?)),
    ));
    say("\n");
    for (held, text) in &verdicts {
        let mark = if *held { ink.good("PASS") } else { ink.bad("FAIL") };
        say(&format!("   {mark}  {text}\n"));
    }
    say("\n");
    lab.client().cgroup().freeze(false)?;
    lab.sink().cgroup().freeze(false)?;
    Ok(verdicts.iter().all(|(held, _)| *held))
}

impl Ledger {
    fn read(lab: &Lab) -> Result<Self> {
        let read = |(object, direction)| {
            lab.hosts().iter().map(|host| Held::read(host, object, direction)).collect::<Result<Vec<_>>>()
        };
        let [inbound, outbound] = OBJECTS.map(read);
        Ok(Self([inbound?, outbound?]))
    }

    fn matches_sockets(&self) -> bool {
        self.0.iter().flatten().all(Held::matches_sockets)
    }

    /// Whether every host's sum is the sum of what the hosts count.
    fn adds_up(&self) -> bool {
        self.0.iter().all(|hosts| {
            let sum = sum_of_own(hosts);
            hosts.iter().all(|held| held.global == sum)
        })
    }
}

impl Held {
    fn read(host: &Host, object: &str, direction: Direction) -> Result<Self> {
        let sockets = host.sockets(&PORTS, direction)?;
        Ok(Self {
            own: leaves(&host.shared(object, Some(host.name()))?)?,
            global: leaves(&host.shared(object, None)?)?,
            sockets: sockets
                .into_iter()
                .map(|(address, count)| Ok((address, u64::try_from(count)?)))
                .collect::<Result<_>>()?,
        })
    }

    fn matches_sockets(&self) -> bool {
        let open = self.own.iter().filter(|(_, (current, _))| *current > 0);
        open.map(|(address, (current, _))| (*address, *current))
            .eq(self.sockets.iter().map(|(a, c)| (*a, *c)))
    }
}

/// Returns the single hosts among the entries of `shared show`.
fn leaves(entries: &BTreeMap<String, Entry>) -> Result<ByAddress<(u64, u64)>> {
    let mut leaves = BTreeMap::new();
    for entry in entries.values() {
        let (address, bits) = entry.prefix.split_once('/').unwrap_or((&entry.prefix, ""));
        let address: IpAddr = address.parse().with_context(|| entry.prefix.clone())?;
        let full = if address.is_ipv4() { "32" } else { "128" };
        if bits.is_empty() || bits == full {
            leaves.insert(address, (entry.current, entry.total));
        }
    }
    Ok(leaves)
}

fn sum_of_own(hosts: &[Held]) -> ByAddress<(u64, u64)> {
    let mut sum: ByAddress<(u64, u64)> = BTreeMap::new();
    for (address, (current, total)) in hosts.iter().flat_map(|held| &held.own) {
        let cell = sum.entry(*address).or_default();
        *cell = (cell.0 + current, cell.1 + total);
    }
    sum
}

/// What the kernel itself holds, in bpftool's words.
fn dump(lab: &Lab, ink: Ink) -> Result<()> {
    let path = lab.host(1).bpffs_dir().join("inbound_hosts");
    say(&format!(
        "\n   {}\n",
        ink.dim(&format!("bpftool map dump pinned {} | head -n {DUMP_LINES}", path.display()))
    ));
    if lab::lacking(&["bpftool"]).is_some() {
        say("   (bpftool is not installed)\n");
        return Ok(());
    }
    let output = lab.host(1).launch("bpftool").args(["map", "dump", "pinned"]).arg(&path).run(TOOL_BOUND)?;
    let text = String::from_utf8_lossy(if output.status.success() { &output.stdout } else { &output.stderr });
    for line in text.lines().take(DUMP_LINES) {
        say(&format!("   {line}\n"));
    }
    Ok(())
}

/// Returns inbound and outbound drift, and how many audits there were.
fn drift(host: &Host) -> Result<(u64, u64, u64)> {
    let answer = host.convoy_json(&["drift"])?;
    let number = |key: &str| answer[key].as_u64().with_context(|| format!("drift without {key}"));
    Ok((number("inbound")?, number("outbound")?, number("audits")?))
}

fn table(ledger: &Ledger, drifts: &[(u64, u64, u64)], ink: Ink) {
    let title = format!(
        "{:<6} {:>9} {:>5} {:>9} {:>5} {:>15} {:>15} {:>7} {:>7}",
        "host", "in: own", "ss", "out: own", "ss", "in: sum/seen", "out: sum/seen", "drift", "audits"
    );
    say(&format!("\n   {}\n", ink.bold(&title)));
    for (host, (drift_in, drift_out, audits)) in drifts.iter().enumerate() {
        let [inbound, outbound] = [0, 1].map(|object: usize| &ledger.0[object][host]);
        say(&format!(
            "   {:<6} {:>9} {:>5} {:>9} {:>5} {:>15} {:>15} {:>7} {:>7}\n",
            format!("mta{}", host + 1),
            open(&inbound.own),
            inbound.sockets.values().sum::<u64>(),
            open(&outbound.own),
            outbound.sockets.values().sum::<u64>(),
            Both(&inbound.global),
            Both(&outbound.global),
            format!("{drift_in}/{drift_out}"),
            audits,
        ));
    }
    let [inbound, outbound] = [0, 1].map(|object: usize| sum_of_own(&ledger.0[object]));
    let sockets = |object: usize| ledger.0[object].iter().flat_map(|held| held.sockets.values()).sum::<u64>();
    say(&format!(
        "   {:<6} {:>9} {:>5} {:>9} {:>5} {:>15} {:>15}\n",
        "sum",
        open(&inbound),
        sockets(0),
        open(&outbound),
        sockets(1),
        Both(&inbound),
        Both(&outbound),
    ));
}

fn open(counts: &ByAddress<(u64, u64)>) -> u64 {
    counts.values().map(|(current, _)| current).sum()
}

/// `37/1 204`: open now, and seen.
struct Both<'a>(&'a ByAddress<(u64, u64)>);

impl fmt::Display for Both<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen: u64 = self.0.values().map(|(_, total)| total).sum();
        f.pad(&format!("{}/{}", grouped(open(self.0)), grouped(seen)))
    }
}

fn verdicts(ledger: &Ledger, drifts: &[(u64, u64, u64)], noticed: &[Noticed]) -> Vec<(bool, String)> {
    let addresses: usize = ledger.0.iter().flatten().map(|held| held.sockets.len()).sum();
    let nodes: usize = ledger.0.iter().map(|hosts| sum_of_own(hosts).len()).sum();
    let others: Vec<&Noticed> =
        (0..HOSTS).filter(|host| *host != VICTIM).map(|host| &noticed[host]).collect();
    let worst = |when: fn(&Noticed) -> Option<f64>| -> Option<f64> {
        others.iter().map(|noticed| when(noticed)).try_fold(0.0, |worst: f64, one| Some(worst.max(one?)))
    };
    let seconds = |when: Option<f64>| when.map_or_else(|| "never".to_owned(), |s| format!("within {s:.2} s"));
    let (gone, back) = (worst(|noticed| noticed.gone_s), worst(|noticed| noticed.back_s));
    let name = format!("mta{}", VICTIM + 1);
    let vanished = others.iter().all(|noticed| noticed.vanished);
    vec![
        (
            ledger.matches_sockets() && addresses > 0,
            format!("own counts equal ss on every host, address by address ({addresses} compared)"),
        ),
        (
            ledger.adds_up() && nodes > 0,
            format!("the sum on every host is the sum of all hosts, open and seen ({nodes} addresses)"),
        ),
        (
            gone.is_some() && vanished,
            format!("{name} without power left the sums of the others {}", seconds(gone)),
        ),
        (back.is_some(), format!("{name} switched on is counted again {}", seconds(back))),
        (
            drifts.iter().all(|(inbound, outbound, _)| (*inbound, *outbound) == (0, 0)),
            "drift is 0 on every host".to_owned(),
        ),
    ]
}

/// What convoyd counts unless it is told otherwise.
const PORTS: [u16; 4] = [25, 465, 587, 2525];
/// chosen: what is on its way takes milliseconds; an audit that has to put something right 10 s.
const SETTLE_BOUND: Duration = Duration::from_secs(15);
const SETTLE_POLL: Duration = Duration::from_millis(50);
const TOOL_BOUND: Duration = Duration::from_secs(10);
const DUMP_LINES: usize = 17;

#[cfg(test)]
mod tests {
    use super::*;

    fn counts<T: Clone>(rows: &[(&str, T)]) -> ByAddress<T> {
        rows.iter().map(|(address, count)| (address.parse().unwrap(), count.clone())).collect()
    }

    #[test]
    fn a_single_socket_too_few_or_too_many_is_a_difference() {
        let check = |own: &[(&str, (u64, u64))], sockets: &[(&str, u64)], want| {
            let held = Held { own: counts(own), global: ByAddress::new(), sockets: counts(sockets) };
            assert_eq!(held.matches_sockets(), want, "{held:?}");
        };
        check(&[], &[], true);
        check(&[("192.0.2.1", (2, 9)), ("192.0.2.2", (0, 5))], &[("192.0.2.1", 2)], true);
        check(&[("192.0.2.1", (2, 9))], &[("192.0.2.1", 1)], false);
        check(&[("192.0.2.1", (2, 9))], &[], false);
        check(&[], &[("192.0.2.1", 2)], false);
        check(&[("192.0.2.1", (2, 9))], &[("192.0.2.2", 2)], false);
    }

    #[test]
    fn a_sum_that_differs_on_one_host_does_not_add_up() {
        let held = |own: (u64, u64), global: (u64, u64)| Held {
            own: counts(&[("192.0.2.1", own)]),
            global: counts(&[("192.0.2.1", global)]),
            sockets: ByAddress::new(),
        };
        let check = |hosts: Vec<Held>, want| assert_eq!(Ledger([hosts, vec![]]).adds_up(), want);
        check(vec![held((1, 5), (3, 9)), held((2, 4), (3, 9))], true);
        check(vec![held((1, 5), (3, 9)), held((2, 4), (2, 9))], false);
        check(vec![held((1, 5), (3, 9)), held((2, 4), (3, 8))], false);
    }

    #[test]
    fn branching_prefixes_are_not_hosts() {
        let entry = |prefix: &str| {
            let entry = Entry { prefix: prefix.to_owned(), current: 1, total: 2 };
            (prefix.to_owned(), entry)
        };
        let entries =
            ["192.0.2.0/24", "192.0.2.1/32", "2001:db8::/64", "2001:db8::1/128", "2001:db8::/32"].map(entry);
        let found = leaves(&entries.into()).unwrap();
        assert_eq!(found, counts(&[("192.0.2.1", (1, 2)), ("2001:db8::1", (1, 2))]));
    }
}

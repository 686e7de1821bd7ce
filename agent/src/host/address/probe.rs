//! Asking the wire whether a host still answers for addresses.
//!
//! Invariants: 1. each probe ends exactly once; 2. it ends in silence only if several rounds of questions left on links
//! that are up, the last one had its time, and all that had arrived by then was read: a thread that was late asks on, and
//! what could not be asked proves nothing; 3. what was heard from this host itself is no answer; 4. where there are
//! controls, they answered so many rounds: frames of one link keep their order, so whatever was asked before them had been
//! answered, and heard.
//! Source: RFC 5227 section 2.1.1, RFC 4862 section 5.4.2.
use super::{Found, segment::Segment, table::Links};
use convoy_core::{
    bounds,
    wire::{
        arp::{self, Arp},
        ndp::{self, Ndp},
    },
};
use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// The probes under way.
#[derive(Debug, Default)]
pub(super) struct Probes(Vec<Probe>);

/// One probe.
#[derive(Debug)]
pub(super) struct Probe {
    id: u64,
    addresses: Vec<(IpAddr, Arc<str>)>,
    /// Asked for after the addresses.
    controls: Vec<(IpAddr, Arc<str>)>,
    /// The most answers that one of them gave.
    controlled: BTreeMap<IpAddr, u32>,
    every: Duration,
    next: Instant,
    end: Instant,
    /// When it ends although too little was asked.
    latest: Instant,
    /// Rounds in which every question left.
    rounds: u32,
    /// The last of them.
    last: Option<Instant>,
    trouble: Option<String>,
}

impl Probes {
    /// Begins a probe. Returns its end, if it ends at once.
    pub(super) fn begin(&mut self, probe: Probe) -> Option<Found> {
        if probe.addresses.is_empty() {
            return Some(Found::Unsure("none of the addresses is managed here".into()));
        }
        if self.0.len() >= bounds::PROBES_MAX {
            return Some(Found::Unsure(format!("{} probes are under way", bounds::PROBES_MAX)));
        }
        self.0.push(probe);
        None
    }

    /// Asks what is due, and returns the probes that are over.
    pub(super) fn ask(
        &mut self,
        segments: &mut BTreeMap<Arc<str>, Segment>,
        links: &Links,
        now: Instant,
    ) -> Vec<(u64, Found)> {
        let asks = |probe: &&mut Probe| {
            let is_early = now < probe.end || probe.rounds < ROUNDS_MIN || !probe.is_controlled();
            probe.next <= now && is_early
        };
        for probe in self.0.iter_mut().filter(asks) {
            probe.next = now + probe.every;
            let mut all = true;
            for (address, interface) in probe.addresses.iter().chain(&probe.controls) {
                if let Err(error) = question(segments, links, interface, *address) {
                    all = false;
                    probe.trouble = Some(format!("cannot ask on {interface}: {error}"));
                }
            }
            if all {
                (probe.rounds, probe.last) = (probe.rounds + 1, Some(now));
            }
        }
        let over = self.0.extract_if(.., |probe| probe.is_asked_out(now) || probe.latest <= now);
        over.map(|probe| {
            if probe.is_asked_out(now) {
                return (probe.id, Found::Silence);
            }
            let why = match probe.trouble {
                Some(trouble) => trouble,
                None if probe.is_controlled() => "there was no time to ask".into(),
                None => format!("nobody at all is heard, not even for {:?}", probe.controls),
            };
            (probe.id, Found::Unsure(why))
        })
        .collect()
    }

    /// Tells whether a probe may be over: what has arrived is to be read before that is decided.
    pub(super) fn may_be_over(&self, now: Instant) -> bool {
        self.0.iter().any(|probe| probe.end <= now)
    }

    /// Takes note that somebody on a link answers for an address, and returns the probes that it ends.
    pub(super) fn heard(&mut self, address: IpAddr, interface: &str, mac: arp::Mac) -> Vec<(u64, Found)> {
        let is_in = |asked: &[(IpAddr, Arc<str>)]| {
            asked.iter().any(|(asked, on)| (*asked, &**on) == (address, interface))
        };
        for probe in self.0.iter_mut().filter(|probe| is_in(&probe.controls)) {
            *probe.controlled.entry(address).or_default() += 1;
        }
        let is_answered = |probe: &mut Probe| is_in(&probe.addresses);
        self.0.extract_if(.., is_answered).map(|probe| (probe.id, Found::Answer { address, mac })).collect()
    }

    /// Returns when a question is due or a probe is over.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.iter().map(Probe::due).min()
    }
}

impl Probe {
    /// Returns one that asks for addresses, each on its link, from now on.
    pub(super) fn new(
        id: u64,
        mut addresses: Vec<(IpAddr, Arc<str>)>,
        mut controls: Vec<(IpAddr, Arc<str>)>,
        every: Duration,
        until: Duration,
        now: Instant,
    ) -> Self {
        addresses.truncate(bounds::PROBE_ADDRESSES_MAX);
        controls.truncate(bounds::PROBE_ADDRESSES_MAX);
        Self {
            id,
            addresses,
            controls,
            controlled: BTreeMap::new(),
            // More often than each millisecond is a flood.
            every: every.max(Duration::from_millis(1)),
            next: now,
            end: now + until,
            latest: now + until * PATIENCE,
            rounds: 0,
            last: None,
            trouble: None,
        }
    }

    /// Tells whether a control answered in enough rounds, if there is any.
    fn is_controlled(&self) -> bool {
        self.controls.is_empty() || self.controlled.values().any(|answers| *answers >= ROUNDS_MIN)
    }

    /// Tells whether enough was asked and the last questions had their time.
    fn is_asked_out(&self, now: Instant) -> bool {
        let had_time = self.last.is_some_and(|last| now >= last + self.every);
        self.end <= now && self.rounds >= ROUNDS_MIN && had_time && self.is_controlled()
    }

    fn due(&self) -> Instant {
        if self.rounds < ROUNDS_MIN || self.next < self.end || !self.is_controlled() {
            return self.next.min(self.latest);
        }
        self.last.map_or(self.end, |last| self.end.max(last + self.every))
    }
}

/// Rounds of questions that prove something. chosen: two in a row are lost together on a bad wire, three hardly ever.
const ROUNDS_MIN: u32 = 3;
/// How many times as long as it should a probe may take at most.
const PATIENCE: u32 = 5;

fn question(
    segments: &mut BTreeMap<Arc<str>, Segment>,
    links: &Links,
    interface: &Arc<str>,
    address: IpAddr,
) -> io::Result<()> {
    let is_up = links.get(interface).is_some_and(|link| link.up);
    let Some(segment) = segments.get_mut(interface).filter(|_| is_up) else {
        return Err(io::Error::new(io::ErrorKind::NetworkDown, "the link is down"));
    };
    let mac = segment.mac();
    match address {
        IpAddr::V4(address) => segment.send(&Arp::probe(mac, address).emit(arp::BROADCAST)),
        IpAddr::V6(address) => {
            let probe = Ndp::probe(address);
            segment.send(probe.emit(mac, ndp::multicast_mac(probe.destination)).as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const MAC: arp::Mac = [2, 0, 0, 0, 0, 9];

    fn begin(probes: &mut Probes, id: u64, now: Instant) -> Option<Found> {
        probes.begin(probe(id, Vec::new(), now))
    }

    fn probe(id: u64, controls: Vec<(IpAddr, Arc<str>)>, now: Instant) -> Probe {
        let addresses = vec![(VIP, Arc::from("eth0"))];
        Probe::new(id, addresses, controls, Duration::from_millis(2), Duration::from_millis(10), now)
    }

    #[test]
    fn silence_is_believed_only_if_a_control_was_heard_often_enough() {
        let now = Instant::now();
        let control = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
        let end = now + Duration::from_millis(12);
        let asked = |controls| Probe { rounds: 5, last: Some(now), ..probe(1, controls, now) };
        assert!(asked(vec![]).is_asked_out(end));
        let mut probes = Probes(vec![asked(vec![(control, Arc::from("eth0"))])]);
        for _ in 0..ROUNDS_MIN {
            assert!(!probes.0[0].is_asked_out(end));
            assert_eq!(probes.heard(control, "eth1", MAC), [], "on another link");
            assert_eq!(probes.heard(control, "eth0", MAC), [], "it ends nothing");
        }
        assert!(probes.0[0].is_asked_out(end));
    }

    #[test]
    fn what_could_not_be_asked_is_not_silence() {
        let (mut probes, now) = (Probes::default(), Instant::now());
        assert_eq!(begin(&mut probes, 1, now), None);
        assert_eq!(probes.ask(&mut BTreeMap::new(), &Links::new(), now), []);
        let early = now + Duration::from_millis(10);
        assert_eq!(probes.ask(&mut BTreeMap::new(), &Links::new(), early), [], "it may still be possible");
        let end = now + Duration::from_millis(50);
        let over = probes.ask(&mut BTreeMap::new(), &Links::new(), end);
        assert!(matches!(&over[..], [(1, Found::Unsure(why))] if why.contains("eth0")), "{over:?}");
        assert_eq!(probes.due(), None);
    }

    #[test]
    fn an_answer_ends_the_probes_that_asked_for_it_on_that_link() {
        let (mut probes, now) = (Probes::default(), Instant::now());
        assert_eq!((begin(&mut probes, 1, now), begin(&mut probes, 2, now)), (None, None));
        assert_eq!(probes.heard(VIP, "eth1", MAC), []);
        let answer = Found::Answer { address: VIP, mac: MAC };
        assert_eq!(probes.heard(VIP, "eth0", MAC), [(1, answer.clone()), (2, answer)]);
        assert_eq!(probes.heard(VIP, "eth0", MAC), []);
    }

    #[test]
    fn probes_are_bounded_and_what_is_refused_is_unsure() {
        let (mut probes, now) = (Probes::default(), Instant::now());
        for id in 0..bounds::PROBES_MAX as u64 {
            assert_eq!(begin(&mut probes, id, now), None);
        }
        assert!(matches!(begin(&mut probes, 99, now), Some(Found::Unsure(_))));
    }
}

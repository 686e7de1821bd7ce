//! A cluster in virtual time: the agenda of what happens when, and the routing between nodes and network.
use crate::{
    checks,
    clock::{At, Clock, SECOND},
    net::{End, Net, Report, Segment, Way},
    prng::Prng,
    site::{Fact, Site},
    workload::Workload,
};
use convoy_core::{
    group::State,
    node::{LinkId, Member, Output, Settings},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    net::IpAddr,
};

/// What happens at a moment.
#[derive(Debug)]
pub(crate) enum Event {
    /// A process learns something from its sockets.
    Report(End, Report),
    Syn(u64),
    SynAck(u64),
    /// An end of a connection learns that it is no more.
    Reset(u64, usize, &'static str),
    Pump(u64, usize),
    Arrive(u64, usize, Segment),
    /// Some bytes of a segment arrive.
    Part(u64, usize),
    /// A process looks at the clock.
    Wake(usize),
    /// A stalled process runs again.
    Resume(usize),
    /// A host that is down starts.
    Start(usize),
    /// A process is told all that the kernel counts, if it still runs.
    Sample(usize, u64),
    /// Connections come and go on a host.
    Work(usize),
    /// Something breaks.
    Fault,
    /// A way is whole again.
    Mend(usize, usize),
}

/// What is to happen, in order of time; what was added first goes first.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    now: At,
    added: u64,
    order: BinaryHeap<Reverse<(At, u64)>>,
    events: BTreeMap<u64, Event>,
}

impl Agenda {
    pub(crate) fn now(&self) -> At {
        self.now
    }

    pub(crate) fn add(&mut self, at: At, event: Event) {
        self.added += 1;
        self.order.push(Reverse((at.max(self.now), self.added)));
        self.events.insert(self.added, event);
    }

    pub(crate) fn report(&mut self, end: End, report: Report) {
        self.add(self.now, Event::Report(end, report));
    }

    /// Returns what happens next, if it does until `until`.
    fn next(&mut self, until: At) -> Option<Event> {
        let Reverse((at, number)) = *self.order.peek()?;
        if at > until {
            self.now = until;
            return None;
        }
        self.order.pop();
        self.now = at;
        self.events.remove(&number)
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) prng: Prng,
    pub(crate) agenda: Agenda,
    pub(crate) net: Net,
    pub(crate) sites: Vec<Site>,
    pub(crate) workload: Workload,
    /// Things break as long as this holds.
    pub(crate) is_troubled: bool,
    /// What every site is set to when all is well.
    pub(crate) whole: Vec<Settings>,
    pub(crate) addresses: Vec<IpAddr>,
    /// The last facts and effects, oldest first.
    pub(crate) last: VecDeque<(At, usize, String)>,
    pub(crate) steps: u64,
    /// Most bytes seen waiting for one connection, and full transfers begun because too much waited.
    pub(crate) queued_most: usize,
}

impl World {
    /// Returns hosts with these settings, all on calm ways, no process running.
    pub(crate) fn new(seed: u64, settings: Vec<Settings>, clocks: &[Clock], workload: Workload) -> Self {
        let addresses = (0..settings.len()).map(address).collect::<Vec<_>>();
        let sites = settings
            .iter()
            .enumerate()
            .map(|(n, settings)| Site::new(&settings.name, clocks[n], settings.clone()))
            .collect::<Vec<_>>();
        Self {
            prng: Prng::new(seed),
            agenda: Agenda::default(),
            net: Net::new(sites.len()),
            sites,
            workload,
            is_troubled: false,
            whole: settings,
            addresses,
            last: VecDeque::new(),
            steps: 0,
            queued_most: 0,
        }
    }

    /// Lets true time pass.
    pub(crate) fn run(&mut self, span: At) {
        let until = self.agenda.now + span;
        while let Some(event) = self.agenda.next(until) {
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        let Self { agenda, prng, net, sites, .. } = self;
        match event {
            Event::Report(end, report) => {
                if sites[end.site].life == end.life {
                    self.give(end.site, Fact::Network(end.link, report));
                }
            }
            Event::Syn(id) => {
                net.on_syn(agenda, prng, id, |site| sites[site].node.as_ref().map(|_| sites[site].life));
            }
            Event::SynAck(id) => net.on_syn_ack(agenda, id),
            Event::Reset(id, at, why) => net.on_reset(agenda, id, at, why),
            Event::Pump(id, at) => net.pump(agenda, prng, id, at),
            Event::Arrive(id, at, segment) => net.on_arrive(agenda, prng, id, at, segment),
            Event::Part(id, at) => net.on_part(agenda, id, at),
            Event::Wake(site) => {
                if sites[site].wakes_at == Some(agenda.now) {
                    sites[site].wakes_at = None;
                    self.give(site, Fact::Timeout);
                }
            }
            Event::Resume(site) => self.resume(site),
            Event::Start(site) => self.start(site),
            Event::Sample(site, life) => {
                if sites[site].life == life {
                    self.sample(site);
                }
            }
            Event::Work(site) => self.work(site),
            Event::Fault => self.break_something(),
            Event::Mend(from, to) => {
                let way = net.way(from, to);
                (way.cut, way.firewall) = (false, false);
                net.pump_all(agenda, prng);
            }
        }
    }

    /// Gives a process a fact, or puts it where a stalled one finds it.
    pub(crate) fn give(&mut self, n: usize, fact: Fact) {
        let site = &mut self.sites[n];
        if site.node.is_none() {
            return;
        }
        if self.agenda.now < site.stalled_until {
            return site.inbox.push_back(fact);
        }
        self.feed(n, &fact);
    }

    fn feed(&mut self, n: usize, fact: &Fact) {
        self.steps += 1;
        if let Some(what) = brief(fact) {
            self.remember(n, || what);
        }
        let hosts = self.sites[n].feed(self.agenda.now, fact, &self.addresses);
        let mut outputs = 0;
        while let Some(output) = self.sites[n].node.as_mut().and_then(convoy_core::node::Node::poll_output) {
            outputs += 1;
            self.carry_out(n, output);
        }
        checks::after_step(self, n, hosts, outputs);
        self.set_alarm(n);
    }

    fn carry_out(&mut self, n: usize, output: Output) {
        let site = &mut self.sites[n];
        if let Output::Dial(link, _) = &output {
            site.queued.insert(*link, 0);
        }
        site.note(&output);
        let end = |link: LinkId| End { site: n, life: site.life, link };
        let Self { agenda, prng, net, .. } = self;
        let what = match output {
            Output::Dial(link, to) => {
                let to = self.addresses.iter().position(|address| *address == to);
                net.dial(agenda, prng, end(link), to.expect("peers are sites"));
                format!("dials {to:?} on {link:?}")
            }
            Output::Send(link, bytes) => {
                self.queued_most = self.queued_most.max(site.queued.get(&link).copied().unwrap_or(0));
                let what = format!("sends kind {}, {} bytes on {link:?}", bytes[5], bytes.len());
                net.write(agenda, prng, end(link), Segment::Frame(bytes));
                what
            }
            Output::Close(link) => {
                net.close(agenda, prng, end(link));
                site.queued.remove(&link);
                format!("closes {link:?}")
            }
            Output::Event(event) => format!("says {event:?}"),
            Output::Multicast(_) | Output::CarryOut(_) | Output::Answers(..) | Output::Vip(_) => {
                unreachable!("these nodes are on no bus")
            }
            Output::Stopped => {
                site.end();
                net.on_exit(agenda, prng, n);
                "has stopped".into()
            }
        };
        self.remember(n, || what);
    }

    fn remember(&mut self, n: usize, what: impl FnOnce() -> String) {
        if self.last.len() == LAST_KEPT {
            self.last.pop_front();
        }
        self.last.push_back((self.agenda.now, n, what()));
    }

    /// Sees to it that the process runs when it asked to.
    fn set_alarm(&mut self, n: usize) {
        let site = &mut self.sites[n];
        let deadline = site.node.as_ref().and_then(convoy_core::node::Node::next_deadline);
        let Some(at) = deadline.map(|deadline| site.clock.when(deadline)) else { return };
        if site.wakes_at.is_none_or(|wakes_at| at < wakes_at) {
            site.wakes_at = Some(at);
            self.agenda.add(at, Event::Wake(n));
        }
    }

    /// Starts a host's process, unless one runs.
    pub(crate) fn start(&mut self, n: usize) {
        if self.sites[n].node.is_some() {
            return;
        }
        self.net.dark[n] = false;
        self.net.stalled[n] = false;
        self.sites[n].start(self.agenda.now);
        if self.is_troubled && self.prng.per_mille(300) {
            // Its kernel programs take their time; it knows its peers before it knows its counts.
            let at = self.agenda.now + self.prng.below(SECOND);
            self.agenda.add(at, Event::Sample(n, self.sites[n].life));
            self.give(n, Fact::Timeout);
        } else {
            self.sample(n);
        }
        self.net.pump_all(&mut self.agenda, &mut self.prng);
    }

    /// Tells a process all that the kernel counts.
    fn sample(&mut self, n: usize) {
        for object in convoy_core::wire::Object::ALL {
            self.give(n, Fact::AllCounts(object));
        }
    }

    /// Starts every host's process.
    pub(crate) fn start_all(&mut self) {
        (0..self.sites.len()).for_each(|n| self.start(n));
    }

    /// Ends a process without a word of its own; with the power off its kernel is silent too.
    pub(crate) fn kill(&mut self, n: usize, power_off: bool) {
        self.net.dark[n] = power_off;
        self.sites[n].end();
        self.net.on_exit(&mut self.agenda, &mut self.prng, n);
        self.remember(n, || "is killed".into());
    }

    /// Lets a process not run for a while.
    pub(crate) fn stall(&mut self, n: usize, span: At) {
        let until = self.agenda.now + span;
        if self.sites[n].node.is_none() || self.sites[n].stalled_until > self.agenda.now {
            return;
        }
        self.sites[n].stalled_until = until;
        self.net.stalled[n] = true;
        self.agenda.add(until, Event::Resume(n));
        self.remember(n, || format!("stalls for {} ms", span / crate::clock::MS));
    }

    /// A process that stalled finds everything at once. Whether it looks at the clock first is chance.
    fn resume(&mut self, n: usize) {
        if self.agenda.now < self.sites[n].stalled_until || !self.net.stalled[n] {
            return;
        }
        self.net.stalled[n] = false;
        if self.prng.per_mille(500) {
            self.sites[n].inbox.push_front(Fact::Timeout);
        }
        while let Some(fact) = self.sites[n].inbox.pop_front() {
            self.feed(n, &fact);
        }
        self.net.pump_all(&mut self.agenda, &mut self.prng);
    }

    /// Cuts the way from one host to another, and only that one.
    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        self.net.way(from, to).cut = true;
        self.remember(from, || format!("cannot reach {to}"));
    }

    /// Makes every way as given.
    pub(crate) fn set_ways(&mut self, way: &Way) {
        for from in 0..self.sites.len() {
            for to in 0..self.sites.len() {
                *self.net.way(from, to) = *way;
            }
        }
        self.net.pump_all(&mut self.agenda, &mut self.prng);
    }

    /// Nothing is broken any more, and every process runs with the settings it is meant to have.
    pub(crate) fn heal(&mut self) {
        self.is_troubled = false;
        self.set_ways(&Way::calm());
        for n in 0..self.sites.len() {
            self.sites[n].stalled_until = self.agenda.now;
            self.resume(n);
            self.sites[n].settings = Settings { incarnation: self.sites[n].life, ..self.whole[n].clone() };
            self.give(n, Fact::Reload(Box::new(self.whole[n].clone())));
            self.start(n);
            self.sample(n);
        }
    }

    /// Requires that all nodes agree with the truth within [`CONVERGES_WITHIN`]; returns how long it took.
    pub(crate) fn settle(&mut self) -> At {
        let begin = self.agenda.now;
        loop {
            self.run(SECOND / 20);
            let Err(why) = checks::converged(self) else { return self.agenda.now - begin };
            let waited = self.agenda.now - begin;
            assert!(waited < CONVERGES_WITHIN, "after {} s: {why}", waited / SECOND);
        }
    }

    /// Returns one row of a node's membership.
    pub(crate) fn member(&self, n: usize, of: usize) -> Member {
        let node = self.sites[n].node.as_ref().expect("it runs");
        let now = self.sites[n].clock.shows(self.agenda.now);
        let members = node.members(None, now);
        members.into_iter().find(|member| member.name == self.sites[of].name).expect("it is configured")
    }

    pub(crate) fn state(&self, n: usize, of: usize) -> State {
        self.member(n, of).state
    }
}

/// Returns the address of the `n`-th host.
pub(crate) fn address(n: usize) -> IpAddr {
    IpAddr::from([10, 0, 0, u8::try_from(n + 1).expect("few hosts")])
}

/// Returns a fact in words, if a reader wants to know it at all.
fn brief(fact: &Fact) -> Option<String> {
    Some(match fact {
        Fact::Timeout | Fact::Network(_, Report::Wrote(_) | Report::Part) => return None,
        Fact::Counts(object, changes) => format!("is told {} changes of {object}", changes.len()),
        Fact::Network(link, Report::Bytes(bytes)) => {
            format!("gets kind {}, {} bytes on {link:?}", bytes.get(5).copied().unwrap_or(0), bytes.len())
        }
        Fact::Reload(settings) => format!("reloads, peers {:?}", settings.peers.keys()),
        other => format!("is told {other:?}"),
    })
}

/// True time within which a healed cluster must agree. The longest wait in it is a greeting's, 5 s, after which a
/// connection is tried anew.
pub(crate) const CONVERGES_WITHIN: At = 20 * SECOND;
const LAST_KEPT: usize = 60;

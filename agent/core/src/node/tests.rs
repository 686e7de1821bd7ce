//! Nodes joined by perfect pipes: greetings, counts, ends. Bad networks are in tests/tests/sim.
use super::*;
use crate::{
    time::Span,
    wire::{FrameError, Refusal, frame, message},
};
use alloc::{boxed::Box, format, string::ToString, vec};
use convoy_common::{addr::Host, count::Count, prefix::Prefix};

mod reload;
mod suspicion;

/// Nodes by address; every connection is a pair of link ids, one on each side.
struct Net {
    nodes: BTreeMap<IpAddr, Node>,
    pipes: BTreeMap<(IpAddr, LinkId), (IpAddr, LinkId)>,
    accepted: u64,
    now: Instant,
    events: Vec<(IpAddr, Event)>,
}

fn address(n: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, n])
}

fn settings(name: &str, peers: &[(&str, u8)]) -> Settings {
    let batching = Batching { delay_max: Span::ZERO, pending_max: 100 };
    Settings {
        name: name.into(),
        incarnation: 1,
        group: "ec_cluster".into(),
        build: "test".into(),
        peers: peers.iter().map(|(name, n)| ((*name).into(), address(*n))).collect(),
        heartbeat: Span::from_ms(100),
        heartbeat_port: None,
        start_delay: Span::ZERO,
        connect: Span::from_secs(5),
        reconnect: Span::from_secs(1),
        standing: Standing::default(),
        vips: Box::default(),
        replicate: Object::ALL.map(|object| (object, batching)).into(),
    }
}

impl Net {
    fn new(nodes: Vec<(u8, Settings)>) -> Self {
        let now = Instant::from_ns(0);
        let nodes = nodes.into_iter().map(|(n, settings)| (address(n), Node::new(settings, now))).collect();
        let mut net = Self { nodes, pipes: BTreeMap::new(), accepted: 0, now, events: vec![] };
        net.run(Span::ZERO);
        net
    }

    fn pair() -> Self {
        Self::new(vec![(1, settings("a", &[("b", 2)])), (2, settings("b", &[("a", 1)]))])
    }

    fn give(&mut self, to: u8, input: Input<'_>) {
        self.nodes.get_mut(&address(to)).unwrap().handle(self.now, input);
        self.settle();
    }

    /// Lets `span` pass in steps of 10 ms.
    fn run(&mut self, span: Span) {
        let until = self.now + span;
        loop {
            for node in self.nodes.values_mut() {
                node.handle(self.now, Input::Timeout);
            }
            self.settle();
            if self.now >= until {
                return;
            }
            self.now = self.now + Span::from_ms(10);
        }
    }

    fn settle(&mut self) {
        while let Some((from, output)) =
            self.nodes.iter_mut().find_map(|(at, node)| node.poll_output().map(|output| (*at, output)))
        {
            self.carry_out(from, output);
        }
    }

    fn carry_out(&mut self, from: IpAddr, output: Output) {
        match output {
            Output::Dial(link, to) => {
                let input = if self.nodes.contains_key(&to) {
                    self.accepted += 1;
                    let accepted = LinkId::Accepted(self.accepted);
                    self.pipes.insert((from, link), (to, accepted));
                    self.pipes.insert((to, accepted), (from, link));
                    self.handle(to, Input::Accepted(accepted, from));
                    Input::Connected(link)
                } else {
                    Input::Closed(link, "connection refused")
                };
                self.handle(from, input);
            }
            Output::Send(link, bytes) => {
                self.handle(from, Input::Wrote(link, bytes.len()));
                let Some((to, theirs)) = self.pipes.get(&(from, link)).copied() else { return };
                let (frame, used) = frame::split(&bytes).unwrap().unwrap();
                assert_eq!(used, bytes.len());
                self.handle(to, Input::Frame(theirs, frame));
            }
            Output::Close(link) => {
                if let Some((to, theirs)) = self.pipes.remove(&(from, link)) {
                    self.pipes.remove(&(to, theirs));
                    self.handle(to, Input::Closed(theirs, "closed by peer"));
                }
            }
            Output::Event(event) => self.events.push((from, event)),
            Output::Stopped => {}
            Output::Multicast(_) | Output::CarryOut(_) | Output::Answers(..) | Output::Vip(_) => {
                unreachable!("they are on no bus")
            }
        }
    }

    fn handle(&mut self, to: IpAddr, input: Input<'_>) {
        if let Some(node) = self.nodes.get_mut(&to) {
            node.handle(self.now, input);
        }
    }

    /// Takes a node away without a word; what was connected to it learns of the end.
    fn kill(&mut self, n: u8) {
        self.nodes.remove(&address(n));
        let ends = self.pipes.iter().filter(|(_, (to, _))| *to == address(n)).map(|(end, _)| *end);
        for (at, link) in ends.collect::<Vec<_>>() {
            self.pipes.remove(&(at, link));
            self.handle(at, Input::Closed(link, "connection reset"));
        }
        self.settle();
    }

    fn node(&self, n: u8) -> &Node {
        &self.nodes[&address(n)]
    }

    fn state(&self, n: u8, name: &str) -> State {
        let members = self.node(n).members(None, self.now);
        members.iter().find(|member| *member.name == *name).unwrap().state
    }

    fn trouble(&self, n: u8, name: &str) -> String {
        let members = self.node(n).members(None, self.now);
        members.iter().find(|member| *member.name == *name).unwrap().trouble.clone().unwrap_or_default()
    }

    fn count(&mut self, n: u8, host: &str, current: u64) {
        let change = (Host::new(host.parse().unwrap()), Some(Count { current, total: current.max(1) }));
        self.give(n, Input::Counts(Object::InboundCidr, &[change]));
    }

    fn global(&self, n: u8) -> u64 {
        self.node(n).replica(Object::InboundCidr).global().sum().current
    }
}

#[test]
fn two_nodes_find_each_other_and_share_their_counts() {
    let mut net = Net::pair();
    assert_eq!((net.state(1, "b"), net.state(2, "a")), (State::Alive, State::Alive));
    net.count(1, "192.0.2.1", 3);
    net.count(2, "192.0.2.1", 2);
    assert_eq!((net.global(1), net.global(2)), (5, 5), "both read five, at once");
    let prefix = "192.0.2.0/24".parse::<Prefix>().unwrap();
    let view = net.node(1).replica(Object::InboundCidr).view("b").unwrap();
    assert_eq!(view.sum_below(prefix).current, 2);
}

#[test]
fn a_joiner_gets_all_that_was_counted_before() {
    let mut net = Net::new(vec![(1, settings("a", &[("b", 2)]))]);
    for n in 0..=255 {
        net.count(1, &format!("198.51.100.{n}"), 1);
    }
    net.nodes.insert(address(2), Node::new(settings("b", &[("a", 1)]), net.now));
    net.run(Span::from_secs(2));
    assert_eq!(net.global(2), 256);
    assert!(
        net.events
            .iter()
            .any(|(at, event)| *at == address(2) && matches!(event, Event::Complete { hosts: 256, .. }))
    );
}

#[test]
fn changes_wait_for_company_no_longer_than_told() {
    let mut batched = settings("a", &[("b", 2)]);
    let batching = Batching { delay_max: Span::from_ms(50), pending_max: 3 };
    batched.replicate.insert(Object::InboundCidr, batching);
    let mut net = Net::new(vec![(1, batched), (2, settings("b", &[("a", 1)]))]);
    net.run(Span::from_ms(100));
    net.count(1, "192.0.2.1", 1);
    assert_eq!(net.global(2), 1, "the first after a pause goes at once");
    net.count(1, "192.0.2.2", 1);
    net.run(Span::from_ms(40));
    assert_eq!(net.global(2), 1, "the next one waits");
    net.run(Span::from_ms(10));
    assert_eq!(net.global(2), 2, "and has waited long enough");
    for host in ["192.0.2.3", "192.0.2.4"] {
        net.count(1, host, 1);
    }
    assert_eq!(net.global(2), 2);
    net.count(1, "192.0.2.5", 1);
    assert_eq!(net.global(2), 5, "enough company");
}

#[test]
fn a_peer_that_leaves_takes_its_counts_at_once() {
    let mut net = Net::pair();
    net.count(2, "192.0.2.1", 2);
    net.give(2, Input::Stop);
    assert_eq!((net.global(1), net.state(1, "b")), (0, State::Gone));
}

#[test]
fn a_peer_that_dies_is_suspect_first_and_its_counts_stay_until_it_is_gone() {
    let mut net = Net::pair();
    net.count(2, "192.0.2.1", 2);
    net.kill(2);
    assert_eq!((net.global(1), net.state(1, "b")), (2, State::Suspect));
    net.run(Span::from_ms(2_000));
    assert_eq!((net.global(1), net.state(1, "b")), (0, State::Gone));
}

#[test]
fn a_restarted_peer_is_another_life_and_its_old_counts_go() {
    let mut net = Net::pair();
    net.count(2, "192.0.2.1", 2);
    net.kill(2);
    let again = Settings { incarnation: 2, ..settings("b", &[("a", 1)]) };
    net.nodes.insert(address(2), Node::new(again, net.now));
    net.run(Span::from_ms(1_100));
    assert_eq!((net.global(1), net.state(1, "b"), net.state(2, "a")), (0, State::Alive, State::Alive));
    net.count(2, "192.0.2.9", 7);
    assert_eq!(net.global(1), 7);
}

#[test]
fn no_sum_dips_while_a_daemon_restarts() {
    let mut net = Net::pair();
    net.count(2, "192.0.2.1", 2);
    net.kill(2);
    let again = Settings { incarnation: 2, ..settings("b", &[("a", 1)]) };
    net.nodes.insert(address(2), Node::new(again, net.now).awaiting_counts());
    net.run(Span::from_secs(5));
    assert_eq!((net.state(1, "b"), net.global(1)), (State::Alive, 2), "its kernel counts on");
    net.give(2, Input::AllCounts(Object::OutboundCidr, &[]));
    assert_eq!(net.global(1), 2);
    let counts = [(Host::new("192.0.2.7".parse().unwrap()), Count { current: 3, total: 9 })];
    net.give(2, Input::AllCounts(Object::InboundCidr, &counts));
    assert_eq!(net.global(1), 3, "and the new daemon's counts replace the old one's");
}

#[test]
fn a_node_with_a_taken_name_is_refused_and_both_are_told() {
    let peers = [("a", 1), ("b", 2)];
    let mut net = Net::new(vec![
        (1, settings("a", &[("b", 2)])),
        (2, settings("b", &[("a", 1)])),
        (3, settings("b", &peers[..1])),
    ]);
    net.run(Span::from_ms(100));
    assert!(net.trouble(3, "a").contains("two nodes with one name"), "{}", net.trouble(3, "a"));
    assert!(net.events.iter().any(|(at, event)| *at == address(1)
        && matches!(event, Event::Trouble { with, .. } if **with == *"10.0.0.3")));
    assert_eq!(net.state(1, "b"), State::Alive, "the rightful one is not hurt");
}

#[test]
fn strangers_of_another_group_or_name_are_refused_with_the_remedy() {
    let mut other = settings("b", &[("a", 1)]);
    other.group = "other".into();
    let net = Net::new(vec![(1, settings("a", &[("b", 2)])), (2, other)]);
    assert!(net.trouble(2, "a").contains("cluster_group is \"ec_cluster\" here"), "{}", net.trouble(2, "a"));
    let net = Net::new(vec![(1, settings("a", &[])), (2, settings("b", &[("a", 1)]))]);
    assert!(net.trouble(2, "a").contains("not in the peer list"), "{}", net.trouble(2, "a"));
    let net = Net::new(vec![(1, settings("a", &[("b", 2)])), (2, settings("a", &[("c", 1)]))]);
    assert!(net.trouble(2, "c").contains("which is this node"), "{}", net.trouble(2, "c"));
    let net = Net::new(vec![(1, settings("a", &[("x", 2)])), (2, settings("b", &[("a", 1)]))]);
    assert!(net.trouble(1, "x").contains("it answers as") || net.trouble(1, "x").contains("refuses"));
}

#[test]
fn garbage_ends_its_connection_names_the_peer_and_hurts_nobody_else() {
    let mut net = Net::pair();
    net.count(2, "192.0.2.1", 2);
    let link = *net
        .pipes
        .iter()
        .find_map(|((at, link), _)| {
            (*at == address(1) && matches!(link, LinkId::Accepted(_))).then_some(link)
        })
        .unwrap();
    net.give(1, Input::Garbage(link, FrameError::Magic { found: *b"GET " }));
    assert!(net.trouble(1, "b").contains("CVOY"), "{}", net.trouble(1, "b"));
    assert_eq!((net.global(1), net.state(1, "b")), (2, State::Suspect));
    net.run(Span::from_secs(2));
    assert_eq!((net.global(1), net.state(1, "b")), (2, State::Alive), "it may come back and behave");
}

#[test]
fn a_stranger_that_says_nothing_or_nonsense_is_dropped() {
    let mut net = Net::pair();
    let link = LinkId::Accepted(77);
    net.give(1, Input::Accepted(link, address(9)));
    net.run(Span::from_secs(5));
    assert_eq!(net.node(1).refused(), 1);
    let link = LinkId::Accepted(78);
    net.give(1, Input::Accepted(link, address(9)));
    let bytes = message::emit(1, &Message::Heartbeat);
    net.give(1, Input::Frame(link, frame::split(&bytes).unwrap().unwrap().0));
    assert_eq!(net.node(1).refused(), 2);
    net.give(1, Input::Accepted(LinkId::Accepted(79), address(9)));
    net.give(1, Input::Garbage(LinkId::Accepted(79), FrameError::Version { theirs: 9 }));
    assert!(
        net.events
            .iter()
            .any(|(_, event)| matches!(event, Event::Trouble { text, .. } if text.contains("version 9")))
    );
}

#[test]
fn strangers_are_bounded_and_the_oldest_goes() {
    let mut net = Net::pair();
    for n in 0..200 {
        net.give(1, Input::Accepted(LinkId::Accepted(1_000 + n), address(9)));
    }
    let strangers = net.node(1).links.values().filter(|role| matches!(role, Role::Stranger { .. })).count();
    assert_eq!(strangers, crate::bounds::STRANGERS_MAX);
}

#[test]
fn troubles_are_told_once_until_they_change() {
    let mut net = Net::new(vec![(1, settings("a", &[("b", 2)]))]);
    net.run(Span::from_secs(10));
    let troubles = net.events.iter().filter(|(_, event)| matches!(event, Event::Trouble { .. })).count();
    assert_eq!(troubles, 1);
    assert_eq!(net.trouble(1, "b"), "no connection to 10.0.0.2: connection refused".to_string());
}

#[test]
fn a_trouble_that_is_over_is_told_no_more() {
    let mut net = Net::pair();
    let ends = net.pipes.keys().copied().collect::<Vec<_>>();
    let is_accepted =
        |(at, link): &(IpAddr, LinkId)| *at == address(1) && matches!(link, LinkId::Accepted(_));
    let (_, link) = ends.into_iter().find(is_accepted).unwrap();
    net.give(1, Input::Garbage(link, FrameError::Magic { found: *b"GET " }));
    assert!(net.trouble(1, "b").contains("CVOY"));
    net.run(Span::from_secs(2));
    assert_eq!((net.trouble(1, "b"), net.trouble(2, "a")), (String::new(), String::new()));
}

/// Node 1 beats every 100 ms, node 2 as given; returns how often either changed its mind within ten seconds.
fn changes_of_mind(net: &mut Net) -> usize {
    net.run(Span::from_secs(1));
    net.events.clear();
    net.run(Span::from_secs(10));
    net.events.iter().filter(|(_, event)| matches!(event, Event::Member { .. })).count()
}

#[test]
fn each_peer_is_judged_by_its_own_heartbeat() {
    let slow = Settings { heartbeat: Span::from_ms(900), ..settings("b", &[("a", 1)]) };
    let mut net = Net::new(vec![(1, settings("a", &[("b", 2)])), (2, slow)]);
    assert_eq!(changes_of_mind(&mut net), 0);
}

#[test]
fn a_heartbeat_that_is_slower_after_a_reload_alarms_nobody() {
    let mut net = Net::pair();
    let slow = Settings { heartbeat: Span::from_ms(900), ..settings("b", &[("a", 1)]) };
    net.give(2, Input::Reload(slow));
    assert_eq!(changes_of_mind(&mut net), 0);
    assert_eq!(net.state(1, "b"), State::Alive);
}

#[test]
fn a_node_that_stalled_does_not_blame_its_peers() {
    let mut net = Net::pair();
    net.count(2, "192.0.2.1", 2);
    net.run(Span::from_secs(1));
    net.now = net.now + Span::from_secs(60);
    net.give(1, Input::Timeout);
    assert_eq!((net.global(1), net.state(1, "b")), (2, State::Alive), "it could not have heard them");
    net.nodes.remove(&address(2));
    net.run(Span::from_secs(2));
    assert_eq!((net.global(1), net.state(1, "b")), (0, State::Gone), "now it could");
}

#[test]
fn a_node_that_has_stopped_says_nothing_more() {
    let mut net = Net::pair();
    net.give(1, Input::Stop);
    let node = net.nodes.get_mut(&address(1)).unwrap();
    let change = (Host::new(address(9)), Some(Count { current: 1, total: 1 }));
    let changes = [change; 200];
    node.handle(net.now, Input::Counts(Object::InboundCidr, &changes));
    node.handle(net.now, Input::Stop);
    node.handle(net.now, Input::Timeout);
    assert_eq!(node.poll_output(), None);
}

#[test]
fn a_refusal_is_a_message_with_its_code() {
    let bytes = message::emit(1, &Message::Refused { code: Refusal::Stale, reason: "later" });
    let (frame, _) = frame::split(&bytes).unwrap().unwrap();
    assert_eq!(Message::parse(&frame), Ok(Message::Refused { code: Refusal::Stale, reason: "later" }));
}

//! Threads on addresses of the loopback network. Whole hosts are in tests/tests/cluster.
use super::*;
use convoy_core::group::detector::Stage;
use convoy_core::wire::{
    Beat,
    beat::{self, Roll},
};
use crossbeam_channel::{Receiver, unbounded};
use std::{
    net::{SocketAddr, UdpSocket},
    thread,
    time::Instant,
};

/// A thread, and what the others of its process would have of it.
struct Beating {
    handle: Handle,
    #[expect(dead_code, reason = "kept for the thread to tell its end to")]
    ended: Receiver<&'static str>,
}

impl Beating {
    fn start(plan: Plan) -> Self {
        let (ends, ended) = unbounded();
        Self { handle: spawn(plan, Wake::new().unwrap(), ends).unwrap(), ended }
    }

    fn next(&self) -> Event {
        self.handle.link().events().recv_timeout(BOUND).unwrap()
    }

    /// Waits for the next opinion.
    fn opinion(&self) -> (String, u64, bool) {
        match self.next() {
            Event::Opinion(opinion) => {
                (opinion.name.to_string(), opinion.incarnation, opinion.stage == Stage::Suspect)
            }
            other => panic!("{other:?}"),
        }
    }

    fn until(&self, what: &str, is: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let end = Instant::now() + BOUND;
        loop {
            let snapshot = self.handle.link().snapshot();
            if is(&snapshot) {
                return snapshot;
            }
            assert!(Instant::now() < end, "{what}: {snapshot:?}");
            thread::yield_now();
        }
    }
}

/// A loopback network of its own for each test, and a port that nobody has there.
struct Net {
    third: u8,
    port: u16,
}

impl Net {
    fn new(third: u8) -> Self {
        let probe = UdpSocket::bind((host(third, 1), 0)).unwrap();
        Self { third, port: probe.local_addr().unwrap().port() }
    }

    fn address(&self, n: u8) -> IpAddr {
        host(self.third, n)
    }

    /// The `n`-th of nodes `a`, `b`, ... that know each other.
    fn plan(&self, n: u8, peers: &[u8]) -> Plan {
        Plan {
            name: name(n),
            incarnation: 1,
            peers: peers.iter().map(|peer| (name(*peer), self.address(*peer))).collect(),
            address: Some(self.address(n)),
            port: self.port,
            interval: INTERVAL,
            start_delay: Span::ZERO,
            lease: None,
        }
    }
}

fn host(third: u8, n: u8) -> IpAddr {
    [127, 78, third, n].into()
}

fn name(n: u8) -> Arc<str> {
    char::from(b'a' + n - 1).to_string().into()
}

#[test]
fn who_stops_is_suspected_and_who_starts_again_is_another_life() {
    let net = Net::new(1);
    let (a, b) = (Beating::start(net.plan(1, &[2])), Beating::start(net.plan(2, &[1])));
    assert_eq!(a.opinion(), ("b".into(), 1, false));
    assert_eq!(b.opinion(), ("a".into(), 1, false));
    b.handle.stop();
    assert_eq!(a.opinion(), ("b".into(), 1, true));
    let _b = Beating::start(Plan { incarnation: 2, ..net.plan(2, &[1]) });
    assert_eq!(a.opinion(), ("b".into(), 2, false));
}

#[test]
fn heartbeats_go_on_while_nobody_takes_the_events_and_the_newest_opinion_is_told() {
    let net = Net::new(2);
    let a = Beating::start(net.plan(1, &[2]));
    // Nobody of this process takes anything; the peer comes and goes until the queue has been full.
    let mut incarnation = 0;
    let comes = |incarnation| Beating::start(Plan { incarnation, ..net.plan(2, &[1]) });
    while a.handle.link().snapshot().deferred == 0 {
        incarnation += 1;
        let b = comes(incarnation);
        a.until("it came", |snapshot| snapshot.peers[0].incarnation == Some(incarnation));
        b.handle.stop();
    }
    let last = comes(incarnation + 1);
    a.until("it came", |snapshot| snapshot.peers[0].incarnation == Some(incarnation + 1));
    let heard = last.until("heartbeats", |snapshot| snapshot.peers[0].counts.heard >= 10);
    assert!(!heard.peers[0].suspect);
    let mut newest = a.opinion();
    while newest.1 <= incarnation {
        newest = a.opinion();
    }
    assert_eq!(newest, ("b".into(), incarnation + 1, false));
}

#[test]
fn heartbeats_go_on_while_a_reader_holds_the_snapshot() {
    let net = Net::new(3);
    let (a, b) = (Beating::start(net.plan(1, &[2])), Beating::start(net.plan(2, &[1])));
    a.until("b", |snapshot| snapshot.peers[0].counts.heard > 0);
    let before = b.until("a", |snapshot| snapshot.peers[0].counts.heard > 0).peers[0].counts.heard;
    let held = a.handle.link().board();
    b.until("a goes on", |snapshot| snapshot.peers[0].counts.heard > before + 20);
    let old = held.peers[0].counts.heard;
    drop(held);
    a.until("the snapshot is brought up to date", |snapshot| snapshot.peers[0].counts.heard > old + 10);
}

#[test]
fn what_is_no_heartbeat_of_a_peer_is_counted_by_reason_and_told_once() {
    let net = Net::new(4);
    let a = Beating::start(net.plan(1, &[2]));
    let (b, c) = (net.address(2), net.address(3));
    let to = SocketAddr::new(net.address(1), net.port);
    let beat = |name| Beat {
        name,
        incarnation: 1,
        sequence: 1,
        interval_us: 5_000,
        unheard: false,
        view: View::default(),
        roll: Roll::default(),
    };
    let good = |name| beat(name).emit(&mut [0; beat::BYTES_MAX]).to_vec();
    let mut damaged = good("b");
    damaged[20] ^= 1;
    let long = [good("b"), vec![0; 2_000]].concat();
    let cases = [
        (b, b"hello".to_vec(), 0),
        (b, b"CVHB\x09".to_vec(), 1),
        (b, damaged, 2),
        (b, long, 2),
        (b, good("z"), 3),
        (c, good("b"), 4),
    ];
    a.until("it listens", |snapshot| snapshot.sent > 0);
    for (from, bytes, _) in cases.iter().chain(&cases) {
        UdpSocket::bind((*from, 0)).unwrap().send_to(bytes, to).unwrap();
    }
    let counted = a.until("all are counted", |snapshot| snapshot.refused.iter().sum::<u64>() == 12);
    assert_eq!((counted.refused, counted.peers[0].counts.heard), ([2, 2, 4, 2, 2], 0));
    let told: Vec<_> = a.handle.link().events().try_iter().collect();
    let reasons = told.iter().map(|event| match event {
        Event::Refused { why, from } => (why.index(), *from),
        other => panic!("{other:?}"),
    });
    assert_eq!(reasons.collect::<Vec<_>>(), [(0, b), (1, b), (2, b), (3, b), (4, c)]);
}

#[test]
fn a_reload_changes_peers_port_address_and_interval() {
    let (net, other) = (Net::new(5), Net::new(6));
    let a = Beating::start(net.plan(1, &[2]));
    let b = Beating::start(net.plan(2, &[1]));
    a.until("b", |snapshot| snapshot.peers[0].heard_at.is_some());
    let faster = Span::from_ms(5);
    assert!(b.handle.reload(Plan { interval: faster, ..net.plan(2, &[1]) }));
    a.until("b says so", |snapshot| snapshot.peers[0].interval == Some(faster));
    let c = Beating::start(other.plan(3, &[1]));
    assert!(a.handle.reload(other.plan(1, &[3])));
    c.until("a is there", |snapshot| snapshot.peers[0].heard_at.is_some());
    let moved = a.until("c", |snapshot| snapshot.peers[0].heard_at.is_some());
    assert_eq!(moved.peers.iter().map(|peer| &*peer.name).collect::<Vec<_>>(), ["c"]);
    assert!(a.handle.reload(other.plan(1, &[])));
    assert!(UdpSocket::bind((other.address(1), other.port)).is_ok(), "without peers it needs no socket");
}

#[test]
fn a_port_that_is_taken_is_told_and_had_when_it_is_free() {
    let net = Net::new(7);
    let taken = UdpSocket::bind((net.address(1), net.port)).unwrap();
    let a = Beating::start(net.plan(1, &[2]));
    let Event::Trouble(text) = a.next() else { panic!("the trouble comes first") };
    assert!(text.contains(&format!("UDP 127.78.7.1:{}: Address already in use", net.port)), "{text}");
    drop(taken);
    let _b = Beating::start(net.plan(2, &[1]));
    assert_eq!(a.opinion(), ("b".into(), 1, false));
    assert_eq!(a.handle.link().snapshot().trouble, None);
}

#[test]
fn what_a_node_says_of_the_view_reaches_the_others_whole() {
    let net = Net::new(8);
    let (a, b) = (Beating::start(net.plan(1, &[2])), Beating::start(net.plan(2, &[1])));
    for n in 1..200 {
        b.handle.say(View { epoch: n, digest: !n });
        let view = a.handle.link().snapshot().peers[0].view;
        assert!(view == View::default() || view.digest == !view.epoch, "{view:?}");
    }
    a.until("the last", |snapshot| snapshot.peers[0].view == View { epoch: 199, digest: !199 });
}

const INTERVAL: Span = Span::from_ms(10);
/// Longest wait for anything; a loaded machine is slow, and a correct one passes long before.
const BOUND: Duration = Duration::from_mins(1);

//! The two ends of a connection, without a network between them.
use crate::{Prng, cell, host};
use convoy_common::{
    addr::{Family, Host},
    count::Count,
};
use convoy_core::{
    bounds,
    node::{Batching, Input, LinkId, Node, Output, Settings, Standing},
    time::{Instant, Span},
    wire::{EntryBuf, Message, Object, frame, message},
};
use std::{collections::BTreeSet, net::IpAddr};

/// A node that two peers have greeted.
pub(crate) struct Receiver {
    pub(crate) node: Node,
    family: Family,
    keys: Vec<u32>,
    sequences: [u64; 2],
}

impl Receiver {
    /// Returns one on which each of the three nodes counts the same hosts.
    pub(crate) fn new(family: Family, hosts: usize) -> Self {
        let node = Node::new(settings("a", &["b", "c"]), NOW);
        let mut receiver = Self { node, family, keys: Prng(7).keys(hosts), sequences: [0; 2] };
        let own = counts(family, &receiver.keys);
        receiver.node.handle(NOW, Input::AllCounts(Object::InboundCidr, &own));
        let mut sorted = receiver.keys.clone();
        sorted.sort_unstable();
        for (n, name) in ["b", "c"].into_iter().enumerate() {
            receiver.node.handle(NOW, Input::Accepted(link(n), address(name)));
            let hello = message::Hello { incarnation: 1, interval_us: 100_000, name, group: "g", build: "" };
            let bytes = receiver.next(n, &Message::Hello(hello));
            receiver.read(n, &bytes);
            for keys in sorted.chunks(bounds::FRAME_ENTRIES_MAX) {
                let bytes = receiver.say(n, keys, |_| 1);
                receiver.read(n, &bytes);
            }
        }
        receiver
    }

    /// Returns a frame that changes random known hosts, and how many.
    pub(crate) fn delta(&mut self, n: usize, many: usize, prng: &mut Prng) -> (usize, Vec<u8>) {
        let keys = (0..many).map(|_| self.keys[prng.below(self.keys.len())]).collect::<BTreeSet<_>>();
        let keys = keys.into_iter().collect::<Vec<_>>();
        (keys.len(), self.say(n, &keys, |_| prng.next()))
    }

    /// Takes a frame as the driver does.
    pub(crate) fn read(&mut self, n: usize, bytes: &[u8]) {
        let (frame, _) = frame::split(bytes).expect("a correct frame").expect("a whole frame");
        self.node.handle(NOW, Input::Frame(link(n), frame));
        while self.node.poll_output().is_some() {}
    }

    pub(crate) fn checksum(&self) -> u64 {
        let sum = self.node.replica(Object::InboundCidr).global().sum();
        sum.total ^ sum.current
    }

    fn say(&mut self, n: usize, keys: &[u32], mut current: impl FnMut(u32) -> u32) -> Vec<u8> {
        let mut entries = EntryBuf::new(self.family);
        for key in keys {
            entries.push(host(self.family, *key), Some(cell(current(*key))));
        }
        self.next(n, &Message::Delta { object: Object::InboundCidr, entries: entries.as_entries() })
    }

    fn next(&mut self, n: usize, message: &Message<'_>) -> Vec<u8> {
        self.sequences[n] += 1;
        message::emit(self.sequences[n], message)
    }
}

/// A node about to say all it counts to one peer.
pub(crate) struct Sender {
    node: Node,
    link: LinkId,
}

impl Sender {
    pub(crate) fn new(family: Family, hosts: usize) -> Self {
        let mut node = Node::new(settings("b", &["a"]), NOW);
        let own = counts(family, &Prng(7).keys(hosts));
        node.handle(NOW, Input::AllCounts(Object::InboundCidr, &own));
        let dialed = std::iter::from_fn(|| node.poll_output()).find_map(|output| match output {
            Output::Dial(link, _) => Some(link),
            _ => None,
        });
        let link = dialed.expect("it dials its peer at once");
        node.handle(NOW, Input::Connected(link));
        while node.poll_output().is_some() {}
        Self { node, link }
    }

    /// Returns the whole transfer, all that follows the hello. The connection takes everything at once.
    pub(crate) fn transfer(&mut self) -> Vec<Vec<u8>> {
        let welcome = message::emit(1, &Message::Welcome { incarnation: 1, name: "a" });
        let (frame, _) = frame::split(&welcome).expect("a correct frame").expect("a whole frame");
        self.node.handle(NOW, Input::Frame(self.link, frame));
        let mut frames = Vec::new();
        while let Some(output) = self.node.poll_output() {
            if let Output::Send(link, bytes) = output {
                self.node.handle(NOW, Input::Wrote(link, bytes.len()));
                frames.push(bytes);
            }
        }
        frames
    }
}

fn settings(name: &str, peers: &[&str]) -> Settings {
    let batching = Batching { delay_max: Span::ZERO, pending_max: 100 };
    Settings {
        name: name.into(),
        incarnation: 1,
        group: "g".into(),
        build: "".into(),
        peers: peers.iter().map(|peer| ((*peer).into(), address(peer))).collect(),
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

fn address(name: &str) -> IpAddr {
    IpAddr::from([192, 0, 2, name.as_bytes()[0]])
}

fn link(n: usize) -> LinkId {
    LinkId::Accepted(n as u64)
}

fn counts(family: Family, keys: &[u32]) -> Vec<(Host, Count)> {
    keys.iter().map(|key| (host(family, *key), cell(1).count())).collect()
}

const NOW: Instant = Instant::from_ns(0);

//! Any bytes from a peer: split into frames, parsed as messages, applied to a node. Whatever they are, nothing
//! panics and `global` stays the sum of its parts.
#![no_main]
use convoy_core::{
    node::{Batching, Input, LinkId, Node, Settings, Standing},
    time::{Instant, Span},
    wire::{Message, Object, frame, message},
};
use libfuzzer_sys::fuzz_target;
use std::net::IpAddr;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

fuzz_target!(|input: &[u8]| {
    let now = Instant::from_ns(0);
    let mut node = Node::new(settings(), now);
    let link = LinkId::Accepted(1);
    node.handle(now, Input::Accepted(link, PEER));
    // The first byte decides whether the peer greets properly and whether checksums are made right.
    let Some((&mode, mut rest)) = input.split_first() else { return };
    if mode & 1 != 0 {
        let hello = message::Hello { incarnation: 1, interval_us: 1, name: "b", group: "g", build: "" };
        read(&mut node, link, &message::emit(1, &Message::Hello(hello)));
    }
    if mode & 2 == 0 {
        read(&mut node, link, rest);
    }
    // Otherwise: kind, length and payload, again and again, each in a correct frame.
    let mut sequence = 1;
    while let [kind, length, tail @ ..] = rest {
        let (payload, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        sequence += 1;
        read(&mut node, link, &frame::emit(*kind, sequence, payload));
        rest = tail;
    }
    while node.poll_output().is_some() {}
    for object in Object::ALL {
        let replica = node.replica(object);
        let view = replica.view("b").map(|view| view.sum()).unwrap_or_default();
        assert_eq!(replica.global().sum(), view, "this node counts nothing itself");
    }
});

fn read(node: &mut Node, link: LinkId, mut bytes: &[u8]) {
    loop {
        match frame::split(bytes) {
            Ok(Some((frame, used))) => {
                node.handle(Instant::from_ns(0), Input::Frame(link, frame));
                bytes = &bytes[used..];
            }
            Ok(None) => return,
            Err(error) => return node.handle(Instant::from_ns(0), Input::Garbage(link, error)),
        }
    }
}

fn settings() -> Settings {
    let batching = Batching { delay_max: Span::ZERO, pending_max: 1 };
    Settings {
        name: "a".into(),
        incarnation: 1,
        group: "g".into(),
        build: "".into(),
        peers: [("b".into(), PEER)].into(),
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

//! The examples of docs/protocol.md are frames and messages on the bus, and ours.
use super::{
    Agreed, Frame, Message, Object,
    agreed::{Command, Target},
    entries::EntryBuf,
    frame,
    message::{self, Hello},
};
use crate::counters::Cell;
use alloc::vec::Vec;
use convoy_common::addr::{Family, Host};
use core::net::Ipv4Addr;

const PAGE: &str = include_str!("../../../../docs/protocol.md");

/// Returns the bytes of the page's n-th example, from 0.
fn example(n: usize) -> Vec<u8> {
    let fenced = PAGE.split("```hex\n").nth(n + 1).and_then(|rest| rest.split("```").next());
    let words = fenced.expect("the page has this example").split_whitespace();
    words.map(|word| u8::from_str_radix(word, 16).unwrap()).collect()
}

fn check(n: usize, sequence: u64, message: &Message<'_>) {
    let bytes = example(n);
    let (read, used) = frame::split(&bytes).unwrap().unwrap();
    assert_eq!((read.sequence, used), (sequence, bytes.len()));
    let Frame { kind, payload, .. } = read;
    assert_eq!(Message::parse(&Frame { kind, sequence, payload }), Ok(*message));
    assert_eq!(message::emit(sequence, message), bytes);
}

#[test]
fn the_delta_of_the_page_is_ours() {
    let mut entries = EntryBuf::new(Family::V4);
    let host = Host::new(Ipv4Addr::new(192, 0, 2, 25).into());
    entries.push(host, Some(Cell { current: 3, total: 70 }));
    check(0, 7, &Message::Delta { object: Object::InboundCidr, entries: entries.as_entries() });
}

#[test]
fn the_hello_of_the_page_is_ours() {
    let hello = Hello {
        incarnation: 1_763_890_000_000_001,
        interval_us: 100_000,
        name: "mx1",
        group: "mail",
        build: "0.1.0",
    };
    check(1, 1, &Message::Hello(hello));
}

#[test]
fn the_command_of_the_page_is_ours() {
    let command = Command {
        id: 3,
        target: Target::Group("ec_console"),
        caller: "root@mx1",
        line: "cluster membership",
    };
    let bytes = example(2);
    assert_eq!(Agreed::parse(&bytes), Ok(Agreed::Command(command)));
    assert_eq!(Agreed::Command(command).emit(), bytes);
}

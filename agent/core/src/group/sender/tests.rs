//! A full transfer covers everything exactly once, within its window, and a slow peer is bounded.
use super::*;
use crate::wire::frame;
use convoy_common::count::Count;

fn host(n: u32) -> Host {
    Host::new(core::net::IpAddr::from((0x0a00_0000 + n).to_be_bytes()))
}

fn replica(hosts: u32) -> Replica {
    let mut replica = Replica::default();
    for n in 0..hosts {
        replica.set_own(host(n), Some(Count { current: 1, total: 1 }));
    }
    replica
}

const OBJECTS: [Object; 1] = [Object::InboundCidr];

/// Sends all that the window allows, then lets the connection drain, until nothing comes.
fn drain(sender: &mut Sender, replica: &Replica) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    loop {
        let mut batch = 0;
        while let Some(frame) = sender.advance(|_| replica) {
            batch += frame.len();
            assert!(batch < bounds::SEND_WINDOW + bounds::FRAME_PAYLOAD_MAX, "the window holds");
            frames.push(frame);
        }
        if batch == 0 {
            return frames;
        }
        sender.wrote(batch);
    }
}

#[test]
fn a_full_transfer_covers_every_address_once_and_every_host_once() {
    let (mut sender, replica) = (Sender::new(&OBJECTS), replica(9_000));
    let frames = drain(&mut sender, &replica);
    let (mut next, mut hosts, mut last_flags) = (Some(Prefix::all(Family::V4).first()), 0, (false, false));
    for (index, bytes) in frames.iter().enumerate() {
        let (frame, _) = frame::split(bytes).unwrap().unwrap();
        assert_eq!(frame.sequence, index as u64 + 1);
        let Ok(Message::Range { opens, completes, first, last, entries, .. }) = Message::parse(&frame) else {
            panic!("not a range")
        };
        assert_eq!(opens, index == 0, "only the first frame opens");
        if entries.family() == Family::V4 {
            assert_eq!(Some(first), next, "ranges touch");
            next = successor(last);
        }
        hosts += entries.len();
        last_flags = (completes, entries.family() == Family::V6);
    }
    assert_eq!((hosts, last_flags), (9_000, (true, true)));
    assert!(sender.is_complete());
}

#[test]
fn a_set_that_ends_on_a_frame_boundary_needs_no_empty_frame() {
    let full = u32::try_from(bounds::FRAME_ENTRIES_MAX).unwrap();
    let frames = drain(&mut Sender::new(&OBJECTS), &replica(full));
    assert_eq!(frames.len(), 2, "one frame of IPv4 and one of IPv6");
}

#[test]
fn a_delta_before_the_transfer_is_left_to_the_transfer() {
    let (mut sender, replica) = (Sender::new(&OBJECTS), replica(3));
    let mut entries = EntryBuf::new(Family::V4);
    entries.push(host(1), None);
    assert_eq!(sender.delta(&OBJECTS, Object::InboundCidr, &entries), None);
    assert!(sender.advance(|_| &replica).is_some() && !sender.is_complete());
    assert!(sender.delta(&OBJECTS, Object::InboundCidr, &entries).is_some(), "between ranges it goes");
    assert_eq!(sender.lagged(), 0);
}

#[test]
fn heartbeats_do_not_fill_a_connection_that_takes_nothing() {
    let mut sender = Sender::new(&OBJECTS);
    let waiting = core::iter::from_fn(|| sender.beat()).take(100_000).map(|frame| frame.len()).sum::<usize>();
    assert!(waiting <= bounds::SEND_WINDOW + 24, "{waiting} bytes");
    sender.wrote(waiting);
    assert!(sender.beat().is_some());
}

#[test]
fn a_slow_peer_loses_deltas_and_gets_the_full_state_again() {
    let (mut sender, replica) = (Sender::new(&OBJECTS), replica(3));
    drain(&mut sender, &replica);
    let mut entries = EntryBuf::new(Family::V4);
    for n in 0..1_000 {
        entries.push(host(n), Some(crate::counters::Cell { current: 1, total: 1 }));
    }
    let mut waiting = 0;
    while let Some(frame) = sender.delta(&OBJECTS, Object::InboundCidr, &entries) {
        waiting += frame.len();
        assert!(waiting < 2 * bounds::SEND_QUEUE_MAX, "bounded");
    }
    assert_eq!((sender.lagged(), sender.is_complete()), (1, false));
    assert_eq!(sender.delta(&OBJECTS, Object::InboundCidr, &entries), None);
    assert_eq!((sender.lagged(), sender.advance(|_| &replica)), (1, None), "nothing moves until it drains");
    sender.wrote(waiting);
    assert_eq!(drain(&mut sender, &replica).len(), 2);
}

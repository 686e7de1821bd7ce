//! Round trips, every truncation, every flipped bit, and each refusal by name.
use super::*;
use crate::{
    counters::Cell,
    wire::entries::{EntryBuf, v4_host},
};
use alloc::{string::String, vec, vec::Vec};
use convoy_common::addr::Family;
use proptest::prelude::*;

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9.-]{0,62}"
}

fn cells(family: Family, with_gone: bool) -> impl Strategy<Value = Vec<(Host, Option<Cell>)>> {
    let cell = (0_u32..=bounds::CURRENT_MAX, 1_u64..1000)
        .prop_map(|(current, more)| Cell { current, total: u64::from(current) + more });
    let gone = any::<u8>().prop_map(move |dice| with_gone && dice < 50);
    let cell = (cell, gone).prop_map(|(cell, gone)| (!gone).then_some(cell));
    prop::collection::btree_map(any::<u32>(), cell, 0..40).prop_map(move |cells| {
        let host = |key: u32| match family {
            Family::V4 => v4_host(key.to_be_bytes()),
            Family::V6 => Host { addr: (u128::from(key) << 96 | 7).to_be_bytes() },
        };
        cells.into_iter().map(|(key, cell)| (host(key), cell)).collect()
    })
}

fn buffer(family: Family, cells: &[(Host, Option<Cell>)]) -> EntryBuf {
    let mut entries = EntryBuf::new(family);
    for (host, cell) in cells {
        entries.push(*host, *cell);
    }
    entries
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::V4), Just(Family::V6)]
}

/// Emits, splits, parses, and compares; then cuts and flips everything.
fn check(message: &Message<'_>) {
    let bytes = emit(5, message);
    let (frame, used) = frame::split(&bytes).unwrap().unwrap();
    assert_eq!((frame.sequence, used), (5, bytes.len()));
    assert_eq!(Message::parse(&frame).as_ref(), Ok(message));
    for cut in 0..frame.payload.len() {
        // Entries run to the end of a payload, so a cut between two of them is a shorter message: the frame's
        // length and checksum guard that. Any other cut is an error, and none is a panic.
        let cut_frame = Frame { payload: &frame.payload[..cut], ..frame };
        if let Ok(parsed) = Message::parse(&cut_frame) {
            assert!(
                matches!(parsed, Message::Delta { .. } | Message::Range { .. }),
                "{parsed:?} cut at {cut}"
            );
        }
    }
    let mut payload = frame.payload.to_vec();
    for bit in 0..(payload.len() * 8).min(4_096) {
        payload[bit / 8] ^= 1 << (bit % 8);
        walk(Message::parse(&Frame { payload: &payload, ..frame }));
        payload[bit / 8] ^= 1 << (bit % 8);
    }
    payload.push(0);
    assert!(Message::parse(&Frame { payload: &payload, ..frame }).is_err(), "one byte too many");
}

/// Walks the entries, which are read lazily: an error must not wait there.
fn walk(message: Result<Message<'_>, MessageError>) {
    if let Ok(Message::Delta { entries, .. } | Message::Range { entries, .. }) = message {
        assert_eq!(entries.iter().count(), entries.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hellos_survive(incarnation in any::<u64>(), interval_us in any::<u32>(), name in name(), group in name()) {
        check(&Message::Hello(Hello { incarnation, interval_us, name: &name, group: &group, build: "0.1.0" }));
        check(&Message::Welcome { incarnation, name: &name });
    }

    #[test]
    fn deltas_survive((family, cells) in family().prop_flat_map(|f| (Just(f), cells(f, true)))) {
        let entries = buffer(family, &cells);
        prop_assert_eq!(entries.as_entries().iter().collect::<Vec<_>>(), cells);
        check(&Message::Delta { object: Object::InboundCidr, entries: entries.as_entries() });
    }

    #[test]
    fn ranges_survive((family, cells) in family().prop_flat_map(|f| (Just(f), cells(f, false))),
                      opens in any::<bool>(), completes in any::<bool>()) {
        let entries = buffer(family, &cells);
        let all = convoy_common::prefix::Prefix::all(family);
        check(&Message::Range {
            object: Object::OutboundCidr, opens, completes, first: all.first(), last: all.last(),
            entries: entries.as_entries(),
        });
    }

    #[test]
    fn any_payload_of_any_kind_is_a_message_or_an_error(kind in 0_u8..12, payload in prop::collection::vec(any::<u8>(), 0..200)) {
        walk(Message::parse(&Frame { kind, sequence: 1, payload: &payload }));
    }
}

#[test]
fn messages_without_fields_survive() {
    for message in [Message::Heartbeat, Message::Goodbye, Message::Resync] {
        check(&message);
    }
    for code in Refusal::ALL {
        check(&Message::Refused { code, reason: "because" });
    }
}

fn refuse(kind: u8, payload: &[u8], expected: MessageError) {
    assert_eq!(Message::parse(&Frame { kind, sequence: 1, payload }), Err(expected));
}

#[test]
fn what_no_node_sends_is_refused_by_name() {
    let entry = |last: u8, current: u32, total: u64| {
        let mut bytes = vec![10, 0, 0, last];
        bytes.extend(current.to_le_bytes());
        bytes.extend(total.to_le_bytes());
        bytes
    };
    let delta = |entries: &[Vec<u8>]| [&[1, 4], &entries.concat()[..]].concat();
    let range = |entries: &[Vec<u8>]| [&[1, 4, 0, 10, 0, 0, 2, 10, 0, 0, 9], &entries.concat()[..]].concat();
    refuse(9, &[], MessageError::Kind { kind: 9 });
    refuse(6, &[3, 4], MessageError::Object { code: 3 });
    refuse(6, &[1, 5], MessageError::Family { code: 5 });
    refuse(6, &[1], MessageError::Short { kind: 6, length: 0 });
    refuse(6, &delta(&[entry(2, 0, 1), entry(2, 0, 1)]), MessageError::Order { index: 1 });
    refuse(6, &delta(&[entry(2, 2, 1)]), MessageError::Counts { index: 0 });
    refuse(
        6,
        &delta(&[entry(2, bounds::CURRENT_MAX + 1, u64::MAX >> 20)]),
        MessageError::Counts { index: 0 },
    );
    refuse(6, &delta(&[entry(2, 1, 0)]), MessageError::Counts { index: 0 });
    refuse(7, &range(&[entry(1, 0, 1)]), MessageError::Order { index: 0 });
    refuse(7, &range(&[entry(10, 0, 1)]), MessageError::Order { index: 0 });
    refuse(7, &range(&[entry(5, 0, 0)]), MessageError::Counts { index: 0 });
    refuse(7, &[1, 4, 4, 10, 0, 0, 2, 10, 0, 0, 9], MessageError::Field { field: "flags" });
    refuse(7, &[1, 4, 0, 10, 0, 0, 9, 10, 0, 0, 2], MessageError::Field { field: "first" });
    refuse(2, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0], MessageError::Field { field: "name" });
    refuse(2, &[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, b'\n'], MessageError::Field { field: "name" });
}

#[test]
fn an_ipv4_host_among_ipv6_entries_is_refused() {
    let mut payload = vec![1, 6];
    payload.extend(v4_host([10, 0, 0, 1]).addr);
    payload.extend([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    refuse(6, &payload, MessageError::Order { index: 0 });
}

#[test]
fn texts_are_cut_at_a_character() {
    let reason = "x".repeat(bounds::REASON_BYTES_MAX - 1) + "\u{e9}\u{e9}";
    let bytes = emit(1, &Message::Refused { code: Refusal::Unknown, reason: &reason });
    let (frame, _) = frame::split(&bytes).unwrap().unwrap();
    let Ok(Message::Refused { reason, .. }) = Message::parse(&frame) else { panic!("not a refusal") };
    assert_eq!(reason.len(), bounds::REASON_BYTES_MAX - 1);
}

//! What an audit plans from tables and sockets, case by case.
use super::*;
use convoy_common::kernel::RETIRED;

fn host(last: u8) -> Host {
    Host::new([192, 0, 2, last].into())
}

fn entry(current: u32, total: u64) -> HostCount {
    HostCount { current, reported: 0, total }
}

fn connection(cookie: u64, local_port: u16, remote_port: u16) -> Connection {
    Connection { cookie, host: host(1), local_port, remote_port, cgroup: Some(7) }
}

fn mail() -> Ports {
    Ports::new(&[25, 587], &[25])
}

#[test]
fn direction_follows_the_side_that_has_the_port() {
    let ports = mail();
    assert_eq!(ports.direction(25, 40_000), Some(Direction::Inbound));
    assert_eq!(ports.direction(40_000, 25), Some(Direction::Outbound));
    assert_eq!(ports.direction(40_000, 587), None);
    assert_eq!(ports.direction(25, 25), Some(Direction::Inbound));
}

fn known() -> Known {
    Known { ports: mail(), ..Known::default() }
}

#[test]
fn what_is_on_a_port_of_ours_is_counted() {
    let known = Known { groups: Some(BTreeSet::from([7])), ..known() };
    let mut census = Census::new(&known);
    census.add(&connection(1, 25, 40_000));
    census.add(&Connection { cgroup: Some(8), ..connection(2, 25, 40_000) });
    census.add(&Connection { cgroup: None, ..connection(3, 25, 40_000) });
    census.add(&connection(4, 80, 40_000));
    census.add(&connection(5, 40_000, 25));
    assert_eq!(census.expected(Direction::Inbound), &BTreeMap::from([(host(1), 1)]));
    assert_eq!(census.expected(Direction::Outbound), &BTreeMap::from([(host(1), 1)]));
    assert_eq!(census.counted, [(1, Direction::Inbound), (5, Direction::Outbound)]);
    assert!(census.uncounted.is_empty());
}

#[test]
fn while_stock_is_taken_only_what_is_noted_is_counted() {
    let notes = BTreeMap::from([(2, Some(Direction::Inbound)), (3, None)]);
    let known = Known { taking: true, notes, groups: Some(BTreeSet::from([7])), ..known() };
    let mut census = Census::new(&known);
    for cookie in 1..=3 {
        census.add(&connection(cookie, 25, 40_000));
    }
    census.add(&Connection { cgroup: Some(8), ..connection(4, 25, 40_000) });
    census.add(&connection(5, 80, 40_000));
    let missed = (Direction::Inbound, host(1));
    assert_eq!(census.uncounted, Seeds::from([(1, missed), (3, missed)]));
    assert_eq!(census.expected(Direction::Inbound), &BTreeMap::from([(host(1), 1)]));
    assert!(census.unneeded_notes().is_empty(), "a note went while stock was taken");
}

#[test]
fn a_note_says_what_the_port_does_not() {
    let notes = BTreeMap::from([
        (1, Some(Direction::Outbound)), // counted when its port was
        (2, None),                      // refused
        (3, None),                      // refused, and its port is not counted any more
        (4, Some(Direction::Inbound)),  // as its port says
        (9, Some(Direction::Inbound)),  // gone
    ]);
    let known = Known { notes, ..known() };
    let mut census = Census::new(&known);
    for (cookie, local) in [(1, 80), (2, 25), (3, 80), (4, 25)] {
        census.add(&connection(cookie, local, 40_000));
    }
    assert_eq!(census.expected(Direction::Outbound), &BTreeMap::from([(host(1), 1)]));
    assert_eq!(census.expected(Direction::Inbound), &BTreeMap::from([(host(1), 1)]));
    assert_eq!(census.uncounted, Seeds::from([(2, (Direction::Inbound, host(1)))]));
    assert_eq!(census.unneeded_notes(), BTreeSet::from([3, 4, 9]));
}

#[test]
fn live_seeds_are_expected_and_dead_seeds_are_gone() {
    let seeds = Seeds::from([5, 6, 9].map(|cookie| (cookie, (Direction::Outbound, host(2)))));
    let known = Known { seeds, ..known() };
    let mut census = Census::new(&known);
    census.add(&connection(1, 25, 9));
    census.add(&connection(5, 40_000, 25));
    census.add(&connection(6, 40_000, 80));
    assert_eq!(census.expected(Direction::Inbound), &BTreeMap::from([(host(1), 1)]));
    assert_eq!(census.expected(Direction::Outbound), &BTreeMap::from([(host(2), 2)]));
    assert_eq!(census.gone(), [9]);
    assert!(census.uncounted.is_empty());
}

#[test]
fn a_connection_is_seeded_after_two_sightings() {
    let what = (Direction::Inbound, host(1));
    let (first, second) = (Seeds::from([(1, what), (2, what)]), Seeds::from([(2, what), (3, what)]));
    assert_eq!(to_seed(&first, &second), Seeds::from([(2, what)]));
}

#[test]
fn hosts_that_moved_are_not_judged() {
    let before = vec![(host(1), entry(3, 9)), (host(2), entry(3, 9)), (host(4), entry(1, 1))];
    let after = vec![(host(1), entry(3, 10)), (host(2), entry(3, 9)), (host(3), entry(1, 1))];
    let expected = BTreeMap::from([(host(1), 1), (host(2), 2), (host(3), 5), (host(4), 1), (host(5), 6)]);
    // 1 opened and closed, 3 came, 4 went; 2 has one too many; 5 is missing altogether.
    assert_eq!(differences(&before, &after, &expected), BTreeMap::from([(host(2), -1), (host(5), 6)]));
}

#[test]
fn damaged_entries_are_judged_and_retired_ones_are_not() {
    let below_zero = 5_u32.wrapping_neg();
    let table = vec![(host(1), entry(below_zero, 9)), (host(2), entry(RETIRED, 9)), (host(3), entry(4, 4))];
    let expected = BTreeMap::from([(host(1), 1), (host(3), 4)]);
    assert_eq!(differences(&table, &table, &expected), BTreeMap::from([(host(1), 6)]));
}

#[test]
fn only_what_two_audits_agree_on_is_repaired() {
    let last = BTreeMap::from([(host(1), 2), (host(2), -1), (host(3), 1)]);
    let now = BTreeMap::from([(host(1), 2), (host(2), 1), (host(4), 1)]);
    assert_eq!(confirmed(&last, &now), BTreeMap::from([(host(1), 2)]));
}

#[test]
fn the_longest_idle_host_goes_first() {
    let at = |reported, current| HostCount { current, reported, total: 4 };
    let epoch = 3_u32; // the counter wrapped meanwhile
    let entries = vec![
        (host(1), at(epoch.wrapping_sub(10), 0)),
        (host(2), at(epoch.wrapping_sub(20), 0)),
        (host(3), at(epoch.wrapping_sub(30), 1)),
        (host(4), at(epoch.wrapping_sub(4), 0)),
        (host(5), at(epoch.wrapping_sub(5), 0)),
    ];
    let last = epoch.wrapping_sub(5);
    assert_eq!(to_retire(&entries, epoch, last, 9), [(host(2), 4), (host(1), 4)]);
    assert_eq!(to_retire(&entries, epoch, last, 1), [(host(2), 4)]);
}

#[test]
fn room_is_made_above_three_quarters() {
    assert_eq!(to_free(75, 100), 0);
    assert_eq!(to_free(76, 100), 6);
    assert_eq!(to_free(100, 100), 30);
    assert_eq!(to_free(1, 1), 1);
}

//! The steps of an address from order to rest.
use super::*;
use std::time::Duration;

const VIP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const HERE: Spot = Spot { index: 7, prefix_len: 32 };

fn place() -> Place {
    Place { interface: "eth0".into(), prefix_len: 32 }
}

fn links(up: bool) -> Links {
    Links::from([("eth0".into(), LinkState { index: 7, mac: [2; 6], up })])
}

fn table(has_hooks: bool) -> Table {
    let mut table = Table::default();
    assert_eq!(table.adopt(&BTreeMap::from([(VIP, place())]), |_| has_hooks), [VIP]);
    table
}

/// Changes the entry and returns the lane in which it then waits, and whether it rests.
#[track_caller]
fn after(table: &mut Table, links: &Links, change: impl FnOnce(&mut Entry)) -> (Option<Lane>, bool) {
    change(table.get_mut(VIP).expect("it is managed"));
    let rests = table.settle(VIP, links);
    let lane = table.get(VIP).expect("it is managed").lane;
    for index in 0..LANES {
        let is_there = table.lanes[index].contains(&VIP);
        assert_eq!(is_there, lane.is_some_and(|lane| lane.index() == index), "in one lane, its own");
    }
    (lane, rests)
}

#[test]
fn an_address_is_added_then_opened_then_rests() {
    let (mut table, links) = (table(false), links(true));
    assert_eq!(after(&mut table, &links, |_| ()), (None, true));
    assert_eq!(after(&mut table, &links, |entry| entry.want = Want::Held), (Some(Lane::AddHeld), false));
    assert_eq!(after(&mut table, &links, |entry| entry.busy = true), (None, false));
    let plumbed = |entry: &mut Entry| {
        entry.busy = false;
        entry.found.push(HERE);
    };
    assert_eq!(after(&mut table, &links, plumbed), (Some(Lane::Open), false));
    assert_eq!(after(&mut table, &links, |entry| entry.open = true), (None, true));
    assert_eq!(table.get(VIP).map(|entry| entry.now(&links)), Some(Want::Held));
}

#[test]
fn a_gate_closes_before_its_address_goes_even_while_a_slice_is_under_way() {
    let (mut table, links) = (table(false), links(true));
    let held = |entry: &mut Entry| {
        entry.want = Want::Held;
        entry.found.push(HERE);
        entry.open = true;
    };
    assert_eq!(after(&mut table, &links, held), (None, true));
    let leave = |entry: &mut Entry| {
        entry.busy = true;
        entry.want = Want::Absent;
    };
    assert_eq!(after(&mut table, &links, leave), (Some(Lane::Close), false));
    assert_eq!(after(&mut table, &links, |entry| entry.open = false), (None, false));
    assert_eq!(after(&mut table, &links, |entry| entry.busy = false), (Some(Lane::Delete), false));
}

#[test]
fn hooks_run_after_plumbing_and_before_unplumbing() {
    let (mut table, links) = (table(true), links(true));
    let silent = |entry: &mut Entry| {
        entry.want = Want::Silent;
        entry.found.push(HERE);
    };
    assert_eq!(after(&mut table, &links, silent), (Some(Lane::Plumbed), true));
    let run = |entry: &mut Entry| (entry.serving, entry.hooking) = (true, true);
    assert_eq!(after(&mut table, &links, run), (None, true));
    assert_eq!(after(&mut table, &links, |entry| entry.want = Want::Absent), (None, false), "they still run");
    assert_eq!(after(&mut table, &links, |entry| entry.hooking = false), (Some(Lane::Leaving), false));
    assert_eq!(after(&mut table, &links, |entry| entry.serving = false), (Some(Lane::Delete), false));
    let back = |entry: &mut Entry| entry.want = Want::Silent;
    assert_eq!(after(&mut table, &links, back), (Some(Lane::Plumbed), true), "it stays, so they run again");
}

#[test]
fn an_address_elsewhere_is_deleted_there_and_added_here() {
    let (mut table, links) = (table(false), links(true));
    let elsewhere = Spot { index: 9, prefix_len: 24 };
    let stray = |entry: &mut Entry| {
        entry.want = Want::Silent;
        entry.found.push(elsewhere);
    };
    assert_eq!(after(&mut table, &links, stray), (Some(Lane::Delete), false));
    assert_eq!(table.get(VIP).map(|entry| entry.strays(&links)), Some(vec![elsewhere]));
    assert_eq!(after(&mut table, &links, |entry| entry.found.clear()), (Some(Lane::AddSilent), false));
}

#[test]
fn nothing_is_added_to_a_link_that_is_down_or_after_a_failure() {
    let mut table = table(false);
    assert_eq!(after(&mut table, &links(false), |entry| entry.want = Want::Held), (None, true));
    let fail = |entry: &mut Entry| {
        entry.failure = Some(("refused".into(), Instant::now() + Duration::from_secs(1)));
    };
    assert_eq!(after(&mut table, &links(true), fail), (None, true));
    assert_eq!(after(&mut table, &links(true), |entry| entry.failure = None), (Some(Lane::AddHeld), false));
}

#[test]
fn what_another_plan_does_not_name_leaves() {
    let (mut table, links) = (table(false), links(true));
    let silent = |entry: &mut Entry| {
        entry.want = Want::Silent;
        entry.found.push(HERE);
    };
    assert_eq!(after(&mut table, &links, silent), (None, true));
    assert!(table.adopt(&BTreeMap::new(), |_| false).is_empty());
    assert_eq!(after(&mut table, &links, |_| ()), (Some(Lane::Delete), false));
    assert_eq!(table.take(Lane::Delete, 8), [VIP]);
    table.drop(VIP);
    assert!(table.get(VIP).is_none());
}

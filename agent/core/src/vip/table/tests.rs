//! Elections, moves, deaths in the middle of moves, drains, preferences.
use super::*;
use alloc::vec;

fn member(host: u32) -> MemberId {
    MemberId { host, process: 1 }
}

fn address(number: u8) -> IpAddr {
    [192, 0, 2, number].into()
}

fn offered(number: u8) -> Offered {
    Offered {
        address: address(number),
        bindings: [alloc::format!("b{number}").into()].into(),
        services: [].into(),
        preference: None,
        follow: None,
    }
}

fn seat(host: u32, offer: Vec<Offered>) -> Seat {
    Seat {
        name: alloc::format!("n{host}").into(),
        since: 1,
        weight: 1,
        offer: offer.into(),
        unable: BTreeSet::new(),
        fenced: false,
        leaving: false,
        differs: false,
    }
}

/// Hosts 1 to `hosts` all offer addresses 1 to `addresses`, and there was an election.
fn table(hosts: u32, addresses: u8) -> Table {
    let offer = (1..=addresses).map(offered).collect::<Vec<_>>();
    let seats = (1..=hosts).map(|host| (member(host), seat(host, offer.clone()))).collect();
    let mut table = Table { seats, ..Table::default() };
    table.judge(Cause::Reconfigured, true);
    assert!(table.take_changes().is_empty(), "nobody has anything before the view is mature");
    table.elect();
    for (address, topic) in &mut table.topics {
        assert_eq!(topic.ghost.take(), Some(Ghost::Anyone), "{address}: whoever may have it is asked first");
    }
    table.take_changes();
    table
}

fn owners(table: &Table) -> Vec<Option<u32>> {
    table.topics.values().map(|topic| topic.owner.map(|owner| owner.host)).collect()
}

fn counts(table: &Table, host: u32) -> usize {
    owners(table).into_iter().filter(|owner| *owner == Some(host)).count()
}

fn finish(table: &mut Table) {
    let moving =
        table.topics.iter().filter_map(|(address, topic)| Some((*address, topic.owner?, topic.handover?.to)));
    for (address, from, to) in moving.collect::<Vec<_>>() {
        table.ready(to, &[address]);
        table.released(from, &[address]);
    }
}

#[test]
fn an_election_spreads_evenly_and_equal_inputs_give_equal_tables() {
    let table_now = table(3, 7);
    assert_eq!([1, 2, 3].map(|host| counts(&table_now, host)), [3, 2, 2]);
    assert_eq!(table_now.digest(), table(3, 7).digest());
}

#[test]
fn what_a_member_that_left_had_is_shared_and_haunted_and_the_rest_stays() {
    let mut table = table(3, 9);
    let before = owners(&table);
    table.set_members(&[(member(1), false), (member(3), false)].into());
    let after = owners(&table);
    for (before, after) in before.iter().zip(&after) {
        assert!(*before == Some(2) || before == after);
    }
    assert_eq!((counts(&table, 1), counts(&table, 3)), (5, 4));
    let haunted = table.topics.values().filter(|topic| topic.ghost == Some(Ghost::Of(member(2)))).count();
    assert_eq!(haunted, 3);
    let changes = table.take_changes();
    assert!(changes.len() == 3 && changes.iter().all(|change| change.cause == Cause::Departed));
}

#[test]
fn a_move_is_ready_released_done() {
    let mut table = table(2, 2);
    let (from, to) = (table.topics[&address(1)].owner.unwrap(), member(2));
    assert_eq!(from, member(1));
    table.ask_for(&[address(1)], to);
    table.released(from, &[address(1)]);
    assert_eq!(table.topics[&address(1)].owner, Some(from), "nothing is released before the other is ready");
    table.ready(from, &[address(1)]);
    assert_eq!(table.topics[&address(1)].handover.map(|handover| handover.phase), Some(Phase::Preparing));
    table.ready(to, &[address(1)]);
    assert_eq!(table.topics[&address(1)].owner, Some(from));
    table.released(from, &[address(1)]);
    assert_eq!((table.topics[&address(1)].owner, table.topics[&address(1)].ghost), (Some(to), None));
}

#[test]
fn who_dies_during_a_move_leaves_it_to_the_other() {
    let mut table = table(3, 1);
    let owner = table.topics[&address(1)].owner.unwrap();
    table.ask_for(&[address(1)], member(3));
    let mut receiver_dies = table.clone();
    table.take_over(owner);
    assert_eq!(table.topics[&address(1)].owner, Some(member(3)));
    assert_eq!(table.topics[&address(1)].ghost, Some(Ghost::Of(owner)));
    receiver_dies.take_over(member(3));
    assert_eq!(
        (receiver_dies.topics[&address(1)].owner, receiver_dies.topics[&address(1)].handover),
        (Some(owner), None)
    );
}

#[test]
fn an_owner_that_has_not_opened_yet_leaves_its_ghost_behind() {
    let mut table = table(3, 1);
    let first = table.topics[&address(1)].owner.unwrap();
    table.take_over(first);
    let second = table.topics[&address(1)].owner.unwrap();
    table.set_able(second, &[address(1)], false);
    let topic = &table.topics[&address(1)];
    assert!(topic.owner.is_some_and(|owner| owner != first && owner != second));
    assert_eq!(topic.ghost, Some(Ghost::Of(first)));
    let third = topic.owner.unwrap();
    table.take_over(third);
    assert_eq!(table.topics[&address(1)].ghost, Some(Ghost::Anyone), "either may answer");
}

#[test]
fn a_drained_node_is_emptied_and_gets_nothing_until_it_is_undrained() {
    let mut table = table(3, 6);
    table.drain("N2", true);
    finish(&mut table);
    assert_eq!([1, 2, 3].map(|host| counts(&table, host)), [3, 0, 3]);
    table.elect();
    table.balance(100);
    assert!(table.topics.values().all(|topic| topic.handover.is_none()));
    table.drain("n2", false);
    table.balance(100);
    finish(&mut table);
    assert_eq!([1, 2, 3].map(|host| counts(&table, host)), [2, 2, 2]);
}

#[test]
fn a_drain_keeps_what_nobody_else_can_have() {
    let mut table = table(1, 2);
    table.drain("n1", true);
    assert_eq!(counts(&table, 1), 2);
}

#[test]
fn preferences_go_home_at_elections_and_followers_go_along() {
    let mut with = offered(1);
    with.preference = Some("n2".into());
    let mut follower = offered(9);
    (follower.bindings, follower.follow) = ([].into(), Some(address(1)));
    let offer = vec![with, follower];
    let mut table = table(2, 0);
    table.set_offer(member(1), offer.clone().into(), 1);
    table.elect();
    assert_eq!(owners(&table), [Some(1), Some(1)]);
    table.set_offer(member(2), offer.into(), 1);
    assert_eq!(owners(&table), [Some(1), Some(1)], "who joins waits for an election");
    table.elect();
    finish(&mut table);
    finish(&mut table);
    assert_eq!(owners(&table), [Some(2), Some(2)]);
}

#[test]
fn a_node_with_other_parameters_keeps_what_it_has_and_gets_nothing() {
    let mut table = table(2, 4);
    table.set_members(&[(member(1), true), (member(2), false)].into());
    assert_eq!(counts(&table, 1), 2);
    table.take_over(member(2));
    assert_eq!(counts(&table, 1), 2, "what nobody may have is nobody's");
    assert_eq!(owners(&table).iter().filter(|owner| owner.is_none()).count(), 2);
}

#[test]
fn an_address_whose_bindings_contradict_each_other_is_given_up() {
    let mut table = table(2, 2);
    let mut other = offered(1);
    other.bindings = ["x".into()].into();
    table.set_offer(member(2), vec![other, offered(2)].into(), 1);
    assert_eq!(table.topics[&address(1)].safety, Safety::Broken);
    assert_eq!(table.topics[&address(1)].owner, None);
    assert!(table.topics[&address(2)].owner.is_some());
}

#[test]
fn heirs_are_who_would_get_it_and_nothing_changes() {
    let table = table(3, 6);
    let digest = table.digest();
    let heirs = table.heirs(member(1));
    assert_eq!(heirs.len(), 2);
    assert!(heirs.iter().all(|change| change.from == Some(member(1)) && change.to != Some(member(1))));
    assert_eq!(table.digest(), digest);
    let mut after = table.clone();
    after.take_over(member(1));
    for change in heirs {
        assert_eq!(after.topics[&change.address].owner, change.to, "{}", change.address);
    }
}

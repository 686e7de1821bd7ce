//! Named troubles, one at a time.
use crate::{
    clock::{Clock, MS, SECOND},
    faults::settings,
    net::{Report, Way},
    workload::Workload,
    world::World,
};
use convoy_common::{addr::Host, count::Count};
use convoy_core::{bounds, group::State, node::Settings, time::Span, wire::Object};

/// Hosts out of the box that have found each other.
fn world(nodes: usize) -> World {
    world_with(nodes, |settings| settings)
}

fn world_with(nodes: usize, change: impl Fn(Settings) -> Settings) -> World {
    let settings = (0..nodes).map(|n| change(settings(n, nodes))).collect::<Vec<_>>();
    let mut world = World::new(1, settings, &vec![Clock::exact(); nodes], Workload::none());
    world.start_all();
    world.settle();
    world
}

fn global(world: &World, n: usize) -> u64 {
    world.sites[n].node.as_ref().expect("it runs").replica(Object::InboundCidr).global().sum().current
}

fn many_host(k: u64) -> Host {
    Host::new(std::net::IpAddr::from((0x2001_0db8_u128 << 96 | u128::from(k)).to_be_bytes()))
}

/// Sets `many` hosts' counts on one host at once; IPv6 because it is the larger.
fn count_many(world: &mut World, n: usize, many: u64, current: u64) {
    let count = Count { current, total: current.max(1) };
    let truth = world.sites[n].truth.get_mut(&Object::InboundCidr).expect("every object");
    truth.extend((0..many).map(|k| (many_host(k), count)));
    let changes = (0..many).map(|k| (many_host(k), Some(count))).collect();
    world.give(n, crate::site::Fact::Counts(Object::InboundCidr, changes));
}

#[test]
fn a_one_way_cut_parts_both_sides_and_hurts_no_third() {
    let mut world = world(3);
    for n in 0..3 {
        world.count(n, "192.0.2.1", 1 << n);
    }
    world.settle();
    world.cut(0, 1);
    world.run(5 * SECOND);
    assert_eq!((world.state(0, 1), world.state(1, 0)), (State::Gone, State::Gone));
    assert_eq!((world.state(2, 0), world.state(2, 1)), (State::Alive, State::Alive));
    assert_eq!((global(&world, 0), global(&world, 1), global(&world, 2)), (0b101, 0b110, 0b111));
    world.heal();
    world.settle();
}

#[test]
fn a_pair_of_which_one_cannot_dial_stays_calm_and_says_what_is_wrong() {
    let mut world = world(2);
    world.kill(1, false);
    world.net.way(1, 0).firewall = true;
    world.start(1);
    world.count(0, "192.0.2.1", 1);
    world.count(1, "192.0.2.1", 2);
    world.run(3 * SECOND);
    let before = world.member(1, 0).since;
    world.run(10 * SECOND);
    assert_eq!((world.state(1, 0), world.state(0, 1)), (State::Alive, State::Gone));
    assert_eq!((global(&world, 1), global(&world, 0)), (3, 1));
    assert_eq!(world.member(1, 0).since, before, "nothing flaps");
    let trouble = world.member(1, 0).trouble.expect("it cannot connect");
    assert!(trouble.contains("no connection to 10.0.0.1"), "{trouble}");
    world.heal();
    world.settle();
}

#[test]
fn connections_of_which_only_one_end_is_left_are_replaced() {
    for half in [0, 1] {
        let mut world = world(3);
        for _ in 0..20 {
            let ends = world.net.pick(&mut world.prng.clone()).expect("all are connected");
            world.prng.next();
            if let Some(end) = ends[half]
                && world.net.vanish(end).is_some()
            {
                world.agenda.report(end, Report::Closed("connection timed out"));
            }
            world.run(30 * MS);
        }
        world.count(1, "192.0.2.1", 1);
        world.settle();
    }
}

#[test]
fn a_host_that_loses_power_is_gone_everywhere_and_returns() {
    let mut world = world(3);
    world.count(1, "192.0.2.1", 4);
    world.settle();
    world.kill(1, true);
    world.run(1_900 * MS);
    assert_eq!(
        (world.state(0, 1), global(&world, 0)),
        (State::Suspect, 4),
        "its counts stand while in doubt"
    );
    world.run(200 * MS);
    assert_eq!((world.state(0, 1), global(&world, 0)), (State::Gone, 0));
    world.start(1);
    world.settle();
    assert_eq!(global(&world, 0), 4);
}

#[test]
fn the_counts_of_an_earlier_life_stand_until_those_of_the_next_have_come() {
    let mut world = world(2);
    world.count(1, "192.0.2.1", 4);
    world.settle();
    world.kill(1, false);
    world.sites[1].truth.values_mut().for_each(std::collections::BTreeMap::clear);
    world.start(1);
    while !(world.member(0, 1).incarnation != Some(1) && world.member(0, 1).complete) {
        assert_eq!(global(&world, 0), 4, "no sum dips while a daemon restarts");
        world.run(MS / 10);
    }
    assert_eq!(global(&world, 0), 0);
    world.settle();
}

#[test]
fn a_node_that_stalled_blames_nobody_and_rejoins() {
    for stall in [700, 1_900, 2_500, 30_000] {
        let mut world = world(3);
        world.count(1, "192.0.2.1", 4);
        world.settle();
        world.stall(0, stall * MS);
        world.run(stall * MS - 1);
        let expected = if stall > 2_000 { State::Gone } else { State::Suspect };
        assert_eq!(world.state(1, 0), expected, "the others noticed after {stall} ms");
        for _ in 0..100 {
            world.run(MS);
            assert_ne!(world.state(0, 1), State::Gone, "it heard nobody, and nobody was gone");
            assert_eq!(global(&world, 0), 4, "what it knew stays");
        }
        world.settle();
    }
}

#[test]
fn two_thousand_hosts_change_while_a_node_joins() {
    let mut world = world(3);
    world.kill(2, false);
    count_many(&mut world, 0, 2_000, 1);
    world.start(2);
    for round in 0..50 {
        count_many(&mut world, 0, 2_000, round % 3);
        count_many(&mut world, 1, 1_000, round % 5);
        world.run(MS);
    }
    world.settle();
}

#[test]
fn a_long_transfer_over_a_slow_way_is_a_sign_of_life() {
    // The shortest end there is, 0.5 s; a full frame of IPv6 hosts takes 2.3 s.
    let mut world = world_with(2, |settings| Settings { heartbeat: Span::from_ms(5), ..settings });
    world.kill(1, false);
    count_many(&mut world, 0, 20_000, 1);
    *world.net.way(0, 1) = Way { bytes_per_second: 50_000, ..Way::calm() };
    world.start(1);
    world.run(2 * SECOND);
    for _ in 0..10_000 {
        world.run(MS);
        assert_eq!(world.state(1, 0), State::Alive);
    }
    world.run(10 * SECOND);
    assert_eq!(global(&world, 1), 20_000, "and it comes to its end");
}

#[test]
fn a_clogged_peer_lags_in_bounded_memory_and_recovers() {
    let mut world = world(3);
    *world.net.way(0, 1) = Way { bytes_per_second: 1_000_000, ..Way::calm() };
    for round in 0..300 {
        count_many(&mut world, 0, 2_000, round % 7);
        world.run(10 * MS);
    }
    assert!(world.queued_most >= bounds::SEND_QUEUE_MAX, "the queue was full: {}", world.queued_most);
    let lagged = world.member(0, 1).lagged;
    assert!((1..10).contains(&lagged), "lagged {lagged} times");
    assert_eq!(world.member(0, 2).lagged, 0, "the other peer is not hurt");
    assert_eq!(global(&world, 2), global(&world, 0));
    world.settle();
}

#[test]
fn a_clogged_peer_recovers_although_the_changes_go_on() {
    let mut world = world(2);
    *world.net.way(0, 1) = Way { bytes_per_second: 1_000_000, ..Way::calm() };
    for round in 0..200 {
        count_many(&mut world, 0, 2_000, round % 7);
        world.run(10 * MS);
    }
    // From here on the changes fit the way. What was dropped has to come through beside them.
    count_many(&mut world, 0, 4_000, 9);
    for round in 0..800 {
        count_many(&mut world, 0, 200, round % 7);
        world.run(10 * MS);
    }
    let node = world.sites[1].node.as_ref().expect("it runs");
    let cell = node.replica(Object::InboundCidr).global().get(many_host(3_999)).map(|cell| cell.current);
    assert_eq!(cell, Some(9), "what was dropped has come");
}

//! Heartbeat datagrams beside the mesh.
use super::*;
use crate::group::detector::{Opinion, Stage};

fn beating(name: &str, peers: &[(&str, u8)]) -> Settings {
    Settings { heartbeat_port: Some(4_802), ..settings(name, peers) }
}

fn pair() -> Net {
    let mut net = Net::new(vec![(1, beating("a", &[("b", 2)])), (2, settings("b", &[("a", 1)]))]);
    net.count(2, "192.0.2.1", 2);
    net
}

fn opinion(name: &str, incarnation: u64, stage: Stage) -> Opinion {
    Opinion { name: name.into(), incarnation, stage, silent: Span::from_ms(35), vouched: false, epoch: 0 }
}

fn opine(net: &mut Net, incarnation: u64, suspect: bool) {
    let stage = if suspect { Stage::Suspect } else { Stage::Heard };
    net.give(1, Input::Opinion(&opinion("b", incarnation, stage)));
}

#[test]
fn a_peer_that_falls_silent_is_suspect_until_it_is_heard_and_its_counts_stand() {
    let mut net = pair();
    opine(&mut net, 1, false);
    opine(&mut net, 1, true);
    net.run(Span::from_secs(1));
    assert_eq!((net.state(1, "b"), net.global(1)), (State::Suspect, 2));
    opine(&mut net, 1, false);
    assert_eq!(net.state(1, "b"), State::Alive);
}

#[test]
fn the_silence_of_another_life_is_nobodys() {
    let mut net = pair();
    opine(&mut net, 0, true);
    assert_eq!(net.state(1, "b"), State::Alive);
    net.give(1, Input::Opinion(&opinion("c", 1, Stage::Suspect)));
    assert_eq!(net.state(1, "b"), State::Alive);
}

#[test]
fn a_new_life_is_not_suspected_for_the_silence_of_the_old_one() {
    let mut net = pair();
    opine(&mut net, 1, true);
    net.kill(2);
    let reborn = Settings { incarnation: 2, ..settings("b", &[("a", 1)]) };
    net.nodes.insert(address(2), Node::new(reborn, net.now));
    net.run(Span::from_secs(1));
    assert_eq!(net.state(1, "b"), State::Alive);
    opine(&mut net, 1, true);
    assert_eq!(net.state(1, "b"), State::Alive);
}

#[test]
fn a_life_that_fell_silent_before_the_mesh_met_it_is_suspect_from_its_hello_on() {
    let mut net = Net::new(vec![(1, beating("a", &[("b", 2)]))]);
    opine(&mut net, 1, true);
    assert_eq!(net.state(1, "b"), State::Gone);
    net.nodes.insert(address(2), Node::new(settings("b", &[("a", 1)]), net.now));
    net.run(Span::from_secs(2));
    assert_eq!(net.state(1, "b"), State::Suspect);
}

#[test]
fn heartbeats_that_never_come_end_nobody_and_the_operator_is_told_once() {
    let mut net = pair();
    net.run(Span::from_secs(4));
    assert_eq!(net.trouble(1, "b"), "");
    net.run(Span::from_secs(20));
    assert_eq!((net.state(1, "b"), net.global(1)), (State::Alive, 2));
    let text = "no heartbeats from b, though its connection lives; open UDP port 4802 between all nodes";
    assert_eq!(net.trouble(1, "b"), text);
    let told = |(_, event): &&(IpAddr, Event)| matches!(event, Event::Trouble { text: it, .. } if it == text);
    assert_eq!(net.events.iter().filter(told).count(), 1);
    opine(&mut net, 1, false);
    assert_eq!(net.trouble(1, "b"), "");
}

#[test]
fn heartbeats_that_stop_for_long_while_the_mesh_hears_the_peer_are_told() {
    let mut net = pair();
    opine(&mut net, 1, false);
    net.run(Span::from_secs(20));
    assert_eq!(net.trouble(1, "b"), "");
    opine(&mut net, 1, true);
    net.run(Span::from_secs(6));
    assert!(net.trouble(1, "b").ends_with("open UDP port 4802 between all nodes"), "{}", net.trouble(1, "b"));
    assert_eq!(net.state(1, "b"), State::Suspect);
    opine(&mut net, 1, false);
    net.give(1, Input::Opinion(&Opinion { vouched: true, ..opinion("b", 1, Stage::Suspect) }));
    net.run(Span::from_secs(6));
    let text = "no heartbeats from b, though its connection lives and another node hears them; open UDP port 4802 from \
                it to this node";
    assert_eq!(net.trouble(1, "b"), text);
}

#[test]
fn who_hears_no_heartbeats_by_design_misses_none() {
    let mut net = Net::pair();
    net.run(Span::from_secs(20));
    assert_eq!((net.trouble(1, "b"), net.state(1, "b")), (String::new(), State::Alive));
}

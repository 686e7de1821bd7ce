//! Settings that change while nodes talk.
use super::*;

#[test]
fn a_reload_adds_and_removes_peers_and_keeps_the_rest() {
    let mut net = Net::new(vec![
        (1, settings("a", &[("b", 2)])),
        (2, settings("b", &[("a", 1)])),
        (3, settings("c", &[("a", 1)])),
    ]);
    net.count(2, "192.0.2.1", 2);
    net.count(3, "192.0.2.1", 4);
    net.give(1, Input::Reload(settings("a", &[("b", 2), ("c", 3)])));
    net.run(Span::from_secs(2));
    assert_eq!(net.global(1), 6);
    net.give(1, Input::Reload(settings("a", &[("c", 3)])));
    assert_eq!(net.global(1), 4);
    assert_eq!(net.state(1, "c"), State::Alive);
    assert_eq!(net.state(2, "a"), State::Gone, "it was told goodbye");
}

#[test]
fn a_peer_whose_address_changes_is_reached_at_the_new_one() {
    let mut net = Net::new(vec![
        (1, settings("a", &[("b", 2)])),
        (2, settings("b", &[("a", 1)])),
        (3, settings("b", &[("a", 1)])),
    ]);
    net.count(2, "192.0.2.1", 2);
    net.count(3, "192.0.2.1", 4);
    assert_eq!(net.global(1), 2);
    net.give(1, Input::Reload(settings("a", &[("b", 3)])));
    net.run(Span::from_secs(2));
    assert_eq!((net.global(1), net.state(1, "b")), (4, State::Alive));
}

#[test]
fn an_attempt_ends_when_the_settings_say() {
    let short = Settings { connect: Span::from_ms(200), ..settings("a", &[("b", 2)]) };
    let mut node = Node::new(short, Instant::from_ns(0));
    let at = |ms| Instant::from_ns(0) + Span::from_ms(ms);
    node.handle(at(0), Input::Timeout);
    let dials = |node: &mut Node| {
        core::iter::from_fn(|| node.poll_output()).filter(|o| matches!(o, Output::Dial(..))).count()
    };
    assert_eq!(dials(&mut node), 1);
    (50..=200).step_by(50).for_each(|ms| node.handle(at(ms), Input::Timeout));
    let trouble = node.members(None, at(200)).into_iter().find_map(|member| member.trouble);
    assert_eq!(trouble.as_deref(), Some("no connection to 10.0.0.2: no answer within 200 ms"));
    node.handle(at(250), Input::Reload(Settings { reconnect: Span::ZERO, ..settings("a", &[("b", 2)]) }));
    assert_eq!(dials(&mut node), 1, "the pause is over with the reload");
}

#[test]
fn an_object_that_is_no_longer_replicated_is_taken_back() {
    let mut net = Net::pair();
    net.count(1, "192.0.2.1", 3);
    let mut quiet = settings("a", &[("b", 2)]);
    quiet.replicate.remove(&Object::InboundCidr);
    net.give(1, Input::Reload(quiet));
    assert_eq!((net.global(1), net.global(2)), (3, 0), "counted here, told nobody");
    net.give(1, Input::Reload(settings("a", &[("b", 2)])));
    assert_eq!(net.global(2), 3);
}

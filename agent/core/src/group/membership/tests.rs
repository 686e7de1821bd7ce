//! The membership, fed by hand: two members and the order of what they say.
use super::*;
use crate::group::view::{Parameter, Role};

const A: MemberId = MemberId { host: 1, process: 10 };
const B: MemberId = MemberId { host: 2, process: 20 };

fn card(name: &str) -> Card {
    Card {
        role: Role::Node,
        incarnation: 1,
        name: name.into(),
        subcluster: "".into(),
        version: "0.1.0".into(),
        address: None,
        groups: ["ec_cluster".into()].into(),
        parameters: [Parameter::new("view_mature_time", "5")].into(),
    }
}

fn regular(members: &[MemberId]) -> Event {
    Event::Configuration(Configuration { kind: Kind::Regular, members: members.iter().copied().collect() })
}

/// Two machines and the messages between them, in agreed order.
struct Pair {
    a: Membership,
    b: Membership,
    order: VecDeque<Event>,
}

impl Pair {
    fn new() -> Self {
        Self { a: Membership::new(card("a")), b: Membership::new(card("b")), order: VecDeque::new() }
    }

    fn collect(&mut self) {
        for (id, machine) in [(A, &mut self.a), (B, &mut self.b)] {
            while let Some(output) = machine.poll_output() {
                if let Output::Multicast(payload) = output {
                    self.order.push_back(Event::Message { sender: id, payload });
                }
            }
        }
    }

    fn both(&mut self, event: &Event) {
        assert_eq!(self.a.handle(Some(A), event), None);
        assert_eq!(self.b.handle(Some(B), event), None);
        self.collect();
    }

    fn settle(&mut self) {
        while let Some(event) = self.order.pop_front() {
            self.both(&event);
        }
    }

    fn epochs(&self) -> (u64, u64) {
        let epoch = |machine: &Membership| machine.view().map_or(0, |view| view.epoch);
        (epoch(&self.a), epoch(&self.b))
    }
}

#[test]
fn members_take_the_same_view_when_all_have_introduced_themselves() {
    let mut pair = Pair::new();
    pair.both(&regular(&[A, B]));
    assert_eq!((pair.order.len(), pair.epochs()), (2, (0, 0)));
    pair.settle();
    assert_eq!(pair.epochs(), (1, 1));
    let (a, b) = (pair.a.view().unwrap(), pair.b.view().unwrap());
    assert_eq!((a.digest(), &a.members), (b.digest(), &b.members));
    assert_eq!(a.leader().map(|leader| &*leader.card.name), Some("a"));
    assert_eq!(a.own().map(|own| &*own.card.name), Some("a"));
}

#[test]
fn who_was_there_longer_leads_whatever_its_name() {
    let mut pair = Pair::new();
    pair.b.handle(Some(B), &regular(&[B]));
    pair.collect();
    let introduction = pair.order.pop_front().unwrap();
    pair.b.handle(Some(B), &introduction);
    assert_eq!(pair.epochs(), (0, 1));
    pair.both(&regular(&[A, B]));
    pair.settle();
    assert_eq!(pair.epochs(), (2, 2));
    let view = pair.a.view().unwrap();
    assert_eq!(view.leader().map(|leader| &*leader.card.name), Some("b"));
}

#[test]
fn an_introduction_that_was_under_way_counts_and_no_second_one_is_sent() {
    let mut pair = Pair::new();
    pair.both(&regular(&[A, B]));
    pair.both(&regular(&[A, B]));
    assert_eq!(pair.order.len(), 2);
    pair.settle();
    assert_eq!(pair.epochs(), (1, 1));
}

#[test]
fn a_member_that_was_elsewhere_without_the_others_knowing_is_met_anew() {
    let mut pair = Pair::new();
    pair.both(&regular(&[A, B]));
    pair.settle();
    // Only one is told that it was alone, where its view had a later epoch, and that it is back.
    for event in [regular(&[B]), regular(&[A, B])] {
        assert_eq!(pair.b.handle(Some(B), &event), None);
        while let Some(output) = pair.b.poll_output() {
            if let Output::Multicast(payload) = output {
                let event = Event::Message { sender: B, payload };
                if pair.b.present.len() == 1 {
                    assert_eq!(pair.b.handle(Some(B), &event), None);
                } else {
                    pair.order.push_back(event);
                }
            }
        }
    }
    assert_eq!(pair.epochs(), (1, 2));
    assert!(!pair.b.is_settled());
    pair.settle();
    assert_eq!(pair.epochs(), (3, 3));
    let (a, b) = (pair.a.view().unwrap(), pair.b.view().unwrap());
    assert_eq!((a.digest(), &a.members), (b.digest(), &b.members));
    assert!(pair.order.is_empty(), "and that is all");
}

#[test]
fn a_change_is_a_view_of_its_own_for_everybody() {
    let mut pair = Pair::new();
    pair.both(&regular(&[A, B]));
    pair.settle();
    pair.b.change(Card { parameters: [Parameter::new("view_mature_time", "9")].into(), ..card("b") });
    pair.b.change(pair.b.own().clone());
    pair.collect();
    pair.settle();
    assert_eq!(pair.epochs(), (2, 2));
    let differences = pair.a.view().unwrap().differences();
    let shown = differences.iter().map(|d| (&*d.name, &*d.parameter, &*d.theirs, &*d.others));
    assert_eq!(shown.collect::<Vec<_>>(), [("b", "view_mature_time", "9", "5")]);
}

#[test]
fn a_change_during_the_introductions_is_in_the_view() {
    let mut pair = Pair::new();
    pair.both(&regular(&[A, B]));
    pair.a.change(Card { version: "0.2.0".into(), ..card("a") });
    pair.collect();
    pair.settle();
    let view = pair.b.view().unwrap();
    assert_eq!(&*view.members[&A].card.version, "0.2.0");
}

#[test]
fn a_lost_bus_ends_the_view_and_the_next_one_is_later() {
    let mut pair = Pair::new();
    pair.both(&regular(&[A, B]));
    pair.settle();
    pair.a.handle(None, &Event::Lost("corosync ended".into()));
    assert_eq!(pair.a.poll_output(), Some(Output::Lost("corosync ended".into())));
    assert_eq!((pair.a.view(), pair.a.is_present(A)), (None, false));
    pair.both(&regular(&[A, B]));
    pair.settle();
    assert_eq!(pair.epochs(), (2, 2));
}

#[test]
fn what_is_no_message_is_told_with_its_sender() {
    let mut pair = Pair::new();
    pair.both(&regular(&[A, B]));
    let garbage = Event::Message { sender: B, payload: Vec::from(*b"nonsense") };
    pair.a.handle(Some(A), &garbage);
    assert!(matches!(pair.a.poll_output(), Some(Output::Garbage(B, MessageError::Field { field: "magic" }))));
}

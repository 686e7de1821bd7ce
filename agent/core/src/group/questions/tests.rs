//! Commands and answers between three members, fed by hand.
use super::*;
use crate::group::view::{Card, Role};
use alloc::{string::ToString, vec};

const A: MemberId = MemberId { host: 1, process: 10 };
const B: MemberId = MemberId { host: 2, process: 20 };
const M: MemberId = MemberId { host: 3, process: 30 };

fn at(ms: u64) -> Instant {
    Instant::from_ns(0) + Span::from_ms(ms)
}

/// A view of two nodes and a manager, as `own` holds it.
fn view(own: MemberId) -> View {
    let member = |id: MemberId, name: &str, groups: &[&str]| {
        let card = Card {
            role: if groups.len() > 1 { Role::Node } else { Role::Manager },
            incarnation: 1,
            name: name.into(),
            subcluster: "".into(),
            version: "".into(),
            address: None,
            groups: groups.iter().map(|group| Arc::from(*group)).collect(),
            parameters: [].into(),
        };
        (id, Member { id, since: 1, card })
    };
    let nodes = ["ec_cluster", "ec_console"];
    let members = [member(A, "a", &nodes), member(B, "b", &nodes), member(M, "m", &nodes[..1])];
    View { epoch: 1, own, members: members.into() }
}

fn ask(token: Token, to: To) -> Ask {
    let within = Span::from_ms(100);
    Ask { token, to, caller: "root@a".into(), line: "version".into(), within }
}

fn nodes() -> To {
    To::Group("ec_console".into())
}

/// Hands a message on the bus to a process, and returns what that wants.
fn deliver(to: &mut Questions, own: MemberId, sender: MemberId, bytes: &[u8]) -> Vec<Output> {
    match Agreed::parse(bytes).unwrap() {
        Agreed::Command(command) => to.on_command(sender, &command, &view(own)),
        Agreed::Answer { to: asker, id, code, text } if asker == own => {
            to.on_answer(at(5), sender, id, code, text);
        }
        other => panic!("{other:?}"),
    }
    drain(to)
}

fn drain(from: &mut Questions) -> Vec<Output> {
    core::iter::from_fn(|| from.poll_output()).collect()
}

fn message(outputs: &[Output]) -> Vec<u8> {
    let [Output::Multicast(bytes)] = outputs else { panic!("{outputs:?}") };
    bytes.clone()
}

fn answered(node: &str, code: u8, text: &str) -> Answered {
    Answered { node: node.into(), outcome: Outcome::Answer { code, text: text.to_string(), at: at(5) } }
}

/// Returns the asker after its command has its place in the order, and the command.
fn asked(to: To) -> (Questions, Vec<u8>) {
    let mut asker = Questions::default();
    asker.ask(at(0), &ask(7, to), Some(&view(A)));
    let command = message(&drain(&mut asker));
    (asker, command)
}

#[test]
fn a_command_is_carried_out_by_the_members_of_its_group_and_all_answers_come_together() {
    let (mut a, command) = asked(nodes());
    let (mut b, mut m) = (Questions::default(), Questions::default());
    let own = deliver(&mut a, A, A, &command);
    let [Output::CarryOut(errand)] = &own[..] else { panic!("{own:?}") };
    assert_eq!((errand.asker, &*errand.line, &*errand.caller), (A, "version", "root@a"));
    assert_eq!(deliver(&mut m, M, A, &command), []);
    assert_eq!(deliver(&mut b, B, A, &command).len(), 1);
    b.carried_out(A, 1, 0, "0.1.0\n");
    a.carried_out(A, 1, 2, "no\n");
    let (from_b, from_a) = (message(&drain(&mut b)), message(&drain(&mut a)));
    assert_eq!(deliver(&mut a, A, B, &from_b), []);
    let all = vec![answered("a", 2, "no\n"), answered("b", 0, "0.1.0\n")];
    assert_eq!(deliver(&mut a, A, A, &from_a), [Output::Answers(7, all)]);
    assert_eq!(a.deadline(), None);
}

#[test]
fn who_is_late_and_who_left_are_named() {
    let (mut a, command) = asked(nodes());
    deliver(&mut a, A, A, &command);
    a.on_present(|id| id != B);
    assert_eq!((drain(&mut a), a.deadline()), (vec![], Some(at(100))));
    a.on_time(at(100));
    let none = |node: &str, outcome| Answered { node: node.into(), outcome };
    let all = vec![none("a", Outcome::Late), none("b", Outcome::Left)];
    assert_eq!(drain(&mut a), [Output::Answers(7, all)]);
}

#[test]
fn a_command_for_nobody_is_refused_with_the_names_there_are() {
    let mut a = Questions::default();
    a.ask(at(0), &ask(7, To::Node("c".into())), Some(&view(A)));
    let refused = drain(&mut a);
    let [Output::Refused(7, why)] = &refused[..] else { panic!("{refused:?}") };
    assert_eq!(why, "there is no member \"c\" in the cluster now; there are a, b, m");
    a.ask(at(0), &ask(8, nodes()), None);
    assert!(matches!(&drain(&mut a)[..], [Output::Refused(8, why)] if why.contains("on no bus")));
}

#[test]
fn a_command_that_the_bus_never_took_is_refused_in_time_and_when_the_bus_is_lost() {
    let (mut a, _) = asked(To::Node("b".into()));
    a.on_time(at(100));
    assert!(matches!(&drain(&mut a)[..], [Output::Refused(7, why)] if why.contains("in time")));
    let (mut a, _) = asked(To::Node("b".into()));
    a.on_lost("corosync ended");
    assert!(matches!(&drain(&mut a)[..], [Output::Refused(7, why)] if why.ends_with("corosync ended")));
}

#[test]
fn a_lost_bus_ends_the_waiting_with_what_has_come() {
    let (mut a, command) = asked(nodes());
    deliver(&mut a, A, A, &command);
    a.carried_out(A, 1, 0, "yes\n");
    let own = message(&drain(&mut a));
    deliver(&mut a, A, A, &own);
    a.on_lost("corosync ended");
    let all = vec![answered("a", 0, "yes\n"), Answered { node: "b".into(), outcome: Outcome::Left }];
    assert_eq!(drain(&mut a), [Output::Answers(7, all)]);
}

#[test]
fn too_many_commands_are_refused_here_and_answered_with_busy_there() {
    let mut a = Questions::default();
    for token in 0..=bounds::ASKED_MAX as u64 {
        a.ask(at(0), &ask(token, nodes()), Some(&view(A)));
    }
    let outputs = drain(&mut a);
    assert!(matches!(outputs.last(), Some(Output::Refused(64, why)) if why.contains("64 commands")));
    let mut b = Questions::default();
    for id in 0..=bounds::EXECUTING_MAX as u64 {
        let command = Command { id, target: Target::Node("b"), caller: "", line: "version" };
        b.on_command(A, &command, &view(B));
    }
    let last = drain(&mut b).pop().map(|output| message(&[output])).unwrap();
    assert!(matches!(Agreed::parse(&last), Ok(Agreed::Answer { id: 64, code: BUSY, .. })));
}

#[test]
fn a_long_answer_is_cut_and_says_so() {
    let (mut a, command) = asked(To::Node("a".into()));
    deliver(&mut a, A, A, &command);
    a.carried_out(A, 1, 0, &"line\n".repeat(bounds::ANSWER_BYTES_MAX / 4));
    let own = message(&drain(&mut a));
    let answers = deliver(&mut a, A, A, &own);
    let [Output::Answers(7, all)] = &answers[..] else { panic!("{answers:?}") };
    let Outcome::Answer { text, .. } = &all[0].outcome else { panic!("{all:?}") };
    assert!(text.len() <= bounds::ANSWER_BYTES_MAX);
    assert!(text.ends_with("bytes more; ask on the node itself\n"), "{}", &text[text.len() - 80..]);
}

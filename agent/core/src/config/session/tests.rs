//! Generations and transactions.
use super::{address::Step, *};
use crate::config::{draft::Literal, memory::Memory};
use alloc::{format, vec};

fn sessions(text: &str) -> Sessions {
    let (snapshot, config, diagnostics) = Snapshot::take(&mut Memory::new(&[("m", text)]), "m");
    assert!(!diagnostics.has_errors());
    Sessions::new(snapshot, config)
}

fn user(name: &str) -> Session {
    Session { user: 0, name: name.into() }
}

fn at(seconds: u64) -> Instant {
    Instant::from_ns(seconds * 1_000_000_000)
}

fn set(option: &str, word: &str) -> Change {
    let scope = vec![Step { name: "s".into(), instance: None }];
    Change::Set { scope, option: option.into(), value: Literal::Scalar(word.into()) }
}

/// Makes a change for everybody.
fn apply(sessions: &mut Sessions, who: &str, change: Change) -> u64 {
    match sessions.change(&user(who), change, at(0)).unwrap() {
        Outcome::Next(candidate) => sessions.adopt(&candidate),
        Outcome::Kept { .. } => panic!("{who} has a transaction"),
    }
}

fn main_text(generation: &Generation) -> &str {
    &generation.snapshot.texts().next().unwrap().1.text
}

#[test]
fn a_candidate_changes_nothing_until_it_is_adopted() {
    let mut sessions = sessions("s { a = 1 }\n");
    let Outcome::Next(candidate) = sessions.change(&user("x"), set("a", "2"), at(0)).unwrap() else {
        panic!()
    };
    assert_eq!((sessions.current().number, main_text(sessions.current())), (1, "s { a = 1 }\n"));
    assert_eq!(sessions.adopt(&candidate), 2);
    assert_eq!(main_text(sessions.current()), "s { a = 2 }\n");
    let unsaved = sessions.unsaved();
    assert_eq!((unsaved.len(), &*unsaved[0].text), (1, "s { a = 2 }\n"));
    sessions.saved(&unsaved[0]);
    assert!(sessions.unsaved().is_empty());
}

#[test]
fn a_transaction_is_seen_by_its_session_only() {
    let mut sessions = sessions("s { a = 1 }\n");
    sessions.begin(user("x"), false, at(0)).unwrap();
    assert!(matches!(
        sessions.change(&user("x"), set("a", "2"), at(0)),
        Ok(Outcome::Kept { changes: 1, .. })
    ));
    assert_eq!(main_text(&sessions.view(&user("x"), at(0)).unwrap().0), "s { a = 2 }\n");
    assert_eq!(main_text(&sessions.view(&user("y"), at(0)).unwrap().0), "s { a = 1 }\n");
    let other_user = Session { user: 1, ..user("x") };
    assert_eq!(sessions.view(&other_user, at(0)).unwrap().1, None);
    assert!(matches!(sessions.begin(user("x"), false, at(0)), Err(Denied::Open { changes: 1 })));
    assert!(matches!(sessions.outside(&user("x"), at(0)), Err(Denied::Inside)));
    assert_eq!(sessions.rollback(&user("x"), at(0)).unwrap(), 1);
    assert!(matches!(sessions.commit(&user("x"), at(0)), Err(Denied::NotOpen)));
}

#[test]
fn the_first_commit_wins_and_the_other_is_replayed() {
    let mut sessions = sessions("s { a = 1 }\n");
    for (who, option) in [("x", "a"), ("y", "b")] {
        sessions.begin(user(who), false, at(0)).unwrap();
        sessions.change(&user(who), set(option, who), at(0)).unwrap();
    }
    let first = sessions.commit(&user("x"), at(0)).unwrap();
    assert_eq!(sessions.adopt(&first), 2);
    assert!(matches!(sessions.commit(&user("y"), at(0)), Err(Denied::Conflict { base: 1, current: 2 })));
    assert_eq!(sessions.replay(&user("y"), at(0)).unwrap(), (2, 1));
    let second = sessions.commit(&user("y"), at(0)).unwrap();
    assert_eq!(sessions.adopt(&second), 3);
    assert_eq!(main_text(sessions.current()), "s { a = x b = y }\n");
    assert!(sessions.open.is_empty());
}

#[test]
fn a_single_change_is_a_commit_too() {
    let mut sessions = sessions("s { a = 1 }\n");
    sessions.begin(user("x"), false, at(0)).unwrap();
    apply(&mut sessions, "y", set("a", "2"));
    assert!(matches!(sessions.commit(&user("x"), at(0)), Err(Denied::Conflict { .. })));
}

#[test]
fn a_replay_that_does_not_fit_leaves_the_transaction_as_it_was() {
    let mut sessions = sessions("s { a = 1 }\n");
    sessions.begin(user("x"), false, at(0)).unwrap();
    let unset = Change::Unset { scope: vec![Step { name: "s".into(), instance: None }], option: "a".into() };
    sessions.change(&user("x"), unset.clone(), at(0)).unwrap();
    apply(&mut sessions, "y", unset);
    let error = sessions.replay(&user("x"), at(0)).unwrap_err();
    assert!(matches!(error, Denied::Replay { number: 1, changes: 1, .. }), "{error}");
    assert_eq!(sessions.rollback(&user("x"), at(0)).unwrap(), 1);
}

#[test]
fn from_scratch_is_an_empty_configuration() {
    let mut sessions = sessions("s { a = 1 }\nt = 1\n");
    sessions.begin(user("x"), true, at(0)).unwrap();
    sessions.change(&user("x"), set("b", "2"), at(0)).unwrap();
    let candidate = sessions.commit(&user("x"), at(0)).unwrap();
    sessions.adopt(&candidate);
    assert_eq!(main_text(sessions.current()), "s {\n  b = 2\n}\n");
}

#[test]
fn an_idle_transaction_is_dropped_and_its_session_is_told_before_anything_else() {
    let mut sessions = sessions("s { a = 1 }\n");
    sessions.begin(user("x"), false, at(0)).unwrap();
    sessions.change(&user("x"), set("a", "2"), at(0)).unwrap();
    let late = at(bounds::TRANSACTION_IDLE_MAX.as_ms() / 1_000 + 1);
    let error = sessions.change(&user("x"), set("a", "3"), late).unwrap_err();
    assert!(matches!(error, Denied::Idle { changes: 1 }), "{error}");
    assert_eq!(main_text(sessions.current()), "s { a = 1 }\n");
    assert!(matches!(sessions.change(&user("x"), set("a", "3"), late), Ok(Outcome::Next(_))));
}

#[test]
fn transactions_and_their_changes_are_bounded() {
    let mut sessions = sessions("s { a = 1 }\n");
    for n in 0..bounds::TRANSACTIONS_MAX {
        sessions.begin(user(&format!("{n}")), false, at(0)).unwrap();
    }
    assert!(matches!(sessions.begin(user("x"), false, at(1)), Err(Denied::TooMany)));
    let late = at(bounds::TRANSACTION_IDLE_MAX.as_ms() / 1_000 + 1);
    sessions.begin(user("x"), false, late).unwrap();
    assert_eq!(sessions.open.len(), bounds::TRANSACTIONS_MAX);
    for n in 0..bounds::TRANSACTION_CHANGES_MAX {
        sessions.change(&user("x"), set("a", &format!("{n}")), late).unwrap();
    }
    assert!(matches!(sessions.change(&user("x"), set("a", "x"), late), Err(Denied::Full)));
}

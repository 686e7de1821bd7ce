//! A trace for each rule, broken in one place, and sound ones beside.
//!
//! A trace is a line a life: its name and what it did and saw. `a` is the first life of a process, `A` its second, under
//! the same name on the bus. `[ab]` is a regular configuration, `(ab)` a transitional one; `+0` its message 0 is taken,
//! `b1` message 1 of `b` is delivered; the rest is spelled out.
use super::*;
use crate::conformance::Life;
use convoy_core::{
    bounds,
    group::bus::{Kind, Unsent},
};

fn member(name: char) -> MemberId {
    MemberId { host: u32::from(name.to_ascii_lowercase()), process: 7 }
}

fn tag(name: char, number: u32) -> Tag {
    let seat = u16::try_from(u32::from(name.to_ascii_lowercase())).unwrap();
    Tag { seat, life: u16::from(name.is_ascii_uppercase()), number }
}

fn record(name: char, word: &str) -> Record {
    let configuration = |kind, names: &str| {
        let members = names.chars().filter(char::is_ascii_alphabetic).map(member).collect();
        Record::Configuration { kind, members, number: None }
    };
    let (first, rest) = word.split_at(1);
    match (word, first) {
        ("full", _) => Record::Refused { why: Unsent::Full, len: 20 },
        ("long", _) => Record::Refused { why: Unsent::TooLong, len: bounds::BUS_MESSAGE_MAX + 1 },
        ("not-long", _) => Record::Refused { why: Unsent::TooLong, len: bounds::BUS_MESSAGE_MAX },
        ("taken-long", _) => Record::Taken { tag: tag(name, 99), len: bounds::BUS_MESSAGE_MAX + 1 },
        ("absent", _) => Record::Refused { why: Unsent::Absent, len: 20 },
        ("room", _) => Record::Room,
        ("lost", _) => Record::Lost,
        ("left", _) => Record::Left,
        ("crashed", _) => Record::Crashed,
        ("garbled", _) => Record::Delivered { sender: member(name), tag: None, len: 20 },
        ("short", _) => Record::Delivered { sender: member(name), tag: Some(tag(name, 0)), len: 19 },
        ("as-b", _) => Record::Delivered { sender: member('b'), tag: Some(tag(name, 0)), len: 20 },
        (_, "[") => configuration(Kind::Regular, rest),
        (_, "(") => configuration(Kind::Transitional, rest),
        (_, "+") => Record::Taken { tag: tag(name, rest.parse().unwrap()), len: 20 },
        (_, _) => {
            let sender = first.chars().next().unwrap();
            Record::Delivered {
                sender: member(sender),
                tag: Some(tag(sender, rest.parse().unwrap())),
                len: 20,
            }
        }
    }
}

fn trace(settled: bool, lines: &[&str]) -> Trace {
    let lives = lines.iter().map(|line| {
        let mut words = line.split(' ');
        let name = words.next().unwrap().chars().next().unwrap();
        Life {
            seat: usize::from(tag(name, 0).seat),
            number: usize::from(tag(name, 0).life),
            own: Some(member(name)),
            records: words.map(|word| record(name, word)).collect(),
        }
    });
    Trace { lives: lives.collect(), settled }
}

/// A rule, and a trace in which it is broken.
type Broken = (Rule, &'static [&'static str]);

/// Broken traces; those of the second list are broken only because nothing more comes.
fn broken_ones() -> (Vec<Broken>, Vec<Broken>) {
    let now: Vec<Broken> = vec![
        (Rule::SelfInclusion, &["a [b]"]),
        (Rule::SelfInclusion, &["a [ab] (b)"]),
        (Rule::Start, &["a (a)"]),
        (Rule::Start, &["a +0 a0"]),
        (Rule::Order, &["a [abcd] c0 d0", "b [abcd] d0 c0", "c [abcd] +0", "d [abcd] +0"]),
        // Each two of these agree; all three make a circle.
        (Rule::Order, &["a [abc] +0 a0 b0", "b [abc] +0 b0 c0", "c [abc] +0 c0 a0"]),
        // What answers comes after what it answers.
        (Rule::Order, &["a [abc] c0 b0", "b [abc] +0", "c [abc] b0 +0"]),
        (Rule::Duplicate, &["a [a] +0 a0 a0"]),
        (Rule::Fifo, &["a [ab] b1 b0", "b [ab] +0 +1"]),
        (Rule::Gap, &["a [ab] b0 b2", "b [ab] +0 +1 +2"]),
        (Rule::Gap, &["a [ab] b0 [abc] b2", "b [ab] +0 +1 +2"]),
        (Rule::OneConfiguration, &["a [abc] c0", "b [bc] c0", "c [abc] +0"]),
        (Rule::OneConfiguration, &["a [ab] b0 (a) [a] [ab] b1", "b [ab] +0 +1 b0 b1"]),
        (Rule::Sender, &["a [ab] c0", "c [c] +0"]),
        (Rule::Sender, &["a [ab] (a) b0", "b [ab] +0"]),
        (Rule::Sender, &["a [ab] +0 as-b"]),
        (Rule::Transitional, &["a [ab] [a]"]),
        (Rule::Transitional, &["a [ab] [ab]"]),
        (Rule::Transitional, &["a [ab] (ab) [ab]"]),
        (Rule::Transitional, &["a [ab] (ac) [a]"]),
        (Rule::Transitional, &["a [abc] (ab) (a)"]),
        (Rule::Transitional, &["a [abc] (ab) [ac]"]),
        (Rule::Together, &["a [abc] c0 (ab) [ab] +0 a0", "b [abc] c0 (b) [ab] a0", "c [abc] +0"]),
        (Rule::Together, &["a [ab] +0 a0 [abc] +1 a1", "b [abc] a1"]),
        // Another life is taken for the one before.
        (Rule::Together, &["a [ab] b0 [abc] +0 a0", "b [ab] +0 b0 crashed", "B [abc] a0"]),
        (
            Rule::VirtualSynchrony,
            &["a [abc] c0 c1 (ab) [ab] +0 a0", "b [abc] c0 (ab) [ab] a0", "c [abc] +0 +1"],
        ),
        // Found two configurations back.
        (
            Rule::VirtualSynchrony,
            &["a [abc] c0 c1 (ab) [ab] [abd] +0 a0", "b [abc] c0 (ab) [ab] [abd] a0", "c [abc] +0 +1"],
        ),
        // What goes before the transitional configuration for one goes before it for all that go on.
        (Rule::VirtualSynchrony, &["a [abc] b0 (ab) [ab] +0 a0", "b [abc] +0 (ab) b0 [ab] a0"]),
        (Rule::AfterEnd, &["a [a] left [a]"]),
        (Rule::AfterEnd, &["a [a] lost +0"]),
        (Rule::Flow, &["a [a] room"]),
        (Rule::Flow, &["a [a] full room room"]),
        (Rule::Size, &["a [a] garbled"]),
        (Rule::Size, &["a [a] not-long"]),
        (Rule::Size, &["a [a] taken-long"]),
        (Rule::Size, &["a [a] +0 short"]),
        (Rule::Invented, &["a [ab] b0", "b [ab]"]),
        (Rule::Invented, &["a [a] a0 +0"]),
    ];
    let at_last: Vec<Broken> = vec![
        (Rule::SelfDelivery, &["a [a] +0"]),
        (Rule::Flow, &["a [a] full"]),
        (Rule::Flow, &["a [a] absent"]),
        (Rule::Agreement, &["a [ab]", "b [b]"]),
        (Rule::Agreement, &["a [ab]", "b [ab] crashed"]),
        (Rule::Agreement, &["a [abc] (ab)", "b [abc] (ab)"]),
        (Rule::Agreement, &["a"]),
        (Rule::Delivery, &["a [ab] +0 a0", "b [ab]"]),
        // Sent alone, delivered among both, missed by the one who came.
        (Rule::Delivery, &["a [a] +0 [ab] a0 +1 a1", "b [ab] a1"]),
        (
            Rule::VirtualSynchrony,
            &["a [abc] c0 c1 (ab) [ab]", "b [abc] c0 (ab) [ab]", "c [abc] +0 +1 crashed"],
        ),
    ];
    (now, at_last)
}

#[test]
fn every_rule_is_seen_broken() {
    let (now, at_last) = broken_ones();
    for (settled, all) in [(false, &now), (true, &at_last)] {
        for (rule, lines) in all {
            let verdict = check(&trace(settled, lines));
            let found = verdict.as_ref().map_err(|violation| violation.rule);
            assert_eq!(found, Err(*rule), "{lines:?}: {verdict:?}");
        }
    }
    for (_, lines) in &at_last {
        assert_eq!(check(&trace(false, lines)), Ok(()), "{lines:?} may go on");
    }
    for rule in Rule::ALL {
        assert!(now.iter().chain(&at_last).any(|(seen, _)| *seen == rule), "{rule:?} has no trace");
    }
}

#[test]
fn what_the_contract_allows_is_not_called_broken() {
    let sound: [&[&str]; 13] = [
        // Back at once under the old name.
        &["a [ab] b0 (a) [ab] +0 a0", "b [ab] +0 b0 crashed", "B [ab] a0"],
        // One of them was not told of what was empty.
        &["a [a] +0 a0 [ab] [abc] +1 a1", "b [b] +0 b0 [abc] a1", "c [abc] a1"],
        &["a [a] [ab] +0 a0 b0", "b [b] [ab] +0 a0 b0"],
        // Delivered in the transitional configuration by those who go on, in the regular one by the other.
        &["a [abc] +0 (ab) a0 [ab]", "b [abc] (ab) a0 [ab]", "c [abc] a0 (c) [c] crashed"],
        // The dead one's message reaches nobody, or only those that go on together.
        &["a [ab] (a) [a]", "b [ab] +0 crashed"],
        &["a [abc] c0 (ab) [ab]", "b [abc] c0 (ab) [ab]", "c [abc] +0 crashed"],
        // Taken in one configuration, delivered in a later one.
        &["a [a] +0 [ab] a0", "b [b] [ab] a0"],
        // Not there for what lies between; no gap.
        &["a [ab] b0 (a) [a] [ab] b2", "b [ab] +0 b0 (b) [b] +1 b1 [ab] +2 b2"],
        // Back at once, and not together.
        &["a [ab] (a) [ab] +0 a0", "b [ab] (b) [b] [ab] a0"],
        // Another life under the old name, after the first has gone.
        &["a [ab] (a) [a] [ab] +0 a0", "b [ab] crashed", "B [b] [ab] a0"],
        // What is lost with the bus is nobody's duty.
        &["a [a] +0 absent lost", "A [a] +0 A0"],
        &["a [a] full full room long", "b absent left absent"],
        &["a [ab] +0 left", "b [ab] a0 (b) [b]"],
    ];
    for lines in sound {
        for settled in [false, true] {
            assert_eq!(check(&trace(settled, lines)), Ok(()), "{lines:?}, settled {settled}");
        }
    }
}

//! What is made of questions and claims; the segment itself is in `tests/tests/witness.rs`.
use super::*;

const ONE: Mac = Mac([2, 0, 0, 0, 0, 1]);
const OTHER: Mac = Mac([2, 0, 0, 0, 0, 2]);

fn address() -> IpAddr {
    [10, 78, 0, 1].into()
}

fn seen() -> (Seen, Instant) {
    (Seen::new(&[address()], &[address()]), Instant::now())
}

fn claim(mac: Mac, answers: Option<u8>) -> Claim {
    Claim { address: address(), mac, answers }
}

#[test]
fn two_answers_to_one_question_are_two_owners_once() {
    let (mut seen, now) = seen();
    let number = seen.ask(address(), now);
    for mac in [ONE, ONE, OTHER, ONE, OTHER] {
        seen.take(claim(mac, Some(number)), now);
    }
    assert_eq!((seen.testimony.doubles, seen.testimony.answered), (1, 1));
    assert_eq!(seen.testimony.double[0].macs, [ONE, OTHER]);
}

#[test]
fn a_move_between_two_questions_is_none_even_if_an_answer_is_late() {
    let (mut seen, now) = seen();
    let before = seen.ask(address(), now);
    let after = seen.ask(address(), now);
    assert_ne!(before, after);
    seen.take(claim(OTHER, None), now);
    seen.take(claim(OTHER, Some(after)), now);
    seen.take(claim(ONE, Some(before)), now);
    assert_eq!(seen.testimony.doubles, 0);
    assert_eq!(seen.places[&address()].holder.map(|holder| holder.mac), Some(ONE));
}

#[test]
fn a_former_owner_that_claims_again_is_told() {
    let (mut seen, now) = seen();
    let at = |ms| now + Duration::from_millis(ms);
    for (ms, mac) in [(0, ONE), (1, ONE), (2, OTHER), (5, OTHER)] {
        seen.take(claim(mac, None), at(ms));
    }
    assert_eq!((seen.testimony.moves, seen.testimony.relapses), (1, 0), "a move is no relapse");
    seen.take(claim(ONE, None), at(7));
    let relapse = seen.testimony.relapse[0];
    assert_eq!((relapse.mac, relapse.other, relapse.away), (ONE, OTHER, Duration::from_millis(5)));
}

#[test]
fn sole_is_who_answered_alone_ever_since() {
    let (mut seen, now) = seen();
    let at = |ms| now + Duration::from_millis(ms);
    let mut round = |ms, macs: &[Mac]| {
        let number = seen.ask(address(), at(ms));
        for mac in macs {
            seen.take(claim(*mac, Some(number)), at(ms));
        }
        seen.places[&address()].sole
    };
    assert_eq!(round(0, &[ONE]), None);
    assert_eq!(round(1, &[ONE]), Some((ONE, at(0))));
    assert_eq!(round(2, &[OTHER]), Some((ONE, at(0))));
    assert_eq!(round(3, &[OTHER, ONE]), Some((OTHER, at(2))));
    assert_eq!(round(4, &[]), None, "two answered the one before");
    assert_eq!(round(5, &[ONE]), None, "nobody answered the one before");
    assert_eq!(round(6, &[ONE]), Some((ONE, at(5))));
}

#[test]
fn what_is_not_managed_is_not_noted() {
    let (mut seen, now) = seen();
    seen.take(Claim { address: [10, 78, 0, 2].into(), mac: ONE, answers: None }, now);
    assert_eq!((seen.places.len(), seen.testimony.claims), (1, 0));
}

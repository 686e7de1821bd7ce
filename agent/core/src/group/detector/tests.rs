//! The rules one by one, then whole runs over networks that delay, lose, reorder and part.
use super::*;
use crate::wire::beat::View;
use alloc::vec;
use proptest::prelude::*;

const A: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 2));

fn at(ms: u64) -> Instant {
    Instant::from_ns(0) + Span::from_ms(ms)
}

fn peers(names: &[(&str, IpAddr)]) -> BTreeMap<Arc<str>, IpAddr> {
    names.iter().map(|(name, address)| ((*name).into(), *address)).collect()
}

fn detector() -> Detector {
    let mut detector = Detector::default();
    detector.set_peers("own", &peers(&[("a", A), ("b", B)]), at(0));
    detector
}

fn beat(incarnation: u64, sequence: u64) -> Beat<'static> {
    let view = View { epoch: sequence, digest: incarnation };
    let roll = Roll::default();
    Beat { name: "a", incarnation, sequence, interval_us: 10_000, unheard: false, view, roll }
}

fn hear(detector: &mut Detector, ms: u64, incarnation: u64, sequence: u64) {
    assert_eq!(detector.heard(at(ms), A, &beat(incarnation, sequence)), Ok(0));
}

fn news(detector: &mut Detector, ms: u64) -> Vec<(u64, bool, u64)> {
    let polled = core::iter::from_fn(|| detector.poll(at(ms)));
    polled
        .map(|opinion| (opinion.incarnation, opinion.stage == Stage::Suspect, opinion.silent.as_ms()))
        .collect()
}

#[test]
fn three_and_a_half_intervals_of_silence_are_suspicious_and_a_newer_heartbeat_ends_it() {
    let mut detector = detector();
    hear(&mut detector, 0, 1, 1);
    assert_eq!(news(&mut detector, 0), [(1, false, 0)]);
    assert_eq!(detector.next_deadline(), Some(at(35)));
    detector.tick(at(34));
    assert!(!detector.has_news());
    detector.tick(at(35));
    assert_eq!((news(&mut detector, 35), detector.next_deadline()), ([(1, true, 35)].into(), None));
    hear(&mut detector, 60, 1, 7);
    hear(&mut detector, 81, 1, 8);
    assert_eq!(news(&mut detector, 81), [(1, false, 0)]);
    let counts = Counts { heard: 3, lost: 5, suspicions: 1, gap_max: Span::from_ms(21), ..Counts::default() };
    assert_eq!(detector.watches()[0].counts(), counts);
}

#[test]
fn patience_follows_the_announced_interval_within_bounds() {
    let check = |interval_us, ms| {
        let mut detector = detector();
        let beat = Beat { interval_us, ..beat(1, 1) };
        detector.heard(at(0), A, &beat).unwrap();
        assert_eq!(detector.next_deadline(), Some(at(ms)), "{interval_us}");
    };
    for (interval_us, ms) in [(0, 20), (5_000, 20), (10_000, 35), (100_000, 350), (u32::MAX, 3_500)] {
        check(interval_us, ms);
    }
}

#[test]
fn who_was_never_heard_is_not_suspected() {
    let mut detector = detector();
    detector.tick(at(60_000));
    assert_eq!((detector.next_deadline(), detector.has_news()), (None, false));
}

#[test]
fn repetitions_and_stragglers_are_no_signs_of_life() {
    let mut detector = detector();
    hear(&mut detector, 0, 1, 100);
    for (ms, sequence) in [(10, 100), (20, 99), (30, 36), (34, 99)] {
        hear(&mut detector, ms, 1, sequence);
    }
    detector.tick(at(35));
    assert!(detector.watches()[0].is_suspect());
    let counts = detector.watches()[0].counts();
    assert_eq!((counts.repeated, counts.reordered, counts.stale), (2, 1, 1));
}

#[test]
fn another_life_takes_the_place_of_the_old_one_and_the_old_one_is_stale() {
    let mut detector = detector();
    hear(&mut detector, 0, 5, 900);
    hear(&mut detector, 10, 6, 1);
    hear(&mut detector, 11, 5, 901);
    assert_eq!(news(&mut detector, 11), [(6, false, 1)]);
    let counts = Counts { heard: 2, stale: 1, ..Counts::default() };
    assert_eq!((detector.watches()[0].counts(), detector.watches()[0].view().digest), (counts, 6));
}

#[test]
fn a_lower_number_is_taken_after_a_silence_that_the_mesh_forgets_too() {
    let mut detector = detector();
    hear(&mut detector, 0, 5, u64::MAX);
    hear(&mut detector, 499, 5, 1);
    hear(&mut detector, 499, 4, 1);
    assert_eq!(detector.watches()[0].counts().stale, 2);
    hear(&mut detector, 500, 4, 1);
    assert_eq!(detector.watches()[0].incarnation(), Some(4));
}

#[test]
fn news_that_nobody_took_is_replaced_by_newer_news() {
    let mut detector = detector();
    hear(&mut detector, 0, 1, 1);
    detector.tick(at(100));
    hear(&mut detector, 110, 1, 2);
    detector.tick(at(150));
    assert_eq!(news(&mut detector, 160), [(1, true, 50)]);
}

#[test]
fn silence_while_this_node_did_not_run_is_no_evidence() {
    let mut detector = detector();
    hear(&mut detector, 0, 1, 1);
    detector.excuse(at(10_000), Span::from_ms(9_990));
    detector.tick(at(10_000));
    assert_eq!((detector.has_news(), detector.next_deadline()), (true, Some(at(10_025))));
    detector.excuse(at(10_025), Span::from_us(999));
    detector.tick(at(10_025));
    assert!(detector.watches()[0].is_suspect(), "a poll that is a little late excuses nobody");
}

#[test]
fn silence_soon_after_the_start_does_not_count() {
    let mut detector = Detector::default();
    detector.set_peers("own", &peers(&[("a", A)]), at(15_000));
    hear(&mut detector, 0, 1, 1);
    assert_eq!(detector.next_deadline(), Some(at(15_035)));
}

#[test]
fn only_a_peer_is_believed_and_only_from_its_address() {
    let mut detector = detector();
    assert_eq!(detector.heard(at(0), B, &beat(1, 1)), Err(Disbelief::Address));
    let stranger = Beat { name: "c", ..beat(1, 1) };
    assert_eq!(detector.heard(at(0), A, &stranger), Err(Disbelief::Unknown));
    assert!(detector.watches().iter().all(|watch| watch.incarnation().is_none()));
}

#[test]
fn peers_that_stay_keep_what_is_known_of_them() {
    let mut detector = detector();
    hear(&mut detector, 0, 1, 1);
    detector.set_peers("own", &peers(&[("a", A), ("c", B)]), at(0));
    assert_eq!(detector.watches()[0].incarnation(), Some(1));
    detector.set_peers("own", &peers(&[("a", B), ("c", A)]), at(0));
    assert_eq!(detector.watches()[0].incarnation(), None, "another address is another peer");
}

/// What this node makes of a peer of which it has not heard more than the first datagram, at 0 ms, when another says at 5,
/// 15, 25 ... ms how far it has heard it: each opinion as milliseconds, stage, and whether it is vouched for.
fn vouched(heard: &[u64], digest: u32) -> Vec<(u64, Stage, bool)> {
    let mut detector = detector();
    detector.tell_early(true);
    hear(&mut detector, 0, 1, 1_000);
    let own = detector.roll();
    assert_eq!(own.heard[..3], [Roll::mark(1_000), 0, 0], "of a, b, own");
    let mut told = Vec::new();
    for ms in 0..heard.len() as u64 * 10 + 50 {
        if ms % 10 == 5 {
            let mut roll = Roll { digest: own.digest + digest, ..Roll::default() };
            let last = heard.last().copied();
            let newest = heard.get(usize::try_from(ms / 10).unwrap()).copied().or(last);
            roll.heard[0] = Roll::mark(1_000 + newest.unwrap_or_default());
            let beat = Beat { name: "b", roll, ..beat(1, 1 + ms) };
            assert_eq!(detector.heard(at(ms), B, &beat), Ok(1));
        }
        let next = detector.next_deadline();
        detector.tick(at(ms));
        while let Some(opinion) = detector.poll(at(ms)) {
            if &*opinion.name == "a" {
                assert!(ms == 0 || next == Some(at(ms)), "{next:?} {ms}");
                told.push((ms, opinion.stage, opinion.vouched));
            }
        }
    }
    told
}

#[test]
fn whom_another_hears_is_vouched_for_and_no_longer() {
    use Stage::{Doubted, Heard, Missing, Suspect};
    let alone = [(0, Heard, false), (15, Doubted, false), (25, Missing, false), (35, Suspect, false)];
    assert_eq!(vouched(&[0], 0), alone, "it heard the same datagram");
    assert_eq!(vouched(&[1, 2, 3], 1), alone, "of another list of names");
    let all = [(0, Heard, false), (15, Doubted, true), (25, Missing, true), (35, Suspect, true)];
    let long = (1..=1_000).collect::<Vec<_>>();
    assert_eq!(
        vouched(&long, 0),
        [&all[..], &[(10_020, Suspect, false)]].concat(),
        "marks go round meanwhile"
    );
    assert_eq!(
        vouched(&[1, 1, 3, 3, 5], 0),
        [&all[..], &[(70, Suspect, false)]].concat(),
        "each second is lost"
    );
    let last = [(0, Heard, false), (15, Doubted, true), (25, Missing, true), (30, Missing, false)];
    assert_eq!(
        vouched(&[1], 0),
        [&last[..], &[(35, Suspect, false)]].concat(),
        "only its last word was lost"
    );
}

/// One way of a run: every tenth of an interval something may happen. Times are in tenths of 10 ms.
#[derive(Clone, Debug)]
struct Way {
    /// For each beat: delay in tenths and copies that arrive.
    fates: Vec<(u64, u8)>,
    /// The receiver does not run from, for; in tenths.
    stalls: Vec<(u64, u64)>,
    /// Nothing arrives that was sent from, until; in tenths.
    cut: (u64, u64),
}

/// Runs it; returns when the peer was suspected and when it was trusted again, in tenths, and its watch.
fn run(way: &Way) -> (Vec<(u64, bool)>, Watch) {
    let mut arrivals: Vec<(u64, u64)> = Vec::new();
    for (index, (delay, copies)) in (0_u64..).zip(&way.fates) {
        let sent = index * 10;
        let is_cut = (way.cut.0..way.cut.1).contains(&sent);
        arrivals.extend((0..if is_cut { 0 } else { *copies }).map(|_| (sent + delay, index + 1)));
    }
    arrivals.sort_unstable();
    let tenth = |n: u64| Instant::from_ns(0) + Span::from_ms(n);
    let mut detector = detector();
    let (mut turns, mut next) = (Vec::new(), 0);
    let mut wanted = 0;
    for now in 0..way.fates.len() as u64 * 10 {
        if way.stalls.iter().any(|(from, len)| (*from..from + len).contains(&now)) {
            continue;
        }
        // This receiver wants to run every tenth.
        detector.excuse(tenth(now), tenth(now).since(tenth(wanted)));
        wanted = now + 1;
        while let Some((_, sequence)) = arrivals.get(next).filter(|(arrives, _)| *arrives <= now) {
            let heard = Beat { interval_us: 10_000, ..beat(1, *sequence) };
            detector.heard(tenth(now), A, &heard).unwrap();
            next += 1;
        }
        detector.tick(tenth(now));
        while let Some(opinion) = detector.poll(tenth(now)) {
            turns.push((now, opinion.stage == Stage::Suspect));
        }
    }
    let watch = detector.watches()[0].clone();
    (turns, watch)
}

/// Fates without three losses in a row.
fn fates(delay_max: u64) -> impl Strategy<Value = Vec<(u64, u8)>> {
    let raw = prop::collection::vec(
        (0..=delay_max, prop_oneof![1 => Just(0_u8), 6 => Just(1), 1 => Just(2)]),
        60..200,
    );
    raw.prop_map(|mut fates| {
        fates[0].1 = 1;
        for at in 2..fates.len() {
            if fates[at - 2..=at].iter().all(|(_, copies)| *copies == 0) {
                fates[at].1 = 1;
            }
        }
        fates
    })
}

proptest! {
    #[test]
    fn delay_loss_and_repetition_within_bounds_raise_no_suspicion(fates in fates(5), stalls in prop::collection::vec((0..2_000_u64, 2..300_u64), 0..4)) {
        let (turns, watch) = run(&Way { fates: fates.clone(), stalls, cut: (0, 0) });
        prop_assert!(turns.iter().all(|(_, suspect)| !suspect), "{turns:?}");
        prop_assert_eq!(watch.counts().suspicions, 0);
    }

    #[test]
    fn a_cut_is_noticed_within_the_bound_and_its_end_with_the_next_heartbeat(fates in fates(5), from in 200..400_u64, len in 60..500_u64) {
        let (turns, _) = run(&Way { fates, stalls: vec![], cut: (from, from + len) });
        let suspected = turns.iter().find(|(_, suspect)| *suspect).map(|(at, _)| *at);
        // 35 ms after the last arrival, which was at most 5 ms after the cut and at least three intervals before it.
        prop_assert!(suspected.is_some_and(|at| (from + 5..=from + 40).contains(&at)), "{from}: {turns:?}");
        let back = turns.iter().find(|(at, suspect)| !suspect && *at > from + 5).map(|(at, _)| *at);
        if let Some(back) = back {
            prop_assert!(back >= from + len && back <= from + len + 45, "{from} {len}: {turns:?}");
        }
    }

    #[test]
    fn every_datagram_is_counted_once(fates in fates(600)) {
        let (_, watch) = run(&Way { fates: fates.clone(), stalls: vec![], cut: (0, 0) });
        let end = fates.len() as u64 * 10;
        let arrive = |at: usize| at as u64 * 10 + fates[at].0 < end;
        let arrived: u64 = (0..fates.len()).filter(|at| arrive(*at)).map(|at| u64::from(fates[at].1)).sum();
        let counts = watch.counts();
        prop_assert_eq!(counts.heard + counts.reordered + counts.repeated + counts.stale, arrived);
    }
}

//! What is broken is seen: engines with a defect, and traces in which one thing was changed.
use crate::seeds::{modelled, without_numbers};
use convoy_core::group::bus::{Kind, MemberId};
use lab::{
    bus_model::Defect,
    conformance::{Record, Rule, Tag, Trace, check},
    prng::Prng,
};
use std::collections::{BTreeMap, BTreeSet};

/// One change of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Spoil {
    Skip,
    Swap,
    Twice,
    Late,
    Garble,
    WrongSender,
    NeverSent,
    ForgetTransitional,
    ForgetMember,
    AddMember,
    ForgetSelf,
    ForgetRoom,
    AfterEnd,
    NoFirst,
}

impl Spoil {
    const ALL: [Self; 14] = [
        Self::Skip,
        Self::Swap,
        Self::Twice,
        Self::Late,
        Self::Garble,
        Self::WrongSender,
        Self::NeverSent,
        Self::ForgetTransitional,
        Self::ForgetMember,
        Self::AddMember,
        Self::ForgetSelf,
        Self::ForgetRoom,
        Self::AfterEnd,
        Self::NoFirst,
    ];

    /// Tells whether this breaks the contract wherever it is done. The others sometimes make what the contract allows:
    /// a message that only one got, before it died or was alone, can as well have come later or not at all.
    fn is_never_legal(self) -> bool {
        match self {
            Self::Twice
            | Self::Garble
            | Self::WrongSender
            | Self::NeverSent
            | Self::ForgetSelf
            | Self::AfterEnd => true,
            Self::Skip
            | Self::Swap
            | Self::Late
            | Self::ForgetTransitional
            | Self::ForgetMember
            | Self::AddMember
            | Self::ForgetRoom
            | Self::NoFirst => false,
        }
    }

    /// Changes a trace somewhere. Returns whether there was a place for it.
    fn apply(self, trace: &mut Trace, prng: &mut Prng) -> bool {
        let places = trace.lives.iter().enumerate().flat_map(|(life, all)| {
            (0..all.records.len()).filter(move |&at| self.fits(&all.records, at)).map(move |at| (life, at))
        });
        let places: Vec<_> = places.collect();
        if places.is_empty() {
            return false;
        }
        let (life, at) = places[prng.index(places.len())];
        let own = trace.lives[life].own;
        self.change(&mut trace.lives[life].records, at, own);
        true
    }

    fn fits(self, records: &[Record], at: usize) -> bool {
        let message = |at: usize| matches!(records.get(at), Some(Record::Delivered { .. }));
        let configuration = matches!(records[at], Record::Configuration { .. });
        let regular = matches!(records[at], Record::Configuration { kind: Kind::Regular, .. });
        match self {
            Self::Skip | Self::Twice | Self::Garble | Self::WrongSender | Self::NeverSent => message(at),
            Self::Swap => message(at) && message(at + 1),
            Self::Late => message(at) && is_regular(records.get(at + 1)),
            Self::ForgetTransitional => configuration && !regular,
            Self::ForgetMember | Self::AddMember => regular,
            Self::ForgetSelf => configuration,
            Self::ForgetRoom => matches!(records[at], Record::Room),
            Self::AfterEnd => {
                records[at].is_end() && records[..at].iter().any(|record| is_regular(Some(record)))
            }
            Self::NoFirst => regular && !records[..at].iter().any(|record| is_regular(Some(record))),
        }
    }

    fn change(self, records: &mut Vec<Record>, at: usize, own: Option<MemberId>) {
        match (self, &mut records[at]) {
            (Self::Skip | Self::ForgetTransitional | Self::ForgetRoom | Self::NoFirst, _) => {
                records.remove(at);
            }
            (Self::Swap | Self::Late, _) => records.swap(at, at + 1),
            (Self::Twice, record) => {
                let again = record.clone();
                records.insert(at, again);
            }
            (Self::Garble, Record::Delivered { tag, .. }) => *tag = None,
            (Self::WrongSender, Record::Delivered { sender, .. }) => sender.process += 1_000,
            (Self::NeverSent, Record::Delivered { tag, .. }) => *tag = tag.map(|tag| Tag { seat: 99, ..tag }),
            (Self::ForgetMember, Record::Configuration { members, .. }) => {
                let other = members.iter().copied().find(|&member| Some(member) != own);
                other.map(|other| members.remove(&other));
            }
            (Self::AddMember, Record::Configuration { members, .. }) => {
                members.insert(MemberId { host: 99, process: 99 });
            }
            (Self::ForgetSelf, Record::Configuration { members, .. }) => {
                members.retain(|&member| Some(member) != own);
            }
            (Self::AfterEnd, _) => records.push(Record::Room),
            (
                Self::Garble
                | Self::WrongSender
                | Self::NeverSent
                | Self::ForgetMember
                | Self::AddMember
                | Self::ForgetSelf,
                _,
            ) => {}
        }
    }
}

fn is_regular(record: Option<&Record>) -> bool {
    matches!(record, Some(Record::Configuration { kind: Kind::Regular, .. }))
}

/// What became of one kind of spoiling.
#[derive(Clone, Debug, Default)]
struct Seen {
    spoiled: u32,
    caught: u32,
    by: BTreeSet<Rule>,
}

#[test]
fn a_spoiled_trace_is_caught() {
    let mut all: BTreeMap<Spoil, Seen> = BTreeMap::new();
    for seed in 0..SEEDS {
        let (trace, _) = modelled(seed, None);
        let bare = without_numbers(trace);
        for spoil in Spoil::ALL {
            let mut spoiled = bare.clone();
            if !spoil.apply(&mut spoiled, &mut Prng::new(seed)) || spoiled == bare {
                continue;
            }
            let seen = all.entry(spoil).or_default();
            seen.spoiled += 1;
            if let Err(violation) = check(&spoiled) {
                seen.caught += 1;
                seen.by.insert(violation.rule);
            }
        }
    }
    for (spoil, seen) in &all {
        println!("{spoil:?}: {} of {} caught, by {:?}", seen.caught, seen.spoiled, seen.by);
    }
    for spoil in Spoil::ALL {
        let seen = all.get(&spoil).cloned().unwrap_or_default();
        assert!(seen.spoiled > 100, "{spoil:?} was tried {} times", seen.spoiled);
        let enough = if spoil.is_never_legal() { seen.spoiled } else { seen.spoiled / 3 };
        assert!(seen.caught >= enough, "{spoil:?}: {seen:?}");
    }
}

#[test]
fn a_defect_of_an_engine_is_caught() {
    for (defect, rule) in [
        (Defect::OwnHole, Rule::VirtualSynchrony),
        (Defect::Unread, Rule::VirtualSynchrony),
        (Defect::ForgottenQueue, Rule::SelfDelivery),
        (Defect::OldNumber, Rule::Together),
        (Defect::Late, Rule::Sender),
    ] {
        let mut caught: BTreeMap<Rule, u32> = BTreeMap::new();
        for seed in 0..SEEDS {
            let (trace, _) = modelled(seed, Some(defect));
            if let Err(violation) = check(&without_numbers(trace)) {
                *caught.entry(violation.rule).or_default() += 1;
            }
        }
        println!("{defect:?}: {} of {SEEDS} caught: {caught:?}", caught.values().sum::<u32>());
        assert!(caught.contains_key(&rule), "{defect:?} is seen as {caught:?}");
    }
}

/// Schedules of each kind.
const SEEDS: u64 = 200;

//! One life by itself: its configurations with what was delivered in each, and the rules that need nobody else.
use super::{Rule, Sent, Violation, broken, name};
use crate::conformance::{Life, Record, Tag};
use convoy_core::{
    bounds,
    group::bus::{Kind, MemberId, Unsent},
};
use std::collections::{BTreeMap, BTreeSet};

/// A regular configuration, to the end of the transitional one that follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) members: BTreeSet<MemberId>,
    pub(super) number: Option<u64>,
    /// Those who came into it together with this life, out of the same configuration.
    pub(super) together: BTreeSet<MemberId>,
    /// What was delivered in it.
    pub(super) regular: Vec<Tag>,
    /// Those who went on together, if not all did.
    pub(super) transitional: Option<BTreeSet<MemberId>>,
    /// What was delivered among those.
    pub(super) in_transitional: Vec<Tag>,
}

/// A life, sorted.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) spans: Vec<Span>,
    pub(super) taken: Vec<Tag>,
    pub(super) own_delivered: BTreeSet<Tag>,
    /// The last refusal came after the last word of room.
    pub(super) waits_for_room: bool,
    /// It was refused as absent while it was a member. That is so before it hears of a loss, and never else.
    pub(super) refused_as_absent: bool,
    /// Refusals, less the words of room.
    refusals: usize,
    /// For each message taken, the last that was delivered before.
    pub(super) known: Vec<(Option<Tag>, Tag)>,
    ended: bool,
    delivered: BTreeSet<Tag>,
    last: Option<Tag>,
    /// The last message of each life that was heard of.
    heard: BTreeMap<(u16, u16), Heard>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    sender: MemberId,
    number: u32,
    /// The sender has been a member ever since.
    stayed: bool,
}

impl Story {
    /// Sorts a life, and checks it.
    pub(super) fn of(life: &Life, sent: &Sent) -> Result<Self, Violation> {
        let mut story = Self::default();
        for record in &life.records {
            story.add(life, record, sent)?;
        }
        Ok(story)
    }

    /// Forgets the configurations in which nothing was delivered, other than the last: others may not have been told of
    /// them. Who came together through such a one went on together into it and out of it.
    pub(super) fn pass_over_empty(&mut self) {
        let all = std::mem::take(&mut self.spans);
        let count = all.len();
        let mut passed: Option<BTreeSet<MemberId>> = None;
        for (at, mut span) in all.into_iter().enumerate() {
            if let Some(passed) = passed.take() {
                span.together = span.together.intersection(&passed).copied().collect();
            }
            if at + 1 < count && span.regular.is_empty() && span.in_transitional.is_empty() {
                passed = Some(span.together);
            } else {
                self.spans.push(span);
            }
        }
    }

    fn add(&mut self, life: &Life, record: &Record, sent: &Sent) -> Result<(), Violation> {
        let absent = matches!(record, Record::Refused { why: Unsent::Absent, .. });
        if self.ended && !absent {
            return broken(Rule::AfterEnd, format!("{} after its end: {record:?}", name(life)));
        }
        match record {
            Record::Taken { tag, len } => {
                if *len > bounds::BUS_MESSAGE_MAX {
                    return broken(Rule::Size, format!("{}: {len} bytes were taken", name(life)));
                }
                self.taken.push(*tag);
                self.known.push((self.last, *tag));
            }
            Record::Refused { why: Unsent::Full, .. } => {
                self.refusals += 1;
                self.waits_for_room = true;
            }
            Record::Refused { why: Unsent::TooLong, len } if *len > bounds::BUS_MESSAGE_MAX => {}
            Record::Refused { why: Unsent::TooLong, len } => {
                return broken(Rule::Size, format!("{}: {len} bytes were refused as too long", name(life)));
            }
            Record::Refused { why: Unsent::Absent, .. } => self.refused_as_absent |= !self.spans.is_empty(),
            Record::Configuration { kind: Kind::Regular, members, number } => {
                self.regular(life, members, *number)?;
            }
            Record::Configuration { kind: Kind::Transitional, members, .. } => {
                self.transitional(life, members)?;
            }
            Record::Delivered { sender, tag, len } => self.delivered(life, *sender, *tag, *len, sent)?,
            // What was refused while word of room was on its way already gets a word of its own.
            Record::Room if self.refusals > 0 => {
                self.refusals -= 1;
                self.waits_for_room = false;
            }
            Record::Room => return broken(Rule::Flow, format!("{}: room without a refusal", name(life))),
            Record::Lost | Record::Left | Record::Crashed => self.ended = true,
        }
        Ok(())
    }

    fn regular(
        &mut self,
        life: &Life,
        members: &BTreeSet<MemberId>,
        number: Option<u64>,
    ) -> Result<(), Violation> {
        includes_self(life, members)?;
        let together = match self.spans.last() {
            None => life.own.into_iter().collect(),
            Some(Span { transitional: Some(together), .. }) => {
                if !together.is_subset(members) {
                    let what = format!("{}: after {together:?} comes {members:?}", name(life));
                    return broken(Rule::Transitional, what);
                }
                together.clone()
            }
            Some(Span { members: before, .. }) => {
                if !before.is_subset(members) || before == members {
                    let what = format!("{}: {members:?} straight after {before:?}", name(life));
                    return broken(Rule::Transitional, what);
                }
                before.clone()
            }
        };
        self.gone(members);
        self.spans.push(Span {
            members: members.clone(),
            number,
            together,
            regular: Vec::new(),
            transitional: None,
            in_transitional: Vec::new(),
        });
        Ok(())
    }

    fn transitional(&mut self, life: &Life, members: &BTreeSet<MemberId>) -> Result<(), Violation> {
        includes_self(life, members)?;
        let Some(span) = self.spans.last_mut() else {
            return broken(Rule::Start, format!("{} begins with a transitional configuration", name(life)));
        };
        let proper = members.is_subset(&span.members) && *members != span.members;
        if !proper || span.transitional.is_some() {
            let what = format!("{}: transitional {members:?} after {:?}", name(life), span.members);
            return broken(Rule::Transitional, what);
        }
        span.transitional = Some(members.clone());
        self.gone(members);
        Ok(())
    }

    /// Whoever is not among these has not stayed.
    fn gone(&mut self, members: &BTreeSet<MemberId>) {
        for heard in self.heard.values_mut() {
            heard.stayed &= members.contains(&heard.sender);
        }
    }

    fn delivered(
        &mut self,
        life: &Life,
        sender: MemberId,
        tag: Option<Tag>,
        len: usize,
        sent: &Sent,
    ) -> Result<(), Violation> {
        let Some(tag) = tag else {
            return broken(Rule::Size, format!("{} got {len} garbled bytes from {sender}", name(life)));
        };
        let Some((own, sent_len)) = sent.0.get(&tag) else {
            return broken(Rule::Invented, format!("{} got {tag}, which nobody sent", name(life)));
        };
        if len != *sent_len {
            return broken(
                Rule::Size,
                format!("{} got {len} bytes of {tag}, sent were {sent_len}", name(life)),
            );
        }
        if own.is_some_and(|own| own != sender) {
            return broken(
                Rule::Sender,
                format!("{} got {tag} as from {sender}, sent by {own:?}", name(life)),
            );
        }
        if !self.delivered.insert(tag) {
            return broken(Rule::Duplicate, format!("{} got {tag} twice", name(life)));
        }
        if usize::from(tag.seat) == life.seat && usize::from(tag.life) == life.number {
            if !self.taken.contains(&tag) {
                return broken(Rule::Invented, format!("{} got its own {tag} before it sent it", name(life)));
            }
            self.own_delivered.insert(tag);
        }
        let Some(span) = self.spans.last_mut() else {
            return broken(Rule::Start, format!("{} got {tag} before any configuration", name(life)));
        };
        let there = span.transitional.as_ref().unwrap_or(&span.members);
        if !there.contains(&sender) {
            return broken(Rule::Sender, format!("{} got {tag} from {sender} among {there:?}", name(life)));
        }
        if span.transitional.is_some() { &mut span.in_transitional } else { &mut span.regular }.push(tag);
        self.last = Some(tag);
        self.in_turn(life, sender, tag)
    }

    fn in_turn(&mut self, life: &Life, sender: MemberId, tag: Tag) -> Result<(), Violation> {
        let now = Heard { sender, number: tag.number, stayed: true };
        let Some(before) = self.heard.insert((tag.seat, tag.life), now) else { return Ok(()) };
        if before.number > tag.number {
            return broken(Rule::Fifo, format!("{} got {tag} after number {}", name(life), before.number));
        }
        if before.stayed && before.number + 1 != tag.number {
            return broken(
                Rule::Gap,
                format!("{} got {tag} next after number {}", name(life), before.number),
            );
        }
        Ok(())
    }
}

fn includes_self(life: &Life, members: &BTreeSet<MemberId>) -> Result<(), Violation> {
    match life.own {
        Some(own) if members.contains(&own) => Ok(()),
        own => broken(Rule::SelfInclusion, format!("{}, named {own:?}, is told {members:?}", name(life))),
    }
}

//! The contract of the bus as checks of a trace: each process's own story first, then all of them beside each other.
//!
//! Which configurations of two processes are the same one is not in the events. It follows from what they share: the
//! number, where the harness knows it; a message; the end of a settled run; and backwards from there, since those who
//! came into a configuration together came out of the same one. What follows from nothing is not compared.
mod links;
mod order;
mod story;
#[cfg(test)]
mod tests;

use super::{Life, Record, Tag, Trace};
use convoy_core::group::bus::MemberId;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};
use story::{Span, Story};

/// A rule of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// 1: a configuration has its reader in it.
    SelfInclusion,
    /// 1: the first event is a regular configuration, and a life has one name.
    Start,
    /// 2: all that is delivered is one order, in which nothing comes before what its sender knew.
    Order,
    /// 2: nothing is delivered twice.
    Duplicate,
    /// 2: the messages of a sender come as it sent them.
    Fifo,
    /// 2: none of them is left out while the sender stays.
    Gap,
    /// 3: a message is delivered in one configuration.
    OneConfiguration,
    /// 3: its sender is a member there, and is who it says.
    Sender,
    /// 4: a transitional configuration comes when, and only when, some do not come along; it is a part of both others.
    Transitional,
    /// 4: those who go on together agree on who does.
    Together,
    /// 4: and on what they were delivered.
    VirtualSynchrony,
    /// 5: what was taken comes back.
    SelfDelivery,
    /// 6: after its end there is nothing in a life.
    AfterEnd,
    /// 7: room comes after a refusal, and only then; a member is not refused as absent.
    Flow,
    /// 8: the size of messages is limited there and nowhere else, and they come whole.
    Size,
    /// Nothing is delivered that nobody sent, and nothing to its sender before it was sent.
    Invented,
    /// All who are connected agree on who is there, at last.
    Agreement,
    /// And have got the same in that configuration.
    Delivery,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::SelfInclusion,
        Self::Start,
        Self::Order,
        Self::Duplicate,
        Self::Fifo,
        Self::Gap,
        Self::OneConfiguration,
        Self::Sender,
        Self::Transitional,
        Self::Together,
        Self::VirtualSynchrony,
        Self::SelfDelivery,
        Self::AfterEnd,
        Self::Flow,
        Self::Size,
        Self::Invented,
        Self::Agreement,
        Self::Delivery,
    ];
}

/// A rule that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// By whom, with what.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

impl std::error::Error for Violation {}

/// Returns that a rule was broken.
fn broken<T>(rule: Rule, what: String) -> Result<T, Violation> {
    Err(Violation { rule, what })
}

/// Tells whether a run kept the contract.
///
/// # Errors
/// The first rule found broken.
pub fn check(trace: &Trace) -> Result<(), Violation> {
    let sent = Sent::of(trace);
    let mut stories: Vec<Story> =
        trace.lives.iter().map(|life| Story::of(life, &sent)).collect::<Result<_, _>>()?;
    stories.iter_mut().for_each(Story::pass_over_empty);
    let classes = links::link(trace, &stories)?;
    links::check_pairs(trace, &stories, &classes)?;
    order::check(trace, &stories, &classes)?;
    if trace.settled { check_end(trace, &stories) } else { Ok(()) }
}

/// Every message that was taken: by which life, and its length.
struct Sent(BTreeMap<Tag, (Option<MemberId>, usize)>);

impl Sent {
    fn of(trace: &Trace) -> Self {
        let mut all = BTreeMap::new();
        for life in &trace.lives {
            for record in &life.records {
                if let Record::Taken { tag, len } = record {
                    all.insert(*tag, (life.own, *len));
                }
            }
        }
        Self(all)
    }
}

/// Names a life for people.
fn name(life: &Life) -> String {
    format!("process {} life {}", life.seat, life.number)
}

/// What must have come to pass in a run that ended in peace.
fn check_end(trace: &Trace, stories: &[Story]) -> Result<(), Violation> {
    let present = || trace.lives.iter().zip(stories).filter(|(life, _)| !life.has_ended());
    for (life, story) in present() {
        if let Some(tag) = story.taken.iter().find(|tag| !story.own_delivered.contains(tag)) {
            return broken(Rule::SelfDelivery, format!("{} never got its own {tag}", name(life)));
        }
        if story.waits_for_room {
            return broken(Rule::Flow, format!("{} was refused and never told of room", name(life)));
        }
        if story.refused_as_absent {
            return broken(Rule::Flow, format!("{} is a member and was refused as absent", name(life)));
        }
    }
    let all: BTreeSet<MemberId> = present().filter_map(|(life, _)| life.own).collect();
    let mut first: Option<(&Life, &Span)> = None;
    for (life, story) in present() {
        let last = story.spans.last().filter(|last| last.transitional.is_none());
        let Some(last) = last.filter(|last| last.members == all && all.len() == present().count()) else {
            let last = story.spans.last();
            return broken(Rule::Agreement, format!("{} ends in {last:?}, present are {all:?}", name(life)));
        };
        match first {
            None => first = Some((life, last)),
            Some((other, span)) if span.regular != last.regular => {
                let (a, b) = (name(other), name(life));
                return broken(
                    Rule::Delivery,
                    format!(
                        "the last configuration: {a} got {}, {b} got {}",
                        list(&span.regular),
                        list(&last.regular)
                    ),
                );
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn list(tags: &[Tag]) -> String {
    tags.iter().map(Tag::to_string).collect::<Vec<_>>().join(" ")
}

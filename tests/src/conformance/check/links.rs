//! Which configurations of different lives are the same one, and what those must have in common.
use super::{Rule, Story, Violation, broken, list, name, story::Span};
use crate::conformance::{Tag, Trace};
use convoy_core::group::bus::MemberId;
use std::collections::BTreeMap;

/// A configuration as one life saw it: the life and its place among that life's.
pub(super) type Place = (usize, usize);

/// The places, sorted into classes that are one configuration each.
#[derive(Debug, Default)]
pub(super) struct Classes {
    parent: BTreeMap<Place, Place>,
}

impl Classes {
    /// Returns the place that stands for the class of this one.
    pub(super) fn of(&self, mut place: Place) -> Place {
        while let Some(&parent) = self.parent.get(&place) {
            place = parent;
        }
        place
    }

    /// Makes two classes one. Returns whether they were two.
    fn join(&mut self, a: Place, b: Place) -> bool {
        let (a, b) = (self.of(a), self.of(b));
        // The earlier one stands for both, so that no circle can be made.
        a != b && self.parent.insert(a.max(b), a.min(b)).is_none()
    }

    /// Returns the classes with more than one place.
    fn shared(&self, stories: &[Story]) -> Vec<Vec<Place>> {
        let mut classes: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
        for (life, story) in stories.iter().enumerate() {
            for span in 0..story.spans.len() {
                classes.entry(self.of((life, span))).or_default().push((life, span));
            }
        }
        classes.into_values().filter(|class| class.len() > 1).collect()
    }
}

/// Finds out which places are the same configuration.
pub(super) fn link(trace: &Trace, stories: &[Story]) -> Result<Classes, Violation> {
    let mut classes = Classes::default();
    let mut numbers: BTreeMap<u64, Place> = BTreeMap::new();
    let mut messages: BTreeMap<Tag, Place> = BTreeMap::new();
    for (life, story) in stories.iter().enumerate() {
        for (at, span) in story.spans.iter().enumerate() {
            let place = (life, at);
            if let Some(number) = span.number {
                classes.join(*numbers.entry(number).or_insert(place), place);
            }
            for tag in span.regular.iter().chain(&span.in_transitional) {
                classes.join(*messages.entry(*tag).or_insert(place), place);
            }
        }
    }
    if trace.settled {
        let present = (0..stories.len()).filter(|&life| !trace.lives[life].has_ended());
        let last: Vec<Place> =
            present.filter_map(|life| Some((life, stories[life].spans.len().checked_sub(1)?))).collect();
        let members = |place: &Place| &stories[place.0].spans[place.1].members;
        let agreed = last.windows(2).all(|pair| members(&pair[0]) == members(&pair[1]));
        for pair in last.windows(2).filter(|_| agreed) {
            classes.join(pair[0], pair[1]);
        }
    }
    while backwards(trace, stories, &mut classes) {
        sound(trace, stories, &classes)?;
    }
    sound(trace, stories, &classes)?;
    Ok(classes)
}

/// Those who came together came out of the same configuration. Returns whether that tells anything new.
fn backwards(trace: &Trace, stories: &[Story], classes: &mut Classes) -> bool {
    let mut told = false;
    for class in classes.shared(stories) {
        for (&a, &b) in pairs(&class) {
            let came = |(life, at): Place| &stories[life].spans[at].together;
            let is_in = |a: Place, b: Place| trace.lives[b.0].own.is_some_and(|own| came(a).contains(&own));
            if a.1 > 0 && b.1 > 0 && is_in(a, b) && is_in(b, a) {
                told |= classes.join((a.0, a.1 - 1), (b.0, b.1 - 1));
            }
        }
    }
    told
}

/// Each two of a class.
fn pairs(class: &[Place]) -> impl Iterator<Item = (&Place, &Place)> {
    class.iter().enumerate().flat_map(|(n, a)| class[n + 1..].iter().map(move |b| (a, b)))
}

/// A class is one configuration: of the same members, once in a life, with one number.
fn sound(trace: &Trace, stories: &[Story], classes: &Classes) -> Result<(), Violation> {
    for class in classes.shared(stories) {
        for (&(life, at), &(other, there)) in pairs(&class) {
            let (a, b) = (&stories[life].spans[at], &stories[other].spans[there]);
            let numbers = a.number.is_some() && b.number.is_some() && a.number != b.number;
            if life == other || a.members != b.members || numbers {
                let (x, y) = (name(&trace.lives[life]), name(&trace.lives[other]));
                let what = format!("{x} and {y} were delivered the same in {a:?} and in {b:?}");
                return broken(Rule::OneConfiguration, what);
            }
        }
    }
    Ok(())
}

/// Checks what those who came into a configuration must agree on.
pub(super) fn check_pairs(trace: &Trace, stories: &[Story], classes: &Classes) -> Result<(), Violation> {
    for class in classes.shared(stories) {
        for (&a, &b) in pairs(&class) {
            let (x, y) = (&trace.lives[a.0], &trace.lives[b.0]);
            let (Some(own_x), Some(own_y)) = (x.own, y.own) else { continue };
            let (here, there) = (&stories[a.0].spans[a.1], &stories[b.0].spans[b.1]);
            if !have_come_together(here, there, own_x, own_y) {
                continue;
            }
            let came = |(life, at): Place| stories[life].spans.get(at.checked_sub(1)?);
            let (Some(before_x), Some(before_y)) = (came(a), came(b)) else {
                let what = format!("{} and {} came together, one from nowhere", name(x), name(y));
                return broken(Rule::Together, what);
            };
            if here.together != there.together {
                let (one, other) = (&here.together, &there.together);
                let what = format!("{} came with {one:?}, {} with {other:?}", name(x), name(y));
                return broken(Rule::Together, what);
            }
            if before_x.regular != before_y.regular || before_x.in_transitional != before_y.in_transitional {
                let story =
                    |span: &Span| format!("{} | {}", list(&span.regular), list(&span.in_transitional));
                let (one, other) = (story(before_x), story(before_y));
                let what = format!(
                    "{} got {one}, {} got {other}, and both came from {:?} to {:?}",
                    name(x),
                    name(y),
                    before_x.members,
                    here.members
                );
                return broken(Rule::VirtualSynchrony, what);
            }
        }
    }
    Ok(())
}

/// Tells whether one says that it came with the other. That they do not agree on that is found afterwards, since their
/// sets differ.
fn have_come_together(here: &Span, there: &Span, own_x: MemberId, own_y: MemberId) -> bool {
    here.together.contains(&own_y) || there.together.contains(&own_x)
}

//! One order of everything: configurations and messages as each life saw them, and every message after what its sender
//! knew. If that has no circle, there is an order that all of them follow.
use super::{
    Rule, Story, Violation, broken,
    links::{Classes, Place},
};
use crate::conformance::{Tag, Trace};
use std::collections::{BTreeMap, BTreeSet};

/// Something that has its place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    Configuration(Place),
    Message(Tag),
}

/// Looks for a circle.
pub(super) fn check(trace: &Trace, stories: &[Story], classes: &Classes) -> Result<(), Violation> {
    let after = successors(stories, classes);
    let mut before: BTreeMap<Point, usize> = BTreeMap::new();
    for (&point, next) in &after {
        before.entry(point).or_default();
        for &next in next {
            *before.entry(next).or_default() += 1;
        }
    }
    let mut free: Vec<Point> = before.iter().filter(|(_, n)| **n == 0).map(|(point, _)| *point).collect();
    while let Some(point) = free.pop() {
        before.remove(&point);
        for next in after.get(&point).into_iter().flatten() {
            if let Some(n) = before.get_mut(next) {
                *n -= 1;
                if *n == 0 {
                    free.push(*next);
                }
            }
        }
    }
    if before.is_empty() {
        return Ok(());
    }
    let circle = circle(&before, &after);
    let circle: Vec<String> = circle.iter().map(|point| text(trace, stories, point)).collect();
    broken(Rule::Order, format!("each of these comes before the next, and so around: {}", circle.join(", ")))
}

fn successors(stories: &[Story], classes: &Classes) -> BTreeMap<Point, BTreeSet<Point>> {
    let mut after: BTreeMap<Point, BTreeSet<Point>> = BTreeMap::new();
    for (life, story) in stories.iter().enumerate() {
        let points = story.spans.iter().enumerate().flat_map(|(at, span)| {
            let messages = span.regular.iter().chain(&span.in_transitional).copied().map(Point::Message);
            std::iter::once(Point::Configuration(classes.of((life, at)))).chain(messages)
        });
        let points: Vec<Point> = points.collect();
        for pair in points.windows(2) {
            after.entry(pair[0]).or_default().insert(pair[1]);
        }
        for (known, sent) in &story.known {
            if let Some(known) = known {
                after.entry(Point::Message(*known)).or_default().insert(Point::Message(*sent));
            }
        }
    }
    after
}

/// One of the circles among what could not be put in order. All of `left` comes after something else of it.
fn circle(left: &BTreeMap<Point, usize>, after: &BTreeMap<Point, BTreeSet<Point>>) -> Vec<Point> {
    let earlier = |point: &Point| {
        left.keys().find(|other| after.get(other).is_some_and(|next| next.contains(point))).copied()
    };
    let mut path: Vec<Point> = Vec::new();
    let mut at = left.keys().next().copied();
    while let Some(point) = at {
        if let Some(start) = path.iter().position(|&seen| seen == point) {
            path.drain(..start);
            break;
        }
        path.push(point);
        at = earlier(&point);
    }
    path.reverse();
    path
}

fn text(trace: &Trace, stories: &[Story], point: &Point) -> String {
    match point {
        Point::Message(tag) => tag.to_string(),
        Point::Configuration((life, at)) => {
            let Some(span) = stories[*life].spans.get(*at) else { return "a configuration".to_owned() };
            format!("{:?} of {}", span.members, super::name(&trace.lives[*life]))
        }
    }
}

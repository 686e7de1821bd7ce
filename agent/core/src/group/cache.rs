//! The control cache of a manager: what nodes answered to commands that were broadcast, until it is flushed.
//!
//! Invariants: 1. it holds answers to [`CACHED_COMMANDS_MAX`](bounds::CACHED_COMMANDS_MAX) commands and
//! [`CACHED_BYTES_MAX`](bounds::CACHED_BYTES_MAX) bytes of them; the commands that were given longest ago make room, and
//! are counted; 2. an answer stays until a newer one of its node comes. A driver may keep it on disk: [`ControlCache::kept`]
//! gives what there is, [`ControlCache::restore`] takes it back in another life.
use super::questions::{Answered, Outcome, Token};
use crate::{
    bounds,
    time::{Instant, Span},
};
use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct ControlCache {
    /// By the command as it was given.
    commands: BTreeMap<String, Cached>,
    /// Commands given since the start.
    given: u64,
    dropped: u64,
}

/// The newest answers to one command.
#[derive(Clone, Debug)]
struct Cached {
    /// Its place in the order in which commands were given.
    order: u64,
    /// What is under way.
    token: Option<Token>,
    answers: Vec<Kept>,
}

/// An answer that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The answer.
    pub answered: Answered,
    /// The age it had when this process took it from an earlier one; zero for what this one collected.
    pub earlier: Span,
}

impl ControlCache {
    /// A command was given to members. What they answered to an earlier one of the same words stays until they answer.
    pub fn give(&mut self, line: &str, token: Token) {
        self.given += 1;
        let cached = self.commands.entry(line.to_string());
        let cached = cached.or_insert(Cached { order: 0, token: None, answers: Vec::new() });
        (cached.order, cached.token) = (self.given, Some(token));
        self.make_room();
    }

    /// All that will come of the command under `token` has come.
    pub fn take(&mut self, token: Token, answers: Vec<Answered>) {
        let Some(cached) = self.commands.values_mut().find(|cached| cached.token == Some(token)) else {
            return;
        };
        cached.token = None;
        cached.merge(answers);
        self.make_room();
    }

    /// Returns the answers to a command so far; `under_way` gives those that have come of what is under way. None if
    /// the command was not given since the last flush.
    pub fn answers(
        &self,
        line: &str,
        under_way: impl FnOnce(Token) -> Option<Vec<Answered>>,
    ) -> Option<Vec<Kept>> {
        let mut cached = self.commands.get(line)?.clone();
        if let Some(answers) = cached.token.and_then(under_way) {
            cached.merge(answers);
        }
        Some(cached.answers)
    }

    /// Forgets all answers; returns to how many commands.
    pub fn flush(&mut self) -> usize {
        core::mem::take(&mut self.commands).len()
    }

    /// Returns the commands there are answers to.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.commands.keys().map(String::as_str)
    }

    /// Returns how many commands made room for others since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Returns the commands in the order in which they were given, with what was answered.
    pub fn kept(&self) -> Vec<(String, Vec<Kept>)> {
        let mut commands = self.commands.iter().collect::<Vec<_>>();
        commands.sort_by_key(|(_, cached)| cached.order);
        commands.into_iter().map(|(line, cached)| (line.clone(), cached.answers.clone())).collect()
    }

    /// Takes a command with its answers from an earlier life, before any is given in this one.
    pub fn restore(&mut self, line: String, answers: Vec<Kept>) {
        self.given += 1;
        self.commands.insert(line, Cached { order: self.given, token: None, answers });
        self.make_room();
    }

    fn make_room(&mut self) {
        let bytes = |cached: &Cached| cached.answers.iter().map(Kept::bytes).sum::<usize>();
        let mut all = self.commands.values().map(bytes).sum::<usize>();
        while self.commands.len() > bounds::CACHED_COMMANDS_MAX
            || (all > bounds::CACHED_BYTES_MAX && self.commands.len() > 1)
        {
            let oldest = self.commands.iter().min_by_key(|(_, cached)| cached.order);
            let Some(oldest) = oldest.map(|(line, _)| line.clone()) else { return };
            all -= self.commands.remove(&oldest).as_ref().map_or(0, bytes);
            self.dropped += 1;
        }
    }
}

impl Kept {
    /// Returns how old the answer is.
    pub fn age(&self, now: Instant) -> Span {
        match &self.answered.outcome {
            Outcome::Answer { at, .. } => {
                Span::from_ns(now.since(*at).as_ns().saturating_add(self.earlier.as_ns()))
            }
            Outcome::Left | Outcome::Late => self.earlier,
        }
    }

    fn bytes(&self) -> usize {
        match &self.answered.outcome {
            Outcome::Answer { text, .. } => text.len(),
            Outcome::Left | Outcome::Late => 0,
        }
    }

    fn is_answer(&self) -> bool {
        matches!(self.answered.outcome, Outcome::Answer { .. })
    }
}

impl Cached {
    /// A new answer takes the place of an old one; a missing one takes the place of another missing one only.
    fn merge(&mut self, answers: Vec<Answered>) {
        for answered in answers {
            let new = Kept { answered, earlier: Span::ZERO };
            match self.answers.iter_mut().find(|known| known.answered.node == new.answered.node) {
                Some(known) => {
                    if new.is_answer() || !known.is_answer() {
                        *known = new;
                    }
                }
                None => self.answers.push(new),
            }
        }
        self.answers.sort_by(|a, b| a.answered.node.cmp(&b.answered.node));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec};

    fn answer(node: &str, text: &str) -> Answered {
        let outcome = Outcome::Answer { code: 0, text: text.into(), at: Instant::from_ns(1) };
        Answered { node: node.into(), outcome }
    }

    fn late(node: &str) -> Answered {
        Answered { node: node.into(), outcome: Outcome::Late }
    }

    #[track_caller]
    fn check(cache: &ControlCache, line: &str, expected: Option<&[Answered]>) {
        let found = cache.answers(line, |_| None);
        let found = found.map(|kept| kept.into_iter().map(|kept| kept.answered).collect::<Vec<_>>());
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn answers_under_way_are_shown_and_kept_when_they_are_all() {
        let mut cache = ControlCache::default();
        cache.give("version", 7);
        let so_far = vec![answer("a", "1"), late("b")];
        let shown = cache.answers("version", |token| (token == 7).then(|| so_far.clone())).unwrap();
        assert_eq!(shown.into_iter().map(|kept| kept.answered).collect::<Vec<_>>(), so_far);
        cache.take(7, vec![answer("a", "1"), answer("b", "2")]);
        check(&cache, "version", Some(&[answer("a", "1"), answer("b", "2")]));
        check(&cache, "help", None);
        assert_eq!(cache.flush(), 1);
        check(&cache, "version", None);
    }

    #[test]
    fn an_old_answer_is_better_than_none() {
        let mut cache = ControlCache::default();
        cache.give("version", 7);
        cache.take(7, vec![answer("a", "1"), answer("b", "1")]);
        cache.give("version", 8);
        cache.take(8, vec![answer("a", "2"), late("b"), late("c")]);
        check(&cache, "version", Some(&[answer("a", "2"), answer("b", "1"), late("c")]));
    }

    #[test]
    fn the_oldest_command_makes_room() {
        let mut cache = ControlCache::default();
        for n in 0..=bounds::CACHED_COMMANDS_MAX as u64 {
            cache.give(&format!("c{n}"), n);
        }
        check(&cache, "c0", None);
        check(&cache, "c1", Some(&[]));
        assert_eq!(cache.dropped(), 1);
    }

    #[test]
    fn answers_that_are_too_many_bytes_make_the_oldest_go() {
        let mut cache = ControlCache::default();
        let long = "x".repeat(bounds::CACHED_BYTES_MAX / 2 + 1);
        for (n, line) in [(1, "a"), (2, "b")] {
            cache.give(line, n);
            cache.take(n, vec![answer("n", &long)]);
        }
        check(&cache, "a", None);
        check(&cache, "b", Some(&[answer("n", &long)]));
    }

    #[test]
    fn what_was_kept_comes_back_in_its_order_and_with_its_age() {
        let mut cache = ControlCache::default();
        cache.give("b", 1);
        cache.take(1, vec![answer("n", "1")]);
        cache.give("a", 2);
        let mut next = ControlCache::default();
        for (line, mut answers) in cache.kept() {
            for kept in &mut answers {
                kept.earlier = Span::from_secs(60);
            }
            next.restore(line, answers);
        }
        assert_eq!(next.kept().iter().map(|(line, _)| line.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        let found = next.answers("b", |_| None).unwrap();
        assert_eq!(found[0].age(Instant::from_ns(1)), Span::from_secs(60));
    }
}

//! The control cache of a manager: what nodes answered to commands that were broadcast, until it is flushed.
use super::questions::{Answered, Outcome, Token};
use crate::{bounds, time::Instant};
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
    dropped: u64,
}

/// The newest answers to one command.
#[derive(Clone, Debug)]
struct Cached {
    given: Instant,
    /// What is under way.
    token: Option<Token>,
    answers: Vec<Answered>,
}

impl ControlCache {
    /// A command was given to members. What they answered to an earlier one of the same words stays until they answer.
    pub fn give(&mut self, now: Instant, line: &str, token: Token) {
        if !self.commands.contains_key(line) && self.commands.len() >= bounds::CACHED_COMMANDS_MAX {
            let oldest = self.commands.iter().min_by_key(|(_, cached)| cached.given);
            if let Some(oldest) = oldest.map(|(line, _)| line.clone()) {
                self.commands.remove(&oldest);
                self.dropped += 1;
            }
        }
        let cached = self.commands.entry(line.to_string());
        let cached = cached.or_insert(Cached { given: now, token: None, answers: Vec::new() });
        (cached.given, cached.token) = (now, Some(token));
    }

    /// All that will come of the command under `token` has come.
    pub fn take(&mut self, token: Token, answers: Vec<Answered>) {
        let Some(cached) = self.commands.values_mut().find(|cached| cached.token == Some(token)) else {
            return;
        };
        cached.token = None;
        cached.merge(answers);
    }

    /// Returns the answers to a command so far; `under_way` gives those that have come of what is under way. None if
    /// the command was not given since the last flush.
    pub fn answers(
        &self,
        line: &str,
        under_way: impl FnOnce(Token) -> Option<Vec<Answered>>,
    ) -> Option<Vec<Answered>> {
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
}

impl Cached {
    /// A new answer takes the place of an old one; a missing one takes the place of another missing one only.
    fn merge(&mut self, answers: Vec<Answered>) {
        for answered in answers {
            match self.answers.iter_mut().find(|known| known.node == answered.node) {
                Some(known) => {
                    let is_news = matches!(answered.outcome, Outcome::Answer { .. });
                    if is_news || !matches!(known.outcome, Outcome::Answer { .. }) {
                        *known = answered;
                    }
                }
                None => self.answers.push(answered),
            }
        }
        self.answers.sort_by(|a, b| a.node.cmp(&b.node));
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

    #[test]
    fn answers_under_way_are_shown_and_kept_when_they_are_all() {
        let mut cache = ControlCache::default();
        cache.give(Instant::from_ns(1), "version", 7);
        let so_far = vec![answer("a", "1"), late("b")];
        assert_eq!(cache.answers("version", |token| (token == 7).then(|| so_far.clone())), Some(so_far));
        cache.take(7, vec![answer("a", "1"), answer("b", "2")]);
        assert_eq!(cache.answers("version", |_| None), Some(vec![answer("a", "1"), answer("b", "2")]));
        assert_eq!(cache.answers("help", |_| None), None);
        assert_eq!((cache.flush(), cache.answers("version", |_| None)), (1, None));
    }

    #[test]
    fn an_old_answer_is_better_than_none() {
        let mut cache = ControlCache::default();
        cache.give(Instant::from_ns(1), "version", 7);
        cache.take(7, vec![answer("a", "1"), answer("b", "1")]);
        cache.give(Instant::from_ns(2), "version", 8);
        cache.take(8, vec![answer("a", "2"), late("b"), late("c")]);
        let expected = vec![answer("a", "2"), answer("b", "1"), late("c")];
        assert_eq!(cache.answers("version", |_| None), Some(expected));
    }

    #[test]
    fn the_oldest_command_makes_room() {
        let mut cache = ControlCache::default();
        for n in 0..=bounds::CACHED_COMMANDS_MAX as u64 {
            cache.give(Instant::from_ns(n), &format!("c{n}"), n);
        }
        assert_eq!((cache.answers("c0", |_| None), cache.answers("c1", |_| None)), (None, Some(vec![])));
    }
}

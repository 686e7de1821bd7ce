//! Until when this node's kernel may answer for its addresses. Kept by the thread of the heartbeats, which nothing blocks.
//!
//! The lease is one instant in memory that the kernel program reads: when it has passed, the host is silent, whoever is
//! alive. It is renewed while the cluster thread allows this *generation* of it. A generation ends, and the kernel is
//! silenced at once, when others may have begun to act without this node: it heard no majority of them for as long as it
//! takes them to doubt it, or it did not run for that long. Only what they confirm after that makes the next one valid.
use super::Settings;
use crate::{
    group::detector::Stage,
    time::{Instant, Span},
};

/// What the keeper goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// For how long each renewal lasts.
    pub lease: Span,
    /// Silence of this node after which others doubt it.
    pub doubt: Span,
    /// Nodes and managers of the cluster that must hear each other, this one included; 1 when a part alone may go on.
    pub enough: usize,
}

/// What to do about the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Leave it.
    Nothing,
    /// It lasts until then.
    Renew(Instant),
    /// It is over.
    Revoke,
}

/// What the cluster thread must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// The generation that it may allow next.
    pub generation: u64,
    /// Enough nodes are heard.
    pub contact: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Keeper {
    rules: Rules,
    generation: u64,
    /// When it was renewed last, while it is valid.
    renewed: Option<Instant>,
    /// When [`tick`](Self::tick) was called last.
    ticked: Option<Instant>,
    contact: bool,
    news: bool,
}

impl Rules {
    /// Returns the rules of a node with these settings.
    pub fn new(settings: &Settings) -> Self {
        let enough =
            (1..=settings.voters).find(|members| settings.is_enough(*members)).unwrap_or(settings.voters);
        Self { lease: settings.lease, doubt: Stage::Doubted.begins(settings.heartbeat), enough }
    }

    /// Returns for how long peers with a newer view than this node's still count as heard. Whoever may be left out of that
    /// view then has the time that `noticed` gives it to fall silent.
    pub fn grace(&self) -> Span {
        agreement(self.lease)
    }

    /// Longest time between two renewals that nobody else can have noticed.
    fn patience(&self) -> Span {
        self.doubt.min(self.lease)
    }
}

impl Keeper {
    /// Returns a keeper whose lease is not valid.
    pub fn new(rules: Rules) -> Self {
        Self { rules, generation: 1, renewed: None, ticked: None, contact: false, news: true }
    }

    /// Takes other rules.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Time has passed. `heard` peers are heard; the cluster thread allows generation `allowed`, 0 for none, and last
    /// said so, or anything, at `alive`.
    pub fn tick(&mut self, now: Instant, heard: usize, allowed: u64, alive: Instant) -> Act {
        let contact = heard + 1 >= self.rules.enough;
        self.news |= contact != self.contact;
        self.contact = contact;
        let slept = self.ticked.replace(now).map_or(Span::ZERO, |ticked| now.since(ticked));
        let Some(renewed) = self.renewed else {
            // A permission lasts no longer than what the others promised.
            if slept > agreement(self.rules.lease) {
                self.generation += 1;
                self.news = true;
                return Act::Nothing;
            }
            if allowed != self.generation || !contact {
                return Act::Nothing;
            }
            self.renewed = Some(now);
            return Act::Renew(now + self.rules.lease);
        };
        if allowed != self.generation {
            self.renewed = None;
            return Act::Revoke;
        }
        if !contact || now.since(renewed) > self.rules.patience() {
            self.renewed = None;
            self.generation += 1;
            self.news = true;
            return Act::Revoke;
        }
        // A cluster thread that does not run may have missed that this node lost everything.
        if now.since(alive) > agreement(self.rules.lease) {
            return Act::Nothing;
        }
        self.renewed = Some(now);
        Act::Renew(now + self.rules.lease)
    }

    /// Returns when it must be called again at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        let (since, within) = match self.renewed {
            Some(renewed) => (renewed, self.rules.patience()),
            None => (self.ticked?, agreement(self.rules.lease)),
        };
        Some(since + Span::from_ns(within.as_ns() / 2))
    }

    /// Returns what the cluster thread must know and does not know yet.
    pub fn poll(&mut self) -> Option<News> {
        core::mem::take(&mut self.news).then_some(News { generation: self.generation, contact: self.contact })
    }

    /// Tells whether [`poll`](Self::poll) has something.
    pub fn has_news(&self) -> bool {
        self.news
    }

    /// What [`poll`](Self::poll) returned could not be handed on.
    pub fn keep_news(&mut self) {
        self.news = true;
    }
}

/// Returns for how long the others' agreement to a lease holds: the time in which all must have agreed, and then the time
/// in which the kernel must have been told. The two together are a lease, and for that long the others have promised to
/// take nothing (`holder::confirm`).
pub(super) fn agreement(lease: Span) -> Span {
    Span::from_ns(lease.as_ns() / 2)
}

/// Returns how long after the members of a view have agreed a node that they left out is silent, if it hears any of them or
/// none: it has missed two heartbeats or read in one that there is a newer view, and borne that for its grace.
pub(super) fn noticed(settings: &Settings) -> Span {
    let heard = Stage::Suspect.begins(settings.heartbeat);
    Span::from_ns(agreement(settings.lease).as_ns() + heard.as_ns())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { lease: Span::from_ms(500), doubt: Span::from_ms(25), enough: 2 };

    fn at(ms: u64) -> Instant {
        Instant::from_ns(1_000_000_000) + Span::from_ms(ms)
    }

    fn valid() -> Keeper {
        let mut keeper = Keeper::new(RULES);
        assert_eq!(keeper.tick(at(0), 2, 1, at(0)), Act::Renew(at(500)));
        keeper
    }

    #[test]
    fn nothing_is_valid_before_it_is_allowed() {
        let mut keeper = Keeper::new(RULES);
        assert_eq!(keeper.tick(at(0), 2, 0, at(0)), Act::Nothing);
        assert_eq!(keeper.poll(), Some(News { generation: 1, contact: true }));
        assert_eq!(keeper.poll(), None);
        assert_eq!(keeper.tick(at(1), 0, 1, at(0)), Act::Nothing, "allowed, but nobody is heard");
        assert_eq!(keeper.tick(at(2), 1, 1, at(0)), Act::Renew(at(502)));
    }

    #[test]
    fn who_hears_too_few_is_silent_at_once_and_until_it_is_allowed_again() {
        let mut keeper = valid();
        assert_eq!(keeper.tick(at(10), 0, 1, at(10)), Act::Revoke);
        assert_eq!(keeper.poll(), Some(News { generation: 2, contact: false }));
        assert_eq!(keeper.tick(at(20), 2, 1, at(20)), Act::Nothing, "the old permission is void");
        assert_eq!(keeper.tick(at(30), 2, 2, at(30)), Act::Renew(at(530)));
    }

    #[test]
    fn who_did_not_run_for_long_may_have_lost_everything() {
        let mut keeper = valid();
        assert_eq!(keeper.tick(at(25), 2, 1, at(25)), Act::Renew(at(525)));
        assert_eq!(keeper.tick(at(51), 2, 1, at(51)), Act::Revoke);
        assert_eq!(keeper.poll().map(|news| news.generation), Some(2));
    }

    #[test]
    fn a_permission_that_was_slept_through_is_void() {
        let mut keeper = Keeper::new(RULES);
        assert_eq!(keeper.tick(at(0), 2, 0, at(0)), Act::Nothing);
        assert_eq!(keeper.next_deadline(), Some(at(125)), "often enough to notice");
        assert_eq!(keeper.tick(at(251), 2, 1, at(251)), Act::Nothing);
        assert_eq!(keeper.poll().map(|news| news.generation), Some(2));
        assert_eq!(keeper.tick(at(260), 2, 2, at(260)), Act::Renew(at(760)));
    }

    #[test]
    fn a_cluster_thread_that_hangs_lets_the_lease_run_out() {
        let mut keeper = valid();
        let mut last = at(500);
        for ms in (10..300).step_by(10) {
            match keeper.tick(at(ms), 2, 1, at(0)) {
                Act::Renew(until) => last = until,
                Act::Nothing => assert!(ms > 250),
                Act::Revoke => assert!(ms > 270, "{ms}"),
            }
        }
        assert!(last <= at(750));
    }

    #[test]
    fn a_permission_that_is_withdrawn_ends_it_and_may_come_back() {
        let mut keeper = valid();
        assert_eq!(keeper.tick(at(10), 2, 0, at(10)), Act::Revoke);
        assert_eq!(keeper.tick(at(20), 2, 1, at(20)), Act::Renew(at(520)));
        keeper.set_rules(Rules { enough: 0, ..RULES });
        assert_eq!(keeper.tick(at(30), 0, 1, at(30)), Act::Renew(at(530)), "each side for itself");
    }
}

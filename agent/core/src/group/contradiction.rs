//! What does not fit the agreed view: a member that says another one, that is silent, or that is alive and not in it.
//!
//! Each is told with the evidence, and moves nothing: the view is what the members agreed on, heartbeats are what this node
//! heard. The manual calls such a node byzantine.
use super::view::View;
use crate::time::{Instant, Span};
use alloc::{collections::BTreeMap, format, string::String, sync::Arc, vec::Vec};

/// What a peer's latest heartbeat says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub name: Arc<str>,
    /// When it was heard; none when it never was.
    pub heard_at: Option<Instant>,
    /// It has fallen silent.
    pub suspect: bool,
    /// Epoch and digest of the view it holds; zeros when it holds none.
    pub view: (u64, u64),
}

/// Returns what contradicts `view`, which was taken at `since`, by what `claims` say, for people.
pub fn contradictions(view: &View, since: Instant, claims: &[Claim], now: Instant) -> Vec<String> {
    let held = now.since(since);
    if held < PATIENCE {
        return Vec::new();
    }
    let mut found = duplicates(view);
    let own = (view.epoch, view.digest());
    for Claim { name, heard_at, suspect, view: theirs } in claims {
        let Some(heard_at) = heard_at else { continue };
        let is_member = view.named(name).next().is_some();
        let silent = now.since(*heard_at);
        // What it said before this view was taken is no evidence.
        let is_fresh = !suspect && heard_at.since(since) >= PATIENCE;
        let said = if theirs.0 == 0 { "no view".into() } else { format!("view {}", theirs.0) };
        if is_member && *suspect && silent >= PATIENCE {
            found.push(format!(
                "{name} is in the agreed view {} but silent on the mesh for {silent}",
                view.epoch
            ));
        } else if is_member && is_fresh && *theirs != own {
            found.push(format!(
                "{name} is in the agreed view {} but says {said}; see `convoy status` there, and `cluster reset` it if \
                 that lasts",
                view.epoch
            ));
        } else if !is_member && is_fresh {
            found.push(format!(
                "{name} is alive but not in the agreed view {}: it says {said}; its bus is cut off or down, see \
                 `convoy status` there",
                view.epoch
            ));
        }
    }
    found
}

/// Returns the names that two members use.
fn duplicates(view: &View) -> Vec<String> {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for member in view.members.values() {
        *names.entry(&member.card.name).or_default() += 1;
    }
    let twice = names.into_iter().filter(|(_, count)| *count > 1);
    twice
        .map(|(name, count)| {
            format!(
                "{count} members of view {} call themselves {name}; give each a nodename of its own",
                view.epoch
            )
        })
        .collect()
}

/// Time that a view and what is said of it have to settle. chosen: many heartbeats, and many rounds of the bus.
const PATIENCE: Span = Span::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{
        bus::MemberId,
        view::{Card, Member, Role},
    };

    fn at(ms: u64) -> Instant {
        Instant::from_ns(0) + Span::from_ms(ms)
    }

    fn view(names: &[&str]) -> View {
        let member = |(n, name): (usize, &&str)| {
            let id = MemberId { host: u32::try_from(n).unwrap(), process: 1 };
            let card = Card {
                role: Role::Node,
                incarnation: 1,
                name: (*name).into(),
                subcluster: "".into(),
                version: "".into(),
                address: None,
                groups: [].into(),
                parameters: [].into(),
            };
            (id, Member { id, since: 1, card })
        };
        let members = names.iter().enumerate().map(member).collect();
        View { epoch: 9, own: MemberId { host: 0, process: 1 }, members }
    }

    #[track_caller]
    fn check(names: &[&str], suspect: bool, claimed: Option<(u64, u64)>, heard_ms: u64, expected: &[&str]) {
        let view = view(names);
        let claimed = claimed.unwrap_or((9, view.digest()));
        let claim = Claim { name: "b".into(), heard_at: Some(at(heard_ms)), suspect, view: claimed };
        let found = contradictions(&view, at(0), &[claim], at(5_000));
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn a_member_that_agrees_is_not_named() {
        check(&["a", "b"], false, None, 4_990, &[]);
    }

    #[test]
    fn another_view_of_the_same_epoch_is_a_contradiction() {
        check(&["a", "b"], false, Some((9, 1)), 4_990, &["b is in the agreed view 9 but says view 9;"]);
        check(&["a", "b"], false, Some((0, 0)), 4_990, &["b is in the agreed view 9 but says no view;"]);
    }

    #[test]
    fn what_was_said_before_the_view_is_no_evidence() {
        check(&["a", "b"], false, Some((8, 1)), 1_000, &[]);
    }

    #[test]
    fn a_silent_member_is_named_and_so_is_one_that_lives_outside() {
        check(&["a", "b"], true, None, 1_000, &["b is in the agreed view 9 but silent on the mesh for 4"]);
        check(
            &["a"],
            false,
            Some((3, 4)),
            4_990,
            &["b is alive but not in the agreed view 9: it says view 3;"],
        );
        check(&["a"], true, Some((3, 4)), 4_990, &[]);
    }

    #[test]
    fn two_members_of_one_name_are_named() {
        check(&["a", "a"], true, None, 4_990, &["2 members of view 9 call themselves a;"]);
    }

    #[test]
    fn a_view_just_taken_is_given_time() {
        let claim = Claim { name: "b".into(), heard_at: Some(at(1_900)), suspect: false, view: (1, 1) };
        assert_eq!(contradictions(&view(&["a"]), at(0), &[claim], at(1_999)), Vec::<String>::new());
    }
}

//! From corosync's changes to configurations.
//!
//! When nodes come or go, corosync tells of each that went and each that came by itself, in an order of its own on every
//! node, and no message is delivered in between. What it ends at is the same everywhere, so that alone is told: the
//! transitional configuration of those that went on together, then the regular one. A process that comes or goes on a
//! node that stays is one change, in one place of the order, and told at once.
//!
//! Source: `exec/cpg.c` of corosync 3.1, which tells of the changes of processes when its own nodes have agreed, and of
//! the new ring last.
use convoy_core::group::bus::{Configuration, Kind, MemberId};
use std::collections::BTreeSet;

/// Follows the changes of one membership, from its beginning to its end.
#[derive(Debug)]
pub(super) struct Changes {
    own: MemberId,
    /// Of the regular configuration that was told last; empty before the first.
    told: BTreeSet<MemberId>,
    /// Of the change that was heard last.
    heard: BTreeSet<MemberId>,
    /// Those that went since the last told one.
    left: BTreeSet<MemberId>,
    /// Whether something was heard that has not been told.
    pending: bool,
}

impl Changes {
    /// Begins with nobody.
    pub(super) fn new(own: MemberId) -> Self {
        let nobody = BTreeSet::new();
        Self { own, told: nobody.clone(), heard: nobody.clone(), left: nobody, pending: false }
    }

    /// Returns whether this process has been told that it is a member.
    pub(super) fn is_member(&self) -> bool {
        !self.told.is_empty()
    }

    /// Returns whether something was heard and not told: the end of a change of nodes is still to come.
    pub(super) fn is_pending(&self) -> bool {
        self.pending
    }

    /// Takes a change: those that are there now, and those that went. Returns what is to be told.
    pub(super) fn change(
        &mut self,
        members: BTreeSet<MemberId>,
        left: impl IntoIterator<Item = MemberId>,
        by_nodes: bool,
    ) -> Vec<Configuration> {
        self.heard = members;
        self.left.extend(left);
        self.pending = true;
        if by_nodes { Vec::new() } else { self.settle() }
    }

    /// The change of nodes is complete, or a message shows that it must be. Returns what is to be told.
    pub(super) fn settle(&mut self) -> Vec<Configuration> {
        if !self.pending || !self.heard.contains(&self.own) {
            return Vec::new();
        }
        self.pending = false;
        let left = std::mem::take(&mut self.left);
        let stayed: BTreeSet<_> =
            self.told.difference(&left).filter(|member| self.heard.contains(member)).copied().collect();
        let lost = stayed.len() < self.told.len();
        if !lost && self.heard == self.told {
            return Vec::new();
        }
        let transitional = Configuration { kind: Kind::Transitional, members: stayed };
        self.told.clone_from(&self.heard);
        let regular = Configuration { kind: Kind::Regular, members: self.told.clone() };
        if lost { vec![transitional, regular] } else { vec![regular] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn m(host: u32) -> MemberId {
        MemberId { host, process: 7 }
    }

    fn set<const N: usize>(hosts: [u32; N]) -> BTreeSet<MemberId> {
        hosts.map(m).into()
    }

    fn regular<const N: usize>(hosts: [u32; N]) -> Configuration {
        Configuration { kind: Kind::Regular, members: set(hosts) }
    }

    fn transitional<const N: usize>(hosts: [u32; N]) -> Configuration {
        Configuration { kind: Kind::Transitional, members: set(hosts) }
    }

    fn joined<const N: usize>(hosts: [u32; N]) -> Changes {
        let mut changes = Changes::new(m(1));
        assert_eq!(changes.change(set(hosts), [], false), [regular(hosts)]);
        changes
    }

    #[test]
    fn a_process_that_comes_or_goes_is_told_at_once() {
        let mut changes = joined([1]);
        assert_eq!(changes.change(set([1, 2]), [], false), [regular([1, 2])]);
        assert_eq!(changes.change(set([1]), [m(2)], false), [transitional([1]), regular([1])]);
    }

    #[test]
    fn a_merge_in_steps_is_one_configuration() {
        let mut changes = joined([1]);
        assert_eq!(changes.change(set([1, 2]), [], true), []);
        assert_eq!(changes.change(set([1, 2, 3]), [], true), []);
        assert!(changes.is_pending());
        assert_eq!(changes.settle(), [regular([1, 2, 3])]);
        assert_eq!(changes.settle(), []);
    }

    #[test]
    fn who_went_and_came_back_in_one_change_did_not_go_on_with_us() {
        let mut changes = joined([1, 2, 3]);
        assert_eq!(changes.change(set([1, 2]), [m(3)], true), []);
        assert_eq!(changes.change(set([1, 2, 3]), [], true), []);
        assert_eq!(changes.settle(), [transitional([1, 2]), regular([1, 2, 3])]);
    }

    #[test]
    fn a_change_without_this_process_waits_for_it() {
        let mut changes = Changes::new(m(1));
        assert_eq!(changes.change(set([2]), [], false), []);
        assert!(!changes.is_member());
        assert_eq!(changes.change(set([1, 2]), [], false), [regular([1, 2])]);
        assert!(changes.is_member());
    }

    #[test]
    fn a_new_ring_of_the_same_processes_is_not_told() {
        let mut changes = joined([1, 2]);
        assert_eq!(changes.settle(), []);
        assert_eq!(changes.change(set([1, 2]), [], true), []);
        assert_eq!(changes.settle(), []);
    }
}

//! From corosync's changes to configurations.
//!
//! When nodes come or go, corosync tells of each that went and each that came by itself, in an order of its own on every
//! node, then of the ring that holds now, and no message is delivered in between. What it ends at is the same everywhere,
//! so that alone is told: the transitional configuration of those that went on together, then the regular one. A process
//! that comes or goes on a node that stays is one change, in one place of the order, and told at once.
//!
//! A process on a node that is not in the ring is no member, whatever corosync says: a node that dies while the lists of
//! processes are exchanged may leave its own list behind, and corosync then has its processes come after the node went,
//! and stay until the next ring. And one that comes on a node which is only on its way into the ring waits for that.
//!
//! Source: `exec/cpg.c` of corosync 3.1, which tells of the changes of processes when its own nodes have agreed, and of
//! the new ring last; `cpg_sync_abort` there does not see the lists that are still to be recovered from the old ring.
use convoy_core::group::bus::{Configuration, Kind, MemberId};
use std::collections::BTreeSet;

/// Follows the changes of one membership, from its beginning to its end.
#[derive(Debug)]
pub(super) struct Changes {
    own: MemberId,
    /// Nodes of the ring that holds; none before the first is told.
    nodes: Option<BTreeSet<u32>>,
    /// Of the regular configuration that was told last; empty before the first.
    told: BTreeSet<MemberId>,
    /// Of the change that was heard last.
    heard: BTreeSet<MemberId>,
    /// Those that went since the last told one.
    left: BTreeSet<MemberId>,
    /// The beginning of a change of nodes was heard, and not its end.
    pending: bool,
}

impl Changes {
    /// Begins with nobody.
    pub(super) fn new(own: MemberId) -> Self {
        let nobody = BTreeSet::new();
        Self { own, nodes: None, told: nobody.clone(), heard: nobody.clone(), left: nobody, pending: false }
    }

    /// Returns whether this process has been told that it is a member.
    pub(super) fn is_member(&self) -> bool {
        !self.told.is_empty()
    }

    /// Returns whether the end of a change of nodes is still to come.
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
        self.pending |= by_nodes;
        if self.pending { Vec::new() } else { self.settle() }
    }

    /// The change of nodes is complete: the ring of these holds. Returns what is to be told.
    pub(super) fn ring(&mut self, nodes: impl IntoIterator<Item = u32>) -> Vec<Configuration> {
        self.nodes = Some(nodes.into_iter().collect());
        self.settle()
    }

    /// Takes a change of nodes for complete whose end is overdue. Returns what is to be told.
    pub(super) fn settle(&mut self) -> Vec<Configuration> {
        self.pending = false;
        let Some(nodes) = &self.nodes else { return Vec::new() };
        let there: BTreeSet<_> =
            self.heard.iter().filter(|member| nodes.contains(&member.host)).copied().collect();
        if !there.contains(&self.own) {
            return Vec::new();
        }
        let left = std::mem::take(&mut self.left);
        let stayed: BTreeSet<_> =
            self.told.difference(&left).filter(|member| there.contains(member)).copied().collect();
        let lost = stayed.len() < self.told.len();
        if !lost && there == self.told {
            return Vec::new();
        }
        let transitional = Configuration { kind: Kind::Transitional, members: stayed };
        self.told = there;
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
        assert_eq!(changes.change(set(hosts), [], false), [], "no ring is known");
        assert_eq!(changes.ring(hosts), [regular(hosts)]);
        changes
    }

    #[test]
    fn a_process_that_comes_or_goes_is_told_at_once() {
        let mut changes = joined([1, 2]);
        assert_eq!(changes.change(set([1]), [m(2)], false), [transitional([1]), regular([1])]);
        assert_eq!(changes.change(set([1, 2]), [], false), [regular([1, 2])]);
    }

    #[test]
    fn a_merge_in_steps_is_one_configuration() {
        let mut changes = joined([1]);
        assert_eq!(changes.change(set([1, 2]), [], true), []);
        assert_eq!(changes.change(set([1, 2, 3]), [], true), []);
        assert!(changes.is_pending());
        assert_eq!(changes.ring([1, 2, 3]), [regular([1, 2, 3])]);
        assert!(!changes.is_pending());
        assert_eq!(changes.settle(), []);
    }

    #[test]
    fn who_went_and_came_back_in_one_change_did_not_go_on_with_us() {
        let mut changes = joined([1, 2, 3]);
        assert_eq!(changes.change(set([1, 2]), [m(3)], true), []);
        assert_eq!(changes.change(set([1, 2, 3]), [], true), []);
        assert_eq!(changes.ring([1, 2, 3]), [transitional([1, 2]), regular([1, 2, 3])]);
    }

    #[test]
    fn a_process_that_goes_in_the_middle_of_a_change_of_nodes_is_told_with_it() {
        let mut changes = joined([1, 2, 3]);
        assert_eq!(changes.change(set([1, 2]), [m(3)], true), []);
        assert_eq!(changes.change(set([1]), [m(2)], false), []);
        assert_eq!(changes.ring([1, 2]), [transitional([1]), regular([1])]);
    }

    #[test]
    fn a_change_without_this_process_waits_for_it() {
        let mut changes = Changes::new(m(1));
        assert_eq!(changes.change(set([2]), [], false), []);
        assert_eq!(changes.ring([1, 2]), []);
        assert!(!changes.is_member());
        assert_eq!(changes.change(set([1, 2]), [], false), [regular([1, 2])]);
        assert!(changes.is_member());
    }

    #[test]
    fn a_new_ring_of_the_same_processes_is_not_told() {
        let mut changes = joined([1, 2]);
        assert_eq!(changes.ring([1, 2, 3]), []);
        assert_eq!(changes.change(set([1, 2]), [], true), []);
        assert_eq!(changes.ring([1, 2]), []);
    }

    #[test]
    fn a_process_whose_node_is_not_in_the_ring_is_no_member() {
        let mut changes = joined([1, 2]);
        // The third comes although its node has gone.
        assert_eq!(changes.change(set([1, 2, 3]), [], true), []);
        assert_eq!(changes.ring([1, 2]), []);
        assert_eq!(changes.change(set([1, 3]), [m(2)], false), [transitional([1]), regular([1])]);
    }

    #[test]
    fn a_process_on_a_node_that_is_on_its_way_waits_for_that() {
        let mut changes = joined([1, 2]);
        assert_eq!(changes.change(set([1, 2, 3]), [], false), []);
        assert_eq!(changes.ring([1, 2, 3]), [regular([1, 2, 3])]);
    }
}

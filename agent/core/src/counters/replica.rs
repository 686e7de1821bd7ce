//! One replicated object: this node's own counts, one view per sender, and their sum `global`.
//!
//! Invariants: 1. `global` is at every moment the sum of the own counts and all views; 2. only this node's
//! kernel changes the own counts, only a sender's frames change its view: one writer per cell; 3. a sender that
//! goes takes its view with it. Values are absolute, so applying a frame twice changes nothing.
//! Does not know connections or sequence numbers; see `group::link`.
use super::{sums::Cell, tree::CidrTree};
use crate::bounds;
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use convoy_common::{
    addr::{Family, Host},
    count::Count,
};

/// A change of own counts: the host and its count now, `None` when it is no longer counted.
pub type Changes<'a> = &'a [(Host, Option<Count>)];

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    own: CidrTree,
    views: BTreeMap<Arc<str>, CidrTree>,
    global: CidrTree,
}

impl Replica {
    /// Returns this node's own counts.
    pub fn own(&self) -> &CidrTree {
        &self.own
    }

    /// Returns what `sender` last said, or `None` when it takes no part.
    pub fn view(&self, sender: &str) -> Option<&CidrTree> {
        self.views.get(sender)
    }

    /// Returns the sum over this node and all senders.
    pub fn global(&self) -> &CidrTree {
        &self.global
    }

    /// Takes a change of this node's own count of `host`. Tells whether it was one. Counts beyond
    /// [`bounds::CURRENT_MAX`] and [`bounds::TOTAL_MAX`] stop there.
    pub fn set_own(&mut self, host: Host, count: Option<Count>) -> bool {
        let cell = count.and_then(bounded);
        let old = self.own.set(host, cell);
        adjust(&mut self.global, host, old, cell);
        old != cell
    }

    /// Takes the complete own counts and returns the hosts that changed.
    pub fn replace_own(&mut self, counts: &[(Host, Count)]) -> Vec<Host> {
        let mut wanted = counts.iter().copied().collect::<BTreeMap<_, _>>();
        let mut changed = Vec::new();
        for host in self.own.hosts().map(|(host, _)| host).collect::<Vec<_>>() {
            if !wanted.contains_key(&host) && self.set_own(host, None) {
                changed.push(host);
            }
        }
        while let Some((host, count)) = wanted.pop_first() {
            if self.set_own(host, Some(count)) {
                changed.push(host);
            }
        }
        changed
    }

    /// Takes what `sender` says of some hosts; `None` for one that it no longer counts.
    pub fn apply(&mut self, sender: &Arc<str>, cells: impl IntoIterator<Item = (Host, Option<Cell>)>) {
        let Self { views, global, .. } = self;
        let view = views.entry(sender.clone()).or_default();
        cells.into_iter().for_each(|(host, cell)| adjust(global, host, view.set(host, cell), cell));
    }

    /// Takes everything `sender` counts from `first` to `last`: hosts in between that are not named are gone.
    ///
    /// `cells` ascend, are of `family` and lie within `first..=last`; the frame's decoder made sure of it.
    pub fn apply_range(
        &mut self,
        sender: &Arc<str>,
        family: Family,
        (first, last): (Host, Host),
        cells: impl Iterator<Item = (Host, Cell)>,
    ) {
        let Self { views, global, .. } = self;
        let view = views.entry(sender.clone()).or_default();
        // Usually the range is empty here: a new sender. Then nothing is collected and nothing compared.
        let known = view.hosts_from(family, first).map(|(host, _)| host).take_while(|host| *host <= last);
        let mut known = known.collect::<Vec<_>>().into_iter().peekable();
        let mut put = |host, cell| adjust(global, host, view.set(host, cell), cell);
        for (host, cell) in cells {
            while let Some(gone) = known.next_if(|known| *known < host) {
                put(gone, None);
            }
            known.next_if(|known| *known == host);
            put(host, Some(cell));
        }
        known.for_each(|gone| put(gone, None));
    }

    /// Subtracts everything `sender` said. Returns the number of its hosts.
    pub fn forget(&mut self, sender: &str) -> usize {
        let Some(view) = self.views.remove(sender) else { return 0 };
        for (host, cell) in view.hosts() {
            adjust(&mut self.global, host, Some(cell), None);
        }
        view.len()
    }
}

/// Moves the sum's cell of `host` along with one of its parts, from `old` to `new`.
fn adjust(global: &mut CidrTree, host: Host, old: Option<Cell>, new: Option<Cell>) {
    if old == new {
        return;
    }
    let (old_current, old_total) = old.map_or((0, 0), |cell| (cell.current, cell.total));
    let (new_current, new_total) = new.map_or((0, 0), |cell| (cell.current, cell.total));
    global.update(host, |sum| {
        let (current, total) = sum.map_or((0, 0), |cell| (cell.current, cell.total));
        // The old part is in the sum (invariant 1), and bounds keep the new one from overflowing.
        debug_assert!(current >= old_current && total >= old_total);
        let total = total - old_total + new_total;
        (total > 0).then(|| Cell { current: current - old_current + new_current, total })
    });
}

/// Brings an own count into the range that travels; a host that never connected is no host.
pub fn bounded(count: Count) -> Option<Cell> {
    let current = u32::try_from(count.current).unwrap_or(u32::MAX).min(bounds::CURRENT_MAX);
    let total = count.total.max(u64::from(current)).min(bounds::TOTAL_MAX);
    (total > 0).then_some(Cell { current, total })
}

#[cfg(test)]
mod tests;

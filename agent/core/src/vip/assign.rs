//! Who is to have what: pure functions of who is there, what they would hold and who has it now.
//!
//! A node's load is the number of addresses it has, over its weight. [`fill`] gives addresses without an owner to the
//! node that has least; [`balance`] says which to move until no chain of moves would even the loads any more, [`relieve()`]
//! does it by the connections that nodes have. None moves what need not move. All is integers and fixed orders: equal inputs, equal outcome, on every node.
//!
//! Nodes are numbered, at most [`NODES_MAX`](crate::bounds::NODES_MAX), in an order that is the same everywhere.
mod relieve;

use alloc::{collections::VecDeque, vec, vec::Vec};

pub use relieve::relieve;

/// One address that moves on its own; those that follow others are not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Nodes that may have it: bit `n` is node `n`.
    pub candidates: u64,
    /// Who has it, or is about to get it.
    pub owner: Option<usize>,
    /// The node it should be on. It gets it if it is a candidate, and is not moved to even anything.
    pub preference: Option<usize>,
}

impl Slot {
    fn may(self, node: usize) -> bool {
        self.candidates & (1 << node) != 0
    }

    fn preferred(self) -> Option<usize> {
        self.preference.filter(|node| self.may(*node))
    }
}

/// How many addresses each node has.
struct Loads<'a> {
    counts: Vec<u64>,
    weights: &'a [u32],
}

impl<'a> Loads<'a> {
    fn of(slots: &[Slot], weights: &'a [u32]) -> Self {
        let mut counts = vec![0; weights.len()];
        for owner in slots.iter().filter_map(|slot| slot.owner) {
            counts[owner] += 1;
        }
        Self { counts, weights }
    }

    fn weight(&self, node: usize) -> u64 {
        u64::from(self.weights[node].max(1))
    }

    /// Tells whether `a` with one more address has less load than `b` with one more.
    fn less(&self, a: usize, b: usize) -> bool {
        (self.counts[a] + 1) * self.weight(b) < (self.counts[b] + 1) * self.weight(a)
    }

    /// Tells whether loads are more even when an address goes from one node to another.
    fn evens(&self, from: usize, to: usize) -> bool {
        (self.counts[to] + 1) * self.weight(from) < self.counts[from] * self.weight(to)
    }
}

/// Gives every address without an owner one: the preferred node, else the candidate that has least.
pub fn fill(slots: &mut [Slot], weights: &[u32]) {
    for slot in slots.iter_mut().filter(|slot| slot.owner.is_none()) {
        slot.owner = slot.preferred();
    }
    let mut loads = Loads::of(slots, weights);
    for slot in slots.iter_mut().filter(|slot| slot.owner.is_none()) {
        let candidates = (0..weights.len()).filter(|node| slot.may(*node));
        let least = candidates.reduce(|least, node| if loads.less(node, least) { node } else { least });
        if let Some(node) = least {
            loads.counts[node] += 1;
            slot.owner = Some(node);
        }
    }
}

/// Returns which addresses are not on the node that they should be on: their position and that node.
pub fn homeward(slots: &[Slot]) -> Vec<(usize, usize)> {
    let away = |(at, slot): (usize, &Slot)| {
        let home = slot.preferred()?;
        (slot.owner.is_some() && slot.owner != Some(home)).then_some((at, home))
    };
    slots.iter().enumerate().filter_map(away).collect()
}

/// Returns moves that even the loads, position and new owner: about `most` of them, and none when loads are even.
pub fn balance(slots: &[Slot], weights: &[u32], most: usize) -> Vec<(usize, usize)> {
    let nodes = weights.len();
    let mut slots = slots.to_vec();
    let mut loads = Loads::of(&slots, weights);
    // How many addresses each node could give to each other one.
    let mut gifts = vec![0_usize; nodes * nodes];
    for slot in slots.iter().filter(|slot| slot.preferred().is_none()) {
        let Some(owner) = slot.owner else { continue };
        (0..nodes).filter(|node| slot.may(*node)).for_each(|node| gifts[owner * nodes + node] += 1);
    }
    let mut moves = Vec::new();
    while let Some(path) = improvement(&loads, &gifts, nodes) {
        // A chain is moved whole, or not at all; one at least, or loads would stay as they are for ever.
        if !moves.is_empty() && moves.len() + path.len() - 1 > most {
            break;
        }
        for (from, to) in path.iter().copied().zip(path.iter().copied().skip(1)) {
            let movable =
                |slot: &Slot| slot.owner == Some(from) && slot.may(to) && slot.preferred().is_none();
            let Some(at) = slots.iter().position(movable) else { return moves };
            slots[at].owner = Some(to);
            for node in (0..nodes).filter(|node| slots[at].may(*node)) {
                gifts[from * nodes + node] -= 1;
                gifts[to * nodes + node] += 1;
            }
            moves.push((at, to));
        }
        if let [first, .., last] = path[..] {
            loads.counts[first] -= 1;
            loads.counts[last] += 1;
        }
    }
    moves
}

/// Returns the chain of nodes along which one address each evens the loads most: from the node with the greatest load
/// that can give, to the one with the smallest that it reaches.
fn improvement(loads: &Loads<'_>, gifts: &[usize], nodes: usize) -> Option<Vec<usize>> {
    let mut sources = (0..nodes).collect::<Vec<_>>();
    sources.sort_by(|a, b| {
        let (a_load, b_load) = (loads.counts[*a] * loads.weight(*b), loads.counts[*b] * loads.weight(*a));
        b_load.cmp(&a_load).then(a.cmp(b))
    });
    sources.into_iter().find_map(|source| {
        let mut from = vec![None; nodes];
        let mut queue = VecDeque::from([source]);
        let mut best: Option<usize> = None;
        while let Some(node) = queue.pop_front() {
            for next in 0..nodes {
                if next == source || from[next].is_some() || gifts[node * nodes + next] == 0 {
                    continue;
                }
                from[next] = Some(node);
                queue.push_back(next);
                if loads.evens(source, next) && best.is_none_or(|best| loads.less(next, best)) {
                    best = Some(next);
                }
            }
        }
        let mut path = vec![best?];
        while let Some(before) = path.last().and_then(|node| from[*node]) {
            path.push(before);
        }
        path.reverse();
        Some(path)
    })
}

#[cfg(test)]
mod tests;

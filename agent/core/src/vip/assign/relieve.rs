//! Which addresses to move so that nodes have connections in proportion to their weights.
//!
//! What a node has is known, what each of its addresses brings is not: an address is taken to bring what those of its node
//! bring on average. So that a wrong guess does no lasting harm, addresses go one after the other from the node that has
//! most, never so many that the other one would have more, and not for a difference that comes and goes by itself. The
//! caller keeps an address that was moved where it is for a while. An address counts as a connection: without any
//! traffic addresses are even.
use super::{Loads, Slot};
use alloc::vec::Vec;

/// Returns moves, position and new owner, at most `most`. `connections` are those of each node.
pub fn relieve(slots: &[Slot], weights: &[u32], connections: &[u64], most: usize) -> Vec<(usize, usize)> {
    let mut slots = slots.to_vec();
    let mut counts = Loads::of(&slots, weights).counts;
    let mut loads =
        connections.iter().zip(&counts).map(|(a, b)| u128::from(*a) + u128::from(*b)).collect::<Vec<_>>();
    let weight = |node: usize| u128::from(weights[node].max(1));
    let mut moves = Vec::new();
    while moves.len() < most {
        let mut sources = (0..weights.len()).collect::<Vec<_>>();
        sources.sort_by(|a, b| (loads[*b] * weight(*a)).cmp(&(loads[*a] * weight(*b))).then(a.cmp(b)));
        let step = sources.into_iter().find_map(|from| {
            let share = loads[from] / u128::from(counts[from].max(1));
            let gains = |to: usize| {
                let (much, little) = (loads[from] * weight(to), loads[to] * weight(from));
                let stays_less = (loads[to] + share) * weight(from) <= (loads[from] - share) * weight(to);
                stays_less && much.saturating_sub(little) > much / MARGIN
            };
            let movable = slots
                .iter()
                .enumerate()
                .filter(|(_, slot)| slot.owner == Some(from) && slot.preferred().is_none());
            let pairs = movable.flat_map(|(at, slot)| {
                (0..weights.len()).filter(|to| slot.may(*to) && gains(*to)).map(move |to| (at, to))
            });
            // The first of equals, so that every node would choose the same.
            let (at, to) = pairs.reduce(|best, other| {
                let is_less = loads[other.1] * weight(best.1) < loads[best.1] * weight(other.1);
                if is_less { other } else { best }
            })?;
            Some((at, from, to, share))
        });
        let Some((at, from, to, share)) = step else { break };
        slots[at].owner = Some(to);
        (loads[from], loads[to]) = (loads[from] - share, loads[to] + share);
        (counts[from], counts[to]) = (counts[from] - 1, counts[to] + 1);
        moves.push((at, to));
    }
    moves
}

/// A difference of an eighth is left. chosen: connections of a busy node vary by less, and more would be felt.
const MARGIN: u128 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slots(owners: &[usize]) -> Vec<Slot> {
        owners.iter().map(|owner| Slot { candidates: 0b111, owner: Some(*owner), preference: None }).collect()
    }

    #[test]
    fn without_connections_addresses_are_even() {
        assert_eq!(relieve(&slots(&[0, 0, 0, 0]), &[1; 3], &[0; 3], 10), [(0, 1), (1, 2)]);
        assert_eq!(relieve(&slots(&[0, 0, 1, 2]), &[1; 3], &[0; 3], 10), []);
        assert_eq!(relieve(&slots(&[0; 4]), &[1; 2], &[0; 2], 1), [(0, 1)], "no more than asked for");
    }

    #[test]
    fn the_node_with_most_connections_gives_to_the_one_with_least() {
        let owners = slots(&[0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
        assert_eq!(relieve(&owners, &[1; 3], &[800, 100, 300], 10), [(0, 1)]);
        assert_eq!(relieve(&owners, &[1; 3], &[800, 800, 790], 10), [], "a difference that comes and goes");
        assert_eq!(relieve(&owners, &[8, 1, 3], &[800, 100, 300], 10), [], "as their weights are");
    }

    #[test]
    fn what_is_preferred_or_cannot_go_stays() {
        let mut owners = slots(&[0, 0, 0]);
        owners[0].preference = Some(0);
        owners[1].candidates = 0b001;
        assert_eq!(relieve(&owners, &[1; 3], &[900, 0, 0], 10), [(2, 1)]);
        owners[2].candidates = 0b001;
        assert_eq!(relieve(&owners, &[1; 3], &[900, 0, 0], 10), []);
    }

    proptest! {
        /// Whatever each address really brings, a node is never left with less than the one that it gave to, as far as
        /// anybody could know, and moves end.
        #[test]
        fn it_comes_to_rest(owners in prop::collection::vec(0..3_usize, 1..30), busy in prop::array::uniform3(0..u64::MAX)) {
            let (mut slots, weights) = (slots(&owners), [1, 2, 5]);
            let moves = relieve(&slots, &weights, &busy, 1_000);
            prop_assert!(moves.len() <= slots.len(), "an address moved twice: {moves:?}");
            for (at, to) in moves {
                prop_assert_ne!(slots[at].owner, Some(to));
                slots[at].owner = Some(to);
            }
        }
    }
}

//! Spreading, evening out, going home; and what holds of them whatever the inputs.
use super::*;
use proptest::prelude::*;

fn slot(candidates: u64, owner: Option<usize>) -> Slot {
    Slot { candidates, owner, preference: None }
}

fn counts(slots: &[Slot], nodes: usize) -> Vec<u64> {
    Loads::of(slots, &vec![1; nodes]).counts
}

fn apply(slots: &mut [Slot], moves: &[(usize, usize)]) {
    for (at, to) in moves {
        slots[*at].owner = Some(*to);
    }
}

#[test]
fn addresses_without_an_owner_are_spread_evenly_and_others_stay() {
    let mut slots = vec![slot(0b111, Some(0)), slot(0b111, Some(0))];
    slots.extend([slot(0b111, None); 7]);
    fill(&mut slots, &[1; 3]);
    assert_eq!(counts(&slots, 3), [3, 3, 3]);
    assert_eq!((slots[0].owner, slots[1].owner), (Some(0), Some(0)));
}

#[test]
fn a_preference_wins_if_it_can_and_nobody_gets_what_nobody_offers() {
    let mut slots = [
        Slot { preference: Some(2), ..slot(0b111, None) },
        Slot { preference: Some(2), ..slot(0b011, None) },
        slot(0, None),
    ];
    fill(&mut slots, &[1; 3]);
    assert_eq!(slots.map(|slot| slot.owner), [Some(2), Some(0), None]);
    slots[0].owner = Some(1);
    assert_eq!(homeward(&slots), [(0, 2)]);
}

#[test]
fn weights_are_shares() {
    let mut slots = vec![slot(0b11, None); 9];
    fill(&mut slots, &[2, 1]);
    assert_eq!(counts(&slots, 2), [6, 3]);
}

#[test]
fn a_node_that_joins_gets_its_share_in_steps_and_with_the_fewest_moves() {
    let mut slots = vec![slot(0b111, Some(0)); 5];
    slots.extend(vec![slot(0b111, Some(1)); 4]);
    assert_eq!(balance(&slots, &[1; 3], 1).len(), 1);
    let moves = balance(&slots, &[1; 3], 100);
    assert_eq!(moves.len(), 3);
    apply(&mut slots, &moves);
    assert_eq!(counts(&slots, 3), [3, 3, 3]);
    assert_eq!(balance(&slots, &[1; 3], 100), []);
}

#[test]
fn loads_are_evened_along_a_chain_when_no_single_move_does() {
    // Node 0 can give to 1 only, and 1 to 2 only.
    let mut slots = vec![slot(0b011, Some(0)); 4];
    slots.extend(vec![slot(0b110, Some(1)); 3]);
    slots.extend(vec![slot(0b100, Some(2)); 1]);
    let moves = balance(&slots, &[1; 3], 100);
    apply(&mut slots, &moves);
    assert_eq!(counts(&slots, 3), [3, 3, 2]);
}

#[test]
fn preferred_addresses_are_not_moved_to_even_anything() {
    let slots = vec![Slot { preference: Some(0), ..slot(0b11, Some(0)) }; 6];
    assert_eq!(balance(&slots, &[1; 2], 100), []);
}

prop_compose! {
    fn problem()(nodes in 1_usize..6)(
        nodes in Just(nodes),
        weights in proptest::collection::vec(1_u32..4, nodes),
        raw in proptest::collection::vec((any::<u64>(), 0_usize..12, 0_usize..12), 0..60),
    ) -> (Vec<u32>, Vec<Slot>) {
        let slots = raw.into_iter().map(|(candidates, owner, preference)| {
            let candidates = candidates & ((1 << nodes) - 1);
            let owner = (owner < nodes && candidates & (1 << owner) != 0).then_some(owner);
            Slot { candidates, owner, preference: (preference < nodes).then_some(preference) }
        });
        (weights, slots.collect())
    }
}

proptest! {
    #[test]
    fn every_address_that_can_be_held_is_and_by_a_candidate((weights, mut slots) in problem()) {
        let before = slots.clone();
        fill(&mut slots, &weights);
        for (slot, old) in slots.iter().zip(&before) {
            prop_assert_eq!(slot.owner.is_some(), slot.candidates != 0);
            prop_assert!(slot.owner.is_none_or(|owner| slot.may(owner)));
            prop_assert!(old.owner.is_none() || old.owner == slot.owner);
        }
    }

    #[test]
    fn balancing_ends_with_nothing_to_improve_and_moves_only_what_it_may((weights, mut slots) in problem()) {
        fill(&mut slots, &weights);
        let preferred = slots.iter().filter(|slot| slot.preferred().is_some()).copied().collect::<Vec<_>>();
        let before = slots.clone();
        let moves = balance(&slots, &weights, usize::MAX);
        apply(&mut slots, &moves);
        prop_assert_eq!(balance(&slots, &weights, usize::MAX), []);
        prop_assert!(slots.iter().all(|slot| slot.owner.is_none_or(|owner| slot.may(owner))));
        let still = slots.iter().filter(|slot| slot.preferred().is_some()).copied().collect::<Vec<_>>();
        prop_assert_eq!(preferred, still);
        // Step by step comes to the same loads.
        let mut steps = before;
        loop {
            let some = balance(&steps, &weights, weights.len());
            if some.is_empty() { break }
            apply(&mut steps, &some);
        }
        prop_assert_eq!(Loads::of(&steps, &weights).counts, Loads::of(&slots, &weights).counts);
    }

    #[test]
    fn nodes_that_all_offer_everything_differ_by_one_at_most(owners in proptest::collection::vec(0_usize..4, 0..80)) {
        let mut slots = owners.into_iter().map(|owner| slot(0b1111, Some(owner))).collect::<Vec<_>>();
        let moves = balance(&slots, &[1; 4], usize::MAX);
        apply(&mut slots, &moves);
        let counts = counts(&slots, 4);
        prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
    }
}

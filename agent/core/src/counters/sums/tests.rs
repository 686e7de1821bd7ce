//! The table against a naive model, and its invariants after every step.
use super::*;
use alloc::collections::BTreeMap;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Set(u32, u32, u64),
    Remove(u32),
    Sum(u32, u32),
    From(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0_u32..64;
    let step = prop_oneof![
        4 => (key.clone(), 0_u32..9, 0_u64..9).prop_map(|(k, c, t)| Step::Set(k, c, t)),
        3 => key.clone().prop_map(Step::Remove),
        2 => (key.clone(), key.clone()).prop_map(|(a, b)| Step::Sum(a.min(b), a.max(b))),
        1 => key.prop_map(Step::From),
    ];
    prop::collection::vec(step, 0..400)
}

fn cell(current: u32, extra: u64) -> Cell {
    Cell { current, total: (u64::from(current) + extra).max(1) }
}

fn check_invariants(sums: &Sums<u32>) {
    assert_eq!(sums.firsts.len(), sums.blocks.len());
    let mut before = None;
    let mut len = 0;
    let mut sum = Count::default();
    for (first, block) in sums.firsts.iter().zip(&sums.blocks) {
        assert_eq!(block.entries[0].key, *first, "the directory names each block's first key");
        assert!(block.entries.len() < BLOCK_ENTRIES_MAX);
        let mut within = Count::default();
        for entry in &block.entries {
            assert!(before < Some(entry.key), "keys ascend");
            before = Some(entry.key);
            len += 1;
            within.current += u64::from(entry.current);
            within.total += entry.total;
        }
        assert_eq!(block.sum, within);
        sum.current += within.current;
        sum.total += within.total;
    }
    assert_eq!((sums.len(), sums.sum()), (len, sum));
}

proptest! {
    #[test]
    fn it_behaves_like_an_ordered_map_that_adds_up(steps in steps()) {
        let mut sums = Sums::default();
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Set(key, current, extra) => {
                    let cell = cell(current, extra);
                    prop_assert_eq!(sums.set(key, Some(cell)), model.insert(key, cell));
                }
                Step::Remove(key) => prop_assert_eq!(sums.set(key, None), model.remove(&key)),
                Step::Sum(first, last) => {
                    let expected = model.range(first..=last).fold(Count::default(), |sum, (_, cell)| Count {
                        current: sum.current + u64::from(cell.current),
                        total: sum.total + cell.total,
                    });
                    prop_assert_eq!(sums.range_sum(first, last), expected);
                }
                Step::From(key) => {
                    let expected = model.range(key..).map(|(k, c)| (*k, *c)).collect::<Vec<_>>();
                    prop_assert_eq!(sums.iter_from(key).collect::<Vec<_>>(), expected);
                }
            }
            check_invariants(&sums);
        }
        let expected = model.iter().map(|(k, c)| (*k, *c)).collect::<Vec<_>>();
        prop_assert_eq!(sums.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_snapshot_keeps_what_it_saw(before in prop::collection::vec(0_u32..64, 0..40),
                                    after in prop::collection::vec(0_u32..64, 0..40)) {
        let mut sums = Sums::default();
        for key in before {
            sums.set(key, Some(cell(1, 0)));
        }
        let seen = sums.iter().collect::<Vec<_>>();
        let snapshot = sums.clone();
        for key in after {
            sums.update(key, |old| old.is_none().then(|| cell(2, 0)));
        }
        check_invariants(&snapshot);
        prop_assert_eq!(snapshot.iter().collect::<Vec<_>>(), seen);
    }
}

#[test]
fn keys_that_arrive_in_order_leave_full_blocks() {
    let mut sums = Sums::default();
    for key in 0..100_u32 {
        sums.set(key, Some(cell(1, 0)));
    }
    assert_eq!(sums.blocks[0].entries.len(), BLOCK_ENTRIES_MAX - 1);
    check_invariants(&sums);
}

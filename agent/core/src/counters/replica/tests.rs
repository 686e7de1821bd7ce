//! Whatever is said in whatever order, `global` is the sum of its parts.
use super::*;
use convoy_common::prefix::Prefix;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Own(u8, Option<u32>),
    ReplaceOwn(Vec<(u8, u32)>),
    Say(u8, u8, Option<u32>),
    SayRange(u8, u8, u8, Vec<(u8, u32)>),
    Forget(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let host = 0_u8..24;
    let cells = prop::collection::vec((host.clone(), 0_u32..6), 0..12);
    let step = prop_oneof![
        (host.clone(), prop::option::of(0_u32..6)).prop_map(|(h, c)| Step::Own(h, c)),
        cells.clone().prop_map(Step::ReplaceOwn),
        (0_u8..3, host.clone(), prop::option::of(0_u32..6)).prop_map(|(s, h, c)| Step::Say(s, h, c)),
        (0_u8..3, host.clone(), host, cells).prop_map(|(s, a, b, c)| Step::SayRange(
            s,
            a.min(b),
            a.max(b),
            c
        )),
        (0_u8..3).prop_map(Step::Forget),
    ];
    prop::collection::vec(step, 0..120)
}

fn host(n: u8) -> Host {
    Host::new(core::net::IpAddr::from([10, 0, 0, n]))
}

fn cell(current: u32) -> Cell {
    Cell { current, total: u64::from(current) + 1 }
}

fn sender(n: u8) -> Arc<str> {
    ["a", "b", "c"][usize::from(n)].into()
}

proptest! {
    #[test]
    fn global_is_the_sum_of_its_parts(steps in steps()) {
        let mut replica = Replica::default();
        let mut own: BTreeMap<u8, Cell> = BTreeMap::new();
        let mut said: BTreeMap<(u8, u8), Cell> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Own(h, current) => {
                    let count = current.map(|current| cell(current).count());
                    let old = match current { Some(c) => own.insert(h, cell(c)), None => own.remove(&h) };
                    prop_assert_eq!(replica.set_own(host(h), count), old != current.map(cell));
                }
                Step::ReplaceOwn(cells) => {
                    let new = cells.iter().map(|(h, c)| (*h, cell(*c))).collect::<BTreeMap<_, _>>();
                    let changed = replica.replace_own(
                        &new.iter().map(|(h, c)| (host(*h), c.count())).collect::<Vec<_>>());
                    let differs = |h: &u8| own.get(h) != new.get(h);
                    prop_assert_eq!(changed.len(), (0..=255).filter(differs).count());
                    own = new;
                }
                Step::Say(s, h, current) => {
                    replica.apply(&sender(s), [(host(h), current.map(cell))]);
                    match current { Some(c) => said.insert((s, h), cell(c)), None => said.remove(&(s, h)) };
                }
                Step::SayRange(s, first, last, cells) => {
                    let cells = cells.into_iter().filter(|(h, _)| (first..=last).contains(h)).collect::<BTreeMap<_, _>>();
                    replica.apply_range(&sender(s), Family::V4, (host(first), host(last)),
                        cells.iter().map(|(h, c)| (host(*h), cell(*c))));
                    said.retain(|(by, h), _| *by != s || !(first..=last).contains(h));
                    said.extend(cells.iter().map(|(h, c)| ((s, *h), cell(*c))));
                }
                Step::Forget(s) => {
                    replica.forget(&sender(s));
                    said.retain(|(by, _), _| *by != s);
                }
            }
            for h in 0..24 {
                let parts = own.get(&h).into_iter().chain((0..3).filter_map(|s| said.get(&(s, h))));
                let sum = parts.fold(Count::default(), |sum, cell| Count {
                    current: sum.current + u64::from(cell.current), total: sum.total + cell.total,
                });
                prop_assert_eq!(replica.global().sum_below(Prefix::host(host(h))), sum);
            }
        }
    }
}

#[test]
fn own_counts_stop_at_their_bounds() {
    let mut replica = Replica::default();
    replica.set_own(host(1), Some(Count { current: u64::MAX, total: u64::MAX }));
    assert_eq!(
        replica.own().get(host(1)),
        Some(Cell { current: bounds::CURRENT_MAX, total: bounds::TOTAL_MAX })
    );
}

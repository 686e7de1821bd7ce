//! The tree against a naive model that keeps every prefix of every host.
use super::*;
use alloc::{collections::BTreeMap, string::ToString, vec, vec::Vec};
use proptest::prelude::*;

fn host(text: &str) -> Host {
    Host::new(text.parse().unwrap())
}

fn cell(current: u32) -> Cell {
    Cell { current, total: u64::from(current).max(1) }
}

/// Sums by walking every host, and branching prefixes by their definition: both halves hold a host.
struct Naive(BTreeMap<Host, Cell>);

impl Naive {
    fn sum_below(&self, prefix: Prefix) -> Count {
        self.0.iter().filter(|(host, _)| prefix.contains(**host)).fold(Count::default(), |sum, (_, cell)| {
            Count { current: sum.current + u64::from(cell.current), total: sum.total + cell.total }
        })
    }

    fn rows(&self) -> Vec<Row> {
        let mut prefixes = self.0.keys().map(|host| Prefix::host(*host)).collect::<Vec<_>>();
        for host in self.0.keys() {
            for bits in 0..host.family().bits() {
                let prefix = Prefix::new(*host, bits).unwrap();
                let low = Prefix::new(prefix.first(), bits + 1).unwrap_or(prefix);
                let high = Prefix::new(prefix.last(), bits + 1).unwrap_or(prefix);
                let below = |half: Prefix| self.0.keys().any(|host| half.contains(*host));
                if below(low) && below(high) {
                    prefixes.push(prefix);
                }
            }
        }
        prefixes.sort_by_key(|prefix| (prefix.family(), prefix.first(), prefix.bits()));
        prefixes.dedup();
        prefixes.into_iter().map(|prefix| Row { prefix, count: self.sum_below(prefix) }).collect()
    }
}

fn hosts() -> impl Strategy<Value = Host> {
    prop_oneof![
        // Few distinct high bits, so that hosts share prefixes of every length.
        (0_u32..4, 0_u32..8).prop_map(|(high, low)| host_v4(high << 30 | low)),
        (0_u128..4, 0_u128..8).prop_map(|(high, low)| host_v6(high << 126 | low | 1 << 64)),
    ]
}

proptest! {
    #[test]
    fn any_prefix_answers_the_sum_below_it(
        cells in prop::collection::vec((hosts(), 0_u32..5, 0_u64..5, any::<bool>()), 0..60),
        asked in prop::collection::vec((hosts(), 0_u8..=128), 0..20),
    ) {
        let (mut tree, mut naive) = (CidrTree::default(), Naive(BTreeMap::new()));
        for (host, current, extra, keep) in cells {
            let cell = keep.then(|| Cell { current, total: (u64::from(current) + extra).max(1) });
            let old = tree.set(host, cell);
            let expected = match cell {
                Some(cell) => naive.0.insert(host, cell),
                None => naive.0.remove(&host),
            };
            prop_assert_eq!(old, expected);
        }
        for (host, bits) in asked {
            let Some(prefix) = Prefix::new(host, bits.min(host.family().bits())) else { continue };
            prop_assert_eq!(tree.sum_below(prefix), naive.sum_below(prefix), "{}", prefix);
        }
        for family in Family::ALL {
            prop_assert_eq!(tree.sum_below(Prefix::all(family)), naive.sum_below(Prefix::all(family)));
        }
        prop_assert_eq!(tree.rows(), naive.rows());
        prop_assert_eq!(tree.len(), naive.0.len());
    }
}

#[test]
fn rows_are_the_hosts_and_the_prefixes_at_which_they_branch() {
    let mut tree = CidrTree::default();
    for (text, current) in [("192.0.2.1", 1), ("192.0.2.2", 2), ("198.51.100.7", 4), ("2001:db8::1", 8)] {
        tree.set(host(text), Some(cell(current)));
    }
    let rows = tree.rows().iter().map(|row| (row.prefix.to_string(), row.count.current)).collect::<Vec<_>>();
    let expected = [
        ("192.0.0.0/5", 7),
        ("192.0.2.0/30", 3),
        ("192.0.2.1/32", 1),
        ("192.0.2.2/32", 2),
        ("198.51.100.7/32", 4),
        ("2001:db8::1/128", 8),
    ];
    assert_eq!(rows, expected.map(|(text, current)| (text.to_string(), current)));
}

#[test]
fn top_groups_by_length_and_puts_the_busiest_first() {
    let mut tree = CidrTree::default();
    for (text, current) in
        [("10.0.0.1", 1), ("10.0.0.9", 1), ("10.0.1.1", 3), ("2001:db8::1", 2), ("10.9.9.9", 0)]
    {
        tree.set(host(text), Some(cell(current)));
    }
    let top = |limit| {
        let rows = tree.top(24, 64, limit);
        rows.iter().map(|row| (row.prefix.to_string(), row.count.current)).collect::<Vec<_>>()
    };
    assert_eq!(top(2), vec![("10.0.1.0/24".to_string(), 3), ("10.0.0.0/24".to_string(), 2)]);
    assert_eq!(top(9).len(), 4);
}

#[test]
fn hosts_are_listed_from_a_key_within_its_family() {
    let mut tree = CidrTree::default();
    for text in ["10.0.0.1", "10.0.0.2", "2001:db8::1", "::1"] {
        tree.set(host(text), Some(cell(1)));
    }
    let from = |family, text| {
        tree.hosts_from(family, host(text)).map(|(host, _)| host.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(from(Family::V4, "10.0.0.2"), ["10.0.0.2"]);
    assert_eq!(from(Family::V6, "::"), ["::1", "2001:db8::1"]);
    assert_eq!(from(Family::V6, "10.0.0.2"), ["2001:db8::1"]);
}

//! Numbers for texts, and for groups of numbers: what makes the merged view quick to build and to ask.
//!
//! Invariants: 1. a text has one number, and numbers count up from 0; 2. nothing is ever iterated in the order of a hash,
//! so results do not depend on it; 3. finding allocates nothing. The texts are an operator's own, so nobody gains from
//! making them collide.
use crate::config::place::offset;
use alloc::{string::String, vec::Vec};

/// Texts, each kept once.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    all: String,
    /// Where each text ends in `all`.
    ends: Vec<u32>,
    numbers: Table,
}

impl Names {
    /// Returns the text of a number; empty when there is none.
    pub(super) fn get(&self, number: u32) -> &str {
        let index = number as usize;
        let Some(&end) = self.ends.get(index) else { return "" };
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end);
        self.all.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Returns the number of a text as it is.
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        self.numbers.find(hash(text, |word| word), |number| self.get(number) == text)
    }

    /// Returns the number of a text in lower case.
    pub(super) fn find_folded(&self, text: &str) -> Option<u32> {
        self.numbers.find(hash(text, lower), |number| is_folded(self.get(number), text))
    }

    /// Returns the number of a text as it is, a new one if need be.
    pub(super) fn add(&mut self, text: &str) -> u32 {
        self.find(text).unwrap_or_else(|| self.push(hash(text, |word| word), text.chars()))
    }

    /// Returns the number of a text in lower case, a new one if need be.
    pub(super) fn add_folded(&mut self, text: &str) -> u32 {
        let chars = || text.chars().map(|c| c.to_ascii_lowercase());
        self.find_folded(text).unwrap_or_else(|| self.push(hash(text, lower), chars()))
    }

    fn push(&mut self, hash: u32, text: impl Iterator<Item = char>) -> u32 {
        let number = offset(self.ends.len());
        self.all.extend(text);
        self.ends.push(offset(self.all.len()));
        self.numbers.insert(hash, number);
        number
    }
}

/// Numbers by the hash of what they stand for, in open addressing; the caller knows what they stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// A power of two of them, at most three quarters of them taken.
    slots: Vec<Slot>,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    /// [`NONE`] in a free slot.
    number: u32,
}

impl Table {
    /// Returns the number of that hash for which `is_it` holds.
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.slot(hash, is_it).map(|slot| self.slots[slot].number)
    }

    /// Adds a number that is not there.
    pub(super) fn insert(&mut self, hash: u32, number: u32) {
        if 4 * (self.len + 1) > 3 * self.slots.len() {
            let len = (2 * self.slots.len()).max(SLOTS_MIN);
            let old = core::mem::replace(&mut self.slots, alloc::vec![Slot::FREE; len]);
            old.into_iter().filter(|slot| slot.number != NONE).for_each(|slot| self.put(slot));
        }
        self.len += 1;
        self.put(Slot { hash, number });
    }

    /// Puts `new` in the place of the number of that hash for which `is_it` holds, and returns that.
    pub(super) fn replace(&mut self, hash: u32, new: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let slot = self.slot(hash, is_it)?;
        Some(core::mem::replace(&mut self.slots[slot].number, new))
    }

    fn slot(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.number == NONE {
                return None;
            }
            if slot.hash == hash && is_it(slot.number) {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    fn put(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = slot.hash as usize & mask;
        while self.slots[at].number != NONE {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }
}

impl Slot {
    const FREE: Self = Self { hash: 0, number: NONE };
}

/// Returns the hash of three numbers.
pub(super) fn hash_of(a: u32, b: u32, c: u32) -> u32 {
    // Side by side: small numbers laid over one another would often be the same.
    finish(mix(mix(0, u64::from(a) << 32 | u64::from(b)), u64::from(c)))
}

/// Returns the hash of a text whose words of eight bytes go through `map` first.
fn hash(text: &str, map: impl Fn(u64) -> u64) -> u32 {
    let bytes = text.as_bytes();
    let (words, rest) = bytes.as_chunks::<8>();
    let state =
        words.iter().fold(text.len() as u64, |state, word| mix(state, map(u64::from_le_bytes(*word))));
    // What is left of a long text is read once more together with bytes before it: quicker than byte by byte.
    let last = match bytes.last_chunk::<8>() {
        _ if rest.is_empty() => return finish(state),
        Some(last) => u64::from_le_bytes(*last),
        None => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    finish(mix(state, map(last)))
}

fn mix(state: u64, word: u64) -> u64 {
    let product = (state ^ word).wrapping_mul(MULTIPLIER);
    product ^ (product >> 32)
}

fn finish(state: u64) -> u32 {
    let high = state.wrapping_mul(MULTIPLIER) >> 32;
    u32::try_from(high).unwrap_or_default()
}

/// Returns eight bytes with the capital ASCII letters among them made small.
fn lower(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let low = word & (0x7f * EACH);
    let from_a = low + (0x80 - u64::from(b'A')) * EACH;
    let above_z = low + (0x7f - u64::from(b'Z')) * EACH;
    let capital = !word & (from_a ^ above_z) & (0x80 * EACH);
    word | (capital >> 2)
}

fn is_folded(folded: &str, text: &str) -> bool {
    folded == text
        || folded.len() == text.len()
            && folded.bytes().zip(text.bytes()).all(|(a, b)| a == b.to_ascii_lowercase())
}

/// No number.
pub(super) const NONE: u32 = u32::MAX;
/// chosen: a file of one screen needs no second table.
const SLOTS_MIN: usize = 64;
/// Source: 2^64 divided by the golden ratio, made odd; Knuth, volume 3, section 6.4.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeMap, format};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_of_eight_bytes_fold_as_bytes_do(bytes in any::<[u8; 8]>()) {
            prop_assert_eq!(lower(u64::from_le_bytes(bytes)).to_le_bytes(), bytes.map(|b| b.to_ascii_lowercase()));
        }

        #[test]
        fn a_text_has_one_number_and_keeps_it(texts in prop::collection::vec("[aAbBz@\u{fc}]{0,10}", 0..200)) {
            let (mut names, mut model) = (Names::default(), BTreeMap::new());
            for (n, text) in texts.iter().enumerate() {
                let (number, text) = match n % 2 {
                    0 => (names.add(text), text.clone()),
                    _ => (names.add_folded(text), text.to_ascii_lowercase()),
                };
                prop_assert_eq!(*model.entry(text).or_insert(number), number);
            }
            for (text, number) in &model {
                prop_assert_eq!(names.get(*number), text.as_str());
                prop_assert_eq!(names.find(text), Some(*number));
                let folded = model.get(&text.to_ascii_lowercase());
                prop_assert_eq!(names.find_folded(text), folded.copied());
            }
            prop_assert_eq!(names.find("nowhere"), None);
        }
    }

    #[test]
    fn many_numbers_are_found_and_replaced() {
        let (mut table, many) = (Table::default(), 10_000);
        for n in 0..many {
            table.insert(hash_of(n, 1, 2), n);
        }
        for n in 0..many {
            assert_eq!(table.find(hash_of(n, 1, 2), |number| number == n), Some(n));
        }
        assert_eq!(table.replace(hash_of(7, 1, 2), many, |number| number == 7), Some(7));
        assert_eq!(table.find(hash_of(7, 1, 2), |_| true), Some(many));
        assert_eq!(table.find(hash_of(many, 1, 2), |_| true), None);
        assert_eq!(Table::default().find(0, |_| true), None);
    }

    #[test]
    fn small_numbers_spread() {
        let all = (0..200).flat_map(|a| (0..200).map(move |b| hash_of(a, b, NONE)));
        let mut hashes: Vec<_> = all.collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert!(hashes.len() > 39_900, "{}", hashes.len());
    }

    #[test]
    fn similar_texts_spread() {
        let mut names = Names::default();
        for n in 0..50_000 {
            names.add(&format!("customer{n}.example.com"));
        }
        let mut hashes: Vec<_> =
            names.numbers.slots.iter().filter(|slot| slot.number != NONE).map(|s| s.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert!(hashes.len() > 49_900, "{}", hashes.len());
    }
}

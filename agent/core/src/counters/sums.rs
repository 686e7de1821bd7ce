//! An ordered table of cells that answers the sum over any range of keys.
//!
//! The sum below a CIDR prefix is the sum over a range of addresses, so no tree of prefixes is kept: keys lie
//! in sorted blocks, each with its own sum. A lookup is two binary searches in contiguous memory, a range sum
//! adds whole blocks, and an entry costs its 16 (IPv4) or 32 (IPv6) bytes over the blocks' fill.
//!
//! Invariants:
//! 1. keys ascend strictly, within and across blocks; no block is empty; `firsts[i]` is the first key of block i;
//! 2. each block's sum, and the table's, equals the sum of its cells;
//! 3. every cell has `total >= 1` (a cell without history is no cell) and `current <= total`.
//!
//! Blocks are shared with snapshots and copied on the first write after one: a clone costs a pointer a block.
//! Does not know addresses or families; see `tree`.
use alloc::{sync::Arc, vec::Vec};
use convoy_common::count::Count;

/// Counts of one host. Kept at 12 bytes of payload; sums are [`Count`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Open now.
    pub current: u32,
    /// Opened since first seen; at least 1, at least `current`.
    pub total: u64,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Sums<K> {
    firsts: Vec<K>,
    blocks: Vec<Arc<Block<K>>>,
    len: usize,
    sum: Count,
}

#[derive(Clone, Debug)]
struct Block<K> {
    entries: Vec<Entry<K>>,
    sum: Count,
}

#[derive(Clone, Copy, Debug)]
struct Entry<K> {
    total: u64,
    current: u32,
    key: K,
}

impl<K> Default for Sums<K> {
    fn default() -> Self {
        Self { firsts: Vec::new(), blocks: Vec::new(), len: 0, sum: Count::default() }
    }
}

impl<K: Copy + Ord> Sums<K> {
    /// Returns the number of cells.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Tells whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the sum over all cells.
    pub fn sum(&self) -> Count {
        self.sum
    }

    /// Returns the cell at `key`.
    pub fn get(&self, key: K) -> Option<Cell> {
        let block = self.blocks.get(self.block_of(key)?)?;
        let at = block.entries.binary_search_by(|entry| entry.key.cmp(&key)).ok()?;
        block.entries.get(at).map(Entry::cell)
    }

    /// Puts `cell` at `key`, or removes the key, and returns what was there.
    pub fn set(&mut self, key: K, cell: Option<Cell>) -> Option<Cell> {
        self.update(key, |_| cell)
    }

    /// Replaces the cell at `key` by what `f` makes of it, and returns what was there.
    pub fn update(&mut self, key: K, f: impl FnOnce(Option<Cell>) -> Option<Cell>) -> Option<Cell> {
        let Some(index) = self.block_of(key) else {
            if let Some(cell) = f(None) {
                self.start(key, cell);
            }
            return None;
        };
        let block = &mut self.blocks[index];
        let found = block.entries.binary_search_by(|entry| entry.key.cmp(&key));
        let old = found.ok().map(|at| block.entries[at].cell());
        let new = f(old);
        if new == old {
            return old;
        }
        debug_assert!(new.is_none_or(|cell| cell.total >= 1 && u64::from(cell.current) <= cell.total));
        shift(&mut self.sum, old, new);
        let block = Arc::make_mut(block);
        shift(&mut block.sum, old, new);
        match (found, new) {
            (Ok(at), Some(cell)) => block.entries[at] = Entry::new(key, cell),
            (Ok(at), None) => {
                block.entries.remove(at);
                self.len -= 1;
                self.after_removal(index, at);
            }
            (Err(at), Some(cell)) => {
                block.entries.insert(at, Entry::new(key, cell));
                self.len += 1;
                self.after_insertion(index, at);
            }
            (Err(_), None) => {}
        }
        old
    }

    /// Returns the sum over the keys from `first` to `last`, both included.
    pub fn range_sum(&self, first: K, last: K) -> Count {
        let Some(from) = self.block_of(first) else { return Count::default() };
        let mut sum = Count::default();
        for (start, block) in self.firsts[from..].iter().zip(&self.blocks[from..]) {
            if *start > last {
                break;
            }
            let whole = *start >= first && block.entries.last().is_some_and(|entry| entry.key <= last);
            if whole {
                sum.current += block.sum.current;
                sum.total += block.sum.total;
                continue;
            }
            for entry in block.entries.iter().filter(|entry| first <= entry.key && entry.key <= last) {
                sum.current += u64::from(entry.current);
                sum.total += entry.total;
            }
        }
        sum
    }

    /// Returns the cells from `first` on, in order of their keys.
    pub fn iter_from(&self, first: K) -> impl Iterator<Item = (K, Cell)> + '_ {
        let from = self.block_of(first).unwrap_or(0);
        let skip =
            self.blocks.get(from).map_or(0, |block| block.entries.partition_point(|entry| entry.key < first));
        self.blocks[from..]
            .iter()
            .flat_map(|block| block.entries.iter())
            .skip(skip)
            .map(|entry| (entry.key, entry.cell()))
    }

    /// Returns all cells in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (K, Cell)> + '_ {
        self.blocks.iter().flat_map(|block| block.entries.iter()).map(|entry| (entry.key, entry.cell()))
    }

    /// Returns the block that holds `key` or would hold it; `None` while there is no block.
    fn block_of(&self, key: K) -> Option<usize> {
        let after = self.firsts.partition_point(|first| *first <= key);
        (!self.firsts.is_empty()).then(|| after.saturating_sub(1))
    }

    fn start(&mut self, key: K, cell: Cell) {
        let mut entries = Vec::with_capacity(BLOCK_ENTRIES_MAX);
        entries.push(Entry::new(key, cell));
        self.firsts.push(key);
        self.blocks.push(Arc::new(Block { sum: cell.count(), entries }));
        self.len = 1;
        self.sum = cell.count();
    }

    fn after_insertion(&mut self, index: usize, at: usize) {
        let block = Arc::make_mut(&mut self.blocks[index]);
        if at == 0 {
            self.firsts[index] = block.entries[0].key;
        }
        if block.entries.len() < BLOCK_ENTRIES_MAX {
            return;
        }
        // A full transfer arrives in order: splitting at the end keeps the blocks it leaves behind full.
        let appended = at + 1 == block.entries.len() && index + 1 == self.firsts.len();
        let middle = if appended { at } else { BLOCK_ENTRIES_MAX / 2 };
        let mut upper = Vec::with_capacity(BLOCK_ENTRIES_MAX);
        upper.extend(block.entries.drain(middle..));
        let sum = upper.iter().fold(Count::default(), |sum, entry| Count {
            current: sum.current + u64::from(entry.current),
            total: sum.total + entry.total,
        });
        block.sum.current -= sum.current;
        block.sum.total -= sum.total;
        self.firsts.insert(index + 1, upper[0].key);
        self.blocks.insert(index + 1, Arc::new(Block { entries: upper, sum }));
    }

    fn after_removal(&mut self, index: usize, at: usize) {
        match self.blocks[index].entries.first() {
            None => {
                self.firsts.remove(index);
                self.blocks.remove(index);
            }
            Some(entry) if at == 0 => self.firsts[index] = entry.key,
            Some(_) => self.join_small(index),
        }
    }

    /// Joins the block with its right neighbour when both together fill less than half a block.
    fn join_small(&mut self, index: usize) {
        let Some(right) = self.blocks.get(index + 1) else { return };
        if self.blocks[index].entries.len() + right.entries.len() > BLOCK_ENTRIES_MAX / 2 {
            return;
        }
        let right = self.blocks.remove(index + 1);
        self.firsts.remove(index + 1);
        let block = Arc::make_mut(&mut self.blocks[index]);
        block.sum.current += right.sum.current;
        block.sum.total += right.sum.total;
        block.entries.extend_from_slice(&right.entries);
    }
}

impl Cell {
    /// Returns the same as a sum of one.
    pub fn count(self) -> Count {
        Count { current: u64::from(self.current), total: self.total }
    }
}

impl<K> Entry<K> {
    fn new(key: K, cell: Cell) -> Self {
        Self { total: cell.total, current: cell.current, key }
    }

    fn cell(&self) -> Cell {
        Cell { current: self.current, total: self.total }
    }
}

/// Moves `sum` from a table that held `old` to one that holds `new`. Subtracts after adding: never negative.
fn shift(sum: &mut Count, old: Option<Cell>, new: Option<Cell>) {
    let old = old.map_or(Count::default(), Cell::count);
    let new = new.map_or(Count::default(), Cell::count);
    sum.current = sum.current + new.current - old.current;
    sum.total = sum.total + new.total - old.total;
}

/// Entries at which a block is split. chosen: 2 KiB of IPv4 entries; lookup and insertion both near their best
/// (benches/README.md, `tree`).
const BLOCK_ENTRIES_MAX: usize = if cfg!(test) { 4 } else { 128 };

#[cfg(test)]
mod tests;

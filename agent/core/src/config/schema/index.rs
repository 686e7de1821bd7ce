//! From a name to its rows without a scan: hash tables that the compiler fills.
//!
//! Rows of one name follow each other in the table, in the order of their numbers; an empty slot ends the search. A table
//! is at most half full, which the compiler checks.
use super::{OPTIONS, Row, SCOPES, ScopeRow};

/// Returns the row of an option in a scope, by path and name.
pub fn option(path: &str, name: &str) -> Option<&'static Row> {
    rows_named(name).find(|row| row.is_in(path))
}

/// Returns the rows of that name, in whatever scopes.
pub fn rows_named(name: &str) -> impl Iterator<Item = &'static Row> {
    numbers(&OPTIONS_BY_NAME, name)
        .filter_map(|number| OPTIONS.get(number))
        .filter(move |row| row.name.eq_ignore_ascii_case(name))
}

/// Returns the row of a scope by its path.
pub fn scope(path: &str) -> Option<&'static ScopeRow> {
    scopes_named(last(path)).find(|row| row.path.eq_ignore_ascii_case(path))
}

/// Returns the row of the scope `name` directly inside the scope of that path.
pub fn scope_below(path: &str, name: &str) -> Option<&'static ScopeRow> {
    scopes_named(name).find(|row| !row.path.is_empty() && parent(row.path).eq_ignore_ascii_case(path))
}

/// Returns the scopes of that name, wherever they stand.
pub(super) fn scopes_named(name: &str) -> impl Iterator<Item = &'static ScopeRow> {
    numbers(&SCOPES_BY_NAME, name)
        .filter_map(|number| SCOPES.get(number))
        .filter(move |row| last(row.path).eq_ignore_ascii_case(name))
}

/// Returns the path of the scope around the one of this path.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once("::").map_or("", |(parent, _)| parent)
}

/// Returns the name at the end of a path.
pub(super) fn last(path: &str) -> &str {
    path.rsplit_once("::").map_or(path, |(_, last)| last)
}

const SLOTS: usize = 512;
const EMPTY: u16 = u16::MAX;

static OPTIONS_BY_NAME: [u16; SLOTS] = {
    let mut slots = [EMPTY; SLOTS];
    let mut number = 0;
    while number < OPTIONS.len() {
        insert(&mut slots, OPTIONS[number].name.as_bytes(), number);
        number += 1;
    }
    assert!(OPTIONS.len() * 2 <= SLOTS, "give the index more slots");
    slots
};

static SCOPES_BY_NAME: [u16; SLOTS] = {
    let mut slots = [EMPTY; SLOTS];
    let mut number = 0;
    while number < SCOPES.len() {
        insert(&mut slots, last_bytes(SCOPES[number].path.as_bytes()), number);
        number += 1;
    }
    assert!(SCOPES.len() * 2 <= SLOTS, "give the index more slots");
    slots
};

fn numbers<'a>(slots: &'a [u16; SLOTS], name: &str) -> impl Iterator<Item = usize> + use<'a> {
    let first = home(name.as_bytes());
    let probes = (0..SLOTS).map(move |step| slots[(first + step) % SLOTS]);
    probes.take_while(|number| *number != EMPTY).map(usize::from)
}

#[expect(clippy::cast_possible_truncation, reason = "the tables are shorter than the index, as is asserted")]
const fn insert(slots: &mut [u16; SLOTS], name: &[u8], number: usize) {
    let mut slot = home(name);
    while slots[slot] != EMPTY {
        slot = (slot + 1) % SLOTS;
    }
    slots[slot] = number as u16;
}

/// Source: FNV-1a of 32 bits (Fowler, Noll, Vo), over lower case.
const fn home(name: &[u8]) -> usize {
    let mut hash = 0x811c_9dc5_u32;
    let mut at = 0;
    while at < name.len() {
        hash = (hash ^ name[at].to_ascii_lowercase() as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    // The low bits of FNV are its weakest.
    ((hash ^ (hash >> 16)) as usize) % SLOTS
}

const fn last_bytes(path: &[u8]) -> &[u8] {
    let mut start = path.len();
    while start > 0 && path[start - 1] != b':' {
        start -= 1;
    }
    path.split_at(start).1
}

//! Scopes that stand for many names: domains and hosts by regular expression, peers by CIDR block.
//!
//! Built once, after merging, and shared. Invariants: 1. an expression is compiled once, in however many scopes it
//! stands; 2. expressions are tried in the order of the text, blocks from the smallest; 3. what is no expression or
//! block stands for its own name only.
use super::Scopes;
use crate::{
    bounds,
    config::{
        diagnostic::{Diagnostic, Diagnostics},
        pattern::Pattern,
    },
};
use alloc::{collections::BTreeMap, format, string::ToString as _, vec::Vec};
use convoy_common::prefix::Prefix;

/// Finds scopes by what they stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// By container and name, then in the order of the text.
    patterns: Vec<(Key, Pattern, u32)>,
    /// By container and name, then from the smallest block.
    blocks: Vec<(Key, Prefix, u32)>,
}

/// Container, and number of the name.
type Key = (u32, u32);

impl Index {
    /// Builds the index; an expression that is none is an error at its scope.
    pub(super) fn build(scopes: &Scopes, diagnostics: &mut Diagnostics) -> Self {
        let mut index = Self::default();
        let mut compiled: BTreeMap<u32, Option<Pattern>> = BTreeMap::new();
        for (id, node) in (0_u32..).zip(&scopes.nodes) {
            let key = (node.parent, node.name);
            let (name, instance) = (scopes.names.get(node.name), scopes.names.get(node.instance));
            if name == PEER {
                let block = instance.parse::<Prefix>().ok();
                index.blocks.extend(block.map(|block| (key, block, id)));
            }
            let Some(text) = Pattern::between_slashes(instance).filter(|_| FOLDED.contains(&name)) else {
                continue;
            };
            let full = compiled.len() >= bounds::CONFIG_PATTERNS_MAX;
            let pattern = compiled.entry(node.instance).or_insert_with(|| {
                let built = if full {
                    Err(format!("more than {} different regular expressions", bounds::CONFIG_PATTERNS_MAX))
                } else {
                    Pattern::new(text).map_err(|bad| bad.to_string())
                };
                let place = super::Scope { all: scopes, id }.place().unwrap_or_default();
                built
                    .map_err(|message| diagnostics.push(Diagnostic::error("bad-pattern", message).at(place)))
                    .ok()
            });
            index.patterns.extend(pattern.iter().map(|pattern| (key, pattern.clone(), id)));
        }
        index.patterns.sort_by_key(|(key, _, id)| (*key, *id));
        index.blocks.sort_by_key(|(key, block, id)| (*key, u8::MAX - block.bits(), *id));
        index
    }

    /// Returns the scope of that container and name that stands for a text, if it is `wanted`: the first whose expression
    /// matches, or the one with the smallest block that holds the address or block. Expressions behind the last wanted one
    /// decide nothing and are not tried.
    pub(super) fn find(&self, key: Key, text: &str, wanted: impl Fn(u32) -> bool) -> Option<u32> {
        let patterns = of(&self.patterns, key);
        let until = patterns.iter().rposition(|(.., id)| wanted(*id)).map_or(0, |last| last + 1);
        let first = patterns.iter().take(until).find(|(_, pattern, _)| pattern.matches(text));
        if let Some((.., id)) = first {
            return wanted(*id).then_some(*id);
        }
        let blocks = of(&self.blocks, key);
        if blocks.is_empty() {
            return None;
        }
        let asked: Prefix = text.parse().ok()?;
        let holds = |block: &Prefix| block.contains(asked.first()) && block.contains(asked.last());
        let smallest = blocks.iter().find(|(_, block, _)| holds(block));
        smallest.map(|(.., id)| *id).filter(|id| wanted(*id))
    }
}

/// Returns the part of a sorted list that has this key.
fn of<T>(sorted: &[(Key, T, u32)], key: Key) -> &[(Key, T, u32)] {
    let first = sorted.partition_point(|(other, ..)| *other < key);
    let rest = sorted.get(first..).unwrap_or_default();
    rest.get(..rest.partition_point(|(other, ..)| *other == key)).unwrap_or_default()
}

/// Scopes whose instances are names of the DNS: compared without case, and expressions when between slashes.
pub(super) const FOLDED: [&str; 2] = ["domain", "host"];
/// The scope whose instances are addresses and blocks.
const PEER: &str = "peer";

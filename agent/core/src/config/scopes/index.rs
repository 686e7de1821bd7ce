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
use convoy_common::{addr::Host, prefix::Prefix};

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

    /// Returns the first scope whose expression matches.
    pub(super) fn by_pattern(&self, key: Key, name: &str) -> Option<u32> {
        let first = self.patterns.partition_point(|(other, ..)| *other < key);
        let of_key = self.patterns.iter().skip(first).take_while(|(other, ..)| *other == key);
        of_key.into_iter().find(|(_, pattern, _)| pattern.matches(name)).map(|(.., id)| *id)
    }

    /// Returns the scope of the smallest block that holds the address or block `text`.
    pub(super) fn by_block(&self, key: Key, text: &str) -> Option<u32> {
        let asked: Prefix = text.parse().ok()?;
        let holds = |block: &Prefix| {
            let ends: [Host; 2] = [asked.first(), asked.last()];
            ends.into_iter().all(|end| block.contains(end))
        };
        let first = self.blocks.partition_point(|(other, ..)| *other < key);
        let of_key = self.blocks.iter().skip(first).take_while(|(other, ..)| *other == key);
        of_key.into_iter().find(|(_, block, _)| holds(block)).map(|(.., id)| *id)
    }
}

/// Scopes whose instances are names of the DNS: compared without case, and expressions when between slashes.
pub(super) const FOLDED: [&str; 2] = ["domain", "host"];
/// The scope whose instances are addresses and blocks.
pub(super) const PEER: &str = "peer";

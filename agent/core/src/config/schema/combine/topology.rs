//! The blocks of addresses that move, and their interfaces.
//!
//! Source: reference section 2.5.
use super::{
    super::{Typed, managed::BLOCKS_MAX},
    one, place_of, text,
};
use crate::config::{
    diagnostic::{Diagnostic, Diagnostics},
    scopes::Scope,
    value,
};
use alloc::{format, vec::Vec};
use convoy_common::prefix::Prefix;

/// Returns the blocks of all `Topology` scopes.
pub(super) fn check(root: Scope<'_>, diagnostics: &mut Diagnostics) -> Vec<Prefix> {
    let mut blocks: Vec<(Prefix, Scope<'_>)> = Vec::new();
    let all = root.scope("cluster", None).into_iter().flat_map(|cluster| cluster.instances("topology"));
    for scope in all {
        if blocks.len() == BLOCKS_MAX {
            let fault =
                Diagnostic::error("too-many-blocks", format!("more than {BLOCKS_MAX} `Topology` scopes"));
            diagnostics.push(fault.at(place_of(scope)).help("describe larger blocks"));
            break;
        }
        let Some(block) = scope.instance().and_then(|instance| value::prefix(instance).ok()) else {
            continue;
        };
        if let Some((_, twin)) = blocks.iter().find(|(other, _)| *other == block) {
            let fault = Diagnostic::error("topology-twice", format!("the block {block} is described twice"));
            let fault = fault.at(place_of(scope)).note(place_of(*twin), "first here");
            diagnostics.push(fault.help("write both in one scope, spelt alike"));
            continue;
        }
        mask(scope, block, diagnostics);
        if text(scope, "interface").is_none_or(|(name, _)| name.is_empty()) {
            let message =
                format!("the block {block} has no interface: its addresses cannot be added anywhere");
            let warning = Diagnostic::warning("topology-no-interface", message).at(place_of(scope));
            diagnostics.push(warning.help("write `interface = \"eth1\"` or what it is called here"));
        }
        blocks.push((block, scope));
    }
    blocks.into_iter().map(|(block, _)| block).collect()
}

fn mask(scope: Scope<'_>, block: Prefix, diagnostics: &mut Diagnostics) {
    let Some(set) = one(scope, "cidrmask") else { return };
    let Typed::Int(bits) = set.value else { return };
    let most = i64::from(block.family().bits());
    if bits > most {
        let fault = Diagnostic::error("topology-mask", format!("`cidrmask` is {bits}, the block {block}"));
        diagnostics.push(fault.at(set.place).expected(format!("expected 0 to {most}")));
    }
}

//! What only several options together can tell: rules of the reference, and warnings one configuration can know.
//!
//! Invariants: 1. each rule reads typed values; one that does not fit its row was reported before and counts as not set;
//! 2. a rule with many places speaks once. Source: reference sections 2.2, 3.3, 4.5, 4.6, 5.2, 6.1 and 10.3. Not here: what
//! needs other nodes, the host or the names of files.
use super::{Entry, Row, Typed, managed::Service, option, path, read};
use crate::config::{
    diagnostic::{Diagnostic, Diagnostics},
    place::Place,
    scopes::{Scope, Scopes},
};
use alloc::{string::String, vec::Vec};

mod bus;
mod logs;
mod objects;
mod topology;
mod vip;

/// What rules need of scopes that there may be thousands of, gathered while all options are read: nothing is read twice.
#[derive(Default)]
pub(super) struct Gathered<'a> {
    limits: objects::Limits,
    services: Vec<Service<'a>>,
    open: Option<Service<'a>>,
}

impl<'a> Gathered<'a> {
    /// Takes the value of an option; those of one scope come together.
    pub(super) fn add(&mut self, scope: Scope<'a>, row: &'static Row, entries: Vec<Entry>) {
        let Some(entry) = entries.into_iter().next() else { return };
        if vip::takes(scope, row) {
            self.open.get_or_insert_with(|| Service::of(scope)).set(row, entry);
        } else {
            self.limits.add(scope, row, &entry);
        }
    }

    /// The scope has no more options.
    pub(super) fn close(&mut self) {
        self.services.extend(self.open.take());
    }
}

/// Applies every rule.
pub(super) fn check(scopes: &Scopes, gathered: &Gathered<'_>, diagnostics: &mut Diagnostics) {
    let root = scopes.root();
    bus::check(root, diagnostics);
    objects::check(root, &gathered.limits, diagnostics);
    let blocks = topology::check(root, diagnostics);
    vip::check(root, &gathered.services, &blocks, diagnostics);
    logs::check(root, diagnostics);
    local_changes(root, diagnostics);
}

fn local_changes(root: Scope<'_>, diagnostics: &mut Diagnostics) {
    let only = one(root, "local_changes_only").filter(|entry| entry.value == Typed::Bool(true));
    if let (Some(only), None) = (only, root.option("local_changes_file")) {
        let fault =
            Diagnostic::error("no-changes-file", "`Local_Changes_Only` without a `Local_Changes_File`");
        diagnostics.push(
            fault
                .at(only.place)
                .help("name the file that takes the changes: `Local_Changes_File = \"/path\"`"),
        );
    }
}

/// Returns the words of an option that is set in exactly this scope.
fn entries(scope: Scope<'_>, name: &str) -> Option<Vec<Entry>> {
    let setting = scope.option(name)?;
    read(option(&path(scope), name)?, setting).ok()
}

/// Returns the only word of an option that is set in exactly this scope.
pub(super) fn one(scope: Scope<'_>, name: &str) -> Option<Entry> {
    entries(scope, name)?.into_iter().next()
}

/// Returns the text of an option that is set in exactly this scope.
pub(super) fn text(scope: Scope<'_>, name: &str) -> Option<(String, Place)> {
    match one(scope, name)? {
        Entry { value: Typed::Text(text), place, .. } => Some((text, place)),
        _ => None,
    }
}

/// Returns where a scope is opened first; every scope below the root is opened somewhere.
fn place_of(scope: Scope<'_>) -> Place {
    scope.place().unwrap_or_default()
}

#[cfg(test)]
mod tests;

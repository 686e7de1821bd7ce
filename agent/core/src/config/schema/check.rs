//! A whole configuration against the table: values that do not fit, names nobody reads.
//!
//! Every name that is not read is reported once, at its first place, with the number of the others: the files of an
//! MTA hold thousands of its own. Nothing below an unknown scope is looked at.
use super::{Instance, Live, NOT_READ, OPTIONS, Row, SCOPES, ScopeRow, nearest, read};
use crate::config::{
    diagnostic::{Diagnostic, Diagnostics},
    place::Place,
    scopes::{Scope, Scopes, Setting},
};
use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

/// Checks all scopes and options; whatever [`read()`] refuses is an error, whatever nobody reads a warning.
pub fn check(scopes: &Scopes, diagnostics: &mut Diagnostics) {
    let mut check = Check { diagnostics, unread: BTreeMap::new() };
    check.inside(scopes.root(), "");
    let mut unread: Vec<_> = check.unread.into_values().collect();
    unread.sort_by_key(|(place, ..)| *place);
    for (place, diagnostic, others) in unread {
        let diagnostic = diagnostic.at(place);
        diagnostics.push(match others {
            0 => diagnostic,
            1 => diagnostic.expected("and in one other place"),
            _ => diagnostic.expected(format!("and in {others} other places")),
        });
    }
}

struct Check<'a> {
    diagnostics: &'a mut Diagnostics,
    /// By scope and name: first place, warning, number of other places.
    unread: BTreeMap<(&'static str, String), (Place, Diagnostic, usize)>,
}

impl Check<'_> {
    fn inside(&mut self, scope: Scope<'_>, path: &'static str) {
        for setting in scope.options() {
            let name = setting.name();
            match super::option(path, &name) {
                Some(row) => self.known(row, path, setting),
                None => self.unread(path, &name, setting.name_place(), || unknown_option(path, &name)),
            }
        }
        for inner in scope.scopes() {
            let Some(place) = inner.place() else { continue };
            match scope_below(path, inner.name()) {
                Some(row) => self.scope(inner, row, place),
                None => self.unread(path, inner.name(), place, || unknown_scope(path, inner.name())),
            }
        }
    }

    fn known(&mut self, row: &'static Row, path: &'static str, setting: Setting<'_>) {
        if let Err(faults) = read(row, setting) {
            self.diagnostics.extend(faults);
        }
        if row.live == Live::NoEffect {
            let warning = || {
                let message = format!("`{}` has no effect in this version", row.name);
                Diagnostic::warning("no-effect", message)
            };
            self.unread(path, row.name, setting.name_place(), warning);
        }
    }

    fn scope(&mut self, scope: Scope<'_>, row: &'static ScopeRow, place: Place) {
        match (row.instance, scope.instance()) {
            (Instance::None, Some(instance)) => {
                let message = format!("scope `{}` has no instances, found `{instance}`", row.path);
                let help = format!("write `{} {{ ... }}`", last(row.path));
                self.diagnostics.push(Diagnostic::error("instance", message).at(place).help(help));
            }
            (Instance::Named(what), None) => {
                let message = format!("scope `{}` without an instance", row.path);
                let help = format!("write `{} \"{what}\" {{ ... }}`", last(row.path));
                self.diagnostics.push(Diagnostic::error("instance", message).at(place).help(help));
            }
            (Instance::None, None) | (Instance::Named(_), Some(_)) => self.inside(scope, row.path),
        }
    }

    fn unread(&mut self, path: &'static str, name: &str, place: Place, warning: impl FnOnce() -> Diagnostic) {
        if let Some((first, _, others)) = self.unread.get_mut(&(path, name.to_ascii_lowercase())) {
            *first = place.min(*first);
            *others += 1;
        } else {
            self.unread.insert((path, name.to_ascii_lowercase()), (place, warning(), 0));
        }
    }
}

/// Returns the row of the scope `name` directly inside `path`.
pub(super) fn scope_below(path: &str, name: &str) -> Option<&'static ScopeRow> {
    SCOPES.iter().find(|row| parent(row.path) == path && last(row.path).eq_ignore_ascii_case(name))
}

fn unknown_option(path: &'static str, name: &str) -> Diagnostic {
    let message = format!("unknown option `{name}` {} is passed over", place_name(path));
    let warning = Diagnostic::warning("unknown-option", message);
    if let Some((.., why)) =
        NOT_READ.iter().find(|(scope, known, _)| *scope == path && known.eq_ignore_ascii_case(name))
    {
        let message = format!("option `{name}` {} is passed over", place_name(path));
        return Diagnostic::warning("not-read", message).help(why.to_string());
    }
    let elsewhere = || OPTIONS.iter().find(|row| row.name.eq_ignore_ascii_case(name));
    if scope_below(path, name).is_some() {
        return warning.help(format!("`{name}` is a scope: write `{name} \"...\" {{ ... }}`"));
    }
    if let Some(row) = elsewhere() {
        return warning.help(format!("`{}` is an option of scope `{}`", row.name, row.scopes.join("`, `")));
    }
    let here = OPTIONS.iter().filter(|row| row.is_in(path)).map(|row| row.name);
    match nearest(name, here) {
        Some(meant) => warning.help(format!("did you mean `{meant}`?")),
        None => warning,
    }
}

fn unknown_scope(path: &'static str, name: &str) -> Diagnostic {
    let message = format!("unknown scope `{name}` {} is passed over", place_name(path));
    let warning = Diagnostic::warning("unknown-scope", message);
    let here = SCOPES.iter().filter(|row| parent(row.path) == path).map(|row| last(row.path));
    let elsewhere = || SCOPES.iter().find(|row| last(row.path).eq_ignore_ascii_case(name));
    if let Some(row) = super::option(path, name) {
        return warning.help(format!("`{}` is an option: write `{} = value`", row.name, row.name));
    }
    if let Some(meant) = nearest(name, here) {
        return warning.help(format!("did you mean `{meant}`?"));
    }
    match elsewhere() {
        Some(row) if parent(row.path).is_empty() => {
            warning.help(format!("`{}` is an outermost scope", row.path))
        }
        Some(row) => warning.help(format!("`{}` stands inside `{}`", last(row.path), parent(row.path))),
        None => warning,
    }
}

fn place_name(path: &str) -> String {
    if path.is_empty() { "outside all scopes".into() } else { format!("in scope `{path}`") }
}

fn parent(path: &str) -> &str {
    path.rsplit_once("::").map_or("", |(parent, _)| parent)
}

fn last(path: &str) -> &str {
    path.rsplit_once("::").map_or(path, |(_, last)| last)
}

//! What is said about a name that the table does not have in its scope.
//!
//! In a scope that is ours every such name is an error. In a scope that the mail server shares, its names are passed over; a
//! name that is close to a known one is an error, for it is a slip; all others are told together in one warning, because no list
//! of an MTA's names is ever complete. `ignore_names` is the way out of both.
use super::{
    super::{NOT_READ, Names, OPTIONS, Row, SCOPES, ScopeRow, index, mta, nearest, nearest::nearest_within},
    Check,
};
use crate::config::{diagnostic::Diagnostic, parser, place::Place};
use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

impl Check<'_, '_> {
    pub(super) fn unknown_option(&mut self, scope: &'static ScopeRow, name: &str, place: Place) {
        if self.is_passed_over(scope, name, mta::is_option) {
            return;
        }
        let gone = NOT_READ
            .iter()
            .find(|(paths, gone, _)| paths.contains(&scope.path) && gone.eq_ignore_ascii_case(name));
        if let Some((.., why)) = gone {
            let message = format!("option `{name}` {} is passed over", place_name(scope));
            self.tell(scope.path, name, place, || {
                Diagnostic::warning("not-read", message).help(why.to_string())
            });
        } else if let Some(row) = nested_otherwise(scope, name) {
            let message = format!("`{}` has no effect {}", row.name, place_name(scope));
            let help = format!("it may stand in {}", places_of(row.scopes));
            self.tell(scope.path, name, place, || {
                Diagnostic::warning("misplaced-option", message).help(help)
            });
        } else {
            self.judge(scope, name, place, option_help, || {
                let what =
                    format!("`{}` is not a valid option name {}", parser::clip(name), place_name(scope));
                Diagnostic::error("unknown-option", what)
            });
        }
    }

    pub(super) fn unknown_scope(&mut self, scope: &'static ScopeRow, name: &str, place: Place) {
        if !self.is_passed_over(scope, name, mta::is_scope) {
            self.judge(scope, name, place, scope_help, || {
                let what =
                    format!("`{}` is not a valid scope name {}", parser::clip(name), place_name(scope));
                Diagnostic::error("unknown-scope", what)
            });
        }
    }

    fn is_passed_over(&self, scope: &ScopeRow, name: &str, is_theirs: fn(&str) -> bool) -> bool {
        // A name that could not be one was reported by the parser.
        let legal = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        !legal
            || self.ignored.contains(&name.to_ascii_lowercase())
            || (scope.names == Names::Mixed && is_theirs(name))
    }

    /// An error where the scope is ours or a remedy is known, else one more name for the common warning.
    fn judge(
        &mut self,
        scope: &'static ScopeRow,
        name: &str,
        place: Place,
        help: fn(&ScopeRow, &str) -> Option<String>,
        fault: impl FnOnce() -> Diagnostic,
    ) {
        if self.told.contains_key(&(scope.path, name.to_ascii_lowercase())) {
            return self.tell(scope.path, name, place, fault);
        }
        if scope.names == Names::Mixed && self.unlisted.again(name, place) {
            return;
        }
        self.judged += 1;
        let help = if self.judged <= JUDGED_MAX { help(scope, name) } else { None };
        match (scope.names, help) {
            (Names::Ours, None) => self.tell(scope.path, name, place, fault),
            (Names::Ours, Some(help)) => self.tell(scope.path, name, place, || fault().help(help)),
            (Names::Mixed, Some(help)) => {
                let pause = if help.ends_with('?') { " If" } else { "; if" };
                let way_out =
                    format!("{help}{pause} the name is right, add it to `ignore_names` in scope `cluster`");
                self.tell(scope.path, name, place, || fault().help(way_out));
            }
            (Names::Mixed, None) => self.unlisted.add(name, place),
        }
    }
}

/// Names in neither list, told together.
#[derive(Default)]
pub(super) struct Unlisted {
    places: BTreeMap<String, Place>,
    first: Option<Place>,
}

impl Unlisted {
    fn again(&mut self, name: &str, place: Place) -> bool {
        let Some(known) = self.places.get_mut(&name.to_ascii_lowercase()) else { return false };
        *known = place.min(*known);
        self.first = self.first.min(Some(*known));
        true
    }

    fn add(&mut self, name: &str, place: Place) {
        self.first = Some(self.first.map_or(place, |first| first.min(place)));
        if self.places.len() < UNLISTED_MAX {
            self.places.insert(name.to_ascii_lowercase(), place);
        }
    }

    pub(super) fn into_diagnostic(self) -> Option<Diagnostic> {
        let mut names: Vec<_> =
            self.places.iter().map(|(name, place)| (*place, parser::clip(name))).collect();
        names.sort();
        let shown: Vec<_> = names.iter().take(SHOWN_MAX).map(|(_, name)| format!("`{name}`")).collect();
        let more = match names.len().saturating_sub(SHOWN_MAX) {
            0 => String::new(),
            1 => " and one more".into(),
            more => format!(" and {more} more"),
        };
        let are = if names.len() == 1 { "is" } else { "are" };
        let message = format!("{}{more} {are} passed over: Convoy has no such name", shown.join(", "));
        let help = "names of the mail server can be listed in `ignore_names` of scope `cluster`";
        Some(Diagnostic::warning("unlisted-names", message).at(self.first?).help(help))
    }
}

/// Returns the row of an option that may stand in a scope of the same name, but not in one that is nested like this one.
fn nested_otherwise(scope: &ScopeRow, name: &str) -> Option<&'static Row> {
    let here = index::last(scope.path);
    let alike = |row: &&Row| row.scopes.iter().any(|path| index::last(path) == here);
    index::rows_named(name).find(|row| scope.names == Names::Mixed && (alike(row) || sends(row, scope)))
}

/// Whether both are about sending, where the mail server accepts a name more widely than it has an effect.
fn sends(row: &Row, scope: &ScopeRow) -> bool {
    let outer = |path: &str| path.split("::").next().is_some_and(|outer| SENDING.contains(&outer));
    outer(scope.path) && row.scopes.iter().any(|path| outer(path))
}

const SENDING: [&str; 4] = ["Binding", "Binding_Group", "Domain", "Host"];

fn option_help(scope: &ScopeRow, name: &str) -> Option<String> {
    if index::scope_below(scope.path, name).is_some() {
        return Some(format!("`{name}` is a scope: write `{name} \"...\" {{ ... }}`"));
    }
    if let Some(row) = index::rows_named(name).next() {
        return Some(format!("`{}` is an option of {}", row.name, places_of(row.scopes)));
    }
    let here = OPTIONS.iter().filter(|row| row.is_in(scope.path)).map(|row| row.name);
    meant(scope, name, here, mta::OPTIONS)
}

fn scope_help(scope: &ScopeRow, name: &str) -> Option<String> {
    if let Some(row) = super::super::option(scope.path, name) {
        return Some(format!("`{}` is an option: write `{} = value`", row.name, row.name));
    }
    let here = SCOPES.iter().filter(|row| !row.path.is_empty() && index::parent(row.path) == scope.path);
    let here = here.map(|row| index::last(row.path));
    if let Some(help) = meant(scope, name, here, mta::SCOPES) {
        return Some(help);
    }
    let row = index::scopes_named(name).next()?;
    Some(match index::parent(row.path) {
        "" => format!("`{}` is an outermost scope", row.path),
        parent => format!("`{}` stands inside `{parent}`", index::last(row.path)),
    })
}

/// Returns the suggestion of a near name: of the table in any scope, also of the mail server where it has names too.
fn meant<'a>(
    scope: &ScopeRow,
    name: &str,
    here: impl Iterator<Item = &'a str>,
    theirs: &'static [&'static str],
) -> Option<String> {
    let found = match scope.names {
        Names::Ours => nearest(name, here),
        Names::Mixed => nearest_within(name, slips(name), here.chain(theirs.iter().copied())),
    };
    found.map(|meant| format!("did you mean `{meant}`?"))
}

/// Returns the number of slips that make a name a misspelt one where it may also be another name that we do not know.
fn slips(name: &str) -> usize {
    match name.len() {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

fn place_name(scope: &ScopeRow) -> String {
    if scope.path.is_empty() { "in the global scope".into() } else { format!("in scope `{}`", scope.path) }
}

fn places_of(scopes: &[&str]) -> String {
    let name = |path: &&str| if path.is_empty() { "the global scope".into() } else { format!("`{path}`") };
    let shown: Vec<_> = scopes.iter().take(SHOWN_MAX).map(name).collect();
    let more = if scopes.len() > SHOWN_MAX { " and others" } else { "" };
    match shown.as_slice() {
        [one] if one.starts_with('`') => format!("scope {one}"),
        _ => format!("{}{more}", shown.join(", ")),
    }
}

/// chosen: a message that still fits two lines.
const SHOWN_MAX: usize = 5;
/// chosen: beyond this the file is no configuration, and looking for neighbours would take longer than reading it.
const JUDGED_MAX: usize = 128;
/// chosen: enough to say how many there are.
const UNLISTED_MAX: usize = 1_024;

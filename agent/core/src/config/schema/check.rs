//! A whole configuration against the table: values that do not fit, instances that are none, names nobody has.
//!
//! A name is reported once, at its first place, with the number of the others: the files of an MTA hold thousands of
//! bindings. Nothing below an unknown scope, or below one of the mail server's own, is looked at. What only several options
//! together can tell is judged in `combine`.
use super::{
    DEPRECATED, Entry, Form, Instance, Live, Names, Row, ScopeRow,
    combine::{self, Gathered},
    default_of, index, read,
};
use crate::config::{
    diagnostic::{Diagnostic, Diagnostics},
    place::Place,
    scopes::{Scope, Scopes, Setting},
    value,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};
use names::Unlisted;

mod names;

/// Checks all scopes and options. Values that [`read()`] refuses and names that nobody has are errors; what is set and not
/// acted on is a warning.
pub fn check(scopes: &Scopes, diagnostics: &mut Diagnostics) {
    let mut check = Check {
        diagnostics,
        ignored: ignored(scopes),
        told: BTreeMap::new(),
        idle: BTreeMap::new(),
        unlisted: Unlisted::default(),
        judged: 0,
        gathered: Gathered::default(),
    };
    check.inside(scopes.root(), &GLOBAL);
    let Check { told, idle, unlisted, gathered, .. } = check;
    let mut told: Vec<_> = told.into_values().chain(idle.into_values()).collect();
    told.sort_by_key(|told| told.place);
    diagnostics.extend(told.into_iter().map(Told::into_diagnostic));
    diagnostics.extend(unlisted.into_diagnostic());
    combine::check(scopes, &gathered, diagnostics);
}

struct Check<'a, 'd> {
    diagnostics: &'d mut Diagnostics,
    /// Names that the operator answers for, in lower case.
    ignored: BTreeSet<String>,
    /// By scope and name.
    told: BTreeMap<(&'static str, String), Told>,
    /// Options that are set and not acted on, by name.
    idle: BTreeMap<&'static str, Told>,
    unlisted: Unlisted,
    /// Unknown names whose neighbours were looked for.
    judged: usize,
    gathered: Gathered<'a>,
}

/// One report that stands for all places of a name.
struct Told {
    place: Place,
    diagnostic: Diagnostic,
    others: usize,
}

impl<'a> Check<'a, '_> {
    fn inside(&mut self, scope: Scope<'a>, row: &'static ScopeRow) {
        for setting in scope.options() {
            let name = setting.name();
            match super::option(row.path, &name) {
                Some(option) => self.known(scope, option, setting),
                None => self.unknown_option(row, &name, setting.name_place()),
            }
        }
        self.gathered.close();
        for inner in scope.scopes() {
            let Some(place) = inner.place() else { continue };
            match index::scope_below(row.path, inner.name()) {
                Some(row) => self.scope(inner, row, place),
                None => self.unknown_scope(row, inner.name(), place),
            }
        }
    }

    fn known(&mut self, scope: Scope<'a>, row: &'static Row, setting: Setting<'a>) {
        match read(row, setting) {
            Ok(entries) => {
                let instead = DEPRECATED.iter().find(|(path, name, _)| *name == row.name && row.is_in(path));
                if let Some((.., instead)) = instead {
                    let warning = Diagnostic::warning("deprecated", format!("`{}` is deprecated", row.name));
                    self.diagnostics.push(warning.at(setting.name_place()).help(*instead));
                }
                if row.live == Live::NoEffect {
                    self.idle(row, setting.name_place(), &entries);
                }
                self.gathered.add(scope, row, entries);
            }
            Err(faults) => self.diagnostics.extend(faults),
        }
    }

    /// An option that nothing acts on: worth a word when it is not the default.
    fn idle(&mut self, row: &'static Row, place: Place, entries: &[Entry]) {
        if let Some(told) = self.idle.get_mut(row.name) {
            told.place = place.min(told.place);
            told.others += 1;
        } else if !default_of(row).is_some_and(|default| alike(&default, entries)) {
            let diagnostic =
                Diagnostic::warning("no-effect", format!("`{}` has no effect in this version", row.name));
            self.idle.insert(row.name, Told { place, diagnostic, others: 0 });
        }
    }

    fn scope(&mut self, scope: Scope<'a>, row: &'static ScopeRow, place: Place) {
        let name = index::last(row.path);
        match (row.instance, scope.instance()) {
            (Instance::None, Some(instance)) => {
                let message = format!("scope `{}` has no instances, found `{instance}`", row.path);
                let help = format!("write `{name} {{ ... }}`");
                self.diagnostics.push(Diagnostic::error("instance", message).at(place).help(help));
            }
            (Instance::Named(what), None) => {
                let message = format!("scope `{}` without an instance", row.path);
                let help = format!("write `{name} \"{what}\" {{ ... }}`");
                self.diagnostics.push(Diagnostic::error("instance", message).at(place).help(help));
            }
            (_, instance) => {
                if let Some(fault) = instance.and_then(|instance| misformed(row, instance)) {
                    self.diagnostics.push(fault.at(place));
                }
                self.inside(scope, row);
            }
        }
    }

    /// Reports once for a scope and a name; beyond `TOLD_MAX` names each report goes out alone.
    fn tell(&mut self, scope: &'static str, name: &str, place: Place, what: impl FnOnce() -> Diagnostic) {
        let key = (scope, name.to_ascii_lowercase());
        if let Some(told) = self.told.get_mut(&key) {
            told.place = place.min(told.place);
            told.others += 1;
        } else if self.told.len() < TOLD_MAX {
            self.told.insert(key, Told { place, diagnostic: what(), others: 0 });
        } else {
            self.diagnostics.push(what().at(place));
        }
    }
}

impl Told {
    fn into_diagnostic(self) -> Diagnostic {
        let diagnostic = self.diagnostic.at(self.place);
        match self.others {
            0 => diagnostic,
            1 => diagnostic.expected("and in one other place"),
            others => diagnostic.expected(format!("and in {others} other places")),
        }
    }
}

/// Returns whether two values say the same, wherever they stand.
fn alike(left: &[Entry], right: &[Entry]) -> bool {
    let key = |entry: &Entry| entry.key.as_ref().map(|(key, _)| key.clone());
    left.len() == right.len() && left.iter().zip(right).all(|(a, b)| key(a) == key(b) && a.value == b.value)
}

/// Returns the words of `ignore_names`; a value that does not fit is reported elsewhere.
fn ignored(scopes: &Scopes) -> BTreeSet<String> {
    let setting = scopes.root().scope("cluster", None).and_then(|cluster| cluster.option("ignore_names"));
    let row = super::option("cluster", "ignore_names");
    let entries = row.zip(setting).and_then(|(row, setting)| read(row, setting).ok()).unwrap_or_default();
    let text = |entry: Entry| match entry.value {
        super::Typed::Text(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    entries.into_iter().filter_map(text).collect()
}

/// Returns what is wrong with the name of an instance: an error where all is ours, else a warning.
fn misformed(row: &ScopeRow, instance: &str) -> Option<Diagnostic> {
    let fault = |code, message: String| match row.names {
        Names::Ours => Diagnostic::error(code, message),
        Names::Mixed => Diagnostic::warning(code, message),
    };
    let name = index::last(row.path);
    match row.form {
        Form::Any => None,
        Form::Cidr => {
            let bad = value::prefix(instance).err()?;
            Some(fault("instance", format!("`{name}`: {bad}")).expected(bad.expected()))
        }
        Form::Endpoint => {
            let bad = value::endpoint(instance).err()?;
            Some(fault("bad-listen", format!("`{name}`: {bad}")).help(bad.help()))
        }
        Form::Pattern => {
            let open = instance.strip_prefix('/')?;
            let closed = open.len() > 1 && open.ends_with('/');
            let message = format!("`{name}`: the regular expression `{instance}` does not end with `/`");
            (!closed).then(|| fault("instance", message))
        }
        Form::Binding | Form::Group => {
            let colons = row.form == Form::Binding && instance.contains(':');
            let bad = colons || instance.contains(char::is_whitespace);
            let what = if row.form == Form::Binding { "blanks or colons" } else { "blanks" };
            bad.then(|| fault("instance", format!("`{name}`: the name `{instance}` must not hold {what}")))
        }
    }
}

/// chosen: more names than anybody would read.
const TOLD_MAX: usize = 512;

static GLOBAL: ScopeRow =
    ScopeRow { path: "", instance: Instance::None, form: Form::Any, names: Names::Mixed, help: "" };

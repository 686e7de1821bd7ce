//! One change of a configuration: which file it belongs into, and the whole configuration after it.
//!
//! Where a value is saved (reference section 1.14), first match: the file of the last setting, if it may be written; the
//! first such file that opens the scope; `Local_Changes_File`; the main file; no file at all. With `Local_Changes_Only` it is
//! always `Local_Changes_File`.
//! Invariants: 1. the whole configuration is loaded again after every change; 2. a change that would not be in effect,
//! because a text that is loaded later says otherwise, goes into the next place of the list; 3. a change that cannot be made
//! changes nothing.
use super::{
    address::{self, Step},
    edit,
    snapshot::{HOMELESS, Snapshot},
};
use crate::config::{
    diagnostic::Diagnostics,
    draft::{self, Item, Literal, Unwritable},
    load::Config,
    place::FileId,
    scopes::{Scope, Setting},
    tree::StatementId,
    value,
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString as _},
    vec::Vec,
};
use thiserror::Error;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Give an option a value.
    Set {
        /// Its scope.
        scope: Vec<Step>,
        /// Its name.
        option: String,
        /// Its value.
        value: Literal,
    },
    /// Take an option's settings away.
    Unset {
        /// Its scope.
        scope: Vec<Step>,
        /// Its name.
        option: String,
    },
    /// Take a scope away with everything in it.
    UnsetScope {
        /// Which.
        scope: Vec<Step>,
    },
}

/// A change that was made.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The texts after it.
    pub snapshot: Snapshot,
    /// The configuration after it.
    pub config: Config,
    /// Warnings of the load.
    pub diagnostics: Diagnostics,
    /// The value before, of an option that was set.
    pub before: Option<Literal>,
    /// The files it belongs into; none for what can be saved nowhere.
    pub files: Vec<String>,
}

/// Why a change is not made, one variant per remedy.
#[derive(Debug, Error)]
pub enum Refused {
    /// The language cannot say it.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// The configuration would not load; the diagnostics say where.
    #[error("Reconfigure failed")]
    Faulty(Box<Faulty>),
    /// There is nothing to take away.
    #[error("Option '{option}' is not set in scope '{scope}'.")]
    NotSet {
        /// The option.
        option: String,
        /// Its scope.
        scope: String,
    },
    /// There is nothing to take away.
    #[error("there is no scope '{scope}'; see: convoy config show")]
    NoScope {
        /// The scope.
        scope: String,
    },
    /// Everything would go.
    #[error(
        "name a scope or an option: everything cannot be unset at once (`convoy config begin from scratch` begins anew)"
    )]
    Everything,
    /// What would have to go stands where nothing may be changed.
    #[error(
        "{what} is set in {file}, which is never written ({why}); set another value instead, or edit that file and reload"
    )]
    ReadOnly {
        /// The option or scope.
        what: String,
        /// The file.
        file: String,
        /// Why not.
        why: &'static str,
    },
    /// `Local_Changes_Only` without a file.
    #[error(
        "Local_Changes_Only is true and Local_Changes_File is not set: there is no place for a change; set one of them in the main file and reload"
    )]
    NoLocalFile,
}

/// A configuration that would not load.
#[derive(Debug)]
pub struct Faulty {
    /// It.
    pub config: Config,
    /// Its errors.
    pub diagnostics: Diagnostics,
}

/// Makes a change.
///
/// # Errors
/// [`Refused`]; nothing is changed.
pub fn make(snapshot: &Snapshot, config: &Config, change: &Change) -> Result<Changed, Refused> {
    match change {
        Change::Set { scope, option, value } => set(snapshot, config, scope, option, value),
        Change::Unset { scope, option } => unset(snapshot, config, scope, option),
        Change::UnsetScope { scope } => unset_scope(snapshot, config, scope),
    }
}

fn set(
    snapshot: &Snapshot,
    config: &Config,
    scope: &[Step],
    option: &str,
    value: &Literal,
) -> Result<Changed, Refused> {
    let before = setting(config, scope, option).map(literal);
    let homes = homes(config, scope, option)?;
    let item = Item::Assign { name: option.to_string(), value: value.clone() };
    for home in homes {
        let mut next = snapshot.clone();
        let file = write(&mut next, config, &home, scope, &item, value)?;
        let (made, diagnostics) = build(&next)?;
        if setting(&made, scope, option).map(literal).as_ref() == Some(value) {
            let files = file.into_iter().filter(|file| file != HOMELESS).collect();
            return Ok(Changed { snapshot: next, config: made, diagnostics, before, files });
        }
    }
    // The last home is loaded after every other text, so this is reached only where it is not: with Local_Changes_Only.
    Err(Refused::ReadOnly { what: option.to_string(), file: HOMELESS.into(), why: "Local_Changes_Only" })
}

/// A place where a setting may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// Instead of this assignment.
    Instead(FileId, StatementId),
    /// At the end of what this statement opens; at the end of the file without one.
    Within(FileId, Option<StatementId>),
    /// In `Local_Changes_File`.
    Local(Spot),
    /// In the main file.
    Main(Spot),
    /// In no file.
    Homeless,
}

/// Where in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spot {
    /// In the innermost of its scopes that the file opens already.
    Opened,
    /// Behind everything else.
    End,
}

/// Returns the places in the order in which they are tried.
fn homes(config: &Config, scope: &[Step], option: &str) -> Result<Vec<Home>, Refused> {
    let files = &config.texts.files;
    let writable = |file: FileId| files.get(file).is_some_and(|file| !file.readonly);
    let local = config.texts.local_changes();
    let last = setting(config, scope, option).map(|setting| (setting.tree().file(), setting.statement()));
    let mut homes = Vec::new();
    if local_only(config) {
        let local = local.ok_or(Refused::NoLocalFile)?;
        homes.extend(
            last.filter(|(file, _)| Some(*file) == local.file).map(|(file, id)| Home::Instead(file, id)),
        );
        homes.extend([Home::Local(Spot::Opened), Home::Local(Spot::End)]);
        return Ok(homes);
    }
    homes.extend(last.filter(|(file, _)| writable(*file)).map(|(file, id)| Home::Instead(file, id)));
    if scope.is_empty() {
        homes.extend(Some(Home::Within(FileId::MAIN, None)).filter(|_| writable(FileId::MAIN)));
    } else if let Some(opened) = address::find(&config.scopes, scope) {
        let first = opened.openings().map(|(file, _)| file).filter(|file| writable(*file)).min();
        let opening = first.and_then(|first| opened.openings().filter(|(file, _)| *file == first).last());
        homes.extend(opening.map(|(file, id)| Home::Within(file, Some(id))));
    }
    if local.is_some() {
        homes.extend([Home::Local(Spot::Opened), Home::Local(Spot::End)]);
    }
    if writable(FileId::MAIN) {
        homes.extend([Home::Main(Spot::Opened), Home::Main(Spot::End)]);
    }
    homes.push(Home::Homeless);
    Ok(homes)
}

/// Writes a setting into the snapshot, and returns the file.
fn write(
    next: &mut Snapshot,
    config: &Config,
    home: &Home,
    scope: &[Step],
    item: &Item,
    value: &Literal,
) -> Result<Option<String>, Refused> {
    let shown = |file| config.texts.files.get(file).map(|file| file.name.to_string());
    match *home {
        Home::Instead(file, id) => {
            if let Some(tree) = config.texts.tree(file) {
                let text = edit::apply(tree.text(), edit::replace(tree, id, value)?);
                next.set_text(config, file, text);
            }
            Ok(shown(file))
        }
        Home::Within(file, opening) => {
            if let Some(tree) = config.texts.tree(file) {
                let text = edit::apply(tree.text(), [edit::append(tree, opening, item)?].into());
                next.set_text(config, file, text);
            }
            Ok(shown(file))
        }
        Home::Main(spot) => {
            append_scopes(next, config, (FileId::MAIN, spot), scope, item)?;
            Ok(shown(FileId::MAIN))
        }
        Home::Local(spot) => {
            let Some(local) = config.texts.local_changes() else { return Ok(None) };
            if let Some(file) = local.file {
                append_scopes(next, config, (file, spot), scope, item)?;
            } else {
                let text = draft::print(&[nested(scope, item)])?;
                next.add_local_changes(&local.argument, &local.name, text);
            }
            Ok(Some(local.name.shown.clone()))
        }
        Home::Homeless => {
            let homeless = config.texts.files.iter().find(|(_, file)| &*file.name == HOMELESS);
            match homeless {
                Some((file, _)) => append_scopes(next, config, (file, Spot::Opened), scope, item)?,
                None => next.set_homeless(draft::print(&[nested(scope, item)])?),
            }
            Ok(None)
        }
    }
}

/// Appends a setting to a file.
fn append_scopes(
    next: &mut Snapshot,
    config: &Config,
    (file, spot): (FileId, Spot),
    scope: &[Step],
    item: &Item,
) -> Result<(), Refused> {
    let Some(tree) = config.texts.tree(file) else { return Ok(()) };
    let depth_max = if spot == Spot::End { 0 } else { scope.len() };
    let opened = (1..=depth_max).rev().find_map(|depth| {
        let (outer, inner) = scope.split_at_checked(depth)?;
        let openings = address::find(&config.scopes, outer)?.openings();
        Some((openings.filter(|(at, _)| *at == file).last()?.1, inner))
    });
    let (opening, inner) = opened.map_or((None, scope), |(opening, inner)| (Some(opening), inner));
    let text = edit::apply(tree.text(), [edit::append(tree, opening, &nested(inner, item))?].into());
    next.set_text(config, file, text);
    Ok(())
}

/// Returns a statement inside its scopes.
fn nested(scope: &[Step], item: &Item) -> Item {
    scope.iter().rev().fold(item.clone(), |body, step| Item::Scope {
        name: step.name.clone(),
        instance: step.instance.clone(),
        body: [body].into(),
    })
}

fn unset(snapshot: &Snapshot, config: &Config, scope: &[Step], option: &str) -> Result<Changed, Refused> {
    let Some(last) = setting(config, scope, option) else {
        return Err(Refused::NotSet { option: option.to_string(), scope: address::name(scope) });
    };
    let before = Some(literal(last));
    let all = core::iter::successors(Some(last), |setting| setting.shadowed());
    let places = all.map(|setting| (setting.tree().file(), setting.statement()));
    take_away(snapshot, config, places, option, before)
}

fn unset_scope(snapshot: &Snapshot, config: &Config, scope: &[Step]) -> Result<Changed, Refused> {
    if scope.is_empty() {
        return Err(Refused::Everything);
    }
    let Some(found) = address::find(&config.scopes, scope) else {
        return Err(Refused::NoScope { scope: address::name(scope) });
    };
    take_away(snapshot, config, Scope::openings(found), &address::name(scope), None)
}

/// Takes statements away, all of them or none.
fn take_away(
    snapshot: &Snapshot,
    config: &Config,
    places: impl Iterator<Item = (FileId, StatementId)>,
    what: &str,
    before: Option<Literal>,
) -> Result<Changed, Refused> {
    let local = local_only(config).then(|| config.texts.local_changes().and_then(|local| local.file));
    let mut by_file: BTreeMap<FileId, BTreeSet<StatementId>> = BTreeMap::new();
    places.for_each(|(file, id)| {
        by_file.entry(file).or_default().insert(id);
    });
    let mut next = snapshot.clone();
    let mut files = Vec::new();
    for (file, ids) in by_file {
        let (Some(tree), Some(known)) = (config.texts.tree(file), config.texts.files.get(file)) else {
            continue;
        };
        let elsewhere = local.is_some_and(|local| local != Some(file));
        if known.readonly || elsewhere {
            let why = if elsewhere { "Local_Changes_Only" } else { "read-only" };
            return Err(Refused::ReadOnly { what: what.into(), file: known.name.to_string(), why });
        }
        let edits =
            ids.into_iter().filter_map(|id| tree.get(id)).map(|statement| edit::remove(tree, statement));
        next.set_text(config, file, edit::apply(tree.text(), edits.collect()));
        files.extend(Some(known.name.to_string()).filter(|name| name != HOMELESS));
    }
    let (config, diagnostics) = build(&next)?;
    Ok(Changed { snapshot: next, config, diagnostics, before, files })
}

fn build(snapshot: &Snapshot) -> Result<(Config, Diagnostics), Refused> {
    let (config, diagnostics) = snapshot.build();
    if diagnostics.has_errors() {
        Err(Refused::Faulty(Box::new(Faulty { config, diagnostics })))
    } else {
        Ok((config, diagnostics))
    }
}

/// Returns the assignment in effect exactly there.
pub fn setting<'a>(config: &'a Config, scope: &[Step], option: &str) -> Option<Setting<'a>> {
    address::find(&config.scopes, scope)?.option(option)
}

/// Returns what an assignment says.
pub fn literal(setting: Setting<'_>) -> Literal {
    setting.tree().literal(setting.value())
}

/// Returns whether every change belongs into `Local_Changes_File`.
fn local_only(config: &Config) -> bool {
    let only = config.scopes.root().option("Local_Changes_Only").map(literal);
    matches!(only, Some(Literal::Scalar(word)) if value::boolean(&word) == Ok(true))
}

#[cfg(test)]
mod tests;

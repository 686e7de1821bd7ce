//! What is in effect somewhere: the most specific setting, else outward to the global scope, else the default.
//!
//! Which scopes are asked, and in which order, is data of the schema: see [`Fallback`]. In each of them one scope stands
//! for a name: that of the name itself, else the first regular expression that matches it, else the smallest block around
//! it. What that scope does not set comes from the next scope of the chain, not from another expression or block beside it.
//!
//! Invariants: 1. pure, and the same answer for the same configuration; 2. unset differs from every value; 3. a host
//! never falls back, but for the options whose chain begins there; 4. a limit that is counted for a scope as a whole names
//! that scope. Source: reference sections 1.12, 4.5 and 4.6.
use super::{
    schema::{self, Fallback, Row},
    scopes::{Asked, Scope, Scopes, Setting},
};
use alloc::{string::String, vec::Vec};

/// One scope of a path, outermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, in any case.
    pub name: String,
    /// Its instance, if it has one: a name or an address that the scope is to stand for.
    pub instance: Option<String>,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug)]
pub enum From<'a> {
    /// It is set.
    Set {
        /// The scope that sets it.
        scope: Scope<'a>,
        /// The assignment in effect there.
        setting: Setting<'a>,
    },
    /// No scope that was asked sets it; this is its default, as it would be written after `=`.
    Default(&'static str),
    /// No scope that was asked sets it, and it has no default.
    Unset,
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub struct Effective<'a> {
    /// Where the value comes from.
    pub from: From<'a>,
    /// The scope whose counter the limit is held against: all that inherit it from there share that counter. `None` for
    /// options that are no limits, and for limits of which each domain or host has its own.
    pub shared: Option<Scope<'a>>,
}

/// Returns what is in effect for an option at the end of a path, which need not exist: its names decide which scopes
/// stand for it. For many questions about one option see [`Lookup`].
pub fn evaluate<'a>(config: &'a Scopes, at: &[Step], option: &str) -> Effective<'a> {
    Lookup::new(config, option).at(at)
}

/// One option, prepared for many questions; asking allocates nothing.
#[derive(Clone, Debug)]
pub struct Lookup<'a> {
    config: &'a Scopes,
    /// Number of the option's name.
    option: u32,
    /// The rows of that name; several when scopes have options of one name.
    rows: Vec<&'static Row>,
    chains: Vec<(Fallback, Chain)>,
    shared: bool,
    host_default: Option<&'static str>,
}

/// A step as an argument; also a pair of name and instance, so that nothing needs to be copied.
pub trait AsStep {
    /// Returns the scope's name, in any case.
    fn name(&self) -> &str;
    /// Returns its instance.
    fn instance(&self) -> Option<&str>;
}

impl AsStep for Step {
    fn name(&self) -> &str {
        &self.name
    }

    fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }
}

impl AsStep for (&str, Option<&str>) {
    fn name(&self) -> &str {
        self.0
    }

    fn instance(&self) -> Option<&str> {
        self.1
    }
}

impl<'a> Lookup<'a> {
    /// Prepares the questions about an option. One that the table does not know is asked as an option of sending where
    /// only scopes of sending are named, else exactly where the path ends.
    pub fn new(config: &'a Scopes, option: &str) -> Self {
        Self::among(schema::rows_named(option), config, option)
    }

    fn among(rows: impl Iterator<Item = &'static Row>, config: &'a Scopes, option: &str) -> Self {
        let rows: Vec<_> = rows.collect();
        let mut chains = Vec::new();
        for fallback in
            rows.iter().map(|row| row.fallback).chain(rows.is_empty().then_some(Fallback::Sending))
        {
            if chains.iter().all(|(known, _)| *known != fallback) {
                chains.push((fallback, Chain::of(config, fallback)));
            }
        }
        let begins =
            |part: &&str| option.get(..part.len()).is_some_and(|head| head.eq_ignore_ascii_case(part));
        let host_default = HOST_DEFAULTS.iter().find(|(name, _)| name.eq_ignore_ascii_case(option));
        Self {
            config,
            option: config.number(option),
            rows,
            chains,
            shared: SHARED.iter().any(begins),
            host_default: host_default.map(|(_, text)| *text),
        }
    }

    /// Returns what is in effect at the end of the path.
    pub fn at<S: AsStep>(&self, path: &[S]) -> Effective<'a> {
        let row = self.row(path);
        let sending = || path.iter().all(|step| is_one_of(step.name(), &SENDING));
        let fallback = row
            .map_or_else(|| if sending() { Fallback::Sending } else { Fallback::None }, |row| row.fallback);
        let at_host = path.iter().any(|step| step.name().eq_ignore_ascii_case("host"));
        let is_exact = fallback == Fallback::None || (fallback == Fallback::Sending && at_host);
        let found = if is_exact {
            self.exact(path)
        } else {
            let global = fallback != Fallback::Listener || row.is_none_or(|row| row.is_in(""));
            self.along(fallback, path, global)
        };
        let default = if is_exact && at_host { self.host_default } else { row.and_then(|row| row.default) };
        let from = found.or(default.map(From::Default)).unwrap_or(From::Unset);
        let shared = match from {
            From::Set { scope, .. } => Some(scope),
            From::Default(_) => Some(self.config.root()),
            From::Unset => None,
        };
        Effective { from, shared: shared.filter(|_| self.shared) }
    }

    /// Returns the row that is about the end of the path: that of exactly this scope, else that of its last name, else
    /// one whose value falls back.
    fn row<S: AsStep>(&self, path: &[S]) -> Option<&'static Row> {
        let [first, _, ..] = self.rows.as_slice() else { return self.rows.first().copied() };
        let whole = |row: &&&Row| row.scopes.iter().any(|scope| is_path(scope, path));
        let last = |row: &&&Row| {
            let name = path.last().map_or("", AsStep::name);
            row.scopes.iter().any(|scope| last(scope).eq_ignore_ascii_case(name))
        };
        let falls = |row: &&&Row| row.fallback != Fallback::None;
        let rows = || self.rows.iter();
        Some(rows().find(whole).or_else(|| rows().find(last)).or_else(|| rows().find(falls)).unwrap_or(first))
    }

    /// Asks the scope at the end of the path.
    fn exact<S: AsStep>(&self, path: &[S]) -> Option<From<'a>> {
        let inside = |scope: Scope<'a>, step: &S| {
            scope.standing_for_asked(&self.config.asked(step.name(), step.instance()))
        };
        self.set_in(path.iter().try_fold(self.config.root(), inside)?)
    }

    /// Asks the scopes of a chain in turn, each of its names with the instance the path gives it.
    fn along<S: AsStep>(&self, fallback: Fallback, path: &[S], global: bool) -> Option<From<'a>> {
        let mut steps = [Asked::NOTHING; STEPS_MAX];
        for (asked, step) in steps.iter_mut().zip(path) {
            *asked = self.config.asked(step.name(), step.instance());
        }
        let (_, chain) = self.chains.iter().find(|(known, _)| *known == fallback)?;
        let root = self.config.root();
        let step = |name: u32| {
            steps.iter().find(|step| match name {
                LISTENER_NUMBER => step.instance.is_none(),
                number => step.name == number,
            })
        };
        let inner = chain.links().find_map(|names| {
            let (last, outer) = names.split_last()?;
            let outer = outer.iter().try_fold(root, |scope, name| scope.standing_for_asked(step(*name)?))?;
            let (scope, setting) = outer.set_for_asked(step(*last)?, self.option)?;
            Some(From::Set { scope, setting })
        });
        inner.or_else(|| self.set_in(root).filter(|_| global))
    }

    fn set_in(&self, scope: Scope<'a>) -> Option<From<'a>> {
        Some(From::Set { scope, setting: scope.option_number(self.option)? })
    }
}

/// The chain of a [`Fallback`] in the numbers of one configuration, without its links to scopes that the configuration
/// does not have, and without the global scope.
#[derive(Clone, Copy, Debug, Default)]
struct Chain {
    links: [[u32; NAMES_MAX]; LINKS_MAX],
    /// Number of names in each link; 0 behind the last one.
    lens: [usize; LINKS_MAX],
}

impl Chain {
    fn of(config: &Scopes, fallback: Fallback) -> Self {
        let (mut chain, mut len) = (Self::default(), 0);
        for link in fallback.chain().iter().filter(|link| !link.is_empty()).take(LINKS_MAX) {
            let mut names = [0; NAMES_MAX];
            let mut count = 0;
            for (number, name) in names.iter_mut().zip(link.split("::")) {
                *number = if name == LISTENER { LISTENER_NUMBER } else { config.number(name) };
                count += 1;
            }
            if !names.contains(&Asked::ABSENT) {
                (chain.links[len], chain.lens[len]) = (names, count);
                len += 1;
            }
        }
        chain
    }

    fn links(&self) -> impl Iterator<Item = &[u32]> {
        self.links
            .iter()
            .zip(self.lens)
            .map_while(|(names, len)| names.get(..len).filter(|names| !names.is_empty()))
    }
}

/// Returns whether a scope's path, names joined by `::`, is this one.
fn is_path<S: AsStep>(scope: &str, path: &[S]) -> bool {
    if scope.is_empty() {
        return path.is_empty();
    }
    let mut names = scope.split("::");
    path.iter().all(|step| names.next().is_some_and(|name| name.eq_ignore_ascii_case(step.name())))
        && names.next().is_none()
}

fn last(path: &str) -> &str {
    path.rsplit_once("::").map_or(path, |(_, last)| last)
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// How a chain names the listener at hand.
const LISTENER: &str = "Listener";
/// The same as a number; no name has it.
const LISTENER_NUMBER: u32 = Asked::ABSENT - 1;
/// Links of the longest chain, the global scope left out, and names of its longest link.
const LINKS_MAX: usize = 7;
const NAMES_MAX: usize = 3;
/// chosen: the longest path there is names four scopes, and a host beside its domain; what is further in is not asked.
const STEPS_MAX: usize = 8;
/// The scopes of sending.
const SENDING: [&str; 4] = ["binding_group", "binding", "domain", "host"];
/// How names of limits begin that are counted for the defining scope as a whole (reference sections 1.12, 4.5 and 4.6).
const SHARED: [&str; 8] = [
    "cluster_outbound_throttle_",
    "outbound_throttle_",
    "inbound_throttle_",
    "scope_max_",
    "cluster_scope_max_",
    "server_max_",
    "cluster_server_max_",
    "server_reserve_",
];
/// What a host has that does not set it; there, -1 is no limit (reference section 1.12).
const HOST_DEFAULTS: [(&str, &str); 1] = [("max_outbound_connections", "-1")];

#[cfg(test)]
mod tests;

//! Which scope and option the words of a command mean: `cluster Replicate inbound_cidr max_delay`.
//!
//! A word is a scope as long as the table, or the configuration, has a scope of that name there; the first other word is
//! the option. Whether the word behind a scope is its instance is decided by the table where it knows the scope, else by
//! the configuration: it is one when such an instance exists, or when every scope of that name has one. Where a scope may
//! stand with and without, it is one as well when nothing else makes sense. `Replicate "x"` as
//! one word, as it would stand in a file, is a scope with its instance in any case.
pub use crate::config::effective::Step;
use crate::config::{
    draft::{self, Item, Literal},
    parser,
    place::FileId,
    schema::{self, Instance},
    scopes::{Scope, Scopes},
};
use alloc::{
    borrow::{Cow, ToOwned as _},
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;
use thiserror::Error;

/// Where words lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The scopes, outer before inner.
    pub scope: Vec<Step>,
    /// The last word names a scope whose instances have names, and none is given: all of them are meant.
    pub every: Option<String>,
    /// The words behind the last scope.
    pub rest: Vec<String>,
}

/// Words that are no address, one variant per remedy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadAddress {
    /// No option is named.
    #[error("no option is named in scope '{scope}'; name one, or see all with: convoy config show {}", shell(.words))]
    NoOption {
        /// The scope.
        scope: String,
        /// The words that led there.
        words: Vec<Step>,
    },
    /// A scope's instance is missing.
    #[error("scope '{name}' has instances; write {name} and the instance, as in: {name} {example}")]
    NoInstance {
        /// The scope.
        name: String,
        /// An instance, or what it is like.
        example: String,
    },
    /// A word that should be a scope is none.
    #[error("'{word}' is no scope in scope '{scope}'{}", meant(.nearest.as_deref()))]
    NoScope {
        /// The word.
        word: String,
        /// Where.
        scope: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A value is missing.
    #[error("no value for '{option}'; write: {option} = VALUE (`\"\"` is the empty value)")]
    NoValue {
        /// The option.
        option: String,
    },
    /// Several words that are no value.
    #[error(
        "the value of '{option}' is {found}; write one word, `( a b )` or `[ a = b ]`, in quotes for the shell"
    )]
    NotAValue {
        /// The option.
        option: String,
        /// What it is instead.
        found: String,
    },
}

impl Address {
    /// Reads words as far as they are scopes.
    ///
    /// # Errors
    /// None; what is no scope is in `rest`.
    pub fn read(words: &[String], scopes: &Scopes) -> Self {
        let mut address = Self::default();
        let (mut path, mut here) = (String::new(), Some(scopes.root()));
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let (name, written) = in_one_word(word).unwrap_or_else(|| (word.clone(), None));
            let Some(known) = known(&path, here, &name) else { break };
            at += 1;
            let next = words.get(at).filter(|_| written.is_none());
            let instance = match known.instance {
                Named::No => None,
                Named::Perhaps => next.filter(|next| {
                    let beyond = words.get(at + 1);
                    is_instance(here, (&path, &name), next, beyond.map(String::as_str))
                }),
                Named::Yes if written.is_none() && next.is_none() => {
                    address.every = Some(known.name);
                    break;
                }
                Named::Yes => next,
            };
            at += usize::from(instance.is_some());
            let instance = written.or_else(|| instance.cloned());
            here = here.and_then(|here| here.scope(&name, instance.as_deref()));
            path = schema_path(&path, &known.name);
            address.scope.push(Step { name: known.name, instance });
        }
        address.rest = words.get(at..).unwrap_or_default().to_vec();
        address
    }

    /// Reads words that are scopes and one option.
    ///
    /// # Errors
    /// [`BadAddress`].
    pub fn option(words: &[String], scopes: &Scopes) -> Result<(Vec<Step>, String), BadAddress> {
        let address = Self::read(words, scopes);
        address.complete(scopes)?;
        if let (Some(last), []) = (address.scope.last(), address.rest.as_slice())
            && let Some(instance) = &last.instance
            && schema::option(&path(&address.scope), instance).is_some()
            && find(scopes, &address.scope).is_none()
        {
            // The option's name stands where the instance belongs.
            let outer = address.scope.split_last().map(|(_, outer)| outer.to_vec()).unwrap_or_default();
            return Err(no_instance(&outer, &last.name, scopes));
        }
        match address.rest.as_slice() {
            [] => Err(BadAddress::NoOption { scope: name(&address.scope), words: address.scope }),
            [option] => Ok((address.scope, option.clone())),
            [word, ..] => Err(no_scope(word, &address.scope)),
        }
    }

    /// Reads words that are scopes, an option, `=` or not, and a value.
    ///
    /// # Errors
    /// [`BadAddress`].
    pub fn assignment(words: &[String], scopes: &Scopes) -> Result<(Vec<Step>, String, Literal), BadAddress> {
        let address = Self::read(words, scopes);
        address.complete(scopes)?;
        let Some((option, behind)) = address.rest.split_first() else {
            return Err(BadAddress::NoOption { scope: name(&address.scope), words: address.scope });
        };
        let (option, pasted) = option.split_once('=').unwrap_or((option, ""));
        let mut value: Vec<String> =
            Some(pasted).filter(|text| !text.is_empty()).map(String::from).into_iter().collect();
        let (equals, behind) = match behind.split_first() {
            Some((first, behind)) if value.is_empty() && first.starts_with('=') => (first.get(1..), behind),
            _ => (None, behind),
        };
        value.extend(equals.filter(|text| !text.is_empty()).map(String::from));
        value.extend(behind.iter().cloned());
        let known = schema::option(&path(&address.scope), option).is_some();
        match literal(option, &value) {
            Err(BadAddress::NotAValue { .. }) if !known => Err(no_scope(option, &address.scope)),
            value => Ok((address.scope.clone(), option.to_owned(), value?)),
        }
    }

    /// Reads words that are scopes and nothing, or one option.
    ///
    /// # Errors
    /// [`BadAddress::NoScope`].
    pub fn scope(words: &[String], scopes: &Scopes) -> Result<(Self, Option<String>), BadAddress> {
        let mut address = Self::read(words, scopes);
        match core::mem::take(&mut address.rest).as_slice() {
            [] => Ok((address, None)),
            [option] => Ok((address, Some(option.clone()))),
            [word, ..] => Err(no_scope(word, &address.scope)),
        }
    }

    fn complete(&self, scopes: &Scopes) -> Result<(), BadAddress> {
        self.every.as_ref().map_or(Ok(()), |name| Err(no_instance(&self.scope, name, scopes)))
    }
}

/// Returns the scope at the end of these steps.
pub fn find<'a>(scopes: &'a Scopes, steps: &[Step]) -> Option<Scope<'a>> {
    steps.iter().try_fold(scopes.root(), |scope, step| scope.scope(&step.name, step.instance.as_deref()))
}

/// Returns steps as messages and answers write a scope: `cluster::Replicate "inbound_cidr"`; `Global` outside all.
pub fn name(steps: &[Step]) -> String {
    if steps.is_empty() {
        return "Global".into();
    }
    steps.iter().map(ToString::to_string).collect::<Vec<_>>().join("::")
}

/// Returns the names alone, as the table joins them.
pub fn path(steps: &[Step]) -> String {
    steps.iter().fold(String::new(), |path, step| schema_path(&path, &step.name))
}

/// Returns the name of a scope as the table writes it, else as it is written where it is opened first.
pub fn written_name(scope: Scope<'_>, scopes: &Scopes) -> String {
    if let Some(row) = schema::scope(&schema::path(scope)) {
        return last(row.path).into();
    }
    scopes.word(scope).unwrap_or_else(|| scope.name().into())
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.instance.as_ref().map_or(Ok(()), |instance| write!(f, " \"{instance}\""))
    }
}

/// What is known of a word that is a scope.
struct Known {
    name: String,
    instance: Named,
}

/// Whether a scope has instances.
#[derive(Clone, Copy)]
enum Named {
    Yes,
    No,
    Perhaps,
}

fn known(path: &str, here: Option<Scope<'_>>, name: &str) -> Option<Known> {
    if let Some(row) = schema::scope(&schema_path(path, name)) {
        let instance = match row.instance {
            Instance::None => Named::No,
            Instance::Named(_) => Named::Yes,
            Instance::Optional(_) => Named::Perhaps,
        };
        return Some(Known { name: last(row.path).into(), instance });
    }
    let mut found = here?.instances(name).peekable();
    found.peek()?;
    let anonymous = found.any(|scope| scope.instance().is_none());
    Some(Known { name: name.to_owned(), instance: if anonymous { Named::Perhaps } else { Named::Yes } })
}

/// Returns whether the word behind a scope that may have instances is one: there is such an instance; or the scope is not
/// there without one, and the word cannot be an option because it is unknown and something other than a value follows.
fn is_instance(
    here: Option<Scope<'_>>,
    (outer, name): (&str, &str),
    word: &str,
    beyond: Option<&str>,
) -> bool {
    let inside = |instance| here.and_then(|here| here.scope(name, instance));
    let path = schema_path(outer, name);
    let known = schema::option(&path, word).is_some() || schema::scope(&schema_path(&path, word)).is_some();
    inside(Some(word)).is_some()
        || (inside(None).is_none() && !known && beyond.is_some_and(|beyond| !beyond.starts_with('=')))
}

/// Reads `name "instance"` in one word.
fn in_one_word(word: &str) -> Option<(String, Option<String>)> {
    if !word.contains([' ', '"', '\'']) {
        return None;
    }
    let text = format!("{word} {{}}");
    let (tree, faults) = parser::parse(FileId::MAIN, &text.as_str().into());
    match (faults.is_empty(), tree.items().pop(), tree.top().count()) {
        (true, Some(Item::Scope { name, instance: Some(instance), body }), 1) if body.is_empty() => {
            Some((name, Some(instance)))
        }
        _ => None,
    }
}

/// Reads a value: as in a file where it begins with a bracket or a quote, else the word itself.
fn literal(option: &str, words: &[String]) -> Result<Literal, BadAddress> {
    let text = words.join(" ");
    let Some(first) = text.trim_start().chars().next() else {
        return match words {
            [] => Err(BadAddress::NoValue { option: option.into() }),
            _ => Ok(Literal::Scalar(text)),
        };
    };
    if !matches!(first, '(' | '[' | '"' | '\'') {
        return match words {
            [word] => Ok(Literal::Scalar(word.clone())),
            _ => {
                Err(BadAddress::NotAValue { option: option.into(), found: format!("{} words", words.len()) })
            }
        };
    }
    let (tree, faults) = parser::parse(FileId::MAIN, &format!("x = {text}").as_str().into());
    match (faults.first(), tree.items().pop(), tree.top().count()) {
        (None, Some(Item::Assign { value, .. }), 1) => Ok(value),
        (Some(fault), ..) => Err(BadAddress::NotAValue {
            option: option.into(),
            found: format!("`{text}`: {}", fault.message),
        }),
        _ => Err(BadAddress::NotAValue { option: option.into(), found: format!("`{text}`") }),
    }
}

fn no_instance(outer: &[Step], name: &str, scopes: &Scopes) -> BadAddress {
    let exists = find(scopes, outer).and_then(|scope| scope.instances(name).find_map(Scope::instance));
    let row = schema::scope(&schema_path(&path(outer), name));
    let wanted = row.and_then(|row| match row.instance {
        Instance::Named(what) | Instance::Optional(what) => Some(what),
        Instance::None => None,
    });
    BadAddress::NoInstance { name: name.into(), example: exists.or(wanted).unwrap_or("INSTANCE").into() }
}

fn no_scope(word: &str, steps: &[Step]) -> BadAddress {
    let path = path(steps);
    let below = schema::SCOPES.iter().filter(|row| parent(row.path).eq_ignore_ascii_case(&path));
    let nearest = schema::nearest(word, below.map(|row| last(row.path))).map(String::from);
    BadAddress::NoScope { word: word.into(), scope: name(steps), nearest }
}

fn meant(nearest: Option<&str>) -> String {
    nearest
        .map_or_else(|| "; see: convoy config show".into(), |nearest| format!("; did you mean '{nearest}'?"))
}

fn shell(steps: &[Step]) -> String {
    let word = |word: &str| draft::quote(word).map_or_else(|_| word.to_owned(), Cow::into_owned);
    let words = steps.iter().flat_map(|step| [Some(step.name.clone()), step.instance.as_deref().map(word)]);
    words.flatten().collect::<Vec<_>>().join(" ")
}

fn schema_path(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}::{name}") }
}

fn parent(path: &str) -> &str {
    path.rsplit_once("::").map_or("", |(parent, _)| parent)
}

fn last(path: &str) -> &str {
    path.rsplit_once("::").map_or(path, |(_, last)| last)
}

#[cfg(test)]
mod tests;

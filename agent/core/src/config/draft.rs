//! Statements without a text: what a program writes, and what a tree says once its layout is taken away.
//!
//! `print(items)` parsed again gives the same items. Quotes are added where they are needed, and around instances, as everybody
//! writes them.
use super::tree::{Kind, Quote, Statement, StatementId, Tree, Value};
use alloc::{borrow::Cow, format, string::String, vec::Vec};
use thiserror::Error;

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `name = value`
    Assign {
        /// Name of the option.
        name: String,
        /// What it is set to.
        value: Literal,
    },
    /// `name "instance" { ... }`
    Scope {
        /// Name of the scope.
        name: String,
        /// Its instance, if it has one.
        instance: Option<String>,
        /// What is inside.
        body: Vec<Item>,
    },
    /// `include "path"`
    Include {
        /// Whether it is `readonly_include`.
        readonly: bool,
        /// The path.
        target: String,
    },
}

/// A value without a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// One word.
    Scalar(String),
    /// `( a b )`
    Array(Vec<String>),
    /// `[ a = b ]`
    Dictionary(Vec<(String, String)>),
}

/// The language has no way to write this.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unwritable {
    /// Letters, digits and underscores only, and neither of the two include keywords.
    #[error("`{0}` cannot be the name of an option or scope")]
    Name(String),
    /// Both kinds of quote, and a backslash before a double one or at the end.
    #[error("no kind of quotes can hold {0:?}")]
    Word(String),
    /// The parser would refuse it.
    #[error("scopes nest deeper than {}", crate::bounds::CONFIG_DEPTH_MAX)]
    Depth,
}

/// What stands around statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indent<'a> {
    /// In front of every line.
    pub base: &'a str,
    /// In front of a line once more for each scope around it.
    pub unit: &'a str,
    /// At the end of every line.
    pub newline: &'a str,
}

impl Default for Indent<'_> {
    fn default() -> Self {
        Self { base: "", unit: "  ", newline: "\n" }
    }
}

/// Returns the statements as text, two blanks of indent a scope.
///
/// # Errors
/// [`Unwritable`] names what cannot be written; nothing else is wrong.
pub fn print(items: &[Item]) -> Result<String, Unwritable> {
    print_with(items, Indent::default())
}

/// Returns the statements as lines that are indented and ended in a way of their own.
///
/// # Errors
/// As for [`print`].
pub fn print_with(items: &[Item], indent: Indent<'_>) -> Result<String, Unwritable> {
    let mut out = String::new();
    print_body(&mut out, items, 0, indent)?;
    Ok(out)
}

/// Returns one statement as part of a line.
///
/// # Errors
/// As for [`print`].
pub fn print_inline(item: &Item) -> Result<String, Unwritable> {
    let lines = print_with(core::slice::from_ref(item), Indent { base: "", unit: "", newline: " " })?;
    Ok(lines.trim_end().into())
}

/// Returns a value as text.
///
/// # Errors
/// [`Unwritable::Word`].
pub fn print_value(value: &Literal) -> Result<String, Unwritable> {
    let mut out = String::new();
    print_literal(&mut out, value)?;
    Ok(out)
}

/// Returns a word in the quotes of another one where these can hold it, else as [`quote`] does.
///
/// # Errors
/// As for [`quote`].
pub fn quote_like(word: &str, like: Quote) -> Result<Cow<'_, str>, Unwritable> {
    match like {
        Quote::Double if double_holds(word) => Ok(Cow::Owned(in_double(word))),
        Quote::Single if !word.contains('\'') => Ok(Cow::Owned(format!("'{word}'"))),
        Quote::Bare | Quote::Double | Quote::Single => quote(word),
    }
}

/// Returns a word as it must be written: bare where that is safe, else in double quotes, else in single ones.
///
/// # Errors
/// [`Unwritable::Word`] when no kind of quotes can hold it.
pub fn quote(word: &str) -> Result<Cow<'_, str>, Unwritable> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if !word.is_empty() && word.bytes().all(plain) {
        return Ok(Cow::Borrowed(word));
    }
    if double_holds(word) {
        return Ok(Cow::Owned(in_double(word)));
    }
    if !word.contains('\'') {
        return Ok(Cow::Owned(format!("'{word}'")));
    }
    Err(Unwritable::Word(word.into()))
}

impl Tree {
    /// Returns what the tree says, without places and layout.
    pub fn items(&self) -> Vec<Item> {
        self.top().map(|(id, statement)| self.item(id, statement)).collect()
    }

    fn item(&self, id: StatementId, statement: &Statement) -> Item {
        let say = |word| self.say(word).into_owned();
        match statement.kind {
            Kind::Assign(value) => Item::Assign { name: say(statement.name), value: self.literal(value) },
            Kind::Scope { instance } => Item::Scope {
                name: say(statement.name),
                instance: instance.map(say),
                body: self.body(id).map(|(id, inner)| self.item(id, inner)).collect(),
            },
            Kind::Include { readonly, target } => Item::Include { readonly, target: say(target) },
        }
    }

    /// Returns what a value says.
    pub fn literal(&self, value: Value) -> Literal {
        let say = |word| self.say(word).into_owned();
        match value {
            Value::Scalar(word) => Literal::Scalar(say(word)),
            Value::Array(words) => Literal::Array(self.words(words).iter().copied().map(say).collect()),
            Value::Dictionary(words) => {
                Literal::Dictionary(self.pairs(words).map(|(key, value)| (say(key), say(value))).collect())
            }
        }
    }
}

fn in_double(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\\\""))
}

fn print_body(out: &mut String, items: &[Item], depth: usize, indent: Indent<'_>) -> Result<(), Unwritable> {
    if depth > crate::bounds::CONFIG_DEPTH_MAX {
        return Err(Unwritable::Depth);
    }
    for item in items {
        out.push_str(indent.base);
        (0..depth).for_each(|_| out.push_str(indent.unit));
        match item {
            Item::Assign { name, value } => {
                out.push_str(legal(name)?);
                out.push_str(" = ");
                print_literal(out, value)?;
            }
            Item::Scope { name, instance, body } => {
                out.push_str(legal(name)?);
                if let Some(instance) = instance {
                    *out += " ";
                    out.push_str(&quote_like(instance, Quote::Double)?);
                }
                out.push_str(" {");
                if !body.is_empty() {
                    out.push_str(indent.newline);
                    print_body(out, body, depth + 1, indent)?;
                    out.push_str(indent.base);
                    (0..depth).for_each(|_| out.push_str(indent.unit));
                }
                out.push('}');
            }
            Item::Include { readonly, target } => {
                out.push_str(if *readonly { "readonly_include " } else { "include " });
                out.push_str(&quote(target)?);
            }
        }
        out.push_str(indent.newline);
    }
    Ok(())
}

fn print_literal(out: &mut String, value: &Literal) -> Result<(), Unwritable> {
    match value {
        Literal::Scalar(word) => out.push_str(&quote(word)?),
        Literal::Array(words) => {
            out.push('(');
            for word in words {
                *out += " ";
                out.push_str(&quote(word)?);
            }
            out.push_str(" )");
        }
        Literal::Dictionary(pairs) => {
            out.push('[');
            for (at, (key, value)) in pairs.iter().enumerate() {
                *out += if at == 0 { " " } else { "  " };
                out.push_str(&quote(key)?);
                out.push_str(" = ");
                out.push_str(&quote(value)?);
            }
            out.push_str(" ]");
        }
    }
    Ok(())
}

fn legal(name: &str) -> Result<&str, Unwritable> {
    let keyword = name.eq_ignore_ascii_case("include") || name.eq_ignore_ascii_case("readonly_include");
    let written = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_empty() || keyword || !written {
        return Err(Unwritable::Name(name.into()));
    }
    Ok(name)
}

/// Returns whether double quotes can hold the word: every backslash run before a quote or the end must be even, for
/// an odd one would keep that quote from closing the string.
fn double_holds(word: &str) -> bool {
    let mut odd = false;
    for byte in word.bytes() {
        match byte {
            b'\\' => odd = !odd,
            b'"' if odd => return false,
            _ => odd = false,
        }
    }
    !odd
}

#[cfg(test)]
mod tests;

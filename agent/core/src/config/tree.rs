//! The lossless tree of one file: the text itself, and statements that are ranges of it.
//!
//! Invariants: 1. statements stand in the order of the text, a scope before its body; 2. ranges of words do not
//! overlap and ascend; 3. between words there is nothing but blanks, comments and `= { } [ ] ( )`, or text the parser has
//! reported as faulty. So printing is writing the text, comments and layout survive, and an edit replaces the bytes of a range.
//! Does not know what names mean.
use super::place::{FileId, Place};
use alloc::{borrow::Cow, sync::Arc, vec::Vec};
use core::{fmt, ops::Range};

/// How a word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quote {
    /// Without quotes.
    Bare,
    /// In `"`; `\"` stands for a quote, every other backslash for itself.
    Double,
    /// In `'`; nothing is special inside.
    Single,
}

/// A word of a text, its quotes included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// First byte.
    pub start: u32,
    /// Byte after the last one.
    pub end: u32,
    /// How it is written.
    pub quote: Quote,
}

/// Number of a statement within its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementId(pub(super) u32);

/// One statement and the bytes from its name to its last character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// First byte.
    pub start: u32,
    /// Byte after the last one.
    pub end: u32,
    /// Name of the option or scope; the keyword of an include.
    pub name: Word,
    /// What kind of statement it is, with its words.
    pub kind: Kind,
    /// Number of the first statement that is not inside this one.
    pub(super) next: u32,
}

/// The three kinds of statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `name = value`
    Assign(Value),
    /// `name { ... }`, `name "instance" { ... }`
    Scope {
        /// The instance, if it has one.
        instance: Option<Word>,
    },
    /// `include "path"`
    Include {
        /// Whether it is `readonly_include`.
        readonly: bool,
        /// The path as written.
        target: Word,
    },
}

/// What is assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// One word.
    Scalar(Word),
    /// `( a b c )`
    Array(Words),
    /// `[ a = b  c = d ]`; keys and values take turns.
    Dictionary(Words),
}

/// A run of words of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    pub(super) first: u32,
    pub(super) len: u32,
}

/// One file's text and its statements.
#[derive(Clone, Debug)]
pub struct Tree {
    file: FileId,
    text: Arc<str>,
    pub(super) statements: Vec<Statement>,
    pub(super) words: Vec<Word>,
}

impl Tree {
    pub(super) fn new(file: FileId, text: Arc<str>) -> Self {
        Self { file, text, statements: Vec::new(), words: Vec::new() }
    }

    /// Returns the file the tree belongs to.
    pub fn file(&self) -> FileId {
        self.file
    }

    /// Returns the whole text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Returns the statement, if the number came from here.
    pub fn get(&self, id: StatementId) -> Option<&Statement> {
        self.statements.get(id.0 as usize)
    }

    /// Returns the file's outermost statements.
    pub fn top(&self) -> impl Iterator<Item = (StatementId, &Statement)> {
        self.siblings(0, super::place::offset(self.statements.len()))
    }

    /// Returns the statements directly inside a scope; none for other statements.
    pub fn body(&self, id: StatementId) -> impl Iterator<Item = (StatementId, &Statement)> {
        let next = self.get(id).map_or(0, |statement| statement.next);
        self.siblings(id.0.saturating_add(1), next)
    }

    /// Returns every statement, a scope before its body.
    pub fn all(&self) -> impl Iterator<Item = (StatementId, &Statement)> {
        (0_u32..).map(StatementId).zip(&self.statements)
    }

    /// Returns a run of words.
    pub fn words(&self, words: Words) -> &[Word] {
        let first = words.first as usize;
        self.words.get(first..first + words.len as usize).unwrap_or_default()
    }

    /// Returns the keys and values of a dictionary.
    pub fn pairs(&self, words: Words) -> impl Iterator<Item = (Word, Word)> {
        self.words(words).chunks_exact(2).map(|pair| (pair[0], pair[1]))
    }

    /// Returns what a word says: without quotes, escaped quotes decoded.
    pub fn say(&self, word: Word) -> Cow<'_, str> {
        let raw = self.raw(word.start, word.end);
        match word.quote {
            Quote::Bare => Cow::Borrowed(raw),
            Quote::Double if raw.contains("\\\"") => Cow::Owned(unescape(inside(raw))),
            Quote::Single | Quote::Double => Cow::Borrowed(inside(raw)),
        }
    }

    /// Returns the bytes of a range as they stand in the text.
    pub fn raw(&self, start: u32, end: u32) -> &str {
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Returns the place of a word.
    pub fn place(&self, word: Word) -> Place {
        Place { file: self.file, start: word.start, end: word.end }
    }

    /// Returns the place of a whole statement.
    pub fn place_of(&self, statement: &Statement) -> Place {
        Place { file: self.file, start: statement.start, end: statement.end }
    }

    /// Returns the place of a value, from its first word or bracket to its last.
    pub fn place_of_value(&self, statement: &Statement) -> Place {
        let start = match statement.kind {
            Kind::Assign(Value::Scalar(word)) => word.start,
            Kind::Assign(Value::Array(_)) => self.bracket(statement, '('),
            Kind::Assign(Value::Dictionary(_)) => self.bracket(statement, '['),
            Kind::Scope { .. } | Kind::Include { .. } => statement.start,
        };
        Place { file: self.file, start, end: statement.end }
    }

    fn bracket(&self, statement: &Statement, open: char) -> u32 {
        let from = statement.name.end;
        let mut lexer = super::lexer::Lexer::new(&self.text, from as usize);
        loop {
            let token = lexer.token();
            let found = match token.kind {
                super::lexer::Kind::LeftParen => open == '(',
                super::lexer::Kind::LeftBracket => open == '[',
                super::lexer::Kind::End => return from,
                _ => false,
            };
            if found {
                return super::place::offset(token.start);
            }
        }
    }

    fn siblings(&self, first: u32, end: u32) -> impl Iterator<Item = (StatementId, &Statement)> {
        let mut at = first;
        core::iter::from_fn(move || {
            let id = StatementId((at < end).then_some(at)?);
            let statement = self.get(id)?;
            at = statement.next.max(at.saturating_add(1));
            Some((id, statement))
        })
    }
}

/// Prints the file byte for byte.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Word {
    /// Returns the bytes as indices.
    pub const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

fn inside(quoted: &str) -> &str {
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default()
}

/// Decodes `\"`; a backslash before anything else stays, and stays together with what follows it.
fn unescape(text: &str) -> alloc::string::String {
    let mut out = alloc::string::String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('"') => out.push('"'),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

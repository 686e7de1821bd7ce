//! What the parser finds wrong, each with what it expected and the remedy.
use crate::{
    bounds,
    config::{diagnostic::Diagnostic, place::Place},
};
use alloc::{format, string::String};
use thiserror::Error;

/// A fault of syntax. None of them is normal; the file needs an edit.
#[derive(Debug, Error)]
pub(super) enum Fault {
    #[error("the file is longer than {} MiB", bounds::CONFIG_FILE_BYTES_MAX >> 20)]
    TooLong,
    #[error("more than {} statements and words in one file", bounds::CONFIG_WORDS_MAX)]
    TooMany,
    #[error("more than {} scopes inside one another", bounds::CONFIG_DEPTH_MAX)]
    TooDeep,
    #[error("`/*` begins a comment that is never closed")]
    OpenComment,
    #[error("a string is never closed")]
    OpenString { mark: char, escaped: bool },
    #[error("character {} may not stand outside quotes", show(*found))]
    Stray { found: char },
    #[error("`{what}` closes nothing")]
    StrayClose { what: char },
    #[error("expected the name of an option or scope, found `{found}`")]
    NoName { found: String },
    #[error("`{name}` is not a legal name")]
    BadName { name: String },
    #[error("`{name}` is neither given a value nor opened as a scope")]
    NoEquals { name: String },
    #[error("`{name}` has no value")]
    Valueless { name: String },
    #[error("`{name} =` has no value")]
    NoValue { name: String },
    #[error("`include` without a path")]
    NoPath,
    #[error("`include` is followed by its path, without `=`")]
    IncludeEquals,
    #[error("scope `{name}` is never closed")]
    UnclosedScope { name: String },
    #[error("an array is never closed")]
    UnclosedArray,
    #[error("a dictionary is never closed")]
    UnclosedDictionary,
    #[error("`{found}` inside {what}")]
    Nested { what: &'static str, found: String },
    #[error("`{key}` in a dictionary is not followed by `=`")]
    NoPair { key: String, single: bool },
    #[error("`{key} =` in a dictionary has no value")]
    NoPairValue { key: String },
}

impl Fault {
    pub(super) fn at(self, place: Place) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.code(), format!("{self}")).at(place);
        let diagnostic = match self.expected() {
            Some(expected) => diagnostic.expected(expected),
            None => diagnostic,
        };
        match self.help() {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "file-too-long",
            Self::TooMany => "too-many-statements",
            Self::TooDeep => "too-deep",
            Self::OpenComment => "unclosed-comment",
            Self::OpenString { .. } => "unclosed-string",
            Self::Stray { .. } => "stray-character",
            Self::StrayClose { .. } => "stray-close",
            Self::NoName { .. } => "no-name",
            Self::BadName { .. } => "bad-name",
            Self::NoEquals { .. } => "no-equals",
            Self::Valueless { .. } | Self::NoValue { .. } => "no-value",
            Self::NoPath => "no-path",
            Self::IncludeEquals => "include-equals",
            Self::UnclosedScope { .. } => "unclosed-scope",
            Self::UnclosedArray => "unclosed-array",
            Self::UnclosedDictionary => "unclosed-dictionary",
            Self::Nested { .. } => "nested-value",
            Self::NoPair { .. } => "no-pair",
            Self::NoPairValue { .. } => "no-pair-value",
        }
    }

    fn expected(&self) -> Option<String> {
        let text = match self {
            Self::TooLong | Self::TooMany | Self::TooDeep | Self::StrayClose { .. } | Self::Stray { .. } => {
                return None;
            }
            Self::OpenComment => "expected `*/` somewhere below",
            Self::OpenString { mark, .. } => return Some(format!("expected `{mark}` on this line")),
            Self::NoName { .. } | Self::BadName { .. } => "expected letters, digits and underscores",
            Self::NoEquals { .. } => "expected `=`, `{` or `[` after the name",
            Self::Valueless { .. } => "expected `=` and a value",
            Self::NoValue { .. } => "expected a word, `(`, `[` or `{` after `=`",
            Self::NoPath => "expected a path",
            Self::IncludeEquals => "expected the path here",
            Self::UnclosedScope { .. } => "expected `}` before the end of the file",
            Self::UnclosedArray => "expected `)`",
            Self::UnclosedDictionary => "expected `]`",
            Self::Nested { .. } => "expected words only",
            Self::NoPair { .. } => "expected `key = value`",
            Self::NoPairValue { .. } => "expected one word after `=`",
        };
        Some(text.into())
    }

    fn help(&self) -> Option<String> {
        let text = match self {
            Self::TooMany | Self::TooDeep | Self::StrayClose { .. } | Self::UnclosedScope { .. } => {
                return None;
            }
            Self::TooLong => "split it with `include`",
            Self::OpenComment => "close it, or quote the word if `/*` belongs to a value",
            Self::OpenString { escaped: true, .. } => {
                "a backslash keeps the quote after it from closing the string; write the value in single quotes"
            }
            Self::OpenString { mark, .. } => return Some(format!("add the missing `{mark}`")),
            Self::Stray { found: '\u{2018}'..='\u{201f}' } => "replace the typographic quote by `\"`",
            Self::Stray { found } if found.is_control() => {
                "remove it, or quote the word if it belongs to a value"
            }
            Self::Stray { .. } => {
                "replace it by an ordinary blank, or quote the word if it belongs to a value"
            }
            Self::NoName { found } if found == "[" => {
                "an IPv6 address must be quoted: `Listen \"[::]:4802\" {}`"
            }
            Self::NoName { .. } => {
                "a statement is `name = value`, `name \"instance\" { ... }` or `include \"path\"`"
            }
            Self::BadName { .. } => "a value with other characters goes after `=`; a name is never quoted",
            Self::NoEquals { name } => return Some(format!("write `{name} = value` or `{name} {{ ... }}`")),
            Self::Valueless { name } => {
                return Some(format!("write `{name} = true`; options without a value ended with version 2"));
            }
            Self::NoValue { .. } => "an empty value is written `\"\"`, an empty array `( )`",
            Self::NoPath => "write `include \"file.conf\"`",
            Self::IncludeEquals => "remove the `=`",
            Self::UnclosedArray => "array elements are words separated by blanks: `( 25 587 )`",
            Self::UnclosedDictionary => "a dictionary is `[ key = value  key = value ]`",
            Self::Nested { what: "an array", found } if found == "[" => {
                "arrays do not nest; an IPv6 address must be quoted: `( \"[::1]:4809\" )`"
            }
            Self::Nested { .. } => "arrays and dictionaries do not nest; quote a word that holds brackets",
            Self::NoPair { single: true, .. } => "an IPv6 address must be quoted: `\"[::1]:4802\"`",
            Self::NoPair { .. } => "quote a key or a value that holds blanks or brackets",
            Self::NoPairValue { .. } => {
                "an empty value is written `\"\"`; arrays and dictionaries do not nest"
            }
        };
        Some(text.into())
    }
}

fn show(c: char) -> String {
    if c.is_control() || c.is_whitespace() || !c.is_ascii() && !c.is_alphanumeric() {
        return format!("U+{:04X}", u32::from(c));
    }
    format!("`{c}`")
}

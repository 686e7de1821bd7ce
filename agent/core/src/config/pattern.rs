//! Regular expressions between slashes, which stand for many domains or hosts: `Domain "/\.example\.com$/"`.
//!
//! Invariants: 1. compiling and matching are bounded in size and time, whatever the pattern; 2. a pattern that is given
//! up on does not match. The reference says PCRE; here is what PCRE and this engine have in common, look-around and
//! back references included. Case is ignored, as it is in the names of the DNS (RFC 4343), and a pattern without anchors
//! matches any part of a name (reference section 1.12).
use super::parser::clip;
use crate::bounds;
use alloc::{
    string::{String, ToString as _},
    sync::Arc,
};
use core::fmt;
use fancy_regex::{Error, Regex, RegexBuilder};
use thiserror::Error;

/// A compiled expression; copies share it.
#[derive(Clone)]
pub struct Pattern(Arc<Regex>);

/// Why there is no expression.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadPattern {
    /// Longer than `CONFIG_PATTERN_BYTES_MAX`.
    #[error("the regular expression is longer than {} bytes", bounds::CONFIG_PATTERN_BYTES_MAX)]
    TooLong,
    /// Not an expression of this engine, or one that would grow too large.
    #[error("`{text}` is not a regular expression: {reason}")]
    Illegal {
        /// The expression, cut to a readable length.
        text: String,
        /// The engine's own words.
        reason: String,
    },
}

impl Pattern {
    /// Returns what stands between the slashes, if `instance` begins and ends with one.
    pub fn between_slashes(instance: &str) -> Option<&str> {
        instance.strip_prefix('/')?.strip_suffix('/')
    }

    /// Compiles an expression.
    ///
    /// # Errors
    /// [`BadPattern`]; the operator has to write another one.
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        if text.len() > bounds::CONFIG_PATTERN_BYTES_MAX {
            return Err(BadPattern::TooLong);
        }
        let built = RegexBuilder::new(text)
            .case_insensitive(true)
            .backtrack_limit(bounds::CONFIG_PATTERN_STEPS_MAX)
            .max_prog_size(bounds::CONFIG_PATTERN_STEPS_MAX)
            .delegate_size_limit(bounds::CONFIG_PATTERN_SIZE_MAX)
            .delegate_dfa_size_limit(bounds::CONFIG_PATTERN_SIZE_MAX)
            .build();
        match built {
            Ok(regex) => Ok(Self(Arc::new(regex))),
            Err(error) => Err(BadPattern::Illegal { text: clip(text), reason: reason(&error) }),
        }
    }

    /// Returns whether the expression matches some part of `name`; false for what is longer than a name can be.
    pub fn matches(&self, name: &str) -> bool {
        name.len() <= bounds::CONFIG_PATTERN_NAME_MAX && self.0.is_match(name).unwrap_or(false)
    }
}

impl Pattern {
    /// Returns the expression as it is written.
    pub fn text(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.0.as_str())
    }
}

/// Returns the engine's message on one line, without what it says about itself.
fn reason(error: &Error) -> String {
    let text = error.to_string();
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    clip(last.strip_prefix("error: ").unwrap_or(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, name: &str, expected: bool) {
        assert_eq!(Pattern::new(pattern).unwrap().matches(name), expected, "{pattern} {name}");
    }

    #[test]
    fn a_pattern_matches_any_part_of_a_name_in_any_case() {
        check("example", "mail.Example.com", true);
        check("^example", "mail.example.com", false);
        check(r"\.fr$", "orange.FR", true);
        check(r"\.fr$", "orangexfr", false);
        check(r"^(yahoo|ymail)\.\w+$", "ymail.com", true);
        check("", "anything", true);
    }

    #[test]
    fn look_around_and_back_references_work() {
        check(r"^(?!mail\.).*\.com$", "mail.example.com", false);
        check(r"^(?!mail\.).*\.com$", "example.com", true);
        check(r"^(\w+)\.\1$", "org.org", true);
        check(r"(?<=x)\.com", "netx.com", true);
    }

    #[test]
    fn what_stands_between_slashes_is_a_pattern() {
        assert_eq!(Pattern::between_slashes("/a/b/"), Some("a/b"));
        assert_eq!(Pattern::between_slashes("//"), Some(""));
        for plain in ["/", "", "a", "/a", "a/"] {
            assert_eq!(Pattern::between_slashes(plain), None, "{plain}");
        }
    }

    #[test]
    fn an_illegal_pattern_is_told_why() {
        for pattern in ["(", "a**{", "[z-a]", r"\", "(?P<n", r"\p{Nothing}", "(?<=a+"] {
            let bad = Pattern::new(pattern).unwrap_err();
            assert!(matches!(&bad, BadPattern::Illegal { .. }), "{pattern}: {bad}");
            assert!(!bad.to_string().contains('\n'), "{bad}");
        }
        let long = "a".repeat(bounds::CONFIG_PATTERN_BYTES_MAX + 1);
        assert_eq!(Pattern::new(&long).unwrap_err(), BadPattern::TooLong);
    }

    #[test]
    fn a_pattern_that_explodes_is_refused_or_given_up_on() {
        assert!(Pattern::new(r"(\w{200}){200}").is_err());
        check(r"^(a+)+\1b$", &"a".repeat(200), false);
        check("a*", &"a".repeat(bounds::CONFIG_PATTERN_NAME_MAX + 1), false);
    }
}

//! What is wrong or doubtful in a configuration, with its place and the remedy.
//!
//! Each module has its own fault enum; it becomes a [`Diagnostic`] at once, so that the reader of a report needs one
//! type. Does not lay text out: see `report`.
use super::place::Place;
use crate::bounds;
use alloc::{string::String, vec::Vec};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration is used, but probably does not do what its author thinks.
    Warning,
    /// The configuration is refused.
    Error,
}

impl Severity {
    /// Returns the word a report begins with.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One fault, its place, what was expected there and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Stable name of the kind of fault, such as `unclosed-string`.
    pub code: &'static str,
    /// What is wrong, one line, lower case.
    pub message: String,
    /// Where; `None` when the fault is in no file, for instance a main file that does not exist.
    pub place: Option<Place>,
    /// What was expected at the place, a few words.
    pub expected: Option<String>,
    /// Other places that explain it.
    pub notes: Vec<(Place, String)>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Returns an error without a place.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message.into())
    }

    /// Returns a warning without a place.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message.into())
    }

    fn new(severity: Severity, code: &'static str, message: String) -> Self {
        Self { severity, code, message, place: None, expected: None, notes: Vec::new(), help: None }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Says what was expected there.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Adds another place that explains it.
    #[must_use]
    pub fn note(mut self, place: Place, text: impl Into<String>) -> Self {
        self.notes.push((place, text.into()));
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The faults of one run, bounded: what does not fit is counted.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    kept: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl Diagnostics {
    /// Adds one fault; beyond `CONFIG_ERRORS_MAX` or `CONFIG_WARNINGS_MAX` it is only counted.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let (count, max) = match diagnostic.severity {
            Severity::Error => (&mut self.errors, bounds::CONFIG_ERRORS_MAX),
            Severity::Warning => (&mut self.warnings, bounds::CONFIG_WARNINGS_MAX),
        };
        *count += 1;
        if *count <= max {
            self.kept.push(diagnostic);
        }
    }

    /// Adds several.
    pub fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// Returns those kept, in the order found.
    pub fn iter(&self) -> core::slice::Iter<'_, Diagnostic> {
        self.kept.iter()
    }

    /// Returns the number of errors, those not kept included.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Returns the number of warnings, those not kept included.
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// Returns the number of errors and warnings that were counted but not kept.
    pub fn dropped(&self) -> usize {
        self.errors + self.warnings - self.kept.len()
    }

    /// Returns whether there is an error.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Orders them by file and place; those without a place come first.
    pub fn sort(&mut self) {
        self.kept.sort_by_key(|diagnostic| diagnostic.place);
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = core::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

//! A scope and those it falls back to, read through the schema: every getter gives a legal value.
use convoy_core::{
    config::{
        place::Place,
        schema::{self, Entry, Level, Typed},
        scopes::{Scope, Setting},
    },
    time::Span,
};
use std::net::IpAddr;

/// A scope and those it falls back to, read through the schema.
pub(super) struct View<'a> {
    pub(super) path: &'static str,
    pub(super) scopes: Vec<Scope<'a>>,
}

impl<'a> View<'a> {
    pub(super) fn of(root: Scope<'a>, path: &'static str) -> Self {
        Self { path, scopes: root.scope(path, None).into_iter().collect() }
    }

    pub(super) fn scope(&self) -> Option<Scope<'a>> {
        self.scopes.first().copied()
    }

    /// Returns the words of an option: those set most specifically, else the default. A value the schema refuses was
    /// reported and counts as not set.
    pub(super) fn entries(&self, name: &str) -> Vec<Entry> {
        let Some(row) = schema::option(self.path, name) else { return Vec::new() };
        let set = self.scopes.iter().find_map(|scope| scope.option(name));
        let set = set.and_then(|setting| schema::read(row, setting).ok());
        set.or_else(|| schema::default_of(row)).unwrap_or_default()
    }

    pub(super) fn place(&self, name: &str) -> Option<Place> {
        self.scopes.iter().find_map(|scope| scope.option(name)).map(Setting::place)
    }

    pub(super) fn one(&self, name: &str) -> Option<Typed> {
        self.entries(name).into_iter().next().map(|entry| entry.value)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.one(name)? {
            Typed::Text(text) => Some(text),
            other => misread(name, &other),
        }
    }

    pub(super) fn bool(&self, name: &str) -> bool {
        match self.one(name) {
            Some(Typed::Bool(value)) => value,
            other => misread(name, &other),
        }
    }

    pub(super) fn number<N: TryFrom<i64>>(&self, name: &str) -> N {
        match self.one(name) {
            Some(Typed::Int(number)) => N::try_from(number).unwrap_or_else(|_| misread(name, &number)),
            other => misread(name, &other),
        }
    }

    pub(super) fn span(&self, name: &str) -> Span {
        match self.one(name) {
            Some(Typed::Span(span)) => span,
            other => misread(name, &other),
        }
    }

    pub(super) fn level(&self, name: &str) -> Level {
        match self.one(name) {
            Some(Typed::Level(level)) => level,
            other => misread(name, &other),
        }
    }

    pub(super) fn ip(&self, name: &str) -> Option<IpAddr> {
        match self.one(name)? {
            Typed::Ip(ip) => Some(ip),
            other => misread(name, &other),
        }
    }

    pub(super) fn buffer(&self, name: &str) -> Option<u32> {
        Some(self.number(name)).filter(|bytes| *bytes > 0)
    }
}

/// A getter and its row in the table disagree, which every load would meet: see the test of the defaults.
fn misread<T>(name: &str, found: &dyn std::fmt::Debug) -> T {
    unreachable!("the table gives `{name}` another type: {found:?}")
}

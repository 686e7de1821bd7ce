//! Which scopes and options there are: one table, from which checks, settings and documentation come.
//!
//! Invariants: 1. a default has the type and the range of its own row; 2. a row that departs from the reference says
//! from what and why; 3. names and paths are compared without case; 4. lookups do not scan. The table itself is in
//! `schema/table`, the names of the mail server in `schema/mta.rs`.
use super::{
    scopes::Scope,
    value::{BadDestination, BadEndpoint, BadValue, Destination, Endpoint, Throttle},
};
use crate::time::Span;
use alloc::{format, string::String, vec::Vec};
use core::net::IpAddr;

mod check;
mod combine;
mod index;
mod managed;
mod mta;
mod nearest;
mod page;
mod read;
mod table;

pub use check::check;
pub use index::{option, rows_named, scope, scope_below};
pub use managed::{Managed, managed};
pub use mta::is_known as is_mta_name;
pub use nearest::nearest;
pub use page::{manual, pages};
pub use read::{Entry, default_of, read};
pub use table::{DEPRECATED, NOT_READ, OPTIONS, SCOPES};

/// One scope.
#[derive(Clone, Copy, Debug)]
pub struct ScopeRow {
    /// Names from the outermost scope, joined by `::`; empty for the global scope, which is around all of them.
    pub path: &'static str,
    /// Whether it has instances.
    pub instance: Instance,
    /// What the name of an instance is.
    pub form: Form,
    /// Whose names stand in it.
    pub names: Names,
    /// One line for people.
    pub help: &'static str,
}

/// Whether a scope has instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instance {
    /// There is one of it, without a name.
    None,
    /// Each has a name; the text is an example.
    Named(&'static str),
    /// Each may have a name; the text is an example.
    Optional(&'static str),
}

/// What the name of an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Any word.
    Any,
    /// A CIDR block or an address.
    Cidr,
    /// Something to listen on.
    Endpoint,
    /// A name, or a regular expression between slashes.
    Pattern,
    /// A name without blanks and colons.
    Binding,
    /// A name without blanks.
    Group,
}

/// Whose names stand in a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// The table has them all.
    Ours,
    /// The mail server has others.
    Mixed,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The scopes it may stand in, as paths.
    pub scopes: &'static [&'static str],
    /// Its name.
    pub name: &'static str,
    /// What its words are.
    pub kind: Kind,
    /// How many words it takes.
    pub shape: Shape,
    /// Its default as it would be written after `=`; `None` when unset differs from every value.
    pub default: Option<&'static str>,
    /// When a change takes effect.
    pub live: Live,
    /// Where its value comes from when a scope does not set it.
    pub fallback: Fallback,
    /// Whose option it is.
    pub origin: Origin,
    /// One line for people.
    pub help: &'static str,
}

/// What a word of an option is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any word.
    Text,
    /// A word of 1 to `NAME_BYTES_MAX` bytes that goes over the wire.
    Name,
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// A boolean.
    Bool,
    /// A whole number in one of these ranges, both ends included.
    Int(&'static [(i64, i64)]),
    /// A time in seconds between these two, both included.
    Seconds(Span, Span),
    /// A file mode.
    Permissions,
    /// At most so many events in so many seconds.
    Throttle,
    /// An address without a port.
    Ip,
    /// An address without a port, or `*` for any.
    Address,
    /// An address with a port, or the path of a Unix socket.
    Endpoint,
    /// An absolute path.
    Path,
    /// An absolute path or a `pipe:` URI, with `%` directives.
    Template,
    /// Where a logger writes.
    Destination,
    /// A debug level, by name or number.
    Level,
    /// Words separated by `;` in one word; each of them is one of these.
    List(&'static [&'static str]),
}

/// How many words an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One.
    One,
    /// Any number in `( )`; a single word is accepted too.
    Array,
    /// Keys and values in `[ ]`.
    Dictionary,
}

/// When a change takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// On reload.
    Yes,
    /// After a restart; a reload warns.
    Restart,
    /// Read and checked, but nothing in this version acts on it.
    NoEffect,
    /// Read and checked, but the mail server acts on it, not Convoy.
    Mta,
}

/// Where an option's value comes from when a scope does not set it (reference section 1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// From the default.
    None,
    /// Options of sending: over domain, binding and binding group.
    Sending,
    /// As [`Sending`](Self::Sending), but a host comes first and no binding group takes part.
    ClusterConnections,
    /// From a peer over its socket to the listener.
    Listener,
    /// Options of receiving: over pathway and pathway group.
    Pathway,
}

impl Fallback {
    /// Returns the paths that are asked in turn, most specific first; the last one, empty, is the global scope. In
    /// those of [`Listener`](Self::Listener), `Listener` stands for the listener at hand.
    pub const fn chain(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            // The group itself stands after its bindings: the reference's list leaves it out, its example does not.
            Self::Sending => &[
                "Binding_Group::Binding::Domain",
                "Binding::Domain",
                "Binding_Group::Domain",
                "Binding_Group::Binding",
                "Binding",
                "Binding_Group",
                "Domain",
                "",
            ],
            Self::ClusterConnections => {
                &["Binding::Host", "Host", "Binding::Domain", "Binding", "Domain", ""]
            }
            Self::Listener => {
                &["Listener::Listen::Peer", "Listener::Listen", "Listener::Peer", "Listener", ""]
            }
            Self::Pathway => &["Pathway_Group::Pathway", "Pathway", "Pathway_Group", ""],
        }
    }
}

/// Whose option it is, and where its default departs from the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The reference's, with its default.
    Reference,
    /// The reference's, with another default or range.
    Changed {
        /// The reference's own.
        reference: &'static str,
        /// Why ours is another.
        why: &'static str,
    },
    /// Ours; the reference has no such option.
    Ours,
}

/// How much a part of the system writes to its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 0
    Debug,
    /// 1
    Info,
    /// 2
    Notice,
    /// 3
    Warning,
    /// 4
    Error,
    /// 5
    Critical,
}

impl Level {
    /// All levels, in the order of their numbers.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Debug, "DEBUG"),
        (Self::Info, "INFO"),
        (Self::Notice, "NOTICE"),
        (Self::Warning, "WARNING"),
        (Self::Error, "ERROR"),
        (Self::Critical, "CRITICAL"),
    ];
}

/// A word with its meaning.
#[derive(Clone, Debug, PartialEq)]
pub enum Typed {
    /// Of [`Kind::Text`], [`Kind::Name`], [`Kind::Choice`], [`Kind::Path`] and [`Kind::Template`].
    Text(String),
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Int`].
    Int(i64),
    /// Of [`Kind::Seconds`].
    Span(Span),
    /// Of [`Kind::Permissions`].
    Permissions(u16),
    /// Of [`Kind::Throttle`].
    Throttle(Throttle),
    /// Of [`Kind::Destination`].
    Destination(Destination),
    /// Of [`Kind::Ip`].
    Ip(IpAddr),
    /// Of [`Kind::Address`]; `None` is any.
    Address(Option<IpAddr>),
    /// Of [`Kind::Endpoint`].
    Endpoint(Endpoint),
    /// Of [`Kind::Level`].
    Level(Level),
    /// Of [`Kind::List`].
    List(Vec<String>),
}

impl Row {
    /// Returns whether the option may stand in the scope of that path.
    pub fn is_in(&self, path: &str) -> bool {
        self.scopes.iter().any(|scope| scope.eq_ignore_ascii_case(path))
    }
}

/// Returns the path of a scope as the table writes it, without instances.
pub fn path(scope: Scope<'_>) -> String {
    match scope.parent().and_then(|parent| parent.parent().map(|_| parent)) {
        Some(parent) => format!("{}::{}", path(parent), scope.name()),
        None => scope.name().into(),
    }
}

/// Why a word does not fit a row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misfit {
    #[error(transparent)]
    Value(#[from] BadValue),
    #[error(transparent)]
    Endpoint(#[from] BadEndpoint),
    #[error(transparent)]
    Destination(#[from] BadDestination),
}

#[cfg(test)]
mod tests;

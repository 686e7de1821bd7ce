//! The table of scopes and options, an area a file. docs/configuration and convoy.conf(5) are generated from it.
//!
//! Source: reference sections 1.14, 2, 3, 4.5 to 4.7, 5.2 and 6.2; rows marked `Ours` are Convoy's own. Nested scopes are
//! written out as paths: there are few of them, and what may stand where differs from path to path.
use super::{Fallback, Form, Instance, Kind, Live, Names, Origin, Row, ScopeRow, Shape};
use crate::time::Span;

mod bus;
mod cluster;
mod control;
mod limits;
mod listeners;
mod logs;
mod msgc;
mod security;
mod sending;
mod vip;

pub(super) use vip::SOCKETS;

/// All scopes, outer before inner.
pub static SCOPES: &[ScopeRow] = &ALL_SCOPES;

/// All options, by area.
pub static OPTIONS: &[Row] = &ALL_OPTIONS;

/// Names of the reference that this version does not read: scopes, name, what to do about it.
pub const NOT_READ: &[(&[&str], &str, &str)] = &[
    (&["cluster"], "mbus_daemon", "the Spread bus is gone since 3.4; remove the option"),
    (
        &["cluster"],
        "subcluster",
        "the subcluster comes from the environment variable EC_SUB_CLUSTER; remove the option",
    ),
    (&["cluster"], "dml", "the statistics pipeline of version 2 is gone; remove the option"),
    (&["cluster"], "replicate", "write one `Replicate \"object\" {}` scope for each object"),
    (
        &["cluster::Replicate"],
        "replication_name",
        "the name of the scope is the name of the object; remove the option",
    ),
    (GROUP_LISTENER, "concurrency", UNUSED),
    (GROUP_LISTENER, "disable_nagle_algorithm", UNUSED),
    (GROUP_LISTENER, "events_per_iter", UNUSED),
    (GROUP_LISTENER, "listen_backlog", UNUSED),
    (GROUP_LISTENER, "pool_name", UNUSED),
    (GROUP_LISTENER, "tcp_recv_buffer_size", UNUSED),
    (GROUP_LISTENER, "tcp_send_buffer_size", UNUSED),
];

/// Options that are read, although something else has taken their place: scope, name, what to write instead.
pub const DEPRECATED: &[(&str, &str, &str)] = &[(
    "cluster",
    "cluster_listener",
    "write `ECCluster_Listener { Listen \"*:4802\" {} }` outside `cluster`",
)];

const GROUP_LISTENER: &[&str] = &["msgcserver_listener", "msgcserver_listener::Listen"];
const UNUSED: &str = "the listener of group communication has no use for it; remove the option";

static ALL_SCOPES: [ScopeRow; count_scopes()] = join_scopes();
static ALL_OPTIONS: [Row; count_options()] = join_options();

const SCOPE_PARTS: &[&[ScopeRow]] = &[
    cluster::SCOPES,
    msgc::SCOPES,
    listeners::SCOPES,
    control::SCOPES,
    sending::SCOPES,
    logs::SCOPES,
    security::SCOPES,
];

const OPTION_PARTS: &[&[Row]] = &[
    cluster::OPTIONS,
    bus::OPTIONS,
    msgc::OPTIONS,
    listeners::OPTIONS,
    control::OPTIONS,
    sending::OPTIONS,
    limits::OPTIONS,
    vip::OPTIONS,
    logs::OPTIONS,
    security::OPTIONS,
];

impl ScopeRow {
    const fn new(path: &'static str, instance: Instance, help: &'static str) -> Self {
        Self { path, instance, form: Form::Any, names: Names::Ours, help }
    }

    const fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// The mail server has names here too.
    const fn mixed(mut self) -> Self {
        self.names = Names::Mixed;
        self
    }
}

impl Row {
    const fn new(
        scopes: &'static [&'static str],
        name: &'static str,
        kind: Kind,
        help: &'static str,
    ) -> Self {
        Self {
            scopes,
            name,
            kind,
            shape: Shape::One,
            default: None,
            live: Live::Yes,
            fallback: Fallback::None,
            origin: Origin::Reference,
            help,
        }
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    const fn live(mut self, live: Live) -> Self {
        self.live = live;
        self
    }

    const fn fallback(mut self, fallback: Fallback) -> Self {
        self.fallback = fallback;
        self
    }

    const fn array(mut self) -> Self {
        self.shape = Shape::Array;
        self
    }

    const fn dictionary(mut self) -> Self {
        self.shape = Shape::Dictionary;
        self
    }

    const fn ours(mut self) -> Self {
        self.origin = Origin::Ours;
        self
    }

    const fn changed(mut self, reference: &'static str, why: &'static str) -> Self {
        self.origin = Origin::Changed { reference, why };
        self
    }
}

/// chosen: nothing here makes sense to wait longer for.
const HOUR: Span = Span::from_secs(3_600);
/// chosen: shorter than this the agent would spend its time waiting.
const SHORT: Span = Span::from_ms(10);
/// chosen: larger buffers than 64 MiB hide a stuck peer for too long.
const BUFFER_MAX: i64 = 64 << 20;
/// The largest number of the mail server's own options.
const INT_MAX: i64 = i32::MAX as i64;

const fn count_scopes() -> usize {
    let (mut count, mut part) = (0, 0);
    while part < SCOPE_PARTS.len() {
        count += SCOPE_PARTS[part].len();
        part += 1;
    }
    count
}

const fn count_options() -> usize {
    let (mut count, mut part) = (0, 0);
    while part < OPTION_PARTS.len() {
        count += OPTION_PARTS[part].len();
        part += 1;
    }
    count
}

const fn join_scopes() -> [ScopeRow; count_scopes()] {
    let mut joined = [SCOPE_PARTS[0][0]; count_scopes()];
    let (mut to, mut part) = (0, 0);
    while part < SCOPE_PARTS.len() {
        let mut from = 0;
        while from < SCOPE_PARTS[part].len() {
            joined[to] = SCOPE_PARTS[part][from];
            to += 1;
            from += 1;
        }
        part += 1;
    }
    joined
}

#[expect(clippy::large_stack_arrays, reason = "the compiler joins them; nothing does at run time")]
const fn join_options() -> [Row; count_options()] {
    let mut joined = [OPTION_PARTS[0][0]; count_options()];
    let (mut to, mut part) = (0, 0);
    while part < OPTION_PARTS.len() {
        let mut from = 0;
        while from < OPTION_PARTS[part].len() {
            joined[to] = OPTION_PARTS[part][from];
            to += 1;
            from += 1;
        }
        part += 1;
    }
    joined
}

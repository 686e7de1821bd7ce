//! The table for people: the pages of docs/configuration and the manual page convoy.conf(5).
//!
//! Invariants: 1. every option and every scope is on exactly one page, and in the manual; 2. the same table gives the same text.
//! Here is what both have in common: which page, and what is said about one row.
use super::{
    Fallback, Form, Instance, Kind, Level, Live, OPTIONS, Origin, Row, SCOPES, ScopeRow, Shape, index,
    read::{ranges_text, seconds_text},
};
use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

mod manual;
mod markdown;

pub use manual::manual;
pub use markdown::pages;

/// One page: which scopes are on it.
struct Page {
    /// File name without its ending.
    file: &'static str,
    title: &'static str,
    /// What the page is about, one sentence.
    about: &'static str,
    /// Outermost scopes.
    scopes: &'static [&'static str],
    /// All options in one table that says where they stand, instead of a table a scope.
    merged: bool,
}

const PAGES: &[Page] = &[
    Page {
        file: "cluster",
        title: "The cluster",
        about: "This node, what the nodes share, and how addresses move between them.",
        scopes: &["cluster"],
        merged: false,
    },
    Page {
        file: "members",
        title: "Members",
        about: "Who is in the cluster, and how its members reach each other.",
        scopes: &["msgc_server", "msgc_client", "msgcserver_listener"],
        merged: false,
    },
    Page {
        file: "listeners",
        title: "Listeners",
        about: "Sockets: those of the cluster, those of the mail server as far as their addresses move, and its console.",
        scopes: &[
            "ECCluster_Listener",
            "ESMTP_Listener",
            "ECStream_Listener",
            "HTTP_Listener",
            "XMPP_Listener",
            "Control_Listener",
        ],
        merged: false,
    },
    Page {
        file: "sending",
        title: "Bindings, domains and limits",
        about: "What is set for all mail, for a source, for a destination: limits, rates, addresses.",
        scopes: &["", "Binding", "Binding_Group", "Domain", "Host", "Pathway", "Pathway_Group"],
        merged: true,
    },
    Page {
        file: "logs",
        title: "Logs",
        about: "Where loggers write, and what a manager does with the logs of the nodes.",
        scopes: &["ec_logger", "bounce_logger", "Logs"],
        merged: false,
    },
    Page {
        file: "security",
        title: "Security",
        about: "Who the mail server runs as, and who may command it.",
        scopes: &["Security", "Authorization"],
        merged: false,
    },
];

impl Page {
    fn scopes(&self) -> impl Iterator<Item = &'static ScopeRow> {
        SCOPES.iter().filter(|row| self.holds(row.path))
    }

    fn holds(&self, path: &str) -> bool {
        let outer = path.split("::").next().unwrap_or_default();
        self.scopes.contains(&outer)
    }

    /// Returns the page a row is on: that of the first of its scopes.
    fn of(row: &Row) -> Option<&'static Self> {
        PAGES.iter().find(|page| row.scopes.first().is_some_and(|path| page.holds(path)))
    }
}

/// Returns the options of a scope that are not also options of the scope around it, and what is said of those that are.
fn own_options(scope: &ScopeRow) -> (Vec<&'static Row>, Option<String>) {
    let outer = index::parent(scope.path);
    let here = OPTIONS.iter().filter(|row| row.is_in(scope.path));
    let (shared, own): (Vec<_>, Vec<_>) = here.partition(|row| !outer.is_empty() && row.is_in(outer));
    if shared.is_empty() {
        return (own, None);
    }
    let all = OPTIONS.iter().filter(|row| row.is_in(outer)).count() == shared.len();
    let names = shared.iter().map(|row| format!("`{}`", row.name)).collect::<Vec<_>>().join(", ");
    let which = if all { "all of them".into() } else { names };
    (
        own,
        Some(format!(
            "Options of `{outer}` may stand here too, and are taken from there when they do not: {which}."
        )),
    )
}

fn instance(scope: &ScopeRow) -> String {
    match scope.instance {
        Instance::None => String::new(),
        Instance::Named(what) | Instance::Optional(what) => format!(" \"{what}\""),
    }
}

fn scope_name(path: &str) -> &str {
    if path.is_empty() { "global" } else { path }
}

/// Returns the scopes of a row: a name stands for all scopes of that name, a path for one of several.
fn places(row: &Row) -> Vec<&'static str> {
    let mut found: Vec<&str> = Vec::new();
    for path in row.scopes {
        let name = index::last(path);
        let mut alike = index::scopes_named(name).map(|scope| scope.path);
        let place = if alike.all(|path| row.is_in(path)) { scope_name(name) } else { path };
        if !found.contains(&place) {
            found.push(place);
        }
    }
    found
}

fn live(row: &Row) -> &'static str {
    match row.live {
        Live::Yes => "reload",
        Live::Restart => "restart",
        Live::NoEffect => "no effect yet",
        Live::Mta => "mail server's",
    }
}

fn fallback(fallback: Fallback) -> &'static str {
    match fallback {
        Fallback::None => "-",
        Fallback::Sending => "sending",
        Fallback::ClusterConnections => "connections",
        Fallback::Listener => "listener",
        Fallback::Pathway => "pathway",
    }
}

/// Returns a chain as it is written in the reference: `Binding::Domain > Binding > global`.
fn chain(fallback: Fallback) -> String {
    fallback.chain().iter().map(|path| scope_name(path)).collect::<Vec<_>>().join(" > ")
}

/// Every chain there is, with what it is for.
const CHAINS: [(Fallback, &str); 4] = [
    (Fallback::Sending, "options of sending"),
    (Fallback::ClusterConnections, "Cluster_Max_Outbound_Connections"),
    (Fallback::Listener, "options of listeners; of several peers the longest block that holds the client"),
    (Fallback::Pathway, "options of receiving"),
];

fn kind(row: &Row) -> String {
    let one = match row.kind {
        Kind::Text => "text".into(),
        Kind::Name => format!("text, 1 to {} bytes", crate::bounds::NAME_BYTES_MAX),
        Kind::Choice(words) => format!("one of {}", words.join(", ")),
        Kind::Bool => "boolean".into(),
        Kind::Int(ranges) => format!("whole number, {}", ranges_text(ranges)),
        Kind::Seconds(min, max) => format!("time, {}", seconds_text(min, max)),
        Kind::Permissions => "file mode".into(),
        Kind::Throttle => "rate, N or N/S".into(),
        Kind::Ip => "IP address".into(),
        Kind::Address => "IP address or `*`".into(),
        Kind::Endpoint => "address and port".into(),
        Kind::Path => "absolute path".into(),
        Kind::Template => "path with directives, or `pipe:` URI".into(),
        Kind::Destination => "path or URI".into(),
        Kind::Level => format!("debug level, {}", Level::ALL.map(|(_, name)| name).join(", ")),
        Kind::List(words) => format!("some of {}, separated by `;`", words.join(", ")),
    };
    match row.shape {
        Shape::One => one,
        Shape::Array => format!("array: {one}"),
        Shape::Dictionary => format!("dictionary: name to {one}"),
    }
}

/// Returns what an instance has to be, if it is not any word.
fn form(scope: &ScopeRow) -> Option<&'static str> {
    match scope.form {
        Form::Any => None,
        Form::Cidr => Some("a CIDR block or an address"),
        Form::Endpoint => Some("an address and a port, or the path of a Unix socket"),
        Form::Pattern => Some("a name, or a regular expression between slashes"),
        Form::Binding => Some("a name without blanks and colons"),
        Form::Group => Some("a name without blanks"),
    }
}

fn departure(row: &Row) -> Option<(String, &'static str)> {
    let Origin::Changed { reference, why } = row.origin else { return None };
    Some((format!("{} instead of {reference}", row.default.unwrap_or("unset")), why))
}

fn help(row: &Row) -> String {
    match row.origin {
        Origin::Ours => format!("{} (Convoy's own option.)", row.help),
        Origin::Reference | Origin::Changed { .. } => row.help.to_string(),
    }
}

//! A request in the words in which it is typed, for authorization and the log.
//!
//! Invariants: 1. it follows from what will be done, never from a text that comes along with it; 2. one blank stands
//! between words, whatever was typed. A request that answers several commands of the console has the spelling of each.
use super::{
    desk::{self, Asked},
    shape::{
        Request,
        all::{AllRequest, BroadcastRequest, RetrieveRequest},
        authz::OwnRequest,
        config::{ConfigRequest, Path, Words},
        vip::{DrainRequest, MoveRequest},
    },
};
use convoy_core::config::pattern::Pattern;
use std::fmt;

/// A command in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spelling {
    /// All ways to give it; at least one.
    ways: Vec<String>,
    /// Whether something is another way afterwards.
    pub(super) changes: bool,
    /// Whether everybody who is let in may give it, whatever its roles allow.
    pub(super) free: bool,
}

impl Spelling {
    /// Returns the words of a request.
    pub(super) fn of(asked: &Asked) -> Self {
        match asked {
            Asked::Node(request) => of_node(request),
            Asked::Config(request) => of_config(request),
            Asked::Own(OwnRequest::Id) => looks(["authz id"]),
            Asked::Own(OwnRequest::Roles) => looks(["authz roles list"]),
            Asked::Own(OwnRequest::Shutdown) => changes("shutdown".into()),
        }
    }

    /// Returns whether a pattern matches one of the ways to give it.
    pub(super) fn matches(&self, pattern: &Pattern) -> bool {
        self.ways.iter().any(|way| pattern.matches(way))
    }

    fn under(self, name: &str) -> Self {
        Self { ways: self.ways.iter().map(|way| format!("{name} {way}")).collect(), free: false, ..self }
    }
}

impl fmt::Display for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.ways.first().map_or("", String::as_str))
    }
}

fn of_node(request: &Request) -> Spelling {
    let from = |from: &Option<String>| from.as_ref().map(|node| format!(" from {node}")).unwrap_or_default();
    match request {
        Request::Status => looks(["status", "version"]),
        Request::Membership => looks(["membership"]),
        Request::SharedList => looks(["cluster shared list", "shared list"]),
        Request::SharedShow { object, from: node } => {
            let rest = format!("shared show {object}{}", from(node));
            looks([&format!("cluster {rest}"), &rest])
        }
        Request::SharedQuery { object, prefix, from: node } => {
            looks([&format!("shared query {object} {prefix}{}", from(node))])
        }
        Request::SharedTop { object, from: node, .. } => {
            looks([&format!("shared top {object}{}", from(node))])
        }
        Request::Drift => looks(["drift"]),
        Request::Vips => looks(["vip show", "cluster duravip show", "cluster duravip show tables"]),
        Request::VipMove(MoveRequest { addresses, node }) => {
            let rest = format!("move {} to {node}", addresses.join(" "));
            changes_by([format!("vip {rest}"), format!("cluster duravip {rest}")])
        }
        Request::VipDrain(DrainRequest { node, on }) => {
            changes(format!("vip {} {node}", if *on { "drain" } else { "undrain" }))
        }
        Request::VipAnnounce => changes_by(["vip announce".into(), "cluster duravip announce view".into()]),
        Request::VipHistory => looks(["vip history"]),
        Request::VipDebug { on } => {
            changes(format!("cluster duravip debug {}", if *on { "on" } else { "off" }))
        }
        Request::Arp => looks(["cluster arp show"]),
        // It tells whoever connected to what.
        Request::Hello => Spelling { free: true, ..looks(["hello"]) },
        Request::Cluster => looks([
            "cluster membership",
            "cluster info",
            "cluster nodename",
            "cluster nodeaddr",
            "show cluster membership",
            "info",
            "view",
        ]),
        Request::Reset => changes("cluster reset".into()),
        Request::Flush => changes("flush control cache".into()),
        Request::All(AllRequest { node, line, .. }) => {
            let to = node.as_ref().map(|node| format!(" {node}")).unwrap_or_default();
            inner(line).under(&format!("all{to}"))
        }
        Request::Broadcast(BroadcastRequest { line, subcluster, node, .. }) => {
            let name = addressed("broadcast", "unicast", subcluster.as_deref(), node.as_deref());
            Spelling { changes: true, ..inner(line) }.under(&name)
        }
        Request::Retrieve(RetrieveRequest { command, subcluster, node }) => {
            let name = addressed("retrieve", "retrieve_node", subcluster.as_deref(), node.as_deref());
            looks([command]).under(&name)
        }
    }
}

fn addressed(all: &str, one: &str, subcluster: Option<&str>, node: Option<&str>) -> String {
    match (subcluster, node) {
        (_, Some(node)) => format!("{one} {node}"),
        (Some(subcluster), None) => format!("subcluster {all} {subcluster}"),
        (None, None) => all.into(),
    }
}

/// Returns the words of a request that another one carries; the line itself if it is none, which nobody will do.
fn inner(line: &str) -> Spelling {
    match desk::parse(line.as_bytes()) {
        // Not deeper: those are not carried out.
        Ok(Asked::Node(Request::All(_) | Request::Broadcast(_))) | Err(_) => changes(line.into()),
        Ok(asked) => Spelling::of(&asked),
    }
}

fn of_config(request: &ConfigRequest) -> Spelling {
    let words = |name: &str, it: &Words| {
        it.words.iter().fold(format!("config {name}"), |text, word| format!("{text} {word}"))
    };
    let path =
        |name: &str, it: &Path| it.path.iter().fold(name.to_owned(), |text, path| format!("{text} {path}"));
    match request {
        ConfigRequest::Get(it) => looks([&words("get", it)]),
        ConfigRequest::Eval(it) => looks([&words("eval", it)]),
        ConfigRequest::Show(it) => looks([&words("show", it)]),
        ConfigRequest::ShowRecurse(it) if it.words.is_empty() => {
            looks(["config showrecurse", "write config"])
        }
        ConfigRequest::ShowRecurse(it) => looks([&words("showrecurse", it)]),
        ConfigRequest::Locate(it) => looks([&words("locate", it)]),
        ConfigRequest::Set(it) => changes(words("set", it)),
        ConfigRequest::Unset(it) => changes(words("unset", it)),
        ConfigRequest::Begin { scratch: false, .. } => changes("config begin".into()),
        ConfigRequest::Begin { scratch: true, .. } => changes("config begin from scratch".into()),
        ConfigRequest::Commit(_) => changes("config commit".into()),
        ConfigRequest::Rollback(_) => changes("config rollback".into()),
        ConfigRequest::Replay(_) => changes("config replay".into()),
        ConfigRequest::Reload(it) => changes(path("config reload", it)),
        ConfigRequest::Writeback(it) if it.path.is_some() => Spelling {
            ways: vec![path("config writeback", it), path("write config", it)],
            ..changes(String::new())
        },
        ConfigRequest::Writeback(_) => changes("config writeback".into()),
    }
}

fn looks<const N: usize>(ways: [&str; N]) -> Spelling {
    Spelling { ways: ways.map(String::from).into(), changes: false, free: false }
}

fn changes(way: String) -> Spelling {
    changes_by([way])
}

fn changes_by<const N: usize>(ways: [String; N]) -> Spelling {
    Spelling { ways: ways.into(), changes: true, free: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, ways: &[&str], changes: bool) {
        let spelling = Spelling::of(&desk::parse(line.as_bytes()).unwrap());
        assert_eq!(
            (spelling.ways, spelling.changes),
            (ways.iter().map(ToString::to_string).collect(), changes)
        );
    }

    #[test]
    fn a_request_has_the_words_of_its_commands() {
        check(r#"{"ask":"drift"}"#, &["drift"], false);
        check(
            r#"{"ask":"shared show","object":"inbound_cidr","from":"mx2"}"#,
            &["cluster shared show inbound_cidr from mx2", "shared show inbound_cidr from mx2"],
            false,
        );
        check(
            r#"{"ask":"config set","words":["cluster","nodename","=","a  b"]}"#,
            &["config set cluster nodename = a  b"],
            true,
        );
        check(r#"{"ask":"config showrecurse"}"#, &["config showrecurse", "write config"], false);
        check(r#"{"ask":"config writeback","path":"/x"}"#, &["config writeback /x", "write config /x"], true);
        check(r#"{"ask":"authz id"}"#, &["authz id"], false);
        check(
            r#"{"ask":"vip move","addresses":["192.0.2.1","192.0.2.2"],"node":"mx2"}"#,
            &["vip move 192.0.2.1 192.0.2.2 to mx2", "cluster duravip move 192.0.2.1 192.0.2.2 to mx2"],
            true,
        );
        check(r#"{"ask":"vip drain","node":"mx2","on":false}"#, &["vip undrain mx2"], true);
    }

    #[test]
    fn a_command_for_nodes_is_spelled_by_what_they_will_do_not_by_what_it_calls_itself() {
        check(
            r#"{"ask":"broadcast","command":"drift","line":"{\"ask\":\"cluster reset\"}"}"#,
            &["broadcast cluster reset"],
            true,
        );
        check(
            r#"{"ask":"broadcast","command":"x","line":"{\"ask\":\"drift\"}","node":"mx1"}"#,
            &["unicast mx1 drift"],
            true,
        );
        check(r#"{"ask":"all","line":"{\"ask\":\"cluster reset\"}"}"#, &["all cluster reset"], true);
        check(r#"{"ask":"all","line":"nonsense"}"#, &["all nonsense"], true);
        check(
            r#"{"ask":"retrieve","command":"drift","subcluster":"west"}"#,
            &["subcluster retrieve west drift"],
            false,
        );
    }
}

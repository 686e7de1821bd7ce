//! From a line of the console to a request.
use super::{
    super::{
        Failed,
        config::{Config, request},
    },
    attached::Effect,
    usage,
};
use crate::host::control::shape::{
    Request,
    all::{BroadcastRequest, RetrieveRequest},
    authz::OwnRequest,
    config::{ConfigRequest, Path, Words},
    vip::MoveRequest,
};
use clap::Parser;
use convoy_core::console::{self, Id, Line, Place};
use serde::Serialize;

/// A request, by the kind of its answer.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Ask {
    /// About the node or the cluster.
    Node(Request),
    /// About the configuration.
    Config(ConfigRequest),
    /// About who may do what, and the process itself.
    Own(OwnRequest),
}

impl Ask {
    /// Returns what the request of a line does.
    pub(super) fn effect(&self, line: &Line) -> Effect {
        let look_at = match self {
            Self::Config(ConfigRequest::Writeback(_)) => "the files",
            Self::Config(_) => "config show",
            Self::Node(Request::Reset) => "cluster membership",
            Self::Node(Request::Broadcast(_)) => "retrieve",
            Self::Node(Request::VipMove(_)) => "cluster duravip show",
            Self::Node(_) | Self::Own(_) => "the log of convoyd",
        };
        // `write config` writes only where it has a path.
        let is_change = |request: &ConfigRequest| !request.only_reads();
        if line.command.changes || matches!(self, Self::Config(request) if is_change(request)) {
            Effect::Changes { command: line.text(), look_at }
        } else {
            Effect::Looks
        }
    }
}

/// The words of `config`, read as those of `convoy config` are.
#[derive(Debug, Parser)]
#[command(name = "config", disable_help_flag = true)]
struct ConfigLine {
    #[command(flatten)]
    config: Config,
}

/// Returns what a line asks.
///
/// # Errors
/// The arguments are not those of the command, or the command in it is none that nodes carry out.
pub(super) fn of(line: &Line, session: &str) -> Result<Ask, Failed> {
    let words = &line.arguments;
    Ok(Ask::Node(match line.command.id {
        Id::ClusterInfo
        | Id::ClusterMembership
        | Id::ClusterNodename
        | Id::ClusterNodeaddr
        | Id::ShowClusterMembership
        | Id::Info => Request::Cluster,
        Id::ClusterReset => Request::Reset,
        Id::Version => Request::Status,
        Id::ArpShow => Request::Arp,
        Id::DuravipShow | Id::DuravipShowTables => Request::Vips,
        Id::DuravipMove => duravip_move(words)?,
        Id::DuravipAnnounceView => Request::VipAnnounce,
        Id::DuravipDebug => Request::VipDebug { on: is_on(&words[0])? },
        Id::SharedList => Request::SharedList,
        Id::SharedShow => shared_show(words)?,
        Id::Broadcast => broadcast(words, None, None, session)?,
        Id::Unicast => broadcast(&words[1..], Some(words[0].clone()), None, session)?,
        Id::SubclusterBroadcast => broadcast(&words[1..], None, Some(words[0].clone()), session)?,
        Id::Retrieve => retrieve(words, None, None)?,
        Id::RetrieveNode => retrieve(&words[1..], Some(words[0].clone()), None)?,
        Id::SubclusterRetrieve => retrieve(&words[1..], None, Some(words[0].clone()))?,
        Id::FlushControlCache => Request::Flush,
        Id::Help | Id::ClusterHelp | Id::Pager | Id::Quit => {
            return Err(usage(&format!("`{}` is answered by the console itself", line.text())));
        }
        Id::ConfigGet
        | Id::ConfigEval
        | Id::ConfigSet
        | Id::ConfigUnset
        | Id::ConfigShow
        | Id::ConfigShowrecurse
        | Id::ConfigLocate
        | Id::ConfigBegin
        | Id::ConfigCommit
        | Id::ConfigRollback
        | Id::ConfigReplay
        | Id::ConfigReload
        | Id::ConfigWriteback => return config(line, session).map(Ask::Config),
        Id::WriteConfig => return Ok(Ask::Config(write_config(words, session))),
        Id::AuthzId => return Ok(Ask::Own(OwnRequest::Id)),
        Id::AuthzRolesList => return Ok(Ask::Own(OwnRequest::Roles)),
        Id::Shutdown => return Ok(Ask::Own(OwnRequest::Shutdown)),
    }))
}

/// Without a path it is shown, with one written.
fn write_config(words: &[String], session: &str) -> ConfigRequest {
    let session = Some(session.to_owned());
    match words.first() {
        Some(path) => ConfigRequest::Writeback(Path { path: Some(path.clone()), session }),
        None => ConfigRequest::ShowRecurse(Words { words: Vec::new(), session }),
    }
}

fn shared_show(words: &[String]) -> Result<Request, Failed> {
    let from = match words {
        [_] => None,
        [_, from, node] if from.eq_ignore_ascii_case("from") => Some(node_of(node)),
        _ => return Err(usage("write: cluster shared show OBJECT [from NODE]")),
    };
    Ok(Request::SharedShow { object: words[0].clone(), from })
}

fn duravip_move(words: &[String]) -> Result<Request, Failed> {
    let node = match words {
        [_, node] => node,
        [_, to, node] if to.eq_ignore_ascii_case("to") => node,
        _ => return Err(usage("write: cluster duravip move ADDRESS to NODE")),
    };
    Ok(Request::VipMove(MoveRequest { addresses: vec![words[0].clone()], node: node_of(node) }))
}

fn is_on(word: &str) -> Result<bool, Failed> {
    match word.to_ascii_lowercase().as_str() {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(usage("write: cluster duravip debug on, or off")),
    }
}

/// A private name such as `#ec1-77#mx1` means its node.
fn node_of(name: &str) -> String {
    let node = name.strip_prefix('#').and_then(|name| name.rsplit_once('#')).map(|(_, node)| node);
    node.unwrap_or(name).to_ascii_lowercase()
}

fn config(line: &Line, session: &str) -> Result<ConfigRequest, Failed> {
    let words =
        line.command.words.iter().map(|word| (*word).to_owned()).chain(line.arguments.iter().cloned());
    let mut read = ConfigLine::try_parse_from(words).map_err(|error| {
        usage(error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: "))
    })?;
    if read.config.file.is_some() {
        return Err(usage("a console asks its daemon; for files: convoy config --file"));
    }
    read.config.session.get_or_insert_with(|| session.to_owned());
    request(&read.config)
}

/// Returns the command that `words` are, if nodes carry it out.
fn inner(words: &[String]) -> Result<Line, Failed> {
    let text = super::quoted(words);
    let line = console::parse(&text).map_err(|fault| usage(&fault.to_string()))?;
    match line {
        Some(line)
            if matches!(line.command.place, Place::Node | Place::Both)
                && !matches!(line.command.id, Id::ClusterHelp | Id::Shutdown) =>
        {
            Ok(line)
        }
        _ => Err(usage(&format!("`{text}` is no command that nodes carry out"))),
    }
}

fn broadcast(
    words: &[String],
    node: Option<String>,
    subcluster: Option<String>,
    session: &str,
) -> Result<Request, Failed> {
    let line = inner(words)?;
    let request = serde_json::to_string(&of(&line, session)?).map_err(std::io::Error::from)?;
    Ok(Request::Broadcast(BroadcastRequest { command: line.text(), line: request, subcluster, node }))
}

fn retrieve(words: &[String], node: Option<String>, subcluster: Option<String>) -> Result<Request, Failed> {
    Ok(Request::Retrieve(RetrieveRequest { command: inner(words)?.text(), subcluster, node }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let line = console::parse(text).unwrap().unwrap();
        assert_eq!(serde_json::to_string(&of(&line, "s").unwrap()).unwrap(), expected);
    }

    #[test]
    fn lines_become_requests() {
        check("cluster info", r#"{"ask":"cluster"}"#);
        check("cluster reset", r#"{"ask":"cluster reset"}"#);
        check("cluster duravip show tables", r#"{"ask":"vips"}"#);
        let moves = r#"{"ask":"vip move","addresses":["192.0.2.1"],"node":"mx2"}"#;
        check("cluster duravip move 192.0.2.1 to MX2", moves);
        check("cluster duravip move 192.0.2.1 mx2", moves);
        check("cluster duravip debug on", r#"{"ask":"vip debug","on":true}"#);
        check("cluster arp show", r#"{"ask":"arp"}"#);
        check(
            "cluster shared show inbound_cidr from #ec1-7#MX2",
            r#"{"ask":"shared show","object":"inbound_cidr","from":"mx2"}"#,
        );
        check(
            "config set cluster nodename = mx1",
            r#"{"ask":"config set","words":["cluster","nodename","=","mx1"],"session":"s"}"#,
        );
        check(
            "unicast mx2 cluster nodename",
            r#"{"ask":"broadcast","command":"cluster nodename","line":"{\"ask\":\"cluster\"}","node":"mx2"}"#,
        );
        check(
            "subcluster retrieve west version",
            r#"{"ask":"retrieve","command":"version","subcluster":"west"}"#,
        );
    }

    #[test]
    fn what_nodes_do_not_carry_out_is_not_broadcast() {
        for text in ["broadcast broadcast version", "broadcast help", "retrieve quit", "broadcast shutdown"] {
            let line = console::parse(text).unwrap().unwrap();
            assert!(of(&line, "s").is_err(), "{text}");
        }
    }
}

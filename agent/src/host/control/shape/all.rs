//! The JSON of a command for members of the cluster, and of their answers.
use serde::{Deserialize, Serialize};

/// A command for every node, or for one: `{"ask":"all","line":"{\"ask\":\"status\"}"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllRequest {
    /// Node that is to carry it out; every node without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The command: a request of the control socket, as its line of JSON.
    pub line: String,
    /// Longest wait for answers, milliseconds, at most 9 000.
    #[serde(default = "within_ms")]
    pub within_ms: u64,
}

/// A command for nodes whose answers are collected: `{"ask":"broadcast","command":"cluster nodename","line":"..."}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BroadcastRequest {
    /// The command as it was typed: what `retrieve` finds its answers by.
    pub command: String,
    /// The command: a request of the control socket, as its line of JSON.
    pub line: String,
    /// For the nodes of this subcluster only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subcluster: Option<String>,
    /// For this node only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// Which collected answers are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrieveRequest {
    /// The command as it was typed.
    pub command: String,
    /// Those of this subcluster only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subcluster: Option<String>,
    /// Those of this node only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// Answer to `broadcast`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The nodes that were asked.
    pub nodes: Vec<String>,
}

/// Answer to `flush control cache`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flushed {
    /// Commands whose answers were forgotten.
    pub commands: usize,
    /// Commands whose answers made room for others since the start.
    #[serde(default)]
    pub dropped: u64,
}

/// Answer to `all` and `retrieve`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AllAnswers {
    /// One for every node that was asked, by name.
    pub answers: Vec<NodeAnswer>,
}

/// What became of a command at one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeAnswer {
    /// Node name.
    pub node: String,
    /// Exit code, as of the command line; none without an answer.
    pub code: Option<u8>,
    /// The answer; none when it is missing.
    pub answer: Option<String>,
    /// Why there is no answer.
    pub missing: Option<String>,
    /// To `all`: time from the question to the answer, or to its end without one, milliseconds.
    pub after_ms: f64,
    /// To `retrieve`: age of the answer, seconds.
    #[serde(default)]
    pub age_s: f64,
}

fn within_ms() -> u64 {
    2_000
}

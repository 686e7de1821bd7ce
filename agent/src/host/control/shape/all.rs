//! The JSON of a command for members of the cluster, and of their answers.
use serde::{Deserialize, Serialize};

/// A command for every node, or for one: `{"ask":"all","line":"{\"ask\":\"status\"}","format":"request"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllRequest {
    /// Node that is to carry it out; every node without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The command: a line of the console, or a request of the control socket.
    pub line: String,
    /// What the line is, and how it is answered.
    #[serde(default)]
    pub format: Format,
    /// Longest wait for answers, milliseconds, at most 9 000.
    #[serde(default = "within_ms")]
    pub within_ms: u64,
}

/// What a command's line is, and how it is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Format {
    /// A line of the console, answered with text.
    Text = 0,
    /// A line of the console, answered with XML.
    Xml = 1,
    /// A line of the console, answered with JSON.
    Json = 2,
    /// A request of the control socket, answered with its line of JSON.
    #[default]
    Request = 3,
}

/// Answer to `all`.
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
    /// Time from the question to the answer, or to its end without one, milliseconds.
    pub after_ms: f64,
}

impl Format {
    /// Returns the format with this number on the bus.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Text, Self::Xml, Self::Json, Self::Request].into_iter().find(|format| *format as u8 == code)
    }
}

fn within_ms() -> u64 {
    2_000
}

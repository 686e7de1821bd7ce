//! Where a request is answered, whoever brings it: a client of a socket, or a member over the bus.
use super::{
    Commands, Questions,
    commands::may_change,
    shape::{Failure, Request, config::ConfigRequest},
};
use convoy_core::{bounds, group::questions::Errand};
use serde::Deserialize;
use std::io::{self, Write};

/// The two threads that know the answers.
#[derive(Clone, Debug)]
pub struct Desk {
    /// To the cluster thread.
    pub questions: Questions,
    /// To the main thread.
    pub commands: Commands,
}

/// A request, by the thread that answers it.
pub(super) enum Asked {
    Node(Request),
    Config(ConfigRequest),
}

impl Desk {
    /// Answers a request on one line of JSON without its newline.
    pub(super) fn answer(&self, asked: Asked, caller: &Caller, to: &mut impl Write) -> io::Result<()> {
        let failure = match asked {
            Asked::Node(Request::Broadcast(_) | Request::Flush) if !may_change(caller.user) => {
                denied("give commands to nodes")
            }
            Asked::Node(Request::Reset) if !may_change(caller.user) => denied("reset the membership"),
            Asked::Node(request) => match self.questions.ask(request.clone(), caller.name.clone()) {
                Ok(answer) => return answer.write(&request, to),
                Err(failure) => failure,
            },
            Asked::Config(request) => match self.commands.ask(request, caller.user) {
                Ok(answer) => return Ok(serde_json::to_writer(to, &answer)?),
                Err(failure) => failure,
            },
        };
        Ok(serde_json::to_writer(to, &failure)?)
    }

    /// Carries out a member's command; returns its exit code and its answer.
    pub fn carry_out(&self, errand: &Errand) -> (u8, String) {
        let mut line = Vec::new();
        let outcome = match parse(errand.line.as_bytes()) {
            // A command for all that asks all would never end.
            Ok(Asked::Node(Request::All(_) | Request::Broadcast(_))) => {
                Err(Failure::new("a command for members cannot be one for members"))
            }
            Ok(asked) => self
                .answer(asked, &Caller::on_bus(&errand.caller), &mut line)
                .map_err(|error| Failure::new(error.to_string())),
            Err(failure) => Err(failure),
        };
        let too_long = line.len() > bounds::ANSWER_BYTES_MAX;
        let failure = match outcome {
            Ok(()) if !too_long => {
                let code = if line.starts_with(b"{\"error\":") { REFUSED } else { 0 };
                return (code, String::from_utf8_lossy(&line).into_owned());
            }
            Ok(()) => Failure::new(format!(
                "the answer has {} bytes, too many for the bus; ask on the node",
                line.len()
            )),
            Err(failure) => failure,
        };
        (REFUSED, serde_json::to_string(&failure).unwrap_or_default())
    }
}

pub(super) fn parse(line: &[u8]) -> Result<Asked, Failure> {
    /// What every request has.
    #[derive(Deserialize)]
    struct Ask {
        ask: String,
    }
    let is_config = serde_json::from_slice::<Ask>(line).is_ok_and(|asked| asked.ask.starts_with("config "));
    let read = if is_config {
        serde_json::from_slice(line).map(Asked::Config)
    } else {
        serde_json::from_slice(line).map(Asked::Node)
    };
    read.map_err(|error| Failure::nonsense(&error))
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// Number of the user on the host where it is.
    user: u32,
    /// Number and name; over the bus the name of its node too.
    name: String,
}

impl Caller {
    /// Returns the user with this number of this host.
    pub(super) fn local(user: u32) -> Self {
        let name = crate::sys::process::user_name(user).unwrap_or_else(|| "user".into());
        Self { user, name: format!("{user} {name}") }
    }

    /// Returns who a member says gives a command; one without a number may change nothing.
    fn on_bus(name: &str) -> Self {
        let user = name.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(NOBODY);
        Self { user, name: name.into() }
    }
}

fn denied(what: &str) -> Failure {
    Failure::new(format!("only root and convoyd's own user may {what}"))
}

/// Exit code of a command that was refused, as of the command line.
const REFUSED: u8 = 1;
/// A user who owns nothing, as in nfs(5).
const NOBODY: u32 = 65_534;

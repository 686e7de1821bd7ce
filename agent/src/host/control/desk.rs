//! Where a request is answered, whoever brings it: a client of a socket, or a member over the bus.
use super::{
    Commands, Questions,
    endpoint::{At, Role},
    policy::{LOOPBACK, Policy},
    shape::{
        Failure, Request,
        authz::{Done, Id, OwnRequest, RoleRow, Roles},
        config::ConfigRequest,
    },
    spelling::Spelling,
};
use crate::sys::process;
use convoy_core::{bounds, group::questions::Errand};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    io::{self, Write},
    net::IpAddr,
};

/// The two threads that know the answers, and who may have them.
#[derive(Clone, Debug)]
pub struct Desk {
    /// To the cluster thread.
    pub questions: Questions,
    /// To the main thread.
    pub commands: Commands,
    /// Who may do what.
    pub policy: Policy,
}

/// A request, by whoever answers it.
pub(super) enum Asked {
    Node(Request),
    Config(ConfigRequest),
    Own(OwnRequest),
}

impl Desk {
    /// Answers a request on one line of JSON without its newline.
    pub(super) fn answer(&self, asked: Asked, caller: &Caller, to: &mut impl Write) -> io::Result<()> {
        let spelling = Spelling::of(&asked);
        if let Err(failure) = self.policy.permit(caller, &spelling) {
            return Ok(serde_json::to_writer(to, &failure)?);
        }
        let failure = match asked {
            Asked::Node(request) => match self.questions.ask(request.clone(), caller.name.clone()) {
                Ok(answer) => {
                    note(caller, &spelling, None);
                    return answer.write(&request, to);
                }
                Err(failure) => failure,
            },
            Asked::Config(request) => match self.commands.ask(request, caller.user) {
                Ok(answer) => return done(&answer, caller, &spelling, to),
                Err(failure) => failure,
            },
            Asked::Own(OwnRequest::Id) => return done(&caller.id(), caller, &spelling, to),
            Asked::Own(OwnRequest::Roles) => return done(&self.roles(), caller, &spelling, to),
            Asked::Own(OwnRequest::Shutdown) => match process::terminate() {
                Ok(()) => return done(&Done { done: true }, caller, &spelling, to),
                Err(error) => Failure::new(format!("cannot end: {error}; stop the service instead")),
            },
        };
        note(caller, &spelling, Some(&failure));
        Ok(serde_json::to_writer(to, &failure)?)
    }

    /// Carries out a member's command; returns its exit code and its answer.
    pub fn carry_out(&self, errand: &Errand) -> (u8, String) {
        let mut line = Vec::new();
        let outcome = match parse(errand.line.as_bytes()) {
            // A command for all that asks all would never end.
            Ok(Asked::Node(Request::All(_) | Request::Broadcast(_)) | Asked::Own(OwnRequest::Shutdown)) => {
                Err(Failure::new("this cannot be a command for members"))
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

    fn roles(&self) -> Roles {
        let row = |role: &Role| RoleRow {
            name: role.name.clone(),
            allow: role.allow.iter().map(|pattern| pattern.text().to_owned()).collect(),
        };
        Roles { roles: self.policy.plan().roles.iter().map(row).collect() }
    }
}

pub(super) fn parse(line: &[u8]) -> Result<Asked, Failure> {
    /// What every request has.
    #[derive(Deserialize)]
    struct Ask {
        ask: String,
    }
    let asked = serde_json::from_slice::<Ask>(line).map(|asked| asked.ask).unwrap_or_default();
    let read = match asked.as_str() {
        asked if asked.starts_with("config ") => serde_json::from_slice(line).map(Asked::Config),
        asked if asked.starts_with("authz ") || asked == "shutdown" => {
            serde_json::from_slice(line).map(Asked::Own)
        }
        _ => serde_json::from_slice(line).map(Asked::Node),
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
    /// The name alone.
    pub(super) login: String,
    /// Groups of the user; over the bus none.
    pub(super) roles: Vec<String>,
    /// Root, or the daemon's own user.
    pub(super) trusted: bool,
    /// From where.
    pub(super) from: From,
    /// Its address; loopback for a Unix socket and for the bus.
    pub(super) address: IpAddr,
}

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The daemon's own socket.
    Own,
    /// A socket of `Control_Listener`.
    Listener(At),
    /// A member of the cluster, by the name of its node.
    Bus(String),
}

impl Caller {
    /// Returns the user with this number of this host.
    pub(super) fn local(user: u32, from: From, address: IpAddr) -> Self {
        let known = process::user(user);
        let roles = known.as_ref().map(process::groups).unwrap_or_default();
        // Without a name its number: no role may be every such user's.
        let login = known.map_or_else(|| user.to_string(), |user| user.name);
        let name = format!("{user} {login}");
        Self { user, name, login, roles, trusted: is_trusted(user), from, address }
    }

    /// Returns somebody of whom nothing is known.
    pub(super) fn unknown(from: From, address: IpAddr) -> Self {
        let (login, roles) = ("nobody".to_owned(), Vec::new());
        let name = format!("{NOBODY} {login}");
        Self { user: NOBODY, name, login, roles, trusted: false, from, address }
    }

    /// Returns who a member says gives a command, `0 root@mx1`; one without a number may change nothing.
    fn on_bus(name: &str) -> Self {
        let (number, rest) = name.split_once(' ').unwrap_or((name, ""));
        let (login, node) = rest.rsplit_once('@').unwrap_or((rest, ""));
        let user = number.parse().unwrap_or(NOBODY);
        Self {
            user,
            name: name.into(),
            login: login.into(),
            roles: Vec::new(),
            trusted: is_trusted(user),
            from: From::Bus(node.into()),
            address: LOOPBACK,
        }
    }

    /// Returns whether roles may be compared with it: the name of a user of whom nothing is known is nobody's.
    pub(super) fn is_known(&self) -> bool {
        self.user != NOBODY
    }

    /// Makes it a user of this number in these groups.
    #[cfg(test)]
    pub(super) fn set(&mut self, user: u32, groups: &[&str]) {
        (self.user, self.trusted, self.login) = (user, is_trusted(user), format!("user{user}"));
        self.roles = groups.iter().map(ToString::to_string).collect();
    }

    fn id(&self) -> Id {
        Id {
            user: self.login.clone(),
            number: self.user,
            roles: self.roles.clone(),
            from: self.from.to_string(),
        }
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("the daemon's socket"),
            Self::Listener(at) => at.fmt(f),
            Self::Bus(node) => write!(f, "node {node}"),
        }
    }
}

fn is_trusted(user: u32) -> bool {
    user == 0 || user == rustix::process::geteuid().as_raw()
}

fn done(answer: &impl Serialize, caller: &Caller, command: &Spelling, to: &mut impl Write) -> io::Result<()> {
    note(caller, command, None);
    Ok(serde_json::to_writer(to, answer)?)
}

/// Says in the log who changed what, and what became of it.
fn note(caller: &Caller, command: &Spelling, failure: Option<&Failure>) {
    if !command.changes {
        return;
    }
    let (user, from) = (&caller.login, &caller.from);
    match failure {
        None => tracing::info!(user, %from, %command, "command done"),
        Some(failure) => tracing::info!(user, %from, %command, "command refused: {}", failure.error),
    }
}

/// Exit code of a command that was refused, as of the command line.
const REFUSED: u8 = 1;
/// A user who owns nothing, as in nfs(5).
const NOBODY: u32 = 65_534;

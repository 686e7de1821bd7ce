//! Who may give which command: default deny, patterns in order, the first match permits.
//!
//! Invariants: 1. root and the daemon's own user may do everything on the daemon's own socket, and on any node through
//! the bus, whatever the configuration says; 2. whoever is not one of them changes something only if a role allows it;
//! 3. what is at the other end (`hello`) everybody who is let in may ask; 4. every denial, and every command that changes something, is logged with who gave it.
//! Source: reference section 3.2.
use super::{
    desk::{Caller, From},
    endpoint::{Access, At, Endpoint, Plan, Role},
    shape::Failure,
    spelling::Spelling,
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, PoisonError, RwLock},
};

/// The plan in force; clones see the same one.
#[derive(Clone, Debug, Default)]
pub struct Policy(Arc<RwLock<Arc<Plan>>>);

impl Policy {
    /// Returns a policy with this plan in force.
    pub fn new(plan: Plan) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(plan))))
    }

    /// Puts another plan in force, for commands from now on.
    pub(super) fn set(&self, plan: Plan) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
    }

    /// Returns the plan in force.
    pub(super) fn plan(&self) -> Arc<Plan> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Permits a command, or says why not.
    ///
    /// # Errors
    /// The caller may not give it; the reason is for the caller.
    pub(super) fn permit(&self, caller: &Caller, command: &Spelling) -> Result<(), Failure> {
        let judged = self.plan().judge(caller, command);
        if let Err(failure) = &judged {
            let (user, from) = (&caller.login, &caller.from);
            tracing::warn!(user, %from, %command, "denied: {}", failure.error);
        }
        judged
    }
}

impl Plan {
    /// Returns the socket at a place.
    pub(super) fn endpoint(&self, at: &At) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.at == *at)
    }

    fn judge(&self, caller: &Caller, command: &Spelling) -> Result<(), Failure> {
        let authorize = match &caller.from {
            From::Own | From::Bus(_) => self.authorize && !caller.trusted,
            From::Listener(at) => {
                let Some(endpoint) = self.endpoint(at) else {
                    return Err(Failure::new(format!("{at} is no endpoint any more; see Control_Listener")));
                };
                endpoint.access(caller.address).authorize
            }
        };
        match authorize {
            true if command.free || self.allows(caller, command) => Ok(()),
            true => Err(Failure::new(DENIED)),
            false if command.changes && !caller.trusted => Err(Failure::new(ONLY_ROOT)),
            false => Ok(()),
        }
    }

    fn allows(&self, caller: &Caller, command: &Spelling) -> bool {
        let is = |role: &&Role| role.name == caller.login || caller.roles.contains(&role.name);
        let patterns = self.roles.iter().filter(is).flat_map(|role| &role.allow);
        caller.is_known() && patterns.into_iter().any(|pattern| command.matches(pattern))
    }
}

/// Says whether a client is taken at all.
///
/// # Errors
/// It is not; the text is for the client.
pub(super) fn admit(access: Access, known: bool) -> Result<(), Failure> {
    match access {
        Access { always_deny: true, .. } => Err(Failure::new("not authenticated: always_deny is set here")),
        Access { authenticate: true, always_allow: false, .. } if !known => Err(Failure::new(
            "not authenticated: the kernel does not say whose connection this is; connect from this host and its \
             network namespace, and keep the connection open",
        )),
        _ => Ok(()),
    }
}

/// Clients of Unix sockets are taken for loopback.
pub(super) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The reference's words.
const DENIED: &str = "Not Authorized for this command";
const ONLY_ROOT: &str = "only root and the user of convoyd may change something; ask with sudo, or allow it to a role \
                         (docs/console.md)";

#[cfg(test)]
mod tests;

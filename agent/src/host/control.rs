//! The control sockets: answer the questions of `convoy` and of programs.
//!
//! A request is one line of JSON, the answer one line of JSON; a connection carries any number of them in turn.
//! Each client has a thread of its own with blocking reads and writes, and what it is told is a snapshot: a
//! client that never reads, or reads a million lines slowly, holds up nothing but itself.
//! Bounds: 64 clients a socket at once, a request of 4096 bytes, 10 s for either direction on the daemon's own socket.
mod answer;
pub mod client;
mod commands;
mod desk;
pub mod endpoint;
mod policy;
mod serve;
pub mod shape;
mod sockets;
mod spelling;

pub use answer::Answer;
pub use commands::{Command, Commands};
pub use desk::Desk;
pub use endpoint::Plan;
pub use policy::Policy;
pub use sockets::CannotListen;

use crate::sys::wake::Wake;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use desk::From;
use endpoint::{At, Endpoint};
use shape::{Failure, Request};
use sockets::{Bound, Listening};
use std::{collections::BTreeMap, io, path::Path, time::Duration};

/// Name of the socket in the run directory.
pub const SOCKET_NAME: &str = "convoyd.sock";

/// A question on its way to the cluster thread, with the place for its answer.
#[derive(Debug)]
pub struct Query {
    /// What is asked.
    pub request: Request,
    /// Who asks, for the log: number and name of a user, and the node when it is another one.
    pub caller: String,
    /// Where the answer goes; it holds one.
    pub reply: Sender<Result<Answer, Failure>>,
}

/// Where clients' questions are put for the cluster thread.
#[derive(Clone, Debug)]
pub struct Questions {
    queue: Sender<Query>,
    wake: Wake,
}

impl Questions {
    /// Returns the two ends of a queue whose reader polls `wake`.
    pub fn new(wake: Wake) -> (Self, Receiver<Query>) {
        let (queue, questions) = bounded(QUESTIONS_MAX);
        (Self { queue, wake }, questions)
    }

    /// Asks, and waits for the answer.
    fn ask(&self, request: Request, caller: String) -> Result<Answer, Failure> {
        let (reply, answer) = bounded(1);
        match self.queue.try_send(Query { request, caller, reply }) {
            Ok(()) => self.wake.wake(),
            Err(TrySendError::Full(_)) => return Err(Failure::new("too many questions at once; ask again")),
            Err(TrySendError::Disconnected(_)) => return Err(Failure::new("convoyd is stopping")),
        }
        answer
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| Err(Failure::new("convoyd is busy or stopping; ask again")))
    }
}

/// The control sockets. Dropping it removes them; clients under way end by themselves.
#[derive(Debug)]
pub struct Control {
    desk: Desk,
    listening: BTreeMap<At, Listening>,
    #[expect(dead_code, reason = "held for what its drop does")]
    own: Listening,
}

/// Sockets that are bound and not yet used. Dropping it gives them up.
#[derive(Debug)]
pub struct Prepared(Vec<Bound>);

impl Control {
    /// Makes the socket in `run_dir`, readable and writable by its owner's group, and answers on it.
    ///
    /// # Errors
    /// The socket or its thread cannot be made.
    pub fn start(run_dir: &Path, desk: Desk) -> io::Result<Self> {
        let own = Bound::own(&run_dir.join(SOCKET_NAME), SOCKET_MODE)?.serve(From::Own, desk.clone())?;
        Ok(Self { desk, listening: BTreeMap::new(), own })
    }

    /// Binds the sockets that are wanted and not there yet.
    ///
    /// # Errors
    /// [`CannotListen`] for the first socket that cannot be bound; nothing has changed then.
    pub fn prepare(&self, endpoints: &[Endpoint]) -> Result<Prepared, CannotListen> {
        let fresh = endpoints.iter().filter(|endpoint| !self.listening.contains_key(&endpoint.at));
        fresh.map(Bound::new).collect::<Result<_, _>>().map(Prepared)
    }

    /// Puts a plan in force whose new sockets are prepared, and gives up the sockets that are in it no more.
    pub fn replace(&mut self, plan: Plan, prepared: Prepared) {
        self.listening.retain(|at, _| plan.endpoint(at).is_some());
        for endpoint in &plan.endpoints {
            if let Some(listening) = self.listening.get(&endpoint.at) {
                listening.adjust(endpoint);
            }
        }
        self.desk.policy.set(plan);
        for bound in prepared.0 {
            let at = bound.at().clone();
            match bound.serve(From::Listener(at.clone()), self.desk.clone()) {
                Ok(listening) => drop(self.listening.insert(at, listening)),
                Err(error) => tracing::error!(%at, %error, "cannot serve consoles there; raise TasksMax"),
            }
        }
    }
}

/// Questions that wait for the cluster thread; one more is refused.
const QUESTIONS_MAX: usize = 128;
/// Time the daemon has to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Owner and group: `convoy` may be given to operators who are not root by the directory's group.
const SOCKET_MODE: u32 = 0o660;

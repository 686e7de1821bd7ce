//! Commands about the configuration, on their way from a client's thread to the daemon's main thread.
//!
//! Who may give which was decided before (`policy`). The cluster thread has no part in it.
use super::shape::{
    Failure,
    config::{ConfigAnswer, ConfigRequest},
};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::time::Duration;

/// A command, who gives it, and the place for its answer.
#[derive(Debug)]
pub struct Command {
    /// What to do.
    pub request: ConfigRequest,
    /// Number of the user who gives it.
    pub user: u32,
    /// Where the answer goes; it holds one.
    pub reply: Sender<Result<ConfigAnswer, Failure>>,
}

/// Where clients' commands are put for the main thread.
#[derive(Clone, Debug)]
pub struct Commands(Sender<Command>);

impl Commands {
    /// Returns the two ends of the queue.
    pub fn new() -> (Self, Receiver<Command>) {
        let (queue, commands) = bounded(COMMANDS_MAX);
        (Self(queue), commands)
    }

    /// Hands a command over, and waits for its answer.
    pub(super) fn ask(&self, request: ConfigRequest, user: u32) -> Result<ConfigAnswer, Failure> {
        let (reply, answer) = bounded(1);
        match self.0.try_send(Command { request, user, reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(Failure::new("too many commands at once; ask again")),
            Err(TrySendError::Disconnected(_)) => return Err(Failure::new("convoyd is stopping")),
        }
        let late =
            "convoyd is busy or stopping; the command may still be done: see with `convoy config show`";
        answer.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(Failure::new(late)))
    }
}

/// Commands that wait for the main thread; one more is refused. chosen: more than people type at once.
const COMMANDS_MAX: usize = 16;
/// Time the main thread has for a command and those before it. chosen: shorter than a client's patience.
const PATIENCE: Duration = Duration::from_secs(12);

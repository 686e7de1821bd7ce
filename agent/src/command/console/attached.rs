//! A console's connection to its daemon, made anew when it has broken.
//!
//! Invariants: 1. a command that changes something is sent once: when the connection breaks before its answer, that is
//! said, and what tells whether it was carried out; 2. what only looks is sent again once; 3. when another process
//! answers than before, that is said, once.
use super::{
    super::{Exit, Failed},
    interrupts::Interrupts,
};
use crate::host::control::{
    client::{Client, ClientError},
    endpoint::At,
    shape::{Request, cluster::Hello},
};
use serde::Serialize;
use std::io::{self, Write};

/// See the module.
pub(super) struct Attached {
    socket: At,
    client: Option<Client>,
    daemon: Hello,
    /// At a prompt.
    interrupts: Option<Interrupts>,
}

/// What a request does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing is another way afterwards.
    Looks,
    /// Something is: the command, and where to look for what became of it.
    Changes { command: String, look_at: &'static str },
}

impl Attached {
    /// Attaches.
    ///
    /// # Errors
    /// Nobody answers there, or takes this client.
    pub(super) fn to(socket: At) -> Result<Self, Failed> {
        let mut client = Client::at(&socket).map_err(Failed::from)?;
        let daemon = greet(&mut client).map_err(of)?;
        Ok(Self { socket, client: Some(client), daemon, interrupts: None })
    }

    /// Has Ctrl-C end commands from now on.
    pub(super) fn heed(&mut self, interrupts: Interrupts) {
        self.interrupts = Some(interrupts);
    }

    pub(super) fn socket(&self) -> &At {
        &self.socket
    }

    /// Returns what is attached to, as of the latest command.
    pub(super) fn daemon(&self) -> &Hello {
        &self.daemon
    }

    pub(super) fn is_manager(&self) -> bool {
        self.daemon.role == "manager"
    }

    /// Asks, and returns the answer's line of JSON.
    ///
    /// # Errors
    /// The daemon refuses, does not answer, or the command was interrupted.
    pub(super) fn ask(&mut self, request: &impl Serialize, effect: &Effect) -> Result<String, Failed> {
        let mut answer = self.try_ask(request);
        if *effect == Effect::Looks
            && let Err(error) = &answer
            && error.is_closed()
            && !self.is_interrupted()
        {
            answer = self.try_ask(request);
        }
        if let Some(interrupts) = &self.interrupts {
            interrupts.end_wait();
        }
        answer.map_err(|error| match (error, effect) {
            (ClientError::Broken { .. }, Effect::Looks) if self.is_interrupted() => {
                Failed::Said { exit: Exit::Unanswered, text: "interrupted".into() }
            }
            (ClientError::Broken { .. }, Effect::Changes { command, look_at }) if self.is_interrupted() => {
                uncertain("interrupted", &format!("`{command}`"), look_at)
            }
            (ClientError::Broken { at, source }, Effect::Changes { command, look_at }) => {
                uncertain(&broke_off(&at, &source), &format!("`{command}`"), look_at)
            }
            (error, _) => of(error),
        })
    }

    fn is_interrupted(&self) -> bool {
        self.interrupts.as_ref().is_some_and(Interrupts::caught)
    }

    fn try_ask(&mut self, request: &impl Serialize) -> Result<String, ClientError> {
        let mut client = match self.client.take().filter(Client::is_idle) {
            Some(client) => client,
            None => self.attach_again()?,
        };
        self.wait_on(&client);
        let answer = client.ask(request).map(str::to_owned);
        if !matches!(answer, Err(ClientError::Broken { .. })) {
            self.client = Some(client);
        }
        answer
    }

    /// A daemon closes connections that are idle for long: of that nothing is said, for nothing has changed.
    fn attach_again(&mut self) -> Result<Client, ClientError> {
        let mut client = Client::at(&self.socket)?;
        self.wait_on(&client);
        let daemon = greet(&mut client)?;
        if daemon != self.daemon {
            let (node, pid) = (&daemon.node, daemon.pid);
            // A closed stream leaves nobody to tell.
            drop(writeln!(io::stderr(), "convoy: reattached to {node} (pid {pid})"));
        }
        self.daemon = daemon;
        Ok(client)
    }

    fn wait_on(&self, client: &Client) {
        if let Some(interrupts) = &self.interrupts {
            interrupts.wait_on(client);
        }
    }
}

fn greet(client: &mut Client) -> Result<Hello, ClientError> {
    serde_json::from_str(client.ask(&Request::Hello)?).map_err(ClientError::Unreadable)
}

fn of(error: ClientError) -> Failed {
    match error {
        ClientError::Refused(failure) => Failed::Denied(failure),
        error => error.into(),
    }
}

/// Says how a connection ended.
pub(in super::super) fn broke_off(at: &At, source: &io::Error) -> String {
    format!("convoyd on {at} broke off: {source}")
}

/// Says of a command that changes something that its answer is missing.
pub(in super::super) fn uncertain(why: &str, command: &str, look_at: &str) -> Failed {
    let text = format!("{why}; {command} may or may not have been carried out, see: {look_at}");
    Failed::Said { exit: Exit::Unanswered, text }
}

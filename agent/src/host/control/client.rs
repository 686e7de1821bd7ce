//! The other end of the control socket.
use super::{SOCKET_NAME, endpoint::At, serve::Stream, shape::Failure};
use rustix::net::{RecvFlags, recv};
use serde::Serialize;
use std::{
    io::{self, BufRead, BufReader, Write},
    net::{Shutdown, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon listens there.
    #[error("no convoyd answers on {at}: {source}; {}", absent(at))]
    Absent {
        /// The socket.
        at: At,
        /// Why not.
        source: io::Error,
    },
    /// The socket is there, but not for this user.
    #[error("not allowed to ask convoyd on {at}; ask as root, or as a member of the group that owns it")]
    Forbidden {
        /// The socket.
        at: At,
    },
    /// The connection broke.
    #[error("convoyd on {at} broke off: {source}; ask again, and look at its log if it repeats")]
    Broken {
        /// The socket.
        at: At,
        /// How.
        source: io::Error,
    },
    /// The daemon refuses.
    #[error("{}", .0.error)]
    Refused(Box<Failure>),
    /// The answer is not of the shape this client knows.
    #[error(
        "convoyd answers what this convoy does not understand: {0}; use the convoy of the daemon's version"
    )]
    Unreadable(serde_json::Error),
}

impl ClientError {
    /// Tells whether the daemon closed the connection, rather than let a question wait for too long.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Broken { source, .. } if source.kind() != io::ErrorKind::TimedOut)
    }
}

/// A connection to a daemon.
#[derive(Debug)]
pub struct Client {
    at: At,
    stream: BufReader<Stream>,
    line: String,
}

/// Ends the waiting of a [`Client`] on another thread.
#[derive(Debug)]
pub struct Stopper(Stream);

impl Stopper {
    /// Has the client's question end as broken.
    pub fn stop(&self) {
        let stopped = match &self.0 {
            Stream::Unix(stream) => stream.shutdown(Shutdown::Both),
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
        // It was closed already: then nothing waits.
        drop(stopped);
    }
}

impl Client {
    /// Connects to the daemon of a run directory.
    pub fn connect(run_dir: &Path) -> Result<Self, ClientError> {
        Self::at(&At::Unix(run_dir.join(SOCKET_NAME)))
    }

    /// Connects to this socket.
    pub fn at(at: &At) -> Result<Self, ClientError> {
        let at = at.clone();
        let connect = || -> io::Result<Stream> {
            let stream = match &at {
                At::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
                At::Tcp(address) => Stream::Tcp(TcpStream::connect_timeout(address, PATIENCE)?),
            };
            stream.set_timeouts(PATIENCE)?;
            Ok(stream)
        };
        match connect() {
            Ok(stream) => {
                Ok(Self { at, stream: BufReader::with_capacity(64 * 1024, stream), line: String::new() })
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(ClientError::Forbidden { at })
            }
            Err(source) => Err(ClientError::Absent { at, source }),
        }
    }

    /// Tells whether the connection stands and nothing is under way on it. A daemon closes one that was idle for long.
    pub fn is_idle(&self) -> bool {
        let mut byte = [0; 1];
        let found = recv(self.stream.get_ref(), &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT);
        found.is_err_and(|error| error == rustix::io::Errno::AGAIN)
    }

    /// Returns what ends the waiting for an answer.
    ///
    /// # Errors
    /// There is no room for another file descriptor.
    pub fn stopper(&self) -> io::Result<Stopper> {
        Ok(Stopper(match self.stream.get_ref() {
            Stream::Unix(stream) => Stream::Unix(stream.try_clone()?),
            Stream::Tcp(stream) => Stream::Tcp(stream.try_clone()?),
        }))
    }

    /// Asks, and returns the answer's line of JSON.
    pub fn ask(&mut self, request: &impl Serialize) -> Result<&str, ClientError> {
        if let Err(source) = self.exchange(request) {
            return Err(ClientError::Broken { at: self.at.clone(), source });
        }
        // A failure begins with its text; an answer never has that field first.
        if self.line.starts_with("{\"error\":")
            && let Ok(failure) = serde_json::from_str::<Failure>(&self.line)
        {
            return Err(ClientError::Refused(Box::new(failure)));
        }
        Ok(self.line.trim_end())
    }

    fn exchange(&mut self, request: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(request)?;
        bytes.push(b'\n');
        let mut to = self.stream.get_ref();
        match to.write_all(&bytes) {
            // A daemon that turns a client away says why and closes, without waiting for a question.
            Err(error)
                if !matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
            {
                return Err(error);
            }
            Ok(()) | Err(_) => {}
        }
        self.line.clear();
        match self.stream.read_line(&mut self.line) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection")),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let text = format!("no answer in {} s", PATIENCE.as_secs());
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
            Err(error) => Err(error),
        }
    }
}

fn absent(at: &At) -> &'static str {
    match at {
        At::Unix(_) => "start it, or name its run directory with --run-dir",
        At::Tcp(_) => "start it, or have it listen there: Control_Listener in its configuration",
    }
}

/// Time the daemon has for each part of an answer.
const PATIENCE: Duration = Duration::from_secs(15);

//! The other end of the control socket.
use super::{SOCKET_NAME, endpoint::At, serve::Stream, shape::Failure};
use serde::Serialize;
use std::{
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
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

/// A connection to a daemon.
#[derive(Debug)]
pub struct Client {
    at: At,
    stream: BufReader<Stream>,
    line: String,
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
        match self.stream.read_line(&mut self.line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
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

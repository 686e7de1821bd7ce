//! The other end of the control socket.
use super::{SOCKET_NAME, shape::Failure};
use serde::Serialize;
use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon listens there.
    #[error("no convoyd answers on {}: {source}; start it, or name its run directory with --run-dir", path.display())]
    Absent {
        /// The socket.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The socket is there, but not for this user.
    #[error("not allowed to ask convoyd on {}; ask as root, or as a member of the group that owns it", path.display())]
    Forbidden {
        /// The socket.
        path: PathBuf,
    },
    /// The connection broke.
    #[error("convoyd on {} broke off: {source}; ask again, and look at its log if it repeats", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
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

/// A connection to the daemon of one run directory.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
    line: String,
}

impl Client {
    /// Connects.
    pub fn connect(run_dir: &Path) -> Result<Self, ClientError> {
        Self::at(&run_dir.join(SOCKET_NAME))
    }

    /// Connects to the socket at this path.
    pub fn at(path: &Path) -> Result<Self, ClientError> {
        let path = path.to_path_buf();
        let connect = || -> io::Result<UnixStream> {
            let stream = UnixStream::connect(&path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        };
        match connect() {
            Ok(stream) => {
                Ok(Self { path, stream: BufReader::with_capacity(64 * 1024, stream), line: String::new() })
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(ClientError::Forbidden { path })
            }
            Err(source) => Err(ClientError::Absent { path, source }),
        }
    }

    /// Asks, and returns the answer's line of JSON.
    pub fn ask(&mut self, request: &impl Serialize) -> Result<&str, ClientError> {
        if let Err(source) = self.exchange(request) {
            return Err(ClientError::Broken { path: self.path.clone(), source });
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
        match self.stream.get_mut().write_all(&bytes) {
            // A daemon that turns a client away says why and closes, without waiting for a question.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.line.clear();
        match self.stream.read_line(&mut self.line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Time the daemon has for each part of an answer.
const PATIENCE: Duration = Duration::from_secs(15);

//! The control socket: answers the questions of `convoy` and of programs.
//!
//! A request is one line of JSON, the answer one line of JSON; a connection carries any number of them in turn.
//! Each client has a thread of its own with blocking reads and writes, and what it is told is a snapshot: a
//! client that never reads, or reads a million lines slowly, holds up nothing but itself.
//! Bounds: 64 clients at once, a request of 4096 bytes, 10 s for either direction.
mod answer;
pub mod client;
mod commands;
mod desk;
pub mod shape;

pub use answer::Answer;
pub use commands::{Command, Commands};
pub use desk::Desk;

use crate::sys::{process, wake::Wake};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use shape::{Failure, Request};
use std::{
    fs,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

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

/// The listening socket. Dropping it removes it; clients under way end by themselves.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
}

impl Control {
    /// Makes the socket in `run_dir`, readable and writable by its owner's group, and answers on it.
    ///
    /// A socket that is there already belonged to a process that is gone: the caller holds the directory's lock.
    pub fn start(run_dir: &Path, desk: Desk) -> io::Result<Self> {
        let path = run_dir.join(SOCKET_NAME);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(SOCKET_MODE))?;
        thread::Builder::new().name("control".into()).spawn(move || accept(&listener, &desk))?;
        Ok(Self { path })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the control socket");
        }
    }
}

fn accept(listener: &UnixListener, desk: &Desk) {
    let clients = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                tracing::error!(%error, "cannot take a control connection; raise LimitNOFILE if this repeats");
                thread::sleep(Duration::from_millis(100)); // waits: for descriptors
                continue;
            }
        };
        let place = Place::take(&clients);
        let desk = desk.clone();
        let spawned = thread::Builder::new().name("control-client".into()).spawn(move || {
            let ended = match place {
                Some(_) => serve(&stream, &desk),
                None => refuse(&stream),
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "control client");
            }
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "cannot serve a control client; raise TasksMax if this repeats");
        }
    }
}

fn serve(stream: &UnixStream, desk: &Desk) -> io::Result<()> {
    let caller = desk::Caller::local(process::peer_user(stream)?);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut requests = BufReader::new(stream);
    let mut answers = BufWriter::with_capacity(64 * 1024, stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = requests.by_ref().take(REQUEST_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n");
        let request = if whole {
            desk::parse(&line)
        } else {
            Err(Failure::new("the request is longer than 4096 bytes, or ends without a newline"))
        };
        match request {
            Ok(asked) => desk.answer(asked, &caller, &mut answers)?,
            Err(failure) => serde_json::to_writer(&mut answers, &failure)?,
        }
        answers.write_all(b"\n")?;
        answers.flush()?;
        if !whole {
            return Ok(());
        }
    }
}

fn refuse(mut stream: &UnixStream) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    serde_json::to_writer(stream, &Failure::new("too many control clients; end some and try again"))?;
    stream.write_all(b"\n")
}

/// One of the places for clients, given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(clients: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(clients.clone());
        let before = clients.fetch_add(1, Ordering::Relaxed);
        (before < CLIENTS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Clients served at once; one more is told so and closed.
const CLIENTS_MAX: usize = 64;
/// Longest request line, bytes.
const REQUEST_BYTES_MAX: usize = 4096;
/// Questions that wait for the cluster thread; one more is refused.
const QUESTIONS_MAX: usize = 128;
/// Time a client has to send its next request or to take a part of its answer, and the daemon to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Owner and group: `convoy` may be given to operators who are not root by the directory's group.
const SOCKET_MODE: u32 = 0o660;

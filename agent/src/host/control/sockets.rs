//! The control sockets: the daemon's own, and those of `Control_Listener`.
//!
//! Invariants: 1. all new sockets are bound before an old one is given up; 2. a Unix socket that somebody listens on is
//! never taken away, one that is left over is; 3. what is removed at the end is what was made here. Each socket has a thread
//! that takes clients, each client one of its own. Bounds: `CLIENTS_MAX` clients a socket; one more is told so and closed.
use super::{
    desk::{Desk, From},
    endpoint::{At, Endpoint},
    serve::{self, Stream},
    shape::Failure,
};
use crate::sys::net::{self, ListenOptions};
use std::{
    fs, io,
    net::TcpListener,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// A socket cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {at} for consoles: {source}; {}", remedy(.at, .source))]
pub struct CannotListen {
    /// Where.
    pub at: At,
    /// Why not.
    pub source: io::Error,
}

/// A socket that is bound, and takes nobody yet. Dropping it gives it up.
#[derive(Debug)]
pub(super) struct Bound {
    at: At,
    listener: Arc<Listener>,
    /// The file of a Unix socket, by which it is known again.
    inode: Option<u64>,
}

/// A socket whose clients are served. Dropping it takes no more; clients under way end by themselves.
#[derive(Debug)]
pub(super) struct Listening {
    bound: Bound,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Bound {
    /// Makes the daemon's own socket. One that is there already belonged to a process that is gone: the caller holds the
    /// directory's lock.
    pub(super) fn own(path: &Path, mode: u32) -> io::Result<Self> {
        match fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Self::unix(path, mode)
    }

    /// Makes a socket of `Control_Listener`.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, CannotListen> {
        let made = match &endpoint.at {
            At::Unix(path) => clear(path).and_then(|()| Self::unix(path, endpoint.file_mode.into())),
            At::Tcp(address) => {
                let options = ListenOptions {
                    backlog: endpoint.backlog,
                    receive_buffer: endpoint.receive_buffer,
                    send_buffer: endpoint.send_buffer,
                };
                net::listen(*address, options, false).map(|listener| Self {
                    at: endpoint.at.clone(),
                    listener: Arc::new(Listener::Tcp(listener)),
                    inode: None,
                })
            }
        };
        let bound = made.map_err(|source| CannotListen { at: endpoint.at.clone(), source })?;
        bound.adjust(endpoint);
        Ok(bound)
    }

    fn unix(path: &Path, mode: u32) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let inode = fs::symlink_metadata(path)?.ino();
        let listener = Arc::new(Listener::Unix(listener));
        let bound = Self { at: At::Unix(path.to_owned()), listener, inode: Some(inode) };
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        Ok(bound)
    }

    pub(super) fn at(&self) -> &At {
        &self.at
    }

    /// Gives a socket what may change while it is bound.
    fn adjust(&self, endpoint: &Endpoint) {
        if let Err(error) = rustix::net::listen(&*self.listener, endpoint.backlog.into()) {
            tracing::warn!(at = %self.at, %error, "cannot change listen_backlog");
        }
        if let At::Unix(path) = &self.at
            && let Err(error) =
                fs::set_permissions(path, fs::Permissions::from_mode(endpoint.file_mode.into()))
        {
            tracing::warn!(at = %self.at, %error, "cannot change file_mode");
        }
    }

    /// Begins to serve clients.
    pub(super) fn serve(self, from: From, desk: Desk) -> io::Result<Listening> {
        let (listener, ends) = (self.listener.clone(), Arc::new(AtomicBool::new(false)));
        let ending = ends.clone();
        let accept = move || accept(&listener, &from, &desk, &ending);
        let thread = thread::Builder::new().name("control".into()).spawn(accept)?;
        Ok(Listening { bound: self, ends, thread: Some(thread) })
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let (At::Unix(path), Some(inode)) = (&self.at, self.inode) else { return };
        let same = fs::symlink_metadata(path).is_ok_and(|found| found.ino() == inode);
        if same && let Err(error) = fs::remove_file(path) {
            tracing::warn!(path = %path.display(), %error, "cannot remove the control socket");
        }
    }
}

impl Listening {
    /// Takes what an endpoint says that holds for a socket that is there.
    pub(super) fn adjust(&self, endpoint: &Endpoint) {
        self.bound.adjust(endpoint);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Err(error) = net::end_listening(&*self.bound.listener) {
            tracing::debug!(at = %self.bound.at, %error, "a control socket cannot be told to end");
        } else if let Some(Err(_panic)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("a control thread panicked; its message is above");
        }
    }
}

impl Listener {
    fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(listener) => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
            Self::Tcp(listener) => listener.accept().map(|(stream, _)| Stream::Tcp(stream)),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(listener) => listener.as_fd(),
            Self::Tcp(listener) => listener.as_fd(),
        }
    }
}

fn accept(listener: &Listener, from: &From, desk: &Desk, ends: &AtomicBool) {
    let clients = Arc::new(AtomicUsize::new(0));
    while !ends.load(Ordering::Relaxed) {
        let stream = match listener.accept() {
            Ok(stream) => stream,
            Err(_) if ends.load(Ordering::Relaxed) => return,
            Err(error) => {
                tracing::error!(%from, %error, "cannot take a control connection; raise LimitNOFILE if this repeats");
                thread::sleep(Duration::from_millis(100)); // waits: for descriptors
                continue;
            }
        };
        let place = Place::take(&clients);
        let (from, desk) = (from.clone(), desk.clone());
        let spawned = thread::Builder::new().name("control-client".into()).spawn(move || {
            let ended = match place {
                Some(_) => serve::serve(&stream, from, &desk),
                None => {
                    serve::refuse(&stream, &Failure::new("too many control clients; end some and try again"))
                }
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

/// Takes a socket away that nobody listens on any more; leaves everything else.
fn clear(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(_) | Err(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}

fn remedy(at: &At, source: &io::Error) -> String {
    match (at, source.kind()) {
        (At::Unix(_), io::ErrorKind::AlreadyExists) => {
            "there is something that is no socket; take it away".into()
        }
        (_, io::ErrorKind::AddrInUse) => {
            format!(
                "see who has it with `ss -xltnp | grep {at}`, or set `enable = false` in that Listen scope"
            )
        }
        (At::Unix(path), io::ErrorKind::NotFound) => {
            let directory = path.parent().map(PathBuf::from).unwrap_or_default();
            format!("make the directory {}", directory.display())
        }
        _ => "correct the Listen scope in Control_Listener".into(),
    }
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

/// Clients of one socket served at once; those of another socket cannot take their places.
const CLIENTS_MAX: usize = 64;

//! The sockets of the mesh listener, and how one set of them takes the place of another.
//!
//! Invariants: 1. all new sockets are bound before an old one is given up, so a set that cannot be bound changes
//! nothing; 2. a socket that stays as it is keeps its queue of connections; 3. a program that does not ask to share a
//! port, as none of ours does when it starts, never gets one of ours. A socket whose options change is bound anew
//! beside itself.
use crate::sys::net::{self, ListenOptions};
use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// One socket as it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Where.
    pub at: SocketAddr,
    /// What the socket has.
    pub options: ListenOptions,
    /// Whether connections taken on it send small frames at once.
    pub nodelay: bool,
}

/// A socket cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {at}: {source}")]
pub struct CannotListen {
    /// Where.
    pub at: SocketAddr,
    /// Why not.
    pub source: io::Error,
}

/// The sockets that are bound.
#[derive(Debug, Default)]
pub struct Listeners(BTreeMap<SocketAddr, Bound>);

/// Sockets that are bound and not yet used. Dropping it gives up those that are new.
#[derive(Debug)]
pub struct Prepared {
    sockets: BTreeMap<SocketAddr, Bound>,
    fresh: BTreeMap<SocketAddr, TcpListener>,
    nodelay: BTreeMap<SocketAddr, bool>,
}

/// One socket for the mesh.
#[derive(Debug)]
pub struct Listening {
    /// Where.
    pub at: SocketAddr,
    /// As in [`Listen`].
    pub nodelay: bool,
    /// The socket.
    pub socket: Arc<TcpListener>,
    /// A copy to accept on; `None` when the mesh has the socket already.
    pub fresh: Option<TcpListener>,
}

#[derive(Clone, Debug)]
struct Bound {
    options: ListenOptions,
    socket: Arc<TcpListener>,
}

impl Listeners {
    /// Binds what is wanted and not there yet.
    ///
    /// # Errors
    /// [`CannotListen`] for the first socket that cannot be bound; nothing has changed then.
    pub fn prepare(&self, wanted: &[Listen]) -> Result<Prepared, CannotListen> {
        let stays = |bound: &Bound, listen: &Listen| bound.options == listen.options;
        let leaves = |at: &SocketAddr, bound: &Bound| {
            !wanted.iter().any(|listen| listen.at == *at && stays(bound, listen))
        };
        let leaving = self.0.iter().filter(|(at, bound)| leaves(at, bound)).collect::<Vec<_>>();
        let shared = Shared::new(leaving.iter().map(|(_, bound)| &*bound.socket).collect());
        let mut prepared =
            Prepared { sockets: BTreeMap::new(), fresh: BTreeMap::new(), nodelay: BTreeMap::new() };
        for listen in wanted {
            prepared.nodelay.insert(listen.at, listen.nodelay);
            let kept = self.0.get(&listen.at).filter(|bound| stays(bound, listen));
            let bound = if let Some(bound) = kept {
                bound.clone()
            } else {
                let wrap = |source| CannotListen { at: listen.at, source };
                // Only then: the kernel never quite forgets that a port was shared.
                let beside = leaving.iter().any(|(at, _)| at.port() == listen.at.port());
                let socket = bind(listen, beside).map_err(wrap)?;
                // At once: sockets of one set may not share a port with each other.
                net::share(&socket, false).map_err(wrap)?;
                let copy = socket.try_clone().map_err(wrap)?;
                prepared.fresh.insert(listen.at, copy);
                Bound { options: listen.options, socket: Arc::new(socket) }
            };
            prepared.sockets.insert(listen.at, bound);
        }
        drop(shared);
        Ok(prepared)
    }

    /// Takes the prepared sockets in place of those there are, and returns all of them for the mesh, which gives up
    /// the others.
    pub fn replace(&mut self, prepared: Prepared) -> Vec<Listening> {
        let Prepared { sockets, mut fresh, nodelay } = prepared;
        self.0 = sockets;
        let listening = |(at, bound): (&SocketAddr, &Bound)| Listening {
            at: *at,
            nodelay: nodelay.get(at).copied().unwrap_or(true),
            socket: bound.socket.clone(),
            fresh: fresh.remove(at),
        };
        self.0.iter().map(listening).collect()
    }
}

/// Binds a socket, and waits a moment for the one of a predecessor that was killed: the kernel gives it up only when a
/// worker has ended what was in flight on its ring.
fn bind(listen: &Listen, beside: bool) -> io::Result<TcpListener> {
    let end = Instant::now() + BIND_WITHIN;
    loop {
        match net::listen(listen.at, listen.options, beside) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < end => {
                thread::sleep(BIND_AGAIN); // waits: for the kernel, which tells nobody
            }
            done => return done,
        }
    }
}

/// Longest wait for a port. chosen: a worker needs milliseconds, tenths of a second on a machine at its limit.
const BIND_WITHIN: Duration = Duration::from_secs(2);
/// Time between two tries.
const BIND_AGAIN: Duration = Duration::from_millis(5);

/// Old sockets beside which new ones may be bound, for as long as this lives.
struct Shared<'a>(Vec<&'a TcpListener>);

impl<'a> Shared<'a> {
    fn new(sockets: Vec<&'a TcpListener>) -> Self {
        for socket in &sockets {
            if let Err(error) = net::share(socket, true) {
                tracing::debug!(%error, "an old listener keeps its port to itself");
            }
        }
        Self(sockets)
    }
}

impl Drop for Shared<'_> {
    fn drop(&mut self) {
        for socket in &self.0 {
            if let Err(error) = net::share(socket, false) {
                tracing::warn!(%error, "other programs of this user may share the port of a listener");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    fn listen(at: SocketAddr, backlog: u16) -> Listen {
        let options = ListenOptions { backlog, receive_buffer: Some(65_536), send_buffer: None };
        Listen { at, options, nodelay: true }
    }

    /// Binds one socket on a port of the kernel's choice; returns where.
    fn bound(listeners: &mut Listeners) -> SocketAddr {
        let prepared = listeners.prepare(&[listen(([127, 0, 0, 1], 0).into(), 16)]).unwrap();
        let listening = listeners.replace(prepared);
        let at = listening[0].socket.local_addr().unwrap();
        // Under the name by which it can be asked for again.
        let bound = listeners.0.pop_first().unwrap().1;
        listeners.0.insert(at, bound);
        at
    }

    #[test]
    fn a_socket_that_stays_is_kept_and_its_queue_with_it() {
        let mut listeners = Listeners::default();
        let at = bound(&mut listeners);
        let waiting = TcpStream::connect(at).unwrap();
        let prepared = listeners.prepare(&[listen(at, 16)]).unwrap();
        let listening = listeners.replace(prepared);
        assert!(listening[0].fresh.is_none());
        let (_, remote) = listening[0].socket.accept().unwrap();
        assert_eq!(remote, waiting.local_addr().unwrap());
    }

    #[test]
    fn a_socket_is_bound_anew_beside_itself_when_its_options_change() {
        let mut listeners = Listeners::default();
        let at = bound(&mut listeners);
        let prepared = listeners.prepare(&[listen(at, 17)]).unwrap();
        assert!(listeners.replace(prepared)[0].fresh.is_some());
    }

    #[test]
    fn a_wildcard_may_become_one_address_of_the_same_port() {
        let mut listeners = Listeners::default();
        let at = bound(&mut listeners);
        let everywhere = SocketAddr::from(([0, 0, 0, 0], at.port()));
        let prepared = listeners.prepare(&[listen(everywhere, 16)]).unwrap();
        let old = listeners.0.clone();
        assert_eq!(listeners.replace(prepared).len(), 1);
        drop(old);
        assert_eq!(listeners.0.keys().copied().collect::<Vec<_>>(), [everywhere]);
    }

    #[test]
    fn a_set_that_cannot_be_bound_changes_nothing() {
        let mut listeners = Listeners::default();
        let at = bound(&mut listeners);
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = (taken.local_addr().unwrap(), taken);
        let error = listeners.prepare(&[listen(at, 99), listen(taken.0, 16)]).unwrap_err();
        assert_eq!((error.at, error.source.kind()), (taken.0, io::ErrorKind::AddrInUse));
        assert!(listeners.0[&at].options.backlog == 16 && TcpStream::connect(at).is_ok());
    }

    #[test]
    fn nobody_else_gets_the_port() {
        let mut listeners = Listeners::default();
        let at = bound(&mut listeners);
        let other = || net::listen(at, listen(at, 1).options, false).map(drop).map_err(|e| e.kind());
        assert_eq!(other(), Err(io::ErrorKind::AddrInUse));
        let prepared = listeners.prepare(&[listen(at, 17)]).unwrap();
        assert_eq!(other(), Err(io::ErrorKind::AddrInUse));
        listeners.replace(prepared);
        assert_eq!(other(), Err(io::ErrorKind::AddrInUse));
    }

    #[test]
    fn who_waits_in_accept_learns_that_it_is_over() {
        let mut listeners = Listeners::default();
        bound(&mut listeners);
        let socket = listeners.0.pop_first().unwrap().1.socket;
        let waiting = socket.try_clone().unwrap();
        let waiter = thread::spawn(move || waiting.accept().map(drop).map_err(|error| error.kind()));
        net::end_listening(&socket).unwrap();
        assert_eq!(waiter.join().unwrap(), Err(io::ErrorKind::InvalidInput));
    }
}

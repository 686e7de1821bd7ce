//! The mesh: TCP connections between nodes over io_uring, and the clock that drives the node.
//!
//! Lives on the cluster thread. Facts go straight into the node, its effects are carried out before the next
//! fact is taken; nothing here waits while the node is borrowed. A connection is a reading task and a writing
//! task; what the node wants sent waits in the connection's queue, whose length the node bounds.
mod link;
mod listen;

pub use listen::{CannotListen, Listen, Listeners, Listening, Prepared};

use crate::sys;
use convoy_core::{
    node::{Event, Input, LinkId, Node, Output},
    time::{Instant, Span},
};
use link::Link;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::{IpAddr, SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::sync::Notify;

/// See the module.
pub struct Mesh {
    node: RefCell<Node>,
    links: RefCell<BTreeMap<LinkId, Rc<Link>>>,
    listeners: RefCell<Vec<Rc<Listener>>>,
    accepted: Cell<u64>,
    origin: std::time::Instant,
    /// Wakes the clock when the node's next deadline came nearer.
    earlier: Notify,
    armed: Cell<Option<Instant>>,
    dialling: Cell<Dialling>,
    stopped: Notify,
    traffic: Traffic,
    bus: Box<Outlet>,
}

/// Carries out what the node wants of the bus.
pub type Outlet = dyn Fn(Output, Instant);

/// How peers are dialled. What changes concerns connections made from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialling {
    /// Port of every node's mesh listener.
    pub port: u16,
    /// This node's address in the peer list, so that peers recognise it.
    pub source: Option<IpAddr>,
    /// Socket buffers in bytes; `None` leaves them to the kernel.
    pub buffer: Option<u32>,
}

/// A socket on which connections are taken.
struct Listener {
    socket: Arc<TcpListener>,
    nodelay: Cell<bool>,
    ended: Cell<bool>,
}

/// What crossed this node's connections since the start.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Bytes written.
    pub sent_bytes: Cell<u64>,
    /// Write operations.
    pub writes: Cell<u64>,
    /// Bytes read.
    pub received_bytes: Cell<u64>,
    /// Read operations.
    pub reads: Cell<u64>,
    /// Frames read.
    pub frames: Cell<u64>,
}

impl Mesh {
    /// Returns the mesh of a node that `make` builds for the time it is given.
    pub fn new(dialling: Dialling, bus: Box<Outlet>, make: impl FnOnce(Instant) -> Node) -> Rc<Self> {
        let origin = std::time::Instant::now();
        Rc::new(Self {
            node: RefCell::new(make(Instant::from_ns(0))),
            links: RefCell::default(),
            listeners: RefCell::default(),
            accepted: Cell::new(0),
            origin,
            earlier: Notify::new(),
            armed: Cell::new(None),
            dialling: Cell::new(dialling),
            stopped: Notify::new(),
            traffic: Traffic::default(),
            bus,
        })
    }

    /// Returns the node's time now.
    pub fn now(&self) -> Instant {
        Instant::from_ns(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Returns the node, to be read.
    pub fn node(&self) -> std::cell::Ref<'_, Node> {
        self.node.borrow()
    }

    /// Returns this node's address in the peer list.
    pub fn address(&self) -> Option<IpAddr> {
        self.dialling.get().source
    }

    /// Returns what crossed the connections.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Sets how peers are dialled from now on.
    pub fn set_dialling(&self, dialling: Dialling) {
        self.dialling.set(dialling);
    }

    /// Takes connections on these sockets and on no others. Connections that were taken stay.
    pub fn listen(self: &Rc<Self>, wanted: Vec<Listening>) {
        let mut before = self.listeners.take();
        let mut now = Vec::with_capacity(wanted.len());
        for Listening { nodelay, socket, fresh, .. } in wanted {
            let known = before.iter().position(|listener| Arc::ptr_eq(&listener.socket, &socket));
            let listener = match known {
                Some(at) => before.swap_remove(at),
                None => Rc::new(Listener { socket, nodelay: Cell::new(nodelay), ended: Cell::new(false) }),
            };
            listener.nodelay.set(nodelay);
            if let Some(fresh) = fresh {
                tokio::task::spawn_local(self.clone().accept(listener.clone(), fresh));
            }
            now.push(listener);
        }
        *self.listeners.borrow_mut() = now;
        for listener in before {
            listener.end();
        }
    }

    /// Gives the node one fact and carries out all that follows.
    pub fn feed(self: &Rc<Self>, input: Input<'_>) {
        let now = self.now();
        self.node.borrow_mut().handle(now, input);
        loop {
            // Bound in a statement of its own: the node must not be borrowed while an effect is carried out.
            let output = self.node.borrow_mut().poll_output();
            match output {
                Some(output) => self.carry_out(output),
                None => break,
            }
        }
        let deadline = self.node.borrow().next_deadline();
        if deadline.is_some_and(|deadline| self.armed.get().is_none_or(|armed| deadline < armed)) {
            self.earlier.notify_one();
        }
    }

    /// Runs until the node has stopped: takes connections and keeps the node's deadlines.
    pub async fn run(self: Rc<Self>, listeners: Vec<Listening>) {
        self.listen(listeners);
        tokio::task::spawn_local(self.clone().keep_time());
        self.stopped.notified().await;
        // Goodbyes are in the queues; give the writing tasks the time a reachable peer needs to take them.
        let drained = async {
            while !self.links.borrow().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await; // waits: for the tasks of this thread
            }
        };
        if tokio::time::timeout(GOODBYE_WITHIN, drained).await.is_err() {
            tracing::warn!(
                "some peers did not take the goodbye within {GOODBYE_WITHIN:?}; they will time out"
            );
        }
    }

    async fn keep_time(self: Rc<Self>) {
        self.feed(Input::Timeout);
        loop {
            let deadline = self.node.borrow().next_deadline();
            self.armed.set(deadline);
            let sleep = async {
                match deadline {
                    Some(at) => tokio::time::sleep(duration(at.since(self.now()))).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => self.feed(Input::Timeout),
                () = self.earlier.notified() => {}
            }
        }
    }

    async fn accept(self: Rc<Self>, listener: Rc<Listener>, socket: TcpListener) {
        let socket = tokio_uring::net::TcpListener::from_std(socket);
        loop {
            match socket.accept().await {
                Ok((stream, remote)) => {
                    self.accepted.set(self.accepted.get() + 1);
                    let id = LinkId::Accepted(self.accepted.get());
                    if let Err(error) = stream.set_nodelay(listener.nodelay.get()) {
                        tracing::debug!(%remote, %error, "connection ended while it was accepted");
                    }
                    let link = self.open(id);
                    self.feed(Input::Accepted(id, remote.ip().to_canonical()));
                    tokio::task::spawn_local(self.clone().serve(id, link, stream));
                }
                Err(_) if listener.ended.get() => return,
                Err(error) => {
                    // Out of descriptors or memory: the connection stays in the backlog, so wait before asking.
                    tracing::error!(%error, "cannot take a mesh connection; raise LimitNOFILE if this repeats");
                    tokio::time::sleep(ACCEPT_PAUSE).await; // waits: for descriptors or memory
                }
            }
        }
    }

    fn carry_out(self: &Rc<Self>, output: Output) {
        match output {
            Output::Dial(id, address) => {
                let link = self.open(id);
                tokio::task::spawn_local(self.clone().dial(id, link, address));
            }
            Output::Send(id, bytes) => {
                if let Some(link) = self.links.borrow().get(&id) {
                    link.push(bytes);
                }
            }
            Output::Close(id) => {
                if let Some(link) = self.links.borrow().get(&id) {
                    link.close();
                }
            }
            Output::Event(event) => {
                tell(&event);
                if matches!(event, Event::View(_) | Event::BusLost(_)) {
                    (self.bus)(Output::Event(event), self.now());
                }
            }
            Output::Stopped => self.stopped.notify_one(),
            output @ (Output::Multicast(_) | Output::CarryOut(_) | Output::Answers(..)) => {
                (self.bus)(output, self.now());
            }
        }
    }

    fn open(&self, id: LinkId) -> Rc<Link> {
        let link = Rc::new(Link::default());
        self.links.borrow_mut().insert(id, link.clone());
        link
    }

    async fn dial(self: Rc<Self>, id: LinkId, link: Rc<Link>, to: IpAddr) {
        let Dialling { port, source, buffer } = self.dialling.get();
        let connected = tokio::select! {
            connected = sys::net::connect(SocketAddr::new(to, port), source, buffer) => connected,
            () = link.closed() => Err(std::io::ErrorKind::TimedOut.into()),
        };
        match connected {
            Ok(stream) => {
                self.feed(Input::Connected(id));
                self.serve(id, link, tokio_uring::net::TcpStream::from_std(stream)).await;
            }
            Err(error) => self.ended(id, &error.to_string()),
        }
    }

    /// Reads and writes one connection until either side ends it.
    async fn serve(self: Rc<Self>, id: LinkId, link: Rc<Link>, stream: tokio_uring::net::TcpStream) {
        let stream = Rc::new(stream);
        let writing = tokio::task::spawn_local(link::write(self.clone(), id, link.clone(), stream.clone()));
        let why = link::read(&self, id, &link, &stream).await;
        link.close();
        if writing.await.is_err() {
            tracing::error!(?id, "the writing task of a connection ended early; this is a bug");
        }
        self.ended(id, &why);
    }

    fn ended(self: &Rc<Self>, id: LinkId, why: &str) {
        self.links.borrow_mut().remove(&id);
        self.feed(Input::Closed(id, why));
    }
}

impl Listener {
    fn end(&self) {
        self.ended.set(true);
        if let Err(error) = sys::net::end_listening(&self.socket) {
            tracing::warn!(%error, "a socket that is no longer wanted still listens");
        }
    }
}

/// Tells the operator's log.
fn tell(event: &Event) {
    match event {
        Event::Member { name, state, incarnation } => {
            tracing::info!(node = %name, %state, incarnation, "membership");
        }
        Event::Complete { name, hosts } => tracing::info!(node = %name, hosts, "all its counts have arrived"),
        Event::View(view) => {
            let names = view.members.values().map(|member| &*member.card.name).collect::<Vec<_>>().join(" ");
            let leader = view.leader().map_or("none", |leader| &*leader.card.name);
            tracing::info!(epoch = view.epoch, leader, members = names, "view");
            for difference in view.differences() {
                tracing::warn!(node = %difference.name, "{difference}");
            }
        }
        Event::BusLost(why) => tracing::warn!("the bus is lost: {why}"),
        Event::Trouble { with, text } => tracing::warn!(node = %with, "{text}"),
    }
}

fn duration(span: Span) -> Duration {
    Duration::from_nanos(span.as_ns())
}

/// Time that peers have to take a goodbye before the process ends anyway.
const GOODBYE_WITHIN: Duration = Duration::from_millis(500);
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

//! The cluster thread: one runtime on io_uring that owns the node and everything that talks to peers.
//!
//! What the other threads have for it arrives over bounded queues and one wake: counts from the sampler,
//! questions from control clients, orders from the daemon. It never waits for any of them, nor for disk,
//! netlink or maps, so heartbeats are never late because of them.
mod ask;

use super::{
    control::Query,
    counting::{self, Drift, Report, Stats},
    mesh::Mesh,
};
use crate::sys::wake::{Sleeper, Wake};
use convoy_common::count::Direction;
use convoy_core::{
    node::{Input, Node, Settings},
    wire::Object,
};
use crossbeam_channel::{Receiver, Sender};
use std::{
    cell::RefCell,
    io,
    net::{IpAddr, TcpListener},
    rc::Rc,
    thread::{self, JoinHandle},
};

/// What the cluster thread is to be; again on a reload.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The node's part.
    pub node: Settings,
    /// This node's address in the peer list, from which it dials.
    pub address: Option<IpAddr>,
    /// Port of every node's mesh listener.
    pub port: u16,
}

/// What is known of the kernel's side, for those who ask.
#[derive(Clone, Debug)]
pub struct Kernel {
    settings: counting::Settings,
    adopted: bool,
    drift: Drift,
    stats: Stats,
    /// The latest failure, kept until an audit went well.
    failure: Option<(u64, String)>,
}

impl Kernel {
    /// Returns what is known before the first report; `adopted` when an earlier agent's tables go on.
    pub fn new(settings: &counting::Settings, adopted: bool) -> Self {
        let settings = settings.clone();
        Self { settings, adopted, drift: Drift::default(), stats: Stats::default(), failure: None }
    }

    fn fail(&mut self, error: &counting::Error) {
        let text = chain(error);
        tracing::warn!("{text}");
        self.failure = Some((self.drift.audits, text));
    }

    /// Returns the latest failure unless two audits went well since.
    fn failure(&self) -> Option<&str> {
        let (audits, text) = self.failure.as_ref()?;
        (self.drift.audits < audits + 2).then_some(text)
    }
}

/// From the daemon to the cluster thread.
#[derive(Debug)]
pub enum Order {
    /// Take new settings; connections and counts that they do not concern stay.
    Reload(Box<Plan>),
    /// Say goodbye to the peers, then end.
    Stop,
}

/// What arrives for the cluster thread. Whoever puts something in wakes `wake`.
#[derive(Debug)]
pub struct Inbox {
    /// From the sampler.
    pub reports: Receiver<Report>,
    /// From control clients.
    pub questions: Receiver<Query>,
    /// From the daemon.
    pub orders: Receiver<Order>,
    /// Polled by the cluster thread.
    pub wake: Wake,
}

/// Starts the thread. It ends after [`Order::Stop`], and tells `ends` so. A node without peers has no listener.
///
/// # Errors
/// The thread, or its ring, cannot be made; the text says what the kernel answered.
pub fn spawn(
    plan: Plan,
    kernel: Kernel,
    listeners: Vec<TcpListener>,
    inbox: Inbox,
    ends: Sender<&'static str>,
) -> io::Result<JoinHandle<()>> {
    // The ring is made on its thread; its refusal must reach the daemon before it says it is ready.
    let (made, answer) = crossbeam_channel::bounded(1);
    let thread = thread::Builder::new().name("cluster".into()).spawn(move || {
        let runtime = match tokio_uring::Runtime::new(tokio_uring::builder().entries(RING_ENTRIES)) {
            Ok(runtime) => runtime,
            Err(error) => return drop(made.send(Err(error))),
        };
        drop(made.send(Ok(())));
        // Told also when the thread panics: without it the daemon would look alive.
        let _told = Told(ends);
        runtime.block_on(run(plan, kernel, listeners, inbox));
    })?;
    match answer.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::Error::other("the cluster thread ended while it started")),
    }
}

/// The thread's own state beside the node.
struct Cluster {
    mesh: Rc<Mesh>,
    address: RefCell<Option<IpAddr>>,
    /// The latest word of the sampler on the kernel's side.
    kernel: RefCell<Kernel>,
}

async fn run(plan: Plan, kernel: Kernel, listeners: Vec<TcpListener>, inbox: Inbox) {
    let Plan { node, address, port } = plan;
    let mesh = Mesh::new(port, address, |now| Node::new(node, now));
    let cluster =
        Rc::new(Cluster { mesh: mesh.clone(), address: RefCell::new(address), kernel: RefCell::new(kernel) });
    tokio::task::spawn_local(cluster.take_in(inbox));
    mesh.run(listeners).await;
}

impl Cluster {
    async fn take_in(self: Rc<Self>, inbox: Inbox) {
        if let Err(error) = self.take_in_until_unable(inbox).await {
            tracing::error!(%error, "the cluster thread cannot be woken; stopping");
            self.mesh.feed(Input::Stop);
        }
    }

    async fn take_in_until_unable(&self, inbox: Inbox) -> io::Result<()> {
        let sleeper = Sleeper::new(inbox.wake)?;
        loop {
            sleeper.woken().await?;
            inbox.orders.try_iter().for_each(|order| self.obey(order));
            inbox.questions.try_iter().for_each(|query| self.answer(query));
            for report in inbox.reports.try_iter() {
                self.take_report(report);
                // A report may hold thousands of hosts: sockets and timers get their turn after each.
                tokio::task::yield_now().await;
            }
        }
    }

    fn obey(&self, order: Order) {
        match order {
            Order::Stop => self.mesh.feed(Input::Stop),
            Order::Reload(plan) => {
                let Plan { node, address, port } = *plan;
                *self.address.borrow_mut() = address;
                self.mesh.set_port(port, address);
                self.mesh.feed(Input::Reload(node));
            }
        }
    }

    fn take_report(&self, report: Report) {
        match report {
            Report::Full { direction, entries } => {
                self.mesh.feed(Input::AllCounts(Object::of(direction), &entries));
            }
            Report::Changed { direction, entries } => {
                self.mesh.feed(Input::Counts(Object::of(direction), &entries));
            }
            Report::Drift(drift) => self.kernel.borrow_mut().drift = drift,
            Report::Stats(stats) => self.kernel.borrow_mut().stats = stats,
            Report::Failed(error) => self.kernel.borrow_mut().fail(&error),
        }
    }
}

/// Tells the daemon that the thread has ended, however it ended.
struct Told(Sender<&'static str>);

impl Drop for Told {
    fn drop(&mut self) {
        if self.0.send("cluster").is_err() {
            tracing::debug!("the daemon ended before the cluster thread");
        }
    }
}

/// Returns an error with its sources, as one line.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

/// Returns the table that holds the counts of `direction`.
const fn table_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound_hosts",
        Direction::Outbound => "outbound_hosts",
    }
}

/// Operations in flight at once: two a connection, two connections a peer, and room to spare.
const RING_ENTRIES: u32 = 512;

//! The cluster thread: one runtime on io_uring that owns the node and everything that talks to peers.
//!
//! What the other threads have for it arrives over bounded queues and one wake: counts from the sampler,
//! questions from control clients, orders from the daemon. It never waits for any of them, nor for disk,
//! netlink or maps, so heartbeats are never late because of them.
mod ask;

use super::{
    control::Query,
    counting::{Report, State},
    mesh::Mesh,
};
use crate::sys::wake::{Sleeper, Wake};
use convoy_common::count::Direction;
use convoy_core::{
    node::{Input, Node, Settings},
    wire::Object,
};
use crossbeam_channel::Receiver;
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

/// Starts the thread. It ends after [`Order::Stop`]. A node without peers has no listener.
///
/// # Errors
/// The thread, or its ring, cannot be made; the text says what the kernel answered.
pub fn spawn(plan: Plan, listener: Option<TcpListener>, inbox: Inbox) -> io::Result<JoinHandle<()>> {
    // The ring is made on its thread; its refusal must reach the daemon before it says it is ready.
    let (made, answer) = crossbeam_channel::bounded(1);
    let thread = thread::Builder::new().name("cluster".into()).spawn(move || {
        let runtime = match tokio_uring::Runtime::new(tokio_uring::builder().entries(RING_ENTRIES)) {
            Ok(runtime) => runtime,
            Err(error) => return drop(made.send(Err(error))),
        };
        drop(made.send(Ok(())));
        runtime.block_on(run(plan, listener, inbox));
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
    kernel: RefCell<State>,
}

async fn run(plan: Plan, listener: Option<TcpListener>, inbox: Inbox) {
    let Plan { node, address, port } = plan;
    let mesh = Mesh::new(port, address, |now| Node::new(node, now));
    let cluster =
        Rc::new(Cluster { mesh: mesh.clone(), address: RefCell::new(address), kernel: RefCell::default() });
    tokio::task::spawn_local(cluster.take_in(inbox));
    mesh.run(listener).await;
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
            Report::State(state) => *self.kernel.borrow_mut() = state,
        }
    }
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

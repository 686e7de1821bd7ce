//! The cluster thread: one runtime on io_uring that owns the node and everything that talks to peers.
//!
//! What the other threads have for it arrives over bounded queues and one wake: counts from the sampler,
//! questions from control clients, orders from the daemon. It never waits for any of them, nor for disk,
//! netlink or maps, so heartbeats are never late because of them.
mod addresses;
mod agreed;
mod ask;
mod beats;
mod view;
mod vips;

pub use agreed::Done;

use super::{
    address,
    bus::{self, BusHandle},
    control::Query,
    control_cache,
    counting::{Report, State},
    ended::Ended,
    heartbeat,
    mesh::{Dialling, Listening, Mesh},
};
use crate::sys::{
    realtime,
    wake::{Sleeper, Wake},
};
use addresses::Addresses;
use agreed::Agreed;
use convoy_common::count::Direction;
use convoy_core::{
    group::{bus::Bus as _, questions::Errand, view::Role},
    node::{Input, Node, Settings},
    vip,
    wire::Object,
};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::{
    cell::RefCell,
    io,
    rc::Rc,
    thread::{self, JoinHandle},
    time::Duration,
};

/// What the cluster thread is to be; again on a reload.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The node's part.
    pub node: Settings,
    /// How it reaches the others.
    pub dialling: Dialling,
    /// What carries the bus.
    pub bus: bus::Plan,
}

/// From the daemon to the cluster thread.
#[derive(Debug)]
pub enum Order {
    /// Take new settings; connections and counts that they do not concern stay.
    Reload {
        /// The settings.
        plan: Box<Plan>,
        /// All sockets to listen on from now on.
        listening: Vec<Listening>,
        /// The address thread, if it was started just now.
        addresses: Option<address::Link>,
        /// Options that changed and wait for a restart.
        kept: Vec<&'static str>,
        /// Told when everything is in force.
        done: Sender<()>,
    },
    /// Say goodbye to the peers, then end.
    Stop,
}

/// What arrives for the cluster thread, besides orders. Whoever puts something in wakes it.
#[derive(Debug)]
pub struct Inbox {
    /// From the sampler.
    pub reports: Receiver<Report>,
    /// From control clients.
    pub questions: Receiver<Query>,
    /// Commands of members that were carried out.
    pub done: Receiver<Done>,
    /// From the heartbeat thread.
    pub heartbeats: heartbeat::Link,
    /// From the address thread; none where nothing is managed.
    pub addresses: Option<address::Link>,
    /// Told when the thread ends, however it ends: without it the daemon would look alive.
    pub ends: Sender<&'static str>,
}

/// What the cluster thread reaches the others by, and has them reach this host by.
pub struct Agreement {
    /// The bus; it wakes the cluster thread when it has something to deliver.
    pub bus: BusHandle,
    /// Where commands of members are carried out.
    pub errands: Sender<Errand>,
    /// What keeps a manager's collected answers, and what it kept in an earlier life.
    pub control_cache: Option<(control_cache::Keeper, control_cache::Commands)>,
}

/// The running thread. Dropping it stops it, with goodbyes.
#[derive(Debug)]
pub struct ClusterThread {
    orders: Sender<Order>,
    wake: Wake,
    thread: Option<JoinHandle<()>>,
}

impl ClusterThread {
    /// Gives an order. A thread that has ended takes none; `Inbox::ends` was told.
    pub fn order(&self, order: Order) {
        if self.orders.send(order).is_ok() {
            self.wake.wake();
        }
    }

    /// Takes new settings and returns when they are in force; tells whether they were within 5 s.
    pub fn reload(
        &self,
        plan: Plan,
        listening: Vec<Listening>,
        addresses: Option<address::Link>,
        kept: Vec<&'static str>,
    ) -> bool {
        let (done, is_done) = bounded(1);
        self.order(Order::Reload { plan: Box::new(plan), listening, addresses, kept, done });
        is_done.recv_timeout(RELOAD_WITHIN).is_ok()
    }

    /// Says goodbye to the peers and waits for the end; gives back what the thread panicked with.
    pub fn stop(mut self) -> thread::Result<()> {
        self.join()
    }

    fn join(&mut self) -> thread::Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.order(Order::Stop);
        thread.join()
    }
}

impl Drop for ClusterThread {
    fn drop(&mut self) {
        if self.join().is_err() {
            tracing::error!("the cluster thread panicked; its message is above");
        }
    }
}

/// Starts the thread, which polls `wake`. A node without peers has no listeners.
///
/// # Errors
/// The thread, or its ring, cannot be made; the text says what the kernel answered.
pub fn spawn(
    plan: Plan,
    listeners: Vec<Listening>,
    agreement: Agreement,
    inbox: Inbox,
    wake: Wake,
) -> io::Result<ClusterThread> {
    let (orders, taken) = unbounded();
    let sleeper = wake.clone();
    // The ring is made on its thread; its refusal must reach the daemon before anything else is started.
    let (made, answer) = bounded(1);
    let thread = thread::Builder::new().name("cluster".into()).spawn(move || {
        let _ended = Ended { thread: "cluster", to: inbox.ends.clone() };
        let runtime = match tokio_uring::Runtime::new(tokio_uring::builder().entries(RING_ENTRIES)) {
            Ok(runtime) => runtime,
            Err(error) => return drop(made.send(Err(error))),
        };
        drop(made.send(Ok(())));
        // A busy host must not look dead: heartbeats go before whatever else wants the processor.
        if let Err(error) = realtime::run_before_ordinary() {
            tracing::debug!(%error, "the cluster thread runs at ordinary priority; grant CAP_SYS_NICE");
        }
        runtime.block_on(run(plan, listeners, agreement, inbox, taken, sleeper));
    })?;
    match answer.recv() {
        Ok(Ok(())) => Ok(ClusterThread { orders, wake, thread: Some(thread) }),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::Error::other("the cluster thread ended while it started")),
    }
}

/// The thread's own state beside the node.
struct Cluster {
    mesh: Rc<Mesh>,
    agreed: Rc<Agreed>,
    heartbeats: heartbeat::Link,
    /// The latest word of the sampler on the kernel's side; none while the programs are being loaded.
    kernel: RefCell<Option<State>>,
    /// Options whose new value waits for a restart.
    kept: RefCell<Vec<&'static str>>,
}

/// Says every now and then that this thread runs: the kernel answers for managed addresses only while it does.
async fn say_alive(heartbeats: heartbeat::Link) {
    loop {
        heartbeats.alive();
        tokio::time::sleep(ALIVE_EVERY).await; // waits: for the next sign of life
    }
}

async fn run(
    plan: Plan,
    listeners: Vec<Listening>,
    agreement: Agreement,
    inbox: Inbox,
    orders: Receiver<Order>,
    wake: Wake,
) {
    let Plan { node, dialling, bus: _ } = plan;
    let Agreement { mut bus, errands, control_cache } = agreement;
    bus.join();
    let addresses = Addresses::new(inbox.addresses.clone(), inbox.heartbeats.clone(), wake.clone());
    let agreed = Agreed::new(bus, errands, inbox.heartbeats.clone(), addresses, wake.clone());
    let agreed = Rc::new(agreed.with_cache(control_cache));
    let ending = agreed.clone();
    let outlet = {
        let agreed = agreed.clone();
        move |output, now| agreed.carry_out(output, now)
    };
    let mesh = Mesh::new(dialling, Box::new(outlet), |now| match node.standing.role {
        Role::Node => Node::new(node, now).awaiting_counts(),
        Role::Manager => Node::new(node, now),
    });
    let cluster = Rc::new(Cluster {
        mesh: mesh.clone(),
        agreed,
        heartbeats: inbox.heartbeats.clone(),
        kernel: RefCell::default(),
        kept: RefCell::default(),
    });
    wake.wake(); // the bus may have something already
    tokio::task::spawn_local(say_alive(inbox.heartbeats.clone()));
    tokio::task::spawn_local(cluster.take_in(inbox, orders, wake));
    mesh.run(listeners).await;
    ending.stop();
}

impl Cluster {
    async fn take_in(self: Rc<Self>, inbox: Inbox, orders: Receiver<Order>, wake: Wake) {
        if let Err(error) = self.take_in_until_unable(inbox, orders, wake).await {
            tracing::error!(%error, "the cluster thread cannot be woken; stopping");
            self.mesh.feed(Input::Stop);
        }
    }

    async fn take_in_until_unable(
        &self,
        inbox: Inbox,
        orders: Receiver<Order>,
        wake: Wake,
    ) -> io::Result<()> {
        let sleeper = Sleeper::new(wake)?;
        loop {
            sleeper.woken().await?;
            orders.try_iter().for_each(|order| self.obey(order));
            self.take_from_addresses();
            self.take_from_bus();
            inbox.done.try_iter().for_each(|done| self.take_done(&done));
            inbox.heartbeats.events().try_iter().for_each(|event| self.take_beats(&event));
            inbox.questions.try_iter().for_each(|query| self.answer(&query));
            self.stop_if_left();
            for report in inbox.reports.try_iter() {
                self.take_report(report);
                // A report may hold thousands of hosts: sockets and timers get their turn after each.
                tokio::task::yield_now().await;
            }
        }
    }

    fn obey(&self, order: Order) {
        match order {
            Order::Stop => self.leave(),
            Order::Reload { plan, listening, addresses, kept, done } => {
                self.agreed.addresses.set_link(addresses);
                *self.kept.borrow_mut() = kept;
                let Plan { node, dialling, bus } = *plan;
                self.agreed.reload(bus);
                self.mesh.set_dialling(dialling);
                self.mesh.listen(listening);
                self.mesh.feed(Input::Reload(node));
                if done.send(()).is_err() {
                    tracing::debug!("the daemon did not wait for the end of the reload");
                }
            }
        }
    }

    /// Hands over what this node has, and stops when that is done.
    fn leave(&self) {
        if self.mesh.node().vips().is_idle() {
            self.mesh.feed(Input::Stop);
        } else {
            self.mesh.feed(Input::Vip(vip::Input::Leave));
        }
    }

    fn stop_if_left(&self) {
        if self.agreed.addresses.take_left() {
            self.mesh.feed(Input::Stop);
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
            Report::State(state) => *self.kernel.borrow_mut() = Some(state),
            Report::Told { reply } => {
                let node = self.mesh.node();
                let own = |direction| node.replica(Object::of(direction)).own().clone();
                if reply.try_send(Direction::ALL.map(own)).is_err() {
                    tracing::debug!("the auditor did not wait for its answer");
                }
            }
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

/// Time between two signs of life of this thread. chosen: a fifth of the shortest lease, which half of it without one ends.
const ALIVE_EVERY: Duration = Duration::from_millis(20);
/// Longest wait of the daemon for the thread to take new settings.
/// chosen: it takes microseconds; a thread that is stopped for longer takes them when it goes on.
const RELOAD_WITHIN: Duration = Duration::from_secs(5);
/// Operations in flight at once: two a connection, two connections a peer, and room to spare.
const RING_ENTRIES: u32 = 512;

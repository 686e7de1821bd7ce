//! The address thread: puts managed addresses on the host and takes them off, opens and closes their gate, announces
//! them, and guards what is there.
//!
//! A plain thread with a tokio runtime of its own, rtnetlink and pnet. It carries out what the cluster thread orders and
//! tells what became of it; it decides nothing but order and pace. Invariants: 1. an address is announced only after the
//! kernel has it and its gate is open, and its gate is closed before it goes; 2. an address that configuration does not
//! name is never touched; one that it names is on the host only if that was ordered, and where it belongs; 3. whatever
//! takes long waits in slices behind what is urgent: orders, gates, probes and announcements go first; 4. an event of the
//! kernel only makes things faster: the pass of every [`Plan::check`] finds and mends the same; 5. hooks run beside it, and
//! only the address they are for waits for them.
//! A managed IPv4 address with a prefix of more than one address may be the first of its network on a link, and the kernel
//! deletes the others of the network with it, unless `promote_secondaries` is set there; so that is set.
mod announce;
mod guard;
mod hooks;
mod plumbing;
mod probe;
mod segment;
mod shared;
mod slices;
mod steps;
mod stops;
mod table;
mod thread;
mod voice;
mod watch;

pub use hooks::{Hook, Hooks, Phase};
pub use shared::{Link, Snapshot};

use super::{ended::Ended, gate};
use crate::sys::wake::Wake;
pub use convoy_core::vip::Made;
use convoy_core::{bounds, vip::Want, wire::arp::Mac};
use crossbeam_channel::{Sender, bounded};
use shared::{Mail, Outbox};
use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    path::PathBuf,
    sync::Arc,
    thread::{Builder, JoinHandle},
    time::Duration,
};

/// Where an address belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Name of the link.
    pub interface: Arc<str>,
    /// Bits of the network that the address brings to the link: 32 or 128 for none but itself.
    pub prefix_len: u8,
}

/// What the thread looks after; again on a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The addresses, at most [`VIPS_MAX`](bounds::VIPS_MAX).
    pub managed: BTreeMap<IpAddr, Place>,
    /// Announce to everybody on the segment, else only to hosts of interest.
    pub arp_all_hosts: bool,
    /// Time between announcements of everything that is held, against forwarding tables that age.
    pub refresh: Option<Duration>,
    /// Time between two passes that compare the host with what is wanted.
    pub check: Duration,
    /// Removals of an address by others, within the time between two passes, after which it is not put back at once.
    pub down_limit: u32,
    /// What runs when an address comes and goes.
    pub hooks: Hooks,
    /// Directory of the gate's pins. Not changed by a reload.
    pub bpffs: PathBuf,
}

/// What the thread is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Look after other addresses from now on. Those that are no longer named leave the host and the gate.
    Reload(Box<Plan>),
    /// Bring addresses there. A later order for an address replaces what has not been carried out of an earlier one.
    Make {
        /// Comes back with what became of it.
        order: u64,
        /// Each, and how it is to be.
        wants: Vec<(IpAddr, Want)>,
    },
    /// Ask the wire who answers for these, up to [`PROBE_ADDRESSES_MAX`](bounds::PROBE_ADDRESSES_MAX) of them, until
    /// somebody does.
    Probe {
        /// Comes back with the end.
        id: u64,
        /// Which; managed ones only, for those have a link.
        addresses: Vec<IpAddr>,
        /// Managed ones that others hold on the same links. They are asked for after each round of the others, and if there
        /// are any, silence is believed only if they answered as many rounds as it takes.
        controls: Vec<IpAddr>,
        /// Time between questions, 1 ms at least.
        every: Duration,
        /// When to stop, counted from when the order is taken.
        until: Duration,
    },
    /// Announce these once more, paced; all that are held if there are none. Those that are not held are passed over.
    Announce(Vec<IpAddr>),
    /// Hosts that are to know of moves, beside this node's own neighbours, in place of those said before. Up to
    /// [`HOSTS_OF_INTEREST_MAX`](bounds::HOSTS_OF_INTEREST_MAX).
    HostsOfInterest(Vec<(IpAddr, Mac)>),
}

/// What the thread tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What became of addresses: at least once for each order of [`Order::Make`] that was not replaced, and again when an
    /// attempt fails later.
    Made(Vec<Made>),
    /// The end of a probe; exactly one for each.
    Probed {
        /// Of the order.
        id: u64,
        /// What it found.
        found: Found,
    },
    /// Somebody else says that an address is theirs which is held here. At most once a second an address.
    Conflict {
        /// Which.
        address: IpAddr,
        /// Who.
        mac: Mac,
    },
    /// A link of the plan: once for each at the start and after a reload, then whenever it changes. One that is missing is
    /// down.
    Link {
        /// Its name.
        interface: Arc<str>,
        /// Switched on, with a carrier.
        up: bool,
    },
    /// Somebody removed an address that is to be here.
    Vanished {
        /// Which.
        address: IpAddr,
    },
    /// It is here again, and announced if it is held.
    Restored {
        /// Which.
        address: IpAddr,
    },
    /// The hooks of an address have run.
    Hook {
        /// Which.
        address: IpAddr,
        /// When.
        phase: Phase,
        /// What went wrong, and with which hook.
        failed: Option<String>,
    },
    /// Something is not as it must be, and what to do.
    Trouble(String),
    /// Who this host heard of lately on the links of the plan: address, hardware address, seconds since. With each pass.
    Neighbours(Vec<(IpAddr, Mac, u32)>),
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Somebody answered, or announced it meanwhile.
    Answer {
        /// For which address.
        address: IpAddr,
        /// From where.
        mac: Mac,
    },
    /// Questions left on a link that is up, and nobody answered, except controls.
    Silence,
    /// Nothing could be asked, and why; says nothing about the other host.
    Unsure(String),
}

/// The running thread. Dropping it stops it.
#[derive(Debug)]
pub struct Handle {
    link: Link,
    lease: gate::Lease,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread, and returns when no managed address is on the host any more and the gate is closed for all of them.
/// It wakes `wake` when [`Link::events`] has something, and tells `ends` when it ends, however that comes.
///
/// # Errors
/// The gate does not open, netlink cannot be had, or the plan has too many addresses; the error says what to do.
pub fn spawn(plan: Plan, wake: Wake, ends: Sender<&'static str>) -> io::Result<Handle> {
    if plan.managed.len() > bounds::VIPS_MAX {
        return Err(io::Error::other(too_many(&plan)));
    }
    let (mail, orders) = bounded(bounds::ADDRESS_ORDERS_MAX);
    let (events, taken) = bounded(bounds::ADDRESS_EVENTS_MAX);
    let link = Link::new(mail, taken, Wake::new()?);
    let shared = link.clone();
    let (ready, is_ready) = bounded(1);
    let thread = Builder::new().name("address".into()).spawn(move || {
        let _ended = Ended { thread: "address", to: ends };
        let outbox = Outbox::new(events, wake);
        if let Err(error) = thread::run(plan, orders, &shared, outbox, &ready)
            && let Err(late) = ready.send(Err(error))
        {
            // Nobody waits any more once it is ready.
            tracing::error!(result = ?late.into_inner(), "the address thread cannot go on");
        }
    })?;
    match is_ready.recv() {
        Ok(Ok(lease)) => Ok(Handle { link, lease, thread: Some(thread) }),
        Ok(Err(error)) => Err(error),
        Err(_ended) => Err(io::Error::other("the address thread ended while it started")),
    }
}

impl Handle {
    /// Returns the other threads' end, to be cloned.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Returns the node's lease, to be renewed and revoked from any thread.
    pub fn lease(&self) -> gate::Lease {
        self.lease.clone()
    }

    /// Looks after other addresses from now on; what is no longer managed leaves the host soon.
    pub fn reload(&self, plan: Plan) {
        self.link.mail(Mail::Order(Order::Reload(Box::new(plan))));
    }

    /// Takes every managed address off the host, then the gate, and waits for that: as long as hooks may take, and then
    /// what the kernel takes.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.link.mail(Mail::Stop);
        if thread.join().is_err() {
            tracing::error!("the address thread panicked; its message is above");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.join();
    }
}

fn too_many(plan: &Plan) -> String {
    format!(
        "{} addresses are to be managed, at most {} can be; enable DuraVIP for fewer",
        plan.managed.len(),
        bounds::VIPS_MAX
    )
}

//! The bus of this host: an engine on a thread of its own, behind one handle.
//!
//! ```text
//!   cluster thread: BusHandle (poll, multicast)          bus thread                       corosync, our child
//!        | intent, messages (bounded) + eventfd  ---->   owns the connection  -- libcpg -->  or one that runs here
//!        | events (bounded) + the caller's wake  <----   supervises the child
//! ```
//!
//! Invariants: 1. nothing that the handle does waits, but [`BusHandle::stop`], which has a bound; 2. a host without
//! corosync, with a wrong key or with a port in use has a bus that says so and goes on trying; 3. what was taken for
//! one membership is never sent in another; 4. our corosync ends with this process, however that ends.
//!
//! docs/bus.md tells operators the same. The contract is `convoy_core::group::bus`.
mod changes;
mod conf;
mod corosync;
mod engine;
mod files;
mod front;
mod key;
mod membership;
mod memory;
mod pending;
mod shared;

use crate::sys::wake::Wake;
use convoy_core::{
    group::{
        Solo,
        bus::{Bus, Event, MemberId, Unsent},
    },
    time::Span,
};
use front::Front;
use std::{collections::BTreeMap, io, net::IpAddr, path::PathBuf, sync::Arc};

pub use front::Stopped;

/// What the bus is to be; again on a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Which engine.
    pub engine: Engine,
    /// What corosync is to be told, if it is that.
    pub corosync: Settings,
}

/// What carries the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Nothing: this process is alone.
    Solo,
    /// A corosync on this host.
    Corosync,
}

/// The part of corosync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name of the process group, 1 to `NAME_BYTES_MAX` bytes.
    pub group: Arc<str>,
    /// All nodes, this one included, with their addresses on the cluster network.
    pub nodes: BTreeMap<Arc<str>, IpAddr>,
    /// UDP port on every node.
    pub port: u16,
    /// Silence after which the ring is formed anew; rounded down to milliseconds.
    pub token: Span,
    /// Whether messages are encrypted; they are authenticated in any case.
    pub encryption: bool,
    /// Where the secret is; without one the key is made of the group's name.
    pub key_file: Option<PathBuf>,
    /// This host's directory for the files of corosync.
    pub dir: PathBuf,
}

/// How the bus fares, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Which engine.
    pub engine: Engine,
    /// Whether this process is a member now.
    pub connected: bool,
    /// What keeps it from being one, or kept it last, and what to do; `None` when nothing does.
    pub trouble: Option<String>,
    /// Our corosync's process id; `None` when none runs, or one is used that we did not start.
    pub pid: Option<u32>,
    /// What the installed corosync calls its version.
    pub version: Option<String>,
    /// Whether the corosync in use was there before us: its configuration is not ours.
    pub adopted: bool,
    /// How many times the bus was lost in this life.
    pub losses: u64,
}

/// The bus, as the thread that uses it holds it. Dropping it stops it.
#[derive(Debug)]
pub struct BusHandle {
    carrier: Carrier,
    wake: Wake,
    /// Wanted by the user: another engine joins as well.
    joined: bool,
    /// Told next: the engine was changed under a member.
    lost: Option<Event>,
}

#[derive(Debug)]
enum Carrier {
    Solo(Solo),
    Corosync(Front),
}

/// Makes the bus; it has not joined. Whenever there may be something to poll, `wake` is woken.
///
/// # Errors
/// The kernel refuses a thread or an eventfd.
pub fn spawn(plan: Plan, wake: Wake) -> io::Result<BusHandle> {
    let carrier = Carrier::new(plan, &wake)?;
    Ok(BusHandle { carrier, wake, joined: false, lost: None })
}

impl Carrier {
    fn new(plan: Plan, wake: &Wake) -> io::Result<Self> {
        Ok(match plan.engine {
            Engine::Solo => Self::Solo(Solo::new(std::process::id())),
            Engine::Corosync => Self::Corosync(Front::spawn(plan.corosync, wake.clone())?),
        })
    }

    fn engine(&self) -> Engine {
        match self {
            Self::Solo(_) => Engine::Solo,
            Self::Corosync(_) => Engine::Corosync,
        }
    }

    fn bus(&mut self) -> &mut dyn Bus {
        match self {
            Self::Solo(solo) => solo,
            Self::Corosync(front) => front,
        }
    }
}

impl BusHandle {
    /// Takes another plan. Another engine, group, port, key or encryption loses the bus and joins again; other nodes
    /// and another token time do not.
    ///
    /// # Errors
    /// As for [`spawn`]; the old engine goes on then.
    pub fn reload(&mut self, plan: Plan) -> io::Result<()> {
        if let (Carrier::Corosync(front), Engine::Corosync) = (&self.carrier, plan.engine) {
            front.reload(plan.corosync);
            return Ok(());
        }
        if plan.engine == self.carrier.engine() {
            return Ok(());
        }
        let mut carrier = Carrier::new(plan, &self.wake)?;
        if self.carrier.bus().id().is_some() {
            self.lost = Some(Event::Lost("the configuration asks for another engine of the bus".to_owned()));
        }
        if self.joined {
            carrier.bus().join();
        }
        self.carrier = carrier;
        self.wake.wake();
        Ok(())
    }

    /// Returns how the bus fares.
    pub fn state(&self) -> State {
        match &self.carrier {
            Carrier::Solo(solo) => State {
                engine: Engine::Solo,
                connected: solo.id().is_some(),
                trouble: None,
                pid: None,
                version: None,
                adopted: false,
                losses: 0,
            },
            Carrier::Corosync(front) => front.state(),
        }
    }

    /// Leaves, ends our corosync, and returns when that is done.
    ///
    /// # Errors
    /// [`Stopped::Abandoned`] after six seconds: a corosync that we did not start does not answer.
    pub fn stop(self) -> Result<(), Stopped> {
        match self.carrier {
            Carrier::Solo(_) => Ok(()),
            Carrier::Corosync(mut front) => front.stop(),
        }
    }
}

impl Bus for BusHandle {
    fn id(&self) -> Option<MemberId> {
        match &self.carrier {
            _ if self.lost.is_some() => None,
            Carrier::Solo(solo) => solo.id(),
            Carrier::Corosync(front) => front.id(),
        }
    }

    fn join(&mut self) {
        self.joined = true;
        self.carrier.bus().join();
        self.wake.wake();
    }

    fn leave(&mut self) {
        (self.joined, self.lost) = (false, None);
        self.carrier.bus().leave();
    }

    fn multicast(&mut self, payload: &[u8]) -> Result<(), Unsent> {
        if self.lost.is_some() {
            return Err(Unsent::Absent);
        }
        let taken = self.carrier.bus().multicast(payload);
        if taken.is_ok() && matches!(self.carrier, Carrier::Solo(_)) {
            // It is delivered already.
            self.wake.wake();
        }
        taken
    }

    fn poll(&mut self) -> Option<Event> {
        if let Some(lost) = self.lost.take() {
            return Some(lost);
        }
        self.carrier.bus().poll()
    }
}

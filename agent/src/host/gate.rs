//! The gate: for which managed addresses the kernel of this node answers, and which it lets be announced.
//!
//! An address may be on the host and yet be *silent*: ARP requests and neighbour solicitations for it are dropped before
//! the kernel would answer them, and whatever would bind it to our link address is dropped on its way out. It is answered
//! for while it is *held* and the node's one [`Lease`] lasts. On *standby* it is silent and on the host, and what others
//! advertise of it is kept from IPv6, which would take a long time to find that it does not concern it. Packets that only use an address pass in any case:
//! connections outlive a planned move.
//!
//! Invariants: 1. what is not managed is not touched; 2. the kernel decides alone, by its clock: an agent that stalls or
//! dies cannot hold longer than its lease; 3. whatever is adopted from an earlier agent is silent, and stays fenced
//! without a gap; 4. once a change of standing returns, no program that starts goes by the old one; 5. the table of
//! addresses has a size, and what does not fit is refused as a whole.
//! Does not put addresses on interfaces and does not announce.
//!
//! Three limits. A frame that passed the gate may wait in a queue of the interface, and leave after the address fell
//! silent. A raw socket with `PACKET_QDISC_BYPASS` is not seen. A silent address that the kernel takes as the sender of
//! its own ARP request stops that request: `arp_announce = 2` has it take another.
mod error;
mod lease;
mod links;
mod load;
mod slots;

pub use convoy_common::gate::Standing;
pub use error::Error;
pub use lease::{Lease, boottime_ns};
pub use links::Hook;
pub use load::{open, remove};

use crate::sys::{
    bpf::{self, Table},
    lock::Lock,
    memory::Shared,
};
use convoy_common::{
    addr::Host,
    gate::{Abi, Stat, name},
};
use links::Links;
use slots::{Slots, index};
use std::{
    collections::BTreeSet,
    net::IpAddr,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Where the gate is kept, and how much it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Directory on a bpffs for pins; made if need be. One node one directory, and nothing else in it.
    pub bpffs: PathBuf,
    /// Addresses that can be managed, at least 1. About 100 bytes of kernel memory each, taken at once.
    pub addresses_max: u32,
}

/// What the kernel dropped since the tables were made. Counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Questions on their way in: ARP requests and neighbour solicitations.
    pub questions: u64,
    /// Frames on their way out that would have bound an address to our link address.
    pub announcements: u64,
    /// Of both, those dropped only because the lease had run out.
    pub lapsed: u64,
    /// Neighbour advertisements of others, for addresses that are on this host, kept from its IPv6 and nobody else.
    pub aside: u64,
}

/// The gate, loaded. Dropping it changes nothing: what is attached stays, and what is held falls silent when the lease
/// runs out.
#[derive(Debug)]
pub struct Gate {
    links: Links,
    addresses: Table<Host, u32>,
    standings: Shared,
    stats: Shared,
    abi: Table<u32, Abi>,
    lease: Lease,
    slots: Mutex<Slots>,
    adopted: bool,
    _lock: Lock,
}

impl Gate {
    /// Tells whether the tables of an earlier agent go on; else those of another layout or size were replaced, or there
    /// were none.
    pub fn adopted(&self) -> bool {
        self.adopted
    }

    /// Attaches both programs to an interface, before those of others; by the newest hook the kernel has. They stay
    /// after this process. Does nothing where they are attached.
    ///
    /// # Errors
    /// [`Error::NoInterface`], [`Error::Attach`], [`Error::Pin`]. One of the two may be attached then, which is safe.
    pub fn attach(&mut self, interface: &str) -> Result<(), Error> {
        self.attach_by(Hook::newest(), interface)
    }

    /// As [`attach`](Self::attach), by this hook.
    ///
    /// # Errors
    /// As [`attach`](Self::attach).
    pub fn attach_by(&mut self, hook: Hook, interface: &str) -> Result<(), Error> {
        self.links.attach(hook, interface)
    }

    /// Detaches the programs from every interface that is not named, and from those that are gone.
    ///
    /// # Errors
    /// The first of [`Error::Attach`] and [`Error::Pin`]; all others are tried all the same.
    pub fn detach_others(&mut self, interfaces: &BTreeSet<String>) -> Result<(), Error> {
        self.links.detach_others(interfaces)
    }

    /// Sets the standing of addresses, which become managed if they were not. Those that were take no system call.
    ///
    /// # Errors
    /// [`Error::Full`], before anything is changed. [`Error::Table`], when none that was not managed is.
    pub fn set(&self, addresses: &[IpAddr], standing: Standing) -> Result<(), Error> {
        let hosts: Vec<Host> = addresses.iter().copied().map(Host::new).collect();
        let mut slots = self.slots();
        let known: Vec<Option<u32>> = hosts.iter().map(|host| slots.get(host)).collect();
        let unknown = hosts.iter().zip(&known).filter(|(_, slot)| slot.is_none());
        let fresh: BTreeSet<Host> = unknown.map(|(host, _)| *host).collect();
        self.make_room(&mut slots, fresh.len())?;
        for slot in known.into_iter().flatten() {
            self.stand(slot, standing);
        }
        // The standing before the address: there is no moment at which it is managed with another.
        let entries: Vec<(Host, u32)> =
            fresh.into_iter().filter_map(|host| slots.take(host).map(|slot| (host, slot))).collect();
        for (_, slot) in &entries {
            self.stand(*slot, standing);
        }
        let put = self.addresses.put_all(&entries).map_err(Error::table(name::ADDRESSES, "written"));
        if put.is_err() {
            // The refusal is what is told; what cannot be taken back either stays silent.
            drop(self.take_away(&mut slots, entries.into_iter().map(|(host, _)| host).collect()));
        }
        put
    }

    /// Ends the management of addresses: the kernel answers for them as for any other. Those that are not managed are
    /// passed over.
    ///
    /// # Errors
    /// [`Error::Table`]; all others are forgotten all the same, and those that are not are silent.
    pub fn forget(&self, addresses: &[IpAddr]) -> Result<(), Error> {
        let mut slots = self.slots();
        let hosts = addresses.iter().copied().map(Host::new).filter(|host| slots.get(host).is_some());
        let hosts: BTreeSet<Host> = hosts.collect();
        self.take_away(&mut slots, hosts.into_iter().collect())
    }

    /// Returns the standing of an address, `None` when it is not managed. The lease is another matter.
    pub fn standing(&self, address: IpAddr) -> Option<Standing> {
        let slot = self.slots().get(&Host::new(address))?;
        let number = self.standings.load_u64(index(slot) * size_of::<u64>())?;
        let is = |standing: &Standing| standing.number() == number;
        Some([Standing::Held, Standing::Standby].into_iter().find(is).unwrap_or(Standing::Silent))
    }

    /// Returns the managed addresses, in order.
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.slots().hosts().map(|host| host.ip()).collect()
    }

    /// Returns the node's lease, to be renewed and revoked from any thread.
    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// Returns what the kernel dropped.
    pub fn dropped(&self) -> Dropped {
        let stat = |stat: Stat| self.stats.load_u64(index(stat.index()) * size_of::<u64>()).unwrap_or(0);
        Dropped {
            questions: stat(Stat::Questions),
            announcements: stat(Stat::Announcements),
            lapsed: stat(Stat::Lapsed),
            aside: stat(Stat::Aside),
        }
    }

    /// Makes sure that so many slots can be taken.
    fn make_room(&self, slots: &mut Slots, wanted: usize) -> Result<(), Error> {
        let (free, room) = slots.room();
        if wanted > room {
            let max = self.addresses.entries_max();
            return Err(Error::Full { addresses: wanted, managed: slots.len(), max });
        }
        if wanted > free {
            bpf::wait_for_programs();
            slots.wake();
        }
        Ok(())
    }

    /// Takes addresses that have a slot out of the kernel's table, all that can be; the rest are silent.
    fn take_away(&self, slots: &mut Slots, hosts: Vec<Host>) -> Result<(), Error> {
        let mut result = Ok(());
        if self.addresses.remove_all(&hosts).is_err() {
            // One that is not there ends the batch; one by one that is no failure.
            for host in &hosts {
                if let Err(error) = self.addresses.remove(host) {
                    self.silence(slots, host);
                    result = result.and(Err(Error::table(name::ADDRESSES, "written")(error)));
                }
            }
        }
        for host in hosts {
            self.silence(slots, &host);
            slots.rest(&host);
        }
        result
    }

    fn silence(&self, slots: &Slots, host: &Host) {
        if let Some(slot) = slots.get(host) {
            self.stand(slot, Standing::Silent);
        }
    }

    fn stand(&self, slot: u32, standing: Standing) {
        self.standings.store_u64(index(slot) * size_of::<u64>(), standing.number());
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        // Whoever panicked with it left it whole: its changes are single calls.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

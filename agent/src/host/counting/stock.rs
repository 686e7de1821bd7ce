//! Takes stock of the sockets that exist: which are counted, which should be and are not.
//!
//! Whether a socket is counted stands in flags of its own that no listing shows. What a listing shows decides instead:
//! once stock has been taken, whatever is on a counted port is counted, unless a note by cookie says otherwise. While
//! stock is being taken (from an attach or a change of ports on) the kernel notes every connection it counts, and
//! whatever has no note is uncounted.
//!
//! Invariants: 1. what is known is read before the sockets are listed, so that a socket is never taken for counted
//! because of what happened after the listing; 2. the kernel notes before the agent lists, and ports change after that;
//! 3. only an agent that holds the ports ends the taking. Source: `ebpf/src/observe.rs` for the kernel's part.
use super::{
    Error,
    plan::{Census, Connection, Known, Ports},
    tables::Tables,
};
use crate::sys::{
    cgroup,
    sockdiag::{CONNECTED, SockDiag, Socket},
};
use convoy_common::{
    addr::Host,
    count::Direction,
    kernel::{Note, Seed, Stock as Taking, name},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

/// Lists sockets beside what is known of them.
#[derive(Debug)]
pub(super) struct Stock {
    tables: Arc<Tables>,
    sockets: SockDiag,
    cgroup: PathBuf,
    /// Groups that are or were ours: connections of a group that is gone close later than it.
    groups: BTreeSet<u64>,
    /// Notes whose socket the latest listing did not show.
    unseen: BTreeSet<u64>,
}

impl Stock {
    /// Opens a listing of the sockets of this thread's network namespace.
    ///
    /// # Errors
    /// [`Error::SockDiag`] when the kernel gives no socket for it.
    pub(super) fn open(tables: Arc<Tables>, cgroup: PathBuf) -> Result<Self, Error> {
        let sockets = SockDiag::open().map_err(|source| Error::SockDiag { source })?;
        Ok(Self { tables, sockets, cgroup, groups: BTreeSet::new(), unseen: BTreeSet::new() })
    }

    /// Reads what is known before a listing.
    pub(super) fn known(&mut self, ports: Ports) -> Result<Known, Error> {
        Ok(Known {
            ports,
            taking: self.tables.is_taking_stock(),
            seeds: self.tables.seeded()?,
            notes: self.tables.notes()?,
            groups: self.groups()?,
        })
    }

    /// Lists all sockets against what is known.
    pub(super) fn list<'a>(&mut self, known: &'a Known) -> Result<Census<'a>, Error> {
        let mut census = Census::new(known);
        self.sockets
            .dump(CONNECTED, |socket| census.add(&connection(&socket)))
            .map_err(|source| Error::SockDiag { source })?;
        Ok(census)
    }

    /// Begins to take stock before the counted ports become others than `ports`: notes every connection that is
    /// counted by now, as the kernel does from here on.
    ///
    /// # Errors
    /// A socket listing or a table failed; stock is being taken all the same, which only costs time.
    pub(super) fn begin(&mut self, ports: &Ports) -> Result<(), Error> {
        let known = self.known(ports.clone())?;
        // Who was being looked for before has no note, and is looked for again.
        if !known.taking {
            self.tables.take_stock(Taking::PortsChanged);
            for (cookie, direction) in self.list(&known)?.counted {
                self.tables.note(cookie, direction)?;
            }
        }
        Ok(())
    }

    /// Ends the taking: nothing uncounted is left. The caller holds the ports.
    pub(super) fn end(&self) {
        self.tables.take_stock(Taking::Taken);
    }

    /// Drops notes that nobody needs any more: two listings in a row did not show the socket, or it says what the
    /// port does.
    pub(super) fn prune(&mut self, census: &Census<'_>) -> Result<(), Error> {
        let unseen = census.unneeded_notes();
        for cookie in unseen.intersection(&self.unseen) {
            self.tables.forget(*cookie)?;
        }
        self.unseen = unseen;
        Ok(())
    }

    /// Returns the groups whose connections are ours, `None` when all are.
    fn groups(&mut self) -> Result<Option<BTreeSet<u64>>, Error> {
        let wrap = |source| Error::Cgroups { path: self.cgroup.clone(), source };
        if cgroup::id(&self.cgroup).map_err(wrap)? == cgroup::ROOT_ID {
            return Ok(None);
        }
        let now = cgroup::subtree(&self.cgroup).map_err(wrap)?;
        if self.groups.len() + now.len() > GROUPS_KEPT_MAX {
            self.groups.clear(); // what closes late in a group that is gone becomes a repaired difference
        }
        self.groups.extend(now);
        Ok(Some(self.groups.clone()))
    }
}

impl Tables {
    /// Returns the connections that are counted by cookie.
    pub(super) fn seeded(&self) -> Result<BTreeMap<u64, (Direction, Host)>, Error> {
        let read = self.seeded.read().map_err(Error::table(name::SEEDED, "read"))?;
        let seed = |(cookie, seed): (u64, Seed)| {
            Some((cookie, (Direction::from_number(seed.direction)?, seed.host)))
        };
        Ok(read.into_iter().filter_map(seed).collect())
    }

    /// Returns what is noted of single sockets: the direction in which it is counted, `None` when it is not.
    fn notes(&self) -> Result<BTreeMap<u64, Option<Direction>>, Error> {
        let read = self.sockets.read().map_err(Error::table(name::SOCKETS, "read"))?;
        let counted =
            |note: &Note| (note.counted != 0).then(|| Direction::from_number(note.direction)).flatten();
        Ok(read.iter().map(|(cookie, note)| (*cookie, counted(note))).collect())
    }
}

/// Reads a listed socket.
fn connection(socket: &Socket) -> Connection {
    Connection {
        cookie: socket.cookie,
        host: Host::new(socket.remote),
        local_port: socket.local_port,
        remote_port: socket.remote_port,
        cgroup: socket.cgroup,
    }
}

/// Groups remembered. chosen: twice what one listing may give.
const GROUPS_KEPT_MAX: usize = 131_072;

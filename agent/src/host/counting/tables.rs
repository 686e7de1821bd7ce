//! The kernel's tables as the agent uses them: read freely, change only through the `correct` program.
use super::{Error, report};
use crate::sys::{
    bpf::{self, Table, Update},
    memory::Shared,
};
use convoy_common::{
    addr::Host,
    count::{Count, Direction},
    kernel::{Control, Correction, HostCount, Note, Op, Outcome, PORT_WORDS, Seed, Stat, Stock, name},
};
use std::{
    io,
    mem::offset_of,
    os::fd::{AsFd, OwnedFd},
};
use zerocopy::{FromZeros, IntoBytes};

/// What a host table holds.
pub(super) type Entries = Vec<(Host, HostCount)>;

/// Every table, shared by the two threads. All methods may run at the same time as the kernel's own changes.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) inbound_hosts: Table<Host, HostCount>,
    pub(super) outbound_hosts: Table<Host, HostCount>,
    pub(super) inbound_ports: Table<u32, u64>,
    pub(super) outbound_ports: Table<u32, u64>,
    pub(super) seeded: Table<u64, Seed>,
    pub(super) sockets: Table<u64, Note>,
    pub(super) control: Shared,
    pub(super) stats: Shared,
    /// The loaded program that changes entries.
    pub(super) correct: OwnedFd,
}

impl Tables {
    /// Returns the host table of `direction`.
    pub(super) fn hosts(&self, direction: Direction) -> &Table<Host, HostCount> {
        match direction {
            Direction::Inbound => &self.inbound_hosts,
            Direction::Outbound => &self.outbound_hosts,
        }
    }

    /// Returns what `host` holds now, `None` when it is not in the table.
    pub(super) fn count(&self, direction: Direction, host: Host) -> Result<Option<Count>, Error> {
        let entry = self.hosts(direction).get(&host).map_err(Error::table(hosts_name(direction), "read"))?;
        Ok(entry.as_ref().map(report::count))
    }

    /// Returns all hosts of a direction, in no order.
    pub(super) fn read(&self, direction: Direction) -> Result<Entries, Error> {
        self.hosts(direction).read().map_err(Error::table(hosts_name(direction), "read"))
    }

    /// Returns all hosts, inbound and outbound, each in order.
    pub(super) fn read_sorted(&self) -> Result<[Entries; 2], Error> {
        let mut tables = [self.read(Direction::Inbound)?, self.read(Direction::Outbound)?];
        for entries in &mut tables {
            entries.sort_unstable_by_key(|(host, _)| *host);
        }
        Ok(tables)
    }

    /// Deletes an entry that was retired.
    pub(super) fn remove(&self, direction: Direction, host: Host) -> Result<bool, Error> {
        self.hosts(direction).remove(&host).map_err(Error::table(hosts_name(direction), "written"))
    }

    /// Begins a new epoch: whatever changes from here on is announced again.
    pub(super) fn next_epoch(&self) {
        self.control.add_u32(offset_of!(Control, epoch), 1);
    }

    /// Returns the current drain epoch.
    pub(super) fn epoch(&self) -> u32 {
        self.control.load_u32(offset_of!(Control, epoch)).unwrap_or(0)
    }

    /// Tells whether the kernel notes every connection that it counts.
    pub(super) fn is_taking_stock(&self) -> bool {
        self.control.load_u32(offset_of!(Control, taking_stock)) != Some(0)
    }

    /// Has the kernel note every connection that it counts, or not any more.
    pub(super) fn take_stock(&self, stock: Stock) {
        let number = match stock {
            Stock::Taken => 0,
            Stock::Attached => 1,
            Stock::PortsChanged => 2,
        };
        self.control.store_u32(offset_of!(Control, taking_stock), number);
    }

    /// Tells the kernel whether there may be connections counted by cookie.
    pub(super) fn expect_seeds(&self, some: bool) {
        self.control.store_u32(offset_of!(Control, seeds), u32::from(some));
    }

    /// Notes that the socket is counted, unless the kernel has noted something of it.
    pub(super) fn note(&self, cookie: u64, direction: Direction) -> Result<(), Error> {
        let note = Note { counted: 1, direction: number(direction), pad: [0; 6] };
        match self.sockets.put(&cookie, &note, Update::New) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(Error::table(name::SOCKETS, "written")(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Drops the note of a socket.
    pub(super) fn forget(&self, cookie: u64) -> Result<(), Error> {
        self.sockets.remove(&cookie).map(drop).map_err(Error::table(name::SOCKETS, "written"))
    }

    /// Returns one of the kernel's counters.
    pub(super) fn stat(&self, stat: Stat) -> u64 {
        let index = match stat {
            Stat::RefusedInbound => 0,
            Stat::RefusedOutbound => 1,
            Stat::Unmarked => 2,
            Stat::RingDropped => 3,
            Stat::Deferred => 4,
            Stat::NotesLost => 5,
        };
        self.stats.load_u64(index * size_of::<u64>()).unwrap_or(0)
    }

    /// Returns the ports of a direction that the kernel counts.
    pub(super) fn ports(&self, direction: Direction) -> Result<Vec<u16>, Error> {
        let (table, name) = self.port_table(direction);
        let words = table.read().map_err(Error::table(name, "read"))?;
        let set = |(index, word): (u32, u64)| {
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .filter_map(move |bit| u16::try_from(index * 64 + bit).ok())
        };
        Ok(words.into_iter().flat_map(set).collect())
    }

    /// Counts only these ports from now on. Connections that are counted stay counted.
    pub(super) fn set_ports(&self, direction: Direction, ports: &[u16]) -> Result<(), Error> {
        let (table, name) = self.port_table(direction);
        for (index, word) in (0_u32..).zip(bitmap(ports)) {
            table.put(&index, &word, Update::Any).map_err(Error::table(name, "written"))?;
        }
        Ok(())
    }

    fn port_table(&self, direction: Direction) -> (&Table<u32, u64>, &'static str) {
        match direction {
            Direction::Inbound => (&self.inbound_ports, name::INBOUND_PORTS),
            Direction::Outbound => (&self.outbound_ports, name::OUTBOUND_PORTS),
        }
    }

    /// Counts the connection with this cookie until it is unseeded.
    pub(super) fn seed(&self, cookie: u64, direction: Direction, host: Host) -> Result<Outcome, Error> {
        self.correct(&Correction { cookie, host, ..asked(Op::Seed, direction) })
    }

    /// Stops counting the connection with this cookie.
    pub(super) fn unseed(&self, cookie: u64) -> Result<Outcome, Error> {
        self.correct(&Correction { cookie, ..asked(Op::Unseed, Direction::Inbound) })
    }

    /// Adds to a host's gauge; what is added counts as opened, too.
    pub(super) fn adjust(&self, direction: Direction, host: Host, current: i32) -> Result<Outcome, Error> {
        self.correct(&Correction { host, current, ..asked(Op::Adjust, direction) })
    }

    /// Marks an idle host so that nothing is counted in its entry any more, unless it moved since `total` was read.
    pub(super) fn retire(&self, direction: Direction, host: Host, total: u64) -> Result<Outcome, Error> {
        self.correct(&Correction { host, total, ..asked(Op::Retire, direction) })
    }

    fn correct(&self, correction: &Correction) -> Result<Outcome, Error> {
        let verdict = bpf::run(self.correct.as_fd(), correction.as_bytes())
            .map_err(Error::table(name::CORRECT, "run"))?;
        outcome(verdict).ok_or_else(|| Error::Table {
            table: name::CORRECT,
            action: "run",
            source: io::Error::other(format!("verdict {verdict} is unknown")),
        })
    }
}

/// Returns the name of a direction's host table.
pub(super) const fn hosts_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => name::INBOUND_HOSTS,
        Direction::Outbound => name::OUTBOUND_HOSTS,
    }
}

/// Returns an order with nothing but its kind and direction filled in.
fn asked(op: Op, direction: Direction) -> Correction {
    let op = match op {
        Op::Seed => 1,
        Op::Unseed => 2,
        Op::Adjust => 3,
        Op::Retire => 4,
    };
    Correction { op, direction: u32::from(number(direction)), ..Correction::new_zeroed() }
}

/// Returns a direction's number, as the kernel programs write it.
pub(super) const fn number(direction: Direction) -> u8 {
    match direction {
        Direction::Inbound => 0,
        Direction::Outbound => 1,
    }
}

fn outcome(verdict: u32) -> Option<Outcome> {
    match verdict {
        1 => Some(Outcome::Applied),
        2 => Some(Outcome::Refused),
        3 => Some(Outcome::Unchanged),
        4 => Some(Outcome::Malformed),
        _ => None,
    }
}

/// Returns one bit a port, 64 to a word.
fn bitmap(ports: &[u16]) -> [u64; PORT_WORDS] {
    let mut words = [0; PORT_WORDS];
    for port in ports {
        if let Some(word) = words.get_mut(usize::from(port >> 6)) {
            *word |= 1 << (port & 63);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_one_bit_of_the_map() {
        let words = bitmap(&[0, 25, 64, 65_535]);
        assert_eq!((words[0], words[1], words[1023]), (1 | 1 << 25, 1, 1 << 63));
        assert_eq!(words.iter().map(|word| word.count_ones()).sum::<u32>(), 4);
    }

    #[test]
    fn numbers_here_and_in_the_kernel_programs_agree() {
        for direction in Direction::ALL {
            assert_eq!(Direction::from_number(number(direction)), Some(direction));
        }
        for op in [Op::Seed, Op::Unseed, Op::Adjust, Op::Retire] {
            assert_eq!(asked(op, Direction::Outbound).op, op as u32);
        }
        for known in [Outcome::Applied, Outcome::Refused, Outcome::Unchanged, Outcome::Malformed] {
            assert_eq!(outcome(known as u32), Some(known));
        }
    }
}

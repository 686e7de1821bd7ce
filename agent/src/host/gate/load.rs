//! Loads the programs over what is pinned, or begins afresh.
//!
//! Invariants: 1. the `gate_abi` record gets its version last, so that what a crash left half-made is never adopted; 2.
//! tables that cannot be adopted are replaced under the programs: their addresses are carried over, silent, before the
//! attached links change to the new programs, so that there is no moment at which they are answered for; 3. the
//! directory of pins is locked before anything in it is touched.
use super::{
    Error, Gate, Settings, Standing,
    lease::Lease,
    links::{self, Links},
    slots::{Slots, index},
};
use crate::{
    host::counting,
    sys::{
        bpf::{self, Plain, Table, Update},
        lock::{self, Lock, LockError},
        memory::Shared,
    },
};
use aya::{
    Ebpf, EbpfLoader,
    maps::Map,
    programs::{ProgramError, SchedClassifier},
};
use convoy_common::{
    addr::Host,
    gate::{ABI_VERSION, Abi, Stat, name},
};
use std::{
    fs, io,
    net::IpAddr,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::Mutex,
};

/// Loads the programs, and adopts or replaces what is pinned. Whatever is adopted is silent afterwards, and the lease
/// is revoked.
///
/// # Errors
/// One of [`Error`], each with its remedy. What was attached stays attached.
pub fn open(settings: &Settings) -> Result<Gate, Error> {
    let netns_cookie = counting::prepare(&settings.bpffs)?;
    let lock = lock::take_directory(&settings.bpffs).map_err(|error| match error {
        LockError::Held(_) => Error::Busy { path: settings.bpffs.clone() },
        LockError::Io(source) => Error::Pin { path: settings.bpffs.clone(), source },
    })?;
    let wanted = Abi { version: ABI_VERSION, addresses_max: settings.addresses_max, netns_cookie };
    let found = pinned_abi(&settings.bpffs);
    let adopted = found == Some(wanted) && is_whole(&settings.bpffs);
    let mut carried = Vec::new();
    if !adopted {
        if found.is_some_and(|abi| abi.netns_cookie == netns_cookie) {
            carried = pinned_addresses(&settings.bpffs);
        } else {
            // The interfaces of another namespace, if any.
            links::clear(&settings.bpffs)?;
        }
        clear_maps(&settings.bpffs)?;
    }
    let mut gate = load(settings, wanted, adopted, lock)?;
    // A table that became smaller takes what fits; the rest is managed again when the agent says so.
    carried.truncate(index(settings.addresses_max));
    gate.set(&carried, Standing::Silent)?;
    gate.links.adopt()?;
    gate.finish(&wanted)?;
    Ok(gate)
}

/// Closes the gate for good: detaches the programs everywhere and removes every pin, and the directory if it is empty
/// then. The kernel answers for every address that is still on the host.
///
/// # Errors
/// [`Error::Pin`] for a pin that cannot be removed, [`Error::Attach`] for a program that cannot be detached.
pub fn remove(bpffs: &Path) -> Result<(), Error> {
    links::clear(bpffs)?;
    clear_maps(bpffs)?;
    match fs::remove_dir(bpffs) {
        // Somebody else's pins are none of our business.
        Err(source)
            if !matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) =>
        {
            Err(Error::Pin { path: bpffs.into(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

impl Gate {
    /// Notes that the pins are whole.
    fn finish(&self, abi: &Abi) -> Result<(), Error> {
        self.abi.put(&0, abi, Update::Any).map_err(Error::table(name::ABI, "written"))
    }
}

/// Returns what the pinned maps were made for, if it can be read.
fn pinned_abi(bpffs: &Path) -> Option<Abi> {
    Table::<u32, Abi>::open(&bpffs.join(name::ABI)).ok()?.get(&0).ok()?
}

fn is_whole(bpffs: &Path) -> bool {
    name::MAPS.iter().all(|map| bpf::open_pin(&bpffs.join(map)).is_ok())
}

/// Returns the managed addresses of tables that will be replaced; none if they cannot be read.
fn pinned_addresses(bpffs: &Path) -> Vec<IpAddr> {
    let entries = Table::<Host, u32>::open(&bpffs.join(name::ADDRESSES)).and_then(|table| table.read());
    entries.unwrap_or_default().iter().map(|(host, _)| host.ip()).collect()
}

fn clear_maps(bpffs: &Path) -> Result<(), Error> {
    name::MAPS.iter().try_for_each(|map| links::unpin(&bpffs.join(map)))
}

/// Loads maps and programs; everything is silent, and the lease is revoked.
fn load(settings: &Settings, wanted: Abi, adopted: bool, lock: Lock) -> Result<Gate, Error> {
    let mut loader = EbpfLoader::new();
    loader
        .map_max_entries(name::ADDRESSES, settings.addresses_max)
        .map_max_entries(name::STANDINGS, settings.addresses_max);
    for map in name::MAPS {
        // Opens the pin if there is one, else makes the map and the pin.
        loader.map_pin_path(map, settings.bpffs.join(map));
    }
    let mut object = loader
        .load(OBJECT)
        .map_err(|source| Error::Load { what: "object and maps", source: source.into() })?;
    // A program names its maps by descriptor: both are loaded before a map is taken out.
    for program in [name::INGRESS, name::EGRESS] {
        counting::program::<SchedClassifier>(&mut object, program)
            .and_then(SchedClassifier::load)
            .map_err(refused(program))?;
    }
    let abi: Table<u32, Abi> = table(&mut object, name::ABI)?;
    if !adopted {
        let begun = Abi { version: 0, ..wanted };
        abi.put(&0, &begun, Update::Any).map_err(Error::table(name::ABI, "written"))?;
    }
    let standings = shared(&mut object, name::STANDINGS, index(settings.addresses_max))?;
    for slot in 0..settings.addresses_max {
        standings.store_u64(index(slot) * size_of::<u64>(), Standing::Silent.number());
    }
    let lease = Lease::new(shared(&mut object, name::LEASE, 1)?);
    lease.revoke();
    let stats = shared(&mut object, name::STATS, Stat::LEN)?;
    let addresses: Table<Host, u32> = table(&mut object, name::ADDRESSES)?;
    let taken = addresses.read().map_err(Error::table(name::ADDRESSES, "read"))?;
    let slots = Slots::new(settings.addresses_max, taken).map_err(|host| {
        let why = io::Error::other(format!("the slot of {host} is outside, or another's"));
        Error::table(name::ADDRESSES, "adopted")(why)
    })?;
    let links = Links::new(settings.bpffs.clone(), object);
    Ok(Gate {
        links,
        addresses,
        standings,
        stats,
        abi,
        lease,
        slots: Mutex::new(slots),
        adopted,
        _lock: lock,
    })
}

fn refused(program: &'static str) -> impl FnOnce(ProgramError) -> Error {
    move |error| match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            let last: Vec<&str> = log.lines().rev().take(VERIFIER_LINES).collect();
            let log = last.into_iter().rev().collect::<Vec<_>>().join("; ");
            Error::Verifier { program, log, source: io_error }
        }
        other => Error::Load { what: program, source: other.into() },
    }
}

/// Takes a map of the object as a table.
fn table<K: Plain, V: Plain>(object: &mut Ebpf, map: &'static str) -> Result<Table<K, V>, Error> {
    Table::new(take(object, map)?).map_err(Error::table(map, "read"))
}

/// Maps so many numbers of an array.
fn shared(object: &mut Ebpf, map: &'static str, len: usize) -> Result<Shared, Error> {
    let fd = take(object, map)?;
    Shared::new(fd.as_fd(), len * size_of::<u64>()).map_err(Error::table(map, "mapped"))
}

/// Takes a map out of the object.
fn take(object: &mut Ebpf, map: &'static str) -> Result<OwnedFd, Error> {
    let Some(Map::HashMap(data) | Map::Array(data)) = object.take_map(map) else {
        return Err(Error::Load { what: map, source: "the object has no such map".into() });
    };
    data.fd().as_fd().try_clone_to_owned().map_err(Error::table(map, "opened"))
}

/// Lines of the verifier's log that an error repeats; the last say why.
const VERIFIER_LINES: usize = 6;

/// The object that agent/build.rs made of `ebpf/`.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/gate.bpf.o"));

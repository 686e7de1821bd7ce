//! Loads the kernel programs over what is pinned, or begins afresh.
//!
//! Invariants: 1. the `abi` record is written last, so that what a crash left half-made is never adopted; 2. when
//! pins are adopted the old program counts until the instant the new one does (`BPF_LINK_UPDATE`); 3. what cannot be
//! adopted is removed before anything new is made: two programs never count one connection; 4. the directory of pins
//! is locked before anything in it is touched: two agents would take each other's changes out of one ring.
use super::{Error, Settings, place, plan::Ports, seeds::Watch, stock::Stock, tables::Tables};
use crate::sys::{
    bpf::{self, Table, Update},
    lock::{self, Lock, LockError},
    memory::Shared,
};
use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{Map, MapData, RingBuf},
    programs::{
        CgroupAttachMode, ProgramError, SchedClassifier, SockOps,
        links::{FdLink, LinkError, PinnedLink},
    },
};
use convoy_common::{
    addr::Host,
    count::{Count, Direction},
    kernel::{ABI_VERSION, Abi, Control, HostCount, Stat, Stock as Taking, name},
};
use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::Arc,
};

/// Counting that is loaded and attached. Dropping it changes nothing: the kernel counts on.
pub struct Counting {
    pub(super) ring: RingBuf<MapData>,
    pub(super) loaded: Loaded,
    pub(super) lock: Lock,
}

/// What is loaded, without the ring.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) tables: Arc<Tables>,
    pub(super) watch: Watch,
    pub(super) ports: Ports,
    pub(super) settings: Settings,
    pub(super) adopted: bool,
}

impl Counting {
    /// Tells whether the tables of an earlier agent go on; else all counts began just now.
    pub fn adopted(&self) -> bool {
        self.loaded.adopted
    }

    /// Returns what `host` holds now, `None` when it is not in the table.
    pub fn count(&self, direction: Direction, host: Host) -> Result<Option<Count>, Error> {
        self.loaded.tables.count(direction, host)
    }
}

/// Loads the programs, adopts or replaces what is pinned, and attaches.
///
/// # Errors
/// One of [`Error`], each with its remedy. Nothing new is attached then; what was adoptable stays as it was.
pub fn open(settings: &Settings) -> Result<Counting, Error> {
    open_object(settings, OBJECT)
}

/// As [`open`], with another object than [`OBJECT`]: what a kernel says that does not take ours.
///
/// # Errors
/// As [`open`].
pub fn open_object(settings: &Settings, object: &[u8]) -> Result<Counting, Error> {
    let place = place::check(settings)?;
    let lock = lock::take_directory(&settings.bpffs).map_err(|error| match error {
        LockError::Held(_) => Error::Held { path: settings.bpffs.clone() },
        LockError::Io(source) => Error::Pin { path: settings.bpffs.clone(), source },
    })?;
    let wanted = Abi {
        version: ABI_VERSION,
        hosts_max_inbound: settings.hosts_max_inbound,
        hosts_max_outbound: settings.hosts_max_outbound,
        pad: 0,
        netns_cookie: place.netns_cookie,
        cgroup_id: place.cgroup_id,
    };
    if let Some(link) = adoptable(&settings.bpffs, &wanted) {
        match load(settings, object, &wanted, Some(&link)) {
            // The cgroup went and another one took its place: the link is dead, its tables are of no use.
            Err(Error::Attach { .. }) => {}
            done => return done.map(|(ring, loaded)| Counting { ring, loaded, lock }),
        }
    }
    clear(&settings.bpffs)?;
    let (ring, loaded) = load(settings, object, &wanted, None)?;
    Ok(Counting { ring, loaded, lock })
}

/// Stops counting for good: detaches the program and removes every pin, and the directory if it is empty then.
///
/// # Errors
/// [`Error::Pin`] for a pin that cannot be removed.
pub fn remove(bpffs: &Path) -> Result<(), Error> {
    clear(bpffs)?;
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

/// Returns the pinned link if everything pinned is whole and was made for `wanted`.
fn adoptable(bpffs: &Path, wanted: &Abi) -> Option<OwnedFd> {
    let abi = Table::<u32, Abi>::open(&bpffs.join(name::ABI)).ok()?.get(&0).ok()??;
    if abi != *wanted {
        return None;
    }
    for map in name::MAPS {
        bpf::open_pin(&bpffs.join(map)).ok()?;
    }
    bpf::open_pin(&bpffs.join(name::OBSERVE_LINK)).ok()
}

/// Removes every pin of ours; the link first, so that nothing counts into tables that are going.
fn clear(bpffs: &Path) -> Result<(), Error> {
    for pin in [name::OBSERVE_LINK, name::CLOSE_SEEDED_LINK].into_iter().chain(name::MAPS) {
        let path = bpffs.join(pin);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Pin { path, source });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn load(
    settings: &Settings,
    object: &[u8],
    wanted: &Abi,
    link: Option<&OwnedFd>,
) -> Result<(RingBuf<MapData>, Loaded), Error> {
    let btf = Btf::from_sys_fs()
        .map_err(|source| Error::Load { what: "type information", source: source.into() })?;
    let mut loader = EbpfLoader::new();
    loader
        .btf(Some(&btf))
        .map_max_entries(name::INBOUND_HOSTS, settings.hosts_max_inbound)
        .map_max_entries(name::OUTBOUND_HOSTS, settings.hosts_max_outbound);
    for map in name::MAPS {
        // Opens the pin if there is one, else makes the map and the pin.
        loader.map_pin_path(map, settings.bpffs.join(map));
    }
    let mut object = loader
        .load(object)
        .map_err(|source| Error::Load { what: "object and maps", source: source.into() })?;

    // A program names its maps by descriptor: all are loaded before a map is taken out.
    let (observe, correct) = load_programs(&mut object, settings)?;
    let mut watch = Watch::load(object, &btf, settings.bpffs.join(name::CLOSE_SEEDED_LINK));
    let object = watch.object();
    let control = Table::<u32, Control>::new(take(object, name::CONTROL)?)
        .map_err(Error::table(name::CONTROL, "read"))?;
    if link.is_none() {
        // Until the sockets older than the attach are known.
        let fresh = Control {
            netns_cookie: wanted.netns_cookie,
            taking_stock: Taking::Attached as u32,
            ..Control::default()
        };
        control.put(&0, &fresh, Update::Any).map_err(Error::table(name::CONTROL, "written"))?;
    }
    let abi = Table::<u32, Abi>::new(take(object, name::ABI)?).map_err(Error::table(name::ABI, "read"))?;
    let ring = take_ring(object)?;
    let tables = Arc::new(make_tables(object, &control, correct)?);
    let ports = Ports::new(&settings.inbound_ports, &settings.outbound_ports);
    if link.is_some() {
        let before = Ports::new(&tables.ports(Direction::Inbound)?, &tables.ports(Direction::Outbound)?);
        if before != ports {
            Stock::open(Arc::clone(&tables), settings.cgroup.clone())?.begin(&before)?;
        }
    }
    tables.set_ports(Direction::Inbound, &settings.inbound_ports)?;
    tables.set_ports(Direction::Outbound, &settings.outbound_ports)?;

    let attach = |source: Box<dyn std::error::Error + Send + Sync>| Error::Attach {
        cgroup: settings.cgroup.clone(),
        source,
    };
    if let Some(link) = link {
        bpf::update_link(link.as_fd(), observe.as_fd()).map_err(|source| attach(source.into()))?;
    } else {
        let link = attach_observe(object, settings).map_err(attach)?;
        let path = settings.bpffs.join(name::OBSERVE_LINK);
        link.pin(&path).map_err(|error| Error::Pin { path, source: io::Error::other(error) })?;
        abi.put(&0, wanted, Update::Any).map_err(Error::table(name::ABI, "written"))?;
    }
    let loaded = Loaded { tables, watch, ports, settings: settings.clone(), adopted: link.is_some() };
    Ok((ring, loaded))
}

/// Loads the two programs that are always needed; returns their descriptors.
fn load_programs(object: &mut Ebpf, settings: &Settings) -> Result<(OwnedFd, OwnedFd), Error> {
    let refused = |program| {
        move |error| match error {
            ProgramError::LoadError { io_error, verifier_log } => {
                let log = settings.state.join(format!("verifier-{program}.log"));
                // The refusal matters more than its log; a log that cannot be kept is shown by the path's absence.
                match fs::write(&log, verifier_log.to_string()) {
                    Ok(()) | Err(_) => Error::Verifier { program, log, source: io_error },
                }
            }
            other => Error::Load { what: program, source: other.into() },
        }
    };
    let observe = program::<SockOps>(object, name::OBSERVE).map_err(refused(name::OBSERVE))?;
    observe.load().map_err(refused(name::OBSERVE))?;
    let observe = descriptor(observe.fd().map(AsFd::as_fd)).map_err(refused(name::OBSERVE))?;
    let correct = program::<SchedClassifier>(object, name::CORRECT).map_err(refused(name::CORRECT))?;
    correct.load().map_err(refused(name::CORRECT))?;
    let correct = descriptor(correct.fd().map(AsFd::as_fd)).map_err(refused(name::CORRECT))?;
    Ok((observe, correct))
}

fn descriptor(fd: Result<std::os::fd::BorrowedFd<'_>, ProgramError>) -> Result<OwnedFd, ProgramError> {
    fd?.try_clone_to_owned().map_err(ProgramError::IOError)
}

/// Returns a program of the object as what it is.
pub(in crate::host) fn program<'a, P>(object: &'a mut Ebpf, name: &str) -> Result<&'a mut P, ProgramError>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program, Error = ProgramError>,
{
    object.program_mut(name).ok_or(ProgramError::NotLoaded)?.try_into()
}

fn attach_observe(
    object: &mut Ebpf,
    settings: &Settings,
) -> Result<FdLink, Box<dyn std::error::Error + Send + Sync>> {
    let cgroup = fs::File::open(&settings.cgroup)?;
    let observe = program::<SockOps>(object, name::OBSERVE)?;
    // A link coexists with others whatever the mode says; any other mode is refused for a link.
    let id = observe.attach(cgroup, CgroupAttachMode::Single)?;
    let link: Result<FdLink, LinkError> = observe.take_link(id)?.try_into();
    Ok(link?)
}

/// Takes a map out of the object.
fn take(object: &mut Ebpf, map: &'static str) -> Result<OwnedFd, Error> {
    let Some(Map::HashMap(data) | Map::Array(data)) = object.take_map(map) else {
        return Err(missing(map));
    };
    data.fd().as_fd().try_clone_to_owned().map_err(Error::table(map, "opened"))
}

fn take_ring(object: &mut Ebpf) -> Result<RingBuf<MapData>, Error> {
    let map = object.take_map(name::CHANGES).ok_or_else(|| missing(name::CHANGES))?;
    RingBuf::try_from(map).map_err(|source| Error::Load { what: name::CHANGES, source: source.into() })
}

fn missing(map: &'static str) -> Error {
    Error::Load { what: map, source: "the object has no such map".into() }
}

fn make_tables(object: &mut Ebpf, control: &Table<u32, Control>, correct: OwnedFd) -> Result<Tables, Error> {
    fn hosts(object: &mut Ebpf, map: &'static str) -> Result<Table<Host, HostCount>, Error> {
        Table::new(take(object, map)?).map_err(Error::table(map, "read"))
    }
    fn ports(object: &mut Ebpf, map: &'static str) -> Result<Table<u32, u64>, Error> {
        Table::new(take(object, map)?).map_err(Error::table(map, "read"))
    }
    let stats = take(object, name::STATS)?;
    Ok(Tables {
        inbound_hosts: hosts(object, name::INBOUND_HOSTS)?,
        outbound_hosts: hosts(object, name::OUTBOUND_HOSTS)?,
        inbound_ports: ports(object, name::INBOUND_PORTS)?,
        outbound_ports: ports(object, name::OUTBOUND_PORTS)?,
        seeded: Table::new(take(object, name::SEEDED)?).map_err(Error::table(name::SEEDED, "read"))?,
        sockets: Table::new(take(object, name::SOCKETS)?).map_err(Error::table(name::SOCKETS, "read"))?,
        control: Shared::new(control.as_fd(), size_of::<Control>())
            .map_err(Error::table(name::CONTROL, "mapped"))?,
        stats: Shared::new(stats.as_fd(), Stat::LEN * size_of::<u64>())
            .map_err(Error::table(name::STATS, "mapped"))?,
        correct,
    })
}

/// Removes the pin of a link that is adopted or was just made.
pub(super) fn unpin(path: &Path) -> Result<(), Error> {
    match PinnedLink::from_pin(path) {
        Ok(link) => link.unpin().map(drop).map_err(Error::pin(path)),
        Err(_) if !path.exists() => Ok(()),
        Err(error) => Err(Error::Pin { path: path.into(), source: io::Error::other(error) }),
    }
}

/// The object that agent/build.rs made of `ebpf/`.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/convoy.bpf.o"));

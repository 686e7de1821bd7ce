//! The commands of bpf(2) that the loader library does not offer: tables as typed bytes, batches, runs, link updates.
//!
//! Invariants: 1. a [`Table`] has the key and value sizes of its types, checked when it is made, so no call can make
//! the kernel write past a buffer; 2. a buffer handed to the kernel outlives the call.
//! Source: Linux `include/uapi/linux/bpf.h`, `union bpf_attr`; bpf(2); membarrier(2), whose global command waits for a
//! grace period.
use rustix::thread::{MembarrierCommand, membarrier};
use std::{
    ffi::CString,
    io,
    marker::PhantomData,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    thread,
    time::Duration,
};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

/// What may be a key or a value: plain bytes, any pattern legal.
pub trait Plain: FromBytes + IntoBytes + Immutable + Copy {}
impl<T: FromBytes + IntoBytes + Immutable + Copy> Plain for T {}

/// A map of the kernel whose keys and values are plain data.
#[derive(Debug)]
pub struct Table<K, V> {
    fd: OwnedFd,
    entries_max: u32,
    types: PhantomData<fn(K) -> V>,
}

/// What an update does about an entry that is, or is not, there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Replaces or makes it.
    Any = 0,
    /// Makes it; fails with `AlreadyExists` if it is there.
    New = 1,
}

impl<K: Plain, V: Plain> Table<K, V> {
    /// Takes a map's descriptor.
    ///
    /// # Errors
    /// `InvalidData` when the map has other key or value sizes than the types; else what the kernel says.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        let info = map_info(fd.as_fd())?;
        let (key, value) = (size::<K>(), size::<V>());
        if info.key_bytes != key || info.value_bytes != value {
            let why = format!(
                "the map has keys of {} and values of {} bytes, expected {key} and {value}",
                info.key_bytes, info.value_bytes
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(Self { fd, entries_max: info.entries_max, types: PhantomData })
    }

    /// Opens a pinned map.
    ///
    /// # Errors
    /// As [`new`](Self::new); `NotFound` when there is no pin.
    pub fn open(pin: &Path) -> io::Result<Self> {
        Self::new(open_pin(pin)?)
    }

    /// Returns how many entries the map takes.
    pub fn entries_max(&self) -> u32 {
        self.entries_max
    }

    /// Returns the value of `key`, `None` when there is no entry.
    pub fn get(&self, key: &K) -> io::Result<Option<V>> {
        let mut value = V::new_zeroed();
        let attr = Element {
            map: word(self.fd.as_fd()),
            key: address(key),
            value: address_mut(&mut value),
            ..Element::new_zeroed()
        };
        // SAFETY: both addresses are of live values with the map's sizes, see `new`.
        match unsafe { call(MAP_LOOKUP_ELEM, attr) } {
            Ok(_) => Ok(Some(value)),
            Err(error) => absent(error).map(|()| None),
        }
    }

    /// Puts a whole value in place.
    ///
    /// # Errors
    /// `AlreadyExists` as [`Update`] says; `ArgumentListTooLong` (E2BIG) when the map is full.
    pub fn put(&self, key: &K, value: &V, update: Update) -> io::Result<()> {
        let flags = match update {
            Update::Any => 0,
            Update::New => 1,
        };
        let attr =
            Element { map: word(self.fd.as_fd()), pad: 0, key: address(key), value: address(value), flags };
        // SAFETY: both addresses are of live values with the map's sizes, see `new`; the kernel only reads them.
        unsafe { call(MAP_UPDATE_ELEM, attr) }.map(drop)
    }

    /// Deletes an entry; returns whether there was one.
    pub fn remove(&self, key: &K) -> io::Result<bool> {
        let attr = Element { map: word(self.fd.as_fd()), key: address(key), ..Element::new_zeroed() };
        // SAFETY: the address is of a live key with the map's size, see `new`; the kernel only reads it.
        match unsafe { call(MAP_DELETE_ELEM, attr) } {
            Ok(_) => Ok(true),
            Err(error) => absent(error).map(|()| false),
        }
    }

    /// Reads every entry of a hash map, in the map's order, a batch of buckets at a time.
    ///
    /// An entry that is there all the while is returned exactly once; one that comes or goes meanwhile may be.
    pub fn read(&self) -> io::Result<Vec<(K, V)>> {
        let mut batch_len: u32 = BATCH_LEN;
        let mut keys = vec![K::new_zeroed(); index(batch_len)];
        let mut values = vec![V::new_zeroed(); index(batch_len)];
        let mut entries = Vec::new();
        let mut bucket: Option<u64> = None;
        loop {
            let mut next = 0_u64; // the kernel writes a 32-bit bucket number
            let mut attr = Batch {
                from: bucket.as_ref().map_or(0, address),
                next: address_mut(&mut next),
                keys: address_of(keys.as_mut_ptr()),
                values: address_of(values.as_mut_ptr()),
                len: batch_len,
                map: word(self.fd.as_fd()),
                ..Batch::new_zeroed()
            };
            // SAFETY: both buffers hold `batch_len` elements of the map's sizes, see `new`; the bucket numbers are
            // eight bytes where the kernel uses four.
            let ended = match unsafe { call_mut(MAP_LOOKUP_BATCH, &mut attr) } {
                Ok(_) => false,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
                // One bucket holds more than the batch: the only thing that helps is a larger batch.
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && batch_len < self.entries_max => {
                    batch_len = batch_len.saturating_mul(2);
                    keys.resize(index(batch_len), K::new_zeroed());
                    values.resize(index(batch_len), V::new_zeroed());
                    continue;
                }
                Err(error) => return Err(error),
            };
            let read = index(attr.len.min(batch_len));
            entries.extend(keys.iter().copied().zip(values.iter().copied()).take(read));
            if ended {
                return Ok(entries);
            }
            bucket = Some(next);
        }
    }

    /// Puts many whole values in place, made or replaced, in one call.
    ///
    /// # Errors
    /// As [`put`](Self::put); entries before the one that is refused are in place.
    pub fn put_all(&self, entries: &[(K, V)]) -> io::Result<()> {
        let (keys, values): (Vec<K>, Vec<V>) = entries.iter().copied().unzip();
        self.change_all(MAP_UPDATE_BATCH, &keys, &values)
    }

    /// Deletes many entries, all of which must be there, in one call.
    ///
    /// # Errors
    /// `NotFound` when one is not there; entries before it are deleted.
    pub fn remove_all(&self, keys: &[K]) -> io::Result<()> {
        self.change_all(MAP_DELETE_BATCH, keys, &[])
    }

    /// Gives the kernel a batch of keys, and of values unless the command needs none.
    fn change_all(&self, command: libc::c_int, keys: &[K], values: &[V]) -> io::Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut attr = Batch {
            keys: keys.as_ptr().addr() as u64,
            values: values.as_ptr().addr() as u64,
            len: length(keys)?,
            map: word(self.fd.as_fd()),
            ..Batch::new_zeroed()
        };
        // SAFETY: `len` keys, and as many values where the command reads them, have the map's sizes, see `new`; the
        // kernel only reads them.
        unsafe { call_mut(command, &mut attr) }.map(drop)
    }

    /// Returns the kernel's number of this map.
    pub fn id(&self) -> io::Result<u32> {
        map_info(self.fd.as_fd()).map(|info| info.id)
    }
}

impl<K, V> AsFd for Table<K, V> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// What the kernel says about a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapInfo {
    /// Number of the map, unique until reboot.
    pub id: u32,
    /// Bytes of a key.
    pub key_bytes: u32,
    /// Bytes of a value.
    pub value_bytes: u32,
    /// Entries the map takes.
    pub entries_max: u32,
}

/// Asks the kernel about a map.
pub fn map_info(map: BorrowedFd<'_>) -> io::Result<MapInfo> {
    let mut info = RawMapInfo::new_zeroed();
    let attr = Info { fd: word(map), len: size::<RawMapInfo>(), answer: address_mut(&mut info) };
    // SAFETY: the address is of a live buffer of the stated length; the kernel writes no more than that.
    unsafe { call(OBJ_GET_INFO_BY_FD, attr) }?;
    Ok(MapInfo {
        id: info.id,
        key_bytes: info.key_bytes,
        value_bytes: info.value_bytes,
        entries_max: info.entries_max,
    })
}

/// Opens whatever is pinned at `path`.
///
/// # Errors
/// `NotFound` when nothing is, `PermissionDenied` when this process may not.
pub fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attr = Object { path: path.as_ptr().addr() as u64, fd: 0, flags: 0 };
    // SAFETY: the address is of a live, terminated string; the kernel only reads it.
    let fd = unsafe { call(OBJ_GET, attr) }?;
    // SAFETY: the command just made this descriptor and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Replaces the program of an attached link; there is no moment without one.
///
/// # Errors
/// `ENOLINK` when the link's cgroup is gone.
pub fn update_link(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let attr = LinkUpdate { link: word(link), program: word(program), flags: 0, old: 0 };
    // SAFETY: the attribute holds no address.
    unsafe { call(LINK_UPDATE, attr) }.map(drop)
}

/// Runs a loaded program once on `packet` and returns its verdict.
pub fn run(program: BorrowedFd<'_>, packet: &[u8]) -> io::Result<u32> {
    let mut attr = TestRun {
        program: word(program),
        packet_len: length(packet)?,
        packet: packet.as_ptr().addr() as u64,
        repeat: 1,
        ..TestRun::new_zeroed()
    };
    // SAFETY: the address is of as many live bytes as stated, which the kernel only reads; it is given no output buffer.
    unsafe { call_mut(PROG_TEST_RUN, &mut attr) }?;
    Ok(attr.verdict)
}

/// Returns when every program that runs now has ended: none of them uses what was in a map before the call.
pub fn wait_for_programs() {
    if membarrier(MembarrierCommand::Global).is_err() {
        // Kernels with tickless processors refuse it.
        // waits: for programs that run on other processors, which take microseconds.
        thread::sleep(GRACE);
    }
}

/// Time that stands for a grace period where the kernel offers no way to wait for one.
const GRACE: Duration = Duration::from_millis(50);
/// Elements asked for at once. chosen: 16 384 keys and values of 16 bytes stay within the second cache.
const BATCH_LEN: u32 = 16_384;

const MAP_LOOKUP_ELEM: libc::c_int = 1;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const MAP_DELETE_ELEM: libc::c_int = 3;
const OBJ_GET: libc::c_int = 7;
const PROG_TEST_RUN: libc::c_int = 10;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const MAP_LOOKUP_BATCH: libc::c_int = 24;
const MAP_UPDATE_BATCH: libc::c_int = 26;
const MAP_DELETE_BATCH: libc::c_int = 27;
const LINK_UPDATE: libc::c_int = 29;

/// `bpf_attr` of the element commands.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Element {
    map: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// `bpf_attr` of the batch commands.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Batch {
    from: u64,
    next: u64,
    keys: u64,
    values: u64,
    len: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

/// `bpf_attr` of the pin commands.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Object {
    path: u64,
    fd: u32,
    flags: u32,
}

/// `bpf_attr` of the information command.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Info {
    fd: u32,
    len: u32,
    answer: u64,
}

/// The beginning of `struct bpf_map_info`, as far as every kernel we run on has it.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct RawMapInfo {
    kind: u32,
    id: u32,
    key_bytes: u32,
    value_bytes: u32,
    entries_max: u32,
    flags: u32,
}

/// `bpf_attr` of the link update command.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct LinkUpdate {
    link: u32,
    program: u32,
    flags: u32,
    old: u32,
}

/// `bpf_attr` of the run command.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct TestRun {
    program: u32,
    verdict: u32,
    packet_len: u32,
    output_len: u32,
    packet: u64,
    output: u64,
    repeat: u32,
    duration: u32,
    context_len: u32,
    context_output_len: u32,
    context: u64,
    context_output: u64,
    flags: u32,
    cpu: u32,
    batch_len: u32,
    pad: u32,
}

/// Calls bpf(2); the attribute is not needed afterwards.
///
/// # Safety
/// Every address in `attr` is of memory the command may read or write as far as it does.
unsafe fn call<T: FromBytes + IntoBytes>(command: libc::c_int, mut attr: T) -> io::Result<RawFd> {
    // SAFETY: the caller's.
    unsafe { call_mut(command, &mut attr) }
}

/// Calls bpf(2); the kernel may write into the attribute.
///
/// # Safety
/// Every address in `attr` is of memory the command may read or write as far as it does.
unsafe fn call_mut<T: FromBytes + IntoBytes>(command: libc::c_int, attr: &mut T) -> io::Result<RawFd> {
    // SAFETY: `attr` is plain bytes of the stated length; what its addresses point to is the caller's.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    RawFd::try_from(result).map_err(|error| io::Error::other(error.to_string()))
}

/// Turns "no such entry" into success.
fn absent(error: io::Error) -> io::Result<()> {
    if error.raw_os_error() == Some(libc::ENOENT) { Ok(()) } else { Err(error) }
}

fn address<T>(value: &T) -> u64 {
    std::ptr::from_ref(value).addr() as u64
}

fn address_mut<T>(value: &mut T) -> u64 {
    address_of(std::ptr::from_mut(value))
}

/// Returns an address the kernel may write through.
fn address_of<T>(pointer: *mut T) -> u64 {
    pointer.expose_provenance() as u64
}

/// Returns a descriptor as the kernel writes it.
fn word(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().unsigned_abs() // an open descriptor is never negative
}

#[expect(clippy::cast_possible_truncation, reason = "keys and values are tens of bytes")]
const fn size<T>() -> u32 {
    size_of::<T>() as u32
}

/// Returns a length as the kernel takes it.
fn length<T>(list: &[T]) -> io::Result<u32> {
    u32::try_from(list.len()).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
}

/// Widens a length; `usize` has at least 32 bits wherever eBPF runs.
const fn index(len: u32) -> usize {
    len as usize
}

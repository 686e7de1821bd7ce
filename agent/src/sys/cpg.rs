//! Closed process groups of a corosync on this host, through its library.
//!
//! Invariants: 1. a connection stays on the thread that made it; 2. what corosync delivers is copied once, out of
//! the library's buffer; 3. nothing of a connection is delivered before [`Connection::dispatch`] asks.
//!
//! Calls other than `dispatch` and `multicast` wait for corosync's answer, so for ever if it is stopped; end it to end
//! them. Source: `cpg_overview(8)` and the pages it names; `lib/cpg.c` of corosync 3.1.
mod library;

pub use library::Library;

use library::{Address, Code, Handle, Model, Name, RingId};
use std::{
    cell::RefCell,
    ffi::{c_int, c_uint, c_void},
    os::fd::{AsFd, BorrowedFd, RawFd},
    ptr, slice,
    sync::Arc,
};

/// A process in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// The number of its node in corosync's configuration.
    pub node: u32,
    /// Its process id there.
    pub id: u32,
}

/// A ring of nodes, told apart from every other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// The number of the node that formed it.
    pub node: u32,
    /// Which of the rings that this node ever formed or was in.
    pub sequence: u64,
}

/// What corosync delivers, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A message to the group.
    Message {
        /// Who sent it.
        sender: Process,
        /// What.
        bytes: Vec<u8>,
    },
    /// Processes came or went.
    Change {
        /// All that are there now.
        members: Vec<Process>,
        /// Those that went.
        left: Vec<Process>,
        /// Whether nodes came or went, not only processes on them. More changes may follow, and then the
        /// [`Ring`](Self::Ring) that ends them.
        by_nodes: bool,
    },
    /// Nodes came or went, and all changes that follow from it have been delivered: this ring holds from here on. Also
    /// the one that holds when this process joins, beside the change that says so and before any message.
    Ring {
        /// Which.
        ring: Ring,
        /// The numbers of its nodes.
        nodes: Vec<u32>,
    },
}

/// Why corosync did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not now; normal. Ask again, and dispatch meanwhile.
    #[error("corosync is busy")]
    TryAgain,
    /// It does not run, or it ended. The connection is of no use any more.
    #[error("{call}: no corosync answers ({})", name(*code))]
    Gone {
        /// The function of the library.
        call: &'static str,
        /// `cs_error_t`.
        code: c_int,
    },
    /// It does not let this user in.
    #[error("{call}: corosync refuses this user; run as root, or name the user in its `uidgid` section")]
    Denied {
        /// The function of the library.
        call: &'static str,
    },
    /// Anything else; the connection may be of use still.
    #[error("{call}: {} ({code})", name(*code))]
    Other {
        /// The function of the library.
        call: &'static str,
        /// `cs_error_t`.
        code: c_int,
    },
}

/// A connection to the corosync of this network namespace. Dropping it leaves its group.
#[derive(Debug)]
pub struct Connection {
    library: Arc<Library>,
    handle: Handle,
    fd: RawFd,
    /// Neither `Send` nor `Sync`: two threads on one handle stall each other.
    _stays: std::marker::PhantomData<*const ()>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::Gone`] when no corosync runs here, [`Error::TryAgain`] while it starts.
    pub fn open(library: &Arc<Library>) -> Result<Self, Error> {
        let mut handle = 0;
        let mut model = Model {
            version: Model::V1,
            deliver: take_message,
            change: take_change,
            ring: take_ring,
            flags: INITIAL_RING,
        };
        // SAFETY: both pointers outlive the call, which copies the model; the callbacks have the declared types and
        // never unwind; no context is given and none is asked for.
        let code = unsafe {
            (library.model_initialize)(&raw mut handle, Model::V1, &raw mut model, ptr::null_mut())
        };
        check("cpg_model_initialize", code)?;
        let mut made = Self { library: library.clone(), handle, fd: -1, _stays: std::marker::PhantomData };
        let mut fd = -1;
        // SAFETY: the handle is open, and `fd` outlives the call.
        let code = unsafe { (library.fd_get)(handle, &raw mut fd) };
        check("cpg_fd_get", code)?;
        made.fd = fd;
        Ok(made)
    }

    /// Returns the number of this node.
    pub fn local_node(&self) -> Result<u32, Error> {
        let mut node: c_uint = 0;
        // SAFETY: the handle is open, and `node` outlives the call.
        let code = unsafe { (self.library.local_get)(self.handle, &raw mut node) };
        check("cpg_local_get", code).map(|()| node)
    }

    /// Asks to join `group`; its first change says that it is done. A connection joins one group, once.
    ///
    /// # Errors
    /// [`Error::TryAgain`] also while an earlier membership of this process has not ended everywhere.
    pub fn join(&self, group: &str) -> Result<(), Error> {
        let mut name = Name { length: 0, value: [0; Name::BYTES_MAX] };
        let bytes = group.as_bytes();
        let Some(room) = name.value.get_mut(..bytes.len()) else {
            return Err(Error::Other { call: "cpg_join", code: NAME_TOO_LONG });
        };
        room.copy_from_slice(bytes);
        name.length = u32::try_from(bytes.len()).unwrap_or_default();
        // SAFETY: the handle is open, and `name` outlives the call.
        let code = unsafe { (self.library.join)(self.handle, &raw const name) };
        check("cpg_join", code)
    }

    /// Sends one message made of these parts to the group, in agreed order. Does not wait.
    ///
    /// # Errors
    /// [`Error::TryAgain`] is corosync's flow control.
    pub fn multicast(&self, parts: [&[u8]; 2]) -> Result<(), Error> {
        let parts =
            parts.map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
        // SAFETY: the handle is open; the parts outlive the call, which only reads them.
        let code = unsafe { (self.library.multicast_joined)(self.handle, AGREED, parts.as_ptr(), 2) };
        check("cpg_mcast_joined", code)
    }

    /// Returns the next delivery; `None` when there is none. Does not wait. Takes more than a megabyte of stack.
    ///
    /// # Errors
    /// [`Error::Gone`] when corosync has ended, after everything it had delivered.
    pub fn dispatch(&mut self) -> Result<Option<Delivery>, Error> {
        // SAFETY: the handle is open; callbacks run inside the call, on this thread.
        let code = unsafe { (self.library.dispatch)(self.handle, ONE_NONBLOCKING) };
        let taken = TAKEN.take();
        match check("cpg_dispatch", code) {
            Err(Error::TryAgain) => Ok(taken),
            checked => checked.map(|()| taken),
        }
    }

    /// Gives the connection up without a word to a corosync that does not answer. What it holds of this process's
    /// memory and descriptors stays held.
    pub fn abandon(mut self) {
        self.handle = 0;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.handle != 0 {
            // SAFETY: the handle is open and not used afterwards.
            let code = unsafe { (self.library.finalize)(self.handle) };
            if let Err(error) = check("cpg_finalize", code) {
                tracing::debug!(%error, "corosync was not told that this process leaves");
            }
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the library keeps the descriptor open as long as the handle, which is as long as the borrow at least.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

thread_local! {
    /// What the dispatch that runs on this thread has delivered; empty when none runs. A callback is given the handle
    /// and nothing of ours, and a dispatch of one calls back once at most, before it returns.
    static TAKEN: RefCell<Option<Delivery>> = const { RefCell::new(None) };
}

unsafe extern "C" fn take_message(
    _: Handle,
    _: *const Name,
    node: u32,
    id: u32,
    bytes: *mut c_void,
    len: usize,
) {
    // SAFETY: the library passes a message of `len` bytes and leaves it alone until this returns.
    let bytes = unsafe { array(bytes.cast_const().cast::<u8>(), len) }.to_vec();
    TAKEN.set(Some(Delivery::Message { sender: Process { node, id }, bytes }));
}

unsafe extern "C" fn take_change(
    _: Handle,
    _: *const Name,
    members: *const Address,
    members_len: usize,
    left: *const Address,
    left_len: usize,
    joined: *const Address,
    joined_len: usize,
) {
    // SAFETY: the library passes an array of this length and leaves it alone until this returns.
    let members = unsafe { array(members, members_len) };
    // SAFETY: the same.
    let left = unsafe { array(left, left_len) };
    // SAFETY: the same.
    let joined = unsafe { array(joined, joined_len) };
    let by_nodes = left.iter().chain(joined).any(|address| BY_NODES.contains(&address.reason));
    let processes = |list: &[Address]| {
        list.iter().map(|address| Process { node: address.node, id: address.process }).collect()
    };
    TAKEN.set(Some(Delivery::Change { members: processes(members), left: processes(left), by_nodes }));
}

unsafe extern "C" fn take_ring(_: Handle, ring: RingId, nodes_len: u32, nodes: *const u32) {
    // SAFETY: the library passes an array of this length and leaves it alone until this returns.
    let nodes = unsafe { array(nodes, nodes_len as usize) }.to_vec();
    TAKEN.set(Some(Delivery::Ring { ring: Ring { node: ring.node, sequence: ring.sequence }, nodes }));
}

/// Returns an array that C gives by address and length; where there is nothing the address may be anything.
///
/// # Safety
/// `len` values are at `first`, and nobody changes them during `'a`.
unsafe fn array<'a, T>(first: *const T, len: usize) -> &'a [T] {
    if first.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: the caller says so.
    unsafe { slice::from_raw_parts(first, len) }
}

fn check(call: &'static str, code: Code) -> Result<(), Error> {
    match code {
        OK => Ok(()),
        6 | 18 | 23 => Err(Error::TryAgain),
        2 | 5 | 9 | 24 => Err(Error::Gone { call, code }),
        11 | 100 => Err(Error::Denied { call }),
        _ => Err(Error::Other { call, code }),
    }
}

/// Names of `cs_error_t`, as in `corosync/corotypes.h`.
fn name(code: Code) -> &'static str {
    match code {
        2 => "CS_ERR_LIBRARY",
        3 => "CS_ERR_VERSION",
        4 => "CS_ERR_INIT",
        5 => "CS_ERR_TIMEOUT",
        7 => "CS_ERR_INVALID_PARAM",
        8 => "CS_ERR_NO_MEMORY",
        9 => "CS_ERR_BAD_HANDLE",
        10 => "CS_ERR_BUSY",
        12 => "CS_ERR_NOT_EXIST",
        NAME_TOO_LONG => "CS_ERR_NAME_TOO_LONG",
        14 => "CS_ERR_EXIST",
        15 => "CS_ERR_NO_SPACE",
        16 => "CS_ERR_INTERRUPT",
        19 => "CS_ERR_NOT_SUPPORTED",
        20 => "CS_ERR_BAD_OPERATION",
        21 => "CS_ERR_FAILED_OPERATION",
        22 => "CS_ERR_MESSAGE_ERROR",
        24 => "CS_ERR_QUEUE_NOT_AVAILABLE",
        26 => "CS_ERR_TOO_BIG",
        30 => "CS_ERR_TOO_MANY_GROUPS",
        _ => "an error without a name",
    }
}

/// `CS_OK`.
const OK: Code = 1;
/// `CS_ERR_NAME_TOO_LONG`.
const NAME_TOO_LONG: Code = 13;
/// `CPG_TYPE_AGREED`.
const AGREED: c_uint = 2;
/// `CS_DISPATCH_ONE_NONBLOCKING`.
const ONE_NONBLOCKING: c_uint = 4;
/// `CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF`.
const INITIAL_RING: c_uint = 1;
/// `CPG_REASON_NODEDOWN`, `CPG_REASON_NODEUP`.
const BY_NODES: [u32; 2] = [3, 4];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_by_what_to_do() {
        assert_eq!(check("x", OK), Ok(()));
        assert_eq!(check("x", 6), Err(Error::TryAgain));
        let gone = check("cpg_join", 2).unwrap_err().to_string();
        assert_eq!(gone, "cpg_join: no corosync answers (CS_ERR_LIBRARY)");
        assert!(check("x", 100).unwrap_err().to_string().contains("uidgid"));
        assert_eq!(check("x", 26).unwrap_err().to_string(), "x: CS_ERR_TOO_BIG (26)");
    }
}

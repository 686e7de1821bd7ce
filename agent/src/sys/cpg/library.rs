//! The functions of libcpg, found when they are asked for: a host without corosync runs everything but this.
//!
//! Invariant: the pointers are called only while the library is loaded, which is as long as [`Library`] lives.
//! Source: `corosync/cpg.h` and `corosync/corotypes.h` of corosync 3, whose library is `libcpg.so.4`.
use std::{
    ffi::{c_int, c_uint, c_void},
    fmt,
};

/// What the library must be called to have the functions below.
pub(super) const NAME: &str = "libcpg.so.4";

/// `cpg_handle_t`.
pub(super) type Handle = u64;
/// `cs_error_t`.
pub(super) type Code = c_int;

/// `struct cpg_name`.
#[repr(C)]
pub(super) struct Name {
    pub(super) length: u32,
    pub(super) value: [u8; Self::BYTES_MAX],
}

impl Name {
    /// `CPG_MAX_NAME_LENGTH`.
    pub(super) const BYTES_MAX: usize = 128;
}

/// `struct cpg_address`.
#[repr(C)]
pub(super) struct Address {
    pub(super) node: u32,
    pub(super) process: u32,
    pub(super) reason: u32,
}

/// `struct cpg_ring_id`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct RingId {
    pub(super) node: u32,
    pub(super) sequence: u64,
}

/// `cpg_deliver_fn_t`.
pub(super) type Deliver = unsafe extern "C" fn(Handle, *const Name, u32, u32, *mut c_void, usize);
/// `cpg_confchg_fn_t`.
pub(super) type Change = unsafe extern "C" fn(
    Handle,
    *const Name,
    *const Address,
    usize,
    *const Address,
    usize,
    *const Address,
    usize,
);
/// `cpg_totem_confchg_fn_t`.
pub(super) type RingChange = unsafe extern "C" fn(Handle, RingId, u32, *const u32);

/// `cpg_model_v1_data_t`.
#[repr(C)]
pub(super) struct Model {
    pub(super) version: c_uint,
    pub(super) deliver: Deliver,
    pub(super) change: Change,
    pub(super) ring: RingChange,
    pub(super) flags: c_uint,
}

impl Model {
    /// `CPG_MODEL_V1`.
    pub(super) const V1: c_uint = 1;
}

const _: () = assert!(size_of::<Name>() == 132 && size_of::<Address>() == 12 && size_of::<RingId>() == 16);
const _: () = assert!(size_of::<Model>() == 3 * size_of::<usize>() + 2 * size_of::<usize>());

/// libcpg, loaded.
pub struct Library {
    pub(super) model_initialize: unsafe extern "C" fn(*mut Handle, c_uint, *mut Model, *mut c_void) -> Code,
    pub(super) finalize: unsafe extern "C" fn(Handle) -> Code,
    pub(super) fd_get: unsafe extern "C" fn(Handle, *mut c_int) -> Code,
    pub(super) dispatch: unsafe extern "C" fn(Handle, c_uint) -> Code,
    pub(super) join: unsafe extern "C" fn(Handle, *const Name) -> Code,
    pub(super) multicast_joined: unsafe extern "C" fn(Handle, c_uint, *const libc::iovec, c_uint) -> Code,
    pub(super) local_get: unsafe extern "C" fn(Handle, *mut c_uint) -> Code,
    /// Last, so that it goes last.
    #[expect(dead_code, reason = "keeps the functions mapped")]
    mapped: libloading::Library,
}

impl Library {
    /// Loads it.
    ///
    /// # Errors
    /// The loader's words: it is not installed, or lacks a function and is of another version.
    pub fn load() -> Result<Self, libloading::Error> {
        // SAFETY: loading runs the initialisers of libcpg and libqb; they only set up tables of their own.
        let library = unsafe { libloading::Library::new(NAME) }?;
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: the type is that of this function in the header of every library with this name.
                *unsafe { library.get($name) }?
            };
        }
        Ok(Self {
            model_initialize: function!(b"cpg_model_initialize\0"),
            finalize: function!(b"cpg_finalize\0"),
            fd_get: function!(b"cpg_fd_get\0"),
            dispatch: function!(b"cpg_dispatch\0"),
            join: function!(b"cpg_join\0"),
            multicast_joined: function!(b"cpg_mcast_joined\0"),
            local_get: function!(b"cpg_local_get\0"),
            mapped: library,
        })
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}

//! Memory shared with the kernel: a memory-mapped array, read and written word by word without a syscall.
//!
//! Invariants: 1. every access is a single aligned atomic within the mapping; 2. nothing here hands out a reference.
//! Source: bpf(2), `BPF_F_MMAPABLE`.
use memmap2::{MmapOptions, MmapRaw};
use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

/// A mapping that the kernel and this process both change.
#[derive(Debug)]
pub struct Shared {
    map: MmapRaw,
}

impl Shared {
    /// Maps the first `bytes` of `fd`, for reading and writing.
    pub fn new(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<Self> {
        Ok(Self { map: MmapOptions::new().len(bytes).map_raw(fd.as_raw_fd())? })
    }

    /// Reads the 64-bit number at byte `at`; `None` when that is outside or unaligned.
    pub fn load_u64(&self, at: usize) -> Option<u64> {
        let pointer = self.pointer::<u64>(at)?;
        // SAFETY: `pointer` checked that eight aligned bytes of the mapping, which lives as long as `self`, are there;
        // every access, the kernel's too, is atomic.
        Some(unsafe { AtomicU64::from_ptr(pointer) }.load(Ordering::SeqCst))
    }

    /// Reads the 32-bit number at byte `at`; `None` when that is outside or unaligned.
    pub fn load_u32(&self, at: usize) -> Option<u32> {
        let pointer = self.pointer::<u32>(at)?;
        // SAFETY: as in `load_u64`, for four bytes.
        Some(unsafe { AtomicU32::from_ptr(pointer) }.load(Ordering::SeqCst))
    }

    /// Adds to the 32-bit number at byte `at`, wrapping; what this thread does next is seen after it.
    pub fn add_u32(&self, at: usize, more: u32) -> Option<u32> {
        let pointer = self.pointer::<u32>(at)?;
        // SAFETY: as in `load_u64`, for four bytes.
        Some(unsafe { AtomicU32::from_ptr(pointer) }.fetch_add(more, Ordering::SeqCst))
    }

    /// Replaces the 32-bit number at byte `at`; what this thread does next is seen after it.
    pub fn store_u32(&self, at: usize, value: u32) {
        if let Some(pointer) = self.pointer::<u32>(at) {
            // SAFETY: as in `load_u64`, for four bytes.
            unsafe { AtomicU32::from_ptr(pointer) }.store(value, Ordering::SeqCst);
        }
    }

    /// Replaces the 64-bit number at byte `at`; what this thread does next is seen after it.
    pub fn store_u64(&self, at: usize, value: u64) {
        if let Some(pointer) = self.pointer::<u64>(at) {
            // SAFETY: as in `load_u64`.
            unsafe { AtomicU64::from_ptr(pointer) }.store(value, Ordering::SeqCst);
        }
    }

    /// Returns where the number at byte `at` is, aligned and wholly within the mapping.
    fn pointer<T>(&self, at: usize) -> Option<*mut T> {
        let bytes = size_of::<T>();
        let fits = at.checked_add(bytes)? <= self.map.len() && at.is_multiple_of(bytes);
        // The mapping begins at a page, so an offset that is a multiple of the size is aligned.
        fits.then(|| self.map.as_mut_ptr().cast::<T>().wrapping_byte_add(at))
    }
}

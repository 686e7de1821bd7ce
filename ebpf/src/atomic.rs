//! The kernel's atomic instructions on map values.
//!
//! rustc offers 64-bit loads and stores only on this target; the kernel has read-modify-write instructions of both
//! widths since 5.12. Those that return the old value are fully ordered (`Documentation/bpf/standardization`).
use core::arch::asm;

/// Adds to a 32-bit number and returns what it was.
///
/// # Safety
/// `at` points into a live map value and is aligned to four bytes.
#[inline(always)]
pub unsafe fn add32(at: *mut u32, more: u32) -> u32 {
    let mut value = more;
    // SAFETY: the caller's; the verifier checks it again.
    unsafe {
        asm!(
            "{value} = atomic_fetch_add((u32 *)({at} + 0), {value})",
            value = inout(wreg) value,
            at = in(reg) at,
            options(nostack),
        );
    }
    value
}

/// Adds to a 64-bit number and returns what it was.
///
/// # Safety
/// `at` points into a live map value and is aligned to eight bytes.
#[inline(always)]
pub unsafe fn add64(at: *mut u64, more: u64) -> u64 {
    let mut value = more;
    // SAFETY: the caller's; the verifier checks it again.
    unsafe {
        asm!(
            "{value} = atomic_fetch_add((u64 *)({at} + 0), {value})",
            value = inout(reg) value,
            at = in(reg) at,
            options(nostack),
        );
    }
    value
}

/// Replaces a 32-bit number if it is `old`; tells whether it was.
///
/// # Safety
/// `at` points into a live map value and is aligned to four bytes.
#[inline(always)]
pub unsafe fn swap32(at: *mut u32, old: u32, new: u32) -> bool {
    let found: u32;
    // SAFETY: the caller's; the verifier checks it again.
    unsafe {
        asm!(
            "w0 = cmpxchg32_32({at} + 0, w0, {new})",
            new = in(wreg) new,
            at = in(reg) at,
            inout("w0") old => found,
            options(nostack),
        );
    }
    found == old
}

/// Reads a 32-bit number that others change.
///
/// # Safety
/// `at` points into a live map value and is aligned to four bytes.
#[inline(always)]
pub unsafe fn load32(at: *const u32) -> u32 {
    // SAFETY: the caller's; an aligned load is one instruction and cannot tear.
    unsafe { at.read_volatile() }
}

/// Reads a 64-bit number that others change.
///
/// # Safety
/// `at` points into a live map value and is aligned to eight bytes.
#[inline(always)]
pub unsafe fn load64(at: *const u64) -> u64 {
    // SAFETY: the caller's; an aligned load is one instruction and cannot tear.
    unsafe { at.read_volatile() }
}

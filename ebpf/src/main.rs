//! Kernel programs of Convoy: which remote host holds how many connections, in and out.
//!
//! Invariants: 1. a connection is counted at most once and its close exactly when its open was; 2. every change of
//! a count is atomic, whoever makes it; 3. whatever is not counted is counted as refused; 4. no path loops.
//! Does not limit anything and does not know netblocks.
//! Source: Linux `include/uapi/linux/bpf.h`, `net/ipv4/tcp*.c` (5.15 to 6.18) for when each callback runs.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod context;
mod correct;
mod count;
mod maps;
mod observe;

/// The verifier lets only GPL-compatible programs call some helpers; MIT alone would not do.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

//! The contract between `convoyd` and its kernel programs, and the vocabulary all floors share.
//!
//! Everything here is plain data: addresses, prefixes, counts, the names and sizes of kernel maps. Both the
//! eBPF programs and the agent compile it, so it is `no_std` and its layouts are asserted at compile time.
#![no_std]
#![forbid(unsafe_code)]
#![expect(non_ascii_idents, reason = "zerocopy's derives name their helpers so")]

pub mod addr;
pub mod count;
pub mod gate;
pub mod kernel;
pub mod prefix;

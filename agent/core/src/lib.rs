//! Convoy's pure core: every decision the cluster takes, as state machines.
//!
//! Facts go in, effects come out. Nothing here reads a clock, does I/O or draws a random number; time and
//! seeds are arguments, so the whole of it runs in a deterministic simulator (`tests/tests/sim`).
#![no_std]
#![forbid(unsafe_code)]
#![expect(non_ascii_idents, reason = "zerocopy's derives name their helpers so")]
extern crate alloc;

pub mod bounds;
pub mod config;
pub mod console;
pub mod counters;
pub mod group;
pub mod node;
pub mod time;
pub mod vip;
pub mod wire;

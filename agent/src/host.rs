//! See the crate's header for this floor.

pub mod counting;

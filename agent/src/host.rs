//! Floor 3: carries the core's effects out, and reports what became of them.

pub mod address;
pub mod bus;
pub mod cluster;
pub mod control;
pub mod control_cache;
pub mod counting;
mod ended;
pub mod errands;
pub mod gate;
pub mod heartbeat;
pub mod mesh;

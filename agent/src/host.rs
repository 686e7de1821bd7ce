//! Floor 3: carries the core's effects out, and reports what became of them.

pub mod bus;
pub mod cluster;
pub mod control;
pub mod counting;
mod ended;
pub mod errands;
pub mod heartbeat;
pub mod mesh;

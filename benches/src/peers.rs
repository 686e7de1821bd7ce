//! The programs that Convoy is measured against, started and taken down by the benchmarks.

pub mod convoy;
pub mod failover;
pub mod haproxy;
pub mod keepalived;
pub mod node;
pub mod vips;

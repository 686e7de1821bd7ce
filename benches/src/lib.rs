//! What the benchmarks share: statistics, tables, and the peers that are measured beside Convoy.

pub mod args;
pub mod bpf;
pub mod busy;
pub mod machine;
pub mod peers;
pub mod stats;
pub mod table;

//! Counts per host, their sums per prefix, and their replicas on every node.
//!
//! `sums` is one ordered table with sums over ranges; `tree` puts two of them together, one a family, and
//! answers by prefix; `replica` keeps one such tree per sender and their sum.

mod replica;
mod sums;
mod tree;

pub use replica::{Changes, Replica, bounded};
pub use sums::{Cell, Sums};
pub use tree::{CidrTree, Row};

//! Counts per host, their sums per prefix, and their replicas on every node.

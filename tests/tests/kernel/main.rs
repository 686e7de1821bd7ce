//! Counting on the real kernel: exact whatever connections do, agents do, and tables hold.
//!
//! Every test has a network namespace, a cgroup2 child and a bpffs directory of its own, so all may run at once and
//! beside a lab. Without the privilege they say so loudly and count as passed; see `site::run`.
mod adopt;
mod exact;
mod full;
mod mirror;
mod ports;
mod refused;
mod repair;
mod seed;
mod site;

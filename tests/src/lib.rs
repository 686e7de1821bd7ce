//! The lab: mail hosts in network namespaces on one machine.
pub mod traffic;

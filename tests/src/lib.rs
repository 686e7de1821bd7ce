//! The lab: mail hosts in network namespaces on one machine.

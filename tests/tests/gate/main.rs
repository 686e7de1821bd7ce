//! The gate on the real kernel: who answers for an address, and what of it leaves the host, with a real peer as witness.
//!
//! Host `mta1` of a lab has the gate; the lab's client asks and listens. No test waits to see that nothing comes: a
//! question that must be answered follows the one that must not, and frames keep their order.
mod agents;
mod answers;
mod aside;
mod frames;
mod hooks;
mod many;
mod outgoing;
mod site;
mod tags;

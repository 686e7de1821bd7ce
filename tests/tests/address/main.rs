//! The address thread on the real kernel: what it puts on a host, what a segment hears of it, and what it leaves alone.
//!
//! Host `mta1` of a lab, sometimes `mta2` too, runs the thread; the client's own ARP cache and a raw socket beside it are
//! the witnesses.
mod guard;
mod hooks;
mod many;
mod moves;
mod probe;
mod site;
mod starts;

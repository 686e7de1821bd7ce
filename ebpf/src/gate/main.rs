//! Kernel programs of Convoy: who answers for a managed address, and who announces it.
//!
//! Invariants: 1. a question about a managed address that this node may not answer for never reaches the protocol that
//! would answer it; 2. whatever would bind such an address to our link address never leaves, whoever sends it and
//! however late; 3. everything else passes untouched, to the next program; 4. whether we may is decided here and now,
//! by the slot and the clock: no agent needs to live; 5. no path loops.
//! Does not touch packets that only use an address: connections outlive a planned move. Sees nothing of a socket that
//! passes by the queueing layer (`PACKET_QDISC_BYPASS`).
//! Source: RFC 826, 5227 (ARP), 4861 (neighbour discovery); Linux `net/core/dev.c` (5.15 to 6.18) for where these run:
//! before the protocols and behind the taps on the way in, before the taps on the way out.
#![no_std]
#![no_main]

mod answer;
mod frame;
mod maps;
mod pass;

/// The verifier lets only GPL-compatible programs call some helpers; MIT alone would not do.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

//! Every limit of the system in one place. Full means a stated, counted action, named beside each bound.

use crate::time::Span;

// --- names and members -------------------------------------------------------------------------------------

/// Longest node or group name, bytes. Longer is refused where it is read (configuration, hello).
pub const NAME_BYTES_MAX: usize = 63;
/// Most nodes in one cluster, this one included. More is refused by the configuration.
/// chosen: the reference runs clusters of up to some tens of nodes; sums of this many cells fit their types.
pub const NODES_MAX: usize = 64;
/// Most connections a node keeps that have not said who they are. A further one closes the oldest.
pub const STRANGERS_MAX: usize = 64;

// --- counts ------------------------------------------------------------------------------------------------

/// Most open connections one node may report for one host. Own counts stop here; a peer that says more is
/// broken and is dropped. chosen: 2^24 - 1, beyond any kernel's file table; times `NODES_MAX` it fits 32 bits.
pub const CURRENT_MAX: u32 = (1 << 24) - 1;
/// Most connections one node may report as opened by one host since it was first seen. Same actions.
/// chosen: 2^48 - 1; at a million a second it lasts eight years.
pub const TOTAL_MAX: u64 = (1 << 48) - 1;

// --- the mesh ----------------------------------------------------------------------------------------------

/// Most payload bytes in one frame. A frame that says more closes its connection.
/// chosen: holds `FRAME_ENTRIES_MAX` IPv6 entries; small enough that a heartbeat never waits long behind it.
pub const FRAME_PAYLOAD_MAX: usize = 128 * 1024;
/// Most entries in one frame; larger sets take several frames.
pub const FRAME_ENTRIES_MAX: usize = 4_096;
/// Bytes handed to a connection and not yet written at which a full transfer pauses.
/// chosen: two frames of IPv6 entries, about 2 ms of a gigabit link.
pub const SEND_WINDOW: usize = 256 * 1024;
/// Bytes handed to a connection and not yet written at which deltas to that peer are dropped; the peer gets
/// the full state again, from the start, once the connection drains. Counted as `lagged`.
pub const SEND_QUEUE_MAX: usize = 4 * 1024 * 1024;
/// Shortest and longest time between heartbeats. Others are refused by the configuration; a peer that announces
/// others is taken to mean the nearest of these.
pub const HEARTBEAT_MIN: Span = Span::from_ms(5);
/// See [`HEARTBEAT_MIN`].
pub const HEARTBEAT_MAX: Span = Span::from_secs(1);
/// Longest text a peer may give as the reason of a refusal, bytes. Longer is cut when sent, refused when read.
pub const REASON_BYTES_MAX: usize = 512;

const _: () = assert!(FRAME_ENTRIES_MAX * 28 + 64 <= FRAME_PAYLOAD_MAX);
const _: () = assert!(CURRENT_MAX as u64 * NODES_MAX as u64 <= u32::MAX as u64);
const _: () = assert!((TOTAL_MAX as u128) * (NODES_MAX as u128) < u64::MAX as u128);
const _: () = assert!(SEND_WINDOW >= FRAME_PAYLOAD_MAX && SEND_QUEUE_MAX > SEND_WINDOW);

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
/// Shortest time between heartbeats on the mesh's connections, which find out those that stand and lead nowhere; what
/// is to be noticed faster is noticed by datagrams, every [`HEARTBEAT_MIN`] at most.
pub const MESH_HEARTBEAT_MIN: Span = Span::from_ms(100);
/// Datagrams that are read before time is judged again. The rest waits in the socket, and is dropped there by the kernel
/// when that is full. chosen: sixteen of every node, more than pile up while the reader is late by 50 ms.
pub const BEATS_READ_MAX: usize = 16 * NODES_MAX;
/// Opinions on peers that wait for the cluster thread. One more stays where it was formed, and the newest of a peer
/// replaces it; each time it fills is counted as `deferred`. chosen: every node falls silent and comes back.
pub const BEATS_QUEUE_MAX: usize = 2 * NODES_MAX;
/// Longest text a peer may give as the reason of a refusal, bytes. Longer is cut when sent, refused when read.
pub const REASON_BYTES_MAX: usize = 512;

// --- the bus -----------------------------------------------------------------------------------------------

/// Most bytes in one message on the bus. A longer one is refused where it is sent.
/// source: corosync's closed process groups deliver up to 1 047 552 bytes atomically; the rest is for an engine's own.
pub const BUS_MESSAGE_MAX: usize = 1_000_000;
/// Own messages that wait in an engine at once. One more is refused until half of them have gone.
/// chosen: commands and announcements are rare; a burst of these fills a gigabit link for a tenth of a second.
pub const BUS_QUEUE_MAX: usize = 1_024;
/// Bytes of own messages that wait in an engine at once, and of events that wait to be polled. The same action; what
/// others send then stays with the engine's own daemon. chosen: several of the longest messages.
pub const BUS_QUEUE_BYTES_MAX: usize = 16 << 20;
/// Own messages on their way at once; those after them wait in the node. chosen: an engine never gets full of them.
pub const BUS_WINDOW: usize = 64;
/// Bytes of own messages that wait in the node. A command or an answer that would exceed it is refused and counted.
pub const BUS_WAITING_MAX: usize = 8 << 20;
/// Groups a member says it is in. More are not said.
pub const GROUPS_MAX: usize = 16;
/// Parameters on which members compare themselves. More are not said.
pub const PARAMETERS_MAX: usize = 64;
/// Bytes of the name of who gives a command, user and node. A longer one is cut.
pub const CALLER_BYTES_MAX: usize = 128;
/// Bytes of a console command. A longer one is refused where it is typed.
pub const COMMAND_BYTES_MAX: usize = 4_096;
/// Bytes of an answer that travels on the bus. Instead of a longer one goes an error that says how long it is.
/// chosen: half a bus message; what is longer is better read on the node itself.
pub const ANSWER_BYTES_MAX: usize = 512 << 10;
/// Commands of this node that wait for answers at once. One more is refused.
pub const ASKED_MAX: usize = 64;
/// Commands whose answers a manager keeps; the one that was given longest ago makes room.
pub const CACHED_COMMANDS_MAX: usize = 128;
/// Addresses that the cluster shares. The configuration refuses more on one node; more of all nodes together are passed
/// over when they are heard. source: reference 5.1 wants 10240 aliases a host.
pub const VIPS_MAX: usize = 16_384;
/// Bytes of one part of what a node would hold. chosen: a fifth of a bus message; four thousand addresses.
pub const VIP_PART_BYTES: usize = 200_000;
/// Messages about addresses that wait until the members have one table. Further ones are passed over by all members alike.
pub const VIP_WAITING_MAX: usize = 4_096;
/// Moves of addresses that are remembered; those that moved together are one. Older ones go.
pub const VIP_HISTORY_MAX: usize = 1_024;
/// Bytes of those answers together. The same action.
/// chosen: every node of the largest cluster says as much as it may to two commands.
pub const CACHED_BYTES_MAX: usize = 64 << 20;
/// Commands of others that are carried out here at once. One more is answered with "busy".
pub const EXECUTING_MAX: usize = 64;

const _: () = assert!(FRAME_ENTRIES_MAX * 28 + 64 <= FRAME_PAYLOAD_MAX);
const _: () = assert!(CURRENT_MAX as u64 * NODES_MAX as u64 <= u32::MAX as u64);
const _: () = assert!((TOTAL_MAX as u128) * (NODES_MAX as u128) < u64::MAX as u128);
const _: () = assert!(SEND_WINDOW >= FRAME_PAYLOAD_MAX && SEND_QUEUE_MAX > SEND_WINDOW);

// --- configuration -------------------------------------------------------------------------------------------

/// Bytes of one configuration file. A longer file is refused with an error that names it.
/// chosen: 100 000 lines are about 4 MiB; four times that is not a configuration any more.
pub const CONFIG_FILE_BYTES_MAX: usize = 16 << 20;
/// Bytes of all configuration files of one load together. The file that passes it is refused.
pub const CONFIG_BYTES_MAX: usize = 64 << 20;
/// Statements and words of one file's tree. The parser stops there with an error.
pub const CONFIG_WORDS_MAX: usize = 2_000_000;
/// Statements of the merged view; a file included `n` times counts `n` times. Merging stops there with an error.
pub const CONFIG_MERGED_MAX: usize = 2_000_000;
/// Scopes inside scopes, counted across includes. A deeper scope is an error and is passed over.
pub const CONFIG_DEPTH_MAX: usize = 32;
/// Files below files. A deeper include is an error and is passed over.
pub const CONFIG_INCLUDE_DEPTH_MAX: usize = 16;
/// Different files of one load. The next one is refused with an error.
pub const CONFIG_FILES_MAX: usize = 4_096;
/// Names in an included directory, those passed over counted too. A fuller directory is refused.
pub const CONFIG_DIRECTORY_NAMES_MAX: usize = 4_096;
/// Bytes of a regular expression between slashes. A longer one is an error.
/// chosen: fifty provider names side by side; nobody reads longer ones.
pub const CONFIG_PATTERN_BYTES_MAX: usize = 1_024;
/// Different regular expressions of one load. The next one is an error.
/// chosen: with a few hundred a lookup that matches none of them takes longer than the connection it decides on.
pub const CONFIG_PATTERNS_MAX: usize = 4_096;
/// Bytes of a compiled regular expression, and of its scratch memory. A larger one is an error.
pub const CONFIG_PATTERN_SIZE_MAX: usize = 1 << 20;
/// Steps back in one match, and instructions of an expression that needs them. A match that takes more has failed.
/// chosen: under a millisecond; look-around on names of 255 bytes takes a few hundred.
pub const CONFIG_PATTERN_STEPS_MAX: usize = 10_000;
/// Bytes of a name that is matched; a longer one matches nothing. The DNS has 255.
pub const CONFIG_PATTERN_NAME_MAX: usize = 1_024;
/// Bytes of `cluster.boot`. A longer file is refused.
pub const BOOT_BYTES_MAX: usize = 64 << 10;
/// Errors shown of one load. Those after it are counted and their number is shown.
pub const CONFIG_ERRORS_MAX: usize = 64;
/// Warnings shown of one load. Those after it are counted and their number is shown.
pub const CONFIG_WARNINGS_MAX: usize = 128;
/// Transactions open at once. `config begin` is refused beyond it.
/// chosen: each is an operator at work; a copy of the texts is shared memory until it differs.
pub const TRANSACTIONS_MAX: usize = 16;
/// Changes of one transaction. The next one is refused; the transaction stays.
pub const TRANSACTION_CHANGES_MAX: usize = 1_024;
/// Time without a command after which a transaction is dropped; its session is told at its next command.
/// chosen: longer than a look into the manual, shorter than a working day on which somebody went home.
pub const TRANSACTION_IDLE_MAX: Span = Span::from_secs(900);
/// Ports counted in one direction. A longer array is an error.
pub const PORTS_MAX: usize = 64;
/// Sockets of `ECCluster_Listener`. One more `Listen` scope is an error.
pub const LISTENS_MAX: usize = 16;
/// Sockets of `Control_Listener`. One more `Listen` scope is an error.
pub const CONTROL_LISTENS_MAX: usize = 16;
/// Roles of scope `Authorization`, and patterns of one of them. One more is an error.
/// chosen: all are tried on a denial, in some tens of milliseconds.
pub const ROLES_MAX: usize = 64;
/// See [`ROLES_MAX`].
pub const ROLE_PATTERNS_MAX: usize = 64;
/// Hosts in the kernel's table of one CIDR object when `max_size` is not set. What happens when a table is full
/// is said beside the table. chosen: about 100 MiB of kernel memory for both directions, more hosts than a busy mail host meets in a day.
pub const OBJECT_HOSTS: u32 = 524_288;
/// Most hosts that `max_size` may ask for.
pub const OBJECT_HOSTS_MAX: u32 = 16_777_216;

// --- addresses that move ------------------------------------------------------------------------------------

/// Orders that wait for the address thread. One more is handed back to who gives it. chosen: most are whole batches.
pub const ADDRESS_ORDERS_MAX: usize = 1_024;
/// Events of the address thread that wait to be read. Those after them wait in the thread.
pub const ADDRESS_EVENTS_MAX: usize = 1_024;
/// Events that wait in the thread: what became of an address replaces what was said of it before; of the others the
/// oldest that nobody waits for is dropped, and counted as `dropped`.
pub const ADDRESS_EVENTS_WAITING_MAX: usize = 4_096;
/// Changes of addresses in one message to the kernel, which carries them all out before anything else gets its turn.
pub const NETLINK_SLICE_MAX: usize = 64;
/// Probes at once. One more is answered as unsure. chosen: every other node is doubted at once.
pub const PROBES_MAX: usize = NODES_MAX;
/// Addresses that one probe asks for; those after them are not asked for. chosen: one answer is enough.
pub const PROBE_ADDRESSES_MAX: usize = 32;
/// Frames of one link that are read before anything else gets its turn; the rest waits in the socket, and is dropped
/// there by the kernel when that is full.
pub const FRAMES_READ_MAX: usize = 256;
/// Hosts to which addresses are announced one by one. Those after them are not told, which is counted as `untold`.
pub const HOSTS_OF_INTEREST_MAX: usize = 1_024;
/// Neighbours that are told of at once; those after them are not. chosen: four times the kernel's default table.
pub const NEIGHBOURS_MAX: usize = 4_096;
/// Hooks of addresses that run at once; the others wait with their addresses.
pub const HOOKS_AT_ONCE_MAX: usize = 16;
/// Time that the hooks of an address have together. What still runs then is ended, and told as failed.
pub const HOOKS_WITHIN: Span = Span::from_secs(10);
/// Hooks of one address. More are not run, which is told as their failure.
pub const HOOKS_MAX: usize = 8;

// --- end of configuration ------------------------------------------------------------------------------------

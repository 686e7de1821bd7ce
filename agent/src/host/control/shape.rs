//! The JSON of requests and answers. Documented in docs/control.md; fields are added, never renamed.
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub mod all;
pub mod authz;
pub mod cluster;
pub mod config;
pub mod vip;

/// A question, one line of JSON such as `{"ask":"shared query","object":"inbound_cidr","prefix":"10.0.0.0/8"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// How this node is.
    Status,
    /// Who is in the cluster.
    Membership,
    /// Which objects there are.
    #[serde(rename = "shared list")]
    SharedList,
    /// Every host and branching prefix of a view.
    #[serde(rename = "shared show")]
    SharedShow {
        /// Name of the object.
        object: String,
        /// Node whose view is wanted; the sum over all nodes without it.
        from: Option<String>,
    },
    /// The sum below one prefix.
    #[serde(rename = "shared query")]
    SharedQuery {
        /// Name of the object.
        object: String,
        /// `addr` or `addr/bits`.
        prefix: String,
        /// As above.
        from: Option<String>,
    },
    /// The busiest prefixes of one length.
    #[serde(rename = "shared top")]
    SharedTop {
        /// Name of the object.
        object: String,
        /// Length; without it 24 for IPv4 and 64 for IPv6. IPv4 stops at 32.
        bits: Option<u8>,
        /// Most rows; without it 20.
        limit: Option<usize>,
        /// As above.
        from: Option<String>,
    },
    /// What is here; everybody who is let in may ask.
    Hello,
    /// What the members of the bus agree on.
    Cluster,
    /// Leave the bus and join it again; for root and the daemon's own user.
    #[serde(rename = "cluster reset")]
    Reset,
    /// Have nodes carry out a command; a manager collects their answers.
    Broadcast(all::BroadcastRequest),
    /// The collected answers to a command.
    Retrieve(all::RetrieveRequest),
    /// Forget the collected answers.
    #[serde(rename = "flush control cache")]
    Flush,
    /// Have nodes carry out a command, and gather their answers.
    All(all::AllRequest),
    /// How far the counts are from what the kernel's socket table says.
    Drift,
    /// The addresses that the cluster shares.
    Vips,
    /// Have them go to a node.
    #[serde(rename = "vip move")]
    VipMove(vip::MoveRequest),
    /// Have a node have none, or let it have some again.
    #[serde(rename = "vip drain")]
    VipDrain(vip::DrainRequest),
    /// Tell the members again what this node would hold, and the links what it has.
    #[serde(rename = "vip announce")]
    VipAnnounce,
    /// The latest moves.
    #[serde(rename = "vip history")]
    VipHistory,
    /// Tell moves in detail in the log, or no longer.
    #[serde(rename = "vip debug")]
    VipDebug {
        /// Whether to.
        on: bool,
    },
    /// Who this host heard of on the links of managed addresses.
    Arp,
}

/// What went wrong, instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What, and what to do.
    pub error: String,
    /// What is wrong with a configuration that is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<config::DiagnosticRow>,
    /// The same, laid out for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub report: String,
}

impl Failure {
    /// Returns a failure that says `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self { error: text.into(), diagnostics: Vec::new(), report: String::new() }
    }

    pub(super) fn nonsense(error: &serde_json::Error) -> Self {
        Self::new(format!(
            "the request is not understood: {error}; send one line such as {{\"ask\":\"status\"}}"
        ))
    }
}

/// The bus, as far as `status` tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusStatus {
    /// The engine: `corosync`, or `solo` for a process that is alone on its bus.
    pub engine: String,
    /// Epoch of the agreed view; none while this node is on no bus.
    pub epoch: Option<u64>,
    /// Members of that view.
    pub members: usize,
    /// Name of its leader.
    pub leader: Option<String>,
    /// The members are still to agree on a new view.
    pub forming: bool,
    /// Messages this node has sent on the bus.
    pub sent: u64,
    /// Messages and configurations delivered to it.
    pub received: u64,
    /// Commands and answers dropped because too much waited for the bus.
    pub unsent: u64,
}

/// Answer to `status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Node name.
    pub node: String,
    /// `node` or `manager`.
    #[serde(default)]
    pub role: String,
    /// Address of the mesh listener; none on a node that is alone.
    pub address: Option<String>,
    /// `cluster_group`.
    pub cluster_group: String,
    /// Life of this process.
    pub incarnation: u64,
    /// Version of the program.
    pub version: String,
    /// `starting` while the kernel programs are loaded, `ready`, or `degraded` with reasons in `troubles`.
    pub state: String,
    /// Seconds since the process started.
    pub uptime_s: f64,
    /// Nodes by state, this one included.
    pub members: MemberCounts,
    /// The replicated objects.
    pub objects: Vec<ObjectStatus>,
    /// The kernel's side.
    pub kernel: KernelStatus,
    /// The same as the answer to `drift`.
    pub drift: Drift,
    /// The bus.
    #[serde(default)]
    pub bus: BusStatus,
    /// What crossed the mesh since the start.
    pub mesh: MeshStatus,
    /// The thread that says that this node lives, and hears who else does.
    #[serde(default)]
    pub heartbeats: HeartbeatStatus,
    /// What an operator should look at; empty when all is well.
    pub troubles: Vec<String>,
}

/// Nodes by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberCounts {
    /// Heard lately, or this node.
    pub alive: usize,
    /// Silent for a moment.
    pub suspect: usize,
    /// Left or silent for long.
    pub gone: usize,
}

/// One object in `status` and `shared list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectStatus {
    /// Its name.
    pub object: String,
    /// What it is: `cidrtree`.
    pub kind: String,
    /// Told to peers.
    pub replicated: bool,
    /// Hosts this node counts.
    pub own_hosts: usize,
    /// Open now on this node.
    pub own_current: u64,
    /// Opened on this node since each host was first seen.
    pub own_total: u64,
    /// The same over all nodes.
    pub hosts: usize,
    /// Open now on all nodes.
    pub current: u64,
    /// Opened on all nodes.
    pub total: u64,
}

/// The kernel's side in `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelStatus {
    /// Directory of the pinned maps and links.
    pub bpffs: String,
    /// Directory the programs are attached to.
    pub cgroup: String,
    /// The maps were there already and were taken over.
    pub adopted: bool,
    /// One row a direction.
    pub tables: Vec<KernelTable>,
    /// Connections older than the attach that are counted from the socket table.
    pub seeded: u64,
    /// Change notices that found no room; each is followed by a full read.
    pub notices_lost: u64,
    /// Connections that were counted late, by the next sweep of the socket table.
    pub deferred: u64,
}

/// A host table of the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelTable {
    /// Its name, which is that of its pin.
    pub table: String,
    /// Hosts in it.
    pub used: u64,
    /// Hosts it can hold.
    pub max: u64,
    /// Connections that were not counted because it was full; counted late if they outlast that.
    pub refused: u64,
    /// Idle hosts taken out to make room since the daemon started.
    pub reclaimed: u64,
}

/// The mesh in `status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshStatus {
    /// Bytes written to peers.
    pub sent_bytes: u64,
    /// Write operations.
    pub writes: u64,
    /// Bytes read from peers.
    pub received_bytes: u64,
    /// Read operations.
    pub reads: u64,
    /// Frames read.
    pub frames: u64,
    /// Connections refused: garbage, strangers, wrong names.
    pub refused: u64,
}

/// Heartbeat datagrams in `status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeartbeatStatus {
    /// How their thread runs beside others: `real-time`, `nice` or `ordinary`.
    pub priority: String,
    /// Sent, to all nodes together.
    pub sent: u64,
    /// Arrived and not taken, by reason: `foreign`, `version`, `damaged`, `unknown`, `address`.
    pub refused: BTreeMap<String, u64>,
    /// Times that suspicions had to wait for the cluster thread because too many did.
    pub deferred: u64,
    /// The most seconds by which the thread ran late since the start.
    pub late_max_s: f64,
}

/// Answer to `membership`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Membership {
    /// All configured nodes, by name.
    pub members: Vec<MemberRow>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberRow {
    /// Node name.
    pub name: String,
    /// Its address in the peer list; none on a node that is alone.
    pub address: Option<String>,
    /// `alive`, `suspect` or `gone`.
    pub state: String,
    /// Life of its process; none when it was never heard.
    pub incarnation: Option<u64>,
    /// This node's own row.
    #[serde(rename = "self")]
    pub own: bool,
    /// Seconds in that state.
    pub since_s: f64,
    /// Seconds since something of it arrived.
    pub heard_s: f64,
    /// All it counts has arrived here.
    pub complete: bool,
    /// Times it was too slow and got the full state again.
    pub lagged: u64,
    /// Gaps in what it sent.
    pub gaps: u64,
    /// What stands between this node and it.
    pub trouble: Option<String>,
    /// Its heartbeat datagrams; none for this node.
    #[serde(default)]
    pub heartbeats: Option<Heartbeats>,
}

/// One node's heartbeat datagrams, since the start of this one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heartbeats {
    /// Seconds since one arrived; none if none did.
    pub heard_s: Option<f64>,
    /// They have stopped.
    pub suspect: bool,
    /// Life of the process that sends them.
    pub incarnation: Option<u64>,
    /// Seconds between two, as it says.
    pub interval_s: Option<f64>,
    /// Taken.
    pub heard: u64,
    /// Never arrived.
    pub lost: u64,
    /// Arrived after a later one.
    pub reordered: u64,
    /// Arrived again.
    pub repeated: u64,
    /// Of an earlier life, or very late.
    pub stale: u64,
    /// Of this node to that one: not taken by the kernel.
    pub unsent: u64,
    /// Times they stopped.
    pub suspicions: u64,
    /// The most seconds between two that raised no suspicion.
    pub gap_max_s: f64,
    /// Epoch of the agreed view as it says; 0 when it has none.
    pub view_epoch: u64,
    /// Digest of that view, hexadecimal.
    pub view_digest: String,
}

/// Answer to `shared list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedList {
    /// The objects.
    pub objects: Vec<ObjectStatus>,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRow {
    /// Prefix in CIDR form; a host has the full length.
    pub prefix: String,
    /// Open now.
    pub current: u64,
    /// Opened since each host was first seen.
    pub total: u64,
}

/// Answer to `shared show`, as a client reads it. The daemon writes it row by row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedShow {
    /// Name of the object.
    pub object: String,
    /// `cidrtree`.
    pub kind: String,
    /// `global`, or the node whose view it is.
    pub view: String,
    /// Private name under which that node sends it; none for `global`, and for a node that is not in the agreed view.
    #[serde(default)]
    pub sender: Option<String>,
    /// Hosts and branching prefixes, shorter first, low before high, IPv4 before IPv6.
    pub entries: Vec<EntryRow>,
}

/// Answer to `shared query`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedQuery {
    /// Name of the object.
    pub object: String,
    /// As above.
    pub view: String,
    /// As asked, bits below it cleared.
    pub prefix: String,
    /// Open now below it.
    pub current: u64,
    /// Opened below it.
    pub total: u64,
}

/// Answer to `shared top`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedTop {
    /// Name of the object.
    pub object: String,
    /// As above.
    pub view: String,
    /// Length asked for; none where each family has its own.
    pub bits: Option<u8>,
    /// Busiest first.
    pub entries: Vec<EntryRow>,
}

/// Answer to `drift`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// Connections by which the inbound counts were off at the latest audit.
    pub inbound: u64,
    /// The same of the outbound counts.
    pub outbound: u64,
    /// Audits since the start.
    pub audits: u64,
    /// Connections by which counts were put right since the start.
    pub repaired: u64,
    /// Hosts whose change was counted and not told the cluster, since the start; they were told again.
    #[serde(default)]
    pub untold: u64,
}

//! The module `cluster`: this node, the objects it shares, the topology of its addresses.
//!
//! Source: reference sections 2.1 to 2.5 and 4.2 to 4.3.
use super::{BUFFER_MAX, Form, HOUR, Instance, Kind, Live, Row, SHORT, ScopeRow};
use crate::{bounds, time::Span};

pub(super) const SCOPES: &[ScopeRow] = &[
    ScopeRow::new("cluster", Instance::None, "This node's part in the cluster, and what the nodes share."),
    ScopeRow::new(
        "cluster::Replicate",
        Instance::Named("object"),
        "An object that every node counts and all nodes see as one.",
    ),
    ScopeRow::new(
        "cluster::Topology",
        Instance::Named("10.1.1.0/24"),
        "The interface that carries the addresses of a CIDR block.",
    )
    .form(Form::Cidr),
];

pub(super) const OPTIONS: &[Row] = &[
    Row::new(
        CLUSTER,
        "enabled",
        Kind::Bool,
        "Whether this node takes part in the cluster; when false it counts alone.",
    )
    .default("true"),
    Row::new(
        CLUSTER,
        "nodename",
        Kind::Name,
        "Name of this node; unset means EC_NODE_NAME, else the host name up to its first dot.",
    )
    .live(Live::Restart),
    Row::new(
        CLUSTER,
        "nodeaddr",
        Kind::Ip,
        "Address of this node on the cluster network; unset means its entry in `peers`.",
    )
    .changed(
        "the address of `nodename`, looked up",
        "a resolver that fails must not decide who a node is; the peers list has the address",
    ),
    Row::new(
        CLUSTER,
        "cluster_group",
        Kind::Name,
        "Name of the cluster; nodes of different groups do not talk to each other.",
    )
    .default("ec_cluster")
    .live(Live::Restart),
    Row::new(
        CLUSTER,
        "cluster_listener",
        Kind::Endpoint,
        "Where the other nodes reach this one, when there is no `ECCluster_Listener`. Deprecated.",
    )
    .changed("*:4802", "unset, the sockets are those of `ECCluster_Listener`, and that is its default"),
    Row::new(CLUSTER, "control_group", Kind::Text, "Group on which nodes accept console commands.")
        .default("ec_console"),
    Row::new(
        CLUSTER,
        "heartbeats_per_sec",
        Kind::Int(&[(1, 200)]),
        "Heartbeats sent to every peer each second.",
    )
    .default("10")
    .changed(
        "1",
        "a silent node is suspected within half a second instead of five; ten small frames a second cost nothing",
    ),
    Row::new(
        CLUSTER,
        "heartbeat_start_delay",
        Kind::Seconds(Span::ZERO, HOUR),
        "Time after start before silence of a peer counts against it.",
    )
    .default("0")
    .changed(
        "15",
        "a node that was not running forgives silence by itself; 15 s would let the counts of a dead peer stand",
    ),
    Row::new(
        CLUSTER,
        "debug_level",
        Kind::Level,
        "Least level that is logged: DEBUG, INFO, WARNING or ERROR; the others mean the next one.",
    )
    .default("INFO")
    .changed(
        "ERROR",
        "few lines are logged, and who came, went or reloaded is among them; set CONVOY_LOG to overrule it",
    ),
    Row::new(
        CLUSTER,
        "inbound_ports",
        Kind::Int(&[(1, 65_535)]),
        "Local ports whose connections count as inbound.",
    )
    .array()
    .default(PORTS)
    .ours(),
    Row::new(
        CLUSTER,
        "outbound_ports",
        Kind::Int(&[(1, 65_535)]),
        "Remote ports whose connections count as outbound.",
    )
    .array()
    .default(PORTS)
    .ours(),
    Row::new(
        CLUSTER,
        "audit_interval",
        Kind::Seconds(Span::from_secs(1), HOUR),
        "Time between two comparisons of the counts with the kernel's own list of connections.",
    )
    .default("10")
    .ours(),
    Row::new(
        CLUSTER,
        "ignore_names",
        Kind::Text,
        "Names of options and scopes that are the mail server's although Convoy does not know them.",
    )
    .array()
    .default("( )")
    .ours(),
    // --- log aggregation ---
    Row::new(CLUSTER, "logs", Kind::Path, "Logs that are published to managers: name = directory of the jlog.")
        .dictionary()
        .default(LOGS)
        .live(Live::NoEffect),
    Row::new(
        CLUSTER,
        "log_active_interval",
        Kind::Seconds(Span::ZERO, HOUR),
        "Pause between two segments while more are waiting.",
    )
    .default("1")
    .live(Live::NoEffect),
    Row::new(
        CLUSTER,
        "log_idle_interval",
        Kind::Seconds(SHORT, HOUR),
        "Pause before looking again when no segment is waiting.",
    )
    .default("10")
    .live(Live::NoEffect),
    Row::new(CLUSTER, "log_group", Kind::Text, "Group to which lines of the panic log are sent too.")
        .live(Live::NoEffect),
    Row::new(
        CLUSTER_AND_GLOBAL,
        "tcp_buffer_size",
        Kind::Int(&[(0, BUFFER_MAX)]),
        "Socket buffers of outbound connections, in bytes.",
    )
    .default("32768")
    .live(Live::Mta),
    // --- cluster::Replicate ---
    Row::new(
        REPLICATE,
        "type",
        Kind::Choice(TYPES),
        "Kind of object; unset means the kind the instance is named after.",
    ),
    Row::new(
        REPLICATE,
        "class",
        Kind::Choice(TYPES),
        "Kind of object when the instance has a name of its own.",
    ),
    Row::new(
        REPLICATE,
        "max_delay",
        Kind::Seconds(Span::ZERO, Span::from_secs(60)),
        "Longest time a change waits for others before it is sent; 0 sends at once.",
    )
    .default("0.01")
    .changed(
        "1.0",
        "a limit that lags a second lets a burst through; frames of 10 ms still carry many changes each",
    ),
    Row::new(
        REPLICATE,
        "max_pending",
        Kind::Int(&[(1, 1_000_000)]),
        "Most changes that wait; the next one sends them all.",
    )
    .default("4096")
    .changed(
        "100",
        "a busy host changes more than 100 entries in 10 ms; small frames cost more than they save",
    ),
    Row::new(
        REPLICATE,
        "max_size",
        Kind::Int(&[(-1, -1), (1, bounds::OBJECT_HOSTS_MAX as i64)]),
        "Most hosts in this node's own table of the object.",
    )
    .default("-1")
    .live(Live::Restart)
    .changed(
        "-1 (the largest integer), for caches only",
        "a CIDR object lives in a kernel table of fixed size; -1 means 524288 hosts",
    ),
    Row::new(
        REPLICATE,
        "parameters",
        Kind::List(PARAMETERS),
        "Modes of the object, separated by semicolons; none for CIDR objects.",
    )
    .live(Live::NoEffect),
    Row::new(REPLICATE, "binding_group", Kind::Text, "Restricts the object to one binding group.")
        .live(Live::NoEffect),
    // --- cluster::Topology ---
    Row::new(TOPOLOGY, "interface", Kind::Text, "Interface that receives the addresses of the block."),
    Row::new(
        TOPOLOGY,
        "cidrmask",
        Kind::Int(&[(0, 128)]),
        "Prefix length of an address added to the interface; 32 is right in practice, for IPv6 128, its default there.",
    )
    .default("32"),
];

/// Kinds of replicated object, of which this version counts the first two (reference section 4.2).
const TYPES: &[&str] = &[
    "inbound_cidr",
    "outbound_cidr",
    "outbound_domains",
    "outbound_binding_domains",
    "shared_named_throttles",
    "OBTM",
    "OBTC",
    "metrics",
    "eccmgr_metrics",
    "cache",
];

/// Reference section 4.3.
const PARAMETERS: &[&str] = &[
    "snapshot",
    "connect",
    "reception",
    "rejection",
    "delivery",
    "transfail",
    "permfail",
    "audit_series",
    "gauge_cache",
];

const CLUSTER: &[&str] = &["cluster"];
const CLUSTER_AND_GLOBAL: &[&str] = &["cluster", ""];
const REPLICATE: &[&str] = &["cluster::Replicate"];
const TOPOLOGY: &[&str] = &["cluster::Topology"];

/// Submission and transfer: RFC 5321, RFC 8314, RFC 6409, and the usual second submission port.
const PORTS: &str = "( 25 465 587 2525 )";

/// Reference section 2.3.
const LOGS: &str = "[ \
    rejectlog = \"/var/log/ecelerity/rejectlog.cluster\"  \
    paniclog = \"/var/log/ecelerity/paniclog.cluster\"  \
    mainlog = \"/var/log/ecelerity/mainlog.cluster\"  \
    acctlog = \"/var/log/ecelerity/acctlog.cluster\"  \
    bouncelog = \"/var/log/ecelerity/bouncelog.cluster\" ]";

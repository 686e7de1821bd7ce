//! The table of scopes and options. docs/configuration/options.md is generated from it.
//!
//! Source: reference sections 2.1, 2.4, 2.5, 3.1 and 3.3; rows marked `Ours` are Convoy's own.
use super::{Fallback, Instance, Kind, Live, Origin, Row, ScopeRow, Shape};
use crate::{bounds, time::Span};

/// All scopes, outer before inner.
pub const SCOPES: &[ScopeRow] = &[
    scope("cluster", Instance::None, "This node's part in the cluster, and what the nodes share."),
    scope(
        "cluster::Replicate",
        Instance::Named("object"),
        "An object that every node counts and all nodes see as one.",
    ),
    scope(
        "cluster::Topology",
        Instance::Named("10.1.1.0/24"),
        "The interface that carries the addresses of a CIDR block.",
    ),
    scope("msgc_server", Instance::None, "The members of the cluster, and how to reach them."),
    scope("msgc_client", Instance::None, "How a process of this host attaches to the group communication."),
    scope("msgcserver_listener", Instance::None, "Where group communication is accepted."),
    scope("msgcserver_listener::Listen", Instance::Named(":4809"), "One socket of the listener."),
    scope("ECCluster_Listener", Instance::None, "Where the other nodes reach this one, point to point."),
    scope(
        "ECCluster_Listener::Listen",
        Instance::Named("*:4802"),
        "One socket of the listener; options not set here are the listener's.",
    ),
];

/// Names of the reference that this version does not read: scope, name, what to do about it.
pub const NOT_READ: &[(&str, &str, &str)] = &[
    ("cluster", "mbus_daemon", "the Spread bus is gone since 3.4; remove the option"),
    ("cluster", "cluster_listener", "write `ECCluster_Listener { Listen \"*:4802\" {} }` outside `cluster`"),
    (
        "cluster",
        "subcluster",
        "the subcluster comes from the environment variable EC_SUB_CLUSTER; remove the option",
    ),
    ("cluster", "dml", "the statistics pipeline of version 2 is gone; remove the option"),
    ("cluster", "replicate", "write one `Replicate \"object\" {}` scope for each object"),
    (
        "cluster::Replicate",
        "replication_name",
        "the name of the scope is the name of the object; remove the option",
    ),
    ("cluster", "logs", NOT_YET),
    ("cluster", "log_group", NOT_YET),
    ("cluster", "log_active_interval", NOT_YET),
    ("cluster", "log_idle_interval", NOT_YET),
    ("cluster", "arp_all_hosts", NOT_YET),
    ("cluster", "duravip_balance_set_size", NOT_YET),
    ("cluster", "if_check_interval", NOT_YET),
    ("cluster", "if_down_limit", NOT_YET),
    ("cluster", "unconditional_rebind", NOT_YET),
    ("cluster", "view_balance_interval", NOT_YET),
    ("cluster", "view_broadcast_interval", NOT_YET),
    ("cluster", "view_mature_time", NOT_YET),
    (
        "cluster",
        "tcp_buffer_size",
        "set tcp_recv_buffer_size and tcp_send_buffer_size in `ECCluster_Listener`",
    ),
];

const NOT_YET: &str = "this version has nothing it would act on";

/// All options, by scope.
pub const OPTIONS: &[Row] = &[
    // --- cluster ---
    Row {
        default: Some("true"),
        live: Live::Restart,
        ..row(
            CLUSTER,
            "enabled",
            Kind::Bool,
            "Whether this node takes part in the cluster; when false it counts alone.",
        )
    },
    Row {
        live: Live::Restart,
        ..row(
            CLUSTER,
            "nodename",
            Kind::Name,
            "Name of this node; unset means EC_NODE_NAME, else the host name up to its first dot.",
        )
    },
    Row {
        live: Live::Restart,
        ..row(
            CLUSTER,
            "nodeaddr",
            Kind::Ip,
            "Address of this node on the cluster network; unset means its entry in `peers`.",
        )
    },
    Row {
        default: Some("ec_cluster"),
        live: Live::Restart,
        ..row(
            CLUSTER,
            "cluster_group",
            Kind::Name,
            "Name of the cluster; nodes of different groups do not talk to each other.",
        )
    },
    Row {
        default: Some("ec_console"),
        live: Live::NoEffect,
        ..row(CLUSTER, "control_group", Kind::Text, "Group on which nodes accept console commands.")
    },
    Row {
        default: Some("10"),
        origin: Origin::Changed {
            reference: "1",
            why: "a silent node is suspected within half a second instead of five; ten small frames a second cost nothing",
        },
        ..row(
            CLUSTER,
            "heartbeats_per_sec",
            Kind::Int(&[(1, 200)]),
            "Heartbeats sent to every peer each second.",
        )
    },
    Row {
        default: Some("15"),
        live: Live::NoEffect,
        ..row(
            CLUSTER,
            "heartbeat_start_delay",
            Kind::Seconds(Span::ZERO, HOUR),
            "Time after start before silence of a peer counts against it.",
        )
    },
    level(CLUSTER, "Least level that is logged."),
    Row {
        default: Some(PORTS),
        shape: Shape::Array,
        origin: Origin::Ours,
        live: Live::Restart,
        ..row(
            CLUSTER,
            "inbound_ports",
            Kind::Int(&[(1, 65_535)]),
            "Local ports whose connections count as inbound.",
        )
    },
    Row {
        default: Some(PORTS),
        shape: Shape::Array,
        origin: Origin::Ours,
        live: Live::Restart,
        ..row(
            CLUSTER,
            "outbound_ports",
            Kind::Int(&[(1, 65_535)]),
            "Remote ports whose connections count as outbound.",
        )
    },
    Row {
        default: Some("10"),
        origin: Origin::Ours,
        live: Live::Restart,
        ..row(
            CLUSTER,
            "audit_interval",
            Kind::Seconds(Span::from_secs(1), HOUR),
            "Time between two comparisons of the counts with the kernel's own list of connections.",
        )
    },
    // --- cluster::Replicate ---
    row(
        REPLICATE,
        "type",
        Kind::Choice(TYPES),
        "Kind of object; unset means the kind the instance is named after.",
    ),
    row(REPLICATE, "class", Kind::Choice(TYPES), "Kind of object when the instance has a name of its own."),
    Row {
        default: Some("0.01"),
        origin: Origin::Changed {
            reference: "1.0",
            why: "a limit that lags a second lets a burst through; frames of 10 ms still carry many changes each",
        },
        ..row(
            REPLICATE,
            "max_delay",
            Kind::Seconds(Span::ZERO, Span::from_secs(60)),
            "Longest time a change waits for others before it is sent; 0 sends at once.",
        )
    },
    Row {
        default: Some("4096"),
        origin: Origin::Changed {
            reference: "100",
            why: "a busy host changes more than 100 entries in 10 ms; small frames cost more than they save",
        },
        ..row(
            REPLICATE,
            "max_pending",
            Kind::Int(&[(1, 1_000_000)]),
            "Most changes that wait; the next one sends them all.",
        )
    },
    Row {
        default: Some("-1"),
        origin: Origin::Changed {
            reference: "-1 (the largest integer), for caches only",
            why: "a CIDR object lives in a kernel table of fixed size; -1 means 524288 hosts",
        },
        live: Live::Restart,
        ..row(
            REPLICATE,
            "max_size",
            Kind::Int(&[(-1, -1), (1, bounds::OBJECT_HOSTS_MAX as i64)]),
            "Most hosts in this node's own table of the object.",
        )
    },
    Row {
        live: Live::NoEffect,
        ..row(
            REPLICATE,
            "parameters",
            Kind::List,
            "Modes of the object, separated by semicolons; none for CIDR objects.",
        )
    },
    Row {
        live: Live::NoEffect,
        ..row(REPLICATE, "binding_group", Kind::Text, "Restricts the object to one binding group.")
    },
    // --- cluster::Topology ---
    Row {
        live: Live::NoEffect,
        ..row(TOPOLOGY, "interface", Kind::Text, "Interface that receives the addresses of the block.")
    },
    Row {
        default: Some("32"),
        live: Live::NoEffect,
        ..row(
            TOPOLOGY,
            "cidrmask",
            Kind::Int(&[(0, 128)]),
            "Prefix length of an address added to the interface.",
        )
    },
    // --- msgc_server, msgc_client ---
    Row {
        default: Some("[ ]"),
        shape: Shape::Dictionary,
        ..row(
            SERVER,
            "peers",
            Kind::Ip,
            "All members of the cluster, this node included: name = address. Empty means this node is alone.",
        )
    },
    Row {
        default: Some("4809"),
        live: Live::NoEffect,
        ..row(SERVER, "port", Kind::Int(&[(1, 65_535)]), "Port of group communication on every member.")
    },
    Row {
        default: Some("( \"127.0.0.1:4809\" )"),
        shape: Shape::Array,
        live: Live::NoEffect,
        ..row(CLIENT, "server", Kind::Endpoint, "Servers to attach to.")
    },
    Row { live: Live::NoEffect, ..row(CLIENT, "bind_address", Kind::Ip, "Local address of the connection.") },
    Row {
        default: Some("60"),
        live: Live::NoEffect,
        ..row(
            SERVER,
            "connect_timeout",
            Kind::Seconds(SHORT, HOUR),
            "Longest wait for a peer to accept a connection.",
        )
    },
    Row {
        default: Some("30"),
        live: Live::NoEffect,
        ..row(
            SERVER,
            "idle_timeout",
            Kind::Seconds(SHORT, HOUR),
            "A connection that stays silent for this long is closed.",
        )
    },
    Row {
        default: Some("5"),
        live: Live::NoEffect,
        ..row(
            SERVER,
            "keepalive_interval",
            Kind::Seconds(SHORT, HOUR),
            "Time between two signs of life on an idle connection.",
        )
    },
    Row {
        default: Some("1"),
        origin: Origin::Changed {
            reference: "5",
            why: "a restarted node is complete again when its peers have connected; one attempt a second costs nothing",
        },
        ..row(
            SERVER,
            "reconnect_interval",
            Kind::Seconds(SHORT, HOUR),
            "Wait after a failed connection before the next attempt.",
        )
    },
    Row {
        default: Some("5000"),
        live: Live::NoEffect,
        ..row(
            SERVER,
            "max_backlog",
            Kind::Int(&[(1, 1_000_000)]),
            "Frames that may wait for one peer; with more the connection is closed and begun again.",
        )
    },
    Row {
        default: Some("20"),
        live: Live::NoEffect,
        ..row(
            SERVER,
            "messages_per_iter",
            Kind::Int(&[(1, 100_000)]),
            "Frames handled for one connection before the next one has its turn.",
        )
    },
    Row {
        default: Some("131072"),
        live: Live::NoEffect,
        ..row(
            SERVER,
            "tcpbuf_size",
            Kind::Int(&[(0, BUFFER_MAX)]),
            "Socket buffers of connections to peers, in bytes; 0 leaves them to the kernel.",
        )
    },
    level(SERVER, "Least level that is logged."),
    Row {
        default: Some("60"),
        live: Live::NoEffect,
        ..row(
            CLIENT,
            "connect_timeout",
            Kind::Seconds(SHORT, HOUR),
            "Longest wait for the server to accept a connection.",
        )
    },
    Row {
        default: Some("30"),
        live: Live::NoEffect,
        ..row(
            CLIENT,
            "idle_timeout",
            Kind::Seconds(SHORT, HOUR),
            "A connection that stays silent for this long is closed.",
        )
    },
    Row {
        default: Some("5"),
        live: Live::NoEffect,
        ..row(
            CLIENT,
            "keepalive_interval",
            Kind::Seconds(SHORT, HOUR),
            "Time between two signs of life on an idle connection.",
        )
    },
    Row {
        default: Some("5"),
        live: Live::NoEffect,
        ..row(
            CLIENT,
            "reconnect_interval",
            Kind::Seconds(SHORT, HOUR),
            "Wait after a failed connection before the next attempt.",
        )
    },
    Row {
        default: Some("5000"),
        live: Live::NoEffect,
        ..row(CLIENT, "max_backlog", Kind::Int(&[(1, 1_000_000)]), "Frames that may wait for the server.")
    },
    Row {
        default: Some("20"),
        live: Live::NoEffect,
        ..row(
            CLIENT,
            "messages_per_iter",
            Kind::Int(&[(1, 100_000)]),
            "Frames handled before other work has its turn.",
        )
    },
    Row {
        default: Some("131072"),
        live: Live::NoEffect,
        ..row(
            CLIENT,
            "tcpbuf_size",
            Kind::Int(&[(0, BUFFER_MAX)]),
            "Socket buffers, in bytes; 0 leaves them to the kernel.",
        )
    },
    level(CLIENT, "Least level that is logged."),
    // --- listeners ---
    Row {
        default: Some("true"),
        live: Live::Restart,
        fallback: Fallback::Listener,
        ..row(LISTENER, "enable", Kind::Bool, "Whether the socket is bound.")
    },
    Row {
        default: Some("500"),
        live: Live::NoEffect,
        fallback: Fallback::Listener,
        ..row(
            LISTENER,
            "listen_backlog",
            Kind::Int(&[(1, 65_535)]),
            "Connections the kernel keeps until they are accepted.",
        )
    },
    Row {
        default: Some("true"),
        live: Live::NoEffect,
        origin: Origin::Changed {
            reference: "false",
            why: "a change must not wait for the acknowledgement of the one before it",
        },
        fallback: Fallback::Listener,
        ..row(
            LISTENER,
            "disable_nagle_algorithm",
            Kind::Bool,
            "Whether small frames are sent at once (TCP_NODELAY).",
        )
    },
    Row {
        default: Some("0"),
        live: Live::NoEffect,
        origin: Origin::Changed {
            reference: "4096",
            why: "4096 bytes in flight make a full state crawl; the kernel's own sizing is better than any constant",
        },
        fallback: Fallback::Listener,
        ..row(
            LISTENER,
            "tcp_recv_buffer_size",
            Kind::Int(&[(0, BUFFER_MAX)]),
            "Receive buffer in bytes; 0 leaves it to the kernel.",
        )
    },
    Row {
        default: Some("0"),
        live: Live::NoEffect,
        origin: Origin::Changed { reference: "4096", why: "as for tcp_recv_buffer_size" },
        fallback: Fallback::Listener,
        ..row(
            LISTENER,
            "tcp_send_buffer_size",
            Kind::Int(&[(0, BUFFER_MAX)]),
            "Send buffer in bytes; 0 leaves it to the kernel.",
        )
    },
    Row {
        default: Some("0"),
        live: Live::NoEffect,
        fallback: Fallback::Listener,
        ..row(
            LISTENER,
            "accept_queue_backlog",
            Kind::Int(&[(0, 1_000_000)]),
            "Accepted connections that may wait for the scheduler.",
        )
    },
    Row {
        default: Some("0"),
        live: Live::NoEffect,
        fallback: Fallback::Listener,
        ..row(LISTENER, "concurrency", Kind::Int(&[(0, 1_024)]), "Threads that accept.")
    },
    Row {
        default: Some("0"),
        live: Live::NoEffect,
        fallback: Fallback::Listener,
        ..row(
            LISTENER,
            "events_per_iter",
            Kind::Int(&[(0, 1_000_000)]),
            "Events handled in one pass of the scheduler.",
        )
    },
    Row {
        default: Some("0660"),
        live: Live::NoEffect,
        fallback: Fallback::Listener,
        ..row(LISTENER, "file_mode", Kind::Permissions, "Mode of a Unix socket.")
    },
    Row {
        live: Live::NoEffect,
        fallback: Fallback::Listener,
        ..row(LISTENER, "pool_name", Kind::Text, "Thread pool that accepts.")
    },
    Row {
        default: Some("true"),
        live: Live::NoEffect,
        fallback: Fallback::Listener,
        ..row(MSGC_LISTENER, "enable", Kind::Bool, "Whether the socket is bound.")
    },
    Row {
        default: Some("0"),
        live: Live::NoEffect,
        fallback: Fallback::Listener,
        ..row(
            MSGC_LISTENER,
            "accept_queue_backlog",
            Kind::Int(&[(0, 1_000_000)]),
            "Accepted connections that may wait for the scheduler.",
        )
    },
    Row {
        default: Some("0660"),
        live: Live::NoEffect,
        fallback: Fallback::Listener,
        ..row(MSGC_LISTENER, "file_mode", Kind::Permissions, "Mode of a Unix socket.")
    },
];

/// Kinds of replicated object, of which this version knows the first two (reference section 4.2).
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

const CLUSTER: &[&str] = &["cluster"];
const REPLICATE: &[&str] = &["cluster::Replicate"];
const TOPOLOGY: &[&str] = &["cluster::Topology"];
const SERVER: &[&str] = &["msgc_server"];
const CLIENT: &[&str] = &["msgc_client"];
const LISTENER: &[&str] = &["ECCluster_Listener", "ECCluster_Listener::Listen"];
const MSGC_LISTENER: &[&str] = &["msgcserver_listener", "msgcserver_listener::Listen"];

/// Submission and transfer: RFC 5321, RFC 8314, RFC 6409, and the usual second submission port.
const PORTS: &str = "( 25 465 587 2525 )";
/// chosen: nothing here makes sense to wait longer for.
const HOUR: Span = Span::from_secs(3_600);
/// chosen: shorter than this the agent would spend its time waiting.
const SHORT: Span = Span::from_ms(10);
/// chosen: larger buffers than 64 MiB hide a stuck peer for too long.
const BUFFER_MAX: i64 = 64 << 20;

const fn scope(path: &'static str, instance: Instance, help: &'static str) -> ScopeRow {
    ScopeRow { path, instance, help }
}

const fn row(scopes: &'static [&'static str], name: &'static str, kind: Kind, help: &'static str) -> Row {
    Row {
        scopes,
        name,
        kind,
        shape: Shape::One,
        default: None,
        live: Live::Yes,
        fallback: Fallback::None,
        origin: Origin::Reference,
        help,
    }
}

const fn level(scopes: &'static [&'static str], help: &'static str) -> Row {
    Row { default: Some("ERROR"), live: Live::NoEffect, ..row(scopes, "debug_level", Kind::Level, help) }
}

//! Group communication: its servers, its client, its listener.
//!
//! Source: reference section 3.3.
use super::{BUFFER_MAX, Fallback, Form, HOUR, Instance, Kind, Live, Row, SHORT, ScopeRow};

pub(super) const SCOPES: &[ScopeRow] = &[
    ScopeRow::new("msgc_server", Instance::None, "The members of the cluster, and how to reach them."),
    ScopeRow::new(
        "msgc_client",
        Instance::None,
        "How a process of this host attaches to the group communication.",
    ),
    ScopeRow::new("msgcserver_listener", Instance::None, "Where group communication is accepted."),
    ScopeRow::new("msgcserver_listener::Listen", Instance::Named(":4809"), "One socket of the listener.")
        .form(Form::Endpoint),
];

pub(super) const OPTIONS: &[Row] = &[
    Row::new(
        SERVER,
        "peers",
        Kind::Ip,
        "All members of the cluster, this node included: name = address. Empty means this node is alone.",
    )
    .dictionary()
    .default("[ ]"),
    Row::new(
        SERVER,
        "reconnect_interval",
        Kind::Seconds(SHORT, HOUR),
        "Wait after a failed connection before the next attempt.",
    )
    .default("1")
    .changed(
        "5",
        "a restarted node is complete again when its peers have connected; one attempt a second costs nothing",
    ),
    Row::new(SERVER, "port", Kind::Int(&[(1, 65_535)]), "UDP port of the bus on every member.")
        .default("4809"),
    Row::new(
        CLIENT,
        "reconnect_interval",
        Kind::Seconds(SHORT, HOUR),
        "Wait after a failed connection before the next attempt.",
    )
    .default("5")
    .live(Live::NoEffect),
    Row::new(CLIENT, "server", Kind::Endpoint, "Servers to attach to.")
        .array()
        .default("( \"127.0.0.1:4809\" )")
        .live(Live::NoEffect),
    Row::new(CLIENT, "bind_address", Kind::Ip, "Local address of the connection.").live(Live::NoEffect),
    Row::new(BOTH, "enabled", Kind::Bool, "Whether this part of group communication runs.")
        .default("true")
        .live(Live::NoEffect),
    Row::new(
        SERVER,
        "connect_timeout",
        Kind::Seconds(SHORT, HOUR),
        "Longest wait for a peer to accept a connection.",
    )
    .default("5")
    .changed("60", "a node that comes back must not wait for the slow repetitions of an old attempt"),
    Row::new(
        CLIENT,
        "connect_timeout",
        Kind::Seconds(SHORT, HOUR),
        "Longest wait for the server to accept a connection.",
    )
    .default("60")
    .live(Live::NoEffect),
    Row::new(BOTH, "debug_level", Kind::Level, "Least level that is logged.")
    .default("ERROR")
    .live(Live::NoEffect),
    Row::new(
        BOTH,
        "idle_timeout",
        Kind::Seconds(SHORT, HOUR),
        "A member that stays silent for this long counts no more, although it is in the agreed view.",
    )
    .default("30"),
    Row::new(
        BOTH,
        "keepalive_interval",
        Kind::Seconds(SHORT, HOUR),
        "Time between two signs of life on an idle connection.",
    )
    .default("5")
    .live(Live::NoEffect),
    Row::new(
        BOTH,
        "max_backlog",
        Kind::Int(&[(1, 1_000_000)]),
        "Frames that may wait for one connection; with more it is closed and begun again.",
    )
    .default("5000")
    .live(Live::NoEffect),
    Row::new(
        BOTH,
        "messages_per_iter",
        Kind::Int(&[(1, 100_000)]),
        "Frames handled for one connection before the next one has its turn.",
    )
    .default("20")
    .live(Live::NoEffect),
    Row::new(
        SERVER,
        "tcpbuf_size",
        Kind::Int(&[(0, BUFFER_MAX)]),
        "Socket buffers of connections to peers, in bytes; 0 leaves them to the kernel.",
    )
    .default("0")
    .changed("131072", "as for tcp_recv_buffer_size"),
    Row::new(
        CLIENT,
        "tcpbuf_size",
        Kind::Int(&[(0, BUFFER_MAX)]),
        "Socket buffers, in bytes; 0 leaves them to the kernel.",
    )
    .default("131072")
    .live(Live::NoEffect),
    Row::new(LISTENER, "enable", Kind::Bool, "Whether the socket is bound.")
        .default("true")
        .live(Live::NoEffect)
        .fallback(Fallback::Listener),
    Row::new(
        LISTENER,
        "accept_queue_backlog",
        Kind::Int(&[(0, 1_000_000)]),
        "Accepted connections that may wait for the scheduler.",
    )
    .default("0")
    .live(Live::NoEffect)
    .fallback(Fallback::Listener),
    Row::new(LISTENER, "file_mode", Kind::Permissions, "Mode of a Unix socket.")
        .default("0660")
        .live(Live::NoEffect)
        .fallback(Fallback::Listener),
];

const SERVER: &[&str] = &["msgc_server"];
const CLIENT: &[&str] = &["msgc_client"];
const BOTH: &[&str] = &["msgc_server", "msgc_client"];
const LISTENER: &[&str] = &["msgcserver_listener", "msgcserver_listener::Listen"];

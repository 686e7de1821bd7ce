//! Where consoles reach convoyd, besides the socket in its run directory (docs/control.md).
//!
//! Source: reference section 3.2.
use super::{BUFFER_MAX, Fallback, Form, HOUR, Instance, Kind, Live, Row, ScopeRow};
use crate::time::Span;

pub(super) const SCOPES: &[ScopeRow] = &[
    ScopeRow::new(
        "Control_Listener",
        Instance::None,
        "Where consoles reach convoyd, besides the socket in its run directory.",
    ),
    ScopeRow::new("Control_Listener::Listen", Instance::Named("/tmp/2025"), "One socket of the listener.")
        .form(Form::Endpoint),
    ScopeRow::new(
        "Control_Listener::Peer",
        Instance::Named("10.0.0.0/8"),
        "What differs for clients of a CIDR block; the longest block that holds a client decides.",
    )
    .form(Form::Cidr),
    ScopeRow::new(
        "Control_Listener::Listen::Peer",
        Instance::Named("10.0.0.0/8"),
        "What differs for clients of a CIDR block on this socket.",
    )
    .form(Form::Cidr),
];

pub(super) const OPTIONS: &[Row] = &[
    Row::new(
        LISTENER,
        "timeout",
        Kind::Seconds(Span::ZERO, HOUR),
        "Time after which an idle connection is closed.",
    )
    .default("60"),
    Row::new(SOCKET, "enable", Kind::Bool, "Whether the socket is bound.")
        .default("true")
        .fallback(Fallback::Listener),
    Row::new(
        PEER,
        "Enable_Authentication",
        Kind::Bool,
        "Whether the user of a client has to be known; on loopback the kernel says it, without a password.",
    )
    .fallback(Fallback::Listener),
    Row::new(
        PEER,
        "Enable_Authorization",
        Kind::Bool,
        "Whether a command has to be allowed in scope `Authorization`.",
    )
    .fallback(Fallback::Listener),
    Row::new(PEER, "always_allow", Kind::Bool, "Clients whose user is not known are taken too.")
        .default("false")
        .fallback(Fallback::Listener),
    Row::new(PEER, "always_deny", Kind::Bool, "No client is taken; it wins over always_allow.")
        .default("false")
        .fallback(Fallback::Listener),
    Row::new(
        PEER,
        "AuthDigestMD5Parameters",
        Kind::Text,
        "Where digest passwords are found: `uri`, and perhaps `realm`, `log_authentication`.",
    )
    .dictionary()
    .live(Live::NoEffect)
    .fallback(Fallback::Listener),
    Row::new(PEER, "AuthCramMD5Parameters", Kind::Text, "Where CRAM passwords are found.")
        .dictionary()
        .live(Live::NoEffect)
        .fallback(Fallback::Listener),
    Row::new(PEER, "AuthLoginParameters", Kind::Text, "Where passwords of plain logins are found.")
        .dictionary()
        .live(Live::NoEffect)
        .fallback(Fallback::Listener),
    Row::new(PEER, "AuthorizationParameters", Kind::Text, "Where the roles of a user are found.")
        .dictionary()
        .live(Live::NoEffect)
        .fallback(Fallback::Listener),
    Row::new(
        SOCKET,
        "accept_queue_backlog",
        Kind::Int(&[(0, 1_000_000)]),
        "Accepted connections that may wait for the scheduler.",
    )
    .default("0")
    .live(Live::NoEffect)
    .fallback(Fallback::Listener),
    Row::new(SOCKET, "concurrency", Kind::Int(&[(0, 1_024)]), "Threads that accept.")
        .default("0")
        .live(Live::NoEffect)
        .fallback(Fallback::Listener),
    Row::new(SOCKET, "disable_nagle_algorithm", Kind::Bool, "Whether small packets are sent at once.")
        .default("false")
        .fallback(Fallback::Listener),
    Row::new(
        SOCKET,
        "events_per_iter",
        Kind::Int(&[(0, 1_000_000)]),
        "Events handled in one pass of the scheduler; 0 is taken as 1.",
    )
    .default("0")
    .live(Live::NoEffect)
    .fallback(Fallback::Listener),
    Row::new(SOCKET, "file_mode", Kind::Permissions, "Mode of a Unix socket.")
        .default("0660")
        .fallback(Fallback::Listener),
    Row::new(
        SOCKET,
        "listen_backlog",
        Kind::Int(&[(1, 65_535)]),
        "Connections the kernel keeps until they are accepted.",
    )
    .default("500")
    .fallback(Fallback::Listener),
    Row::new(SOCKET, "pool_name", Kind::Text, "Thread pool that accepts.")
        .live(Live::NoEffect)
        .fallback(Fallback::Listener),
    Row::new(
        SOCKET,
        "tcp_recv_buffer_size",
        Kind::Int(&[(0, BUFFER_MAX)]),
        "Receive buffer in bytes; 0 leaves it to the kernel.",
    )
    .default("0")
    .fallback(Fallback::Listener)
    .changed("4096", "a long answer would crawl; the kernel's own sizing is better than any constant"),
    Row::new(
        SOCKET,
        "tcp_send_buffer_size",
        Kind::Int(&[(0, BUFFER_MAX)]),
        "Send buffer in bytes; 0 leaves it to the kernel.",
    )
    .default("0")
    .fallback(Fallback::Listener)
    .changed("4096", "a long answer would crawl; the kernel's own sizing is better than any constant"),
    Row::new(
        GLOBAL,
        "control_client_timeout",
        Kind::Seconds(Span::ZERO, HOUR),
        "Time after which a silent connection to another console is given up.",
    )
    .default("60")
    .live(Live::Mta),
];

const GLOBAL: &[&str] = &[""];
const LISTENER: &[&str] = &["Control_Listener"];
const SOCKET: &[&str] = &["Control_Listener", "Control_Listener::Listen"];
const PEER: &[&str] = &[
    "Control_Listener",
    "Control_Listener::Listen",
    "Control_Listener::Peer",
    "Control_Listener::Listen::Peer",
];

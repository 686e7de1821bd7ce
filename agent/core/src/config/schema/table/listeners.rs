//! The listener of the cluster's own connections, and the mail server's listeners as far as addresses that move stand there.
//!
//! Source: reference section 3.1; 5.2 for the listeners of mail.
use super::{BUFFER_MAX, Fallback, Form, Instance, Kind, Live, Row, ScopeRow};

pub(super) const SCOPES: &[ScopeRow] = &[
    ScopeRow::new(
        "ECCluster_Listener",
        Instance::None,
        "Where the other nodes reach this one, point to point.",
    ),
    ScopeRow::new("ECCluster_Listener::Listen", Instance::Named("*:4802"), "One socket of the listener.")
        .form(Form::Endpoint),
    ScopeRow::new("ESMTP_Listener", Instance::None, "Where mail comes in.").mixed(),
    ScopeRow::new("ESMTP_Listener::Listen", Instance::Named(":25"), "One socket of the listener.")
        .form(Form::Endpoint)
        .mixed(),
    ScopeRow::new("ECStream_Listener", Instance::None, "Where mail comes in between servers of one kind.")
        .mixed(),
    ScopeRow::new("ECStream_Listener::Listen", Instance::Named(":1825"), "One socket of the listener.")
        .form(Form::Endpoint)
        .mixed(),
    ScopeRow::new("HTTP_Listener", Instance::None, "Where requests come in.").mixed(),
    ScopeRow::new("HTTP_Listener::Listen", Instance::Named(":80"), "One socket of the listener.")
        .form(Form::Endpoint)
        .mixed(),
    ScopeRow::new("XMPP_Listener", Instance::None, "Where XMPP connections come in.").mixed(),
    ScopeRow::new("XMPP_Listener::Listen", Instance::Named(":5222"), "One socket of the listener.")
        .form(Form::Endpoint)
        .mixed(),
];

pub(super) const OPTIONS: &[Row] = &[
    Row::new(LISTENER, "enable", Kind::Bool, "Whether the socket is bound.")
        .default("true")
        .fallback(Fallback::Listener),
    Row::new(
        LISTENER,
        "listen_backlog",
        Kind::Int(&[(1, 65_535)]),
        "Connections the kernel keeps until they are accepted.",
    )
    .default("500")
    .fallback(Fallback::Listener),
    Row::new(
        LISTENER,
        "disable_nagle_algorithm",
        Kind::Bool,
        "Whether small frames are sent at once (TCP_NODELAY).",
    )
    .default("true")
    .fallback(Fallback::Listener)
    .changed("false", "a change must not wait for the acknowledgement of the one before it"),
    Row::new(
        LISTENER,
        "tcp_recv_buffer_size",
        Kind::Int(&[(0, BUFFER_MAX)]),
        "Receive buffer in bytes; 0 leaves it to the kernel.",
    )
    .default("0")
    .fallback(Fallback::Listener)
    .changed(
        "4096",
        "4096 bytes in flight make a full state crawl; the kernel's own sizing is better than any constant",
    ),
    Row::new(
        LISTENER,
        "tcp_send_buffer_size",
        Kind::Int(&[(0, BUFFER_MAX)]),
        "Send buffer in bytes; 0 leaves it to the kernel.",
    )
    .default("0")
    .fallback(Fallback::Listener)
    .changed("4096", "as for tcp_recv_buffer_size"),
    Row::new(
        LISTENER,
        "accept_queue_backlog",
        Kind::Int(&[(0, 1_000_000)]),
        "Accepted connections that may wait for the scheduler.",
    )
    .default("0")
    .live(Live::NoEffect)
    .fallback(Fallback::Listener),
    Row::new(LISTENER, "concurrency", Kind::Int(&[(0, 1_024)]), "Threads that accept.")
        .default("0")
        .live(Live::NoEffect)
        .fallback(Fallback::Listener),
    Row::new(
        LISTENER,
        "events_per_iter",
        Kind::Int(&[(0, 1_000_000)]),
        "Events handled in one pass of the scheduler; 0 is taken as 1.",
    )
    .default("0")
    .live(Live::NoEffect)
    .fallback(Fallback::Listener),
    Row::new(LISTENER, "file_mode", Kind::Permissions, "Mode of a Unix socket.")
        .default("0660")
        .live(Live::NoEffect)
        .fallback(Fallback::Listener),
    Row::new(LISTENER, "pool_name", Kind::Text, "Thread pool that accepts.")
        .live(Live::NoEffect)
        .fallback(Fallback::Listener),
];

const LISTENER: &[&str] = &["ECCluster_Listener", "ECCluster_Listener::Listen"];

//! Addresses that move between nodes (DuraVIP), and their upkeep.
//!
//! Source: reference sections 2.1 and 5.2.
use super::{
    Fallback, HOUR, Kind, Live, Row,
    sending::{GLOBAL, SOURCES},
};
use crate::time::Span;

pub(super) const OPTIONS: &[Row] = &[
    Row::new(
        BINDINGS_AND_SOCKETS,
        "Enable_Duravip",
        Kind::Bool,
        "Whether the address belongs to the cluster: one node at a time has it.",
    )
    .default("false")
    .live(Live::NoEffect),
    Row::new(
        BINDINGS_AND_SOCKETS,
        "Duravip_Preference",
        Kind::Text,
        "Node that has the address whenever it is a member.",
    )
    .live(Live::NoEffect),
    Row::new(
        SOCKETS,
        "Duravip_Follow",
        Kind::Text,
        "Binding, or address of one, with which the address of this socket moves.",
    )
    .live(Live::NoEffect),
    Row::new(
        SOURCES,
        "bind_address",
        Kind::Address,
        "Local address of outbound connections; `*` is any. A change needs a restart of the mail server.",
    )
    .default("*")
    .live(Live::Mta)
    .fallback(Fallback::Sending),
    Row::new(
        GLOBAL,
        "use_iflist_cache",
        Kind::Bool,
        "Whether the mail server keeps its list of interfaces; for hosts with many addresses. A change needs its restart.",
    )
    .default("0")
    .live(Live::Mta),
    Row::new(
        GLOBAL,
        "binding_auto_replumb",
        Kind::Bool,
        "Whether addresses of bindings that vanish are added again; not those that move.",
    )
    .default("disabled")
    .live(Live::Mta),
    Row::new(
        GLOBAL,
        "binding_auto_replumb_interval",
        Kind::Seconds(Span::from_secs(1), HOUR),
        "Time between two looks for such addresses.",
    )
    .default("60")
    .live(Live::Mta),
    // --- in scope cluster ---
    Row::new(
        CLUSTER,
        "arp_all_hosts",
        Kind::Bool,
        "Whether a new place of an address is told to all hosts of the segment, or only to those that ask for it.",
    )
    .default("true")
    .live(Live::NoEffect),
    Row::new(
        CLUSTER,
        "duravip_balance_set_size",
        Kind::Int(&[(1, 10_240)]),
        "Addresses moved in one step of balancing; equal on all nodes, or the cluster never comes to rest.",
    )
    .default("1")
    .live(Live::NoEffect),
    Row::new(
        CLUSTER,
        "if_check_interval",
        Kind::Seconds(Span::from_secs(1), HOUR),
        "Time between two comparisons of the interfaces with the agreed view.",
    )
    .default("30")
    .live(Live::NoEffect),
    Row::new(
        CLUSTER,
        "if_down_limit",
        Kind::Int(&[(0, 3_600)]),
        "Comparisons in which an address must be missing before it is added again.",
    )
    .default("4")
    .live(Live::NoEffect),
    Row::new(
        CLUSTER,
        "unconditional_rebind",
        Kind::Bool,
        "Whether the policy is asked again for every message that moves with an address.",
    )
    .default("true")
    .live(Live::NoEffect),
    Row::new(
        CLUSTER,
        "view_balance_interval",
        Kind::Seconds(Span::from_secs(1), HOUR),
        "Time between two looks whether addresses are spread evenly.",
    )
    .default("10")
    .live(Live::NoEffect),
    Row::new(
        CLUSTER,
        "view_broadcast_interval",
        Kind::Seconds(Span::ZERO, HOUR),
        "Time between two announcements of the view without a reason; 0 is never.",
    )
    .default("0")
    .live(Live::NoEffect),
    Row::new(
        CLUSTER,
        "view_mature_time",
        Kind::Seconds(Span::ZERO, HOUR),
        "Time a view must stay unchanged before it is acted on.",
    )
    .default("5")
    .live(Live::NoEffect),
];

const CLUSTER: &[&str] = &["cluster"];
/// Every socket that a mail server opens; those of the cluster's own listeners are in the reference's table too.
pub(super) const SOCKETS: &[&str] = &[
    "ESMTP_Listener::Listen",
    "ECStream_Listener::Listen",
    "HTTP_Listener::Listen",
    "XMPP_Listener::Listen",
    "Control_Listener::Listen",
    "ECCluster_Listener::Listen",
    "msgcserver_listener::Listen",
];
const BINDINGS_AND_SOCKETS: &[&str] = &[
    "Binding",
    "Binding_Group::Binding",
    "ESMTP_Listener::Listen",
    "ECStream_Listener::Listen",
    "HTTP_Listener::Listen",
    "XMPP_Listener::Listen",
    "Control_Listener::Listen",
    "ECCluster_Listener::Listen",
    "msgcserver_listener::Listen",
];

//! Addresses that move between nodes (DuraVIP), and their upkeep.
//!
//! Source: reference sections 2.1 and 5.2.
use super::{
    Fallback, HOUR, Kind, Live, Row,
    sending::{GLOBAL, SOURCES},
};
use crate::{bounds, time::Span};

pub(super) const OPTIONS: &[Row] = &[
    Row::new(
        BINDINGS_AND_SOCKETS,
        "Enable_Duravip",
        Kind::Bool,
        "Whether the address belongs to the cluster: one node at a time has it.",
    )
    .default("false"),
    Row::new(
        BINDINGS_AND_SOCKETS,
        "Duravip_Preference",
        Kind::Text,
        "Node that has the address whenever it is a member.",
    ),
    Row::new(
        SOCKETS,
        "Duravip_Follow",
        Kind::Text,
        "Binding, or address of one, with which the address of this socket moves.",
    ),
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
    .default("true"),
    Row::new(
        CLUSTER,
        "duravip_balance_set_size",
        Kind::Int(&[(1, 10_240)]),
        "Addresses moved in one step of balancing; equal on all nodes, or the cluster never comes to rest.",
    )
    .default("1"),
    Row::new(
        CLUSTER,
        "if_check_interval",
        Kind::Seconds(Span::from_secs(1), HOUR),
        "Time between two comparisons of the interfaces with the agreed view, and pause before a refused address is tried again.",
    )
    .default("30"),
    Row::new(
        CLUSTER,
        "if_down_limit",
        Kind::Int(&[(0, 3_600)]),
        "Times within `if_check_interval` that an address which others remove is put back at once; after that it goes to another node until the interval is over.",
    )
    .default("4"),
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
    .default("10"),
    Row::new(
        CLUSTER,
        "view_broadcast_interval",
        Kind::Seconds(Span::ZERO, HOUR),
        "Time between two announcements of the view without a reason; 0 is never.",
    )
    .default("0"),
    Row::new(
        CLUSTER,
        "view_mature_time",
        Kind::Seconds(Span::ZERO, HOUR),
        "Time a view must stay unchanged before it is acted on.",
    )
    .default("5"),
    Row::new(
        CLUSTER,
        "duravip_partition",
        Kind::Choice(&["quorum", "each_side"]),
        "Who holds addresses while the cluster is cut apart: the part with more than half of the peers, or each part all.",
    )
    .default("quorum")
    .ours(),
    Row::new(
        CLUSTER,
        "duravip_lease",
        Kind::Seconds(Span::from_ms(100), Span::from_secs(10)),
        "How long the kernel answers for addresses without hearing from the daemon; equal on all nodes.",
    )
    .default("0.5")
    .ours(),
    Row::new(
        CLUSTER,
        "duravip_weight",
        Kind::Int(&[(1, 1_000)]),
        "Share of the addresses that this node gets, beside the weights of the others.",
    )
    .default("1")
    .ours(),
    Row::new(
        CLUSTER,
        "duravip_balance_by",
        Kind::Choice(&["addresses", "connections"]),
        "What is evened among the nodes, every `view_balance_interval`: the addresses that each has, or the connections.",
    )
    .default("addresses")
    .ours(),
    Row::new(
        CLUSTER,
        "duravip_standby_above",
        Kind::Int(&[(0, VIPS_MAX)]),
        "With more managed addresses than this on an interface, the node keeps all of them there, those of others silent.",
    )
    .default("512")
    .ours(),
    Row::new(
        CLUSTER,
        "duravip_refresh",
        Kind::Seconds(Span::ZERO, HOUR),
        "Time between two announcements of everything held, against forwarding tables that age; 0 is never.",
    )
    .default("300")
    .ours(),
    Row::new(
        CLUSTER,
        "duravip_hook_up",
        Kind::Path,
        "Program that runs when an address has come to this host; unset is none.",
    )
    .ours(),
    Row::new(
        CLUSTER,
        "duravip_hook_down",
        Kind::Path,
        "Program that runs before an address leaves this host; unset is none.",
    )
    .ours(),
    Row::new(
        CLUSTER,
        "duravip_hook_unit",
        Kind::Text,
        "Unit of systemd that is started when an address has come and stopped before it leaves; `name@.service` is one each.",
    )
    .ours(),
];

const CLUSTER: &[&str] = &["cluster"];
#[expect(clippy::cast_possible_wrap, reason = "it is a small constant")]
const VIPS_MAX: i64 = bounds::VIPS_MAX as i64;
/// Every socket that a mail server opens; those of the cluster's own listeners are in the reference's table too.
pub(in crate::config::schema) const SOCKETS: &[&str] = &[
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

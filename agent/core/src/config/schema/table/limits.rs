//! Limits of connections and rates, over the cluster and on one node.
//!
//! Source: reference sections 4.5 to 4.7. No limit of a node is Convoy's; they are here because the same scopes hold both and
//! all of them must hold at once.
use super::{
    Fallback, INT_MAX, Kind, Live, Row,
    sending::{GLOBAL, SENDERS, SENDERS_AND_HOSTS, SOURCES},
};

pub(super) const OPTIONS: &[Row] = &[
    Row::new(
        CONNECTIONS,
        "Cluster_Max_Outbound_Connections",
        Kind::Int(&[(-1, INT_MAX)]),
        "Most connections to a domain from the whole cluster, in `Host` to that host; -1 is no limit.",
    )
    .default("-1")
    .live(Live::NoEffect)
    .fallback(Fallback::ClusterConnections),
    Row::new(
        SENDERS_AND_HOSTS,
        "Cluster_Scope_Max_Outbound_Connections",
        Kind::Int(&[(-1, INT_MAX)]),
        "Most connections of the scope it stands in, from the whole cluster; before the other two cluster limits.",
    )
    .live(Live::NoEffect),
    Row::new(
        SOURCES,
        "Cluster_Server_Max_Outbound_Connections",
        Kind::Int(&[(-1, INT_MAX)]),
        "Most connections of the whole cluster, in `Binding` of that binding.",
    )
    .live(Live::NoEffect),
    Row::new(
        CLUSTER_RATES,
        "Cluster_Outbound_Throttle_Connections",
        Kind::Throttle,
        "Rate at which the whole cluster begins connections; scopes that inherit it share one counter.",
    )
    .live(Live::NoEffect)
    .fallback(Fallback::Sending),
    Row::new(
        CLUSTER_RATES,
        "Cluster_Outbound_Throttle_Messages",
        Kind::Throttle,
        "Rate at which the whole cluster delivers; scopes that inherit it share one counter.",
    )
    .live(Live::NoEffect)
    .fallback(Fallback::Sending),
    // --- on one node ---
    Row::new(
        SENDERS_AND_HOSTS,
        "Max_Outbound_Connections",
        Kind::Int(&[(-1, INT_MAX)]),
        "Most connections of this node to a domain; a `Host` without it has no limit.",
    )
    .default("32")
    .live(Live::Mta)
    .fallback(Fallback::Sending),
    Row::new(
        SENDERS_AND_HOSTS,
        "Scope_Max_Outbound_Connections",
        Kind::Int(&[(-1, INT_MAX)]),
        "Most connections of this node of the scope it stands in.",
    )
    .live(Live::Mta),
    Row::new(
        SOURCES,
        "Server_Max_Outbound_Connections",
        Kind::Int(&[(-1, INT_MAX)]),
        "Most connections of this node; shipped files say 20000.",
    )
    .default("75000")
    .live(Live::Mta),
    Row::new(
        GLOBAL,
        "Server_Reserve_Outbound_Connections",
        Kind::Int(&[(0, INT_MAX)]),
        "Connections beyond Server_Max_Outbound_Connections, so that every domain has one.",
    )
    .default("200")
    .live(Live::Mta),
    Row::new(
        SENDERS,
        "connection_allocation_aggressiveness",
        Kind::Text,
        "How eagerly connections are opened.",
    )
    .default("normal")
    .live(Live::Mta)
    .fallback(Fallback::Sending),
    Row::new(
        SENDERS,
        "Outbound_Throttle_Connections",
        Kind::Throttle,
        "Rate at which this node begins connections; scopes that inherit it share one counter.",
    )
    .live(Live::Mta)
    .fallback(Fallback::Sending),
    Row::new(
        SENDERS,
        "Outbound_Throttle_Messages",
        Kind::Throttle,
        "Rate at which this node delivers; scopes that inherit it share one counter.",
    )
    .live(Live::Mta)
    .fallback(Fallback::Sending),
    Row::new(
        PATHWAYS,
        "Inbound_Throttle_Messages",
        Kind::Throttle,
        "Rate at which this node receives; scopes that inherit it share one counter.",
    )
    .live(Live::Mta)
    .fallback(Fallback::Pathway),
    Row::new(
        GLOBAL,
        "siv_throttle_cache_size",
        Kind::Int(&[(1, INT_MAX)]),
        "Most named throttles of scripts that are kept on this node.",
    )
    .default("1000")
    .live(Live::Mta),
];

/// Not in a binding group, and not in a binding of one.
const CONNECTIONS: &[&str] = &["", "Binding", "Binding::Domain", "Binding::Host", "Domain", "Host"];
const CLUSTER_RATES: &[&str] = &[
    "",
    "Binding_Group",
    "Binding_Group::Binding::Domain",
    "Binding_Group::Domain",
    "Binding::Domain",
    "Domain",
];
const PATHWAYS: &[&str] = &["", "Pathway_Group", "Pathway_Group::Pathway", "Pathway"];

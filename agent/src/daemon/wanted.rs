//! What the configuration asks of the daemon, and what of it may change while the daemon runs.
//!
//! Invariants: 1. every part of [`Wanted`] that a configuration can set is in one row of `PARTS`; 2. a row either
//! takes effect as a whole on a reload or keeps its value until a restart, and the schema table says the same of it.
use crate::host::{address, cluster::Plan, control, counting, heartbeat, mesh::Listen};
use convoy_core::{time::Span, vip::lease::Rules};
use std::path::PathBuf;
use tracing::level_filters::LevelFilter;

/// What the configuration asks for; again on every reload.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The cluster thread's part. Its incarnation is set by the daemon, not by the caller.
    pub plan: Plan,
    /// Time between heartbeat datagrams; those on the mesh's connections are in the plan.
    pub heartbeat: Span,
    /// Sockets of the mesh listener; none on a node that is alone.
    pub listen: Vec<Listen>,
    /// The kernel's part.
    pub counting: counting::Settings,
    /// How often the kernel's part is read and audited.
    pub sampling: counting::Options,
    /// The addresses that the cluster shares, and how they are put on this host.
    pub addresses: address::Plan,
    /// Where consoles are reached, and who may do what there.
    pub control: control::Plan,
    /// File in which a manager keeps the answers it has collected.
    pub control_cache: Option<PathBuf>,
    /// Least level that is logged.
    pub level: LevelFilter,
}

/// What differs between two configurations, by the names of the options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// In force from the reload on.
    pub live: Vec<&'static str>,
    /// Kept as they are until a restart.
    pub kept: Vec<&'static str>,
}

impl Wanted {
    /// Returns the heartbeat thread's part.
    pub(super) fn heartbeats(&self) -> heartbeat::Plan {
        let Plan { node, dialling, bus: _ } = &self.plan;
        heartbeat::Plan {
            name: node.name.clone(),
            incarnation: node.incarnation,
            peers: node.peers.clone(),
            address: dialling.source,
            port: dialling.port,
            interval: self.heartbeat,
            start_delay: node.start_delay,
            lease: self.manages().then(|| Rules::new(&node.vips)),
        }
    }

    /// Tells whether this node shares addresses with others.
    pub(super) fn manages(&self) -> bool {
        !self.addresses.managed.is_empty()
    }

    /// Returns what is to be in force after `new` was read while this was, and what differs.
    pub fn followed_by(&self, mut new: Self) -> (Self, Changes) {
        new.plan.node.incarnation = self.plan.node.incarnation;
        let mut changes = Changes::default();
        for Part { name, differs, keep } in PARTS {
            match keep {
                _ if !differs(self, &new) => {}
                None => changes.live.push(name),
                Some(keep) => {
                    changes.kept.push(name);
                    keep(self, &mut new);
                }
            }
        }
        (new, changes)
    }
}

struct Part {
    name: &'static str,
    differs: fn(&Wanted, &Wanted) -> bool,
    /// Gives the second the first one's value; none when it may change while the daemon runs.
    keep: Option<fn(&Wanted, &mut Wanted)>,
}

macro_rules! live {
    ($name:literal, $($field:ident).+ $(, $($more:ident).+)*) => {
        Part {
            name: $name,
            differs: |old, new| old.$($field).+ != new.$($field).+ $(|| old.$($more).+ != new.$($more).+)*,
            keep: None,
        }
    };
}

macro_rules! kept {
    ($name:literal, $($field:ident).+ $(, $($more:ident).+)*) => {
        Part {
            keep: Some(|old, new| {
                new.$($field).+.clone_from(&old.$($field).+);
                $(new.$($more).+.clone_from(&old.$($more).+);)*
            }),
            ..live!($name, $($field).+ $(, $($more).+)*)
        }
    };
}

/// Every option that the daemon acts on. Those that are kept are part of what a node is to the others and to the
/// kernel's tables: who changes them starts another life.
const PARTS: &[Part] = &[
    Part {
        name: "nodename",
        differs: |old, new| old.plan.node.name != new.plan.node.name,
        // Who the others are, and where this node is, follow from the name it has in the list.
        keep: Some(|old, new| {
            new.plan.node.name.clone_from(&old.plan.node.name);
            new.plan.node.peers.clone_from(&old.plan.node.peers);
            new.plan.dialling.source = old.plan.dialling.source;
            new.plan.node.standing.service = old.plan.node.standing.service;
            new.plan.bus.corosync.nodes.clone_from(&old.plan.bus.corosync.nodes);
        }),
    },
    kept!("cluster_group", plan.node.group, plan.bus.corosync.group),
    live!("bus_engine", plan.bus.engine),
    live!("bus_token", plan.bus.corosync.token),
    live!("bus_encryption", plan.bus.corosync.encryption),
    live!("bus_key_file", plan.bus.corosync.key_file),
    live!("port", plan.bus.corosync.port),
    // A table of another size is another table: what is counted in the old one would have to be moved while the
    // kernel counts on, and a count that is moved twice or not at all is worse than a restart.
    kept!("max_size", counting.hosts_max_inbound, counting.hosts_max_outbound),
    // The address that the others are told (`standing.service`) follows from this row and the listener's.
    live!("nodeaddr", plan.dialling.source),
    live!("control_group", plan.node.standing.control_group),
    live!("idle_timeout", plan.node.standing.idle),
    live!("peers", plan.node.peers, plan.bus.corosync.nodes, plan.node.vips.voters),
    live!("heartbeats_per_sec", heartbeat),
    live!("heartbeat_start_delay", plan.node.start_delay),
    live!("connect_timeout", plan.node.connect),
    live!("reconnect_interval", plan.node.reconnect),
    live!("tcpbuf_size", plan.dialling.buffer),
    live!("Replicate", plan.node.replicate, sampling.delay),
    live!("ECCluster_Listener", listen, plan.dialling.port),
    live!("inbound_ports", counting.inbound_ports),
    live!("outbound_ports", counting.outbound_ports),
    live!("audit_interval", sampling.audit_period),
    live!(
        "DuraVIP",
        plan.node.vips.offer,
        plan.node.vips.interfaces,
        plan.node.vips.standby,
        addresses.managed,
        addresses.hooks
    ),
    live!("duravip_balance_set_size", plan.node.vips.balance_set),
    live!("duravip_lease", plan.node.vips.lease),
    live!("duravip_balance_by", plan.node.vips.balance_by),
    live!("duravip_partition", plan.node.vips.partition),
    live!("duravip_refresh", addresses.refresh),
    live!("duravip_weight", plan.node.vips.weight),
    live!("arp_all_hosts", addresses.arp_all_hosts, plan.node.vips.share_neighbours),
    live!("if_check_interval", plan.node.vips.retry, addresses.check),
    live!("if_down_limit", addresses.down_limit),
    live!("view_balance_interval", plan.node.vips.balance_interval),
    live!("view_broadcast_interval", plan.node.vips.broadcast),
    live!("view_mature_time", plan.node.vips.mature),
    live!("Control_Listener", control.endpoints, control.authorize),
    live!("Authorization", control.roles),
    kept!("control_cache", control_cache),
    live!("debug_level", level),
];

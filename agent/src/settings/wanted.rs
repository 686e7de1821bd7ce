//! From settings to what the daemon is asked to do.
use super::Settings;
use crate::{
    daemon::Wanted,
    host::{
        cluster::Plan,
        counting,
        mesh::{Dialling, Listen},
    },
    sys::net::ListenOptions,
};
use convoy_core::{
    bounds,
    config::schema::Level,
    group::view::Role,
    node::{self, Batching, Standing},
    time::Span,
    wire::Object,
};
use std::{net::SocketAddr, path::PathBuf};
use tracing::level_filters::LevelFilter;

/// Where a node's connections are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Directory on a bpffs for the pinned tables.
    pub bpffs: PathBuf,
    /// cgroup2 directory whose processes' connections are counted.
    pub cgroup: PathBuf,
}

impl Settings {
    /// Returns what these settings ask of the daemon, in the given places on this host.
    pub fn wanted(&self, role: Role, counted: Counted, state: PathBuf) -> Wanted {
        let spacing = self.sample_spacing();
        let batching = |settings: &super::ObjectSettings| Batching {
            // What the sampler waits is no longer there to be waited here: both together are `max_delay`.
            delay_max: Span::from_ns(settings.max_delay.as_ns().saturating_sub(spacing.as_ns())),
            pending_max: settings.max_pending,
        };
        let node = node::Settings {
            name: self.node.shared(),
            incarnation: 0,
            group: self.cluster_group.as_str().into(),
            build: env!("CARGO_PKG_VERSION").into(),
            peers: self
                .others()
                .filter(|_| !self.is_solo())
                .map(|(name, address)| (name.shared(), address))
                .collect(),
            heartbeat: self.heartbeat_interval.max(bounds::MESH_HEARTBEAT_MIN),
            heartbeat_port: Some(self.mesh.peer_port),
            start_delay: self.heartbeat_start_delay,
            connect: self.mesh.connect_timeout,
            reconnect: self.mesh.reconnect_interval,
            standing: self.standing(role),
            vips: Box::new(self.node_vips(role)),
            replicate: self.objects.iter().map(|(object, settings)| (*object, batching(settings))).collect(),
        };
        let dialling = Dialling { port: self.mesh.peer_port, source: self.address, buffer: self.mesh.buffer };
        let hosts_max = |object| self.objects.get(&object).map(|settings| settings.max_size);
        let bus = self.bus_plan(&state);
        let addresses = self.addresses(role, &counted.bpffs);
        let defaults = counting::Settings::new(counted.bpffs, counted.cgroup, state);
        Wanted {
            plan: Plan { node, dialling, bus },
            addresses,
            heartbeat: self.heartbeat_interval,
            listen: if self.is_solo() { vec![] } else { self.listens.iter().map(listen).collect() },
            level: level(self.debug_level),
            control: self.control.clone(),
            control_cache: self.control_cache.clone(),
            sampling: counting::Options { delay: spacing, audit_period: self.audit_interval },
            counting: counting::Settings {
                inbound_ports: self.inbound_ports.iter().copied().collect(),
                outbound_ports: self.outbound_ports.iter().copied().collect(),
                hosts_max_inbound: hosts_max(Object::InboundCidr).unwrap_or(defaults.hosts_max_inbound),
                hosts_max_outbound: hosts_max(Object::OutboundCidr).unwrap_or(defaults.hosts_max_outbound),
                ..defaults
            },
        }
    }

    /// Returns what this node is on the bus.
    fn standing(&self, role: Role) -> Standing {
        let listens = self.listens.first();
        Standing {
            role,
            subcluster: self.subcluster.as_str().into(),
            service: self.address.zip(listens).map(|(ip, listen)| SocketAddr::new(ip, listen.address.port())),
            control_group: self.control_group.as_str().into(),
            parameters: self.parameters().into(),
            idle: self.mesh.idle_timeout,
        }
    }

    /// Returns the time between two looks at the kernel's changes: part of the shortest `max_delay`, so that a busy
    /// host does not wake the daemon for each connection.
    fn sample_spacing(&self) -> Span {
        let shortest = self.objects.values().map(|settings| settings.max_delay).min().unwrap_or(SPACING_MAX);
        Span::from_ns(shortest.as_ns() / 2).min(SPACING_MAX)
    }
}

fn listen(listen: &super::Listen) -> Listen {
    Listen {
        at: listen.address,
        options: ListenOptions {
            backlog: listen.backlog,
            receive_buffer: listen.receive_buffer,
            send_buffer: listen.send_buffer,
        },
        nodelay: listen.nodelay,
    }
}

/// Our lines have four levels; a level between two of them logs the more important one.
fn level(level: Level) -> LevelFilter {
    match level {
        Level::Debug => LevelFilter::DEBUG,
        Level::Info => LevelFilter::INFO,
        Level::Notice | Level::Warning => LevelFilter::WARN,
        Level::Error | Level::Critical => LevelFilter::ERROR,
    }
}

/// chosen: 200 looks a second at most, under 1 % of a core, and no reader notices 5 ms.
const SPACING_MAX: Span = Span::from_ms(5);

#[cfg(test)]
mod tests {
    use super::{
        super::{Environment, load},
        Counted, Role,
    };
    use crate::daemon::Wanted;
    use convoy_core::config::schema::{self, Live};

    /// A row of the schema table that changes, and what follows.
    type Case = (&'static str, &'static str, Live);

    const CASES: &[Case] = &[
        ("cluster { enabled = false }", "peers ECCluster_Listener bus_engine", Live::Yes),
        ("cluster { nodename = mx2 }", "nodename", Live::Restart),
        ("cluster { nodeaddr = 10.0.0.9 }", "nodeaddr", Live::Yes),
        ("cluster { cluster_group = other }", "cluster_group", Live::Restart),
        ("cluster { bus_engine = solo }", "bus_engine", Live::Yes),
        ("cluster { bus_token = 0.1 }", "bus_token", Live::Yes),
        ("cluster { bus_encryption = false }", "bus_encryption", Live::Yes),
        ("cluster { bus_key_file = /k }", "bus_key_file", Live::Yes),
        ("msgc_server { port = 9 }", "port", Live::Yes),
        ("cluster { control_group = other }", "control_group", Live::Yes),
        ("cluster { heartbeats_per_sec = 5 }", "heartbeats_per_sec", Live::Yes),
        ("cluster { heartbeat_start_delay = 5 }", "heartbeat_start_delay", Live::Yes),
        ("cluster { debug_level = ERROR }", "debug_level", Live::Yes),
        ("cluster { inbound_ports = 26 }", "inbound_ports", Live::Yes),
        ("cluster { outbound_ports = 26 }", "outbound_ports", Live::Yes),
        ("cluster { audit_interval = 1 }", "audit_interval", Live::Yes),
        (
            "cluster { Replicate inbound_cidr { max_delay = 1 } Replicate outbound_cidr {} }",
            "Replicate",
            Live::Yes,
        ),
        (
            "cluster { Replicate inbound_cidr { max_pending = 1 } Replicate outbound_cidr {} }",
            "Replicate",
            Live::Yes,
        ),
        (
            "cluster { Replicate inbound_cidr { max_size = 9 } Replicate outbound_cidr {} }",
            "max_size",
            Live::Restart,
        ),
        ("msgc_server { peers = [ mx1 = 10.0.0.1 mx3 = 10.0.0.3 ] }", "peers", Live::Yes),
        ("msgc_server { connect_timeout = 9 }", "connect_timeout", Live::Yes),
        ("msgc_server { reconnect_interval = 9 }", "reconnect_interval", Live::Yes),
        ("msgc_server { idle_timeout = 9 }", "idle_timeout", Live::Yes),
        ("msgc_server { tcpbuf_size = 9999 }", "tcpbuf_size", Live::Yes),
        ("Control_Listener { Listen /r/2025 {} }", "Control_Listener", Live::Yes),
        ("Control_Listener { timeout = 9 Listen /r/2025 {} }", "Control_Listener", Live::Yes),
        ("Control_Listener { Listen /r/2025 { file_mode = 0600 } }", "Control_Listener", Live::Yes),
        (
            "Control_Listener { Listen /r/2025 { Enable_Authentication = true } }",
            "Control_Listener",
            Live::Yes,
        ),
        (MOVES, "DuraVIP", Live::Yes),
        ("cluster { arp_all_hosts = false }", "arp_all_hosts", Live::Yes),
        ("cluster { duravip_balance_set_size = 9 }", "duravip_balance_set_size", Live::Yes),
        ("cluster { duravip_lease = 1 }", "duravip_lease", Live::Yes),
        ("cluster { duravip_balance_by = connections }", "duravip_balance_by", Live::Yes),
        ("cluster { duravip_partition = each_side }", "duravip_partition", Live::Yes),
        ("cluster { duravip_refresh = 9 }", "duravip_refresh", Live::Yes),
        ("cluster { duravip_weight = 9 }", "duravip_weight", Live::Yes),
        ("cluster { if_check_interval = 9 }", "if_check_interval", Live::Yes),
        ("cluster { if_down_limit = 9 }", "if_down_limit", Live::Yes),
        ("cluster { view_balance_interval = 9 }", "view_balance_interval", Live::Yes),
        ("cluster { view_broadcast_interval = 9 }", "view_broadcast_interval", Live::Yes),
        ("cluster { view_mature_time = 9 }", "view_mature_time", Live::Yes),
        ("Logs { control_cache = /c }", "control_cache", Live::Restart),
        ("Control_Listener { Enable_Authorization = true }", "Control_Listener", Live::Yes),
        ("Control_Listener { Listen /r/2025 { always_allow = true } }", "Control_Listener", Live::Yes),
        ("Control_Listener { Listen /r/2025 { always_deny = true } }", "Control_Listener", Live::Yes),
        ("Authorization { Role ops { allow = ( cluster ) } }", "Authorization", Live::Yes),
        ("cluster { cluster_listener = *:4803 }", "ECCluster_Listener", Live::Yes),
        ("ECCluster_Listener { enable = false Listen *:4802 {} }", "ECCluster_Listener", Live::Yes),
        ("ECCluster_Listener { Listen *:4803 {} }", "ECCluster_Listener", Live::Yes),
        ("ECCluster_Listener { listen_backlog = 9 Listen *:4802 {} }", "ECCluster_Listener", Live::Yes),
        (
            "ECCluster_Listener { disable_nagle_algorithm = false Listen *:4802 {} }",
            "ECCluster_Listener",
            Live::Yes,
        ),
        (
            "ECCluster_Listener { tcp_recv_buffer_size = 9999 Listen *:4802 {} }",
            "ECCluster_Listener",
            Live::Yes,
        ),
        (
            "ECCluster_Listener { tcp_send_buffer_size = 9999 Listen *:4802 {} }",
            "ECCluster_Listener",
            Live::Yes,
        ),
    ];

    /// Everything that says something of single addresses.
    const MOVES: &str = "cluster {
            Topology 10.1.1.0/24 { interface = eth1 cidrmask = 24 }
            duravip_standby_above = 0 duravip_hook_up = /h duravip_hook_down = /h duravip_hook_unit = u
        }
        Binding a { bind_address = 10.1.1.1 Enable_Duravip = true Duravip_Preference = mx1 }
        ESMTP_Listener { Listen 10.1.1.2:25 { Duravip_Follow = a } }";

    fn wanted(more: &str) -> Wanted {
        let peers = "msgc_server { peers = [ mx1 = 10.0.0.1 mx2 = 10.0.0.2 ] }\n";
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        std::fs::write(&path, format!("{peers}{more}")).unwrap();
        let environment = Environment { host_name: "mx1".into(), ..Environment::default() };
        let settings = load(&path, &environment).unwrap_or_else(|report| panic!("{report}")).settings;
        let counted = Counted { bpffs: "/b".into(), cgroup: "/c".into() };
        settings.wanted(Role::Node, counted, "/s".into())
    }

    #[test]
    fn a_reload_takes_what_the_table_calls_live_and_keeps_the_rest() {
        let old = wanted("");
        for (text, names, live) in CASES {
            let (now, changes) = old.followed_by(wanted(text));
            let mut expected = names.split(' ').collect::<Vec<_>>();
            let kept = if *live == Live::Restart { expected.drain(..1).collect() } else { vec![] };
            let mut found = changes.live.clone();
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!((found, changes.kept), (expected, kept), "{text}");
            let again = now.followed_by(wanted(text)).1;
            assert!(again.live.is_empty(), "{text}: {again:?} is not in force");
        }
        assert_eq!(old.followed_by(wanted("")).1, crate::daemon::Changes::default());
    }

    #[test]
    fn every_option_of_the_table_that_has_an_effect_is_one_of_the_cases() {
        // The kind of an object is part of its name; names to ignore are used up when a file is checked; where online
        // changes are kept concerns the console alone.
        let kept_apart = ["type", "class", "ignore_names", "Local_Changes_File", "Local_Changes_Only"];
        let apart = |row: &&schema::Row| kept_apart.contains(&row.name);
        let rows = schema::OPTIONS.iter().filter(|row| !apart(row));
        for row in rows.filter(|row| matches!(row.live, Live::Yes | Live::Restart)) {
            let has = |text: &str| text.split_whitespace().any(|word| word == row.name);
            let found = CASES.iter().find(|(text, ..)| has(text));
            assert_eq!(found.map(|(.., live)| *live), Some(row.live), "{}", row.name);
        }
    }
}

//! From settings to what the daemon is asked to do.
use super::Settings;
use crate::{
    daemon::Wanted,
    host::{cluster::Plan, counting},
};
use convoy_core::{
    node::{self, Batching},
    time::Span,
    wire::Object,
};
use std::path::PathBuf;

impl Settings {
    /// Returns what these settings ask of the daemon, in the given places on this host.
    pub fn wanted(&self, bpffs: PathBuf, cgroup: PathBuf, state: PathBuf) -> Wanted {
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
            heartbeat: self.heartbeat_interval,
            start_delay: self.heartbeat_start_delay,
            connect: self.mesh.connect_timeout,
            reconnect: self.mesh.reconnect_interval,
            replicate: self.objects.iter().map(|(object, settings)| (*object, batching(settings))).collect(),
        };
        let hosts_max = |object| self.objects.get(&object).map(|settings| settings.max_size);
        let defaults = counting::Settings::new(bpffs, cgroup, state);
        Wanted {
            plan: Plan { node, address: self.address, port: self.mesh.peer_port },
            listen: if self.is_solo() {
                vec![]
            } else {
                self.listens.iter().map(|listen| listen.address).collect()
            },
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

    /// Returns the time between two looks at the kernel's changes: part of the shortest `max_delay`, so that a busy
    /// host does not wake the daemon for each connection.
    fn sample_spacing(&self) -> Span {
        let shortest = self.objects.values().map(|settings| settings.max_delay).min().unwrap_or(SPACING_MAX);
        Span::from_ns(shortest.as_ns() / 2).min(SPACING_MAX)
    }
}

/// chosen: 200 looks a second at most, under 1 % of a core, and no reader notices 5 ms.
const SPACING_MAX: Span = Span::from_ms(5);

//! What a node is told to be.
use crate::{
    group::view::{Card, Parameter, Role},
    time::Span,
    wire::Object,
};
use alloc::{boxed::Box, collections::BTreeMap, sync::Arc};
use core::net::{IpAddr, SocketAddr};

/// What a node is told once, and again on a reload. Every value is legal; see the configuration's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This node's name, 1..=[`NAME_BYTES_MAX`](crate::bounds::NAME_BYTES_MAX) bytes.
    pub name: Arc<str>,
    /// Larger than that of any earlier process of this node.
    pub incarnation: u64,
    /// `cluster_group`; nodes of another group are refused.
    pub group: Arc<str>,
    /// Version of the program, for people.
    pub build: Arc<str>,
    /// The other nodes. Fewer than [`NODES_MAX`](crate::bounds::NODES_MAX).
    pub peers: BTreeMap<Arc<str>, IpAddr>,
    /// Time between heartbeats, [`HEARTBEAT_MIN`](crate::bounds::HEARTBEAT_MIN) to
    /// [`HEARTBEAT_MAX`](crate::bounds::HEARTBEAT_MAX).
    pub heartbeat: Span,
    /// UDP port on which the driver hears heartbeat datagrams; `None` when it hears none, and nobody misses them.
    pub heartbeat_port: Option<u16>,
    /// Time after this node's start before a peer's silence counts against it.
    pub start_delay: Span,
    /// Longest wait for a connection to stand.
    pub connect: Span,
    /// Pause before a failed connection is tried again.
    pub reconnect: Span,
    /// What this node is on the bus.
    pub standing: Standing,
    /// The addresses that it shares with the others.
    pub vips: Box<crate::vip::Settings>,
    /// The objects this node replicates, each with its batching. Others are counted here and told nobody.
    pub replicate: BTreeMap<Object, Batching>,
}

/// What a node is to the other members of the bus, beside its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Node or manager.
    pub role: Role,
    /// Its subcluster; empty when it is in none.
    pub subcluster: Arc<str>,
    /// Address of its cluster service; none when it has none.
    pub service: Option<SocketAddr>,
    /// `control_group`: the group in which nodes take commands.
    pub control_group: Arc<str>,
    /// What must be the same on all members.
    pub parameters: Arc<[Parameter]>,
    /// `idle_timeout`: silence after which a peer counts no more although it is in the view.
    pub idle: Span,
}

impl Default for Standing {
    /// A node of the default groups that has nothing to compare.
    fn default() -> Self {
        Self {
            role: Role::Node,
            subcluster: "".into(),
            service: None,
            control_group: "ec_console".into(),
            parameters: [].into(),
            idle: Span::from_secs(30),
        }
    }
}

impl Settings {
    /// Managers are in the cluster's group only; nodes take commands in theirs, and in that of their subcluster.
    fn groups(&self) -> Arc<[Arc<str>]> {
        let Standing { role, subcluster, control_group, .. } = &self.standing;
        match role {
            Role::Manager => [self.group.clone()].into(),
            Role::Node if subcluster.is_empty() => [self.group.clone(), control_group.clone()].into(),
            Role::Node => {
                let subcluster = alloc::format!("ec_sc_{subcluster}").into();
                [self.group.clone(), control_group.clone(), subcluster].into()
            }
        }
    }

    pub(super) fn card(&self) -> Card {
        Card {
            role: self.standing.role,
            incarnation: self.incarnation,
            name: self.name.clone(),
            subcluster: self.standing.subcluster.clone(),
            version: self.build.clone(),
            address: self.standing.service,
            groups: self.groups(),
            parameters: self.standing.parameters.clone(),
        }
    }
}

/// How long changes of an object may wait for company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// Longest time a change waits (manual: `max_delay`).
    pub delay_max: Span,
    /// Most changes that wait (manual: `max_pending`), at least 1.
    pub pending_max: usize,
}

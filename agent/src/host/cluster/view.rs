//! What a control client is told of the agreed view.
use super::{Cluster, ask::role_name};
use crate::host::{
    bus::Engine,
    control::shape::{
        BusStatus,
        cluster::{ClusterInfo, MemberInfo},
    },
    heartbeat::PeerBeats,
};
use convoy_core::{
    group::{
        bus::Event,
        contradiction::{Claim, contradictions},
        view::{Member, Role, View},
    },
    node::{Input, Node},
};
use std::net::SocketAddr;

impl Cluster {
    pub(super) fn bus_status(&self, node: &Node) -> BusStatus {
        let traffic = self.agreed.traffic();
        let view = node.view();
        BusStatus {
            engine: self.engine().into(),
            epoch: view.map(|view| view.epoch),
            members: view.map_or(0, |view| view.members.len()),
            leader: view.and_then(|view| view.leader()).map(|leader| leader.card.name.to_string()),
            forming: node.is_forming(),
            sent: traffic.sent,
            received: traffic.received,
            unsent: node.unsent(),
        }
    }

    /// Returns what an operator should look at on the bus.
    pub(super) fn bus_troubles(&self, node: &Node) -> Vec<String> {
        let trouble = self.agreed.state().and_then(|state| state.trouble);
        let mut troubles = trouble.into_iter().collect::<Vec<_>>();
        // Without an engine that others are on there is nothing to agree on with them.
        if let Some(view) = node.view().filter(|_| self.engine() != "solo") {
            troubles.extend(view.differences().iter().map(ToString::to_string));
            let claims = self.heartbeats.snapshot().peers.iter().map(claim).collect::<Vec<_>>();
            let (since, now) = (self.agreed.view_since(), self.heartbeats.now());
            troubles.extend(contradictions(view, since, &claims, now));
        }
        troubles
    }

    pub(super) fn cluster_info(&self, node: &Node) -> ClusterInfo {
        let settings = node.settings();
        let view = node.view();
        let own = view.and_then(|view| view.own());
        let mut members = view.map(|view| member_rows(view)).unwrap_or_default();
        members.sort_by(|a, b| a.node_name.cmp(&b.node_name));
        ClusterInfo {
            role: role_name(settings.standing.role).into(),
            engine: self.engine().into(),
            epoch: view.map(|view| view.epoch),
            private_names: own.map(|own| (own.private_name(), own.sender_name())),
            control_group: settings.standing.control_group.to_string(),
            cluster_group: settings.group.to_string(),
            log_group: None,
            leader: view.and_then(|view| view.leader()).map(|leader| leader.card.name.to_string()),
            nodename: settings.name.to_string(),
            nodeaddr: address(settings.standing.service),
            members,
        }
    }

    /// Leaves the bus and joins it again.
    pub(super) fn reset(&self, caller: &str) {
        tracing::warn!(caller, "cluster reset: leaving the bus, to join it again");
        self.agreed.rejoin();
        self.mesh.feed(Input::Bus(None, &Event::Lost(format!("reset by {caller}"))));
    }

    fn engine(&self) -> &'static str {
        match self.agreed.state().map(|state| state.engine) {
            Some(Engine::Corosync) => "corosync",
            Some(Engine::Solo) | None => "solo",
        }
    }
}

fn member_rows(view: &View) -> Vec<MemberInfo> {
    let differences = view.differences();
    let row = |member: &Member| {
        let card = &member.card;
        let own = differences.iter().filter(|difference| difference.name == card.name);
        MemberInfo {
            private_name: member.private_name(),
            node_name: card.name.to_string(),
            subcluster: card.subcluster.to_string(),
            node_type: match card.role {
                Role::Node => "Momentum".into(),
                Role::Manager => "Manager".into(),
            },
            version: card.version.to_string(),
            address: address(card.address.filter(|_| card.role == Role::Node)),
            groups: card.groups.iter().map(ToString::to_string).collect(),
            since: member.since,
            differs: own.map(ToString::to_string).collect(),
        }
    };
    view.members.values().map(row).collect()
}

fn claim(beats: &PeerBeats) -> Claim {
    Claim {
        name: beats.name.clone(),
        heard_at: beats.heard_at,
        suspect: beats.suspect,
        view: (beats.view.epoch, beats.view.digest),
    }
}

fn address(service: Option<SocketAddr>) -> String {
    service.map_or_else(|| "0.0.0.0:0".into(), |service| service.to_string())
}

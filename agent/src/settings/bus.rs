//! The bus, as it is configured: which engine, who is on it, how it is kept to itself.
use super::{NodeName, Settings};
use crate::host::bus::{Engine, Plan, Settings as Corosync};
use convoy_core::time::Span;
use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

/// Options of the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bus {
    /// The engine; `None` leaves it to whether there are peers.
    pub engine: Option<Engine>,
    /// Silence after which the ring is formed anew, 50 ms to 10 s.
    pub token: Span,
    /// Whether messages are encrypted.
    pub encryption: bool,
    /// File with the secret.
    pub key_file: Option<PathBuf>,
    /// UDP port on every node.
    pub port: u16,
}

impl Settings {
    /// Returns the engine that these settings come to.
    pub fn bus_engine(&self) -> Engine {
        let by_peers = if self.is_solo() { Engine::Solo } else { Engine::Corosync };
        // A node that takes no part is alone whatever the engine.
        if self.enabled { self.bus.engine.unwrap_or(by_peers) } else { Engine::Solo }
    }

    /// Returns what these settings ask of the bus, with its files below `state`.
    pub(super) fn bus_plan(&self, state: &Path) -> Plan {
        let peer = |(name, address): (&NodeName, &IpAddr)| (name.shared(), *address);
        let alone = || (self.node.shared(), self.address.unwrap_or(Ipv4Addr::LOCALHOST.into()));
        let nodes =
            if self.peers.is_empty() { [alone()].into() } else { self.peers.iter().map(peer).collect() };
        let corosync = Corosync {
            group: self.cluster_group.as_str().into(),
            nodes,
            port: self.bus.port,
            token: self.bus.token,
            encryption: self.bus.encryption,
            key_file: self.bus.key_file.clone(),
            dir: state.join("bus"),
        };
        Plan { engine: self.bus_engine(), corosync }
    }
}

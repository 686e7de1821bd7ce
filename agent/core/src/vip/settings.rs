//! What a node is told about the addresses that it shares.
use super::Offer;
use crate::time::Span;
use alloc::{collections::BTreeMap, sync::Arc};
use core::net::IpAddr;

/// What a part of the cluster does that is cut off from the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partition {
    /// The part with more than half of the nodes holds the addresses, the others none.
    #[default]
    Quorum,
    /// Every part holds all of them, for those whom it reaches.
    EachSide,
}

/// By what the nodes' loads are evened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// By the number of addresses.
    #[default]
    Addresses,
    /// By the number of connections, as the cluster counts them.
    Connections,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The addresses this node would hold.
    pub offer: Offer,
    /// The device of each.
    pub interfaces: BTreeMap<IpAddr, Arc<str>>,
    /// Devices on which candidates keep addresses that they do not hold, silent.
    pub standby: alloc::collections::BTreeSet<Arc<str>>,
    /// This node's share, at least 1.
    pub weight: u32,
    /// Nodes and managers of the cluster, this one included, at least 1.
    pub voters: usize,
    /// What a part does that is cut off.
    pub partition: Partition,
    /// `view_mature_time`.
    pub mature: Span,
    /// `view_balance_interval`.
    pub balance_interval: Span,
    /// `duravip_balance_set_size`.
    pub balance_set: u32,
    /// By what loads are evened.
    pub balance_by: Balance,
    /// `view_broadcast_interval`; none is never.
    pub broadcast: Option<Span>,
    /// `if_check_interval`: pause before an address that the kernel refused is tried again.
    pub retry: Span,
    /// `arp_all_hosts` is off: members tell each other which hosts are to learn of moves.
    pub share_neighbours: bool,
    /// How long this node's kernel answers without hearing from this process.
    pub lease: Span,
    /// Time between this node's heartbeats.
    pub heartbeat: Span,
}

impl Default for Settings {
    /// A node that is alone and shares nothing.
    fn default() -> Self {
        Self {
            offer: [].into(),
            interfaces: BTreeMap::new(),
            standby: alloc::collections::BTreeSet::new(),
            weight: 1,
            voters: 1,
            partition: Partition::Quorum,
            mature: Span::from_secs(5),
            balance_interval: Span::from_secs(10),
            balance_set: 1,
            balance_by: Balance::Addresses,
            broadcast: None,
            retry: Span::from_secs(30),
            share_neighbours: false,
            lease: Span::from_ms(500),
            heartbeat: Span::from_ms(100),
        }
    }
}

impl Settings {
    /// Tells whether the nodes of a part with so many nodes and managers may hold addresses.
    pub fn is_enough(&self, members: usize) -> bool {
        self.partition == Partition::EachSide || members * 2 > self.voters
    }

    /// Tells whether a node that does not hold it keeps it on its host.
    pub(super) fn stands_by(&self, address: IpAddr) -> bool {
        self.interfaces.get(&address).is_some_and(|interface| self.standby.contains(interface))
    }
}

//! What a node would hold: its managed addresses, as its configuration describes them.
use alloc::sync::Arc;
use core::net::IpAddr;

/// All of a node's managed addresses, ascending, each once.
pub type Offer = Arc<[Offered]>;

/// One managed address of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offered {
    /// The address.
    pub address: IpAddr,
    /// Bindings that send from it, ascending.
    pub bindings: Arc<[Arc<str>]>,
    /// What else the node serves on it, ascending: the kinds of its listeners.
    pub services: Arc<[Arc<str>]>,
    /// `Duravip_Preference`: the node that has it whenever it is a member.
    pub preference: Option<Arc<str>>,
    /// `Duravip_Follow`: the address with which it moves.
    pub follow: Option<IpAddr>,
}

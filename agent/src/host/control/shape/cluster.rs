//! The JSON of what the members of the bus agree on.
use serde::{Deserialize, Serialize};

/// Answer to `hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// `node` or `manager`.
    pub role: String,
    /// Its name.
    pub node: String,
    /// Version of the program.
    pub version: String,
    /// Number of the process, in its own pid namespace.
    pub pid: u32,
}

/// Answer to `cluster`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterInfo {
    /// `node` or `manager`.
    pub role: String,
    /// The engine of the bus: `corosync` or `solo`.
    pub engine: String,
    /// Epoch of the agreed view; none while this node is on no bus.
    pub epoch: Option<u64>,
    /// Private names of this process: as a member, and as the sender of shared objects.
    pub private_names: Option<(String, String)>,
    /// Group in which nodes take commands.
    pub control_group: String,
    /// Group of all nodes and managers.
    pub cluster_group: String,
    /// Group to which lines of the panic log are sent.
    pub log_group: Option<String>,
    /// The node that leads.
    pub leader: Option<String>,
    /// This node's name.
    pub nodename: String,
    /// Address and port of its cluster service; `0.0.0.0:0` when it has none.
    pub nodeaddr: String,
    /// What a manager keeps of the answers to what it broadcast; none on a node.
    #[serde(default)]
    pub control_cache: Option<CacheStatus>,
    /// All members of the view, in the order of their names.
    pub members: Vec<MemberInfo>,
}

/// The control cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheStatus {
    /// Commands there are answers to.
    pub commands: usize,
    /// Commands whose answers made room for others since the start.
    pub dropped: u64,
    /// Why it would not outlive this process although it should, and what to do.
    pub trouble: Option<String>,
}

/// One member of the agreed view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberInfo {
    /// Its name on the bus.
    pub private_name: String,
    /// Its node name.
    pub node_name: String,
    /// Its subcluster; empty when it is in none.
    pub subcluster: String,
    /// `Momentum` for a node, or `Manager`, as in the reference.
    pub node_type: String,
    /// Version of its program.
    pub version: String,
    /// Address and port of its cluster service; `0.0.0.0:0` for a manager.
    pub address: String,
    /// The groups it is in.
    pub groups: Vec<String>,
    /// Epoch of the first view it was in.
    pub since: u64,
    /// Where it differs from the others in what must be the same.
    pub differs: Vec<String>,
}

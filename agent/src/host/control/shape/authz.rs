//! The JSON of who may do what.
use serde::{Deserialize, Serialize};

/// A question about who may do what, or a command about the process: `{"ask":"authz id"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", deny_unknown_fields)]
pub enum OwnRequest {
    /// Who the caller is.
    #[serde(rename = "authz id")]
    Id,
    /// Which roles there are.
    #[serde(rename = "authz roles list")]
    Roles,
    /// End this process, as its service manager would; for root and the daemon's own user.
    #[serde(rename = "shutdown")]
    Shutdown,
}

/// Answer to `authz id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id {
    /// Name of the user who asks.
    pub user: String,
    /// Its number; 65534 when the kernel does not say whose the connection is.
    pub number: u32,
    /// Groups of the user, which are its roles.
    pub roles: Vec<String>,
    /// The socket, or the node, from which it asks.
    pub from: String,
}

/// Answer to `authz roles list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// The `Role` scopes of `Authorization`, in the order of the files.
    pub roles: Vec<RoleRow>,
}

/// One role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRow {
    /// Name of a user or a group.
    pub name: String,
    /// Regular expressions for what it may do, in order.
    pub allow: Vec<String>,
}

/// Answer to `shutdown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// It has begun to end.
    pub done: bool,
}

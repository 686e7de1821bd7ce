//! Addresses that move between nodes (DuraVIP).

/// What a node is to do with a managed address, and how far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// Not on the host.
    #[default]
    Absent,
    /// On the host and usable there; the host neither answers for it nor announces it.
    Silent,
    /// On the host, answered for and announced.
    Held,
}

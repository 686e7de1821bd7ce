//! One change of an owner.
use crate::group::bus::MemberId;
use core::{fmt, net::IpAddr};

/// An address has another owner, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub address: IpAddr,
    /// Who had it; none if nobody ever did.
    pub from: Option<MemberId>,
    /// Who has it; none if nobody can.
    pub to: Option<MemberId>,
    /// Why.
    pub cause: Cause,
}

/// Why an owner changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It had none.
    Elected,
    /// The owner left the view without a word.
    Departed,
    /// The owner fell silent, and its kernel with it.
    Silent,
    /// An operator asked for it.
    Moved,
    /// It is preferred there.
    Preferred,
    /// To even the loads.
    Balanced,
    /// An operator took a node out.
    Drained,
    /// The owner is shutting down.
    Left,
    /// The owner cannot hold it: its link is down, or its kernel refused.
    Unable,
    /// The address that it follows moved.
    Followed,
    /// The configuration changed.
    Reconfigured,
    /// Parts of the cluster found each other again.
    Merged,
    /// Its bindings contradict each other.
    Broken,
}

impl Cause {
    /// All, in order: the place is the number.
    pub const ALL: [Self; 13] = [
        Self::Elected,
        Self::Departed,
        Self::Silent,
        Self::Moved,
        Self::Preferred,
        Self::Balanced,
        Self::Drained,
        Self::Left,
        Self::Unable,
        Self::Followed,
        Self::Reconfigured,
        Self::Merged,
        Self::Broken,
    ];

    /// Tells whether nobody answered for a while: any other change had an owner who gave the address away.
    pub fn is_loss(self) -> bool {
        matches!(self, Self::Departed | Self::Silent)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Elected => "elected",
            Self::Departed => "owner left the view",
            Self::Silent => "owner fell silent",
            Self::Moved => "moved by an operator",
            Self::Preferred => "preferred there",
            Self::Balanced => "balanced",
            Self::Drained => "node drained",
            Self::Left => "node shut down",
            Self::Unable => "owner cannot hold it",
            Self::Followed => "follows another",
            Self::Reconfigured => "configuration changed",
            Self::Merged => "cluster merged",
            Self::Broken => "bindings contradict each other",
        })
    }
}

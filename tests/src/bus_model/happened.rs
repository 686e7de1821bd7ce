//! What has happened in a world, and how often: proof that the model does all that it should.
use std::collections::BTreeMap;

/// Things that the contract allows and a run may or may not contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happened {
    /// A first configuration was of the member alone.
    JoinedAlone,
    /// A first configuration had others in it.
    JoinedOthers,
    /// A message was read by one while another was four or more behind.
    Behind,
    /// A process had sixteen or more events that it had not taken.
    PiledUp,
    /// A transitional configuration was delivered.
    Split,
    /// A configuration brought members of several earlier ones together.
    Merged,
    /// A change was planned for a member that had not installed the one before.
    Cascade,
    /// A change was planned, and then all stayed as it was.
    CalledOff,
    /// A configuration was installed by one of its members and never by another that lives on.
    InstalledBySome,
    /// A configuration was installed when others had left it already.
    InstalledLate,
    /// A configuration was installed with a member that was dead by then.
    InstalledWithDead,
    /// A member was missing in a transitional configuration and back in the regular one.
    StraightBack,
    /// The one that was back was another life under the old name.
    OldNameBack,
    /// A change came while all was well.
    Alarm,
    /// A message was delivered in a transitional configuration.
    InTransitional,
    /// Some delivered a message in the regular configuration and others in the transitional one.
    InBoth,
    /// A message that had its place was not delivered by those who went on without its sender.
    Discarded,
    /// A message was placed in a later configuration than that in which it was taken.
    LaterConfiguration,
    /// A process died between the plan of a change and its end.
    CrashInChange,
    /// A process died with a message placed that it had not read itself.
    CrashAfterOrder,
    /// A process was restarted with its old number.
    SameNumber,
    /// A process left.
    Left,
    /// An engine was lost.
    Lost,
    /// An engine was lost with messages of its own on the way.
    LostWithMessages,
    /// A message was taken before the process knew that the bus was lost.
    TakenAfterUnseenLoss,
    /// A message was refused because too much waited.
    Full,
    /// There was room again.
    Room,
}

impl Happened {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::JoinedAlone,
        Self::JoinedOthers,
        Self::Behind,
        Self::PiledUp,
        Self::Split,
        Self::Merged,
        Self::Cascade,
        Self::CalledOff,
        Self::InstalledBySome,
        Self::InstalledLate,
        Self::InstalledWithDead,
        Self::StraightBack,
        Self::OldNameBack,
        Self::Alarm,
        Self::InTransitional,
        Self::InBoth,
        Self::Discarded,
        Self::LaterConfiguration,
        Self::CrashInChange,
        Self::CrashAfterOrder,
        Self::SameNumber,
        Self::Left,
        Self::Lost,
        Self::LostWithMessages,
        Self::TakenAfterUnseenLoss,
        Self::Full,
        Self::Room,
    ];
}

/// How often each has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<Happened, u64>);

impl Coverage {
    /// Returns how often this has happened.
    pub fn of(&self, what: Happened) -> u64 {
        self.0.get(&what).copied().unwrap_or(0)
    }

    /// Adds what happened in another run.
    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(*what).or_default() += times;
        }
    }

    pub(super) fn count(&mut self, what: Happened) {
        *self.0.entry(what).or_default() += 1;
    }
}

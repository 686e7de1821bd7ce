//! What happened in a run: for every process its lives on the bus, and in each what it did and saw, in its own order.
use super::Tag;
use convoy_core::group::bus::{Kind, MemberId, Unsent};
use std::{collections::BTreeSet, fmt};

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The lives of all processes; those of one process in their order.
    pub lives: Vec<Life>,
    /// Whether the run ended in peace: everything healed, everyone reading, time enough. What must come to pass at
    /// last is checked only then.
    pub settled: bool,
}

/// A process from its joining to its leaving, its crash, or the loss of its engine; or to the end of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// The process, by its number in the run.
    pub seat: usize,
    /// Which of its lives, from 0.
    pub number: usize,
    /// Its name on the bus, once it had one.
    pub own: Option<MemberId>,
    /// What it did and saw.
    pub records: Vec<Record>,
}

/// One thing that a process did or saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The bus took a message of it.
    Taken {
        /// Which.
        tag: Tag,
        /// Its bytes.
        len: usize,
    },
    /// The bus did not take a message.
    Refused {
        /// Why.
        why: Unsent,
        /// Its bytes.
        len: usize,
    },
    /// It was told who is there.
    Configuration {
        /// Regular or transitional.
        kind: Kind,
        /// Who.
        members: BTreeSet<MemberId>,
        /// The configuration's number among all of the run, where the harness knows it: the truth, for checks that
        /// otherwise have to infer which configurations of two processes are the same one.
        number: Option<u64>,
    },
    /// It got a message.
    Delivered {
        /// From whom.
        sender: MemberId,
        /// Which; `None` when it is not what anybody sent.
        tag: Option<Tag>,
        /// Its bytes.
        len: usize,
    },
    /// It was told that there is room again.
    Room,
    /// It was told that the bus is lost. Ends a life.
    Lost,
    /// It left. Ends a life.
    Left,
    /// It died. Ends a life.
    Crashed,
}

impl Record {
    /// Tells whether a life ends with this.
    pub fn is_end(&self) -> bool {
        match self {
            Self::Lost | Self::Left | Self::Crashed => true,
            Self::Taken { .. }
            | Self::Refused { .. }
            | Self::Configuration { .. }
            | Self::Delivered { .. }
            | Self::Room => false,
        }
    }
}

impl Life {
    /// Tells whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.records.iter().any(Record::is_end)
    }
}

/// A life as text, a line a record: for people who look for the cause.
impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = self.own.map_or("no member".to_owned(), |own| format!("member {own}"));
        writeln!(f, "process {} life {}, {own}:", self.seat, self.number)?;
        for record in &self.records {
            match record {
                Record::Taken { tag, len } => writeln!(f, "  took {tag} of {len} bytes")?,
                Record::Refused { why, len } => writeln!(f, "  refused {len} bytes: {why:?}")?,
                Record::Configuration { kind, members, number } => {
                    let members: Vec<_> = members.iter().map(MemberId::to_string).collect();
                    let number = number.map_or(String::new(), |number| format!(" no. {number}"));
                    writeln!(f, "  {kind:?}{number}: {}", members.join(" "))?;
                }
                Record::Delivered { sender, tag, len } => {
                    let tag = tag.map_or("garbled".to_owned(), |tag| tag.to_string());
                    writeln!(f, "  got {tag} of {len} bytes from {sender}")?;
                }
                Record::Room | Record::Lost | Record::Left | Record::Crashed => writeln!(f, "  {record:?}")?,
            }
        }
        Ok(())
    }
}

//! What happens to a configuration while it is in use: generations, transactions, edits of its files.
//!
//! ```text
//!   set, unset --------> change --> candidate --(settings are good)--> adopt: the next generation
//!   begin .. commit ---> changes kept aside, one after the other ---^
//!   reload ------------> everything read anew ----------------------^
//! ```
//! A session is whoever may have a transaction: a user and a name. Its changes are its own until it commits; the first
//! commit wins, and a transaction that began before it must be replayed onto what is there now.
//! Invariants: 1. there is always a generation that loads, and the number of every next one is larger; 2. nothing but
//! [`Sessions::adopt`] changes it; 3. a transaction that was dropped is never mistaken for none: its session is told before
//! anything else is done for it; 4. number, size and life of transactions are bounded.
//! Source: reference sections 1.14, 1.15 and 8.4. Does not judge whole configurations, nor write files.
use super::{diagnostic::Diagnostics, load::Config};
use crate::{
    bounds,
    time::{Instant, Span},
};
use alloc::{
    collections::BTreeMap,
    string::{String, ToString as _},
    sync::Arc,
    vec::Vec,
};
use change::{Change, Changed, Refused};
use snapshot::Snapshot;
use thiserror::Error;

pub mod address;
pub mod change;
pub mod edit;
pub mod show;
pub mod snapshot;

/// A configuration in use, and the texts it was built from.
#[derive(Clone, Debug, Default)]
pub struct Generation {
    /// 1 at the start; one more for each one after it.
    pub number: u64,
    /// Its texts.
    pub snapshot: Snapshot,
    /// The configuration.
    pub config: Config,
}

/// Whose transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    /// Number of the user.
    pub user: u32,
    /// Name the user gave it.
    pub name: String,
}

/// The generation in use and the transactions on top of it.
#[derive(Debug)]
pub struct Sessions {
    current: Arc<Generation>,
    /// By identity: what is in the files, as far as it was read or written here.
    disk: BTreeMap<String, Arc<str>>,
    open: BTreeMap<Session, Open>,
}

/// What is to be the next generation, once its settings are found to be good.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The generation.
    pub generation: Arc<Generation>,
    /// Warnings of its load.
    pub diagnostics: Diagnostics,
    /// What a single change did; `None` for a commit or a reload.
    pub made: Option<Made>,
    /// Number of changes in it.
    pub changes: usize,
    ends: Option<Session>,
    reloads: bool,
}

/// What one change did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The value before, of an option that was set.
    pub before: Option<super::draft::Literal>,
    /// The files it belongs into; none for what can be saved nowhere.
    pub files: Vec<String>,
}

/// What became of a change.
#[derive(Debug)]
pub enum Outcome {
    /// It is to be the next generation.
    Next(Candidate),
    /// It is kept in the session's transaction.
    Kept {
        /// What it did.
        made: Made,
        /// Changes of the transaction, this one included.
        changes: usize,
        /// Warnings of the load.
        diagnostics: Diagnostics,
        /// The transaction's configuration.
        generation: Arc<Generation>,
    },
}

/// Why a command is refused, one variant per remedy.
#[derive(Debug, Error)]
pub enum Denied {
    /// The change itself.
    #[error(transparent)]
    Change(#[from] Refused),
    /// A transaction is open already.
    #[error(
        "this session has a transaction already, with {changes} changes; `convoy config commit` or `convoy config rollback` ends it"
    )]
    Open {
        /// Its changes.
        changes: usize,
    },
    /// No transaction is open.
    #[error("this session has no transaction; `convoy config begin` opens one")]
    NotOpen,
    /// The transaction was dropped.
    #[error("the transaction of this session is gone: {} s passed without a command, and its {changes} changes were dropped; `convoy config begin` opens another one", bounds::TRANSACTION_IDLE_MAX.as_ms() / 1_000)]
    Idle {
        /// Its changes.
        changes: usize,
    },
    /// Somebody else was first.
    #[error(
        "the configuration has changed since this transaction began (generation {base}, now {current}); `convoy config replay` puts your changes on top of it, `convoy config rollback` drops them"
    )]
    Conflict {
        /// Generation it began with.
        base: u64,
        /// Generation now.
        current: u64,
    },
    /// Not while changes are kept aside.
    #[error("not inside a transaction; `convoy config commit` or `convoy config rollback` ends it")]
    Inside,
    /// Too many of them.
    #[error(
        "{} transactions are open; end one of them, or wait until the oldest is dropped",
        bounds::TRANSACTIONS_MAX
    )]
    TooMany,
    /// Too large.
    #[error(
        "a transaction holds at most {} changes; commit this one and begin another",
        bounds::TRANSACTION_CHANGES_MAX
    )]
    Full,
    /// A change of a transaction does not fit what is there now.
    #[error("change {number} of {changes} does not fit the present configuration: {source}")]
    Replay {
        /// Which, from 1.
        number: usize,
        /// Of how many.
        changes: usize,
        /// Why.
        source: Refused,
    },
}

#[derive(Debug)]
enum Open {
    Active(Transaction),
    /// Dropped, and its session does not know yet.
    Dropped {
        changes: usize,
        since: Instant,
    },
}

#[derive(Debug)]
struct Transaction {
    base: u64,
    scratch: bool,
    generation: Arc<Generation>,
    changes: Vec<Change>,
    used: Instant,
}

impl Sessions {
    /// Begins with a configuration that was loaded from the disk.
    pub fn new(snapshot: Snapshot, config: Config) -> Self {
        let disk = on_disk(&snapshot);
        let current = Arc::new(Generation { number: 1, snapshot, config });
        Self { current, disk, open: BTreeMap::new() }
    }

    /// Returns the generation in use.
    pub fn current(&self) -> &Arc<Generation> {
        &self.current
    }

    /// Returns what a session sees, and the number of changes of its transaction if it has one.
    ///
    /// # Errors
    /// [`Denied::Idle`], once.
    pub fn view(
        &mut self,
        session: &Session,
        now: Instant,
    ) -> Result<(Arc<Generation>, Option<usize>), Denied> {
        self.drop_idle(now);
        match self.transaction(session, now)? {
            Some(transaction) => Ok((transaction.generation.clone(), Some(transaction.changes.len()))),
            None => Ok((self.current.clone(), None)),
        }
    }

    /// Makes a change: in the session's transaction, else for everybody.
    ///
    /// # Errors
    /// [`Denied`]; nothing is changed.
    pub fn change(&mut self, session: &Session, change: Change, now: Instant) -> Result<Outcome, Denied> {
        self.drop_idle(now);
        let current = self.current.clone();
        let Some(transaction) = self.transaction(session, now)? else {
            let Changed { snapshot, config, diagnostics, before, files } =
                change::make(&current.snapshot, &current.config, &change)?;
            let generation = Arc::new(Generation { number: current.number + 1, snapshot, config });
            let made = Some(Made { before, files });
            let ends = None;
            return Ok(Outcome::Next(Candidate {
                generation,
                diagnostics,
                made,
                changes: 1,
                ends,
                reloads: false,
            }));
        };
        if transaction.changes.len() >= bounds::TRANSACTION_CHANGES_MAX {
            return Err(Denied::Full);
        }
        let seen = &transaction.generation;
        let Changed { snapshot, config, diagnostics, before, files } =
            change::make(&seen.snapshot, &seen.config, &change)?;
        transaction.generation = Arc::new(Generation { number: seen.number, snapshot, config });
        transaction.changes.push(change);
        let (changes, generation) = (transaction.changes.len(), transaction.generation.clone());
        Ok(Outcome::Kept { made: Made { before, files }, changes, diagnostics, generation })
    }

    /// Opens a transaction on the generation in use, or on nothing at all.
    ///
    /// # Errors
    /// [`Denied::Open`], [`Denied::TooMany`], [`Denied::Idle`].
    pub fn begin(&mut self, session: Session, scratch: bool, now: Instant) -> Result<u64, Denied> {
        self.drop_idle(now);
        let (current, number) = (self.current.clone(), self.current.number);
        // Whoever begins anew knows that the old one is over, or does not mind.
        if let Some(Open::Active(transaction)) = self.open.get(&session) {
            return Err(Denied::Open { changes: transaction.changes.len() });
        }
        self.open.remove(&session);
        self.make_room()?;
        let generation = if scratch { Arc::new(empty(&current)) } else { current };
        let transaction = Transaction { base: number, scratch, generation, changes: Vec::new(), used: now };
        self.open.insert(session, Open::Active(transaction));
        Ok(number)
    }

    /// Returns the transaction's configuration as the next generation.
    ///
    /// # Errors
    /// [`Denied::Conflict`] when another one came first; [`Denied::NotOpen`], [`Denied::Idle`].
    pub fn commit(&mut self, session: &Session, now: Instant) -> Result<Candidate, Denied> {
        self.drop_idle(now);
        let current = self.current.number;
        let transaction = self.transaction(session, now)?.ok_or(Denied::NotOpen)?;
        if transaction.base != current {
            return Err(Denied::Conflict { base: transaction.base, current });
        }
        let Generation { snapshot, config, .. } = (*transaction.generation).clone();
        let (_, diagnostics) = snapshot.build();
        let changes = transaction.changes.len();
        let generation = Arc::new(Generation { number: current + 1, snapshot, config });
        let ends = Some(session.clone());
        Ok(Candidate { generation, diagnostics, made: None, changes, ends, reloads: false })
    }

    /// Drops the transaction and returns how many changes it had.
    ///
    /// # Errors
    /// [`Denied::NotOpen`], [`Denied::Idle`].
    pub fn rollback(&mut self, session: &Session, now: Instant) -> Result<usize, Denied> {
        self.drop_idle(now);
        let changes = self.transaction(session, now)?.ok_or(Denied::NotOpen)?.changes.len();
        self.open.remove(session);
        Ok(changes)
    }

    /// Makes the transaction's changes once more, on top of the generation in use; returns it and their number.
    ///
    /// # Errors
    /// [`Denied::Replay`]: the transaction stays as it was. [`Denied::NotOpen`], [`Denied::Idle`].
    pub fn replay(&mut self, session: &Session, now: Instant) -> Result<(u64, usize), Denied> {
        self.drop_idle(now);
        let current = self.current.clone();
        let transaction = self.transaction(session, now)?.ok_or(Denied::NotOpen)?;
        let mut generation = if transaction.scratch { empty(&current) } else { (*current).clone() };
        let changes = transaction.changes.len();
        for (at, change) in transaction.changes.iter().enumerate() {
            let made = change::make(&generation.snapshot, &generation.config, change)
                .map_err(|source| Denied::Replay { number: at + 1, changes, source })?;
            generation = Generation { snapshot: made.snapshot, config: made.config, ..generation };
        }
        (transaction.base, transaction.generation) = (current.number, Arc::new(generation));
        Ok((current.number, changes))
    }

    /// Returns what was read anew as the next generation.
    ///
    /// # Errors
    /// [`Denied::Inside`], [`Denied::Idle`].
    pub fn reload(
        &mut self,
        session: &Session,
        now: Instant,
        (snapshot, config, diagnostics): (Snapshot, Config, Diagnostics),
    ) -> Result<Candidate, Denied> {
        self.outside(session, now)?;
        Ok(self.reloaded(snapshot, config, diagnostics))
    }

    /// Returns what was read anew as the next generation, for a reload that no session asked for.
    pub fn reloaded(&self, snapshot: Snapshot, config: Config, diagnostics: Diagnostics) -> Candidate {
        let generation = Arc::new(Generation { number: self.current.number + 1, snapshot, config });
        Candidate { generation, diagnostics, made: None, changes: 0, ends: None, reloads: true }
    }

    /// Makes sure that a session has no transaction.
    ///
    /// # Errors
    /// [`Denied::Inside`], [`Denied::Idle`].
    pub fn outside(&mut self, session: &Session, now: Instant) -> Result<(), Denied> {
        self.drop_idle(now);
        if self.transaction(session, now)?.is_some() { Err(Denied::Inside) } else { Ok(()) }
    }

    /// Makes a candidate the generation in use, and returns its number.
    pub fn adopt(&mut self, candidate: &Candidate) -> u64 {
        self.current = candidate.generation.clone();
        if candidate.reloads {
            self.disk = on_disk(&self.current.snapshot);
        }
        if let Some(session) = &candidate.ends {
            self.open.remove(session);
        }
        self.current.number
    }

    /// Returns the files of the generation in use that are not on disk as they are here: identity, name, text, and what
    /// was on disk before; `None` when no such file was read.
    pub fn unsaved(&self) -> Vec<Unsaved> {
        let differs = |(identity, text): (&str, &snapshot::Text)| {
            let before = self.disk.get(identity);
            (before != Some(&text.text)).then(|| Unsaved {
                identity: identity.to_string(),
                shown: text.shown.clone(),
                text: text.text.clone(),
                before: before.cloned(),
            })
        };
        self.current.snapshot.texts().filter_map(differs).collect()
    }

    /// Takes note that a file was written.
    pub fn saved(&mut self, unsaved: &Unsaved) {
        self.disk.insert(unsaved.identity.clone(), unsaved.text.clone());
    }

    /// Returns a session's transaction.
    fn transaction(&mut self, session: &Session, now: Instant) -> Result<Option<&mut Transaction>, Denied> {
        if let Some(Open::Dropped { changes, .. }) = self.open.get(session) {
            let changes = *changes;
            self.open.remove(session);
            return Err(Denied::Idle { changes });
        }
        Ok(match self.open.get_mut(session) {
            Some(Open::Active(transaction)) => {
                transaction.used = now;
                Some(transaction)
            }
            Some(Open::Dropped { .. }) | None => None,
        })
    }

    fn drop_idle(&mut self, now: Instant) {
        for open in self.open.values_mut() {
            if let Open::Active(transaction) = open
                && now.since(transaction.used) > bounds::TRANSACTION_IDLE_MAX
            {
                *open = Open::Dropped { changes: transaction.changes.len(), since: now };
            }
        }
        let forgotten =
            |open: &Open| matches!(open, Open::Dropped { since, .. } if now.since(*since) > TOLD_MAX);
        self.open.retain(|_, open| !forgotten(open));
    }

    fn make_room(&mut self) -> Result<(), Denied> {
        if self.open.len() < bounds::TRANSACTIONS_MAX {
            return Ok(());
        }
        let oldest = self.open.iter().filter_map(|(session, open)| match open {
            Open::Dropped { since, .. } => Some((*since, session.clone())),
            Open::Active(_) => None,
        });
        let (_, session) = oldest.min().ok_or(Denied::TooMany)?;
        self.open.remove(&session);
        Ok(())
    }
}

/// A file that is not on disk as it is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaved {
    /// Its own name, one for each file.
    pub identity: String,
    /// Its name in reports.
    pub shown: String,
    /// The text in use.
    pub text: Arc<str>,
    /// The text when it was read or written last; `None` for a file that was not there.
    pub before: Option<Arc<str>>,
}

fn on_disk(snapshot: &Snapshot) -> BTreeMap<String, Arc<str>> {
    snapshot.texts().map(|(identity, text)| (identity.to_string(), text.text.clone())).collect()
}

fn empty(current: &Generation) -> Generation {
    let snapshot = current.snapshot.from_scratch();
    let (config, _) = snapshot.build();
    Generation { number: current.number, snapshot, config }
}

/// How long a session may learn that its transaction was dropped. chosen: a day, until the operator is back.
const TOLD_MAX: Span = Span::from_secs(86_400);

#[cfg(test)]
mod tests;

//! The `config` family: what a command does to the configuration in use, and what is answered.
//!
//! The same code serves a daemon and `convoy config --file`. A command that changes something hands the new settings to
//! whoever owns the threads; only when these have taken them is the change made, and the answer sent.
//! Invariants: 1. the configuration in use always has good settings (offline: it loads, fits the table, and has no more faults
//! than it had); 2. a command that fails changes nothing; 3. only `writeback` writes files; 4. all of it is done on one thread, one command after the other.
//! Source: reference sections 1.14, 1.15 and 8.4.
use super::{Disk, Environment, Report, Settings, judge, rows};
use crate::host::control::shape::{
    Failure,
    config::{
        ConfigAnswer, ConfigBegun, ConfigChange, ConfigCommitted, ConfigReloaded, ConfigReplayed,
        ConfigRequest, ConfigRolledBack, DiagnosticRow, Words,
    },
};
use convoy_core::{
    bounds,
    config::{
        diagnostic::{Diagnostics, Severity},
        load::Config,
        report::Colour,
        schema::{self, Live},
        session::{
            Candidate, Denied, Generation, Outcome, Session, Sessions,
            address::{self, Address, Step},
            change::{self, Change, Refused},
            snapshot::Snapshot,
        },
    },
    time::Instant,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

mod ask;
mod save;

/// A configuration in use, and the sessions that change it.
#[derive(Debug)]
pub struct Console {
    main: PathBuf,
    environment: Environment,
    sessions: Sessions,
    /// Whether somebody runs with it.
    online: bool,
    /// How often it has each kind of error: none online. A file may be another host's.
    faults: BTreeMap<&'static str, usize>,
    /// Code and text of every warning of the configuration in use: what is told already.
    told: BTreeSet<(String, String)>,
}

/// Puts settings into effect; gives the options that keep their value until a restart, or why nothing was changed.
pub type Apply<'a> = dyn FnMut(&Settings) -> Result<Vec<String>, String> + 'a;

/// Who gives a command, and when.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Number of the user.
    pub user: u32,
    /// Monotonic time.
    pub now: Instant,
}

impl Console {
    /// Loads a configuration for a daemon.
    ///
    /// # Errors
    /// A report with every error found.
    pub fn open(main: &Path, environment: &Environment) -> Result<(Self, Settings, Report), Report> {
        let (snapshot, config, diagnostics) = read(main, environment);
        let (settings, warnings) = judge(&config, diagnostics, environment)?;
        let mut console = Self::new(main, environment, true, Sessions::new(snapshot, config));
        console.told = known(&warnings);
        Ok((console, settings, warnings))
    }

    /// Loads a configuration that nobody runs with: it has to load and to fit the table, but need not be this host's.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn offline(main: &Path, environment: &Environment) -> Result<Self, Report> {
        let (snapshot, config, diagnostics) = read(main, environment);
        check(&config, diagnostics.clone())?;
        let judged = judge(&config, diagnostics, environment).map(|(_, warnings)| warnings);
        let report = judged.unwrap_or_else(|report| report);
        let mut console = Self::new(main, environment, false, Sessions::new(snapshot, config));
        (console.told, console.faults) = (known(&report), faults(&report));
        Ok(console)
    }

    fn new(main: &Path, environment: &Environment, online: bool, sessions: Sessions) -> Self {
        let (main, environment) = (main.to_owned(), environment.clone());
        Self { main, environment, sessions, online, faults: BTreeMap::new(), told: BTreeSet::new() }
    }

    /// Reads the files anew, as SIGHUP asks for, and drops what was changed online; gives the warnings.
    ///
    /// # Errors
    /// A report with every error found, `None` when `apply` refused; nothing is changed.
    pub fn reload(&mut self, apply: &mut Apply<'_>) -> Result<Report, Option<Report>> {
        let (snapshot, config, diagnostics) = read(&self.main, &self.environment);
        let (settings, warnings) = judge(&config, diagnostics, &self.environment).map_err(Some)?;
        apply(&settings).map_err(|_told| None)?;
        let candidate = self.sessions.reloaded(snapshot, config, Diagnostics::default());
        self.sessions.adopt(&candidate);
        self.told = known(&warnings);
        Ok(warnings)
    }

    /// Returns the files that are not on disk as they are in use.
    pub fn unsaved(&self) -> Vec<String> {
        self.sessions.unsaved().into_iter().map(|file| file.shown).collect()
    }

    /// Does what a command says.
    ///
    /// # Errors
    /// What to tell whoever gave it; nothing is changed.
    pub fn ask(
        &mut self,
        request: &ConfigRequest,
        caller: Caller,
        apply: &mut Apply<'_>,
    ) -> Result<ConfigAnswer, Failure> {
        let session = Session { user: caller.user, name: request.session().into() };
        if session.name.len() > bounds::NAME_BYTES_MAX {
            let text = format!("the name of a session has at most {} bytes", bounds::NAME_BYTES_MAX);
            return Err(Failure::new(text));
        }
        let now = caller.now;
        match request {
            ConfigRequest::Get(_)
            | ConfigRequest::Eval(_)
            | ConfigRequest::Show(_)
            | ConfigRequest::ShowRecurse(_)
            | ConfigRequest::Locate(_) => {
                let (generation, _) = self.sessions.view(&session, now).map_err(denied)?;
                ask::answer(&generation.config, request)
            }
            ConfigRequest::Set(words) => self.set(words, &session, now, apply),
            ConfigRequest::Unset(words) => self.unset(words, &session, now, apply),
            ConfigRequest::Begin { scratch, .. } => self.begin(session, *scratch, now),
            ConfigRequest::Commit(_) => self.commit(&session, now, apply),
            ConfigRequest::Rollback(_) => {
                let changes = self.sessions.rollback(&session, now).map_err(denied)?;
                Ok(ConfigAnswer::RolledBack(ConfigRolledBack { changes }))
            }
            ConfigRequest::Replay(_) => {
                let (generation, changes) = self.sessions.replay(&session, now).map_err(denied)?;
                Ok(ConfigAnswer::Replayed(ConfigReplayed { generation, changes }))
            }
            ConfigRequest::Reload(path) => self.reload_from(path.path.as_deref(), &session, now, apply),
            ConfigRequest::Writeback(path) => self.writeback(path.path.as_deref(), &session, now),
        }
    }

    fn set(
        &mut self,
        words: &Words,
        session: &Session,
        now: Instant,
        apply: &mut Apply<'_>,
    ) -> Result<ConfigAnswer, Failure> {
        let (seen, _) = self.sessions.view(session, now).map_err(denied)?;
        let (scope, option, value) = Address::assignment(&words.words, &seen.config.scopes)
            .map_err(|bad| Failure::new(bad.to_string()))?;
        let option = schema::option(&address::path(&scope), &option).map_or(option, |row| row.name.into());
        let change = Change::Set { scope: scope.clone(), option: option.clone(), value };
        self.change(&seen, (session, now), change, (scope, Some(option)), apply)
    }

    fn unset(
        &mut self,
        words: &Words,
        session: &Session,
        now: Instant,
        apply: &mut Apply<'_>,
    ) -> Result<ConfigAnswer, Failure> {
        let (seen, _) = self.sessions.view(session, now).map_err(denied)?;
        let bad = |bad: address::BadAddress| Failure::new(bad.to_string());
        let (address, option) = Address::scope(&words.words, &seen.config.scopes).map_err(bad)?;
        if address.every.is_some() {
            // Taking all instances away at once is never what is meant.
            Address::option(&words.words, &seen.config.scopes).map_err(bad)?;
        }
        let scope = address.scope;
        let change = match &option {
            Some(option) => Change::Unset { scope: scope.clone(), option: option.clone() },
            None => Change::UnsetScope { scope: scope.clone() },
        };
        self.change(&seen, (session, now), change, (scope, option), apply)
    }

    fn change(
        &mut self,
        seen: &Generation,
        (session, now): (&Session, Instant),
        change: Change,
        (scope, option): (Vec<Step>, Option<String>),
        apply: &mut Apply<'_>,
    ) -> Result<ConfigAnswer, Failure> {
        let row = option.as_deref().and_then(|option| schema::option(&address::path(&scope), option));
        let fixed = row.filter(|row| row.live == Live::Restart).map(|row| row.name.to_owned());
        let mut answer = ConfigChange {
            scope: address::name(&scope),
            option: option.clone(),
            before: None,
            value: None,
            files: Vec::new(),
            generation: None,
            transaction: None,
            restart: Vec::new(),
            warnings: Vec::new(),
        };
        let now_set = |config: &Config| {
            let setting = change::setting(config, &scope, option.as_deref()?)?;
            Some(rows::value(&change::literal(setting)))
        };
        match self.sessions.change(session, change, now).map_err(denied)? {
            Outcome::Kept { made, changes, diagnostics, generation } => {
                let report = check(&generation.config, diagnostics);
                let report = report.as_ref().unwrap_or_else(|report| report);
                answer.before = made.before.as_ref().map(rows::value);
                answer.value = now_set(&generation.config);
                (answer.files, answer.transaction) = (made.files, Some(changes));
                answer.restart.extend(fixed);
                answer.warnings = self.news(report, &known_in(&seen.config));
            }
            Outcome::Next(candidate) => {
                let made = candidate.made.clone();
                let (warnings, mut restart) = self.take_over(&candidate, apply)?;
                restart.extend(fixed.filter(|name| !restart.contains(name)));
                answer.before = made.as_ref().and_then(|made| made.before.as_ref()).map(rows::value);
                answer.value = now_set(&candidate.generation.config);
                answer.files = made.map(|made| made.files).unwrap_or_default();
                answer.generation = Some(candidate.generation.number);
                (answer.restart, answer.warnings) = (restart, warnings);
            }
        }
        Ok(ConfigAnswer::Change(answer))
    }

    fn begin(&mut self, session: Session, scratch: bool, now: Instant) -> Result<ConfigAnswer, Failure> {
        let name = session.name.clone();
        let generation = self.sessions.begin(session, scratch, now).map_err(denied)?;
        let idle_s = bounds::TRANSACTION_IDLE_MAX.as_ms() / 1_000;
        Ok(ConfigAnswer::Begun(ConfigBegun { session: name, generation, scratch, idle_s }))
    }

    fn commit(
        &mut self,
        session: &Session,
        now: Instant,
        apply: &mut Apply<'_>,
    ) -> Result<ConfigAnswer, Failure> {
        let candidate = self.sessions.commit(session, now).map_err(denied)?;
        let changes = candidate.changes;
        let (warnings, restart) = self.take_over(&candidate, apply)?;
        let generation = candidate.generation.number;
        Ok(ConfigAnswer::Committed(ConfigCommitted { generation, changes, restart, warnings }))
    }

    fn reload_from(
        &mut self,
        path: Option<&str>,
        session: &Session,
        now: Instant,
        apply: &mut Apply<'_>,
    ) -> Result<ConfigAnswer, Failure> {
        self.sessions.outside(session, now).map_err(denied)?;
        let main = path.map_or_else(|| self.main.clone(), PathBuf::from);
        if !main.is_absolute() && path.is_some() {
            return Err(Failure::new(format!("{} is not an absolute path", main.display())));
        }
        let dropped = self.unsaved();
        let (snapshot, config, diagnostics) = read(&main, &self.environment);
        let candidate =
            self.sessions.reload(session, now, (snapshot, config, diagnostics)).map_err(denied)?;
        let (warnings, restart) = self.take_over(&candidate, apply)?;
        Ok(ConfigAnswer::Reloaded(ConfigReloaded {
            generation: candidate.generation.number,
            file: main.display().to_string(),
            files: candidate.generation.config.texts.files.len(),
            dropped,
            restart,
            warnings,
        }))
    }

    /// Judges a candidate, puts it into effect, and makes it the configuration in use; gives the warnings that are new,
    /// and what takes effect after a restart only.
    fn take_over(
        &mut self,
        candidate: &Candidate,
        apply: &mut Apply<'_>,
    ) -> Result<(Vec<DiagnosticRow>, Vec<String>), Failure> {
        let (config, diagnostics) = (&candidate.generation.config, candidate.diagnostics.clone());
        let (report, restart) = match judge(config, diagnostics, &self.environment) {
            Ok((settings, report)) if self.online => {
                let refused = |why| Failure::new(format!("Reconfigure failed: {why}; nothing was changed"));
                (report, apply(&settings).map_err(refused)?)
            }
            Ok((_, report)) => (report, Vec::new()),
            Err(report) if !self.online && !self.has_more_faults(&report) => (report, Vec::new()),
            Err(report) => return Err(reconfigure_failed(&report)),
        };
        let warnings = self.news(&report, &self.told);
        self.sessions.adopt(candidate);
        (self.told, self.faults) = (known(&report), faults(&report));
        Ok((warnings, restart))
    }

    fn has_more_faults(&self, report: &Report) -> bool {
        faults(report).iter().any(|(code, count)| self.faults.get(code).is_none_or(|before| before < count))
    }

    /// Returns the warnings and errors that are not `known`.
    fn news(&self, report: &Report, known: &BTreeSet<(String, String)>) -> Vec<DiagnosticRow> {
        let new = |row: &DiagnosticRow| {
            let key = (row.code.clone(), row.message.clone());
            !known.contains(&key) && !self.told.contains(&key)
        };
        all_rows(report).into_iter().filter(new).collect()
    }
}

/// Returns a report's faults as rows of an answer.
pub(crate) fn all_rows(report: &Report) -> Vec<DiagnosticRow> {
    report.diagnostics().iter().map(|fault| rows::diagnostic(report.files(), fault)).collect()
}

fn read(main: &Path, environment: &Environment) -> (Snapshot, Config, Diagnostics) {
    Snapshot::take(&mut Disk::new(main, environment), &main.to_string_lossy())
}

/// Checks a configuration against the table alone.
fn check(config: &Config, mut diagnostics: Diagnostics) -> Result<Report, Report> {
    schema::check(&config.scopes, &mut diagnostics);
    diagnostics.sort();
    let report = Report::new(config.texts.files.clone(), diagnostics);
    if report.diagnostics().has_errors() { Err(report) } else { Ok(report) }
}

fn known(report: &Report) -> BTreeSet<(String, String)> {
    report.diagnostics().iter().map(|fault| (fault.code.into(), fault.message.clone())).collect()
}

/// Counts a report's errors by kind.
fn faults(report: &Report) -> BTreeMap<&'static str, usize> {
    let errors = report.diagnostics().iter().filter(|fault| fault.severity == Severity::Error);
    errors.fold(BTreeMap::new(), |mut counts, fault| {
        *counts.entry(fault.code).or_default() += 1;
        counts
    })
}

fn known_in(config: &Config) -> BTreeSet<(String, String)> {
    let report = check(config, Diagnostics::default());
    known(report.as_ref().unwrap_or_else(|report| report))
}

fn denied(denied: Denied) -> Failure {
    match denied {
        Denied::Change(Refused::Faulty(faulty)) => {
            reconfigure_failed(&Report::new(faulty.config.texts.files.clone(), faulty.diagnostics))
        }
        other => Failure::new(other.to_string()),
    }
}

/// The reference's words for a configuration that is refused, and what is wrong with it.
fn reconfigure_failed(report: &Report) -> Failure {
    let errors = report.diagnostics().errors();
    let plural = if errors == 1 { "" } else { "s" };
    Failure {
        error: format!("Reconfigure failed: {errors} error{plural}; nothing was changed"),
        diagnostics: all_rows(report),
        report: report.layout(Colour::Never).to_string(),
    }
}

#[cfg(test)]
mod tests;

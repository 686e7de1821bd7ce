//! Our corosync: its files, its process, its end, and what it said about it.
use super::{
    Settings,
    conf::{self, Paths, Unwritable},
    files::{self, Unwritten},
    key::{Key, NoKey},
    memory,
};
use crate::sys::child::{self, Child};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsStr,
    io,
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

/// Why no corosync of ours runs, or runs any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The package is not there.
    #[error("there is no program `corosync`: install it (Debian: corosync), or set bus_engine = solo")]
    NotInstalled,
    /// The peers cannot be on one bus.
    #[error(transparent)]
    Conf(#[from] Unwritable),
    /// The secret is none.
    #[error(transparent)]
    Key(#[from] NoKey),
    /// The state directory is in the way.
    #[error(transparent)]
    Files(#[from] Unwritten),
    /// The kernel refuses the process.
    #[error("{}: {source}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It runs, but cannot hear the others; it says so in its log alone and goes on by itself.
    #[error("corosync cannot listen on UDP port {port} ({said}): another program has it; see `ss -ulpn`")]
    Deaf {
        /// The port.
        port: u16,
        /// Its words.
        said: String,
    },
    /// It ended, and said why if it knew.
    #[error("corosync ended ({status}){said}{}", advice(said))]
    Ended {
        /// How.
        status: ExitStatus,
        /// `: its last words`, or nothing.
        said: String,
    },
}

/// What was written for corosync.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    settings: Settings,
    conf: String,
    key: Key,
}

impl Written {
    /// Writes the files of these settings.
    fn new(settings: &Settings, paths: &Paths) -> Result<Self, Trouble> {
        let conf = conf::text(settings, paths)?;
        let key = match &settings.key_file {
            None => Key::of_group(&settings.group),
            Some(path) => {
                let (key, open) = Key::of_file(path)?;
                if open {
                    tracing::warn!("bus_key_file {} can be read by others; chmod 0600 it", path.display());
                }
                key
            }
        };
        files::write(&settings.dir, paths, &conf, key.bytes())?;
        Ok(Self { settings: settings.clone(), conf, key })
    }

    /// Returns whether a corosync that runs with this would take `new` by reading it again.
    fn can_become(&self, new: &Self) -> bool {
        let of = |settings: &Settings| (settings.port, settings.encryption, settings.dir.clone());
        let numbers = |written: &Self| {
            conf::numbers(written.settings.nodes.keys().map(|name| &**name))
                .into_iter()
                .map(|(name, number)| (name.to_owned(), number))
                .collect::<BTreeMap<_, _>>()
        };
        let (old, now) = (numbers(self), numbers(new));
        // Two names that meet on a number are told apart by who else is there.
        let renumbered = now.iter().any(|(name, number)| old.get(name).is_some_and(|old| old != number));
        self.key == new.key && of(&self.settings) == of(&new.settings) && !renumbered
    }
}

/// A corosync that we started. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Corosync {
    child: Child,
    paths: Paths,
    written: Written,
    /// Where its part of the log begins.
    log_from: u64,
    /// Its last errors.
    said: VecDeque<String>,
}

/// What became of new settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reloaded {
    /// In force, or nothing to do.
    Taken,
    /// Corosync must be started anew for them.
    Restart,
}

impl Corosync {
    /// Writes its files and starts it. It does not answer yet.
    pub(super) fn start(settings: &Settings) -> Result<Self, Trouble> {
        let program = child::find_program("corosync").ok_or(Trouble::NotInstalled)?;
        let paths = Paths::below(&settings.dir);
        let written = Written::new(settings, &paths)?;
        for path in files::remove_torn_rings(&paths) {
            tracing::warn!("{} was not whole and is removed; corosync counts its rings anew", path.display());
        }
        if let Err(error) = files::bound_log(&paths.log) {
            tracing::warn!(%error, "{} grows beyond its bound", paths.log.display());
        }
        let freed = memory::remove_leftovers(Path::new(memory::DIRECTORY));
        if freed > 0 {
            tracing::info!(freed, "shared memory of corosyncs that were killed is removed");
        }
        let log_from = files::log_len(&paths.log);
        let args = ["-f".as_ref(), "-c".as_ref(), paths.conf.as_os_str()];
        let child = Child::start(&program, &args).map_err(|source| Trouble::Start { program, source })?;
        tracing::info!(pid = child.pid(), "corosync is started; its log is {}", paths.log.display());
        Ok(Self { child, paths, written, log_from, said: VecDeque::new() })
    }

    /// Returns the process.
    pub(super) fn child(&self) -> &Child {
        &self.child
    }

    /// Returns the descriptors to wait for: its end, its errors.
    pub(super) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [Some(self.child.ended_fd()), self.child.errors_fd()].into_iter().flatten()
    }

    /// Takes what it wrote to its standard error into our log, and tells if it has ended.
    pub(super) fn look(&mut self) -> Option<Trouble> {
        let said = &mut self.said;
        self.child.errors(|line| {
            tracing::warn!("corosync: {line}");
            if said.len() == SAID_MAX {
                said.pop_front();
            }
            said.push_back(line.to_owned());
        });
        if !wait(self.child.ended_fd(), Duration::ZERO) {
            return None;
        }
        // Before its number can become another process's.
        memory::remove_of(Path::new(memory::DIRECTORY), self.child.pid());
        let status = self.child.status().ok().flatten()?;
        let mut words = files::errors_since(&self.paths.log, self.log_from);
        if words.is_empty() {
            words.extend(self.said.iter().cloned());
        }
        let said = if words.is_empty() { String::new() } else { format!(": {}", words.join("; ")) };
        Some(Trouble::Ended { status, said })
    }

    /// Tells if it cannot hear the others. Its socket is its first act, but its log may come a moment later.
    pub(super) fn deafness(&self) -> Option<Trouble> {
        let said = files::line_since(&self.paths.log, self.log_from, DEAF)?;
        Some(Trouble::Deaf { port: self.written.settings.port, said })
    }

    /// Does what [`look`](Self::look) does for one that does not answer any more, and whose end may take a moment still.
    pub(super) fn look_at_end(&mut self) -> Option<Trouble> {
        wait(self.child.ended_fd(), END_WITHIN);
        self.look()
    }

    /// Keeps its log within bounds.
    pub(super) fn tend(&mut self) {
        if let Err(error) = files::bound_log(&self.paths.log) {
            tracing::debug!(%error, "the log of corosync stays as long as it is");
        }
        self.log_from = self.log_from.min(files::log_len(&self.paths.log));
    }

    /// Has it take other settings, if it can.
    ///
    /// # Errors
    /// When they are of no use; it runs on with the old ones.
    pub(super) fn reload(&mut self, settings: &Settings) -> Result<Reloaded, Trouble> {
        if self.written.settings == *settings {
            return Ok(Reloaded::Taken);
        }
        let new = Written::new(settings, &self.paths)?;
        let (can, same) = (self.written.can_become(&new), self.written.conf == new.conf);
        self.written = new;
        if !can {
            return Ok(Reloaded::Restart);
        }
        if same || reread() {
            return Ok(Reloaded::Taken);
        }
        tracing::warn!("corosync did not read its configuration again; it is started anew");
        Ok(Reloaded::Restart)
    }

    /// Asks it to end, which tells the others, and waits for that; kills it if it takes more than two seconds.
    pub(super) fn stop(mut self) {
        self.child.signaller().terminate();
        if !wait(self.child.ended_fd(), TERMINATE_WITHIN) {
            tracing::warn!("corosync did not end within {} s and is killed", TERMINATE_WITHIN.as_secs());
            self.child.signaller().kill();
            wait(self.child.ended_fd(), TERMINATE_WITHIN);
        }
        // What it said at the end is for the log alone.
        let _ended: Option<Trouble> = self.look();
    }
}

/// Has the running corosync read its configuration again; tells whether it did.
fn reread() -> bool {
    let Some(program) = child::find_program("corosync-cfgtool") else { return false };
    let Ok(mut tool) = Child::start(&program, &[OsStr::new("-R")]) else { return false };
    wait(tool.ended_fd(), REREAD_WITHIN);
    tool.errors(|line| tracing::warn!("corosync-cfgtool: {line}"));
    tool.status().is_ok_and(|status| status.is_some_and(|status| status.success()))
}

/// Returns what the installed corosync calls its version.
pub(super) fn version() -> Option<String> {
    let output = Command::new(child::find_program("corosync")?).arg("-v").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.split_once("version '")?.1.split_once('\'')?.0.to_owned())
}

/// Waits for a process; tells whether it ended.
fn wait(ended: BorrowedFd<'_>, within: Duration) -> bool {
    let timeout = Timespec::try_from(within).unwrap_or_default();
    poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&timeout)).is_ok_and(|ready| ready > 0)
}

/// What to do about the ends that have a known cause, by words of corosync 3.1 for them.
fn advice(said: &str) -> &'static str {
    let known = |(words, _): &&(&str, &str)| said.contains(words);
    ADVICE.iter().find(known).map_or("", |(_, advice)| advice)
}

const ADVICE: &[(&str, &str)] = &[
    ("create lock file", "; its lock is /run/corosync.pid, which must be writable (see docs/bus.md)"),
    (
        "Another Corosync",
        "; /run/corosync.pid is locked: stop the other corosync, or run convoyd where that is",
    ),
    ("local host", "; this node's address in `peers` must be one of this host's"),
];
/// What knet logs about its socket.
const DEAF: &str = "Unable to bind listener socket";

/// chosen: what it says before it ends is one line or two.
const SAID_MAX: usize = 4;
/// measured: a stop takes 40 ms, of which most is telling the others.
const TERMINATE_WITHIN: Duration = Duration::from_secs(2);
/// chosen: its connections break a moment before the kernel has taken it down.
const END_WITHIN: Duration = Duration::from_millis(200);
/// measured: corosync-cfgtool takes 20 ms.
const REREAD_WITHIN: Duration = Duration::from_secs(3);

//! The end of a lab on every path: a shell that waits for us to end, or to say so, and then cleans.
//!
//! ```text
//!   lab --(pipe)--> guard: sh clean.sh        down(), drop, panic, SIGINT, SIGTERM: we close the pipe and wait
//!                                             SIGKILL, abort: the kernel closes the pipe, nobody waits
//! ```
//!
//! Invariants: 1. the guard runs before the first thing it would have to remove exists; 2. there is one way of
//! cleaning, so the path after a SIGKILL is the one every test exercises; 3. the guard is in a process group of
//! its own and ignores the terminal's signals.
use crate::cgroup2_root;
use anyhow::{Context, Result, bail};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
    low_level::emulate_default_handler,
};
use std::{
    env, fs,
    io::{Write, stderr},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// The cleaner of one lab. Dropping it without [`clean`](Self::clean) cleans too, unwatched.
#[derive(Debug)]
pub(crate) struct Guard {
    child: Mutex<Option<Child>>,
    prefix: String,
    dir: PathBuf,
    cgroup: PathBuf,
}

impl Guard {
    /// Starts the guard of a lab that owns `PREFIX-*` namespaces, this cgroup and this directory.
    pub(crate) fn start(prefix: &str, cgroup: &Path, dir: &Path) -> Result<Arc<Self>> {
        WATCH_SIGNALS.call_once(watch_signals);
        let child = cleaner(prefix, cgroup, dir, Stdio::piped()).spawn().context("spawn the guard")?;
        let guard = Arc::new(Self {
            child: Mutex::new(Some(child)),
            prefix: prefix.to_owned(),
            dir: dir.to_owned(),
            cgroup: cgroup.to_owned(),
        });
        lock(&LABS).push(Arc::downgrade(&guard));
        Ok(guard)
    }

    /// Has everything removed and waits for it. The second call finds nothing to do.
    ///
    /// # Errors
    /// Lists what could not be removed.
    pub(crate) fn clean(&self) -> Result<()> {
        let mut slot = lock(&self.child);
        let Some(mut child) = slot.take() else { return Ok(()) };
        drop(child.stdin.take());
        finish(child, &self.prefix)
    }

    /// Leaves the lab standing after the end of this process.
    pub(crate) fn release(&self) -> Result<Kept> {
        fs::write(self.dir.join(KEPT_FILE), &self.prefix).context("note that the lab is kept")?;
        let mut slot = lock(&self.child);
        let Some(mut child) = slot.take() else { bail!("lab {} is down", self.prefix) };
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(b"keep\n").context("release the guard")?;
        }
        finish(child, &self.prefix)?;
        Ok(Kept { prefix: self.prefix.clone(), dir: self.dir.clone(), cgroup: self.cgroup.clone() })
    }
}

/// A lab that was left standing on purpose.
#[derive(Clone, Debug)]
pub struct Kept {
    prefix: String,
    dir: PathBuf,
    cgroup: PathBuf,
}

impl Kept {
    /// Returns the prefix of its namespaces.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the directory of all its files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns all that stand on this machine.
    pub fn all() -> Result<Vec<Self>> {
        let root = cgroup2_root()?;
        let mut kept = Vec::new();
        for entry in fs::read_dir(env::temp_dir()).context("temporary directory")? {
            let dir = entry.context("temporary directory")?.path();
            let Ok(prefix) = fs::read_to_string(dir.join(KEPT_FILE)) else { continue };
            // The name decides what is killed and removed: take only what a lab could have written.
            if !prefix.is_empty()
                && prefix.bytes().all(|b| b.is_ascii_alphanumeric())
                && dir == lab_dir(&prefix)
            {
                kept.push(Self { cgroup: lab_cgroup(&root, &prefix), prefix, dir });
            }
        }
        Ok(kept)
    }

    /// Takes it down.
    ///
    /// # Errors
    /// Lists what could not be removed.
    pub fn down(&self) -> Result<()> {
        let child = cleaner(&self.prefix, &self.cgroup, &self.dir, Stdio::null()).spawn();
        finish(child.context("spawn the cleaner")?, &self.prefix)
    }
}

/// Returns the directory of the lab with this prefix.
pub(crate) fn lab_dir(prefix: &str) -> PathBuf {
    env::temp_dir().join(format!("convoy-lab-{prefix}"))
}

/// Returns the cgroup of the lab with this prefix.
pub(crate) fn lab_cgroup(root: &Path, prefix: &str) -> PathBuf {
    root.join(format!("convoy-lab-{prefix}"))
}

fn cleaner(prefix: &str, cgroup: &Path, dir: &Path, stdin: Stdio) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", CLEAN, "convoy-lab-guard", prefix]).arg(cgroup).arg(dir);
    command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    command
}

/// Waits for the cleaner, whose every step is bounded, and turns what it reports into an error.
fn finish(child: Child, prefix: &str) -> Result<()> {
    let output = child.wait_with_output().context("wait for the guard")?;
    if output.status.success() {
        return Ok(());
    }
    bail!("lab {prefix} not fully removed: {}", String::from_utf8_lossy(&output.stderr).trim_end())
}

/// Takes all labs down at the first signal that ends us, then lets it end us.
fn watch_signals() {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            INTERRUPTED.store(true, Ordering::Relaxed);
            let labs: Vec<Arc<Guard>> = lock(&LABS).iter().filter_map(Weak::upgrade).collect();
            for lab in labs {
                report(lab.clean());
            }
            report(emulate_default_handler(signal).context("end by signal"));
        }
    });
}

/// Returns whether a signal is ending this process: its labs are being taken down, whatever else happens.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Tells the terminal about an error nobody is left to return to.
pub(crate) fn report(result: Result<()>) {
    if let Err(error) = result {
        // A closed stderr leaves nobody to tell.
        drop(writeln!(stderr(), "lab: {error:#}"));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static LABS: Mutex<Vec<Weak<Guard>>> = Mutex::new(Vec::new());
static WATCH_SIGNALS: Once = Once::new();
const CLEAN: &str = include_str!("clean.sh");
/// In the directory of a lab that was kept: its prefix.
const KEPT_FILE: &str = "kept";

//! A process in the lab: its signals, its bounded end, its log.
use anyhow::{Context, Result, bail};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    time::{Duration, Instant},
};

/// A process spawned by a [`Launch`](crate::Launch). Dropping the handle leaves the process to the lab, which
/// ends it with everything else.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pidfd: OwnedFd,
    log: PathBuf,
}

impl Process {
    pub(crate) fn new(child: Child, log: PathBuf) -> Result<Self> {
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).context("pidfd_open")?;
        Ok(Self { child, pidfd, log })
    }

    /// Returns the process id; it stays ours until [`wait`](Self::wait) has returned a status.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the file with all that the process wrote to its stdout and stderr.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Sends a signal.
    pub fn kill(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal)
            .with_context(|| format!("signal {signal:?} to pid {}", self.child.id()))
    }

    /// Returns the exit status if the process has ended.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("wait")
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// With the tail of the log when it has not ended within `bound`; it runs on then.
    pub fn wait(&mut self, bound: Duration) -> Result<ExitStatus> {
        let end = Instant::now() + bound;
        loop {
            if let Some(status) = self.status()? {
                return Ok(status);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!(
                    "pid {} still runs after {} ms; log:\n{}",
                    self.pid(),
                    bound.as_millis(),
                    self.tail(LOG_TAIL_LINES)
                );
            }
            wait_readable(&self.pidfd, left)?;
        }
    }

    /// Returns the last `lines` lines of the log, for failure messages.
    pub fn tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }
}

/// Returns the last `lines` lines of a file; a note in place of a file that cannot be read.
pub(crate) fn tail(file: &Path, lines: usize) -> String {
    match fs::read(file) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let all: Vec<&str> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        }
        Err(error) => format!("({}: {error})", file.display()),
    }
}

/// Returns when the descriptor is readable or `bound` has passed.
fn wait_readable(fd: &OwnedFd, bound: Duration) -> Result<()> {
    let timeout = Timespec::try_from(bound).context("timeout")?;
    match poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error).context("poll"),
    }
}

/// chosen: enough to see why something ended, little enough to read.
pub(crate) const LOG_TAIL_LINES: usize = 30;

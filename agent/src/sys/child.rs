//! A program that runs as a child and ends with this process, however that ends.
//!
//! Invariants: 1. it gets SIGTERM when the thread that started it ends, so also when this process is killed; 2. it is
//! in a process group of its own: what a terminal sends goes to this process alone; 3. it inherits no socket of the
//! service manager and would not be taken for the service. Source: prctl(2), `PR_SET_PDEATHSIG`; `pidfd_open(2)`.
use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal},
};
use std::{
    ffi::{OsStr, OsString},
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{ChildStderr, Command, ExitStatus, Stdio},
    sync::Arc,
};

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    pidfd: Arc<OwnedFd>,
    errors: Option<ChildStderr>,
    /// The beginning of a line whose end has not been written yet.
    line: Vec<u8>,
}

/// Sends signals to a child; never to another process that has its number later.
#[derive(Clone, Debug)]
pub struct Signaller(Arc<OwnedFd>);

impl Signaller {
    /// Ends the child at once. One that has ended already is fine.
    pub fn kill(&self) {
        self.send(Signal::KILL);
    }

    /// Asks the child to end.
    pub fn terminate(&self) {
        self.send(Signal::TERM);
    }

    fn send(&self, signal: Signal) {
        if let Err(error) = pidfd_send_signal(&self.0, signal) {
            tracing::debug!(%error, "a child that gets {signal:?} has ended");
        }
    }
}

impl Child {
    /// Starts `program`. Call it on a thread that lives as long as the child shall.
    pub fn start(program: &Path, args: &[&OsStr]) -> io::Result<Self> {
        Self::start_with(program, args, &[])
    }

    /// As [`start`](Self::start), with more variables in its environment.
    pub fn start_with(program: &Path, args: &[&OsStr], environment: &[(&str, OsString)]) -> io::Result<Self> {
        let parent = rustix::process::getpid();
        let mut command = Command::new(program);
        command
            .args(args)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        for variable in OF_THE_SERVICE {
            command.env_remove(variable);
        }
        let die_along = move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
            // Should the parent be gone already, the signal will not come.
            if rustix::process::getppid() == Some(parent) {
                Ok(())
            } else {
                Err(io::Error::from_raw_os_error(libc::ESRCH))
            }
        };
        // SAFETY: between fork and exec the closure makes two system calls, and neither allocates nor locks.
        unsafe { command.pre_exec(die_along) };
        let mut child = command.spawn()?;
        let errors = child.stderr.take();
        let opened = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).and_then(|pidfd| {
            if let Some(errors) = &errors {
                fcntl_setfl(errors, fcntl_getfl(errors)? | OFlags::NONBLOCK)?;
            }
            Ok(pidfd)
        });
        match opened {
            Ok(pidfd) => Ok(Self { process: child, pidfd: Arc::new(pidfd), errors, line: Vec::new() }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error.into())
            }
        }
    }

    /// Returns its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Returns what sends it signals, for any thread.
    pub fn signaller(&self) -> Signaller {
        Signaller(self.pidfd.clone())
    }

    /// Returns the descriptor that is readable when it has ended.
    pub fn ended_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Returns the descriptor that is readable when it has written an error, until it closes it.
    pub fn errors_fd(&self) -> Option<BorrowedFd<'_>> {
        self.errors.as_ref().map(AsFd::as_fd)
    }

    /// Gives the whole lines that it has written to its standard error since the last call, lossily, to `take`.
    /// A line longer than 4 KiB comes in pieces.
    pub fn errors(&mut self, mut take: impl FnMut(&str)) {
        let Some(errors) = &mut self.errors else { return };
        let mut buffer = [0; LINE_BYTES_MAX];
        for _ in 0..READS_MAX {
            match errors.read(&mut buffer) {
                Ok(0) => {
                    self.errors = None;
                    break;
                }
                Ok(len) => {
                    for byte in buffer.iter().take(len) {
                        if *byte == b'\n' || self.line.len() == LINE_BYTES_MAX {
                            take(String::from_utf8_lossy(&self.line).trim_end());
                            self.line.clear();
                        }
                        if *byte != b'\n' {
                            self.line.push(*byte);
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_would_block) => return,
            }
        }
        if self.errors.is_none() && !self.line.is_empty() {
            take(String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim_end());
        }
    }

    /// Ends it at once, and all that it started and that stayed in its process group.
    pub fn kill_group(&self) {
        // Its number is its own until it is waited for, so the group's is too.
        if let Err(error) = kill_process_group(Pid::from_child(&self.process), Signal::KILL) {
            tracing::debug!(%error, "a process group that is killed has ended");
        }
    }

    /// Returns how it ended, if it has.
    pub fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signaller().kill();
        // Killed, it ends as soon as the kernel gets to it.
        if let Err(error) = self.process.wait() {
            tracing::debug!(%error, "a child cannot be waited for");
        }
    }
}

/// Returns where `program` is, as execvp(3) would find it; system programs are also looked for where they usually are.
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|file| rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_file())
}

/// What a service manager gives the service alone: `sd_notify(3)`, `sd_listen_fds(3)`.
const OF_THE_SERVICE: [&str; 5] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID"];
/// chosen: longer lines are not for people.
const LINE_BYTES_MAX: usize = 4_096;
/// Reads of one look: a child that writes without end holds nobody up.
const READS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, poll};

    fn shell(script: &str) -> Child {
        let shell = find_program("sh").unwrap();
        Child::start(&shell, &["-c".as_ref(), script.as_ref()]).unwrap()
    }

    fn wait_for_end(child: &mut Child) -> ExitStatus {
        let fd = child.ended_fd();
        poll(&mut [PollFd::new(&fd, PollFlags::IN)], None).unwrap();
        child.status().unwrap().unwrap()
    }

    #[test]
    fn errors_come_line_by_line_and_the_end_is_told() {
        let mut child = shell("echo one >&2; echo two >&2; printf three >&2; exit 7");
        assert_eq!(wait_for_end(&mut child).code(), Some(7));
        let mut lines = Vec::new();
        child.errors(|line| lines.push(line.to_owned()));
        assert_eq!(lines, ["one", "two", "three"]);
        assert!(child.errors_fd().is_none());
    }

    #[test]
    fn a_child_that_is_dropped_ends_and_a_signal_to_it_is_harmless() {
        let child = shell("sleep 1000");
        let signaller = child.signaller();
        let pid = child.pid();
        drop(child);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        signaller.kill();
    }

    #[test]
    fn a_child_ends_with_the_thread_that_started_it() {
        let mut child = std::thread::spawn(|| shell("exec sleep 1000")).join().unwrap();
        let status = wait_for_end(&mut child);
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGTERM));
    }

    #[test]
    fn a_program_that_is_nowhere_is_not_found() {
        assert_eq!(find_program("no-such-program-anywhere"), None);
    }
}

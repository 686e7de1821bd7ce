//! A cgroup2 directory: who is in it, ending and freezing all of them at once.
//!
//! Source: Documentation/admin-guide/cgroup-v2.rst (`cgroup.kill` since Linux 5.14).
use crate::until;
use anyhow::{Context, Result};
use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Returns where cgroup2 is mounted on this machine.
///
/// # Errors
/// When it is mounted nowhere; a lab cannot run then.
pub fn cgroup2_root() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("/proc/self/mounts")?;
    mount_of_type(&mounts, "cgroup2").context("cgroup2 is not mounted (mount -t cgroup2 none DIR)")
}

/// One cgroup2 directory.
#[derive(Clone, Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Creates the directory; its parent must exist.
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        fs::create_dir(&path).with_context(|| format!("create cgroup {}", path.display()))?;
        Ok(Self { path })
    }

    /// Returns the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the file through which a process joins.
    pub fn procs(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// Returns the processes in this cgroup itself, not in its children. Zombies are not among them.
    pub fn pids(&self) -> Result<Vec<i32>> {
        let text = fs::read_to_string(self.procs()).with_context(|| self.path.display().to_string())?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Kills everything in this cgroup with SIGKILL and returns when nothing is left.
    pub fn kill(&self) -> Result<()> {
        match fs::write(self.path.join("cgroup.kill"), "1") {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| self.path.display().to_string()),
        }
        until(&format!("end of all processes in {}", self.path.display()), KILL_BOUND, || {
            let left = self.pids()?;
            for pid in left.iter().filter_map(|pid| Pid::from_raw(*pid)) {
                match kill_process(pid, Signal::KILL) {
                    Ok(()) | Err(Errno::SRCH) => {}
                    Err(error) => return Err(error).with_context(|| format!("kill pid {pid:?}")),
                }
            }
            Ok(left.is_empty().then_some(()))
        })
    }

    /// Stops (`true`) or continues everything in this cgroup: a host that stalls.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        let file = self.path.join("cgroup.freeze");
        fs::write(&file, if frozen { "1" } else { "0" }).with_context(|| file.display().to_string())?;
        let events = self.path.join("cgroup.events");
        let wanted = if frozen { "frozen 1" } else { "frozen 0" };
        until(&format!("{} of {}", wanted, self.path.display()), KILL_BOUND, || {
            let text = fs::read_to_string(&events).with_context(|| events.display().to_string())?;
            Ok(text.lines().any(|line| line == wanted).then_some(()))
        })
    }
}

/// Returns the mount point of the first mount of this type in the text of `/proc/self/mounts`.
pub(crate) fn mount_of_type(mounts: &str, fstype: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, kind) = (words.next()?, words.next()?);
        (kind == fstype).then(|| PathBuf::from(point))
    })
}

/// chosen: SIGKILL takes microseconds; a second and more is a process the kernel cannot end.
const KILL_BOUND: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroup2_is_found_wherever_it_is_mounted() {
        let check = |mounts: &str, want: Option<&str>| {
            assert_eq!(mount_of_type(mounts, "cgroup2"), want.map(PathBuf::from), "{mounts}");
        };
        check("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", Some("/sys/fs/cgroup"));
        check("cgroup /a cgroup rw 0 0\ncgroup2 /a/unified cgroup2 rw 0 0\n", Some("/a/unified"));
        check("cgroup /a cgroup rw 0 0\n", None);
        check("", None);
    }
}

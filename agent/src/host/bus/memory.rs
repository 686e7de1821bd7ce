//! The memory that corosync shares with its clients, and leaves behind when it is killed: some megabytes a life.
//!
//! Names in `/dev/shm`, P being corosync's process id: directories `qb-P-CLIENT-...` and files `qb-corosync-P-...`.
//!
//! Invariants: 1. only what belongs to this user is removed; 2. of a process other than our ended child it is removed
//! only if the second kind of name says that the process was a corosync and no process has its number now. So what is
//! left of one whose number was given away stays, until a later start.
//!
//! Source: `lib/ipc_setup.c` and `lib/log_blackbox.c` of libqb 2.0.
use rustix::{
    io::Errno,
    process::{Pid, geteuid, test_kill_process},
};
use std::{collections::BTreeSet, fs, io, os::unix::fs::MetadataExt as _, path::Path};

/// Where the C library has shared memory.
pub(super) const DIRECTORY: &str = "/dev/shm";

/// Removes what our child has left. Call it when it has ended and before it is reaped: nobody else has its number then.
pub(super) fn remove_of(directory: &Path, child: u32) -> usize {
    remove(directory, &names(directory), child)
}

/// Removes what corosyncs have left that ended without anybody to remove it; returns how many names that were.
pub(super) fn remove_leftovers(directory: &Path) -> usize {
    let names = names(directory);
    let dead: BTreeSet<u32> =
        names.iter().filter_map(|name| corosync(name)).filter(|process| !is_there(*process)).collect();
    dead.into_iter().map(|process| remove(directory, &names, process)).sum()
}

fn names(directory: &Path) -> Vec<String> {
    // Without the directory there is nothing in it.
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with("qb-")).take(NAMES_MAX).collect()
}

fn remove(directory: &Path, names: &[String], process: u32) -> usize {
    let of = |owner: fn(&str) -> Option<u32>| names.iter().filter(move |name| owner(name) == Some(process));
    // What says that it was a corosync goes last: a removal that is interrupted is taken up again.
    of(server).chain(of(corosync)).filter(|name| remove_own(&directory.join(name)).is_ok()).count()
}

/// Removes a file, or a directory with everything in it, if it is this user's.
fn remove_own(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.uid() != geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    if metadata.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Returns the process that has such a directory for a client of its.
fn server(name: &str) -> Option<u32> {
    number(name.strip_prefix("qb-")?)
}

/// Returns the corosync that has such a file for itself.
fn corosync(name: &str) -> Option<u32> {
    number(name.strip_prefix("qb-corosync-")?)
}

fn number(text: &str) -> Option<u32> {
    text.split_once('-')?.0.parse().ok()
}

fn is_there(process: u32) -> bool {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    process.is_some_and(|process| test_kill_process(process) != Err(Errno::SRCH))
}

/// chosen: a hundred lives of corosync and more; the rest is for the next start.
const NAMES_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, id};

    /// Makes what two clients and the process itself would have.
    fn leave(directory: &Path, process: u32) {
        for client in ["77-30-a", "78-31-b"] {
            let directory = directory.join(format!("qb-{process}-{client}"));
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("qb-event-cpg-data"), "x").unwrap();
        }
        fs::write(directory.join(format!("qb-corosync-{process}-blackbox-data")), "x").unwrap();
    }

    /// Returns the number of a process that has ended.
    fn ended() -> u32 {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        child.id()
    }

    fn left(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn what_dead_corosyncs_left_goes_and_what_others_have_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let dead = ended();
        leave(path, dead);
        leave(path, id());
        // Of another program that uses the same library, and what only looks alike.
        fs::create_dir(path.join("qb-99999999-77-30-c")).unwrap();
        for name in ["qb-corosync-none-blackbox-data", "qb-", "qb-corosync-", "sem.x"] {
            fs::write(path.join(name), "x").unwrap();
        }
        assert_eq!(remove_leftovers(path), 3);
        assert_eq!(left(path), 3 + 1 + 4);
        assert_eq!(remove_leftovers(path), 0);
    }

    #[test]
    fn what_our_child_left_goes_while_nobody_else_can_have_its_number() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        leave(path, 77);
        leave(path, 770);
        assert_eq!(remove_of(path, 77), 3);
        assert_eq!(left(path), 3);
        assert_eq!(remove_of(&path.join("none"), 77), 0);
    }
}

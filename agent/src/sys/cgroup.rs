//! Identities of control groups: the inode numbers of their directories.
//!
//! Source: Linux `kernel/cgroup/cgroup.c`, `cgroup_id`.
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::{DirEntryExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Inode number of the hierarchy's own root.
pub const ROOT_ID: u64 = 1;
/// Groups below one directory that are listed. chosen: far above what service managers make.
const GROUPS_MAX: usize = 65_536;

/// Returns the identity of the group at `path`.
pub fn id(path: &Path) -> io::Result<u64> {
    Ok(fs::metadata(path)?.ino())
}

/// Returns the identities of the group at `path` and of every group below it.
///
/// # Errors
/// What reading `path` says; a group that vanishes meanwhile is not an error. `StorageFull` at 65 536 groups.
pub fn subtree(path: &Path) -> io::Result<BTreeSet<u64>> {
    let mut ids = BTreeSet::from([id(path)?]);
    let mut left: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(dir) = left.pop() {
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound && dir != path => continue,
            Err(error) => return Err(error),
        };
        for entry in entries.filter_map(Result::ok) {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if ids.len() == GROUPS_MAX {
                let why = format!("more than {GROUPS_MAX} control groups below {}", path.display());
                return Err(io::Error::new(io::ErrorKind::StorageFull, why));
            }
            ids.insert(entry.ino());
            left.push(entry.path());
        }
    }
    Ok(ids)
}

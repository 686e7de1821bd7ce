//! A file's new bytes in the place of the old ones: all of them or none, with the owner and the mode that it had.
//!
//! Written beside, synced, renamed, and the directory synced: after a crash there are the old bytes or the new ones.
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

/// Gives a file these bytes, whatever it held; one that was not there gets the mode `new_mode`.
///
/// # Errors
/// Its directory cannot be written; the file is as it was.
pub fn put(path: &Path, bytes: &[u8], new_mode: u32) -> io::Result<()> {
    let directory = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    // A directory that is included passes over names that begin with a dot.
    let beside = directory.join(format!(".{name}.convoy-{}", std::process::id()));
    let written = write_beside(path, &beside, bytes, new_mode).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // It may not be there; what counts is the first error.
        drop(fs::remove_file(&beside));
    }
    written?;
    File::open(directory)?.sync_all()
}

fn write_beside(path: &Path, beside: &Path, bytes: &[u8], new_mode: u32) -> io::Result<()> {
    let old = match fs::metadata(path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    drop(fs::remove_file(beside));
    let mode = old.as_ref().map_or(new_mode, |old| old.mode() & 0o7777);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(beside)?;
    file.write_all(bytes)?;
    if let Some(old) = &old {
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
            std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
    }
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    file.sync_all()
}

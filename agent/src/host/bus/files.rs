//! The directory of the bus on this host: `corosync.conf`, the key, the log, and the ring files of corosync.
//!
//! Invariants: 1. the directory is its owner's alone, and so is the key from its first byte on; 2. a file is replaced
//! as a whole; 3. the log has two files of bounded size.
use super::conf::Paths;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// A file or directory that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}; the state directory must be writable and have room", path.display())]
pub(super) struct Unwritten {
    path: PathBuf,
    source: io::Error,
}

/// Makes the directory and what belongs into it, as given. Tells whether anything differs from what was there.
pub(super) fn write(dir: &Path, paths: &Paths, conf: &str, key: &[u8]) -> Result<bool, Unwritten> {
    for path in [dir, &paths.ring] {
        private_directory(path).map_err(|source| Unwritten { path: path.to_owned(), source })?;
    }
    let mut changed = false;
    for (path, bytes) in [(&paths.key, key), (&paths.conf, conf.as_bytes())] {
        changed |= replace(path, bytes).map_err(|source| Unwritten { path: path.clone(), source })?;
    }
    Ok(changed)
}

/// Removes ring files that corosync would refuse to start with: it writes eight bytes and an end of line is none.
/// Returns those removed.
pub(super) fn remove_torn_rings(paths: &Paths) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(&paths.ring) else { return Vec::new() };
    let torn = entries.take(RING_FILES_MAX).filter_map(|entry| {
        let entry = entry.ok()?;
        let metadata = entry.metadata().ok()?;
        (metadata.is_file() && metadata.len() != RING_BYTES).then(|| entry.path())
    });
    torn.filter(|path| fs::remove_file(path).is_ok()).collect()
}

/// Begins the log anew if it has grown long; the old one stays beside it as `.1`.
pub(super) fn bound_log(log: &Path) -> io::Result<()> {
    let Ok(metadata) = fs::metadata(log) else { return Ok(()) };
    if metadata.len() <= LOG_BYTES_MAX {
        return Ok(());
    }
    // Corosync keeps the file open and appends: it must stay this file.
    fs::copy(log, log.with_extension("log.1"))?;
    OpenOptions::new().write(true).open(log)?.set_len(0)
}

/// Returns how long the log is.
pub(super) fn log_len(log: &Path) -> u64 {
    fs::metadata(log).map_or(0, |metadata| metadata.len())
}

/// Returns the last errors in the log after its first `from` bytes, without their times: at most three.
pub(super) fn errors_since(log: &Path, from: u64) -> Vec<String> {
    let text = since(log, from);
    let grave = |line: &&str| GRAVE.iter().any(|word| line.contains(word));
    let mut found: Vec<_> = text.lines().filter(grave).map(|line| bare(line).to_owned()).collect();
    found.dedup();
    found.drain(..found.len().saturating_sub(3));
    found
}

/// Returns the first line of the log after its first `from` bytes with these words in it, without its time.
pub(super) fn line_since(log: &Path, from: u64, words: &str) -> Option<String> {
    since(log, from).lines().find(|line| line.contains(words)).map(|line| bare(line).to_owned())
}

fn since(log: &Path, from: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let len = file.metadata()?.len();
        file.seek(io::SeekFrom::Start(from.min(len).max(len.saturating_sub(LOG_TAIL_BYTES))))?;
        let mut bytes = Vec::new();
        file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    // A log that is not there yet says nothing.
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// Returns a line of the log from its subsystem on: `[MAIN  ] what happened`.
fn bare(line: &str) -> &str {
    GRAVE.iter().find_map(|word| line.split_once(word)).map_or(line, |(_, text)| text.trim())
}

fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// Writes a file that only its owner can read, if it is not that already.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let is = |bytes: &[u8]| -> io::Result<bool> {
        let private = fs::metadata(path)?.permissions().mode() & 0o777 == 0o600;
        Ok(private && fs::read(path)? == bytes)
    };
    if is(bytes).unwrap_or(false) {
        return Ok(false);
    }
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    Ok(true)
}

/// The number of the last ring, as corosync stores it.
const RING_BYTES: u64 = 8;
/// chosen: corosync keeps one for each number that this node ever had.
const RING_FILES_MAX: usize = 256;
/// chosen: a year of coming and going.
const LOG_BYTES_MAX: u64 = 4 << 20;
/// chosen: the last words before an end are few.
const LOG_TAIL_BYTES: u64 = 16 << 10;
/// Priorities of a line of the log that say what ended corosync.
const GRAVE: [&str; 4] = [" error ", " crit ", " alert ", " emerg "];

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn nobody_else_can_read_what_is_written_and_nothing_is_written_twice() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("state/bus");
        let paths = Paths::below(&dir);
        assert!(write(&dir, &paths, "conf", b"key").unwrap());
        assert!(!write(&dir, &paths, "conf", b"key").unwrap());
        assert!(write(&dir, &paths, "conf", b"yek").unwrap());
        assert_eq!(fs::read(&paths.key).unwrap(), b"yek");
        assert_eq!(
            [mode(&dir), mode(&paths.ring), mode(&paths.key), mode(&paths.conf)],
            [0o700, 0o700, 0o600, 0o600]
        );
        fs::set_permissions(&paths.key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(write(&dir, &paths, "conf", b"yek").unwrap());
        assert_eq!(mode(&paths.key), 0o600);
        let blocked = write(&paths.key, &Paths::below(&paths.key), "", b"").unwrap_err().to_string();
        assert!(blocked.starts_with(&paths.key.display().to_string()), "{blocked}");
    }

    #[test]
    fn torn_ring_files_go_and_whole_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::below(dir.path());
        write(dir.path(), &paths, "", b"").unwrap();
        for (name, len) in [("ringid_1", 8), ("ringid_2", 3)] {
            fs::write(paths.ring.join(name), vec![0; len]).unwrap();
        }
        assert_eq!(remove_torn_rings(&paths), [paths.ring.join("ringid_2")]);
        assert!(paths.ring.join("ringid_1").exists());
    }

    #[test]
    fn the_last_errors_are_read_from_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("corosync.log");
        let old = "Nov 24 14:00:00.100 [7] h corosync error   [MAIN  ] old\n";
        fs::write(
            &log,
            format!(
                "{old}Nov 24 14:00:00.200 [7] h corosync notice  [MAIN  ] fine\n\
            Nov 24 14:00:00.300 [7] h corosync error   [MAIN  ] parse error\n"
            ),
        )
        .unwrap();
        assert_eq!(errors_since(&log, old.len() as u64), ["[MAIN  ] parse error"]);
        assert_eq!(errors_since(&log, 0).len(), 2);
        assert_eq!(line_since(&log, 0, "ol").as_deref(), Some("[MAIN  ] old"));
        assert_eq!(line_since(&log, old.len() as u64, "ol"), None);
        assert_eq!(errors_since(&dir.path().join("none"), 0), Vec::<String>::new());
    }

    #[test]
    fn a_long_log_is_begun_anew_in_place() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("corosync.log");
        bound_log(&log).unwrap();
        let mut open = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        open.set_len(LOG_BYTES_MAX + 1).unwrap();
        bound_log(&log).unwrap();
        open.write_all(b"more").unwrap();
        assert_eq!(fs::read(&log).unwrap(), b"more");
        assert_eq!(log_len(&dir.path().join("corosync.log.1")), LOG_BYTES_MAX + 1);
    }
}

//! A file's new text in the place of the old one: all of it or none, with the owner and the mode that it had.
//!
//! What was changed by somebody else meanwhile is never overwritten.
use crate::sys::file;
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Why a file keeps its text, one variant per remedy.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// Somebody else was there.
    #[error("{} was changed by somebody else since it was loaded; `convoy config reload` takes that over and drops the changes made online (`convoy config showrecurse` shows them)", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// The host refuses.
    #[error("cannot write {}: {source}; make its directory writable (for convoyd: ReadWritePaths= in its unit)", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Replaces a file's text, if it is still `before`; `None` means that it must not exist.
pub(super) fn replace(path: &Path, before: Option<&str>, text: &str) -> Result<(), NotWritten> {
    let wrong = |source: io::Error| NotWritten::Io { path: path.to_owned(), source };
    if !is_still(path, before).map_err(wrong)? {
        return Err(NotWritten::Changed { path: path.to_owned() });
    }
    put(path, text).map_err(wrong)
}

/// Gives a file a text, whatever it held.
pub(super) fn put(path: &Path, text: &str) -> io::Result<()> {
    file::put(path, text.as_bytes(), NEW_MODE)
}

fn is_still(path: &Path, before: Option<&str>) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(before.is_none()),
        Err(error) => return Err(error),
    };
    let Some(before) = before else { return Ok(false) };
    let (mut found, limit) = (Vec::new(), before.len() as u64 + 1);
    file.take(limit).read_to_end(&mut found)?;
    Ok(found == before.as_bytes())
}

/// Mode of a file that was not there: a configuration may hold passwords.
const NEW_MODE: u32 = 0o640;

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    };

    #[test]
    fn a_text_is_replaced_and_the_mode_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o604)).unwrap();
        replace(&path, Some("old"), "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o604);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_somebody_else_wrote_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "other").unwrap();
        for before in [Some("old"), None, Some("othe"), Some("other text")] {
            assert!(matches!(replace(&path, before, "new"), Err(NotWritten::Changed { .. })), "{before:?}");
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(replace(&path, Some("old"), "new"), Err(NotWritten::Changed { .. })));
        replace(&path, None, "new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, NEW_MODE);
    }

    #[test]
    fn a_directory_that_is_missing_is_told() {
        let dir = tempfile::tempdir().unwrap();
        symlink("nowhere", dir.path().join("link")).unwrap();
        let error = replace(&dir.path().join("link/f"), None, "new").unwrap_err();
        assert!(matches!(error, NotWritten::Io { .. }), "{error}");
    }
}

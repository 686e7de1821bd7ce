//! The daemon's directories: made if missing, and locked, so that no two daemons share one.
use super::{Error, Places};
use crate::sys::lock::{self, Lock, LockError};
use std::{fs, io, path::Path};

/// Directories that are this daemon's while this value lives.
#[derive(Debug)]
pub(super) struct Directories {
    #[expect(dead_code, reason = "held for what it locks")]
    locks: [Lock; 2],
}

impl Directories {
    /// Makes and locks the run and the state directory.
    pub(super) fn take(places: &Places) -> Result<Self, Error> {
        Ok(Self { locks: [take(&places.run_dir)?, take(&places.state_dir)?] })
    }
}

fn take(path: &Path) -> Result<Lock, Error> {
    let wrong = |source: io::Error| Error::Directory { path: path.to_owned(), source };
    fs::create_dir_all(path).map_err(wrong)?;
    match lock::take(&path.join(LOCK_NAME)) {
        Ok(lock) => Ok(lock),
        Err(LockError::Held(holder)) => Err(Error::Running { path: path.to_owned(), holder }),
        Err(LockError::Io(source)) => Err(wrong(source)),
    }
}

/// Name of the lock file in each directory.
const LOCK_NAME: &str = "convoyd.lock";

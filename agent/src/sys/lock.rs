//! Locks on files and directories: one holder at most, and the kernel lets go when that process ends.
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    path::Path,
};

/// A held lock. Dropping it lets go.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held open for its lock")] File);

/// Why a lock is not held.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds it; its process id, if it wrote one.
    Held(Option<u32>),
    /// The file or directory could not be made or locked.
    Io(io::Error),
}

/// Takes the lock of a directory itself, where no file can be made. Does not wait, and does not say who holds it.
pub fn take_directory(path: &Path) -> Result<Lock, LockError> {
    let directory = File::open(path).map_err(LockError::Io)?;
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock(directory)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Held(None)),
        Err(error) => Err(LockError::Io(error.into())),
    }
}

/// Takes the lock at `path` and writes this process's id into it. Does not wait.
pub fn take(path: &Path) -> Result<Lock, LockError> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let mut file = open.map_err(LockError::Io)?;
    if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK {
            return Err(LockError::Io(error.into()));
        }
        let mut holder = String::new();
        let read = file.read_to_string(&mut holder);
        return Err(LockError::Held(read.ok().and_then(|_| holder.trim().parse().ok())));
    }
    let write = |file: &mut File| -> io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(LockError::Io)?;
    Ok(Lock(file))
}

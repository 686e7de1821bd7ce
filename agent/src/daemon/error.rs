//! Why the daemon does not run: one variant a remedy, each with its exit code.
use crate::host::{control, counting, mesh};
use std::{io, path::PathBuf};

/// See the module. Texts say what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A directory cannot be made or written.
    #[error("cannot use directory {}: {source}; make it writable for this user or name another", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another daemon has the directory.
    #[error(
        "another convoyd{} runs on {}; stop it, or give this one directories of its own (--run-dir, --state-dir, \
         --bpffs)", holder.map(|pid| format!(" (process {pid})")).unwrap_or_default(), path.display()
    )]
    Running {
        /// Which directory.
        path: PathBuf,
        /// Its process, if it wrote it down.
        holder: Option<u32>,
    },
    /// The mesh listener cannot be opened.
    #[error(
        "cannot listen on {} for other nodes: {}; see who has it with `ss -Hltnp sport = {}`, or set another port in \
         ECCluster_Listener on all nodes", .0.at, .0.source, .0.at.port()
    )]
    Listen(#[from] mesh::CannotListen),
    /// A socket for consoles cannot be opened.
    #[error(transparent)]
    Consoles(#[from] control::CannotListen),
    /// The kernel refuses an io_uring.
    #[error("cannot use io_uring: {0}; set kernel.io_uring_disabled=0 and see docs/kernel-versions.md")]
    Ring(#[source] io::Error),
    /// Managed addresses cannot be looked after.
    #[error("cannot look after managed addresses: {0}")]
    Addresses(#[source] io::Error),
    /// Threads, descriptors or memory are exhausted.
    #[error("cannot start: {0}; raise LimitNOFILE, TasksMax or MemoryMax of the service")]
    Resources(#[source] io::Error),
    /// The kernel programs cannot be used.
    #[error(transparent)]
    Counting(#[from] counting::Error),
    /// A thread ended that must not.
    #[error(
        "the {thread} thread ended; this is a bug, its last words are above. Restart convoyd; counting goes on meanwhile"
    )]
    Ended {
        /// Which.
        thread: &'static str,
    },
}

impl Error {
    /// Returns the process's exit code: 3 when the host lacks something, 4 when something is in the way, 5 when it
    /// failed while running.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Directory { .. }
            | Self::Running { .. }
            | Self::Listen(_)
            | Self::Consoles(_)
            | Self::Counting(counting::Error::Held { .. }) => 4,
            Self::Ring(_) | Self::Counting(_) | Self::Addresses(_) => 3,
            Self::Resources(_) | Self::Ended { .. } => 5,
        }
    }
}

//! Why the gate does not open or goes wrong, and what an operator can do about it.
use crate::host::counting;
use std::{io, path::PathBuf};

/// Why the gate does not work, or stumbles. One variant a remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Kernel, privilege or the directory for pins are not as they must be for any program of ours.
    #[error(transparent)]
    Place(#[from] counting::Error),
    /// Another process has the gate with these pins. Stop it, or name another directory.
    #[error(
        "another convoyd answers for addresses with the pins in {path}; stop it, or give this one a directory of its own with --bpffs"
    )]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// A pin cannot be made, opened or removed. Check who owns the directory.
    #[error(
        "the pin {path} cannot be used; check the owner and mode of its directory, or remove the directory to begin afresh"
    )]
    Pin {
        /// Which one.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// The kernel's verifier refused a program. A bug of ours or of the kernel: report it with the log.
    #[error("the kernel refused program {program}: please report it with what it says: {log}")]
    Verifier {
        /// Which one.
        program: &'static str,
        /// The end of the verifier's log.
        log: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// The object or a map could not be loaded for another reason, usually memory or privilege.
    #[error("the programs that answer for addresses cannot be loaded ({what})")]
    Load {
        /// Program, map, or object.
        what: &'static str,
        /// What the loader says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no interface of that name. Normal while one is being made; correct the Topology else.
    #[error("there is no interface {interface}; make it, or name another one in Topology")]
    NoInterface {
        /// Its name.
        interface: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// The programs cannot be attached to an interface, or taken from it.
    #[error(
        "{program} cannot be {action} interface {interface}; see what holds it (bpftool net show dev {interface})"
    )]
    Attach {
        /// Its name.
        interface: String,
        /// Which program.
        program: &'static str,
        /// Attached to, detached from.
        action: &'static str,
        /// What the loader says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// More addresses are managed than there is room for. Nothing was changed. Manage fewer, or allow more.
    #[error("{addresses} more addresses cannot be managed: there is room for {max}, and {managed} are")]
    Full {
        /// How many were to be added.
        addresses: usize,
        /// How many are managed.
        managed: usize,
        /// How many may be.
        max: u32,
    },
    /// A table of ours refuses an operation that cannot fail on a sound one. Restart; the pins may be foreign.
    #[error("kernel table {table} cannot be {action}; remove the pins and restart convoyd if it persists")]
    Table {
        /// Its name.
        table: &'static str,
        /// Read, written, mapped.
        action: &'static str,
        /// What the kernel says.
        source: io::Error,
    },
}

impl Error {
    /// Wraps what went wrong with `table` while it was being `action`.
    pub(super) fn table(table: &'static str, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Table { table, action, source }
    }

    /// Wraps what went wrong with the pin at `path`.
    pub(super) fn pin(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Pin { path: path.into(), source }
    }
}

//! Why counting does not start or goes wrong, and what an operator can do about it.
use std::{io, path::PathBuf};

/// Why counting does not start, or stumbles. One variant a remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The running kernel lacks something. Upgrade it; `docs/kernel-versions.md` says what needs what.
    #[error("kernel {major}.{minor} is too old: {feature} needs 5.15; run a newer kernel")]
    KernelTooOld {
        /// Of the running kernel.
        major: u32,
        /// Of the running kernel.
        minor: u32,
        /// What is missing.
        feature: &'static str,
    },
    /// The process may not do this. Start it as root or give it the capability.
    #[error("capability {name} is missing, it is needed {purpose}; start convoyd as root or grant it")]
    Capability {
        /// As in capabilities(7).
        name: &'static str,
        /// What for.
        purpose: &'static str,
    },
    /// The kernel does not describe its own types. Run one built with `CONFIG_DEBUG_INFO_BTF`.
    #[error(
        "the kernel has no type information ({path} is missing); run a kernel built with CONFIG_DEBUG_INFO_BTF=y"
    )]
    NoBtf {
        /// Where it should be.
        path: &'static str,
    },
    /// No cgroup2 hierarchy is mounted. Mount one.
    #[error(
        "no cgroup2 hierarchy is mounted; mount one (mount -t cgroup2 none /sys/fs/cgroup) or name it with --cgroup"
    )]
    NoCgroup2,
    /// The directory is not in a cgroup2 hierarchy. Name another one.
    #[error("{path} is not a directory of a cgroup2 hierarchy; name one with --cgroup")]
    NotCgroup2 {
        /// What was named.
        path: PathBuf,
    },
    /// No bpffs, and none can be mounted.
    #[error(
        "no bpffs is mounted and mounting one at {path} failed; mount it (mount -t bpf bpf {path}) or name one with --bpffs"
    )]
    MountBpffs {
        /// Where it was tried.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// The directory for pins is not on a bpffs. Name another one.
    #[error(
        "{path} is not on a bpffs, nothing can be pinned there; name a directory below a mounted bpffs with --bpffs"
    )]
    NotBpffs {
        /// What was named.
        path: PathBuf,
    },
    /// Another process counts with these pins. Stop it, or name another directory.
    #[error(
        "another convoyd counts with the pins in {path}; stop it, or give this one a directory of its own with --bpffs"
    )]
    Held {
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
    #[error("the kernel refused program {program}; its log is in {log}: please report it")]
    Verifier {
        /// Which one.
        program: &'static str,
        /// Where the log was written.
        log: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// The object or a map could not be loaded for another reason, usually memory or privilege.
    #[error("the kernel programs cannot be loaded ({what})")]
    Load {
        /// Program, map, or object.
        what: &'static str,
        /// What the loader says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The program cannot be attached, usually because another one there allows no company.
    #[error("counting cannot be attached to {cgroup}; see what holds it (bpftool cgroup show {cgroup})")]
    Attach {
        /// Where.
        cgroup: PathBuf,
        /// What the loader says.
        source: Box<dyn std::error::Error + Send + Sync>,
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
    /// Sockets cannot be listed; counting goes on, audits and seeding do not.
    #[error("the kernel does not list its sockets; load the modules tcp_diag and inet_diag")]
    SockDiag {
        /// What the kernel says.
        source: io::Error,
    },
    /// The control groups below ours cannot be listed; connections older than the attach are not seeded.
    #[error("the control groups below {path} cannot be listed")]
    Cgroups {
        /// The directory counting is attached to.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// A descriptor or a thread could not be made.
    #[error("out of {what}; raise the limit of the service")]
    Resource {
        /// Descriptors or threads.
        what: &'static str,
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

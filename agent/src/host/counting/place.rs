//! Whether this host can count, and where: kernel, privilege, cgroup2 directory, bpffs directory.
//!
//! Every refusal names what is missing and what to do. Nothing is changed except that a bpffs is mounted at its
//! usual place when there is none, and the directory for pins is made.
use super::{Error, Settings};
use crate::sys::{
    cgroup,
    filesystem::{self, BPFFS, CGROUP2},
    namespace,
    privilege::{Capability, Effective, Kernel},
};
use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// Identities of the place that is counted; pins made for another place are of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Of the network namespace.
    pub(super) netns_cookie: u64,
    /// Of the control group.
    pub(super) cgroup_id: u64,
}

/// Returns the directory for pins when none is named: `convoy` in the mounted bpffs, or in the usual place of one.
pub fn default_bpffs() -> PathBuf {
    let mounted = filesystem::find(BPFFS).ok().flatten();
    mounted.unwrap_or_else(|| USUAL_BPFFS.into()).join("convoy")
}

/// Returns the root of the cgroup2 hierarchy, wherever it is mounted.
///
/// # Errors
/// [`Error::NoCgroup2`] when it is not.
pub fn default_cgroup() -> Result<PathBuf, Error> {
    filesystem::find(CGROUP2).ok().flatten().ok_or(Error::NoCgroup2)
}

/// Checks kernel, privilege and directories; afterwards the directory for pins exists.
pub(super) fn check(settings: &Settings) -> Result<Place, Error> {
    check_kernel_and_privilege()?;
    let not_cgroup2 = || Error::NotCgroup2 { path: settings.cgroup.clone() };
    if !filesystem::is(&settings.cgroup, CGROUP2).unwrap_or(false) || !settings.cgroup.is_dir() {
        return Err(match filesystem::find(CGROUP2) {
            Ok(None) => Error::NoCgroup2,
            Ok(Some(_)) | Err(_) => not_cgroup2(),
        });
    }
    let cgroup_id = cgroup::id(&settings.cgroup).map_err(|_gone| not_cgroup2())?;
    Ok(Place { netns_cookie: prepare(&settings.bpffs)?, cgroup_id })
}

/// Checks kernel and privilege, and makes the directory for pins, on a bpffs that is mounted if need be; returns the
/// cookie of this thread's network namespace.
pub(in crate::host) fn prepare(bpffs: &Path) -> Result<u64, Error> {
    check_kernel_and_privilege()?;
    let netns_cookie = namespace::cookie()
        .map_err(|source| Error::Resource { what: "sockets to learn the network namespace from", source })?;
    prepare_bpffs(bpffs)?;
    Ok(netns_cookie)
}

fn check_kernel_and_privilege() -> Result<(), Error> {
    check_kernel()?;
    check_capabilities()?;
    if Path::new(BTF).exists() { Ok(()) } else { Err(Error::NoBtf { path: BTF }) }
}

fn check_kernel() -> Result<(), Error> {
    // A release that cannot be read is left to the loader, which says what it misses.
    let Ok(kernel) = Kernel::running() else { return Ok(()) };
    if kernel < KERNEL_MIN {
        return Err(Error::KernelTooOld {
            major: kernel.major,
            minor: kernel.minor,
            feature: "telling network namespaces apart in a sock_ops program",
        });
    }
    Ok(())
}

fn check_capabilities() -> Result<(), Error> {
    let Ok(held) = Effective::read() else { return Ok(()) };
    for (name, number, purpose) in NEEDED {
        // CAP_SYS_ADMIN still implies the two that were split off it in 5.8.
        let implied = number != NET_ADMIN && held.has(Capability(SYS_ADMIN));
        if !held.has(Capability(number)) && !implied {
            return Err(Error::Capability { name, purpose });
        }
    }
    Ok(())
}

/// Makes the directory for pins, on a bpffs that is mounted if need be.
fn prepare_bpffs(dir: &Path) -> Result<(), Error> {
    let exists = dir.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    let on_bpffs = filesystem::is(exists, BPFFS).map_err(Error::pin(exists))?;
    if !on_bpffs {
        // Only the usual place is ours to mount on; anything else may be a mistake in a path.
        if !dir.starts_with(USUAL_BPFFS) {
            return Err(Error::NotBpffs { path: dir.into() });
        }
        filesystem::mount_bpffs(Path::new(USUAL_BPFFS))
            .map_err(|source| Error::MountBpffs { path: USUAL_BPFFS.into(), source })?;
    }
    match fs::DirBuilder::new().recursive(true).mode(0o700).create(dir) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::Pin { path: dir.into(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Where a bpffs is mounted on every distribution that mounts one.
const USUAL_BPFFS: &str = "/sys/fs/bpf";
/// Where the kernel describes its types.
const BTF: &str = "/sys/kernel/btf/vmlinux";
/// The first kernel with all that is needed: `bpf_get_netns_cookie` for `sock_ops`.
const KERNEL_MIN: Kernel = Kernel { major: 5, minor: 15 };

const NET_ADMIN: u8 = 12;
const SYS_ADMIN: u8 = 21;
/// Name, number in `linux/capability.h`, purpose.
const NEEDED: [(&str, u8, &str); 3] = [
    ("CAP_BPF", 39, "to load kernel programs"),
    ("CAP_NET_ADMIN", NET_ADMIN, "to attach them to connections"),
    ("CAP_PERFMON", 38, "for a program that reads kernel memory"),
];

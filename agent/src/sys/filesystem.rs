//! Kinds of file systems, where they are mounted, and mounting the one for pins.
//!
//! Source: statfs(2), `proc_pid_mountinfo(5)`.
use rustix::fs::statfs;
use std::{
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// A kind of file system, by the number and the name the kernel gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    magic: u32,
    name: &'static str,
}

/// The unified control group hierarchy.
pub const CGROUP2: Kind = Kind { magic: 0x6367_7270, name: "cgroup2" };
/// Where kernel objects are pinned.
pub const BPFFS: Kind = Kind { magic: 0xcafe_4a11, name: "bpf" };

/// Tells whether `path` is on a file system of this kind.
///
/// # Errors
/// `NotFound` when there is no such path.
pub fn is(path: &Path, kind: Kind) -> io::Result<bool> {
    // The field's type differs between architectures; the number itself has 32 bits everywhere.
    let found = i128::from(statfs(path)?.f_type) & 0xffff_ffff;
    Ok(found == i128::from(kind.magic))
}

/// Returns where a file system of this kind is mounted: the first one listed, `None` when there is none.
pub fn find(kind: Kind) -> io::Result<Option<PathBuf>> {
    Ok(mount_point(&fs::read("/proc/self/mountinfo")?, kind))
}

/// Mounts a file system for pins at `path`, which must be a directory.
pub fn mount_bpffs(path: &Path) -> io::Result<()> {
    use rustix::mount::{MountFlags, mount};
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount("bpf", path, BPFFS.name, flags, Some(c"mode=0700"))?)
}

fn mount_point(mountinfo: &[u8], kind: Kind) -> Option<PathBuf> {
    mountinfo.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b' ');
        let point = fields.nth(4)?;
        // A single hyphen ends the optional fields; the type follows.
        fields.find(|field| *field == b"-")?;
        (fields.next()? == kind.name.as_bytes()).then(|| PathBuf::from(unescape(point)))
    })
}

/// Undoes the octal escapes of blanks and backslashes.
fn unescape(field: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let escaped = match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                Some(((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), tail))
            }
            _ => None,
        };
        let (byte, tail) = escaped.unwrap_or((*first, tail));
        plain.push(byte);
        rest = tail;
    }
    OsString::from_vec(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_point_is_found_behind_optional_fields_and_escapes() {
        let text = b"24 1 0:22 / /sys/fs/cgroup rw shared:9 - tmpfs tmpfs rw\n\
            30 24 0:26 / /sys/fs/my\\040cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw\n";
        assert_eq!(mount_point(text, CGROUP2), Some(PathBuf::from("/sys/fs/my cgroup")));
        assert_eq!(mount_point(text, BPFFS), None);
        assert_eq!(mount_point(b"\nx\n1 2 3 4", CGROUP2), None);
    }
}

//! What this process may do, and on which kernel it runs.
//!
//! Source: capabilities(7); proc(5); uname(2).
use rustix::system::uname;
use std::{fs, io};

/// Number of a capability, as in `linux/capability.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability(pub u8);

/// The effective capabilities of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effective(u64);

impl Effective {
    /// Reads those of the calling thread.
    pub fn read() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/thread-self/status")?;
        effective(&status).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "/proc/thread-self/status has no CapEff line")
        })
    }

    /// Tells whether `capability` is among them.
    pub fn has(self, capability: Capability) -> bool {
        self.0.checked_shr(u32::from(capability.0)).is_some_and(|bits| bits & 1 == 1)
    }
}

/// Version of the running kernel, as far as features go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kernel {
    /// 6 in 6.18.
    pub major: u32,
    /// 18 in 6.18.
    pub minor: u32,
}

impl Kernel {
    /// Returns the version that the running kernel gives itself to this process, as the loader of programs sees it.
    pub fn running() -> io::Result<Self> {
        let names = uname();
        let release = names.release().to_string_lossy();
        version(&release).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("kernel release {release:?} does not begin with numbers"),
            )
        })
    }
}

fn effective(status: &str) -> Option<Effective> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok().map(Effective)
}

fn version(release: &str) -> Option<Kernel> {
    let mut numbers = release.trim().split(|c: char| !c.is_ascii_digit());
    Some(Kernel { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_bit_by_bit() {
        let held = effective("Name:\tx\nCapEff:\t0000008000001000\n").unwrap();
        assert!(held.has(Capability(39)) && held.has(Capability(12)));
        assert!(!held.has(Capability(21)) && !held.has(Capability(200)));
        assert_eq!(effective("Name: x"), None);
    }

    #[test]
    fn kernel_versions_compare_by_number() {
        assert_eq!(version("6.18.44-fc-v595\n"), Some(Kernel { major: 6, minor: 18 }));
        assert!(version("5.4.0").unwrap() < version("5.15").unwrap());
        assert_eq!(version("linux"), None);
    }
}

//! Who a process is to the kernel: the one that runs this, and the one at the other end of a socket.
//!
//! `rustix` has no word for the number 0, which the kernel gives for a process outside this one's pid namespace; its
//! debug builds end there.
//!
//! Source: getsid(2); `pid_namespaces(7)`; unix(7), `SO_PEERCRED`; `getpwuid_r(3)`, getgrouplist(3), `getgrgid_r(3)`.
use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// Returns the number of this process's session; 0 if its leader lives outside this process's pid namespace.
pub fn session() -> u32 {
    // SAFETY: getsid takes and returns numbers; 0 asks for the calling process, which always has a session.
    let session = unsafe { libc::getsid(0) };
    session.try_into().unwrap_or(0)
}

/// Returns the number of the user who connected the other end of a Unix socket.
pub fn peer_user(socket: impl AsFd) -> io::Result<u32> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut len: libc::socklen_t = 12;
    const { assert!(size_of::<libc::ucred>() == 12) };
    // SAFETY: `peer` and `len` outlive the call, `len` is the size of `peer`, and any bits are a valid `ucred`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut len,
        )
    };
    if result == 0 { Ok(peer.uid) } else { Err(io::Error::last_os_error()) }
}

/// A user, as the host's databases have it (nsswitch.conf(5)); asking them may take a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub name: String,
    /// Number of the first group.
    pub group: u32,
}

/// Returns the user with this number, if there is one.
pub fn user(number: u32) -> Option<User> {
    entry(
        // SAFETY: `entry` says what the four places are.
        |at, texts, len, found| unsafe { libc::getpwuid_r(number, at, texts, len, found) },
        |entry: &libc::passwd| (entry.pw_name, entry.pw_gid),
    )
    .map(|(name, group)| User { name, group })
}

/// Returns the names of the groups of a user, the first group among them; a group without a name by its number.
pub fn groups(user: &User) -> Vec<String> {
    let Ok(name) = std::ffi::CString::new(user.name.as_str()) else { return Vec::new() };
    let mut numbers = vec![0; GROUPS_MAX];
    let mut count = libc::c_int::try_from(numbers.len()).unwrap_or(0);
    // SAFETY: `name` ends with 0 and outlives the call, and `numbers` has room for `count` entries.
    let result =
        unsafe { libc::getgrouplist(name.as_ptr(), user.group, numbers.as_mut_ptr(), &raw mut count) };
    if result < 0 {
        // Too many: as many as there is room for are there, and `count` is how many there would be.
        count = libc::c_int::try_from(GROUPS_MAX).unwrap_or(0);
    }
    numbers.truncate(usize::try_from(count).unwrap_or(0));
    numbers.into_iter().map(|number| group_name(number).unwrap_or_else(|| number.to_string())).collect()
}

fn group_name(number: u32) -> Option<String> {
    entry(
        // SAFETY: `entry` says what the four places are.
        |at, texts, len, found| unsafe { libc::getgrgid_r(number, at, texts, len, found) },
        |entry: &libc::group| (entry.gr_name, ()),
    )
    .map(|(name, ())| name)
}

/// Asks a database for one entry: `ask` is a function such as `getpwuid_r(3)`, and gets the place of the entry, that of its texts
/// with its length, and that of a pointer, which is null afterwards if there is no such entry. `take` gives the entry's name and
/// whatever else of it is wanted.
fn entry<T, U>(
    ask: impl FnOnce(*mut T, *mut libc::c_char, usize, *mut *mut T) -> libc::c_int,
    take: impl FnOnce(&T) -> (*mut libc::c_char, U),
) -> Option<(String, U)> {
    let mut entry = std::mem::MaybeUninit::<T>::uninit();
    let mut texts = vec![0_u8; TEXTS_BYTES_MAX];
    let mut found = std::ptr::null_mut();
    let failed = ask(entry.as_mut_ptr(), texts.as_mut_ptr().cast(), texts.len(), &raw mut found);
    if failed != 0 || found.is_null() {
        return None;
    }
    // SAFETY: `found` is not null, so the call has filled `entry`.
    let entry = unsafe { entry.assume_init() };
    let (name, more) = take(&entry);
    // SAFETY: the name of an entry is a text with its end in `texts`, which still lives.
    let name = unsafe { std::ffi::CStr::from_ptr(name) };
    Some((name.to_string_lossy().into_owned(), more))
}

/// Asks this process to end as a service manager would.
pub fn terminate() -> io::Result<()> {
    Ok(rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)?)
}

/// Room for all texts about one user or group; one that needs more has no name here. chosen: a group of 4 000 members.
const TEXTS_BYTES_MAX: usize = 64 << 10;
/// Groups of one user; those beyond are left out, which permits less.
const GROUPS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::{groups, peer_user, session, user};
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_kernel_says_the_same_in_proc() {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        // After the name, which ends with the last parenthesis: state, parent, group, session.
        let fields = stat.rsplit_once(')').unwrap().1;
        assert_eq!(fields.split_whitespace().nth(3).unwrap(), session().to_string());
    }

    #[test]
    fn both_ends_of_a_pair_are_this_user() {
        let (one, other) = UnixStream::pair().unwrap();
        let user = rustix::process::geteuid().as_raw();
        assert_eq!((peer_user(&one).unwrap(), peer_user(&other).unwrap()), (user, user));
    }

    #[test]
    fn root_has_a_name_and_is_in_its_group() {
        let root = user(0).unwrap();
        assert_eq!((root.name.as_str(), root.group), ("root", 0));
        assert!(groups(&root).contains(&"root".to_owned()));
        assert_eq!(user(u32::MAX - 7), None);
    }
}

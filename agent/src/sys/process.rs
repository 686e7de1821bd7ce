//! Who a process is to the kernel: the one that runs this, and the one at the other end of a socket.
//!
//! `rustix` has no word for the number 0, which the kernel gives for a process outside this one's pid namespace; its
//! debug builds end there.
//!
//! Source: getsid(2); pid_namespaces(7); unix(7), `SO_PEERCRED`.
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
    let mut len = size_of::<libc::ucred>() as libc::socklen_t;
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

/// Returns the login name of the user with this number, as the host's databases have it.
pub fn user_name(user: u32) -> Option<String> {
    let mut entry = std::mem::MaybeUninit::<libc::passwd>::uninit();
    let mut texts = vec![0_u8; USER_BYTES_MAX];
    let mut found = std::ptr::null_mut();
    // SAFETY: all four places outlive the call, and `texts` has the length that is given.
    let failed = unsafe {
        libc::getpwuid_r(user, entry.as_mut_ptr(), texts.as_mut_ptr().cast(), texts.len(), &raw mut found)
    };
    if failed != 0 || found.is_null() {
        return None;
    }
    // SAFETY: `found` is not null, so the call has filled `entry`.
    let entry = unsafe { entry.assume_init() };
    // SAFETY: the name is a text with its end in `texts`, which still lives.
    let name = unsafe { std::ffi::CStr::from_ptr(entry.pw_name) };
    Some(name.to_string_lossy().into_owned())
}

/// Room for all texts about one user; one that needs more has no name here.
const USER_BYTES_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::{peer_user, session};
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
}

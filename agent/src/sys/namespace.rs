//! Which network namespace this thread is in.
//!
//! Source: socket(7), `SO_NETNS_COOKIE` (Linux 5.14).
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::{io, os::fd::AsRawFd};

/// Returns the cookie of this thread's network namespace: unique until reboot, never zero.
///
/// # Errors
/// `ENOPROTOOPT` on a kernel without it.
pub fn cookie() -> io::Result<u64> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let mut cookie = 0_u64;
    let mut len: libc::socklen_t = 8;
    // SAFETY: `cookie` and `len` outlive the call, and `len` is the size of `cookie`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut len,
        )
    };
    if result == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}

//! Packet sockets: whole frames of one link, sent, or received as far as a filter in the kernel lets them through.
//!
//! Invariants: 1. a socket is made for protocol 0, which receives nothing, and its filter is in place before it is bound
//! to anything else, so that no frame ever waits in it that the filter would not pass; 2. nothing here is promiscuous.
//! Source: `packet(7)`, `socket(7)` (`SO_ATTACH_FILTER`); Linux `include/uapi/linux/filter.h` for the filter's code.
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    task::{Context, Poll, ready},
};
use tokio::io::{Interest, unix::AsyncFd};

/// What a frame must have to be received.
#[derive(Clone, Copy, Debug)]
pub struct Condition<'a> {
    /// Which byte.
    pub at: u32,
    /// Its values, at most 64.
    pub one_of: &'a [u8],
}

/// Returns a socket that is bound to no link and no protocol yet. It passes the frames that meet all `conditions`, at most
/// 16; a frame that is too short for one does not meet it.
///
/// # Errors
/// `EPERM` without `CAP_NET_RAW`; `InvalidInput` for more than there may be.
pub fn open(conditions: &[Condition<'_>]) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
    if conditions.is_empty() {
        return Ok(socket);
    }
    let mut code = filter(conditions)?;
    let program = libc::sock_fprog {
        len: u16::try_from(code.len()).map_err(|_long| io::ErrorKind::InvalidInput)?,
        filter: code.as_mut_ptr(),
    };
    let size = u32::try_from(size_of_val(&program)).map_err(|_long| io::ErrorKind::InvalidInput)?;
    // SAFETY: `program` and the code that it points to outlive the call, which copies them; `size` is that of `program`.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size,
        )
    };
    if result == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

/// Tells when there is something to be read from a socket.
#[derive(Debug)]
pub struct Readiness(AsyncFd<OwnedFd>);

impl Readiness {
    /// Watches a copy of the socket's descriptor on the runtime of this thread.
    pub fn of(socket: &OwnedFd) -> io::Result<Self> {
        let copy = socket.try_clone()?;
        // SAFETY: the descriptor must stay open and the same while it is registered. It is owned by the registration,
        // which gives nobody the means to close or replace it.
        let registered = unsafe { AsyncFd::register_with_interest(copy, Interest::READABLE) };
        Ok(Self(registered?))
    }

    /// Is ready when something has arrived since the last time. Read until there is no more.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_read_ready(context))?.clear_ready();
        Poll::Ready(Ok(()))
    }
}

/// Returns the code that passes what meets all conditions: for each, load the byte, and go on after the value that it has.
fn filter(conditions: &[Condition<'_>]) -> io::Result<Vec<libc::sock_filter>> {
    let is_small = |condition: &Condition<'_>| (1..=VALUES_MAX).contains(&condition.one_of.len());
    if conditions.len() > CONDITIONS_MAX || !conditions.iter().all(is_small) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let instruction = |code: u32, value: u32, jump: usize| libc::sock_filter {
        // The codes are sums of small bits, and jumps are bounded by `VALUES_MAX`.
        code: u16::try_from(code).unwrap_or_default(),
        jt: u8::try_from(jump).unwrap_or_default(),
        jf: 0,
        k: value,
    };
    let mut code = Vec::new();
    for condition in conditions {
        code.push(instruction(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, condition.at, 0));
        for (index, value) in condition.one_of.iter().enumerate() {
            // Over the comparisons that are left and over the refusal.
            let over = condition.one_of.len() - index;
            code.push(instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, u32::from(*value), over));
        }
        code.push(instruction(libc::BPF_RET | libc::BPF_K, 0, 0));
    }
    code.push(instruction(libc::BPF_RET | libc::BPF_K, u32::MAX, 0));
    Ok(code)
}

/// chosen: the jump over all values of a condition fits its byte.
const VALUES_MAX: usize = 64;
/// chosen: with all their values they are fewer instructions than the kernel's 4 096.
const CONDITIONS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the code as the kernel does.
    fn passes(conditions: &[Condition<'_>], frame: &[u8]) -> bool {
        let code = filter(conditions).unwrap();
        let (mut at, mut loaded) = (0, 0);
        loop {
            let instruction = code[at];
            at += 1;
            match u32::from(instruction.code) & 7 {
                libc::BPF_LD => match frame.get(usize::try_from(instruction.k).unwrap()) {
                    Some(byte) => loaded = u32::from(*byte),
                    None => return false,
                },
                libc::BPF_JMP if loaded == instruction.k => at += usize::from(instruction.jt),
                libc::BPF_JMP => {}
                _ => return instruction.k != 0,
            }
        }
    }

    #[test]
    fn a_frame_passes_if_it_meets_every_condition() {
        let conditions = [Condition { at: 1, one_of: &[58] }, Condition { at: 2, one_of: &[135, 136, 7] }];
        for (frame, expected) in [
            (&[0, 58, 135][..], true),
            (&[0, 58, 136], true),
            (&[0, 58, 7, 9], true),
            (&[0, 58, 134], false),
            (&[0, 6, 135], false),
            (&[58, 135], false),
            (&[], false),
        ] {
            assert_eq!(passes(&conditions, frame), expected, "{frame:?}");
        }
    }

    #[test]
    fn more_than_there_may_be_is_refused() {
        let values = [0; VALUES_MAX + 1];
        assert!(filter(&[Condition { at: 0, one_of: &values }]).is_err());
        assert!(filter(&[Condition { at: 0, one_of: &[] }]).is_err());
        assert!(filter(&[Condition { at: 0, one_of: &[1] }; CONDITIONS_MAX + 1]).is_err());
    }

    #[test]
    fn the_kernel_takes_the_filter() {
        match open(&[Condition { at: 20, one_of: &[58] }, Condition { at: 54, one_of: &[135, 136] }]) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EPERM)),
        }
    }
}

//! Waking a thread that sleeps in its poller, through an eventfd.
use rustix::{
    event::{EventfdFlags, eventfd},
    io::Errno,
};
use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    sync::Arc,
};
use tokio::io::{Interest, unix::AsyncFd};

/// A handle that wakes whoever polls it. Clones wake the same sleeper; wakes before it looks are one wake.
#[derive(Clone, Debug)]
pub struct Wake(Arc<OwnedFd>);

impl Wake {
    /// Returns a handle that nobody polls yet.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Wakes the sleeper. Cannot fail: a counter that is full has woken it already.
    pub fn wake(&self) {
        let wrote = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
        // A full counter is the only error that an open eventfd has.
        debug_assert!(matches!(wrote, Ok(_) | Err(Errno::WOULDBLOCK)));
    }

    /// Takes back all wakes so far; call it before looking at what they announced.
    pub fn clear(&self) {
        let read = rustix::io::read(&self.0, &mut [0; 8]);
        // An empty counter is the only error that an open eventfd has: there was nothing to take back.
        debug_assert!(matches!(read, Ok(_) | Err(Errno::WOULDBLOCK)));
    }
}

/// The sleeping end of a [`Wake`] on a tokio runtime.
#[derive(Debug)]
pub struct Sleeper(AsyncFd<Wake>);

impl Sleeper {
    /// Registers with the runtime of this thread.
    pub fn new(wake: Wake) -> io::Result<Self> {
        // SAFETY: the descriptor must stay open and the same while it is registered. `Wake` owns it behind an
        // `Arc`, has no way to replace it, and is itself owned by the registration.
        #[expect(unsafe_code, reason = "tokio asks its caller to vouch for the descriptor's lifetime")]
        let registered = unsafe { AsyncFd::register_with_interest(wake, Interest::READABLE) };
        Ok(Self(registered?))
    }

    /// Waits for a wake and takes back all wakes so far.
    pub async fn woken(&self) -> io::Result<()> {
        self.0.readable().await?.clear_ready();
        self.0.get_ref().clear();
        Ok(())
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Wake {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

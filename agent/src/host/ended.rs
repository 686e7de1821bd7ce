//! How the daemon learns that one of its threads has ended: without it, it would look alive.
use crossbeam_channel::Sender;

/// Tells, when it is dropped, that the thread of this name has ended, however that came.
pub(super) struct Ended {
    /// The thread.
    pub(super) thread: &'static str,
    /// Who is told.
    pub(super) to: Sender<&'static str>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        if self.to.send(self.thread).is_err() {
            tracing::debug!("the daemon ended before the {} thread", self.thread);
        }
    }
}

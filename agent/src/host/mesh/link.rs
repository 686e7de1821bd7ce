//! One connection: what waits to be written, and its two tasks.
//!
//! Counted, not guessed: a read takes whatever has arrived in one operation, frames are handed on in place, and
//! small frames that wait together are written together.
use super::Mesh;
use convoy_core::{
    bounds,
    node::{Input, LinkId},
    wire::frame,
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    net::Shutdown,
    rc::Rc,
    time::Duration,
};
use tokio::sync::Notify;
use tokio_uring::{buf::BoundedBuf, net::TcpStream};

/// What waits to be written on a connection, and whether it is to end.
#[derive(Debug, Default)]
pub(super) struct Link {
    queue: RefCell<VecDeque<Vec<u8>>>,
    closing: Cell<bool>,
    /// Wakes the writing task: something waits, or the end.
    write: Notify,
    /// Wakes a dialling task: the end.
    close: Notify,
}

impl Link {
    /// Adds bytes to be written. After [`Self::close`] they are dropped: the node said they are of no use.
    pub(super) fn push(&self, bytes: Vec<u8>) {
        if !self.closing.get() {
            self.queue.borrow_mut().push_back(bytes);
            self.write.notify_one();
        }
    }

    /// Ends the connection once what waits has been written.
    pub(super) fn close(&self) {
        self.closing.set(true);
        self.write.notify_one();
        self.close.notify_one();
    }

    /// Waits until the connection is to end.
    pub(super) async fn closed(&self) {
        while !self.closing.get() {
            self.close.notified().await;
        }
    }

    /// Takes what is to be written next: small buffers together, a large one alone, so nothing large is copied.
    fn take(&self) -> Option<Vec<u8>> {
        let mut queue = self.queue.borrow_mut();
        let mut bytes = queue.pop_front()?;
        while let Some(next) = queue.front() {
            if bytes.len() + next.len() > TOGETHER_BYTES_MAX {
                break;
            }
            bytes.extend_from_slice(next);
            queue.pop_front();
        }
        Some(bytes)
    }
}

/// Writes what waits until the connection ends, then shuts it down, which also ends the reading task.
pub(super) async fn write(mesh: Rc<Mesh>, id: LinkId, link: Rc<Link>, stream: Rc<TcpStream>) {
    loop {
        let Some(bytes) = link.take() else {
            if link.closing.get() {
                break;
            }
            link.write.notified().await;
            continue;
        };
        let length = bytes.len();
        let (written, _) = if link.closing.get() {
            // Last words: a peer that does not take them must not keep the connection.
            match tokio::time::timeout(LAST_WORDS_WITHIN, stream.write_all(bytes)).await {
                Ok(result) => result,
                Err(_) => break,
            }
        } else {
            tokio::select! {
                result = stream.write_all(bytes) => result,
                () = stuck(&link) => break,
            }
        };
        let Ok(()) = written else { break };
        mesh.traffic.writes.set(mesh.traffic.writes.get() + 1);
        mesh.traffic.sent_bytes.set(mesh.traffic.sent_bytes.get() + length as u64);
        mesh.feed(Input::Wrote(id, length));
    }
    // Fails only where the connection is down already, which is what is wanted.
    drop(stream.shutdown(Shutdown::Both));
}

/// Reads frames and hands them to the node until the connection ends. Returns how it ended, for people.
pub(super) async fn read(mesh: &Rc<Mesh>, id: LinkId, link: &Link, stream: &TcpStream) -> String {
    let mut bytes: Vec<u8> = Vec::with_capacity(READ_BYTES);
    loop {
        let filled = bytes.len();
        let (read, slice) = stream.read(bytes.slice(filled..)).await;
        bytes = slice.into_inner();
        match read {
            Ok(0) => return "the peer closed the connection".into(),
            Ok(length) => {
                mesh.traffic.reads.set(mesh.traffic.reads.get() + 1);
                mesh.traffic.received_bytes.set(mesh.traffic.received_bytes.get() + length as u64);
            }
            Err(error) => return error.to_string(),
        }
        let mut taken = 0;
        while !link.closing.get() {
            match frame::split(&bytes[taken..]) {
                Ok(Some((frame, length))) => {
                    mesh.traffic.frames.set(mesh.traffic.frames.get() + 1);
                    mesh.feed(Input::Frame(id, frame));
                    taken += length;
                }
                Ok(None) => break,
                Err(error) => {
                    mesh.feed(Input::Garbage(id, error));
                    return error.to_string();
                }
            }
        }
        if taken == 0 {
            mesh.feed(Input::Part(id));
        }
        bytes.drain(..taken);
    }
}

/// Ready when a connection that is to end has not taken its bytes in time.
async fn stuck(link: &Link) {
    link.closed().await;
    tokio::time::sleep(LAST_WORDS_WITHIN).await; // waits: for the peer to read
}

/// Bytes read in one operation at most. Holds a whole frame wherever the one before it ended.
const READ_BYTES: usize = 2 * (bounds::FRAME_PAYLOAD_MAX + 64);
/// Buffers up to this size in sum are written in one operation. chosen: a copy of 16 KiB costs less than a syscall.
const TOGETHER_BYTES_MAX: usize = 16 * 1024;
/// Time a peer has to take what was to be written before the end.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

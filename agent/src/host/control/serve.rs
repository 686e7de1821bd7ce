//! One client of a control socket, on a thread of its own.
use super::{
    desk::{self, Caller, Desk, From},
    endpoint::Endpoint,
    policy::{LOOPBACK, admit},
    shape::Failure,
};
use crate::sys::{process, sockdiag::SockDiag};
use std::{
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    net::{IpAddr, TcpStream},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

/// A connection, of either end.
#[derive(Debug)]
pub(super) enum Stream {
    /// Through a path.
    Unix(UnixStream),
    /// Over loopback.
    Tcp(TcpStream),
}

/// Serves a client until it leaves, is silent for too long, or says something that is too long.
pub(super) fn serve(stream: &Stream, from: From, desk: &Desk) -> io::Result<()> {
    stream.set_timeouts(PATIENCE)?;
    let endpoint = match &from {
        From::Listener(at) => match desk.policy.plan().endpoint(at) {
            Some(endpoint) => Some(endpoint.clone()),
            None => return refuse(stream, &Failure::new("this endpoint is gone; see Control_Listener")),
        },
        From::Own | From::Bus(_) => None,
    };
    let caller = match meet(stream, from, endpoint.as_ref()) {
        Ok(caller) => caller,
        Err(failure) => return refuse(stream, &failure),
    };
    if let Some(endpoint) = &endpoint {
        stream.set_options(endpoint)?;
    }
    converse(stream, &caller, desk)
}

/// Says who is at the other end, or why the client is not taken.
fn meet(stream: &Stream, from: From, endpoint: Option<&Endpoint>) -> Result<Caller, Failure> {
    let number = stream.user().unwrap_or_else(|error| {
        tracing::warn!(%from, %error, "cannot learn whose connection this is");
        None
    });
    let address = stream.address();
    if let Some(endpoint) = endpoint {
        let admitted = admit(endpoint.access(address), number.is_some());
        admitted
            .inspect_err(|failure| tracing::warn!(%from, user = number, "not taken: {}", failure.error))?;
    }
    Ok(match number {
        Some(number) => Caller::local(number, from, address),
        None => Caller::unknown(from, address),
    })
}

fn converse(stream: &Stream, caller: &Caller, desk: &Desk) -> io::Result<()> {
    let mut requests = BufReader::new(stream);
    let mut answers = BufWriter::with_capacity(64 * 1024, stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = requests.by_ref().take(REQUEST_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n");
        let request = if whole {
            desk::parse(&line)
        } else {
            Err(Failure::new("the request is longer than 4096 bytes, or ends without a newline"))
        };
        match request {
            Ok(asked) => desk.answer(asked, caller, &mut answers)?,
            Err(failure) => serde_json::to_writer(&mut answers, &failure)?,
        }
        answers.write_all(b"\n")?;
        answers.flush()?;
        if !whole {
            return Ok(());
        }
    }
}

/// Tells a client why it is not served.
pub(super) fn refuse(mut stream: &Stream, failure: &Failure) -> io::Result<()> {
    stream.set_timeouts(PATIENCE)?;
    serde_json::to_writer(stream, failure)?;
    stream.write_all(b"\n")
}

impl Stream {
    /// Returns the number of the user at the other end, if the kernel knows it.
    fn user(&self) -> io::Result<Option<u32>> {
        match self {
            Self::Unix(stream) => process::peer_user(stream).map(Some),
            // The kernel's table of this network namespace has both ends: the other one is the same pair, turned round.
            Self::Tcp(stream) => SockDiag::open()?.owner(stream.peer_addr()?, stream.local_addr()?),
        }
    }

    fn address(&self) -> IpAddr {
        match self {
            Self::Unix(_) => LOOPBACK,
            Self::Tcp(stream) => stream.peer_addr().map_or(LOOPBACK, |address| address.ip().to_canonical()),
        }
    }

    fn set_options(&self, endpoint: &Endpoint) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_read_timeout(Some(endpoint.timeout)),
            Self::Tcp(stream) => {
                stream.set_nodelay(endpoint.nodelay)?;
                stream.set_read_timeout(Some(endpoint.timeout))
            }
        }
    }

    pub(super) fn set_timeouts(&self, patience: Duration) -> io::Result<()> {
        match self {
            Self::Unix(stream) => {
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))
            }
            Self::Tcp(stream) => {
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))
            }
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl Read for &Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => (&*stream).read(bytes),
            Stream::Tcp(stream) => (&*stream).read(bytes),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        (&*self).read(bytes)
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => (&*stream).write(bytes),
            Stream::Tcp(stream) => (&*stream).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Longest request line, bytes.
const REQUEST_BYTES_MAX: usize = 4096;
/// Time a client of the daemon's own socket has to send its next request, and any client to take a part of its answer.
const PATIENCE: Duration = Duration::from_secs(10);

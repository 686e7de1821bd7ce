//! A member of the cluster that only listens: it notes when each heartbeat of one node arrives.
use anyhow::{Context, Result, ensure};
use convoy_core::wire::{Frame, Message, frame, message};
use lab::Host;
use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// When heartbeats arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heartbeats(Arc<Mutex<Vec<Instant>>>);

impl Heartbeats {
    /// Takes connections in `host`'s stead from now on, and notes the heartbeats that come from `of`.
    pub(crate) fn listen(host: &Host, of: &IpAddr) -> Result<Self> {
        let listener = host.inside(|| TcpListener::bind((host.v4(), MESH_PORT)))??;
        let heartbeats = Self::default();
        let (noted, of, name) = (heartbeats.clone(), *of, host.name().to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let noted = noted.clone();
                let is_it = stream.peer_addr().is_ok_and(|peer| peer.ip() == of);
                let name = name.clone();
                thread::spawn(move || {
                    // Ends with the connection; then no heartbeat comes, which is seen by who looks for a gap.
                    drop(serve(stream, &name, |at| {
                        if is_it {
                            noted.note(at);
                        }
                    }));
                });
            }
        });
        Ok(heartbeats)
    }

    /// Returns how many have arrived.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Returns the largest time between two heartbeats of which one lies between `from` and `until`.
    ///
    /// # Errors
    /// When there was none: the node was not connected.
    pub(crate) fn largest_gap(&self, from: Instant, until: Instant) -> Result<Duration> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = all.partition_point(|at| *at < from).saturating_sub(1);
        let last = all.partition_point(|at| *at <= until);
        ensure!(last > first + 1, "no heartbeat came");
        let gaps = all[first..last].windows(2).map(|pair| pair[1] - pair[0]);
        // The one that is still awaited counts, too.
        let open = until - all[last - 1];
        gaps.chain([open]).max().context("no gap")
    }

    fn note(&self, at: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(at);
    }
}

/// Welcomes a node and reads what it says.
fn serve(mut stream: TcpStream, name: &str, heartbeat: impl Fn(Instant)) -> Result<()> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = stream.read(&mut buffer)?;
        let at = Instant::now();
        ensure!(read > 0, "the node closed the connection");
        bytes.extend_from_slice(&buffer[..read]);
        let mut used = 0;
        while let Some((frame, length)) = frame::split(&bytes[used..])? {
            answer(&mut stream, name, &frame)?;
            if matches!(Message::parse(&frame)?, Message::Heartbeat) {
                heartbeat(at);
            }
            used += length;
        }
        bytes.drain(..used);
    }
}

fn answer(stream: &mut TcpStream, name: &str, frame: &Frame<'_>) -> Result<()> {
    if frame.sequence == 1 {
        stream.write_all(&message::emit(1, &Message::Welcome { incarnation: 1, name }))?;
    }
    Ok(())
}

const MESH_PORT: u16 = 4802;

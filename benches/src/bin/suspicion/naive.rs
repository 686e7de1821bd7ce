//! The baseline: every node tells every other each 10 ms, and suspects who is silent for 50 ms. An ordinary thread a
//! node, no more.
use anyhow::Result;
use lab::{Host, Lab};
use std::{
    net::{Ipv4Addr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// The nodes of a lab; they end with this.
pub(crate) struct Naive {
    seen: Arc<Mutex<Vec<Seen>>>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// A suspicion.
#[derive(Clone, Copy)]
struct Seen {
    by: Ipv4Addr,
    of: Ipv4Addr,
    at: Instant,
}

impl Naive {
    pub(crate) fn start(lab: &Lab) -> Result<Self> {
        let mut naive = Self { seen: Arc::default(), over: Arc::default(), threads: vec![] };
        for host in lab.hosts() {
            let peers: Vec<_> = lab.hosts().iter().map(Host::v4).filter(|peer| *peer != host.v4()).collect();
            let own = host.v4();
            let socket = host.inside(move || UdpSocket::bind((own, PORT)))??;
            socket.set_read_timeout(Some(Duration::from_millis(1)))?;
            let (seen, over) = (naive.seen.clone(), naive.over.clone());
            naive.threads.push(thread::spawn(move || node(&socket, own, &peers, &seen, &over)));
        }
        Ok(naive)
    }

    /// Returns how many suspicions there were.
    pub(crate) fn count(&self) -> usize {
        self.all().len()
    }

    /// Returns when one node suspected another for the first time from `since` on.
    pub(crate) fn first(&self, by: &Host, of: &Host, since: Instant) -> Option<Instant> {
        let is_it = |seen: &Seen| seen.by == by.v4() && seen.of == of.v4() && seen.at >= since;
        self.all().into_iter().find(is_it).map(|seen| seen.at)
    }

    fn all(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Naive {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic has told of itself.
            drop(thread.join());
        }
    }
}

fn node(socket: &UdpSocket, own: Ipv4Addr, peers: &[Ipv4Addr], seen: &Mutex<Vec<Seen>>, over: &AtomicBool) {
    // When each was last heard, and whether it is suspected.
    let mut states: Vec<(Option<Instant>, bool)> = vec![(None, false); peers.len()];
    let mut next = Instant::now();
    let mut buffer = [0; 64];
    while !over.load(Ordering::Relaxed) {
        if Instant::now() >= next {
            next += INTERVAL;
            for peer in peers {
                // A link that is cut loses it; so would the network.
                drop(socket.send_to(b"alive", (*peer, PORT)));
            }
        }
        if let Ok((_, from)) = socket.recv_from(&mut buffer)
            && let Some(at) = peers.iter().position(|peer| *peer == from.ip())
        {
            states[at] = (Some(Instant::now()), false);
        }
        for (peer, (heard, is_suspect)) in peers.iter().zip(&mut states) {
            if heard.is_some_and(|heard| heard.elapsed() > LIMIT) && !*is_suspect {
                *is_suspect = true;
                let found = Seen { by: own, of: *peer, at: Instant::now() };
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(found);
            }
        }
    }
}

const PORT: u16 = 4899;
const INTERVAL: Duration = Duration::from_millis(10);
const LIMIT: Duration = Duration::from_millis(50);

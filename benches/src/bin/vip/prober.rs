//! A client that asks one address for an echo every millisecond, and notes which probe was answered when.
//!
//! Probes go through the client's kernel as any datagram does: by its neighbour cache, which an announcement changes and
//! nothing here touches. The echo is the work of the owner's kernel, so no process of a host stands between.
//! Source: `icmp(7)`; RFC 792 and RFC 4443 for the echo.
use anyhow::{Context, Result, bail, ensure};
use convoy_agent::sys::realtime;
use lab::{Place, until};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, recv, sendto, socket_with,
        sockopt,
    },
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A client at work.
pub(crate) struct Prober {
    probes: Arc<Mutex<Vec<Probe>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

#[derive(Clone, Copy)]
struct Probe {
    sent: Instant,
    answered: Option<Instant>,
}

/// What the client missed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    /// The last answer before the address was announced anew.
    pub(crate) from: Instant,
    /// The longest time between two answers; zero when there was none later.
    pub(crate) span: Duration,
    /// Probes that were never answered.
    pub(crate) lost: usize,
}

impl Prober {
    /// Begins to probe `address` from a place.
    pub(crate) fn start(place: &Place, address: IpAddr) -> Result<Self> {
        let socket = place.inside(|| open(address))??;
        let (probes, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (probes, over) = (Arc::clone(&probes), Arc::clone(&over));
            thread::spawn(move || run(&socket, address, &probes, &over))
        };
        Ok(Self { probes, over, thread: Some(thread) })
    }

    /// Waits until answers have come without a gap for a second, since `since`.
    pub(crate) fn wait_for_a_steady_second(&self, since: Instant) -> Result<()> {
        until("a second of answers without a gap", WAIT, || {
            let now = Instant::now();
            let begin = now.checked_sub(STEADY).filter(|begin| *begin >= since);
            Ok(begin.filter(|begin| self.is_steady(*begin, now)).map(drop))
        })
    }

    fn is_steady(&self, begin: Instant, now: Instant) -> bool {
        let probes = lock(&self.probes);
        let recent = probes.iter().rev().take(2 * STEADY.as_millis() as usize);
        let mut times: Vec<_> = recent.filter_map(|probe| probe.answered).filter(|at| *at >= begin).collect();
        times.extend([begin, now]);
        times.sort_unstable();
        times.windows(2).all(|pair| pair[1] - pair[0] <= GAP_MAX)
    }

    /// Ends the probes, and returns what was missed of what was sent from shortly before `begun` on; `announced` is when
    /// the address, or the first of many, was announced anew.
    pub(crate) fn finish(mut self, begun: Instant, announced: Instant) -> Result<Outage> {
        self.over.store(true, Ordering::Relaxed);
        match self.thread.take().context("it runs once")?.join() {
            Ok(ended) => ended?,
            Err(_) => bail!("the client panicked"),
        }
        let probes = lock(&self.probes);
        let mut answers: Vec<_> = probes.iter().filter_map(|probe| probe.answered).collect();
        answers.sort_unstable();
        let gaps = answers.windows(2).filter(|pair| pair[1] >= begun).map(|pair| pair[1] - pair[0]);
        let span = gaps.max().unwrap_or_default();
        let from = answers.iter().rfind(|at| **at <= announced).context("nothing was answered before")?;
        let first = begun.checked_sub(GAP_MAX).context("the clock has just begun")?;
        let is_lost = |probe: &&Probe| probe.sent >= first && probe.answered.is_none();
        Ok(Outage { from: *from, span, lost: probes.iter().filter(is_lost).count() })
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn open(address: IpAddr) -> Result<OwnedFd> {
    let (family, protocol) = match address {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        socket_with(family, SocketType::RAW, flags, Some(protocol)).context("a socket for echoes")?;
    // It gets every advertisement of IPv6 too.
    sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER_BYTES)?;
    Ok(socket)
}

fn run(socket: &OwnedFd, address: IpAddr, probes: &Mutex<Vec<Probe>>, over: &AtomicBool) -> Result<()> {
    // Where the machine does not allow it the client is late at times, for both sides.
    drop(realtime::run_first());
    let mut next = Instant::now();
    while !over.load(Ordering::Relaxed) {
        let now = Instant::now();
        if now >= next {
            let number = note(probes, now)?;
            match sendto(socket, &request(address, number), SendFlags::DONTWAIT, &SocketAddr::new(address, 0))
            {
                // No neighbour, no route, no room: lost like any other.
                Ok(_) | Err(_) => {}
            }
            next = (next + EVERY).max(now); // none is made up for when the machine was busy
        }
        hear(socket, address, probes, next)?;
    }
    // The last ones are given time to come back.
    let end = Instant::now() + LATE_MAX;
    while Instant::now() < end {
        hear(socket, address, probes, end)?;
    }
    Ok(())
}

fn note(probes: &Mutex<Vec<Probe>>, now: Instant) -> Result<u32> {
    let mut probes = lock(probes);
    ensure!(probes.len() < PROBES_MAX, "the client has sent {PROBES_MAX} probes, and nobody ended it");
    probes.push(Probe { sent: now, answered: None });
    Ok(u32::try_from(probes.len() - 1)?)
}

/// Waits until `end` for an answer, and notes all that are there.
fn hear(socket: &OwnedFd, address: IpAddr, probes: &Mutex<Vec<Probe>>, end: Instant) -> Result<()> {
    let wait = Timespec::try_from(end.saturating_duration_since(Instant::now()))?;
    match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&wait)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(()),
        result => result.context("poll")?,
    };
    let mut buffer = [0; 256];
    while let Ok((read, _)) = recv(socket, &mut buffer, RecvFlags::DONTWAIT) {
        let now = Instant::now();
        let Some(number) = answer(address, &buffer[..read]) else { continue };
        if let Some(probe) = lock(probes).get_mut(usize::try_from(number)?) {
            probe.answered.get_or_insert(now);
        }
    }
    Ok(())
}

/// Returns an echo request; the checksum of IPv6 is the kernel's work.
fn request(address: IpAddr, number: u32) -> [u8; 12] {
    let number = number.to_be_bytes();
    let mut echo = [0; 12];
    echo[0] = ECHO_V6;
    echo[4..6].copy_from_slice(&IDENTIFIER);
    echo[6..8].copy_from_slice(&number[2..]);
    echo[8..].copy_from_slice(&number);
    if address.is_ipv4() {
        echo[0] = ECHO_V4;
        let words = echo.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
        let sum: u32 = words.sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        let [.., high, low] = (!((folded & 0xffff) + (folded >> 16))).to_be_bytes();
        echo[2..4].copy_from_slice(&[high, low]);
    }
    echo
}

/// Returns the number of the probe that a datagram answers. IPv4 comes with its header.
fn answer(address: IpAddr, datagram: &[u8]) -> Option<u32> {
    let (kind, echo) = match address {
        IpAddr::V4(_) => (REPLY_V4, datagram.get(4 * usize::from(datagram.first()? & 0xf)..)?),
        IpAddr::V6(_) => (REPLY_V6, datagram),
    };
    (*echo.first()? == kind && echo.get(4..6)? == IDENTIFIER)
        .then(|| echo.get(8..12).and_then(|number| Some(u32::from_be_bytes(number.try_into().ok()?))))?
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const EVERY: Duration = Duration::from_millis(1);
/// How long answers must have come before a fault, and after it.
const STEADY: Duration = Duration::from_secs(1);
/// chosen: longer than the machine's own pauses, shorter than an outage that is to be seen.
const GAP_MAX: Duration = Duration::from_millis(25);
/// chosen: an echo takes a tenth of a millisecond; what waits for a neighbour, up to the outage.
const LATE_MAX: Duration = Duration::from_millis(100);
/// Five minutes of probes.
const PROBES_MAX: usize = 300_000;
const BUFFER_BYTES: usize = 16 << 20;
/// Longest wait for answers to come back.
const WAIT: Duration = Duration::from_mins(2);
const IDENTIFIER: [u8; 2] = *b"vp";
const ECHO_V4: u8 = 8;
const REPLY_V4: u8 = 0;
const ECHO_V6: u8 = 128;
const REPLY_V6: u8 = 129;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_by_its_number() {
        let check = |address: &str, reply, header: &[u8]| {
            let address = address.parse().unwrap();
            let mut echo = request(address, 70_000);
            assert_eq!(answer(address, &[header, &echo].concat()), None, "a request is no answer");
            echo[0] = reply;
            let datagram = [header, &echo].concat();
            assert_eq!(answer(address, &datagram), Some(70_000));
            for length in 0..datagram.len() {
                assert_eq!(answer(address, &datagram[..length]), None, "{length} bytes");
            }
            echo[4] += 1;
            assert_eq!(answer(address, &[header, &echo].concat()), None, "somebody else's");
        };
        check("fd78::1", REPLY_V6, &[]);
        check("10.78.0.1", REPLY_V4, &[0x45; 20]);
    }

    #[test]
    fn the_checksum_of_ipv4_adds_up() {
        for number in [0, 1, 70_000, u32::MAX] {
            let echo = request(IpAddr::from([10, 78, 0, 1]), number);
            let sum: u32 = echo.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
            assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "{number}");
        }
    }
}

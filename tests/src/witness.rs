//! A witness on the segment: who answers for each managed address, and whether two ever do.
//!
//! It asks who has a sample of the addresses, one question after another, and hears every answer and announcement of all
//! of them. Two hardware addresses that answer the *same* question are two owners at one instant, whatever was agreed
//! among the hosts: each question has a number that only its answers carry.
//!
//! Invariants: 1. an answer counts for the question that it answers, however late it comes, up to 32 questions about its
//! address; 2. announcements are never answers; 3. nothing that it sends is a claim, so no cache changes by being
//! watched. It sees what crosses the segment at its own place: a host that is cut off from it is not seen answering.
//!
//! Source: `packet(7)`. The wire forms are in `frame`.
mod frame;

use crate::Place;
use anyhow::{Context, Result, bail, ensure};
use convoy_agent::sys::realtime;
use frame::{Claim, NUMBERS};
use pnet_datalink::{Channel, Config, DataLinkReceiver, DataLinkSender};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};
use std::{
    collections::BTreeMap,
    fmt,
    io::ErrorKind,
    net::IpAddr,
    os::fd::IntoRawFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, others @ ..] = self.0;
        write!(f, "{first:02x}")?;
        others.iter().try_for_each(|byte| write!(f, ":{byte:02x}"))
    }
}

/// Who claimed an address last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its hardware address, as neighbours' caches take it.
    pub mac: Mac,
    /// Its first claim since the last of anybody else.
    pub since: Instant,
    /// Its last claim that was no answer to us.
    pub announced: Option<Instant>,
}

/// Two owners at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Double {
    /// Of what.
    pub address: IpAddr,
    /// Who answered, in the order in which they did.
    pub macs: [Mac; 2],
    /// When both were asked.
    pub asked: Instant,
    /// Time between their answers.
    pub apart: Duration,
}

impl fmt::Display for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, other] = self.macs;
        write!(f, "{} is at {one} and, {} us later, at {other}", self.address, self.apart.as_micros())
    }
}

/// A former owner that claims an address again after another did: a move back, or a late announcement that turns
/// neighbours' caches to the wrong host although no question finds two owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relapse {
    /// Of what.
    pub address: IpAddr,
    /// Who claims it again.
    pub mac: Mac,
    /// Who claimed it meanwhile.
    pub other: Mac,
    /// Time from the first claim of the other to this.
    pub away: Duration,
    /// Whether the claim is an answer to the witness, no announcement.
    pub is_answer: bool,
}

/// What was asked and heard so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Testimony {
    /// Questions.
    pub asked: u64,
    /// Questions that somebody answered.
    pub answered: u64,
    /// Claims of managed addresses, answers included.
    pub claims: u64,
    /// Questions that two answered.
    pub doubles: u64,
    /// The first thousand of these.
    pub double: Vec<Double>,
    /// Claims by another than the one who claimed the address before.
    pub moves: u64,
    /// Claims by the one who had the address before the one who has it.
    pub relapses: u64,
    /// The first thousand of these.
    pub relapse: Vec<Relapse>,
}

/// A witness at work; it ends with this.
#[derive(Debug)]
pub struct Witness {
    seen: Arc<Mutex<Seen>>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Witness {
    /// Begins to watch `managed` from `eth0` of a place, and to ask every `every` about the next of up to `sample` of
    /// them, evenly spread.
    ///
    /// # Errors
    /// Without addresses, without such an interface, or without the right to raw sockets.
    pub fn start(place: &Place, managed: &[IpAddr], sample: usize, every: Duration) -> Result<Self> {
        ensure!(!managed.is_empty() && sample > 0, "a witness needs an address to watch and to ask about");
        let asked: Vec<IpAddr> = managed.iter().copied().step_by(managed.len().div_ceil(sample)).collect();
        let (own, mouth, ear) = place.inside(open)?.with_context(|| place.name().to_owned())?;
        let seen = Arc::new(Mutex::new(Seen::new(managed, &asked)));
        let over = Arc::new(AtomicBool::new(false));
        let listening = {
            let (seen, over) = (Arc::clone(&seen), Arc::clone(&over));
            thread::Builder::new().name("ear".into()).spawn(move || listen(ear, own, &seen, &over))?
        };
        let asking = {
            let (seen, over) = (Arc::clone(&seen), Arc::clone(&over));
            thread::Builder::new()
                .name("mouth".into())
                .spawn(move || ask(mouth, own, &asked, every, &seen, &over))?
        };
        Ok(Self { seen, over, threads: vec![listening, asking] })
    }

    /// Returns who claimed an address last, if anybody did.
    pub fn holder(&self, address: IpAddr) -> Option<Holder> {
        self.seen().places.get(&address)?.holder
    }

    /// Returns that of every managed address.
    pub fn holders(&self) -> BTreeMap<IpAddr, Option<Holder>> {
        self.seen().places.iter().map(|(address, place)| (*address, place.holder)).collect()
    }

    /// Returns the one that alone answered every question about the whole sample for the last `span`, if there is one.
    pub fn sole_for(&self, span: Duration) -> Option<Mac> {
        let seen = self.seen();
        let mut all = seen.places.values().filter(|place| place.is_asked).map(|place| place.sole);
        let (first, since) = all.next()??;
        let is_it =
            |sole: Option<(Mac, Instant)>| sole.is_some_and(|(mac, at)| mac == first && at.elapsed() >= span);
        (since.elapsed() >= span && all.all(is_it)).then_some(first)
    }

    /// Returns what was asked and heard so far.
    pub fn testimony(&self) -> Testimony {
        self.seen().testimony.clone()
    }

    /// Ends it, and returns all that it saw.
    ///
    /// # Errors
    /// When it could not hear or ask all the time: it is no witness then.
    pub fn finish(mut self) -> Result<Testimony> {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let Ok(ended) = thread.join() else { bail!("a thread of the witness panicked") };
            ended?;
        }
        Ok(self.testimony())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // Nobody asks any more whether it saw all.
            drop(thread.join());
        }
    }
}

/// All that was seen.
#[derive(Debug)]
struct Seen {
    places: BTreeMap<IpAddr, Standing>,
    testimony: Testimony,
}

/// One address.
#[derive(Debug, Default)]
struct Standing {
    is_asked: bool,
    holder: Option<Holder>,
    /// Who claimed it before the holder.
    before: Option<Mac>,
    /// Who alone answered every question from that time on.
    sole: Option<(Mac, Instant)>,
    /// The number of its last question, and the latest question of each number.
    last: u8,
    questions: [Option<Question>; NUMBERS as usize],
}

#[derive(Clone, Copy, Debug)]
struct Question {
    asked: Instant,
    first: Option<(Mac, Instant)>,
    is_double: bool,
}

impl Seen {
    fn new(managed: &[IpAddr], asked: &[IpAddr]) -> Self {
        let mut places: BTreeMap<IpAddr, Standing> =
            managed.iter().map(|address| (*address, Standing::default())).collect();
        for address in asked {
            places.entry(*address).or_default().is_asked = true;
        }
        Self { places, testimony: Testimony::default() }
    }

    /// Notes a question about to be asked, judges the one before it, and returns its number.
    fn ask(&mut self, address: IpAddr, now: Instant) -> u8 {
        let place = self.places.entry(address).or_default();
        if let Some(before) = place.questions[usize::from(place.last)] {
            place.sole = match (before.first, place.sole) {
                (Some((mac, _)), Some((sole, since))) if mac == sole && !before.is_double => {
                    Some((sole, since))
                }
                (Some((mac, _)), _) if !before.is_double => Some((mac, before.asked)),
                _ => None,
            };
            place.last = (place.last + 1) % NUMBERS;
        }
        place.questions[usize::from(place.last)] =
            Some(Question { asked: now, first: None, is_double: false });
        self.testimony.asked += 1;
        place.last
    }

    /// Takes a claim that came at `now`; claims of addresses that are not managed are nobody's business here.
    fn take(&mut self, claim: Claim, now: Instant) {
        let Claim { address, mac, answers } = claim;
        let Some(place) = self.places.get_mut(&address) else { return };
        self.testimony.claims += 1;
        let holder = match place.holder {
            Some(holder) if holder.mac == mac => holder,
            Some(Holder { mac: other, since, .. }) => {
                self.testimony.moves += 1;
                if place.before == Some(mac) {
                    let (away, is_answer) = (now - since, answers.is_some());
                    self.testimony.relapses += 1;
                    keep(&mut self.testimony.relapse, Relapse { address, mac, other, away, is_answer });
                }
                place.before = Some(other);
                Holder { mac, since: now, announced: None }
            }
            None => Holder { mac, since: now, announced: None },
        };
        let announced = if answers.is_none() { Some(now) } else { holder.announced };
        place.holder = Some(Holder { announced, ..holder });
        let Some(question) = answers.and_then(|number| place.questions[usize::from(number)].as_mut()) else {
            return;
        };
        match question.first {
            None => {
                question.first = Some((mac, now));
                self.testimony.answered += 1;
            }
            Some((first, at)) if first != mac && !question.is_double => {
                question.is_double = true;
                self.testimony.doubles += 1;
                let (asked, apart) = (question.asked, now - at);
                keep(&mut self.testimony.double, Double { address, macs: [first, mac], asked, apart });
            }
            Some(_) => {}
        }
    }
}

/// Keeps what was seen, as long as there is room; it is counted in any case.
fn keep<T>(list: &mut Vec<T>, seen: T) {
    if list.len() < KEPT_MAX {
        list.push(seen);
    }
}

type Ends = (Mac, Box<dyn DataLinkSender>, Box<dyn DataLinkReceiver>);

/// Opens a packet socket on `eth0` of the calling thread's namespace.
fn open() -> Result<Ends> {
    let interface = pnet_datalink::interfaces()
        .into_iter()
        .find(|interface| interface.name == INTERFACE)
        .with_context(|| format!("there is no {INTERFACE}"))?;
    let mac = interface.mac.with_context(|| format!("{INTERFACE} has no hardware address"))?;
    // Made here, for the size of its buffer; it hears nothing before it is bound.
    let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER_BYTES)?;
    let config = Config {
        read_timeout: Some(Duration::ZERO),
        write_timeout: Some(SEND_BOUND),
        promiscuous: true,
        socket_fd: Some(socket.into_raw_fd()),
        ..Config::default()
    };
    match pnet_datalink::channel(&interface, config)? {
        Channel::Ethernet(mouth, ear) => Ok((Mac(mac.octets()), mouth, ear)),
        _ => bail!("{INTERFACE} is no Ethernet"),
    }
}

/// Hears until it is over.
fn listen(mut ear: Box<dyn DataLinkReceiver>, own: Mac, seen: &Mutex<Seen>, over: &AtomicBool) -> Result<()> {
    run_first();
    while !over.load(Ordering::Relaxed) {
        let frame = match ear.next() {
            Ok(frame) => frame,
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                thread::sleep(LISTEN_POLL); // waits: for frames, of which a burst brings thousands
                continue;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).context("the witness hears no more"),
        };
        let now = Instant::now();
        let is_own = frame.get(6..12) == Some(&own.0);
        if let Some(claim) = frame::claim(frame).filter(|_| !is_own) {
            lock(seen).take(claim, now);
        }
    }
    Ok(())
}

/// Asks until it is over, one question each `every`; none is made up for when the machine was busy.
fn ask(
    mut mouth: Box<dyn DataLinkSender>,
    own: Mac,
    addresses: &[IpAddr],
    every: Duration,
    seen: &Mutex<Seen>,
    over: &AtomicBool,
) -> Result<()> {
    run_first();
    for &address in addresses.iter().cycle() {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let begun = Instant::now();
        let number = lock(seen).ask(address, begun);
        let sent = mouth.send_to(&frame::question(address, own, number), None);
        sent.context("the witness has no room for a question")?.context("the witness asks no more")?;
        thread::sleep(every.saturating_sub(begun.elapsed())); // waits: for the time of the next question
    }
    Ok(())
}

/// Runs the thread before what it watches, where the machine allows: late ears hear all the same.
fn run_first() {
    drop(realtime::run_first());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every place of the lab has one interface, and this is its name.
const INTERFACE: &str = "eth0";
/// chosen: ten thousand announcements, each repeated five times, in the kernel's own size of a small frame, 768 bytes.
const BUFFER_BYTES: usize = 64 << 20;
/// How long a frame may lie before it is read, and how late the time is that is noted for it. chosen: a thread that is
/// woken for each of ten thousand announcements takes the processor from those who send them.
const LISTEN_POLL: Duration = Duration::from_micros(200);
/// chosen: a frame leaves in microseconds.
const SEND_BOUND: Duration = Duration::from_secs(1);
/// chosen: one is a failure already; the rest shows how it went on.
const KEPT_MAX: usize = 1_000;

#[cfg(test)]
mod tests;

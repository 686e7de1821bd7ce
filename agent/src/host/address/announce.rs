//! When each held address is announced, and when again: at once, and after 10 ms, 100 ms and 1 s.
//!
//! Invariants: 1. an address that was withdrawn is not announced until it is added again; 2. first announcements go before
//! repetitions, and repetitions before the periodic refresh; 3. no more than [`FRAMES_PER_MS`] leave in a millisecond,
//! after a burst of [`BURST`], so that ten thousand addresses take a tenth of a second and leave a gigabit link its room.
//! Pure: does not build or send packets. Source: RFC 5227 section 2.3 and RFC 4861 section 7.2.6 for announcing more than
//! once; forwarding tables and caches that miss the first learn from the others.
use convoy_core::wire::arp::Operation;
use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

/// The announcements of a thread.
#[derive(Debug)]
pub(super) struct Announcer {
    /// What each held address waits for: announcements of an earlier stamp are void.
    stamps: BTreeMap<IpAddr, u64>,
    stamp: u64,
    /// Those of each round, in the order in which they are due.
    rounds: [VecDeque<Due>; ROUNDS.len()],
    refresh: VecDeque<IpAddr>,
    refresh_every: Option<Duration>,
    refresh_at: Option<Instant>,
    /// Frames that may leave, and since when that is so.
    tokens: i64,
    filled_at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Due {
    at: Instant,
    address: IpAddr,
    stamp: u64,
}

/// One announcement that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announcement {
    pub(super) address: IpAddr,
    /// The form that it has in ARP: some caches heed only one of the two.
    pub(super) form: Operation,
}

impl Announcer {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            stamps: BTreeMap::new(),
            stamp: 0,
            rounds: Default::default(),
            refresh: VecDeque::new(),
            refresh_every: None,
            refresh_at: None,
            tokens: i64::from(BURST),
            filled_at: now,
        }
    }

    /// Announces everything that is held once each `every`, from then on.
    pub(super) fn set_refresh(&mut self, every: Option<Duration>, now: Instant) {
        if self.refresh_every != every {
            self.refresh_every = every;
            self.refresh_at = every.map(|every| now + every);
        }
    }

    /// Announces an address in all rounds, from the first; what was left of earlier ones is void.
    pub(super) fn add(&mut self, address: IpAddr, now: Instant) {
        self.stamp += 1;
        self.stamps.insert(address, self.stamp);
        self.rounds[0].push_back(Due { at: now, address, stamp: self.stamp });
    }

    /// Announces an address no more.
    pub(super) fn withdraw(&mut self, address: IpAddr) {
        self.stamps.remove(&address);
    }

    /// Announces an address once more, paced; one that is not held is passed over.
    pub(super) fn again(&mut self, address: IpAddr) {
        if self.stamps.contains_key(&address) && self.refresh.len() < self.stamps.len() {
            self.refresh.push_back(address);
        }
    }

    /// Returns the next announcement that is due and may leave; `frames` tells how many frames it takes.
    pub(super) fn next(&mut self, now: Instant, frames: impl Fn(IpAddr) -> u32) -> Option<Announcement> {
        self.fill(now);
        if self.tokens <= 0 {
            return None;
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.refresh_at = self.refresh_every.map(|every| now + every);
            self.refresh = self.stamps.keys().copied().collect();
        }
        let announcement = self.pop(now)?;
        self.tokens -= i64::from(frames(announcement.address));
        Some(announcement)
    }

    /// Takes an announcement back that could not leave; it is the first again, with all rounds before it.
    pub(super) fn put_back(&mut self, announcement: Announcement, now: Instant) {
        if let Some(stamp) = self.stamps.get_mut(&announcement.address) {
            self.stamp += 1;
            *stamp = self.stamp;
            self.rounds[0].push_front(Due { at: now, address: announcement.address, stamp: self.stamp });
        }
        self.tokens = 0;
    }

    /// Returns when something is due and may leave.
    pub(super) fn due(&self) -> Option<Instant> {
        let firsts = self.rounds.iter().filter_map(|round| round.front().map(|due| due.at));
        let waits = (!self.refresh.is_empty()).then_some(self.filled_at);
        let at = firsts.chain(waits).chain(self.refresh_at).min()?;
        if self.tokens > 0 {
            return Some(at);
        }
        let missing = u32::try_from(1 - self.tokens).unwrap_or(u32::MAX);
        Some(at.max(self.filled_at + MILLISECOND * missing.div_ceil(FRAMES_PER_MS)))
    }

    fn pop(&mut self, now: Instant) -> Option<Announcement> {
        for (round, (_, form)) in ROUNDS.iter().enumerate() {
            while let Some(due) = self.rounds[round].pop_front_if(|due| due.at <= now) {
                if self.stamps.get(&due.address) != Some(&due.stamp) {
                    continue;
                }
                if let Some((after, _)) = ROUNDS.get(round + 1) {
                    // Counted from this one: a round that is late does not bring the next one nearer.
                    self.rounds[round + 1].push_back(Due { at: now + *after, ..due });
                }
                return Some(Announcement { address: due.address, form: *form });
            }
        }
        while let Some(address) = self.refresh.pop_front() {
            if self.stamps.contains_key(&address) {
                return Some(Announcement { address, form: Operation::Request });
            }
        }
        None
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_millis();
        if passed > 0 {
            let more = i64::try_from(passed).unwrap_or(i64::MAX).saturating_mul(FRAMES_PER_MS.into());
            self.tokens = self.tokens.saturating_add(more).min(BURST.into());
            self.filled_at = now;
        }
    }
}

/// Time since the round before, and the form of the packet.
const ROUNDS: [(Duration, Operation); 4] = [
    (Duration::ZERO, Operation::Request),
    (Duration::from_millis(10), Operation::Reply),
    (Duration::from_millis(90), Operation::Request),
    (Duration::from_millis(900), Operation::Reply),
];
/// chosen: 67 Mbit/s of the shortest frames, as they are on the wire.
pub(super) const FRAMES_PER_MS: u32 = 100;
/// chosen: what leaves at once is less than the smallest queue of a network card.
pub(super) const BURST: u32 = 256;
const MILLISECOND: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn vip(number: u32) -> IpAddr {
        Ipv4Addr::from(0xc000_0200 + number).into()
    }

    /// Takes what is due at `now`.
    fn take(announcer: &mut Announcer, now: Instant) -> Vec<Announcement> {
        std::iter::from_fn(|| announcer.next(now, |_| 1)).collect()
    }

    #[test]
    fn an_address_is_announced_at_once_and_three_times_more() {
        let start = Instant::now();
        let mut announcer = Announcer::new(start);
        announcer.add(vip(1), start);
        let mut sent = Vec::new();
        while let Some(at) = announcer.due() {
            for announcement in take(&mut announcer, at) {
                sent.push(((at - start).as_millis(), announcement.form));
            }
        }
        let (request, reply) = (Operation::Request, Operation::Reply);
        assert_eq!(sent, [(0, request), (10, reply), (100, request), (1_000, reply)]);
    }

    #[test]
    fn nothing_is_announced_after_it_was_withdrawn() {
        let start = Instant::now();
        let mut announcer = Announcer::new(start);
        announcer.set_refresh(Some(Duration::from_mins(1)), start);
        announcer.add(vip(1), start);
        assert_eq!(take(&mut announcer, start).len(), 1);
        announcer.withdraw(vip(1));
        announcer.again(vip(1));
        assert_eq!(take(&mut announcer, start + Duration::from_secs(100)), []);
    }

    #[test]
    fn ten_thousand_are_paced_and_first_ones_go_before_repetitions() {
        let start = Instant::now();
        let mut announcer = Announcer::new(start);
        for number in 0..10_000 {
            announcer.add(vip(number), start);
        }
        let mut sent = 0;
        for millisecond in 0..98 {
            let now = start + Duration::from_millis(millisecond);
            let batch = take(&mut announcer, now);
            assert!(batch.len() <= usize::try_from(BURST.max(FRAMES_PER_MS)).expect("small"));
            assert!(batch.iter().all(|one| one.form == Operation::Request), "no repetition yet");
            sent += batch.len();
        }
        assert_eq!(sent, 256 + 97 * 100);
    }

    #[test]
    fn the_refresh_announces_what_is_held() {
        let start = Instant::now();
        let mut announcer = Announcer::new(start);
        let minute = Duration::from_mins(1);
        announcer.set_refresh(Some(minute), start);
        announcer.add(vip(1), start);
        for second in [0, 1, 2, 3] {
            take(&mut announcer, start + Duration::from_secs(second));
        }
        assert_eq!(announcer.due(), Some(start + minute));
        assert_eq!(take(&mut announcer, start + minute).len(), 1);
        assert_eq!(announcer.due(), Some(start + minute * 2));
    }

    #[test]
    fn what_could_not_leave_is_the_first_again() {
        let start = Instant::now();
        let mut announcer = Announcer::new(start);
        announcer.add(vip(1), start);
        announcer.add(vip(2), start);
        let first = announcer.next(start, |_| 1).expect("due");
        announcer.put_back(first, start);
        assert_eq!(announcer.next(start, |_| 1), None, "not before the next millisecond");
        let later = start + MILLISECOND;
        assert_eq!(announcer.next(later, |_| 1).map(|one| one.address), Some(vip(1)));
    }
}

//! The thread itself: takes orders, does what is urgent, starts what takes long, and sleeps until something happens.
use super::{
    Event, Order, Plan,
    announce::Announcer,
    hooks::Phase,
    plumbing::{Answers, Plumber, Survey, survey},
    probe::{Probe, Probes},
    segment::Segment,
    shared::{Link, Mail, Outbox},
    table::{Lane, Links, Table},
    too_many,
    watch::{Change, Watch},
};
use crate::{
    host::gate::{self, Gate},
    sys::wake::Sleeper,
};
use convoy_core::{bounds, wire::arp::Mac};
use crossbeam_channel::{Receiver, Sender, TryRecvError};
use std::{
    collections::BTreeMap,
    future::{Future, pending, poll_fn},
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};
use tokio::{
    runtime::Builder,
    task::{JoinHandle, JoinSet},
};

/// Whom to tell that the start is over.
pub(super) type Ready = Sender<io::Result<gate::Lease>>;

/// See the module.
pub(super) struct Thread {
    pub(super) plan: Plan,
    orders: Receiver<Mail>,
    pub(super) outbox: Outbox,
    pub(super) gate: Gate,
    pub(super) table: Table,
    pub(super) links: Links,
    pub(super) segments: BTreeMap<Arc<str>, Segment>,
    pub(super) announcer: Announcer,
    pub(super) probes: Probes,
    pub(super) plumber: Plumber,
    /// Hosts of interest, as ordered, and the neighbours that this host has.
    pub(super) interest: Vec<(IpAddr, Mac)>,
    pub(super) neighbours: Vec<(IpAddr, Mac)>,
    /// Both, each once, IPv4 then IPv6.
    pub(super) hosts: [Vec<Mac>; 2],
    /// When a conflict was last told of an address that is held.
    pub(super) conflicts: BTreeMap<IpAddr, Instant>,
    /// Addresses that left the host and that configuration does not name.
    pub(super) given_up: Vec<IpAddr>,
    pub(super) check_at: Instant,
    pub(super) retry_at: Option<Instant>,
    /// What was told of each link.
    pub(super) told_up: BTreeMap<Arc<str>, bool>,
    /// Frames wait that were not read for a bound.
    pub(super) more_to_hear: bool,
    pub(super) figures: super::Snapshot,
    pub(super) hooks: JoinSet<(IpAddr, Phase, Result<(), String>)>,
    /// When hooks have had their time, once it is to stop.
    pub(super) stopping: Option<Instant>,
}

/// Why the loop woke.
enum Happening {
    Woken,
    Heard,
    Changes(Vec<Change>),
    Slice(Answers, Duration),
    Survey(io::Result<Survey>),
    Hook(IpAddr, Phase, Result<(), String>),
}

/// What is under way elsewhere.
#[derive(Default)]
struct Running {
    slice: Option<Slice>,
    survey: Option<JoinHandle<io::Result<Survey>>>,
    /// The table's tick when the survey began.
    since: u64,
    /// There was a survey.
    is_surveyed: bool,
}

type Slice = Pin<Box<dyn Future<Output = (Answers, Duration)>>>;

/// Runs until it is told to stop.
///
/// # Errors
/// The start failed; afterwards nothing does.
pub(super) fn run(
    plan: Plan,
    orders: Receiver<Mail>,
    link: &Link,
    outbox: Outbox,
    ready: &Ready,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_MAX).build()?;
    let bpffs = plan.bpffs.clone();
    runtime.block_on(async {
        let sleeper = Sleeper::new(link.nudge().clone())?;
        // Before the first survey, so that nothing falls between them.
        let watch = Watch::open()?;
        let mut thread = Thread::open(plan, orders, outbox)?;
        thread.work_on(&sleeper, watch, link, ready).await?;
        thread.close(&bpffs);
        io::Result::Ok(())
    })
}

impl Thread {
    fn open(plan: Plan, orders: Receiver<Mail>, outbox: Outbox) -> io::Result<Self> {
        let settings = gate::Settings { bpffs: plan.bpffs.clone(), addresses_max: ADDRESSES_MAX };
        let gate = gate::open(&settings).map_err(io::Error::other)?;
        let now = Instant::now();
        let mut thread = Self {
            orders,
            outbox,
            gate,
            table: Table::default(),
            links: Links::new(),
            segments: BTreeMap::new(),
            announcer: Announcer::new(now),
            probes: Probes::default(),
            plumber: Plumber::open()?,
            interest: Vec::new(),
            neighbours: Vec::new(),
            hosts: Default::default(),
            conflicts: BTreeMap::new(),
            given_up: Vec::new(),
            check_at: now,
            retry_at: None,
            told_up: BTreeMap::new(),
            more_to_hear: false,
            figures: super::Snapshot::default(),
            hooks: JoinSet::new(),
            stopping: None,
            plan,
        };
        thread.adopt(now);
        // What an earlier life managed and this one does not is left to the kernel, as anything that is not ours.
        let former: Vec<IpAddr> = thread
            .gate
            .addresses()
            .into_iter()
            .filter(|address| thread.table.get(*address).is_none())
            .collect();
        thread.gate.forget(&former).map_err(io::Error::other)?;
        Ok(thread)
    }

    async fn work_on(
        &mut self,
        sleeper: &Sleeper,
        mut watch: Watch,
        link: &Link,
        ready: &Ready,
    ) -> io::Result<()> {
        let mut running = Running::default();
        let mut ready = Some(ready);
        loop {
            let now = Instant::now();
            self.take_mail(now);
            self.attend(now);
            if running.slice.is_none() {
                let slice = self.next_slice();
                running.slice = slice.map(|changes| -> Slice { Box::pin(self.plumber.change(changes)) });
            }
            if running.survey.is_none() && self.check_at <= now {
                self.check_at = now + self.plan.check;
                running.since = self.table.tick();
                running.survey = Some(tokio::task::spawn_blocking(survey));
            }
            let is_idle = running.slice.is_none() && !self.table.waits(Lane::Delete);
            if let Some(ready) = ready.take_if(|_| running.is_surveyed && is_idle)
                && ready.send(Ok(self.gate.lease())).is_err()
            {
                return Ok(());
            }
            self.publish(link);
            if self.is_over(now) && is_idle {
                return Ok(());
            }
            let due = self.due(link);
            // The sockets of netlink are served by tasks, which are to get their turn also while there is always work.
            tokio::task::yield_now().await;
            let happening = self.wait(sleeper, &mut watch, &mut running, due).await?;
            self.take(happening, &mut running, Instant::now())?;
        }
    }

    async fn wait(
        &mut self,
        sleeper: &Sleeper,
        watch: &mut Watch,
        running: &mut Running,
        due: Option<Instant>,
    ) -> io::Result<Happening> {
        Ok(tokio::select! {
            biased;
            woken = sleeper.woken() => woken.map(|()| Happening::Woken)?,
            () = anything_heard(&self.segments) => Happening::Heard,
            changes = watch.changes() => Happening::Changes(changes),
            (answers, took) = maybe(&mut running.slice) => Happening::Slice(answers, took),
            Some(ended) = self.hooks.join_next(), if !self.hooks.is_empty() => {
                let (address, phase, result) = ended.map_err(io::Error::other)?;
                Happening::Hook(address, phase, result)
            }
            found = maybe(&mut running.survey) => {
                Happening::Survey(found.unwrap_or_else(|error| Err(io::Error::other(error))))
            }
            () = until(due) => Happening::Woken,
        })
    }

    fn take(&mut self, happening: Happening, running: &mut Running, now: Instant) -> io::Result<()> {
        match happening {
            Happening::Woken => {}
            Happening::Heard => self.hear(now),
            Happening::Changes(changes) => self.take_changes(changes, now),
            Happening::Slice(answers, took) => {
                running.slice = None;
                self.take_answers(answers, took, now);
            }
            Happening::Survey(found) => {
                running.survey = None;
                match found {
                    Ok(found) => self.take_survey(found, running.since, now),
                    Err(error) if running.is_surveyed => self.trouble(format!(
                        "cannot see which addresses the host has: {error}; addresses are not checked until it can"
                    )),
                    Err(error) => return Err(error),
                }
                running.is_surveyed = true;
            }
            Happening::Hook(address, phase, result) => self.hook_ended(address, phase, result),
        }
        Ok(())
    }

    /// Does what is urgent and takes no time: gates, probes, announcements, and the start of hooks.
    fn attend(&mut self, now: Instant) {
        // Silence is told only when all that had arrived was read.
        if self.more_to_hear || self.probes.may_be_over(now) {
            self.hear(now);
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry(now);
        }
        self.close_gates();
        self.open_gates(now);
        let over = if self.more_to_hear {
            Vec::new()
        } else {
            self.probes.ask(&mut self.segments, &self.links, now)
        };
        for (id, found) in over {
            self.outbox.tell(Event::Probed { id, found });
        }
        self.announce(now);
        self.start_hooks();
        if !self.given_up.is_empty() {
            self.give_up();
        }
        self.outbox.flush();
    }

    fn take_mail(&mut self, now: Instant) {
        for _ in 0..MAIL_MAX {
            match self.orders.try_recv() {
                Ok(Mail::Order(order)) => self.obey(order, now),
                Ok(Mail::Stop) | Err(TryRecvError::Disconnected) => self.begin_to_stop(now),
                Err(TryRecvError::Empty) => return,
            }
            if self.stopping.is_some() {
                return;
            }
        }
    }

    fn obey(&mut self, order: Order, now: Instant) {
        match order {
            Order::Reload(plan) if plan.managed.len() > bounds::VIPS_MAX => {
                self.trouble(format!("{}; those of before are managed on", too_many(&plan)));
            }
            Order::Reload(plan) => {
                self.plan = Plan { bpffs: std::mem::take(&mut self.plan.bpffs), ..*plan };
                self.adopt(now);
            }
            Order::Make { order, wants } => self.want(order, wants),
            Order::Probe { id, addresses, controls, every, until } => {
                let on = |address: IpAddr| Some((address, self.table.get(address)?.place.interface.clone()));
                let [places, controls] =
                    [addresses, controls].map(|all| all.into_iter().filter_map(on).collect());
                let probe = Probe::new(id, places, controls, every, until, now);
                if let Some(found) = self.probes.begin(probe) {
                    self.outbox.tell(Event::Probed { id, found });
                }
            }
            Order::Announce(addresses) => {
                let held = |entry: &super::table::Entry| entry.open;
                let all = addresses.is_empty().then(|| self.table.those(held));
                for address in all.unwrap_or(addresses) {
                    self.announcer.again(address);
                }
            }
            Order::HostsOfInterest(hosts) => {
                self.interest = hosts;
                self.gather_hosts();
            }
        }
    }

    pub(super) fn trouble(&mut self, what: String) {
        self.outbox.tell(Event::Trouble(what));
    }

    /// Returns when there is something to do although nothing happens.
    fn due(&self, link: &Link) -> Option<Instant> {
        let now = Instant::now();
        let busy = self.more_to_hear || self.table.waits(Lane::Open) || !link.is_quiet();
        let soon = self.outbox.waits().then(|| now + Duration::from_millis(1));
        let check = Some(self.check_at).filter(|_| self.stopping.is_none());
        [
            busy.then_some(now),
            soon,
            check,
            self.retry_at,
            self.probes.due(),
            self.announcer.due(),
            self.stopping,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn publish(&mut self, link: &Link) {
        self.figures.managed = self.table.len();
        self.figures.dropped = self.outbox.dropped();
        self.figures.gate = self.gate.dropped();
        *link.board() = self.figures;
    }
}

async fn anything_heard(segments: &BTreeMap<Arc<str>, Segment>) {
    poll_fn(|context| {
        // All are asked, so that all are waited for.
        let ready = segments.values().map(|segment| segment.poll(context).is_ready());
        if ready.fold(false, |one, other| one | other) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Waits for what is under way, for ever if nothing is.
async fn maybe<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await, // waits: for what is due then
        None => pending().await,
    }
}

/// Threads that survey and run hooks.
const BLOCKING_MAX: usize = bounds::HOOKS_AT_ONCE_MAX + 1;
/// Orders that are taken before anything else gets its turn.
const MAIL_MAX: usize = 64;
/// What the gate is made for: the addresses of this plan and of the one before it.
const ADDRESSES_MAX: u32 = 2 * 16_384;

const _: () = assert!(2 * bounds::VIPS_MAX == 32_768);

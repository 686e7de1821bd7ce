//! Floor 4: the daemon as a whole: what is started in which order, what a signal does, what is undone at the end.
//!
//! Order of start: directories and their locks, this life's number, the mesh listeners, the kernel programs, the
//! cluster thread, the sampler, the control socket, and only then "ready". Whatever fails leaves nothing behind
//! but what earlier lives left: pinned maps stay by design, so that counting goes on.
//! Order of stop: control socket, goodbyes to the peers, sampler; all of it is tried, all errors are told.
mod directories;
mod error;
mod incarnation;

pub use error::Error;

use crate::{
    host::{
        cluster::{self, ClusterThread, Inbox, Order, Plan},
        control::{Control, Questions},
        counting,
    },
    sys::{net, wake::Wake},
};
use crossbeam_channel::{Receiver, bounded, unbounded};
use directories::Directories;
use sd_notify::NotifyState;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    thread,
};

/// The daemon's own directories on this host.
#[derive(Clone, Debug)]
pub struct Places {
    /// Socket and lock; gone after a boot.
    pub run_dir: PathBuf,
    /// What must outlive a boot: the number of this life, the verifier's log.
    pub state_dir: PathBuf,
}

/// What the configuration asks for; again on every reload.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The cluster thread's part. Its incarnation is set here, not by the caller.
    pub plan: Plan,
    /// Sockets of the mesh listener; none on a node that is alone.
    pub listen: Vec<SocketAddr>,
    /// The kernel's part.
    pub counting: counting::Settings,
    /// How often the kernel's part is read and audited.
    pub sampling: counting::Options,
}

/// Runs the daemon until it is told to stop. `reload` reads the configuration anew on SIGHUP and says itself what
/// is wrong with it; a reload that fails changes nothing.
pub fn run(
    places: &Places,
    mut wanted: Wanted,
    mut reload: impl FnMut() -> Option<Wanted>,
) -> Result<(), Error> {
    let directories = Directories::take(places)?;
    wanted.plan.node.incarnation = incarnation::next(&places.state_dir)?;
    let listeners = listen(&wanted.listen)?;
    let happenings = watch_signals()?;
    let daemon = Daemon::start(places, &wanted, listeners)?;
    tracing::info!(node = %wanted.plan.node.name, incarnation = wanted.plan.node.incarnation, "ready");
    tell_manager(&[NotifyState::Ready, NotifyState::Status("counting and replicating")]);
    let ended = loop {
        match daemon.wait(&happenings) {
            Happening::Signal(SIGHUP) => {
                tell_manager(&[
                    NotifyState::Reloading,
                    NotifyState::monotonic_usec_now().unwrap_or(NotifyState::Status("reloading")),
                ]);
                if let Some(new) = reload() {
                    wanted = daemon.reload(&wanted, new);
                }
                tell_manager(&[NotifyState::Ready]);
            }
            Happening::Signal(signal) => {
                tracing::info!(signal, "stopping");
                break Ok(());
            }
            Happening::Ended(thread) => break Err(Error::Ended { thread }),
        }
    };
    tell_manager(&[NotifyState::Stopping]);
    let stopped = daemon.stop();
    drop(directories);
    ended.and(stopped)
}

/// What the main thread waits for.
enum Happening {
    Signal(i32),
    Ended(&'static str),
}

/// Everything that runs, in the order in which it is stopped.
struct Daemon {
    control: Control,
    cluster: ClusterThread,
    sampler: counting::Handle,
    ended: Receiver<&'static str>,
}

impl Daemon {
    fn start(places: &Places, wanted: &Wanted, listeners: Vec<TcpListener>) -> Result<Self, Error> {
        let wake = Wake::new().map_err(Error::Resources)?;
        let (reports, inbox_reports) = bounded(REPORTS_MAX);
        let (questions, inbox_questions) = Questions::new(wake.clone());
        let (ends, ended) = unbounded();
        let inbox = Inbox { reports: inbox_reports, questions: inbox_questions, ends };
        // Greets the peers and learns their counts while the kernel programs are loaded; tells its own after that.
        // Should that fail, dropping it says goodbye.
        let cluster =
            cluster::spawn(wanted.plan.clone(), listeners, inbox, wake.clone()).map_err(Error::Ring)?;
        let control = Control::start(&places.run_dir, questions)
            .map_err(|source| Error::Directory { path: places.run_dir.clone(), source })?;
        let counting = counting::open(&wanted.counting)?;
        let sampler = counting::spawn(counting, wanted.sampling, reports, wake)?;
        Ok(Self { control, cluster, sampler, ended })
    }

    fn wait(&self, happenings: &Receiver<i32>) -> Happening {
        crossbeam_channel::select! {
            recv(happenings) -> signal => Happening::Signal(signal.unwrap_or(SIGTERM)),
            recv(self.ended) -> thread => Happening::Ended(thread.unwrap_or("cluster")),
        }
    }

    /// Takes new settings. What cannot change while running keeps its value, and is told.
    fn reload(&self, old: &Wanted, mut new: Wanted) -> Wanted {
        new.plan.node.incarnation = old.plan.node.incarnation;
        for (changed, option) in [
            (new.plan.node.name != old.plan.node.name, "nodename"),
            (new.plan.node.group != old.plan.node.group, "cluster_group"),
            (new.listen != old.listen, "ECCluster_Listener"),
            (new.counting != old.counting, "inbound_ports, outbound_ports or max_size"),
            (new.sampling.audit_period != old.sampling.audit_period, "audit_interval"),
        ] {
            if changed {
                tracing::warn!("{option} changed; restart convoyd for it to take effect");
            }
        }
        new.plan.node.name = old.plan.node.name.clone();
        new.plan.node.group = old.plan.node.group.clone();
        new.listen.clone_from(&old.listen);
        new.counting.clone_from(&old.counting);
        new.sampling.audit_period = old.sampling.audit_period;
        self.sampler.set_delay(new.sampling.delay);
        self.cluster.order(Order::Reload(Box::new(new.plan.clone())));
        tracing::info!("configuration reloaded");
        new
    }

    fn stop(self) -> Result<(), Error> {
        let Self { control, cluster, sampler, .. } = self;
        drop(control);
        let cluster = cluster.stop();
        sampler.stop();
        cluster.map_err(|_panic| Error::Ended { thread: "cluster" })
    }
}

fn listen(sockets: &[SocketAddr]) -> Result<Vec<TcpListener>, Error> {
    let listen = |at: &SocketAddr| net::listen(*at).map_err(|source| Error::Listen { at: *at, source });
    sockets.iter().map(listen).collect()
}

/// Returns the signals that concern the daemon, as they arrive.
fn watch_signals() -> Result<Receiver<i32>, Error> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(Error::Resources)?;
    let (happenings, arrived) = unbounded();
    let watch = move || {
        for signal in signals.forever() {
            if happenings.send(signal).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(watch).map_err(Error::Resources)?;
    Ok(arrived)
}

/// Tells the service manager, if there is one.
fn tell_manager(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot reach the service manager at NOTIFY_SOCKET");
    }
}

/// Reports of the sampler that may wait for the cluster thread. The sampler keeps the rest by key.
const REPORTS_MAX: usize = 64;

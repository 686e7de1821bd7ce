//! Floor 4: the daemon as a whole: what is started in which order, what a signal does, what is undone at the end.
//!
//! Order of start: directories and their locks, this life's number, the mesh listeners, the heartbeat thread, the
//! address thread, the cluster thread, the control sockets, the kernel programs, the sampler, and only then "ready". Whatever fails leaves nothing behind
//! but what earlier lives left: pinned maps stay by design, so that counting goes on.
//! Order of stop: control sockets, managed addresses handed over, goodbyes to the peers, heartbeats, addresses, sampler; all of it is tried, all errors are told.
mod directories;
mod error;
mod incarnation;
mod reload;
mod wanted;

pub use error::Error;
pub use wanted::{Changes, Wanted};

use crate::{
    host::{
        address, bus,
        cluster::{self, Agreement, ClusterThread, Inbox},
        control::{Command, Commands, Control, Desk, Policy, Questions},
        control_cache, counting, errands, heartbeat,
        mesh::Listeners,
    },
    sys::{log::Log, wake::Wake},
};
use convoy_core::group::view::Role;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use directories::Directories;
use sd_notify::NotifyState;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{path::PathBuf, sync::Arc, thread};

/// The daemon's own directories on this host.
#[derive(Clone, Debug)]
pub struct Places {
    /// Socket and lock; gone after a boot.
    pub run_dir: PathBuf,
    /// What must outlive a boot: the number of this life, the verifier's log.
    pub state_dir: PathBuf,
}

/// Takes what a configuration asks for; what it could not take, it has told in the log.
pub type Apply<'a> = dyn FnMut(Wanted) -> Result<Changes, Error> + 'a;

/// The configuration as the daemon sees it: something that changes when a signal or a client says so. It hands what it
/// asks for to `Apply`, and has changed only if that was taken.
pub trait Configuration {
    /// Reads everything anew, and says itself what is wrong with it.
    fn reload(&mut self, apply: &mut Apply<'_>);
    /// Does what a client says, and answers.
    fn command(&mut self, command: Command, apply: &mut Apply<'_>);
}

/// Runs the daemon until it is told to stop. A reload that fails changes nothing.
pub fn run(
    places: &Places,
    mut wanted: Wanted,
    log: &Log,
    configuration: &mut impl Configuration,
) -> Result<(), Error> {
    let directories = Directories::take(places)?;
    wanted.plan.node.incarnation = incarnation::next(&places.state_dir)?;
    let happenings = watch_signals()?;
    let mut daemon = Daemon::start(places, wanted)?;
    let node = &daemon.wanted.plan.node;
    tracing::info!(node = %node.name, incarnation = node.incarnation, "ready");
    tell_manager(&[NotifyState::Ready, NotifyState::Status("counting and replicating")]);
    let ended = loop {
        match daemon.wait(&happenings) {
            Happening::Signal(SIGHUP) => {
                tell_manager(&[
                    NotifyState::Reloading,
                    NotifyState::monotonic_usec_now().unwrap_or(NotifyState::Status("reloading")),
                ]);
                daemon.reload_all(configuration, log);
                tell_manager(&[NotifyState::Ready, NotifyState::Status(daemon.status)]);
            }
            Happening::Command(command) => {
                let told = daemon.status;
                configuration.command(*command, &mut |new| daemon.take(new, log));
                if daemon.status != told {
                    tell_manager(&[NotifyState::Status(daemon.status)]);
                }
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
    Command(Box<Command>),
    Ended(&'static str),
}

/// Everything that runs, in the order in which it is stopped.
struct Daemon {
    control: Control,
    cluster: ClusterThread,
    heartbeat: heartbeat::Handle,
    /// Puts managed addresses on this host; none where there are none.
    addresses: Option<address::Handle>,
    /// What a thread that starts later needs.
    wake: Wake,
    ends: Sender<&'static str>,
    /// Counts in the kernel; a manager has none.
    sampler: Option<counting::Handle>,
    ended: Receiver<&'static str>,
    commands: Receiver<Command>,
    listeners: Listeners,
    /// What is in force.
    wanted: Wanted,
    /// What the service manager shows.
    status: &'static str,
}

impl Daemon {
    fn start(places: &Places, wanted: Wanted) -> Result<Self, Error> {
        let mut listeners = Listeners::default();
        let prepared = listeners.prepare(&wanted.listen)?;
        let listening = listeners.replace(prepared);
        let wake = Wake::new().map_err(Error::Resources)?;
        let (reports, inbox_reports) = bounded(REPORTS_MAX);
        let (questions, inbox_questions) = Questions::new(wake.clone());
        let (orders, commands) = Commands::new();
        let (ends, ended) = unbounded();
        let heartbeat =
            heartbeat::spawn(wanted.heartbeats(), wake.clone(), ends.clone()).map_err(Error::Resources)?;
        let heartbeats = heartbeat.link().clone();
        // What an earlier life left of them is gone before this one joins.
        let addresses = start_addresses(&wanted, &heartbeat, &wake, &ends)?;
        let address_link = addresses.as_ref().map(|addresses| addresses.link().clone());
        let (errands, to_carry_out) = bounded(convoy_core::bounds::EXECUTING_MAX);
        let (done, inbox_done) = unbounded();
        let inbox = Inbox {
            reports: inbox_reports,
            questions: inbox_questions,
            done: inbox_done,
            heartbeats,
            addresses: address_link,
            ends: ends.clone(),
        };
        let policy = Policy::new(wanted.control.clone());
        let desk = Desk { questions, commands: orders, policy };
        let at_desk = desk.clone();
        errands::serve(to_carry_out, done, wake.clone(), Arc::new(move |errand| at_desk.carry_out(errand)))
            .map_err(Error::Resources)?;
        let agreement = Agreement {
            bus: bus::spawn(wanted.plan.bus.clone(), wake.clone()).map_err(Error::Resources)?,
            errands,
            control_cache: match &wanted.control_cache {
                Some(path) if wanted.plan.node.standing.role == Role::Manager => {
                    Some(control_cache::Keeper::start(path).map_err(Error::Resources)?)
                }
                _ => None,
            },
        };
        // Greets the peers and learns their counts while the kernel programs are loaded; tells its own after that.
        // Should that fail, dropping it says goodbye.
        let cluster = cluster::spawn(wanted.plan.clone(), listening, agreement, inbox, wake.clone())
            .map_err(Error::Ring)?;
        let mut control = Control::start(&places.run_dir, desk)
            .map_err(|source| Error::Directory { path: places.run_dir.clone(), source })?;
        let consoles = control.prepare(&wanted.control.endpoints)?;
        control.replace(wanted.control.clone(), consoles);
        let sampler = match wanted.plan.node.standing.role {
            Role::Manager => None,
            Role::Node => {
                let counting = counting::open(&wanted.counting)?;
                Some(counting::spawn(counting, wanted.sampling, reports, wake.clone())?)
            }
        };
        Ok(Self {
            control,
            cluster,
            heartbeat,
            addresses,
            wake,
            ends,
            sampler,
            ended,
            commands,
            listeners,
            wanted,
            status: reload::RELOADED,
        })
    }

    fn wait(&self, happenings: &Receiver<i32>) -> Happening {
        crossbeam_channel::select! {
            recv(happenings) -> signal => Happening::Signal(signal.unwrap_or(SIGTERM)),
            recv(self.commands) -> command => match command {
                Ok(command) => Happening::Command(Box::new(command)),
                Err(_) => Happening::Ended("control"),
            },
            recv(self.ended) -> thread => Happening::Ended(thread.unwrap_or("cluster")),
        }
    }

    fn stop(self) -> Result<(), Error> {
        let Self { control, cluster, heartbeat, addresses, sampler, .. } = self;
        drop(control);
        let cluster = cluster.stop();
        heartbeat.stop();
        if let Some(addresses) = addresses {
            addresses.stop();
        }
        if let Some(sampler) = sampler {
            sampler.stop();
        }
        cluster.map_err(|_panic| Error::Ended { thread: "cluster" })
    }
}

/// Starts the thread that puts managed addresses on this host, if there are any.
fn start_addresses(
    wanted: &Wanted,
    heartbeat: &heartbeat::Handle,
    wake: &Wake,
    ends: &Sender<&'static str>,
) -> Result<Option<address::Handle>, Error> {
    if !wanted.manages() {
        return Ok(None);
    }
    let addresses =
        address::spawn(wanted.addresses.clone(), wake.clone(), ends.clone()).map_err(Error::Addresses)?;
    heartbeat.keep(addresses.lease());
    Ok(Some(addresses))
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

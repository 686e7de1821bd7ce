//! One peer on the hosts of a lab, a client, a witness; what is done to host 1, and what comes of it.
use crate::{
    Peer,
    prober::{Outage, Prober},
};
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use convoy_benches::peers::failover::{Failover, NETWORKS};
use lab::{
    Lab, until,
    witness::{Holder, Testimony, Witness},
};
use std::{
    io::Write as _,
    net::IpAddr,
    time::{Duration, Instant},
};

/// What happens to the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// The network loses all it sends and all that is sent to it; its link shows nothing.
    Cut,
    /// Its link loses the carrier.
    Unplugged,
    /// The host is gone at once: nothing leaves it any more, its processes end by SIGKILL, its link is down.
    Killed,
    /// It gives its addresses away, as an operator has it do.
    Drained,
    /// Somebody deletes the address.
    Deleted,
}

/// What a fault led to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// What the client missed.
    pub(crate) outage: Outage,
    /// From the last answer of the old owner to the first announcement of a new one; of [`Fault::Deleted`]: from the
    /// deletion to the announcement.
    pub(crate) first: Duration,
    /// The same to the first announcement of the last address.
    pub(crate) all: Duration,
}

/// A peer that holds addresses.
pub(crate) struct Scene<'a> {
    lab: &'a Lab,
    addresses: Vec<IpAddr>,
    peer: Box<dyn Failover + 'a>,
    witness: Witness,
}

impl<'a> Scene<'a> {
    /// Starts a peer in a lab, and returns when host 1 has all addresses.
    pub(crate) fn start(lab: &'a Lab, peer: Peer, advert: Duration, addresses: Vec<IpAddr>) -> Result<Self> {
        for network in NETWORKS {
            let output =
                lab.client().launch("ip").args(["route", "add", network, "dev", "eth0"]).run(WAIT)?;
            ensure!(output.status.success(), "route: {}", String::from_utf8_lossy(&output.stderr));
        }
        let witness = Witness::start(lab.client(), &addresses, SAMPLE, ASK_EVERY)?;
        let peer = peer.start(lab, &addresses, advert)?;
        let scene = Self { lab, addresses, peer, witness };
        scene.settle()?;
        Ok(scene)
    }

    /// Returns the peer's name.
    pub(crate) fn name(&self) -> &str {
        self.peer.name()
    }

    /// Returns what the witness saw so far.
    pub(crate) fn testimony(&self) -> Testimony {
        self.witness.testimony()
    }

    /// Does it to host 1, watches what comes of it, and puts everything as it was, unless the scene ends with this.
    pub(crate) fn suffer(&mut self, fault: Fault, is_last: bool) -> Result<Outcome> {
        let prober = Prober::start(self.lab.client(), self.addresses[0])?;
        let mut deleting = (fault == Fault::Deleted).then(|| self.prepare_deletion()).transpose()?;
        prober.wait_for_a_steady_second(Instant::now())?;
        let begun = Instant::now();
        match fault {
            Fault::Cut => self.lab.cut(1)?,
            Fault::Unplugged => self.lab.unplug(1)?,
            Fault::Killed => {
                self.lab.cut(1)?;
                self.lab.host(1).kill_all()?;
                self.lab.unplug(1)?;
            }
            Fault::Drained => self.peer.drain(1)?,
            Fault::Deleted => deleting.as_mut().context("nothing is prepared")?.carry_out()?,
        }
        let announced = self.wait_for_announcements(fault, begun)?;
        if !is_last {
            prober.wait_for_a_steady_second(begun)?;
        }
        let first = announced.iter().min().context("no address")?;
        let outage = prober.finish(begun, *first)?;
        if !is_last {
            self.mend(fault)?;
            self.settle().with_context(|| format!("after {fault:?}"))?;
        }
        let from = if fault == Fault::Deleted { begun } else { outage.from };
        let after =
            |at: Option<&Instant>| at.map(|at| at.saturating_duration_since(from)).context("no address");
        Ok(Outcome { outage, first: after(announced.iter().min())?, all: after(announced.iter().max())? })
    }

    /// Waits until every address is announced by whoever shall have it after the fault, and returns when that was.
    fn wait_for_announcements(&self, fault: Fault, begun: Instant) -> Result<Vec<Instant>> {
        let own = self.lab.host(1).mac();
        let announced = |holder: Option<Holder>| {
            let holder = holder?;
            match fault {
                Fault::Deleted => holder.announced.filter(|at| *at > begun && holder.mac == own),
                _ => (holder.mac != own && holder.since > begun).then_some(holder.since),
            }
        };
        let what = format!("every address announced after {fault:?}");
        let bound = if fault == Fault::Deleted { RESTORE_MAX } else { WAIT };
        until(&what, bound, || Ok(self.witness.holders().into_values().map(announced).collect()))
    }

    /// Waits until host 1 has all addresses, and all others know.
    fn settle(&self) -> Result<()> {
        let own = self.lab.host(1).mac();
        let span = if self.addresses.len() == 1 { SETTLED } else { SETTLED_MANY };
        let is_held = |holder: Option<Holder>| holder.is_some_and(|holder| holder.mac == own);
        until("host 1 alone answers for every address", SETTLE_MAX, || {
            let is_sole = self.witness.sole_for(span) == Some(own);
            Ok((is_sole && self.witness.holders().into_values().all(is_held)).then_some(()))
        })
    }

    fn mend(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Cut => self.lab.heal(),
            Fault::Unplugged => self.lab.plug(1),
            Fault::Killed => {
                self.flush()?;
                self.lab.plug(1)?;
                self.lab.heal()?;
                self.peer.restart(1)
            }
            Fault::Drained => self.peer.undrain(1),
            Fault::Deleted => Ok(()),
        }
    }

    /// A host that starts has none of the addresses.
    fn flush(&self) -> Result<()> {
        NETWORKS.iter().try_for_each(|network| {
            let args = ["addr", "flush", "dev", "eth0", "to", network];
            let output = self.lab.host(1).launch("ip").args(args).run(WAIT)?;
            ensure!(output.status.success(), "flush: {}", String::from_utf8_lossy(&output.stderr));
            Ok(())
        })
    }

    /// Starts a program that deletes the address as soon as it is told, so that its start is no part of the time.
    fn prepare_deletion(&self) -> Result<Deletion> {
        let (_process, stdin, _) =
            self.lab.host(1).launch("ip").args(["-force", "-batch", "-"]).converse("deletion")?;
        let address = self.addresses[0];
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Ok(Deletion { stdin, line: format!("addr del {address}/{bits} dev eth0\n") })
    }
}

/// A deletion that waits for its moment.
struct Deletion {
    stdin: std::process::ChildStdin,
    line: String,
}

impl Deletion {
    fn carry_out(&mut self) -> Result<()> {
        self.stdin.write_all(self.line.as_bytes()).context("ip has ended")
    }
}

/// Addresses that the witness asks about.
const SAMPLE: usize = 16;
/// chosen: a peer that is asked two hundred times a second has nothing to do for it.
const ASK_EVERY: Duration = Duration::from_millis(5);
const SETTLED: Duration = Duration::from_millis(500);
/// Longer than five seconds, after which keepalived announces everything again.
const SETTLED_MANY: Duration = Duration::from_secs(7);
/// chosen: the kernel takes half a minute to add ten thousand addresses of IPv6 to one host, and here three hosts add them at
/// once, on two cores.
const SETTLE_MAX: Duration = Duration::from_mins(5);
/// Longest wait for a peer.
const WAIT: Duration = Duration::from_mins(2);
/// chosen: who puts an address back later than this does not do it for the deletion.
const RESTORE_MAX: Duration = Duration::from_secs(20);

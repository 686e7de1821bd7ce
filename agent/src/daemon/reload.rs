//! A reload: everything that can fail first, then everything that cannot.
//!
//! Invariants: 1. a reload that fails leaves everything as it was; 2. when it has returned, the new settings are in
//! force in every thread; 3. no count and no connection is lost by it: tables, sockets and connections that a change
//! does not concern stay, and those that a port's change concerns stay counted until they close.
use super::{Changes, Configuration, Daemon, Error, Wanted};
use crate::sys::log::Log;

impl Daemon {
    /// Takes what was read and says in the log what became of it.
    ///
    /// # Errors
    /// Those of [`reload`](Self::reload); nothing is changed.
    pub(super) fn take(&mut self, new: Wanted, log: &Log) -> Result<Changes, Error> {
        let (old, level) = (self.wanted.level, new.level);
        let changes = self.reload(new).inspect_err(|error| {
            tracing::error!("the reload changes nothing: {error}");
            self.status = REFUSED;
        })?;
        for option in &changes.kept {
            tracing::warn!("{option} changed; restart convoyd for it to take effect");
        }
        let changed = if changes.live.is_empty() { "nothing".to_owned() } else { changes.live.join(", ") };
        // Whoever makes the log quieter still reads that it worked.
        log.set_level(old.max(level));
        tracing::info!(changed, "configuration reloaded");
        log.set_level(level);
        self.status = if changes.kept.is_empty() { RELOADED } else { RESTART };
        Ok(changes)
    }

    /// Reads everything anew, as SIGHUP asks for.
    pub(super) fn reload_all(&mut self, configuration: &mut impl Configuration, log: &Log) {
        self.status = REFUSED;
        configuration.reload(&mut |new| self.take(new, log));
    }

    /// Takes new settings. What cannot change while running keeps its value; its name is in [`Changes::kept`].
    ///
    /// # Errors
    /// [`Error::Listen`] or [`Error::Consoles`] when a new socket cannot be bound, [`Error::Counting`] when the kernel takes no other ports.
    pub(super) fn reload(&mut self, new: Wanted) -> Result<Changes, Error> {
        let (new, changes) = self.wanted.followed_by(new);
        let prepared = self.listeners.prepare(&new.listen)?;
        let consoles = self.control.prepare(&new.control.endpoints)?;
        let started = match &self.addresses {
            Some(_) => None,
            None => super::start_addresses(&new, &self.heartbeat, &self.wake, &self.ends)?,
        };
        // The last step that can fail, and undoes itself then.
        if let Some(sampler) = &self.sampler {
            sampler.set_ports(&new.counting.inbound_ports, &new.counting.outbound_ports)?;
        }
        let listening = self.listeners.replace(prepared);
        self.control.replace(new.control.clone(), consoles);
        if let Some(sampler) = &self.sampler {
            sampler.set_delay(new.sampling.delay);
            sampler.set_audit_period(new.sampling.audit_period);
        }
        let link = started.as_ref().map(|started| started.link().clone());
        if let Some(addresses) = &self.addresses {
            addresses.reload(new.addresses.clone());
        }
        self.addresses = self.addresses.take().or(started);
        if !self.cluster.reload(new.plan.clone(), listening, link, changes.kept.clone()) {
            tracing::warn!("the cluster thread is busy and takes the new settings later");
        }
        if !self.heartbeat.reload(new.heartbeats()) {
            tracing::warn!("the heartbeat thread is stopped and takes the new settings later");
        }
        self.wanted = new;
        Ok(changes)
    }
}

/// What the service manager shows after a reload.
pub(super) const RELOADED: &str = "counting and replicating";
const RESTART: &str = "counting and replicating; some options take effect after a restart only";
const REFUSED: &str = "counting and replicating; the latest reload was refused";

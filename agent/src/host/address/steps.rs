//! The steps of an address that take no time: orders noted, gates closed and opened, hooks started.
use super::{
    Event, Made, Want,
    hooks::{self, Phase},
    table::Lane,
    thread::Thread,
};
use crate::host::gate::Standing;
use convoy_core::bounds;
use std::{net::IpAddr, time::Instant};

impl Thread {
    /// Takes note of how addresses are to be.
    pub(super) fn want(&mut self, order: u64, wants: Vec<(IpAddr, Want)>) {
        for (address, want) in wants {
            match self.table.get_mut(address).filter(|entry| entry.managed) {
                Some(entry) => {
                    (entry.want, entry.order) = (want, order);
                    entry.answer_due = true;
                    entry.failure = None;
                    self.settle(address);
                }
                None => self.outbox.made(Made {
                    address,
                    order,
                    now: Want::Absent,
                    failed: Some(format!("{address} is not managed here; enable DuraVIP for it")),
                }),
            }
        }
    }

    /// Puts an address where its next step is done, and tells if it has come to rest.
    pub(super) fn settle(&mut self, address: IpAddr) {
        self.tell_gate(address);
        if !self.table.settle(address, &self.links) {
            return;
        }
        let Some(entry) = self.table.get_mut(address) else { return };
        if !entry.managed && entry.found.is_empty() {
            self.given_up.push(address);
            return;
        }
        if !std::mem::take(&mut entry.answer_due) {
            return;
        }
        let (now, order, interface) = (entry.now(&self.links), entry.order, &entry.place.interface);
        let failed = (now != entry.want).then(|| match (&entry.failure, self.links.get(interface)) {
            (Some((why, _)), _) => why.clone(),
            (None, None) => format!("there is no link {interface}; make it, or name another one in Topology"),
            (None, Some(_)) => format!("link {interface} is down; it follows when the link is up"),
        });
        self.outbox.made(Made { address, order, now, failed });
    }

    /// Tells the gate whether an address that is silent is on the host; opening and closing are other steps.
    fn tell_gate(&mut self, address: IpAddr) {
        let Some(entry) = self.table.get_mut(address) else { return };
        let standby = !entry.open && !entry.found.is_empty();
        if standby == std::mem::replace(&mut entry.standby, standby) || entry.open {
            return;
        }
        let standing = if standby { Standing::Standby } else { Standing::Silent };
        if let Err(error) = self.gate.set(&[address], standing) {
            // As when closing; silent it is either way.
            self.trouble(format!("cannot tell the gate that an address is on the host: {error}"));
        }
    }

    /// Closes the gates that are to be closed.
    pub(super) fn close_gates(&mut self) {
        let closing = self.table.take(Lane::Close, usize::MAX);
        if closing.is_empty() {
            return;
        }
        if let Err(error) = self.gate.set(&closing, Standing::Silent) {
            // They are known to the gate, and then it takes no system call that could fail.
            self.trouble(format!("cannot close the gate: {error}"));
        }
        for address in closing {
            self.announcer.withdraw(address);
            self.conflicts.remove(&address);
            if let Some(entry) = self.table.get_mut(address) {
                entry.open = false;
            }
            self.settle(address);
        }
    }

    /// Opens some of the gates that are to be opened.
    pub(super) fn open_gates(&mut self, now: Instant) {
        let opening = self.table.take(Lane::Open, OPEN_MAX);
        if opening.is_empty() {
            return;
        }
        if let Err(error) = self.gate.set(&opening, Standing::Held) {
            self.trouble(format!("cannot open the gate: {error}"));
            self.fail(&opening, &error.to_string(), now);
            return;
        }
        for address in opening {
            if let Some(entry) = self.table.get_mut(address) {
                entry.open = true;
            }
            self.announcer.add(address, now);
            self.settle(address);
        }
    }

    /// Starts hooks that wait, as many as may run.
    pub(super) fn start_hooks(&mut self) {
        for (lane, phase) in [(Lane::Leaving, Phase::Unplumbing), (Lane::Plumbed, Phase::Plumbed)] {
            let room = bounds::HOOKS_AT_ONCE_MAX.saturating_sub(self.hooks.len());
            for address in self.table.take(lane, room) {
                let hooks = self.plan.hooks.get(&address).cloned();
                if let Some(entry) = self.table.get_mut(address) {
                    entry.serving = phase == Phase::Plumbed;
                    entry.hooking = hooks.is_some();
                    let interface = entry.place.interface.clone();
                    if let Some(hooks) = hooks {
                        self.hooks.spawn_blocking(move || {
                            (address, phase, hooks::run(&hooks, address, &interface, phase))
                        });
                    }
                }
                self.settle(address);
            }
        }
    }

    /// Takes note that the hooks of an address have run.
    pub(super) fn hook_ended(&mut self, address: IpAddr, phase: Phase, result: Result<(), String>) {
        if let Some(entry) = self.table.get_mut(address) {
            entry.hooking = false;
        }
        self.outbox.tell(Event::Hook { address, phase, failed: result.err() });
        self.settle(address);
    }
}

/// Gates that are opened before their addresses are announced. chosen: a burst of announcements.
const OPEN_MAX: usize = 256;

const _: () = assert!(super::announce::BURST == 256);

//! The addresses that the cluster shares, as a part of the node; everything about them is in `vip`.
use super::{Event, Node, Output};
use crate::{
    time::Instant,
    vip::{self, Holder},
    wire::{Agreed, Object, vip::Said},
};

impl Node {
    /// Returns what is known of the addresses that the cluster shares.
    pub fn vips(&self) -> &Holder {
        &self.vips
    }

    pub(super) fn on_vip(&mut self, now: Instant, input: vip::Input<'_>) {
        self.vips.handle(now, input);
        self.collect_agreed(now);
    }

    pub(super) fn tick_vips(&mut self, now: Instant) {
        if self.vips.next_deadline().is_none_or(|at| at > now) {
            return;
        }
        let input = if self.vips.counts_connections(now) {
            let seats = self.vips.table().seats();
            let connections = seats.iter().map(|(member, seat)| (*member, self.connections(&seat.name)));
            vip::Input::Connections(connections.collect())
        } else {
            vip::Input::Timeout
        };
        self.vips.handle(now, input);
    }

    /// Returns the connections that a node has now, as far as this one knows.
    fn connections(&self, name: &str) -> u64 {
        let of = |object: Object| {
            let replica = self.replica(object);
            if name.eq_ignore_ascii_case(&self.settings.name) {
                return Some(replica.own().sum().current);
            }
            Some(replica.view(name)?.sum().current)
        };
        Object::ALL.into_iter().filter_map(of).fold(0, u64::saturating_add)
    }

    /// Takes what the holder wants.
    pub(super) fn collect_vips(&mut self) {
        while let Some(output) = self.vips.poll_output() {
            match output {
                vip::Output::Say(said) => self.say_of_vips(said),
                output => self.emit(Output::Vip(output)),
            }
        }
    }

    /// What an operator, a clock or a reload asks for may be asked for again; the rest is what the others wait for.
    fn say_of_vips(&mut self, said: Said) {
        let again = match &said {
            Said::Part(part) => part.epoch == 0,
            Said::Move { .. }
            | Said::Drain { .. }
            | Said::Balance { .. }
            | Said::Relieve { .. }
            | Said::Neighbours(_) => true,
            _ => false,
        };
        let message = Agreed::Vip(said).emit();
        if !again {
            self.outbox.push_agreed(message);
        } else if self.outbox.push(message).is_err() {
            let with = self.settings.name.clone();
            let text = "too much waits for the bus; what was said about managed addresses was dropped".into();
            self.emit(Output::Event(Event::Trouble { with, text }));
        }
    }
}

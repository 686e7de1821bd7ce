//! The node on the bus: agreed views, and commands that go around.
//!
//! The view decides who is a member. On the mesh a peer that is in the view and silent is suspect and its counts stay,
//! for as long as the view has it, up to `idle_timeout`; one that has left the view is judged by its silence alone,
//! as when there is no bus.
use super::{Event, Node, Output};
use crate::{
    group::{
        bus::{self, MemberId},
        membership,
        questions::{self, Answered, Ask, Token},
        view::View,
    },
    time::Instant,
    wire::Agreed,
};
use alloc::{string::String, sync::Arc, vec::Vec};

impl Node {
    /// Returns the agreed view; none while this node is on no bus.
    pub fn view(&self) -> Option<&Arc<View>> {
        self.membership.view()
    }

    /// Tells whether the members of the bus are still to agree on who they are.
    pub fn is_forming(&self) -> bool {
        self.membership.view().is_some() && !self.membership.is_settled()
    }

    /// Returns what has come so far of a command that was given to members.
    pub fn so_far(&self, token: Token) -> Option<Vec<Answered>> {
        self.questions.so_far(token)
    }

    /// Returns how many commands and answers were refused since the start because too much waited for the bus.
    pub fn unsent(&self) -> u64 {
        self.outbox.refused()
    }

    pub(super) fn on_bus(&mut self, now: Instant, id: Option<MemberId>, event: &bus::Event) {
        match event {
            bus::Event::Message { sender, .. } if Some(*sender) == id => self.outbox.delivered(),
            bus::Event::Lost(why) => {
                self.outbox.clear();
                self.questions.on_lost(why);
            }
            bus::Event::Message { .. } | bus::Event::Room | bus::Event::Configuration(_) => {}
        }
        let given = self.membership.handle(id, event);
        if let bus::Event::Configuration(_) = event {
            self.questions.on_present(|member| self.membership.is_present(member));
        }
        match (given, self.membership.view().cloned()) {
            (Some((sender, Agreed::Command(command))), Some(view)) => {
                self.questions.on_command(sender, &command, &view);
            }
            (Some((sender, Agreed::Answer { to, id: number, code, text })), _) if Some(to) == id => {
                self.questions.on_answer(now, sender, number, code, text);
            }
            _ => {}
        }
        self.collect_agreed(now);
    }

    pub(super) fn on_ask(&mut self, now: Instant, ask: &Ask) {
        let view = self.membership.view().cloned();
        self.questions.ask(now, ask, view.as_deref());
        self.collect_agreed(now);
    }

    pub(super) fn on_carried_out(
        &mut self,
        now: Instant,
        (asker, id): (MemberId, u64),
        code: u8,
        text: &str,
    ) {
        self.questions.carried_out(asker, id, code, text);
        self.collect_agreed(now);
    }

    /// The settings changed: the others are told if this node is another for them.
    pub(super) fn present_anew(&mut self, now: Instant) {
        self.membership.change(self.settings.card());
        self.collect_agreed(now);
    }

    /// Takes what the machines of the bus want, and sends what may be sent now.
    pub(super) fn collect_agreed(&mut self, now: Instant) {
        while let Some(output) = self.membership.poll_output() {
            match output {
                membership::Output::Multicast(message) => self.outbox.push_first(message),
                membership::Output::View(view) => self.on_view(now, view),
                membership::Output::Lost(why) => self.on_bus_lost(now, why),
                membership::Output::Garbage(member, error) => {
                    let with = self.name_on_bus(member);
                    let text = alloc::format!("sent something on the bus that is no message: {error}");
                    self.emit(Output::Event(Event::Trouble { with, text }));
                }
            }
        }
        while let Some(output) = self.questions.poll_output() {
            match output {
                questions::Output::Multicast(message) => {
                    if self.outbox.push(message).is_err() {
                        let with = self.settings.name.clone();
                        let text = "too much waits for the bus; a command or an answer was dropped".into();
                        self.emit(Output::Event(Event::Trouble { with, text }));
                    }
                }
                questions::Output::CarryOut(errand) => self.emit(Output::CarryOut(errand)),
                questions::Output::Answers(token, answers) => self.emit(Output::Answers(token, Ok(answers))),
                questions::Output::Refused(token, why) => self.emit(Output::Answers(token, Err(why))),
            }
        }
        while let Some(message) = self.outbox.send() {
            self.emit(Output::Multicast(message));
        }
    }

    fn on_view(&mut self, now: Instant, view: Arc<View>) {
        for (name, entry) in &mut self.peers {
            let seat = view.named(name).next().is_some();
            entry.peer.seat(now, seat.then_some(self.settings.standing.idle));
        }
        self.emit(Output::Event(Event::View(view)));
    }

    fn on_bus_lost(&mut self, now: Instant, why: String) {
        for entry in self.peers.values_mut() {
            entry.peer.seat(now, None);
        }
        self.emit(Output::Event(Event::BusLost(why)));
    }

    fn name_on_bus(&self, id: MemberId) -> Arc<str> {
        let member = self.membership.view().and_then(|view| view.members.get(&id));
        member.map_or_else(|| alloc::format!("member {id}").into(), |member| member.card.name.clone())
    }
}

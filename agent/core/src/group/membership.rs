//! From the bus's configurations to views that all members agree on.
//!
//! A configuration says which processes are there, not who they are. So in every regular configuration each member
//! introduces itself, and when all have, everybody takes the same view at the same place of the agreed order:
//!
//! ```text
//!   configuration --> introducing -- all introduced --> settled -- change --> settled, next epoch
//!                       ^    |                            |
//!                       |    |  another configuration     |
//!                       `----+----------------------------'
//!   lost: nobody is there until the next configuration
//! ```
//! Epoch of the view: one more than the largest that any of its members brought along. That needs every introduction to
//! say its sender's latest epoch, whenever it arrives. It does, because 1. a member has at most one introduction on
//! its way: it takes no view without its own having arrived, and sends the next one only after that; 2. an
//! introduction counts in the configuration it is delivered in, whatever configuration it was sent in: the bus has all
//! members of that one get it, or none that goes on with the others, so nobody waits for one that only the others got;
//! who came from where, and so transitional configurations, do not matter, since every member introduces itself in every
//! regular one. A member that does so where a view is taken already was told of a configuration that the others were not:
//! they start anew with it, at the same place of the order, and end in one view again; 3. changes count only once a view is taken, and then advance the epoch of all. See the simulation in
//! `tests/tests/views.rs`.
use super::{
    bus::{Configuration, Event, Kind, MemberId},
    view::{Card, Member, View},
};
use crate::wire::{Agreed, MessageError};
use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    sync::Arc,
    vec::Vec,
};

/// What the machine wants done or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this to all members.
    Multicast(Vec<u8>),
    /// This view holds from here on.
    View(Arc<View>),
    /// There is no view any more; the text says why.
    Lost(String),
    /// A member said something that is no message of ours.
    Garbage(MemberId, MessageError),
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Membership {
    own: Card,
    id: Option<MemberId>,
    /// The members of the regular configuration, and how each introduced itself in it.
    present: BTreeMap<MemberId, Option<Introduced>>,
    /// An own introduction is on its way.
    introducing: bool,
    /// The present members have taken a view.
    settled: bool,
    /// Of the last view taken, in any configuration; 0 before the first.
    epoch: u64,
    /// Epoch of this process's first view since it joined; 0 before.
    since: u64,
    view: Option<Arc<View>>,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Debug)]
struct Introduced {
    epoch: u64,
    since: u64,
    card: Card,
}

impl Membership {
    /// Returns the machine of a process that is on no bus.
    pub fn new(own: Card) -> Self {
        Self {
            own,
            id: None,
            present: BTreeMap::new(),
            introducing: false,
            settled: false,
            epoch: 0,
            since: 0,
            view: None,
            outputs: VecDeque::new(),
        }
    }

    /// Returns the last view taken, if the bus is not lost.
    pub fn view(&self) -> Option<&Arc<View>> {
        self.view.as_ref()
    }

    /// Returns who this process says it is.
    pub fn own(&self) -> &Card {
        &self.own
    }

    /// Tells whether a process is in the bus's present configuration, introduced or not.
    pub fn is_present(&self, id: MemberId) -> bool {
        self.present.contains_key(&id)
    }

    /// Tells whether the present members have taken their view.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// Returns the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// This process is another from now on: its settings changed.
    pub fn change(&mut self, own: Card) {
        if self.own == own {
            return;
        }
        self.own = own;
        // An introduction on its way still says the old card; the change that follows it is delivered after it.
        if self.id.is_some() {
            self.outputs.push_back(Output::Multicast(Agreed::Change(self.own.clone()).emit()));
        }
    }

    /// Takes what the bus delivers. `id` is this process's name on it. Messages that do not concern the membership are
    /// given back, with the member that sent them, at their place in the agreed order.
    pub fn handle<'a>(&mut self, id: Option<MemberId>, event: &'a Event) -> Option<(MemberId, Agreed<'a>)> {
        match event {
            Event::Lost(why) => self.on_lost(why),
            // Its members are in the old configuration and in the next one: nothing to do that the next one does not.
            Event::Room | Event::Configuration(Configuration { kind: Kind::Transitional, .. }) => {}
            Event::Configuration(Configuration { kind: Kind::Regular, members }) => {
                self.id = id;
                self.present = members.iter().map(|member| (*member, None)).collect();
                self.settled = false;
                self.introduce();
            }
            Event::Message { sender, payload } => match Agreed::parse(payload) {
                Ok(Agreed::Introduction { epoch, since, card }) => {
                    self.on_introduction(*sender, Introduced { epoch, since, card });
                }
                Ok(Agreed::Change(card)) => self.on_change(*sender, card),
                Ok(message @ (Agreed::Command(_) | Agreed::Answer { .. } | Agreed::Vip(_))) => {
                    return Some((*sender, message));
                }
                Err(error) => self.outputs.push_back(Output::Garbage(*sender, error)),
            },
        }
        None
    }

    fn on_lost(&mut self, why: &str) {
        self.id = None;
        self.present.clear();
        self.introducing = false;
        self.settled = false;
        self.since = 0;
        if self.view.take().is_some() {
            self.outputs.push_back(Output::Lost(why.into()));
        }
    }

    fn introduce(&mut self) {
        if self.introducing {
            return;
        }
        self.introducing = true;
        let card = self.own.clone();
        let introduction = Agreed::Introduction { epoch: self.epoch, since: self.since, card };
        self.outputs.push_back(Output::Multicast(introduction.emit()));
    }

    fn on_introduction(&mut self, sender: MemberId, introduced: Introduced) {
        if Some(sender) == self.id {
            self.introducing = false;
        }
        if !self.present.contains_key(&sender) {
            return;
        }
        if self.settled {
            // Its sender was told of a configuration that this process was not: it waits for everybody.
            self.settled = false;
            self.present.values_mut().for_each(|place| *place = None);
            self.introduce();
        }
        let Some(place) = self.present.get_mut(&sender) else { return };
        if place.is_none() {
            *place = Some(introduced);
        }
        self.settle();
    }

    /// Takes the view if all have introduced themselves.
    fn settle(&mut self) {
        let Some(own) = self.id else { return };
        let Some(all) = self.present.values().map(Option::as_ref).collect::<Option<Vec<_>>>() else { return };
        let epoch = all.iter().map(|introduced| introduced.epoch).max().unwrap_or(0) + 1;
        let member = |(id, introduced): (&MemberId, &Option<Introduced>)| {
            let Introduced { since, card, .. } = introduced.clone()?;
            let since = if since == 0 { epoch } else { since };
            Some((*id, Member { id: *id, since, card }))
        };
        let members = self.present.iter().filter_map(member).collect::<BTreeMap<_, _>>();
        self.since = members.get(&own).map_or(epoch, |member| member.since);
        self.settled = true;
        self.take(View { epoch, own, members });
    }

    fn on_change(&mut self, sender: MemberId, card: Card) {
        if !self.settled {
            // Who changes before the view is taken is simply known as changed in it.
            if let Some(Some(introduced)) = self.present.get_mut(&sender) {
                introduced.card = card;
            }
            return;
        }
        let Some(view) = &self.view else { return };
        let mut next = View::clone(view);
        let Some(member) = next.members.get_mut(&sender) else { return };
        member.card = card;
        next.epoch += 1;
        self.take(next);
    }

    fn take(&mut self, view: View) {
        self.epoch = view.epoch;
        let view = Arc::new(view);
        self.view = Some(view.clone());
        self.outputs.push_back(Output::View(view));
    }
}

#[cfg(test)]
mod tests;

//! The cluster thread's end of the bus: messages out, events in, commands and their answers.
//!
//! Commands of members are carried out on threads of their own (`host::errands`): they ask this thread themselves.
use super::Cluster;
use crate::{
    host::{
        bus::{self, BusHandle},
        control::{
            Answer, Query,
            shape::{
                Failure,
                all::{AllAnswers, AllRequest, NodeAnswer},
            },
        },
        heartbeat,
    },
    sys::wake::Wake,
};
use convoy_core::{
    group::{
        bus::{Bus as _, MemberId, Unsent},
        questions::{Answered, Ask, Errand, Outcome, To, Token},
    },
    node::{Event, Input, Output},
    time::{Instant, Span},
    wire::beat,
};
use crossbeam_channel::Sender;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

/// A member's command, done.
#[derive(Debug)]
pub struct Done {
    /// Which: who asked, and its number there.
    pub errand: (MemberId, u64),
    /// Exit code, as of the command line.
    pub code: u8,
    /// Text of the answer.
    pub text: String,
}

/// See the module.
pub(super) struct Agreed {
    /// None once it was stopped.
    bus: RefCell<Option<BusHandle>>,
    heartbeats: heartbeat::Link,
    /// When the present view was taken, on the clock of the heartbeats.
    view_since: Cell<Instant>,
    /// Wakes this thread: an engine that has something to deliver at once is read in the next turn.
    wake: Wake,
    errands: Sender<Errand>,
    asked: RefCell<BTreeMap<Token, Asked>>,
    tokens: Cell<Token>,
    messages_sent: Cell<u64>,
    messages_received: Cell<u64>,
}

struct Asked {
    since: Instant,
    reply: Sender<Result<Answer, Failure>>,
}

/// What crossed the bus since the start, in messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traffic {
    pub(super) sent: u64,
    pub(super) received: u64,
}

impl Agreed {
    pub(super) fn new(
        bus: BusHandle,
        errands: Sender<Errand>,
        heartbeats: heartbeat::Link,
        wake: Wake,
    ) -> Self {
        Self {
            bus: RefCell::new(Some(bus)),
            view_since: Cell::new(heartbeats.now()),
            heartbeats,
            wake,
            errands,
            asked: RefCell::default(),
            tokens: Cell::default(),
            messages_sent: Cell::default(),
            messages_received: Cell::default(),
        }
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic { sent: self.messages_sent.get(), received: self.messages_received.get() }
    }

    /// Returns how the bus fares; none once it was stopped.
    pub(super) fn state(&self) -> Option<bus::State> {
        self.bus.borrow().as_ref().map(BusHandle::state)
    }

    /// Returns when the present view was taken, on the clock of the heartbeats.
    pub(super) fn view_since(&self) -> Instant {
        self.view_since.get()
    }

    pub(super) fn reload(&self, plan: bus::Plan) {
        let Some(bus) = &mut *self.bus.borrow_mut() else { return };
        if let Err(error) = bus.reload(plan) {
            tracing::error!(%error, "the bus goes on as it was; raise LimitNOFILE or TasksMax and reload");
        }
    }

    /// Leaves the bus and ends what carries it.
    pub(super) fn stop(&self) {
        let Some(bus) = self.bus.borrow_mut().take() else { return };
        if let Err(error) = bus.stop() {
            tracing::warn!("{error}");
        }
    }

    /// Leaves the bus and joins it again: the next view is agreed on anew.
    pub(super) fn rejoin(&self) {
        let Some(bus) = &mut *self.bus.borrow_mut() else { return };
        bus.leave();
        bus.join();
    }

    /// Carries out what the node wants of the bus.
    pub(super) fn carry_out(&self, output: Output, now: Instant) {
        match output {
            Output::Multicast(message) => self.multicast(&message),
            Output::CarryOut(errand) => {
                // The node bounds how many are under way, and the queue holds as many.
                if self.errands.try_send(errand).is_err() {
                    tracing::error!("a member's command is not carried out: convoyd is stopping");
                }
            }
            Output::Answers(token, answers) => {
                if let Some(asked) = self.asked.borrow_mut().remove(&token) {
                    asked.tell(answers, now);
                }
            }
            Output::Event(Event::View(view)) => {
                self.view_since.set(self.heartbeats.now());
                self.heartbeats.say(beat::View { epoch: view.epoch, digest: view.digest() });
            }
            Output::Event(_) => self.heartbeats.say(beat::View::default()),
            Output::Dial(..) | Output::Send(..) | Output::Close(_) | Output::Stopped => {
                unreachable!("the mesh carries these out")
            }
        }
    }

    fn multicast(&self, message: &[u8]) {
        let Some(bus) = &mut *self.bus.borrow_mut() else { return };
        match bus.multicast(message) {
            Ok(()) => self.messages_sent.set(self.messages_sent.get() + 1),
            // It was lost a moment ago and the node does not know yet: the event is on its way.
            Err(Unsent::Absent) => tracing::debug!("a message for the bus came after its end"),
            Err(error @ (Unsent::Full | Unsent::TooLong)) => {
                tracing::error!(
                    ?error,
                    bytes = message.len(),
                    "the bus refuses a message that fits it; this is a bug"
                );
            }
        }
    }
}

impl Asked {
    fn tell(self, answers: Result<Vec<Answered>, String>, now: Instant) {
        let row = |answered: Answered| {
            let (code, text, missing, at) = match answered.outcome {
                Outcome::Answer { code, text, at } => (Some(code), Some(text), None, at),
                Outcome::Left => (None, None, Some("left before it answered"), now),
                Outcome::Late => (None, None, Some("no answer in time"), now),
            };
            NodeAnswer {
                node: answered.node.to_string(),
                code,
                answer: text,
                missing: missing.map(Into::into),
                after_ms: at.since(self.since).as_ns() as f64 / 1e6,
            }
        };
        let answer = match answers {
            Ok(answers) => Ok(Answer::All(AllAnswers { answers: answers.into_iter().map(row).collect() })),
            Err(why) => Err(Failure::new(why)),
        };
        if self.reply.try_send(answer).is_err() {
            tracing::debug!("a control client left before its answers");
        }
    }
}

impl Cluster {
    /// Feeds the node with what the bus has delivered.
    pub(super) fn take_from_bus(&self) {
        for _ in 0..EVENTS_A_TURN {
            let (id, event) = {
                let mut bus = self.agreed.bus.borrow_mut();
                let Some(bus) = &mut *bus else { return };
                match bus.poll() {
                    Some(event) => (bus.id(), event),
                    None => return,
                }
            };
            self.agreed.messages_received.set(self.agreed.messages_received.get() + 1);
            self.mesh.feed(Input::Bus(id, &event));
        }
        // There may be more: sockets and timers get their turn first.
        self.agreed.wake.wake();
    }

    /// Gives a command to members for a control client, who gets the answers.
    pub(super) fn ask_all(&self, request: &AllRequest, query: &Query) {
        let agreed = &self.agreed;
        let token = agreed.tokens.get() + 1;
        agreed.tokens.set(token);
        let to = match &request.node {
            Some(node) => To::Node(node.as_str().into()),
            None => To::Group(self.nodes_group()),
        };
        let asked = Asked { since: self.mesh.now(), reply: query.reply.clone() };
        agreed.asked.borrow_mut().insert(token, asked);
        let caller = format!("{}@{}", query.caller, self.mesh.node().settings().name);
        self.mesh.feed(Input::Ask(Ask {
            token,
            to,
            caller,
            format: request.format as u8,
            line: request.line.clone(),
            within: Span::from_ms(request.within_ms.min(WITHIN_MS_MAX)),
        }));
    }

    pub(super) fn take_done(&self, done: &Done) {
        self.mesh.feed(Input::CarriedOut(done.errand, done.code, &done.text));
    }

    /// Returns the group in which nodes take commands.
    fn nodes_group(&self) -> std::sync::Arc<str> {
        let node = self.mesh.node();
        let standing = &node.settings().standing;
        standing.control_group.clone()
    }
}

/// Events of the bus taken before sockets and timers get their turn.
const EVENTS_A_TURN: usize = 64;
/// Longest wait for the answers of members, as long as a control client is waited for.
const WITHIN_MS_MAX: u64 = 9_000;

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
                all::{AllAnswers, AllRequest, BroadcastRequest, Flushed, NodeAnswer, RetrieveRequest, Sent},
            },
        },
        heartbeat,
    },
    sys::wake::Wake,
};
use convoy_core::{
    group::{
        bus::{Bus as _, MemberId, Unsent},
        cache::ControlCache,
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
    cache: RefCell<ControlCache>,
    tokens: Cell<Token>,
    messages_sent: Cell<u64>,
    messages_received: Cell<u64>,
}

/// Who waits for the answers to a command.
enum Asked {
    /// A control client, since then.
    Client { since: Instant, reply: Sender<Result<Answer, Failure>> },
    /// Nobody: they are collected.
    Cache,
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
            cache: RefCell::default(),
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

    /// Returns a token under which answers are for whoever `asked` says.
    fn expect(&self, asked: Asked) -> Token {
        let token = self.tokens.get() + 1;
        self.tokens.set(token);
        self.asked.borrow_mut().insert(token, asked);
        token
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
            Output::Answers(token, answers) => match (self.asked.borrow_mut().remove(&token), answers) {
                (Some(Asked::Client { since, reply }), answers) => tell(since, &reply, answers, now),
                (Some(Asked::Cache), Ok(answers)) => self.cache.borrow_mut().take(token, answers),
                (Some(Asked::Cache), Err(why)) => {
                    tracing::warn!("a command was not broadcast: {why}");
                    self.cache.borrow_mut().take(token, Vec::new());
                }
                (None, _) => {}
            },
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

/// Tells a control client what became of its command.
fn tell(
    since: Instant,
    reply: &Sender<Result<Answer, Failure>>,
    answers: Result<Vec<Answered>, String>,
    now: Instant,
) {
    let row = |answered| {
        let mut row = row(answered, now);
        row.after_ms = milliseconds(now.since(since)) - row.age_s * 1e3;
        row
    };
    let answer = match answers {
        Ok(answers) => Ok(Answer::All(AllAnswers { answers: answers.into_iter().map(row).collect() })),
        Err(why) => Err(Failure::new(why)),
    };
    if reply.try_send(answer).is_err() {
        tracing::debug!("a control client left before its answers");
    }
}

fn row(answered: Answered, now: Instant) -> NodeAnswer {
    let (code, answer, missing, at) = match answered.outcome {
        Outcome::Answer { code, text, at } => (Some(code), Some(text), None, at),
        Outcome::Left => (None, None, Some("left before it answered"), now),
        Outcome::Late => (None, None, Some("no answer in time"), now),
    };
    NodeAnswer {
        node: answered.node.to_string(),
        code,
        answer,
        missing: missing.map(Into::into),
        after_ms: 0.0,
        age_s: milliseconds(now.since(at)) / 1e3,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "for people and scripts; 53 bits hold three months of nanoseconds"
)]
fn milliseconds(span: Span) -> f64 {
    span.as_ns() as f64 / 1e6
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
        let to = match &request.node {
            Some(node) => To::Node(node.as_str().into()),
            None => To::Group(self.nodes_group()),
        };
        let token = self.agreed.expect(Asked::Client { since: self.mesh.now(), reply: query.reply.clone() });
        let within = Span::from_ms(request.within_ms.min(WITHIN_MS_MAX));
        self.ask_members(token, to, &query.caller, request.line.clone(), within);
    }

    /// Gives a command to members; their answers are collected.
    pub(super) fn broadcast(&self, request: &BroadcastRequest, caller: &str) -> Result<Answer, Failure> {
        let to = match (&request.node, &request.subcluster) {
            (Some(node), _) => To::Node(node.as_str().into()),
            (None, Some(subcluster)) => To::Group(format!("ec_sc_{subcluster}").into()),
            (None, None) => To::Group(self.nodes_group()),
        };
        let nodes = {
            let node = self.mesh.node();
            let Some(view) = node.view() else {
                return Err(Failure::new("this manager is on no bus now; see: convoy status"));
            };
            to.members(view).map(|member| member.card.name.to_string()).collect::<Vec<_>>()
        };
        if nodes.is_empty() {
            let whom = match &to {
                To::Node(name) => format!("no member is called \"{name}\""),
                To::Group(group) => format!("no node is in group \"{group}\""),
            };
            return Err(Failure::new(format!("{whom}; see: show cluster membership")));
        }
        tracing::info!(caller, command = request.command, nodes = nodes.len(), "a command is broadcast");
        let token = self.agreed.expect(Asked::Cache);
        // Before it is given: if it is refused at once, that is an answer to it.
        self.agreed.cache.borrow_mut().give(self.mesh.now(), &request.command, token);
        self.ask_members(token, to, caller, request.line.clone(), COLLECTED_WITHIN);
        Ok(Answer::Sent(Sent { nodes }))
    }

    /// Returns the collected answers to a command.
    pub(super) fn retrieve(&self, request: &RetrieveRequest) -> Result<Answer, Failure> {
        let node = self.mesh.node();
        let cache = self.agreed.cache.borrow();
        let Some(answers) = cache.answers(&request.command, |token| node.so_far(token)) else {
            let known = cache.lines().map(|line| format!("`{line}`")).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "nothing".to_owned() } else { known };
            return Err(Failure::new(format!(
                "`{}` was not broadcast; there are answers to {known}",
                request.command
            )));
        };
        let in_subcluster = |name: &str| {
            let Some(subcluster) = &request.subcluster else { return true };
            let mut named = node.view().into_iter().flat_map(|view| view.named(name));
            named.any(|member| member.card.subcluster.eq_ignore_ascii_case(subcluster))
        };
        let wanted = |name: &str| {
            request.node.as_deref().is_none_or(|node| node.eq_ignore_ascii_case(name)) && in_subcluster(name)
        };
        let now = self.mesh.now();
        let rows =
            answers.into_iter().filter(|answered| wanted(&answered.node)).map(|answered| row(answered, now));
        Ok(Answer::All(AllAnswers { answers: rows.collect() }))
    }

    /// Forgets the collected answers.
    pub(super) fn flush(&self) -> Answer {
        Answer::Flushed(Flushed { commands: self.agreed.cache.borrow_mut().flush() })
    }

    fn ask_members(&self, token: Token, to: To, caller: &str, line: String, within: Span) {
        let caller = format!("{caller}@{}", self.mesh.node().settings().name);
        self.mesh.feed(Input::Ask(Ask { token, to, caller, line, within }));
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
/// Time in which the answers to a command that is broadcast are collected.
const COLLECTED_WITHIN: Span = Span::from_secs(30);
/// Longest wait for the answers of members, as long as a control client is waited for.
const WITHIN_MS_MAX: u64 = 9_000;

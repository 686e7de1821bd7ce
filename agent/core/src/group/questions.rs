//! Console commands that go around on the bus, and their answers.
//!
//! Who gives a command waits for an answer of every member it is for, until a deadline; a member that leaves before it
//! has answered is named, and so is one that is late. Who is asked carries the command out and answers once. Commands
//! and answers are messages on the bus, so every member sees them in the same order; only who asked keeps an answer.
use super::{
    bus::MemberId,
    view::{Member, View},
};
use crate::{
    bounds,
    time::{Instant, Span},
    wire::{
        Agreed,
        agreed::{Command, Target},
    },
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    sync::Arc,
    vec::Vec,
};

/// Names a command of this process for its driver.
pub type Token = u64;

/// A command to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// For the driver.
    pub token: Token,
    /// Who is to carry it out.
    pub to: To,
    /// Who gives it: user and node.
    pub caller: String,
    /// The command, at most [`COMMAND_BYTES_MAX`](bounds::COMMAND_BYTES_MAX) bytes.
    pub line: String,
    /// Longest wait for answers.
    pub within: Span,
}

/// Who is to carry out a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// Every member of a group.
    Group(Arc<str>),
    /// The member with a node name.
    Node(Arc<str>),
}

impl To {
    /// Returns the members of a view that are meant.
    pub fn members<'a>(&self, view: &'a View) -> impl Iterator<Item = &'a Member> {
        view.members.values().filter(move |member| match self {
            Self::Group(group) => member.card.is_in(group),
            Self::Node(name) => member.card.name.eq_ignore_ascii_case(name),
        })
    }
}

/// A command to carry out here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// Who asks.
    pub asker: MemberId,
    /// Its number there.
    pub id: u64,
    /// Who gives it: user and node.
    pub caller: String,
    /// The command.
    pub line: String,
}

/// What became of a command at one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The member's node name.
    pub node: Arc<str>,
    /// Its answer, or why there is none.
    pub outcome: Outcome,
}

/// An answer, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out.
    Answer {
        /// Exit code, as of the command line.
        code: u8,
        /// Text of the answer.
        text: String,
        /// When it arrived.
        at: Instant,
    },
    /// The member left, or its bus was lost, before it answered.
    Left,
    /// No answer came in time.
    Late,
}

/// What the machine wants done or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this to all members.
    Multicast(Vec<u8>),
    /// Carry this out, then call [`Questions::carried_out`].
    CarryOut(Errand),
    /// All that will come of a command has come, in the order of node names.
    Answers(Token, Vec<Answered>),
    /// A command cannot be given; the text says why and what to do.
    Refused(Token, String),
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Questions {
    next_id: u64,
    asked: BTreeMap<u64, Asked>,
    /// Commands of others under way here.
    errands: BTreeSet<(MemberId, u64)>,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Debug)]
struct Asked {
    token: Token,
    to: To,
    until: Instant,
    /// Who is to answer; none until the command has its place in the order.
    answers: Option<BTreeMap<MemberId, Answered>>,
}

impl Questions {
    /// Returns the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Self::on_time`] may have something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.asked.values().map(|asked| asked.until).min()
    }

    /// Gives a command, if there is somebody to carry it out.
    pub fn ask(&mut self, now: Instant, ask: &Ask, view: Option<&View>) {
        if let Err(why) = self.try_ask(now, ask, view) {
            self.outputs.push_back(Output::Refused(ask.token, why));
        }
    }

    fn try_ask(&mut self, now: Instant, ask: &Ask, view: Option<&View>) -> Result<(), String> {
        let Some(view) = view else {
            return Err(
                "this node is on no bus now, so the command reaches nobody; see: convoy status".into()
            );
        };
        if self.asked.len() >= bounds::ASKED_MAX {
            let most = bounds::ASKED_MAX;
            return Err(alloc::format!(
                "{most} commands are waiting for answers; try again when some are done"
            ));
        }
        if ask.line.len() > bounds::COMMAND_BYTES_MAX {
            return Err(alloc::format!("a command has at most {} bytes", bounds::COMMAND_BYTES_MAX));
        }
        if ask.to.members(view).next().is_none() {
            let names = view.members.values().map(|member| &*member.card.name).collect::<Vec<_>>().join(", ");
            return Err(match &ask.to {
                To::Node(name) => {
                    alloc::format!("there is no member \"{name}\" in the cluster now; there are {names}")
                }
                To::Group(group) => {
                    alloc::format!("no member is in group \"{group}\" now; the members are {names}")
                }
            });
        }
        self.next_id += 1;
        let id = self.next_id;
        let target = match &ask.to {
            To::Group(group) => Target::Group(group),
            To::Node(name) => Target::Node(name),
        };
        let command = Command { id, target, caller: &ask.caller, line: &ask.line };
        self.outputs.push_back(Output::Multicast(Agreed::Command(command).emit()));
        let until = now + ask.within;
        self.asked.insert(id, Asked { token: ask.token, to: ask.to.clone(), until, answers: None });
        Ok(())
    }

    /// Returns what has come of a command so far; who has not answered yet is late.
    pub fn so_far(&self, token: Token) -> Option<Vec<Answered>> {
        let asked = self.asked.values().find(|asked| asked.token == token)?;
        Some(in_order(asked.answers.clone().unwrap_or_default()))
    }

    /// A command of a member arrived at its place in the order.
    pub fn on_command(&mut self, sender: MemberId, command: &Command<'_>, view: &View) {
        let to = match command.target {
            Target::Group(group) => To::Group(group.into()),
            Target::Node(name) => To::Node(name.into()),
        };
        if sender == view.own
            && let Some(asked) = self.asked.get_mut(&command.id)
        {
            let late = |member: &Member| {
                (member.id, Answered { node: member.card.name.clone(), outcome: Outcome::Late })
            };
            asked.answers = Some(asked.to.members(view).map(late).collect());
        }
        if !to.members(view).any(|member| member.id == view.own) {
            return;
        }
        if self.errands.len() >= bounds::EXECUTING_MAX {
            let text = "convoyd is busy with other commands; give it again\n";
            return self.answer(sender, command.id, BUSY, text);
        }
        self.errands.insert((sender, command.id));
        self.outputs.push_back(Output::CarryOut(Errand {
            asker: sender,
            id: command.id,
            caller: command.caller.into(),
            line: command.line.into(),
        }));
    }

    /// An errand is done.
    pub fn carried_out(&mut self, asker: MemberId, id: u64, code: u8, text: &str) {
        if self.errands.remove(&(asker, id)) {
            self.answer(asker, id, code, text);
        }
    }

    fn answer(&mut self, to: MemberId, id: u64, code: u8, text: &str) {
        let cut;
        let text = if text.len() > bounds::ANSWER_BYTES_MAX {
            let end = text.floor_char_boundary(bounds::ANSWER_BYTES_MAX - CUT_ROOM);
            cut = alloc::format!(
                "{}\n... {} bytes more; ask on the node itself\n",
                &text[..end],
                text.len() - end
            );
            &cut
        } else {
            text
        };
        self.outputs.push_back(Output::Multicast(Agreed::Answer { to, id, code, text }.emit()));
    }

    /// An answer arrived for this process.
    pub fn on_answer(&mut self, now: Instant, sender: MemberId, id: u64, code: u8, text: &str) {
        let Some(asked) = self.asked.get_mut(&id) else { return }; // its time was over
        let Some(answers) = &mut asked.answers else { return };
        let Some(answered) = answers.get_mut(&sender) else { return };
        answered.outcome = Outcome::Answer { code, text: text.into(), at: now };
        self.finish(id);
    }

    /// These members are there now; who is not will not answer any more.
    pub fn on_present(&mut self, is_present: impl Fn(MemberId) -> bool) {
        for asked in self.asked.values_mut() {
            for (id, answered) in asked.answers.iter_mut().flatten() {
                if answered.outcome == Outcome::Late && !is_present(*id) {
                    answered.outcome = Outcome::Left;
                }
            }
        }
        self.errands.retain(|(asker, _)| is_present(*asker));
        for id in self.asked.keys().copied().collect::<Vec<_>>() {
            self.finish(id);
        }
    }

    /// The bus is lost: nobody answers any more.
    pub fn on_lost(&mut self, why: &str) {
        self.errands.clear();
        for (_, asked) in core::mem::take(&mut self.asked) {
            let output = match asked.answers {
                None => Output::Refused(asked.token, alloc::format!("the bus was lost: {why}")),
                Some(mut answers) => {
                    let open = answers.values_mut().filter(|answered| answered.outcome == Outcome::Late);
                    open.for_each(|answered| answered.outcome = Outcome::Left);
                    Output::Answers(asked.token, in_order(answers))
                }
            };
            self.outputs.push_back(output);
        }
    }

    /// Ends the waiting of commands whose time is over.
    pub fn on_time(&mut self, now: Instant) {
        let due = self.asked.iter().filter(|(_, asked)| asked.until <= now).map(|(id, _)| *id);
        for id in due.collect::<Vec<_>>() {
            self.end(id);
        }
    }

    /// Ends a command if all that will come has come.
    fn finish(&mut self, id: u64) {
        let Some(Asked { answers: Some(answers), .. }) = self.asked.get(&id) else { return };
        if answers.values().all(|answered| answered.outcome != Outcome::Late) {
            self.end(id);
        }
    }

    fn end(&mut self, id: u64) {
        let Some(asked) = self.asked.remove(&id) else { return };
        let output = match asked.answers {
            Some(answers) => Output::Answers(asked.token, in_order(answers)),
            None => Output::Refused(
                asked.token,
                "the bus did not take the command in time: it is forming or overloaded; see: convoy status"
                    .into(),
            ),
        };
        self.outputs.push_back(output);
    }
}

fn in_order(answers: BTreeMap<MemberId, Answered>) -> Vec<Answered> {
    let mut answers = answers.into_values().collect::<Vec<_>>();
    answers.sort_by(|a, b| a.node.cmp(&b.node));
    answers
}

/// Exit code of an answer that says "try again", as of the command line.
const BUSY: u8 = 1;
/// Bytes for the line that says that an answer was cut.
const CUT_ROOM: usize = 128;

#[cfg(test)]
mod tests;

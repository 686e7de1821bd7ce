//! A bus in another process: the worker serves it over lines of text, [`RemoteBus`] is the other end.
//!
//! | order | answer |
//! |---|---|
//! | `join` | `ok` |
//! | `leave` | `ok` |
//! | `send SEAT LIFE NUMBER LEN` | `ok`, `full`, `too-long` or `absent` |
//! | `poll MAX` | up to MAX events, a line each, then `ok` |
//!
//! Events: `regular OWN MEMBER...`, `transitional OWN MEMBER...`, `message SENDER SEAT LIFE NUMBER LEN`,
//! `garbled SENDER LEN`, `room`, `lost TEXT`. Members are `HOST.PROCESS`, as they print; OWN is the process's name, or
//! `-` if the bus tells none. Anything else that was ordered is answered with `error TEXT`. Payloads do not travel: a
//! [`Tag`] and a length make them on both sides, and the worker looks at every byte that the bus delivers.
use super::Tag;
use anyhow::{Context, Result, bail, ensure};
use convoy_core::group::bus::{Bus, Configuration, Event, Kind, MemberId, Unsent};
use std::{
    collections::VecDeque,
    fmt::Write as _,
    io::{BufRead, Write},
};

/// Serves a bus until the orders end.
///
/// # Errors
/// When orders or answers cannot be read or written any more.
pub fn serve(bus: &mut dyn Bus, orders: impl BufRead, mut answers: impl Write) -> Result<()> {
    for order in orders.lines() {
        let answer =
            obey(bus, &order?).unwrap_or_else(|error| format!("error {}", in_line(&format!("{error:#}"))));
        writeln!(answers, "{answer}")?;
        answers.flush()?;
    }
    Ok(())
}

fn obey(bus: &mut dyn Bus, order: &str) -> Result<String> {
    let words: Vec<&str> = order.split_whitespace().collect();
    match words.as_slice() {
        ["join"] => bus.join(),
        ["leave"] => bus.leave(),
        ["send", seat, life, number, len] => {
            let tag = Tag { seat: seat.parse()?, life: life.parse()?, number: number.parse()? };
            return Ok(taken_text(bus.multicast(&tag.payload(len.parse()?))).to_owned());
        }
        ["poll", max] => {
            let mut answer = String::new();
            for _ in 0..max.parse::<usize>()? {
                let Some(event) = bus.poll() else { break };
                writeln!(answer, "{}", event_text(&event, bus.id()))?;
            }
            return Ok(answer + "ok");
        }
        _ => bail!("not an order: {order:?}"),
    }
    Ok("ok".to_owned())
}

fn taken_text(taken: Result<(), Unsent>) -> &'static str {
    match taken {
        Ok(()) => "ok",
        Err(Unsent::Full) => "full",
        Err(Unsent::TooLong) => "too-long",
        Err(Unsent::Absent) => "absent",
    }
}

fn event_text(event: &Event, own: Option<MemberId>) -> String {
    match event {
        Event::Configuration(Configuration { kind, members }) => {
            let kind = match kind {
                Kind::Regular => "regular",
                Kind::Transitional => "transitional",
            };
            let own = own.map_or(NOBODY.to_owned(), |own| own.to_string());
            members.iter().fold(format!("{kind} {own}"), |line, member| format!("{line} {member}"))
        }
        Event::Message { sender, payload } => match Tag::read(payload) {
            Some(Tag { seat, life, number }) => {
                format!("message {sender} {seat} {life} {number} {}", payload.len())
            }
            None => format!("garbled {sender} {}", payload.len()),
        },
        Event::Room => "room".to_owned(),
        Event::Lost(why) => format!("lost {}", in_line(why)),
    }
}

/// Text without line breaks, which would end an answer.
fn in_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// The bus that a worker serves.
#[derive(Debug)]
pub struct RemoteBus<A, O> {
    answers: A,
    orders: O,
    id: Option<MemberId>,
    /// Fetched events, and the process's name at each configuration.
    events: VecDeque<(Event, Option<MemberId>)>,
    trouble: Option<anyhow::Error>,
}

impl<A: BufRead, O: Write> RemoteBus<A, O> {
    /// Returns the bus of the worker that reads `orders` and writes `answers`.
    pub fn new(orders: O, answers: A) -> Self {
        Self { answers, orders, id: None, events: VecDeque::new(), trouble: None }
    }

    /// Returns why the worker cannot be talked to, if so; the bus is silent then.
    pub fn trouble(&self) -> Option<&anyhow::Error> {
        self.trouble.as_ref()
    }

    /// Sends an order, also one that only some workers know, and returns the lines of its answer.
    pub fn order(&mut self, order: &str) -> Option<Vec<String>> {
        if self.trouble.is_some() {
            return None;
        }
        let answer = self.exchange(order).with_context(|| format!("order {order:?}"));
        answer.map_err(|error| self.trouble = Some(error)).ok()
    }

    fn exchange(&mut self, order: &str) -> Result<Vec<String>> {
        self.begin(order)?;
        self.end()
    }

    /// Sends an order, whose answer [`end`](Self::end) must fetch before the next one.
    ///
    /// # Errors
    /// When the worker takes none.
    pub fn begin(&mut self, order: &str) -> Result<()> {
        writeln!(self.orders, "{order}")?;
        Ok(self.orders.flush()?)
    }

    /// Waits for the answer to what was begun, and returns its lines.
    ///
    /// # Errors
    /// When the worker ends, or answers with an error.
    pub fn end(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            ensure!(self.answers.read_line(&mut line)? > 0, "the worker has ended");
            let line = line.trim_end().to_owned();
            let last = match line.split(' ').next() {
                Some("error") => bail!("the worker says: {line}"),
                Some("ok" | "full" | "too-long" | "absent") => true,
                _ => false,
            };
            lines.push(line);
            if last {
                return Ok(lines);
            }
        }
    }

    fn fetch(&mut self) {
        let Some(lines) = self.order(&format!("poll {POLL_MAX}")) else { return };
        for line in lines {
            match parse(&line) {
                Ok(Some(event)) => self.events.push_back(event),
                Ok(None) => {}
                Err(error) => self.trouble = Some(error.context(format!("answer {line:?}"))),
            }
        }
    }
}

impl<A: BufRead, O: Write> Bus for RemoteBus<A, O> {
    fn id(&self) -> Option<MemberId> {
        self.id
    }

    fn join(&mut self) {
        self.order("join");
    }

    fn leave(&mut self) {
        self.events.clear();
        self.id = None;
        self.order("leave");
    }

    fn multicast(&mut self, payload: &[u8]) -> Result<(), Unsent> {
        let Some(Tag { seat, life, number }) = Tag::read(payload) else {
            self.trouble = Some(anyhow::anyhow!("a payload without a tag cannot be sent through a worker"));
            return Err(Unsent::Absent);
        };
        let answer =
            self.order(&format!("send {seat} {life} {number} {}", payload.len())).unwrap_or_default();
        match answer.last().map(String::as_str) {
            Some("ok") => Ok(()),
            Some("full") => Err(Unsent::Full),
            Some("too-long") => Err(Unsent::TooLong),
            _ => Err(Unsent::Absent),
        }
    }

    fn poll(&mut self) -> Option<Event> {
        if self.events.is_empty() {
            self.fetch();
        }
        let (event, own) = self.events.pop_front()?;
        match &event {
            Event::Configuration(_) => self.id = own,
            Event::Lost(_) => self.id = None,
            Event::Message { .. } | Event::Room => {}
        }
        Some(event)
    }
}

/// Reads a line of an answer to `poll`: an event, with the process's name if it tells it; `None` for the last line.
fn parse(line: &str) -> Result<Option<(Event, Option<MemberId>)>> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let words: Vec<&str> = rest.split_whitespace().collect();
    let event = match (word, words.as_slice()) {
        ("ok", []) => return Ok(None),
        ("regular" | "transitional", [own, members @ ..]) => {
            let own = if *own == NOBODY { None } else { Some(member(own)?) };
            let kind = if word == "regular" { Kind::Regular } else { Kind::Transitional };
            let members = members.iter().map(|text| member(text)).collect::<Result<_>>()?;
            return Ok(Some((Event::Configuration(Configuration { kind, members }), own)));
        }
        ("message", [sender, seat, life, number, len]) => {
            let tag = Tag { seat: seat.parse()?, life: life.parse()?, number: number.parse()? };
            Event::Message { sender: member(sender)?, payload: tag.payload(len.parse()?) }
        }
        // Zeroes are no message's payload, so it is as garbled here.
        ("garbled", [sender, len]) => {
            Event::Message { sender: member(sender)?, payload: vec![0; len.parse()?] }
        }
        ("room", []) => Event::Room,
        ("lost", _) => Event::Lost(rest.to_owned()),
        _ => bail!("not an answer"),
    };
    Ok(Some((event, None)))
}

fn member(text: &str) -> Result<MemberId> {
    let (host, process) = text.split_once('.').with_context(|| format!("not a member: {text:?}"))?;
    Ok(MemberId { host: host.parse()?, process: process.parse()? })
}

/// Stands for a process's name where it has none.
const NOBODY: &str = "-";
/// Events fetched at once. chosen: enough that pipes do not limit a burst, few enough to keep an answer small.
const POLL_MAX: usize = 64;

#[cfg(test)]
mod tests;

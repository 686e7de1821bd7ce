//! One host: its kernel's true counts, its clock, and the process on it, if one runs.
use crate::{
    clock::{At, Clock},
    net::Report,
    prng::mix,
};
use convoy_common::{addr::Host, count::Count};
use convoy_core::{
    bounds,
    group::State,
    node::{Event, Input, LinkId, Node, Output, Settings},
    wire::{FrameError, Object, frame},
};
use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    sync::Arc,
};

/// What a process is given, in its own memory.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    Counts(Object, Vec<(Host, Option<Count>)>),
    AllCounts(Object),
    Network(LinkId, Report),
    Reload(Box<Settings>),
    Stop,
    Timeout,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) name: Arc<str>,
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    /// Process number; also its incarnation.
    pub(crate) life: u64,
    pub(crate) node: Option<Node>,
    /// When the process next looks at the clock, if nothing else happens.
    pub(crate) wakes_at: Option<At>,
    pub(crate) stalled_until: At,
    /// What arrived while it stalled.
    pub(crate) inbox: VecDeque<Fact>,
    /// What the kernel counts, by object. Outlives processes.
    pub(crate) truth: BTreeMap<Object, BTreeMap<Host, Count>>,
    /// What the process last said of each peer.
    pub(crate) states: BTreeMap<Arc<str>, State>,
    /// Bytes handed over and not yet written, by connection.
    pub(crate) queued: BTreeMap<LinkId, usize>,
    /// A digest of all it ever put out.
    pub(crate) digest: u64,
}

impl Site {
    pub(crate) fn new(name: &str, clock: Clock, settings: Settings) -> Self {
        Self {
            name: name.into(),
            clock,
            settings,
            life: 0,
            node: None,
            wakes_at: None,
            stalled_until: 0,
            inbox: VecDeque::new(),
            truth: Object::ALL.map(|object| (object, BTreeMap::new())).into(),
            states: BTreeMap::new(),
            queued: BTreeMap::new(),
            digest: 0,
        }
    }

    /// Starts a process. It is given what the kernel counts, as the sampler does.
    pub(crate) fn start(&mut self, at: At) {
        self.life += 1;
        self.settings.incarnation = self.life;
        self.stalled_until = at;
        self.node = Some(Node::new(self.settings.clone(), self.clock.shows(at)).awaiting_counts());
    }

    /// The process is no more.
    pub(crate) fn end(&mut self) {
        self.node = None;
        self.wakes_at = None;
        self.inbox.clear();
        self.states.clear();
        self.queued.clear();
    }

    /// Gives the process one fact. Returns how much it was, in hosts.
    pub(crate) fn feed(&mut self, at: At, fact: &Fact, addresses: &[IpAddr]) -> usize {
        let now = self.clock.shows(at);
        let Some(node) = &mut self.node else { return 0 };
        let mut hosts = 0;
        match fact {
            Fact::Counts(object, changes) => {
                hosts = changes.len();
                node.handle(now, Input::Counts(*object, changes));
            }
            Fact::AllCounts(object) => {
                let counts =
                    self.truth[object].iter().map(|(host, count)| (*host, *count)).collect::<Vec<_>>();
                hosts = counts.len() + node.replica(*object).own().len();
                node.handle(now, Input::AllCounts(*object, &counts));
            }
            Fact::Network(link, report) => match report {
                Report::Accepted { from } => node.handle(now, Input::Accepted(*link, addresses[*from])),
                Report::Connected => node.handle(now, Input::Connected(*link)),
                Report::Part => node.handle(now, Input::Part(*link)),
                Report::Bytes(bytes) => match frame::split(bytes) {
                    Ok(Some((frame, _))) => node.handle(now, Input::Frame(*link, frame)),
                    Ok(None) => node.handle(now, Input::Garbage(*link, FrameError::TooLong { length: 0 })),
                    Err(error) => node.handle(now, Input::Garbage(*link, error)),
                },
                Report::Wrote(bytes) => {
                    if let Some(queued) = self.queued.get_mut(link) {
                        *queued -= bytes;
                    }
                    node.handle(now, Input::Wrote(*link, *bytes));
                }
                Report::Closed(why) => {
                    self.queued.remove(link);
                    node.handle(now, Input::Closed(*link, why));
                }
            },
            Fact::Reload(settings) => {
                self.settings = Settings { incarnation: self.life, ..Settings::clone(settings) };
                node.handle(now, Input::Reload(Settings::clone(settings)));
                self.states.retain(|name, _| settings.peers.contains_key(name));
            }
            Fact::Stop => node.handle(now, Input::Stop),
            Fact::Timeout => node.handle(now, Input::Timeout),
        }
        hosts
    }

    /// Takes note of an effect, in the digest and in what is known of the process.
    pub(crate) fn note(&mut self, output: &Output) {
        let digest = |so_far: u64, bytes: &[u8]| {
            bytes.chunks(8).fold(so_far, |so_far, chunk| {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                mix(so_far ^ u64::from_le_bytes(word)).wrapping_add(chunk.len() as u64)
            })
        };
        self.digest = match output {
            Output::Send(link, bytes) => {
                if let Some(queued) = self.queued.get_mut(link) {
                    *queued += bytes.len();
                    assert!(*queued <= QUEUED_MAX, "{} has {queued} bytes waiting for {link:?}", self.name);
                }
                digest(digest(self.digest, format!("{link:?}").as_bytes()), bytes)
            }
            other => digest(self.digest, format!("{other:?}").as_bytes()),
        };
        if let Output::Event(Event::Member { name, state, .. }) = output {
            self.states.insert(name.clone(), *state);
        }
    }
}

/// Most bytes that may wait for one connection: the queue's bound and one frame.
const QUEUED_MAX: usize = bounds::SEND_QUEUE_MAX + bounds::FRAME_PAYLOAD_MAX + 24;

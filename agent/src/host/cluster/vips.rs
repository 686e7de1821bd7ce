//! What a control client is told of the addresses that the cluster shares, and what it may ask for.
//!
//! Whatever is asked for goes over the bus and is done by all members alike; so it is judged here only by what this node
//! knows now, and the answer says what was asked for, not what has become of it.
use super::Cluster;
use crate::host::control::{
    Answer,
    shape::{
        Failure, Request,
        vip::{
            Announced, ArpRow, ArpTable, Debugging, DrainRequest, Drained, MoveRequest, MoveRow, Moves,
            Moving, mac,
        },
    },
};
use convoy_common::{addr::Host, prefix::Prefix};
use convoy_core::{
    group::view::Role,
    node::{Input, Node},
    vip::{self, Holder, Safety, Topic, Want},
};
use std::net::IpAddr;

impl Cluster {
    /// Answers questions about managed addresses, which may feed the node: it must not be borrowed. None for others.
    pub(super) fn answer_of_vips(&self, request: &Request) -> Option<Result<Answer, Failure>> {
        let answer = match request {
            Request::Vips => self.list(),
            Request::VipMove(request) => self.move_vips(request).map(Answer::Moving),
            Request::VipDrain(request) => self.drain(request).map(Answer::Drained),
            Request::VipAnnounce => self.announce_vips().map(Answer::Announced),
            Request::VipHistory => self.history().map(Answer::Moves),
            Request::VipDebug { on } => {
                self.agreed.addresses.set_debug(*on);
                Ok(Answer::Debugging(Debugging { on: *on }))
            }
            Request::Arp => Ok(Answer::Arp(self.arp())),
            _ => return None,
        };
        Some(answer)
    }

    fn list(&self) -> Result<Answer, Failure> {
        let node = self.mesh.node();
        let holder = holder(&node)?;
        Ok(Answer::Vips {
            rows: holder.rows(self.mesh.now()),
            firm: holder.is_firm(),
            drained: holder.table().drained().iter().map(ToString::to_string).collect(),
            exchanging: holder.is_exchanging(),
            host: self.agreed.addresses.snapshot(),
        })
    }

    fn history(&self) -> Result<Moves, Failure> {
        let (node, now) = (self.mesh.node(), self.mesh.now());
        let moves = holder(&node)?.history().latest();
        Ok(Moves { moves: moves.iter().map(|record| MoveRow::at(now, record)).collect() })
    }

    fn move_vips(&self, request: &MoveRequest) -> Result<Moving, Failure> {
        let judged = {
            let node = self.mesh.node();
            on_the_bus(&node)?;
            judge_move(&node, holder(&node)?, request)?
        };
        let Judged { node, addresses, there } = judged;
        if !addresses.is_empty() {
            self.mesh.feed(Input::Vip(vip::Input::Move(&addresses, &node)));
        }
        let text = |addresses: Vec<IpAddr>| addresses.iter().map(ToString::to_string).collect();
        Ok(Moving { node, moving: text(addresses), there: text(there) })
    }

    fn drain(&self, request: &DrainRequest) -> Result<Drained, Failure> {
        let (name, has) = {
            let node = self.mesh.node();
            on_the_bus(&node)?;
            let holder = holder(&node)?;
            let name = known(&node, &request.node)?;
            if !request.on && !holder.table().drained().iter().any(|drained| **drained == *name) {
                return Err(Failure::new(format!("{name} is not drained; see: convoy vip show")));
            }
            let owner = holder.table().named(&name);
            let topics = holder.table().topics().values();
            let has = topics.filter(|topic| topic.owner.is_some() && topic.owner == owner).count();
            (name, has)
        };
        self.mesh.feed(Input::Vip(vip::Input::Drain(&name, request.on)));
        Ok(Drained { node: name, on: request.on, has })
    }

    fn announce_vips(&self) -> Result<Announced, Failure> {
        let announced = {
            let node = self.mesh.node();
            on_the_bus(&node)?;
            let holder = holder(&node)?;
            let rows = holder.rows(self.mesh.now());
            let held = rows.iter().filter(|row| row.here == Some(Want::Held)).count();
            Announced { offered: holder.settings().offer.len(), held }
        };
        self.mesh.feed(Input::Vip(vip::Input::Announce));
        Ok(announced)
    }

    fn arp(&self) -> ArpTable {
        let (at, mut neighbours) = self.agreed.addresses.neighbours();
        let since = self.mesh.now().since(at).as_ns() / 1_000_000_000;
        neighbours.sort_unstable();
        let row = |(address, of, age): (IpAddr, [u8; 6], u32)| ArpRow {
            address: address.to_string(),
            mac: mac(of),
            age_s: u64::from(age) + since,
        };
        ArpTable { hosts: neighbours.into_iter().map(row).collect() }
    }
}

/// What of a move can be asked for.
#[derive(Debug, PartialEq, Eq)]
struct Judged {
    /// The node, as it calls itself.
    node: String,
    addresses: Vec<IpAddr>,
    /// Those that it has.
    there: Vec<IpAddr>,
}

fn judge_move(node: &Node, holder: &Holder, request: &MoveRequest) -> Result<Judged, Failure> {
    let to = known(node, &request.node)?;
    let table = holder.table();
    let Some(member) = table.named(&to) else {
        return Err(Failure::new(format!("{to} takes no part now; see: convoy view")));
    };
    if table.drained().iter().any(|drained| drained.eq_ignore_ascii_case(&to)) {
        return Err(Failure::new(format!(
            "{to} is drained; let it have addresses again: convoy vip undrain {to}"
        )));
    }
    let mut judged = Judged { node: to.clone(), addresses: Vec::new(), there: Vec::new() };
    for word in &request.addresses {
        for (address, topic) in named(holder, word)? {
            let refuse = |why: String| Err(Failure::new(format!("{address}: {why}; nothing was moved")));
            if topic.safety == Safety::Broken {
                return refuse("its bindings contradict each other; make them equal on all nodes".into());
            }
            if let Some(target) = topic.follow {
                return refuse(format!("it follows {target}; move that one"));
            }
            if !topic.candidates.contains(&member) {
                let names = topic.candidates.iter().map(|member| table.name(*member).to_string());
                let names = names.collect::<Vec<_>>().join(", ");
                return refuse(format!("{to} does not offer it, only {names}; see Enable_Duravip there"));
            }
            if topic.owner == Some(member) && topic.handover.is_none() {
                judged.there.push(address);
            } else if table.is_able(member, address) {
                judged.addresses.push(address);
            } else {
                return refuse(format!("{to} cannot hold it now; see: convoy vip show, on {to}"));
            }
        }
    }
    judged.addresses.sort_unstable();
    judged.addresses.dedup();
    Ok(judged)
}

/// Returns the addresses that a word means.
fn named<'h>(holder: &'h Holder, word: &str) -> Result<Vec<(IpAddr, &'h Topic)>, Failure> {
    let topics = holder.table().topics();
    if let Ok(address) = word.parse::<IpAddr>() {
        let address = address.to_canonical();
        let topic = topics.get(&address).ok_or_else(|| {
            Failure::new(format!("{address} is no address that the cluster shares; see: convoy vip show"))
        })?;
        return Ok(vec![(address, topic)]);
    }
    let block: Prefix = word.parse().map_err(|error| Failure::new(format!("\"{word}\": {error}")))?;
    let inside = topics.iter().filter(|(address, _)| block.contains(Host::from(**address)));
    let inside: Vec<_> = inside.map(|(address, topic)| (*address, topic)).collect();
    if inside.is_empty() {
        return Err(Failure::new(format!(
            "no address in {block} is shared by the cluster; see: convoy vip show"
        )));
    }
    Ok(inside)
}

/// Returns the name of a node as it calls itself.
fn known(node: &Node, name: &str) -> Result<String, Failure> {
    let settings = node.settings();
    let mut names: Vec<&str> = settings.peers.keys().map(|name| &**name).collect();
    names.push(&settings.name);
    names.sort_unstable();
    let view = node.view();
    let is_manager = |name: &str| {
        view.is_some_and(|view| {
            view.members
                .values()
                .any(|member| member.card.role == Role::Manager && &*member.card.name == name)
        })
    };
    match names.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(name) if is_manager(name) => {
            Err(Failure::new(format!("{name} is a manager, and managers hold no addresses; name a node")))
        }
        Some(name) => Ok((*name).to_owned()),
        None => Err(Failure::new(format!("there is no node \"{name}\"; there are {}", names.join(", ")))),
    }
}

fn holder(node: &Node) -> Result<&Holder, Failure> {
    match node.settings().standing.role {
        Role::Node => Ok(node.vips()),
        Role::Manager => {
            let text =
                "this is a manager, and managers hold no addresses; ask a node, or: convoy --all vip show";
            Err(Failure::new(text))
        }
    }
}

fn on_the_bus(node: &Node) -> Result<(), Failure> {
    match node.view() {
        Some(_) => Ok(()),
        None => {
            Err(Failure::new("this node is on no bus now, and nothing can be agreed on; see: convoy status"))
        }
    }
}

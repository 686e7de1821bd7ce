//! The view: who is there, agreed by all who are in it.
//!
//! Every member of a view holds the same one. Its epoch is larger than that of any view that one of its members was in
//! before. Two sides of a partition may reach the same epoch with different members; their digests differ, and the
//! view they share after the merge has a larger epoch than both.
use super::bus::MemberId;
use alloc::{collections::BTreeMap, format, string::String, sync::Arc, vec::Vec};
use core::{cmp::Reverse, fmt, net::SocketAddr};

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A mail host.
    Node,
    /// A host that manages nodes; it counts nothing and owns no address.
    Manager,
}

/// Who a member says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// What it is.
    pub role: Role,
    /// Its life, as on the mesh.
    pub incarnation: u64,
    /// Its node name.
    pub name: Arc<str>,
    /// Its subcluster; empty when it is in none.
    pub subcluster: Arc<str>,
    /// Version of its program.
    pub version: Arc<str>,
    /// Address of its cluster service; none when it has none.
    pub address: Option<SocketAddr>,
    /// The groups it is in, at most [`GROUPS_MAX`](crate::bounds::GROUPS_MAX).
    pub groups: Arc<[Arc<str>]>,
    /// What must be the same on all members, at most [`PARAMETERS_MAX`](crate::bounds::PARAMETERS_MAX), by name.
    pub parameters: Arc<[Parameter]>,
}

/// Something on which all members must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Name of the option.
    pub name: Arc<str>,
    /// Its value, for people; the beginning of a long one.
    pub shown: Arc<str>,
    /// Digest of the whole value.
    pub digest: u64,
}

/// One member of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its process on the bus.
    pub id: MemberId,
    /// Epoch of the first view it was in.
    pub since: u64,
    /// Who it says it is.
    pub card: Card,
}

/// A view. See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Grows with every view of a member, from 1.
    pub epoch: u64,
    /// This process.
    pub own: MemberId,
    /// All members, this one included.
    pub members: BTreeMap<MemberId, Member>,
}

/// A member that has another value than the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Who.
    pub name: Arc<str>,
    /// Which parameter.
    pub parameter: Arc<str>,
    /// Its value.
    pub theirs: Arc<str>,
    /// The others' value.
    pub others: Arc<str>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, parameter, theirs, others } = self;
        write!(f, "{parameter} is {theirs} on {name} and {others} on the others; make it equal")
    }
}

impl Parameter {
    /// Returns the parameter with this value.
    pub fn new(name: &str, value: &str) -> Self {
        let shown = &value[..value.floor_char_boundary(crate::bounds::NAME_BYTES_MAX)];
        Self { name: name.into(), shown: shown.into(), digest: DIGEST.checksum(value.as_bytes()) }
    }
}

impl Card {
    /// Tells whether the member is in a group, whose names have no case.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own.eq_ignore_ascii_case(group))
    }
}

impl Member {
    /// Returns its private name on the bus in the manual's form: `#ec0-<pid>#<node>`, or `#<host>#<host>`.
    pub fn private_name(&self) -> String {
        let name = &self.card.name;
        match self.card.role {
            Role::Node => format!("#ec0-{}#{name}", self.id.process),
            Role::Manager => format!("#{name}#{name}"),
        }
    }

    /// Returns the private name under which it sends shared objects; managers have one name for everything.
    pub fn sender_name(&self) -> String {
        match self.card.role {
            Role::Node => format!("#ec1-{}#{}", self.id.process, self.card.name),
            Role::Manager => self.private_name(),
        }
    }
}

impl View {
    /// Returns this process's own member.
    pub fn own(&self) -> Option<&Member> {
        self.members.get(&self.own)
    }

    /// Returns the leader: the node that has been a member for longest; no manager is.
    pub fn leader(&self) -> Option<&Member> {
        let nodes = self.members.values().filter(|member| member.card.role == Role::Node);
        nodes.min_by_key(|member| (member.since, &member.card.name, member.id))
    }

    /// Returns the members with a node name; more than one if two processes use it.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Member> {
        self.members.values().filter(move |member| member.card.name.eq_ignore_ascii_case(name))
    }

    /// Returns a number that is the same for all who hold this view, and another for every other view.
    pub fn digest(&self) -> u64 {
        let mut digest = DIGEST.digest();
        digest.update(&self.epoch.to_le_bytes());
        for member in self.members.values() {
            digest.update(&member.id.host.to_le_bytes());
            digest.update(&member.id.process.to_le_bytes());
            digest.update(&member.card.incarnation.to_le_bytes());
            digest.update(member.card.name.as_bytes());
        }
        digest.finalize()
    }

    /// Returns who differs from the others in what must be the same. What most members have is right; among as many, what the
    /// oldest of them has. A parameter that a member does not say differs from every value.
    pub fn differences(&self) -> Vec<Difference> {
        let mut names =
            self.members.values().flat_map(|member| member.card.parameters.iter()).collect::<Vec<_>>();
        names.sort_by(|a, b| a.name.cmp(&b.name));
        names.dedup_by(|a, b| a.name == b.name);
        names.into_iter().flat_map(|parameter| self.differences_in(&parameter.name)).collect()
    }

    fn differences_in(&self, name: &Arc<str>) -> Vec<Difference> {
        let said = self
            .members
            .values()
            .map(|member| (member, member.card.parameters.iter().find(|parameter| parameter.name == *name)));
        let said = said.collect::<Vec<_>>();
        let digest = |parameter: Option<&Parameter>| parameter.map(|parameter| parameter.digest);
        let weight = |value: Option<u64>| {
            let holders = said.iter().filter(|(_, parameter)| digest(*parameter) == value);
            (holders.clone().count(), Reverse(holders.map(|(member, _)| (member.since, member.id)).min()))
        };
        let Some((_, right)) = said.iter().max_by_key(|(_, parameter)| weight(digest(*parameter))) else {
            return Vec::new();
        };
        let shown = |parameter: Option<&Parameter>| match parameter {
            Some(parameter) => parameter.shown.clone(),
            None => "nothing".into(),
        };
        let others = said.iter().filter(|(_, parameter)| digest(*parameter) != digest(*right));
        let difference = |(member, parameter): &(&Member, Option<&Parameter>)| Difference {
            name: member.card.name.clone(),
            parameter: name.clone(),
            theirs: shown(*parameter),
            others: shown(*right),
        };
        others.map(difference).collect()
    }
}

/// CRC-64/XZ: tells differing values apart; nothing relies on it against an enemy.
const DIGEST: crc::Crc<u64> = crc::Crc::<u64>::new(&crc::CRC_64_XZ);

//! What a control client is told, read off the node.
use super::{Cluster, beats, table_name};
use crate::host::{
    control::{
        Answer, Query,
        shape::{
            Drift, Failure, KernelStatus, KernelTable, MemberCounts, MemberRow, Membership, MeshStatus,
            ObjectStatus, Request, SharedList, Status, cluster::Hello,
        },
    },
    counting::State,
};
use convoy_common::count::Direction;
use convoy_core::{
    group::{self, view::Role},
    node::{Member, Node},
    time::{Instant, Span},
    wire::Object,
};

impl Cluster {
    pub(super) fn answer(&self, query: &Query) {
        let answer = match &query.request {
            Request::All(request) => return self.ask_all(request, query),
            // These feed the node, so they must not be asked while it is read.
            Request::Broadcast(request) if self.is_manager() => self.broadcast(request, &query.caller),
            Request::Reset => {
                self.reset(&query.caller);
                Ok(Answer::Cluster(Box::new(self.cluster_info(&self.mesh.node()))))
            }
            request => self.answer_of_vips(request).unwrap_or_else(|| self.answer_to(request)),
        };
        if query.reply.try_send(answer).is_err() {
            tracing::debug!("a control client left before its answer");
        }
    }

    fn answer_to(&self, request: &Request) -> Result<Answer, Failure> {
        let node = self.mesh.node();
        match request {
            Request::Status => Ok(Answer::Status(Box::new(self.status(&node)))),
            Request::Membership => Ok(Answer::Membership(Membership { members: self.member_rows(&node) })),
            Request::SharedList => Ok(Answer::SharedList(SharedList { objects: objects(&node) })),
            Request::Hello => Ok(Answer::Hello(hello(&node))),
            Request::Cluster => Ok(Answer::Cluster(Box::new(self.cluster_info(&node)))),
            Request::Broadcast(_) | Request::Retrieve(_) | Request::Flush
                if node.settings().standing.role == Role::Node =>
            {
                Err(Failure::new(
                    "this is a node; managers give commands to nodes, and any node with convoy --all",
                ))
            }
            Request::Retrieve(request) => self.retrieve(request),
            Request::Flush => Ok(self.flush()),
            Request::All(_)
            | Request::Broadcast(_)
            | Request::Reset
            | Request::Vips
            | Request::VipMove(_)
            | Request::VipDrain(_)
            | Request::VipAnnounce
            | Request::VipHistory
            | Request::VipDebug { .. }
            | Request::Arp => unreachable!("taken before"),
            Request::Drift => Ok(Answer::Drift(self.drift())),
            Request::SharedShow { object, from }
            | Request::SharedQuery { object, from, .. }
            | Request::SharedTop { object, from, .. } => view(&node, object, from.as_deref()),
        }
    }

    fn is_manager(&self) -> bool {
        self.mesh.node().settings().standing.role == Role::Manager
    }

    fn status(&self, node: &Node) -> Status {
        let now = self.mesh.now();
        let members = self.members(node);
        let count = |state| members.iter().filter(|member| member.state == state).count();
        let kernel = self.kernel.borrow();
        let role = node.settings().standing.role;
        let mut troubles = members.iter().filter_map(trouble).collect::<Vec<_>>();
        troubles.extend(kernel.iter().flat_map(kernel_troubles));
        let (bus, heartbeats) = (self.agreed.state(), self.heartbeats.snapshot());
        troubles.extend(self.bus_troubles(node, bus.as_ref(), &heartbeats));
        troubles.extend(heartbeats.trouble.iter().map(ToString::to_string));
        troubles.extend(self.kept.borrow().iter().map(|option| {
            format!("{option} is another in the configuration; restart convoyd for it to take effect")
        }));
        Status {
            node: node.settings().name.to_string(),
            address: self.mesh.address().map(|address| address.to_string()),
            cluster_group: node.settings().group.to_string(),
            incarnation: node.settings().incarnation,
            version: env!("CARGO_PKG_VERSION").into(),
            role: role_name(role).into(),
            state: match &*kernel {
                None if role == Role::Node => "starting",
                _ if troubles.is_empty() => "ready",
                _ => "degraded",
            }
            .into(),
            uptime_s: seconds(now.since(Instant::from_ns(0))),
            members: MemberCounts {
                alive: count(group::State::Alive),
                suspect: count(group::State::Suspect),
                gone: count(group::State::Gone),
            },
            objects: objects(node),
            kernel: kernel.as_ref().map(kernel_status).unwrap_or_default(),
            drift: self.drift(),
            bus: self.bus_status(node, bus.as_ref()),
            mesh: self.mesh_status(node),
            heartbeats: beats::status(&heartbeats),
            troubles,
        }
    }

    fn mesh_status(&self, node: &Node) -> MeshStatus {
        let traffic = self.mesh.traffic();
        MeshStatus {
            sent_bytes: traffic.sent_bytes.get(),
            writes: traffic.writes.get(),
            received_bytes: traffic.received_bytes.get(),
            reads: traffic.reads.get(),
            frames: traffic.frames.get(),
            refused: node.refused(),
        }
    }

    fn drift(&self) -> Drift {
        let drift = self.kernel.borrow().as_ref().map_or_else(Default::default, |state| state.drift);
        Drift {
            inbound: drift.inbound,
            outbound: drift.outbound,
            audits: drift.audits,
            repaired: drift.repaired,
            untold: drift.untold,
        }
    }

    fn members(&self, node: &Node) -> Vec<Member> {
        node.members(self.mesh.address(), self.mesh.now())
    }

    fn member_rows(&self, node: &Node) -> Vec<MemberRow> {
        let now = self.mesh.now();
        let (heartbeats, heard_now) = (self.heartbeats.snapshot(), self.heartbeats.now());
        let heartbeats = |name: &str| {
            let found = heartbeats.peers.iter().find(|beats| *beats.name == *name);
            found.map(|beats| beats::row(beats, heard_now))
        };
        let row = |member: Member| MemberRow {
            heartbeats: heartbeats(&member.name),
            name: member.name.to_string(),
            address: member.address.map(|address| address.to_string()),
            state: member.state.to_string(),
            incarnation: member.incarnation,
            own: member.own,
            since_s: seconds(now.since(member.since)),
            heard_s: seconds(now.since(member.heard)),
            complete: member.complete,
            lagged: member.lagged,
            gaps: member.gaps,
            trouble: member.trouble,
        };
        self.members(node).into_iter().map(row).collect()
    }
}

fn kernel_status(state: &State) -> KernelStatus {
    let table = |direction: Direction| {
        let table = &state.tables[direction as usize];
        KernelTable {
            table: table_name(direction).into(),
            used: table.used,
            max: table.max,
            refused: table.refused,
            reclaimed: table.reclaimed,
        }
    };
    KernelStatus {
        bpffs: state.bpffs.display().to_string(),
        cgroup: state.cgroup.display().to_string(),
        adopted: state.adopted,
        tables: Direction::ALL.map(table).into(),
        seeded: state.seeded,
        notices_lost: state.notices_lost,
        deferred: state.deferred + state.unmarked,
    }
}

pub(super) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Node => "node",
        Role::Manager => "manager",
    }
}

/// Returns what an operator should look at on the kernel's side.
fn kernel_troubles(state: &State) -> impl Iterator<Item = String> {
    let full = |direction: Direction| {
        let table = &state.tables[direction as usize];
        (table.max > 0 && table.used >= table.max).then(|| {
            format!(
                "{} is full with {} hosts and has refused {} connections; raise max_size of its Replicate",
                table_name(direction),
                table.used,
                table.refused
            )
        })
    };
    let lost = (state.notes_lost > 0).then(|| {
        format!(
            "{} connections could not be noted while there was no room for them; audits put their hosts right",
            state.notes_lost
        )
    });
    state.troubles.iter().cloned().chain(Direction::ALL.into_iter().filter_map(full)).chain(lost)
}

fn view(node: &Node, object: &str, from: Option<&str>) -> Result<Answer, Failure> {
    let Some(object) = Object::by_name(object) else {
        let known = Object::ALL.map(Object::name).join(", ");
        return Err(Failure::new(format!("there is no object \"{object}\"; there are {known}")));
    };
    let replica = node.replica(object);
    let (view, tree) = match from {
        None => ("global", replica.global().clone()),
        Some(name) if *name == *node.settings().name => (name, replica.own().clone()),
        Some(name) => match replica.view(name) {
            Some(tree) => (name, tree.clone()),
            None if node.settings().peers.contains_key(name) => {
                return Err(Failure::new(format!("\"{name}\" takes no part now; see: convoy membership")));
            }
            None => {
                let mut names = node.settings().peers.keys().map(|name| &**name).collect::<Vec<_>>();
                names.push(&node.settings().name);
                return Err(Failure::new(format!(
                    "there is no node \"{name}\"; there are {}",
                    names.join(", ")
                )));
            }
        },
    };
    let sender = from.and_then(|name| node.view()?.named(name).next());
    let sender = sender.map(group::view::Member::sender_name);
    Ok(Answer::View { object: object.name(), view: view.into(), sender, tree })
}

fn hello(node: &Node) -> Hello {
    let settings = node.settings();
    Hello {
        role: role_name(settings.standing.role).into(),
        node: settings.name.to_string(),
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id(),
    }
}

fn objects(node: &Node) -> Vec<ObjectStatus> {
    let status = |object| {
        let (own, global) = (node.replica(object).own(), node.replica(object).global());
        ObjectStatus {
            object: object.name().into(),
            kind: "cidrtree".into(),
            replicated: node.replicates(object),
            own_hosts: own.len(),
            own_current: own.sum().current,
            own_total: own.sum().total,
            hosts: global.len(),
            current: global.sum().current,
            total: global.sum().total,
        }
    };
    Object::ALL.map(status).into()
}

/// Returns what an operator should look at in a member's row.
fn trouble(member: &Member) -> Option<String> {
    match (member.state, &member.trouble) {
        (group::State::Alive, None) => None,
        (_, Some(text)) => Some(format!("{} is {}: {text}", member.name, member.state)),
        (state, None) => Some(format!("{} is {state}", member.name)),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "for people and scripts; 53 bits hold a century of microseconds"
)]
fn seconds(span: Span) -> f64 {
    (span.as_ns() / 1_000_000) as f64 / 1_000.0
}

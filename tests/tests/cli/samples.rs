//! Answers of a cluster that is fixed, with one of everything that can be shown.
use convoy_agent::host::control::shape::{
    BusStatus, Drift, EntryRow, HeartbeatStatus, Heartbeats, KernelStatus, KernelTable, MemberCounts,
    MemberRow, Membership, MeshStatus, ObjectStatus, SharedList, SharedQuery, SharedShow, SharedTop, Status,
    all::{AllAnswers, NodeAnswer},
    cluster::Hello,
};

/// A node with a dead peer and a full table.
pub(crate) fn status() -> Status {
    Status {
        node: "mx1".into(),
        role: "node".into(),
        address: Some("10.0.0.1".into()),
        cluster_group: "mail".into(),
        incarnation: 1_763_890_000_000_001,
        version: "0.1.0".into(),
        state: "degraded".into(),
        uptime_s: 754.25,
        members: MemberCounts { alive: 2, suspect: 0, gone: 1 },
        objects: objects(),
        kernel: KernelStatus {
            bpffs: "/sys/fs/bpf/convoy".into(),
            cgroup: "/sys/fs/cgroup".into(),
            adopted: true,
            tables: vec![
                KernelTable {
                    table: "inbound_hosts".into(),
                    used: 262_144,
                    max: 262_144,
                    refused: 17,
                    reclaimed: 1,
                },
                KernelTable {
                    table: "outbound_hosts".into(),
                    used: 1,
                    max: 262_144,
                    refused: 0,
                    reclaimed: 0,
                },
            ],
            seeded: 12,
            notices_lost: 3,
            deferred: 0,
        },
        drift: Drift { inbound: 1, outbound: 0, audits: 25, repaired: 4, untold: 0 },
        bus: BusStatus {
            engine: "corosync".into(),
            epoch: Some(12),
            members: 3,
            leader: Some("mx2".into()),
            forming: true,
            sent: 17,
            received: 1_203,
            unsent: 1,
        },
        mesh: MeshStatus {
            sent_bytes: 1_234_567,
            writes: 2_048,
            received_bytes: 999,
            reads: 12,
            frames: 15,
            refused: 1,
        },
        heartbeats: HeartbeatStatus {
            priority: "real-time".into(),
            sent: 15_084,
            refused: ["address", "damaged", "foreign", "unknown", "version"]
                .map(|why| (why.into(), 0))
                .into(),
            deferred: 0,
            late_max_s: 0.001,
        },
        troubles: vec![
            "mx3 is gone: no connection to 10.0.0.3: Connection refused (os error 111)".into(),
            "inbound_hosts is full; raise its size".into(),
        ],
    }
}

/// A node alone, all well.
pub(crate) fn status_alone() -> Status {
    Status {
        address: None,
        state: "ready".into(),
        members: MemberCounts { alive: 1, suspect: 0, gone: 0 },
        drift: Drift { inbound: 0, outbound: 0, audits: 1, repaired: 0, untold: 0 },
        bus: BusStatus {
            engine: "solo".into(),
            epoch: Some(1),
            members: 1,
            leader: Some("mx1".into()),
            sent: 1,
            received: 2,
            ..BusStatus::default()
        },
        mesh: MeshStatus::default(),
        kernel: KernelStatus {
            adopted: false,
            seeded: 1,
            notices_lost: 0,
            deferred: 0,
            tables: Vec::new(),
            ..status().kernel
        },
        troubles: Vec::new(),
        ..status()
    }
}

/// A node that has just been started: nothing is known of its kernel's side.
pub(crate) fn status_starting() -> Status {
    Status {
        state: "starting".into(),
        uptime_s: 0.2,
        kernel: KernelStatus::default(),
        drift: Drift::default(),
        bus: BusStatus { engine: "corosync".into(), ..BusStatus::default() },
        ..status_alone()
    }
}

/// Both objects, one of them not replicated.
pub(crate) fn objects() -> Vec<ObjectStatus> {
    vec![
        ObjectStatus {
            object: "inbound_cidr".into(),
            kind: "cidrtree".into(),
            replicated: true,
            own_hosts: 4,
            own_current: 37,
            own_total: 12_345,
            hosts: 12,
            current: 105,
            total: 1_034_567,
        },
        ObjectStatus {
            object: "outbound_cidr".into(),
            kind: "cidrtree".into(),
            replicated: false,
            own_hosts: 0,
            own_current: 0,
            own_total: 0,
            hosts: 0,
            current: 0,
            total: 0,
        },
    ]
}

/// Four nodes: well, in trouble, refusing, silent.
pub(crate) fn all_statuses() -> AllAnswers {
    let answer = |node: &str, code, answer: Option<String>, missing: Option<&str>| NodeAnswer {
        node: node.into(),
        code,
        answer,
        missing: missing.map(Into::into),
        after_ms: 1.5,
        age_s: 0.0,
    };
    let json = |status: Status| Some(serde_json::to_string(&status).unwrap());
    let well = Status { state: "ready".into(), drift: Drift::default(), troubles: vec![], ..status() };
    let busy = Some("{\"error\":\"convoyd is stopping\"}".into());
    AllAnswers {
        answers: vec![
            answer("mx1", Some(0), json(well), None),
            answer("mx2", Some(0), json(Status { node: "mx2".into(), ..status() }), None),
            answer("mx3", Some(1), busy, None),
            answer("mx4", None, None, Some("no answer in time")),
        ],
    }
}

pub(crate) fn shared_list() -> SharedList {
    SharedList { objects: objects() }
}

/// A node in every state, with every kind of trouble.
pub(crate) fn membership() -> Membership {
    let member = |name: &str, state: &str, trouble: Option<&str>| MemberRow {
        name: name.into(),
        address: Some(format!("10.0.0.{}", &name[2..])),
        state: state.into(),
        incarnation: Some(1_763_890_000_000_001),
        own: false,
        since_s: 83.5,
        heard_s: 0.04,
        complete: true,
        lagged: 0,
        gaps: 0,
        trouble: trouble.map(Into::into),
        heartbeats: Some(Heartbeats { heard: 7_517, ..Heartbeats::default() }),
    };
    Membership {
        members: vec![
            MemberRow { own: true, since_s: 7_384.0, heard_s: 0.0, ..member("mx1", "alive", None) },
            MemberRow { complete: false, lagged: 2, gaps: 1, ..member("mx2", "alive", None) },
            MemberRow { heard_s: 1.2, ..member("mx3", "suspect", None) },
            MemberRow {
                heard_s: 400.0,
                ..member("mx4", "gone", Some("no connection to 10.0.0.4: Connection refused (os error 111)"))
            },
            MemberRow {
                heard_s: 83.0,
                incarnation: None,
                ..member("mx5", "gone", Some("no connection to 10.0.0.5: no answer within 5 s"))
            },
            member(
                "mx6",
                "alive",
                Some(
                    "no connection to 10.0.0.6: it refuses this node: \"mx1\" (10.0.0.1) is not in the peer list of \"mx6\"; add it to msgc_server peers",
                ),
            ),
            member(
                "mx7",
                "suspect",
                Some("dropped its connection: frame 7 is damaged: checksum 0000002a, computed 0000002b"),
            ),
        ],
    }
}

fn entry(prefix: &str, current: u64, total: u64) -> EntryRow {
    EntryRow { prefix: prefix.into(), current, total }
}

pub(crate) fn hello() -> Hello {
    Hello { role: "node".into(), node: "mx1".into(), version: "0.1.0".into(), pid: 4711 }
}

/// A tree of both families, three branches deep.
pub(crate) fn shared_show() -> SharedShow {
    SharedShow {
        object: "inbound_cidr".into(),
        kind: "cidrtree".into(),
        view: "global".into(),
        sender: None,
        entries: vec![
            entry("0.0.0.0/0", 1_205, 45_678),
            entry("10.1.0.0/16", 205, 5_678),
            entry("10.1.2.0/30", 5, 78),
            entry("10.1.2.1/32", 2, 8),
            entry("10.1.2.2/32", 3, 70),
            entry("10.1.200.9/32", 200, 5_600),
            entry("192.0.2.25/32", 1_000, 40_000),
            entry("2001:db8::/32", 2, 3),
            entry("2001:db8::25/128", 2, 2),
            entry("2001:db8:ffff::1/128", 0, 1),
        ],
    }
}

/// A view without a host.
pub(crate) fn shared_show_empty() -> SharedShow {
    SharedShow { view: "mx2".into(), entries: Vec::new(), ..shared_show() }
}

pub(crate) fn shared_query() -> SharedQuery {
    SharedQuery {
        object: "inbound_cidr".into(),
        view: "mx2".into(),
        prefix: "192.0.2.0/24".into(),
        current: 1_000,
        total: 40_000,
    }
}

pub(crate) fn shared_top() -> SharedTop {
    SharedTop {
        object: "inbound_cidr".into(),
        view: "global".into(),
        bits: None,
        entries: vec![
            entry("192.0.2.0/24", 1_000, 40_000),
            entry("10.1.200.0/24", 200, 5_600),
            entry("10.1.2.0/24", 5, 78),
            entry("2001:db8::/64", 2, 2),
            entry("2001:db8:ffff::/64", 0, 1),
        ],
    }
}

pub(crate) fn drift() -> Drift {
    Drift { inbound: 0, outbound: 2, audits: 1_440, repaired: 3, untold: 2 }
}

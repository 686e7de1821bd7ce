//! From a snapshot to the JSON of an answer, on the client's own thread.
use super::shape::{
    Drift, EntryRow, Failure, Membership, Request, SharedList, SharedQuery, SharedTop, Status,
    all::{AllAnswers, Flushed, Sent},
    cluster::{ClusterInfo, Hello},
    vip::{Announced, ArpTable, Debugging, Drained, HostFigures, Moves, Moving, VipRow, Vips},
};
use crate::host::address::Snapshot;
use convoy_common::prefix::Prefix;
use convoy_core::{
    counters::{CidrTree, Row},
    vip,
};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use std::io::{self, Write};

/// What the cluster thread hands out: small answers whole, trees as snapshots that share their memory.
#[derive(Debug)]
pub enum Answer {
    /// To `status`.
    Status(Box<Status>),
    /// To `membership`.
    Membership(Membership),
    /// To `shared list`.
    SharedList(SharedList),
    /// To `drift`.
    Drift(Drift),
    /// To `hello`.
    Hello(Hello),
    /// To `cluster` and `cluster reset`.
    Cluster(Box<ClusterInfo>),
    /// To `broadcast`.
    Sent(Sent),
    /// To `flush control cache`.
    Flushed(Flushed),
    /// To `all` and `retrieve`.
    All(AllAnswers),
    /// To `vips`, for the client's thread to write.
    Vips {
        /// The addresses.
        rows: Vec<vip::Row>,
        /// Whether this node's kernel may answer for what it has.
        firm: bool,
        /// Nodes that are to have nothing.
        drained: Vec<String>,
        /// Whether the members are still to agree on one table.
        exchanging: bool,
        /// What this host did about them.
        host: Option<Snapshot>,
    },
    /// To `vip move`.
    Moving(Moving),
    /// To `vip drain`.
    Drained(Drained),
    /// To `vip announce`.
    Announced(Announced),
    /// To `vip debug`.
    Debugging(Debugging),
    /// To `vip history`.
    Moves(Moves),
    /// To `arp`.
    Arp(ArpTable),
    /// To every question about one view of an object.
    View {
        /// Name of the object.
        object: &'static str,
        /// `global`, or the node whose view it is.
        view: String,
        /// Private name under which that node sends it, if it is in the agreed view.
        sender: Option<String>,
        /// The counts.
        tree: CidrTree,
    },
}

impl Answer {
    pub(super) fn write(self, request: &Request, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Status(status) => serde_json::to_writer(to, &status)?,
            Self::Membership(membership) => serde_json::to_writer(to, &membership)?,
            Self::SharedList(list) => serde_json::to_writer(to, &list)?,
            Self::Hello(hello) => serde_json::to_writer(to, &hello)?,
            Self::Cluster(info) => serde_json::to_writer(to, &info)?,
            Self::Sent(sent) => serde_json::to_writer(to, &sent)?,
            Self::Flushed(flushed) => serde_json::to_writer(to, &flushed)?,
            Self::All(answers) => serde_json::to_writer(to, &answers)?,
            Self::Drift(drift) => serde_json::to_writer(to, &drift)?,
            Self::Vips { rows, firm, drained, exchanging, host } => {
                let vips = rows.into_iter().map(VipRow::from).collect();
                serde_json::to_writer(
                    to,
                    &Vips { vips, firm, drained, exchanging, host: host.map(HostFigures::from) },
                )?;
            }
            Self::Moving(moving) => serde_json::to_writer(to, &moving)?,
            Self::Drained(drained) => serde_json::to_writer(to, &drained)?,
            Self::Announced(announced) => serde_json::to_writer(to, &announced)?,
            Self::Debugging(debugging) => serde_json::to_writer(to, &debugging)?,
            Self::Moves(moves) => serde_json::to_writer(to, &moves)?,
            Self::Arp(table) => serde_json::to_writer(to, &table)?,
            Self::View { object, view, sender, tree } => {
                write_view(object, view, sender.as_deref(), &tree, request, to)?;
            }
        }
        Ok(())
    }
}

fn write_view(
    object: &str,
    view: String,
    sender: Option<&str>,
    tree: &CidrTree,
    request: &Request,
    to: &mut impl Write,
) -> Result<(), serde_json::Error> {
    match request {
        Request::SharedQuery { prefix, .. } => match prefix.parse::<Prefix>() {
            Ok(prefix) => {
                let count = tree.sum_below(prefix);
                let answer = SharedQuery {
                    object: object.into(),
                    view,
                    prefix: prefix.to_string(),
                    current: count.current,
                    total: count.total,
                };
                serde_json::to_writer(to, &answer)
            }
            Err(error) => serde_json::to_writer(to, &Failure::new(format!("\"{prefix}\": {error}"))),
        },
        Request::SharedTop { bits, limit, .. } => {
            let rows = tree.top(bits.unwrap_or(24), bits.unwrap_or(64), limit.unwrap_or(20));
            let entries = rows.into_iter().map(EntryRow::from).collect();
            serde_json::to_writer(to, &SharedTop { object: object.into(), view, bits: *bits, entries })
        }
        _ => serde_json::to_writer(to, &Listing { object, view: &view, sender, tree }),
    }
}

/// A whole view, written row by row.
struct Listing<'a> {
    object: &'a str,
    view: &'a str,
    sender: Option<&'a str>,
    tree: &'a CidrTree,
}

impl Serialize for Listing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut listing = serializer.serialize_struct("SharedShow", 5)?;
        listing.serialize_field("object", self.object)?;
        listing.serialize_field("kind", "cidrtree")?;
        listing.serialize_field("view", self.view)?;
        listing.serialize_field("sender", &self.sender)?;
        listing.serialize_field("entries", &Rows(self.tree))?;
        listing.end()
    }
}

struct Rows<'a>(&'a CidrTree);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.rows().into_iter().map(EntryRow::from))
    }
}

impl From<Row> for EntryRow {
    fn from(row: Row) -> Self {
        Self { prefix: row.prefix.to_string(), current: row.count.current, total: row.count.total }
    }
}

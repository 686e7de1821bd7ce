//! One table for all members of a new view.
//!
//! ```text
//!   view --> each says the digest of its table --> all equal, everybody in it: go on with it
//!                                             `--> each reports itself --> all have: merge
//! ```
//! Every step is taken at the same place of the agreed order by all. What arrives meanwhile waits and is applied when
//! the table stands; if another view comes first, it is applied to the tables as they were, and the exchange begins anew.
use super::{
    Offered,
    table::{Claim, Report},
};
use crate::{
    bounds,
    group::bus::MemberId,
    wire::vip::{Part, Said},
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    vec::Vec,
};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    /// Of the view that it began with.
    epoch: u64,
    nodes: BTreeSet<MemberId>,
    digests: BTreeMap<MemberId, u64>,
    /// Tables differ: reports are awaited.
    reporting: bool,
    gathered: BTreeMap<MemberId, Gathered>,
    waiting: VecDeque<(MemberId, Said)>,
}

/// The parts of one member's report so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    report: Report,
    offer: Vec<Offered>,
    whole: bool,
}

/// What an exchange has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing yet.
    Waiting,
    /// This node is to report itself.
    Report,
    /// All have the same table.
    Equal,
    /// All have reported.
    Reports(BTreeMap<MemberId, Report>),
}

impl Exchange {
    /// Begins with a view of these nodes.
    pub(super) fn new(epoch: u64, nodes: BTreeSet<MemberId>) -> Self {
        Self {
            epoch,
            nodes,
            digests: BTreeMap::new(),
            reporting: false,
            gathered: BTreeMap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Returns the number of the view that it began with.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns what waits until the table stands.
    pub(super) fn into_waiting(self) -> VecDeque<(MemberId, Said)> {
        self.waiting
    }

    /// Takes an agreed message. `complete`: this node's table has all nodes of the view in it.
    pub(super) fn take(&mut self, sender: MemberId, said: Said, complete: bool) -> Progress {
        match said {
            Said::Digest { epoch, digest } if epoch == self.epoch && self.nodes.contains(&sender) => {
                self.digests.insert(sender, digest);
                if self.reporting || self.digests.len() < self.nodes.len() {
                    return Progress::Waiting;
                }
                let mut digests = self.digests.values();
                let first = digests.next();
                if complete && digests.all(|digest| Some(digest) == first) {
                    return Progress::Equal;
                }
                self.reporting = true;
                Progress::Report
            }
            Said::Digest { .. } => Progress::Waiting, // of a view that is over
            Said::Part(part) if part.epoch == self.epoch && self.nodes.contains(&sender) => {
                self.gathered.entry(sender).or_default().take(part);
                self.reports()
            }
            Said::Part(part) if part.epoch != 0 => Progress::Waiting, // the same
            said => {
                // All members see the same messages in an exchange and pass over the same ones.
                if self.waiting.len() < bounds::VIP_WAITING_MAX {
                    self.waiting.push_back((sender, said));
                }
                Progress::Waiting
            }
        }
    }

    fn reports(&mut self) -> Progress {
        let whole = |node: &MemberId| self.gathered.get(node).is_some_and(|gathered| gathered.whole);
        if !self.nodes.iter().all(whole) {
            return Progress::Waiting;
        }
        let gathered = core::mem::take(&mut self.gathered).into_iter();
        Progress::Reports(gathered.map(|(member, gathered)| (member, gathered.into_report())).collect())
    }
}

impl Gathered {
    /// Takes one part; the first one begins anew. Returns whether it is whole now.
    pub(super) fn take(&mut self, part: Part) -> bool {
        if part.first {
            *self = Self::default();
            self.report = Report {
                formed: part.formed,
                firm: part.firm,
                leaving: part.leaving,
                weight: part.weight,
                drained: part.drained,
                ..Report::default()
            };
        }
        for (offered, claim) in part.entries {
            if self.offer.len() < bounds::VIPS_MAX {
                self.offer.push(offered);
                self.report.claims.push(claim);
            }
        }
        self.whole = part.last;
        self.whole
    }

    /// Returns the whole report; the offer is in order.
    pub(super) fn into_report(self) -> Report {
        let Self { mut report, offer, .. } = self;
        let mut both = offer.into_iter().zip(report.claims).collect::<Vec<_>>();
        both.sort_by_key(|(offered, _)| offered.address);
        both.dedup_by_key(|(offered, _)| offered.address);
        let (offer, claims) = both.into_iter().unzip::<_, _, Vec<Offered>, Vec<Claim>>();
        (report.offer, report.claims) = (Arc::from(offer), claims);
        report
    }
}

/// Returns a report in parts that fit the bus. `epoch` is 0 for one that nobody asked for.
pub(super) fn parts(epoch: u64, report: &Report) -> Vec<Said> {
    let mut parts = Vec::new();
    let mut entries = Vec::new();
    let mut bytes = 0;
    let part = |entries, first, last| {
        Said::Part(Part {
            epoch,
            first,
            last,
            formed: report.formed,
            firm: report.firm,
            leaving: report.leaving,
            weight: report.weight,
            drained: if first { report.drained.clone() } else { Vec::new() },
            entries,
        })
    };
    for (offered, claim) in report.offer.iter().zip(&report.claims) {
        let names = offered.bindings.iter().chain(offered.services.iter()).map(|name| name.len() + 2);
        let own = 64 + names.sum::<usize>() + offered.preference.as_ref().map_or(0, |name| name.len());
        if bytes + own > bounds::VIP_PART_BYTES && !entries.is_empty() {
            parts.push(part(core::mem::take(&mut entries), parts.is_empty(), false));
            bytes = 0;
        }
        bytes += own;
        entries.push((offered.clone(), *claim));
    }
    let first = parts.is_empty();
    parts.push(part(entries, first, true));
    parts
}

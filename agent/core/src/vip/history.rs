//! What moved, when and why: the latest [`VIP_HISTORY_MAX`](crate::bounds::VIP_HISTORY_MAX) moves; older ones go.
use super::Cause;
use crate::{
    bounds,
    time::{Instant, Span},
};
use alloc::{collections::VecDeque, sync::Arc, vec::Vec};
use core::net::IpAddr;

/// Addresses that moved together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When this node learnt of it.
    pub at: Instant,
    /// Who had them.
    pub from: Option<Arc<str>>,
    /// Who has them.
    pub to: Option<Arc<str>>,
    /// Why.
    pub cause: Cause,
    /// The first of them.
    pub first: IpAddr,
    /// How many.
    pub count: usize,
    /// For how long nobody answered for them, as far as this node knows: from the last sign of the old owner until the
    /// last of them was held here. None where this node did not take them over, or not all are held yet.
    pub outage: Option<Span>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct History {
    records: VecDeque<Record>,
}

impl History {
    pub(super) fn push(&mut self, record: Record) {
        if self.records.len() >= bounds::VIP_HISTORY_MAX {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    /// Everything that came here in the latest moves is held: that was the outage.
    pub(super) fn held(&mut self, own: &str, since: Instant, now: Instant) {
        for record in self.records.iter_mut().rev().take(bounds::NODES_MAX) {
            if record.cause.is_loss()
                && record.at >= since
                && record.outage.is_none()
                && record.to.as_deref() == Some(own)
            {
                record.outage = Some(now.since(since));
            }
        }
    }

    /// Returns the moves, the latest first.
    pub fn latest(&self) -> Vec<Record> {
        self.records.iter().rev().cloned().collect()
    }
}

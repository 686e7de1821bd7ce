//! The leader's part where connections are evened: it alone decides, by what it knows, and all carry it out.
//!
//! Counts of connections travel by another way than the table and are not the same everywhere at one time; so the moves
//! are agreed on, not the counts.
use super::{Holder, Instant, IpAddr, MemberId, Said, Vec};
use crate::vip::Balance;
use alloc::collections::BTreeMap;

/// Addresses that this node had moved lately, and until when they stay.
#[derive(Clone, Debug, Default)]
pub(super) struct Relief(BTreeMap<IpAddr, Instant>);

impl Holder {
    /// Tells whether the next input is to be [`Input::Connections`](crate::vip::Input::Connections).
    pub fn counts_connections(&self, now: Instant) -> bool {
        self.settings.balance_by == Balance::Connections && self.leads() && self.is_to_balance(now)
    }

    pub(super) fn relieve(&mut self, now: Instant, connections: &[(MemberId, u64)]) {
        let Some(epoch) = self.view.as_ref().map(|view| view.epoch) else { return };
        if !self.counts_connections(now) {
            return;
        }
        let interval = self.settings.balance_interval;
        self.balance_at = Some(now + interval);
        self.relief.0.retain(|_, until| *until > now);
        let connections = connections.iter().copied().collect();
        let most = usize::try_from(self.settings.balance_set).unwrap_or(usize::MAX);
        let resting = &self.relief.0;
        let moves: Vec<_> = self.table.relief(&connections, most, |address| !resting.contains_key(&address));
        if moves.is_empty() {
            return;
        }
        let until = now + interval.times(REST);
        self.relief.0.extend(moves.iter().map(|(address, _)| (*address, until)));
        self.say(Said::Relieve { epoch, moves });
    }
}

/// Balancing intervals for which an address stays where it was moved to. chosen: long enough for its clients to come back,
/// and for what it really brings to be seen; what it brings is a guess when it is moved.
const REST: u64 = 10;

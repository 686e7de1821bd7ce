//! What must be the same on every member, for the members to compare.
//!
//! Source: reference section 2.2.
use super::{NodeName, Settings, view::View};
use convoy_core::{config::schema::Typed, group::view::Parameter};
use std::{collections::BTreeMap, net::IpAddr};

/// Options of the scope `cluster` on which all members must agree, by name.
const OPTIONS: &[&str] = &[
    "cluster_group",
    "control_group",
    "duravip_balance_by",
    "duravip_balance_set_size",
    "duravip_lease",
    "duravip_partition",
    "view_balance_interval",
    "view_broadcast_interval",
    "view_mature_time",
];

/// Returns the options' values, set or default, as text.
pub(super) fn values(cluster: &View<'_>) -> Vec<(&'static str, String)> {
    let shown =
        |name: &str| cluster.entries(name).iter().map(|entry| shown(&entry.value)).collect::<Vec<_>>();
    OPTIONS.iter().map(|name| (*name, shown(name).join(" "))).collect()
}

/// Equal values give equal texts, however they were written.
fn shown(value: &Typed) -> String {
    match value {
        Typed::Text(text) => text.clone(),
        Typed::Int(number) => number.to_string(),
        Typed::Span(span) => span.to_string(),
        other => format!("{other:?}"),
    }
}

impl Settings {
    /// Returns what the members compare.
    pub(super) fn parameters(&self) -> Vec<Parameter> {
        let mut parameters =
            self.agreed.iter().map(|(name, value)| Parameter::new(name, value)).collect::<Vec<_>>();
        parameters.push(Parameter::new("peers", &peers(&self.peers)));
        parameters.sort_by(|a, b| a.name.cmp(&b.name));
        parameters
    }
}

fn peers(peers: &BTreeMap<NodeName, IpAddr>) -> String {
    peers.iter().map(|(name, address)| format!("{name}={address}")).collect::<Vec<_>>().join(" ")
}

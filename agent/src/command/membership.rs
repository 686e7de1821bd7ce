//! `convoy membership`: the nodes, and below them what stands between them and this one.
use super::{
    style::{Ink, Style},
    table::{Cell, Column, Table},
    words::{ago, number, span},
};
use crate::host::control::shape::{MemberRow, Membership};
use std::io::{self, Write};

pub(super) fn write(membership: &Membership, style: Style, to: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new(&[
        Column::Left("node"),
        Column::Left("state"),
        Column::Right("for"),
        Column::Right("heard"),
        Column::Left("counts"),
        Column::Right("resent"),
        Column::Right("gaps"),
        Column::Left("address"),
        Column::Left("incarnation"),
    ]);
    for member in &membership.members {
        table.row([
            Cell::inked(Ink::Head, &*member.name),
            Cell::inked(Ink::of_state(&member.state), &*member.state),
            Cell::from(span(member.since_s)),
            Cell::from(heard(member)),
            Cell::from(counts(member)),
            Cell::inked(Ink::of_fault(member.lagged), number(member.lagged)),
            Cell::inked(Ink::of_fault(member.gaps), number(member.gaps)),
            Cell::from(member.address.as_deref().unwrap_or("none")),
            Cell::from(
                member.incarnation.map_or("never heard".into(), |incarnation| incarnation.to_string()),
            ),
        ]);
    }
    table.write(style, to)?;
    let mut troubles = membership.members.iter().filter_map(trouble).peekable();
    if troubles.peek().is_some() {
        writeln!(to)?;
    }
    troubles.try_for_each(|trouble| writeln!(to, "{} {trouble}", style.paint(Ink::Bad, "!")))
}

fn heard(member: &MemberRow) -> String {
    match (member.own, member.incarnation) {
        (true, _) => "this node".into(),
        (false, None) => "never".into(),
        (false, Some(_)) => ago(member.heard_s),
    }
}

fn counts(member: &MemberRow) -> &'static str {
    match (member.own, member.state.as_str(), member.complete) {
        (true, ..) => "its own",
        (_, "gone", _) => "none",
        (_, "suspect", _) => "standing",
        (_, _, true) => "complete",
        (_, _, false) => "arriving",
    }
}

/// Returns what stands between this node and another, and what to do about it.
fn trouble(member: &MemberRow) -> Option<String> {
    let (name, state) = (&member.name, &member.state);
    let remedy = remedy(member)?;
    let said = member.trouble.as_deref().map_or(String::new(), |trouble| format!(": {trouble}"));
    Some(match remedy {
        "" => format!("{name} is {state}{said}"),
        remedy => format!("{name} is {state}{said}\n  {remedy}"),
    })
}

/// Returns what an operator should do about a node, nothing to say if the daemon's own words say it, and `None`
/// when there is nothing to do.
fn remedy(member: &MemberRow) -> Option<&'static str> {
    let said = member.trouble.as_deref();
    let has = |text: &str| said.is_some_and(|said| said.contains(text));
    match (member.state.as_str(), said) {
        ("alive", None) => None,
        ("suspect", None) => Some("silent for a moment; its counts stand. Nothing to do unless it lasts"),
        (_, None) => Some("it left, or was silent for too long: see whether convoyd runs there"),
        _ if has("it refuses this node") || has("it answers as") || has("no heartbeats from") => Some(""),
        _ if has("peer speaks protocol version") => Some(""),
        _ if has("refused") => {
            Some("its host answers, but nothing listens: start convoyd there, and compare ECCluster_Listener")
        }
        _ if has("no answer") || has("timed out") || has("unreachable") || has("No route") => Some(
            "its host does not answer: is it up, is its address right, does a firewall let the mesh port in?",
        ),
        _ if has("dropped its connection") => {
            Some("what it sent was not taken; see the log there, and run one version of Convoy on all nodes")
        }
        _ => Some("see whether convoyd runs there, and what its log says"),
    }
}

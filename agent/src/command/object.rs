//! What is said about one view of an object; and `convoy shared query`, its sum below one prefix.
use super::{
    style::{Ink, Style},
    words::{counted, number},
};
use crate::host::control::shape::SharedQuery;
use std::io::{self, Write};

pub(super) fn write(answer: &SharedQuery, style: Style, to: &mut impl Write) -> io::Result<()> {
    let current = style.paint(Ink::Head, &format!("{} current", number(answer.current)));
    let total = number(answer.total);
    let (prefix, view) = (&answer.prefix, name(&answer.object, &answer.view));
    writeln!(to, "{current}, {total} total below {prefix} in {view}")
}

/// Returns whose counts of which object an answer holds.
pub(super) fn name(object: &str, view: &str) -> String {
    match view {
        "global" => format!("{object} over all nodes"),
        node => format!("{object} of {node}"),
    }
}

/// Writes the line above a listing.
pub(super) fn write_heading(
    (object, view): (&str, &str),
    (current, total): (u64, u64),
    hosts: usize,
    style: Style,
    to: &mut impl Write,
) -> io::Result<()> {
    let view = style.paint(Ink::Head, &name(object, view));
    let (current, total, hosts) = (number(current), number(total), counted(hosts, "host"));
    writeln!(to, "{view}: {current} current, {total} total, {hosts}")
}

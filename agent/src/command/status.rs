//! `convoy status`: the node on one screen.
use super::{
    listing,
    style::{Ink, Style},
    words::{bytes, counted, number, span},
};
use crate::host::control::shape::{BusStatus, Drift, KernelStatus, MemberCounts, MeshStatus, Status};
use std::io::{self, Write};

pub(super) fn write(status: &Status, style: Style, to: &mut impl Write) -> io::Result<()> {
    let state = style.paint(Ink::of_state(&status.state), &status.state);
    let at = status.address.as_deref().map_or(" (alone)".to_owned(), |address| format!(" ({address})"));
    let (node, group) = (style.paint(Ink::Head, &status.node), &status.cluster_group);
    let (up, version) = (span(status.uptime_s), &status.version);
    let role = if status.role == "manager" { "manager " } else { "" };
    writeln!(to, "{role}{node}{at} is {state}: group \"{group}\", up {up}, convoyd {version}\n")?;
    listing::write_objects(&status.objects, style, to)?;
    writeln!(to)?;
    write_members(status.members, style, to)?;
    if status.role != "manager" {
        write_kernel(&status.kernel, style, to)?;
        write_drift(status.drift, style, to)?;
    }
    write_bus(&status.bus, style, to)?;
    write_mesh(&status.mesh, style, to)?;
    if !status.troubles.is_empty() {
        writeln!(to)?;
    }
    for trouble in &status.troubles {
        writeln!(to, "{} {trouble}", style.paint(Ink::Bad, "!"))?;
    }
    match status.members.suspect + status.members.gone {
        0 => Ok(()),
        _ => writeln!(to, "  what to do about a node: convoy membership"),
    }
}

fn write_members(members: MemberCounts, style: Style, to: &mut impl Write) -> io::Result<()> {
    let states = [("alive", members.alive), ("suspect", members.suspect), ("gone", members.gone)];
    let shown = states.into_iter().filter(|(_, count)| *count > 0);
    let shown =
        shown.map(|(state, count)| style.paint(Ink::of_state(state), &format!("{} {state}", number(count))));
    let shown = shown.collect::<Vec<_>>().join(", ");
    writeln!(to, "{}{shown}", label("nodes", style))
}

fn write_kernel(kernel: &KernelStatus, style: Style, to: &mut impl Write) -> io::Result<()> {
    if kernel.cgroup.is_empty() {
        return writeln!(to, "{}not counting yet", label("kernel", style));
    }
    let found = if kernel.adopted { "taken over" } else { "made new" };
    writeln!(to, "{}counting below {}", label("kernel", style), kernel.cgroup)?;
    writeln!(to, "{}tables in {} ({found} at the start)", label("", style), kernel.bpffs)?;
    for table in &kernel.tables {
        let (name, used, max) = (&table.table, counted(table.used, "host"), number(table.max));
        write!(to, "{}{name}: {used} of at most {max}", label("", style))?;
        if table.reclaimed > 0 {
            write!(to, "; {} taken out to make room", counted(table.reclaimed, "idle host"))?;
        }
        if table.refused > 0 {
            let refused = counted(table.refused, "connection");
            write!(to, "; {}", style.paint(Ink::Bad, &format!("full: {refused} not counted")))?;
        }
        writeln!(to)?;
    }
    let seeded = counted(kernel.seeded, "connection");
    writeln!(to, "{}{seeded} older than the counting, taken from the socket table", label("", style))?;
    for (count, what, text) in [
        (kernel.deferred, "connection", "counted late, by a sweep of the socket table"),
        (kernel.notices_lost, "notice", "lost, each made up by a full read"),
    ] {
        if count > 0 {
            writeln!(to, "{}{} {text}", label("", style), counted(count, what))?;
        }
    }
    Ok(())
}

fn write_drift(drift: Drift, style: Style, to: &mut impl Write) -> io::Result<()> {
    if drift.audits == 0 {
        return writeln!(to, "{}no audit yet", label("drift", style));
    }
    let off = |count| style.paint(Ink::of_fault(count), &number(count));
    let (inbound, outbound) = (off(drift.inbound), off(drift.outbound));
    let (audits, repaired) = (counted(drift.audits, "audit"), number(drift.repaired));
    let label = label("drift", style);
    writeln!(
        to,
        "{label}{inbound} inbound, {outbound} outbound at the latest of {audits}; {repaired} put right"
    )
}

fn write_bus(bus: &BusStatus, style: Style, to: &mut impl Write) -> io::Result<()> {
    let BusStatus { engine, epoch, members, leader, forming, sent, received, unsent } = bus;
    let label = label("bus", style);
    let Some(epoch) = epoch else {
        let lost = style.paint(Ink::Bad, "no view");
        return writeln!(to, "{label}{engine}: {lost}; commands reach this node alone");
    };
    let (members, epoch) = (counted(*members, "member"), number(*epoch));
    let leader = leader.as_deref().unwrap_or("nobody");
    let forming = if *forming { ", forming the next" } else { "" };
    write!(to, "{label}{engine}: view {epoch} of {members}, {leader} leads{forming}; ")?;
    write!(to, "sent {}, received {}", counted(*sent, "message"), number(*received))?;
    if *unsent > 0 {
        write!(to, "; {}", style.paint(Ink::Bad, &format!("{} not sent", number(*unsent))))?;
    }
    writeln!(to)
}

fn write_mesh(mesh: &MeshStatus, style: Style, to: &mut impl Write) -> io::Result<()> {
    let (sent, writes) = (bytes(mesh.sent_bytes), counted(mesh.writes, "write"));
    let (received, frames) = (bytes(mesh.received_bytes), counted(mesh.frames, "frame"));
    let refused = style.paint(Ink::of_fault(mesh.refused), &counted(mesh.refused, "connection"));
    let label = label("mesh", style);
    writeln!(to, "{label}sent {sent} in {writes}, received {received} in {frames}; {refused} refused")
}

fn label(text: &str, style: Style) -> String {
    // Padded before it is painted: escape sequences have no width.
    style.paint(Ink::Head, &format!("{text:9}"))
}

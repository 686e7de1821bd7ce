//! The agreed view, for people.
use super::{
    style::{Ink, Style},
    table::{Column, Table},
};
use crate::host::control::shape::cluster::ClusterInfo;
use std::io::{self, Write};

/// Writes who is in the view, one line a member, and where members differ.
pub(super) fn write(info: &ClusterInfo, style: Style, to: &mut impl Write) -> io::Result<()> {
    let Some(epoch) = info.epoch else {
        return writeln!(to, "{} is on no bus now; see: convoy status", info.nodename);
    };
    let leader = info.leader.as_deref().unwrap_or("nobody");
    writeln!(to, "view {epoch} of group \"{}\" on {}; {leader} leads\n", info.cluster_group, info.engine)?;
    let mut table = Table::new(&[
        Column::Left("member"),
        Column::Left("type"),
        Column::Left("address"),
        Column::Left("subcluster"),
        Column::Right("since view"),
        Column::Left("version"),
        Column::Left("groups"),
    ]);
    for member in &info.members {
        table.row([
            member.node_name.as_str().into(),
            if member.node_type == "Manager" { "manager" } else { "node" }.into(),
            member.address.as_str().into(),
            member.subcluster.as_str().into(),
            member.since.to_string().into(),
            member.version.as_str().into(),
            member.groups.join(" ").into(),
        ]);
    }
    table.write(style, to)?;
    for difference in info.members.iter().flat_map(|member| &member.differs) {
        writeln!(to, "{} {difference}", style.paint(Ink::Bad, "!"))?;
    }
    Ok(())
}

//! What answers look like in the console: the reference's formats, column by column.
use super::{
    super::{Failed, Style, all::answered, config::render_config, parse, render, words::span},
    ask::{self, Ask},
    duravip,
};
use crate::host::control::shape::{
    SharedList, SharedShow, Status,
    all::{AllAnswers, NodeAnswer},
    authz::{self, OwnRequest},
    cluster::{CacheStatus, ClusterInfo, MemberInfo},
};
use convoy_core::console::{self, Id, Line};
use std::io::{self, Write};

/// Writes the answer to a line.
pub(super) fn write(
    line: &Line,
    ask: &Ask,
    answer: &str,
    style: Style,
    to: &mut impl Write,
) -> Result<(), Failed> {
    match line.command.id {
        Id::ClusterInfo => info(&parse(answer)?, to)?,
        Id::ClusterMembership => membership(&parse(answer)?, to)?,
        Id::ClusterNodename => writeln!(to, "{}", parse::<ClusterInfo>(answer)?.nodename)?,
        Id::ClusterNodeaddr => writeln!(to, "{}", parse::<ClusterInfo>(answer)?.nodeaddr)?,
        Id::ClusterReset => writeln!(to, "left the bus, joining again; see: cluster membership")?,
        Id::Info => manager_info(&parse(answer)?, to)?,
        Id::Version => writeln!(to, "convoyd version: {}", parse::<Status>(answer)?.version)?,
        Id::DuravipShow => duravip::state(&parse(answer)?, to)?,
        Id::SharedList => shared_list(&parse(answer)?, to)?,
        Id::SharedShow => shared_show(&parse(answer)?, to)?,
        Id::Retrieve => collected(&line.arguments, &parse(answer)?, style, to)?,
        Id::RetrieveNode | Id::SubclusterRetrieve => {
            collected(&line.arguments[1..], &parse(answer)?, style, to)?;
        }
        _ => match ask {
            Ask::Config(request) => render_config(request, answer, false, style, to)?,
            Ask::Node(request) => render(request, answer, style, to)?,
            Ask::Own(request) => own(*request, answer, to)?,
        },
    }
    Ok(())
}

/// Four lines: the bus with this process's private names, the groups.
fn info(info: &ClusterInfo, to: &mut impl Write) -> io::Result<()> {
    let names = match &info.private_names {
        Some((member, sender)) => format!("[m:{member},s:{sender}]"),
        None => "[not connected]".into(),
    };
    writeln!(to, "Daemon: {} {names}", info.engine)?;
    writeln!(to, "Control Group: {}", info.control_group)?;
    match &info.leader {
        Some(leader) => writeln!(to, "Cluster Group: {} ({leader} is leader)", info.cluster_group)?,
        None => writeln!(to, "Cluster Group: {}", info.cluster_group)?,
    }
    writeln!(to, "Logger Group: {}", info.log_group.as_deref().unwrap_or("none"))
}

/// A block a member, a blank line between.
fn membership(info: &ClusterInfo, to: &mut impl Write) -> io::Result<()> {
    for (index, member) in info.members.iter().enumerate() {
        if index > 0 {
            writeln!(to)?;
        }
        block(member, to)?;
    }
    Ok(())
}

fn block(member: &MemberInfo, to: &mut impl Write) -> io::Result<()> {
    let MemberInfo { private_name, node_name, subcluster, node_type, version, address, groups, .. } = member;
    let is_manager = node_type == "Manager";
    let named = |name: &str| if is_manager { "(Null)".to_owned() } else { name.to_owned() };
    writeln!(to, "Private Name: {private_name}")?;
    writeln!(to, "Node Name: {}", named(node_name))?;
    writeln!(to, "Subcluster: {}", named(subcluster))?;
    writeln!(to, "Node Type: {node_type}")?;
    writeln!(to, "Version: {version}")?;
    writeln!(to, "Address: {address}")?;
    writeln!(to, "Groups: {}", groups.join(","))
}

fn manager_info(info: &ClusterInfo, to: &mut impl Write) -> io::Result<()> {
    writeln!(to, "Cluster Group: {}", info.cluster_group)?;
    match info.epoch {
        Some(epoch) => {
            let nodes = info.members.iter().filter(|member| member.node_type != "Manager").count();
            let managers = info.members.len() - nodes;
            writeln!(to, "State: connected, view {epoch} of {nodes} nodes and {managers} managers")?;
        }
        None => writeln!(to, "State: not connected; see: convoy status")?,
    }
    let Some(CacheStatus { commands, dropped, trouble }) = &info.control_cache else { return Ok(()) };
    writeln!(to, "Control Cache: answers to {commands} commands, {dropped} dropped for want of room")?;
    trouble.iter().try_for_each(|trouble| writeln!(to, "{trouble}"))
}

fn own(request: OwnRequest, answer: &str, to: &mut impl Write) -> Result<(), Failed> {
    match request {
        OwnRequest::Id => {
            let authz::Id { user, number, roles, from } = parse(answer)?;
            let roles = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
            writeln!(to, "User: {user} ({number})\nRoles: {roles}\nFrom: {from}")?;
        }
        OwnRequest::Roles => {
            let authz::Roles { roles } = parse(answer)?;
            if roles.is_empty() {
                writeln!(to, "no roles are configured; see: config show Authorization")?;
            }
            for role in roles {
                writeln!(to, "{}", role.name)?;
                role.allow.iter().try_for_each(|pattern| writeln!(to, "  {pattern}"))?;
            }
        }
        OwnRequest::Shutdown => writeln!(to, "ending")?,
    }
    Ok(())
}

fn shared_list(list: &SharedList, to: &mut impl Write) -> io::Result<()> {
    writeln!(to, "Currently managed objects:")?;
    for object in &list.objects {
        writeln!(to, "{:>30} [lazy, {} w/ snapshots]", object.object, object.kind)?;
    }
    Ok(())
}

fn shared_show(show: &SharedShow, to: &mut impl Write) -> io::Result<()> {
    let view = show.sender.as_ref().unwrap_or(&show.view);
    writeln!(to, "lazy, snapped {} '{}', view '{view}'", show.kind, show.object)?;
    for entry in &show.entries {
        writeln!(to, "{:>7}{:25}{}", entry.current, "", entry.prefix)?;
    }
    Ok(())
}

/// What nodes answered to the command that `words` are, each with its age; missing nodes are named.
fn collected(words: &[String], all: &AllAnswers, style: Style, to: &mut impl Write) -> Result<(), Failed> {
    let text = super::quoted(words);
    let line = console::parse(&text).ok().flatten();
    for (index, answer) in all.answers.iter().enumerate() {
        if index > 0 {
            writeln!(to)?;
        }
        writeln!(to, "{}", heading(answer))?;
        match (&line, answered(answer)) {
            // The heading has said it.
            _ if answer.missing.is_some() => {}
            (_, Err(why)) => writeln!(to, "{why}")?,
            (Some(line), Ok(text)) => write(line, &ask::of(line, "")?, text, style, to)?,
            (None, Ok(_)) => {}
        }
    }
    if all.answers.is_empty() {
        writeln!(to, "no node has answered yet; see: show cluster membership")?;
    }
    Ok(())
}

fn heading(answer: &NodeAnswer) -> String {
    match &answer.missing {
        Some(missing) => format!("{}: {missing}", answer.node),
        None => format!("{} ({} old):", answer.node, span(answer.age_s)),
    }
}

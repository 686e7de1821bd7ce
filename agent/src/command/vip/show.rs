//! Answers about managed addresses, for people.
use super::super::{
    style::{Ink, Style},
    table::{Cell, Column, Table},
    words::{ago, counted, number, span},
};
use crate::host::control::shape::vip::{
    Announced, ArpTable, CandidateRow, Debugging, Drained, HostFigures, MoveRow, Moves, Moving, VipRow, Vips,
};
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

/// Writes how many each node has, a line an address, and what needs attention.
pub(in super::super) fn list(vips: &Vips, style: Style, to: &mut impl Write) -> io::Result<()> {
    if vips.vips.is_empty() {
        return writeln!(to, "the cluster shares no addresses; see Enable_Duravip in docs/duravip.md");
    }
    writeln!(to, "{}\n", sums(vips))?;
    let mut table = Table::new(&[
        Column::Left("address"),
        Column::Left("bindings"),
        Column::Left("owner"),
        Column::Left("state"),
        Column::Left("safety"),
        Column::Right("for"),
        Column::Left("prefers"),
        Column::Left("candidates"),
    ]);
    for row in &vips.vips {
        table.row([
            Cell::inked(Ink::Head, &row.address),
            row.bindings.join(" ").into(),
            owner(row).into(),
            Cell::inked(Ink::of_state(&row.state), &row.state),
            Cell::inked(of_safety(&row.safety), &row.safety),
            if row.owner.is_some() { span(row.stable_s) } else { String::new() }.into(),
            match (&row.preference, &row.follow) {
                (_, Some(target)) => format!("with {target}"),
                (Some(node), None) => node.clone(),
                (None, None) => String::new(),
            }
            .into(),
            row.candidates.iter().map(candidate).collect::<Vec<_>>().join(" ").into(),
        ]);
    }
    table.write(style, to)?;
    if let Some(host) = &vips.host {
        writeln!(to, "\n{}", figures(host))?;
    }
    let attention = attention(vips);
    if !attention.is_empty() {
        writeln!(to)?;
    }
    attention.iter().try_for_each(|text| writeln!(to, "{} {text}", style.paint(Ink::Bad, "!")))
}

/// Returns how many addresses there are, and how many each node has.
fn sums(vips: &Vips) -> String {
    let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &vips.vips {
        *sums.entry(row.owner.as_deref().unwrap_or("nobody")).or_default() += 1;
    }
    let sums = sums.into_iter().map(|(node, count)| format!("{node} has {}", number(count)));
    let count = vips.vips.len();
    let plural = if count == 1 { "" } else { "es" };
    format!("{} address{plural}: {}", number(count), sums.collect::<Vec<_>>().join(", "))
}

/// Returns what this host did about them.
fn figures(host: &HostFigures) -> String {
    let HostFigures { announced, gate_questions, gate_lapsed, .. } = host;
    let announced = counted(*announced, "announcement");
    let dropped = counted(*gate_questions, "question");
    let lapsed = if *gate_lapsed > 0 {
        format!(", {} of all because its lease was over", number(*gate_lapsed))
    } else {
        String::new()
    };
    format!("this host: {announced} sent; its gate dropped {dropped}{lapsed}")
}

fn owner(row: &VipRow) -> String {
    let owner = row.owner.as_deref().unwrap_or("nobody");
    match &row.moving_to {
        Some(to) => format!("{owner} -> {to}"),
        None => owner.to_owned(),
    }
}

fn candidate(candidate: &CandidateRow) -> String {
    if candidate.able { candidate.node.clone() } else { format!("({})", candidate.node) }
}

fn of_safety(safety: &str) -> Ink {
    match safety {
        "safe" => Ink::Plain,
        "BROKEN" => Ink::Bad,
        _ => Ink::Warn,
    }
}

/// Returns what an operator should look at.
fn attention(vips: &Vips) -> Vec<String> {
    let mut texts = Vec::new();
    if vips.exchanging {
        texts.push("the members are still to agree who has what; see: convoy view".to_owned());
    }
    if let Some(host) = &vips.host {
        let HostFigures { unsent, untold, .. } = *host;
        if unsent > 0 {
            let unsent = counted(unsent, "announcement");
            texts.push(format!(
                "{unsent} could not be sent: a link was down; to repeat what is held: convoy vip announce"
            ));
        }
        if untold > 0 {
            let hosts = counted(untold, "host");
            texts.push(format!("{hosts} would not be told of moves: too many; set arp_all_hosts = true"));
        }
    }
    let has_some = vips.vips.iter().any(|row| row.here.is_some());
    if has_some && !vips.firm {
        texts.push(
            "this node answers for none of them until all members agree that it has what it has".into(),
        );
    }
    if !vips.drained.is_empty() {
        let names = vips.drained.join(", ");
        texts.push(format!("drained: {names}; to let it have addresses again: convoy vip undrain NODE"));
    }
    for row in &vips.vips {
        let address = &row.address;
        if let Some(why) = &row.failed {
            texts.push(format!("{address} cannot be held here: {why}"));
        }
        if let Some(mac) = &row.contested_by {
            texts.push(format!(
                "{address}: {mac} answers for it; find the host with that link address and take the address off it"
            ));
        }
        if row.state == "broken" {
            texts.push(format!(
                "{address} is not managed: a binding has another address elsewhere; make its bindings equal on all nodes"
            ));
        }
    }
    texts
}

/// Writes what was ordered.
pub(in super::super) fn moving(moving: &Moving, to: &mut impl Write) -> io::Result<()> {
    let Moving { node, moving, there } = moving;
    if !there.is_empty() {
        writeln!(to, "there already: {}", there.join(" "))?;
    }
    match &moving[..] {
        [] => Ok(()),
        [address] => writeln!(to, "moving {address} to {node}; see: convoy vip show"),
        all => writeln!(to, "moving {} addresses to {node}; see: convoy vip show", number(all.len())),
    }
}

/// Writes what was ordered.
pub(in super::super) fn drained(drained: &Drained, to: &mut impl Write) -> io::Result<()> {
    let Drained { node, on, has } = drained;
    match (on, has) {
        (true, 0) => writeln!(to, "{node} has no address and gets none"),
        (true, 1) => writeln!(to, "{node} hands over its address and gets none; see: convoy vip show"),
        (true, has) => {
            writeln!(
                to,
                "{node} hands over its {} addresses and gets none; see: convoy vip show",
                number(*has)
            )
        }
        (false, _) => writeln!(to, "{node} gets its share with the next election; see: convoy vip show"),
    }
}

/// Writes what was announced.
pub(in super::super) fn announced(announced: &Announced, to: &mut impl Write) -> io::Result<()> {
    let Announced { offered, held } = announced;
    writeln!(
        to,
        "told the members of {} offered, and the links of {} held here",
        number(*offered),
        number(*held)
    )
}

/// Writes what is told in the log from now on.
pub(in super::super) fn debugging(debugging: Debugging, to: &mut impl Write) -> io::Result<()> {
    writeln!(to, "debug {}", if debugging.on { "on" } else { "off" })
}

/// Writes the latest moves, one a line.
pub(in super::super) fn history(moves: &Moves, style: Style, to: &mut impl Write) -> io::Result<()> {
    if moves.moves.is_empty() {
        return writeln!(to, "nothing has moved since this convoyd started");
    }
    let mut table = Table::new(&[
        Column::Left("when"),
        Column::Left("addresses"),
        Column::Left("from"),
        Column::Left("to"),
        Column::Right("outage"),
        Column::Left("why"),
    ]);
    for row in &moves.moves {
        let MoveRow { ago_s, from, to, cause, first, count, outage_ms } = row;
        let more = count.saturating_sub(1);
        table.row([
            ago(*ago_s).into(),
            if more == 0 { first.clone() } else { format!("{first} and {}", counted(more, "other")) }.into(),
            from.as_deref().unwrap_or("nobody").into(),
            to.as_deref().map_or_else(|| Cell::inked(Ink::Bad, "nobody"), Cell::from),
            outage_ms.map_or_else(String::new, |ms| format!("{ms:.1} ms")).into(),
            cause.as_str().into(),
        ]);
    }
    table.write(style, to)
}

/// Writes whom this host heard of, as the reference does.
pub(in super::super) fn hosts(table: &ArpTable, to: &mut impl Write) -> io::Result<()> {
    for row in &table.hosts {
        writeln!(to, "{:<17}[{}]  {}s", row.address, row.mac, row.age_s)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(address: &str, owner: Option<&str>, state: &str) -> VipRow {
        let candidate =
            |node: &str, able| CandidateRow { node: node.into(), services: vec!["multivip".into()], able };
        VipRow {
            address: address.into(),
            bindings: vec!["west".into()],
            owner: owner.map(str::to_owned),
            state: state.into(),
            safety: "safe".into(),
            stable_s: 300.0,
            candidates: vec![candidate("mx1", true), candidate("mx2", false)],
            preference: None,
            follow: None,
            view_stable_s: 400.0,
            configuration_stable_s: 400.0,
            here: Some("held".into()),
            moving_to: None,
            moving_why: None,
            failed: None,
            contested_by: None,
        }
    }

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut text = Vec::new();
        write(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_list_has_sums_rows_and_what_needs_attention() {
        let moving = VipRow { moving_to: Some("mx2".into()), ..row("192.0.2.2", Some("mx1"), "moving") };
        let lost = VipRow { failed: Some("no such device".into()), ..row("192.0.2.3", None, "unowned") };
        let follower = VipRow {
            follow: Some("192.0.2.1".into()),
            bindings: vec![],
            ..row("192.0.2.4", Some("mx1"), "owned")
        };
        let vips = Vips {
            vips: vec![row("192.0.2.1", Some("mx1"), "owned"), moving, lost, follower],
            firm: false,
            drained: vec!["mx2".into()],
            exchanging: false,
            host: Some(HostFigures {
                announced: 1_234,
                gate_questions: 1,
                unsent: 2,
                ..HostFigures::default()
            }),
        };
        let expected = "\
4 addresses: mx1 has 3, nobody has 1

address    bindings  owner       state    safety    for  prefers         candidates
192.0.2.1  west      mx1         owned    safe    5 min                  mx1 (mx2)
192.0.2.2  west      mx1 -> mx2  moving   safe    5 min                  mx1 (mx2)
192.0.2.3  west      nobody      unowned  safe                           mx1 (mx2)
192.0.2.4            mx1         owned    safe    5 min  with 192.0.2.1  mx1 (mx2)

this host: 1 234 announcements sent; its gate dropped 1 question

! 2 announcements could not be sent: a link was down; to repeat what is held: convoy vip announce
! this node answers for none of them until all members agree that it has what it has
! drained: mx2; to let it have addresses again: convoy vip undrain NODE
! 192.0.2.3 cannot be held here: no such device
";
        assert_eq!(text(|to| list(&vips, Style::PLAIN, to)), expected);
    }

    #[test]
    fn moves_are_told_with_cause_and_outage() {
        let row = |from: Option<&str>, to: Option<&str>, count, outage_ms| MoveRow {
            ago_s: 61.0,
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
            cause: "owner fell silent".into(),
            first: "192.0.2.1".into(),
            count,
            outage_ms,
        };
        let moves = Moves {
            moves: vec![row(Some("mx1"), Some("mx2"), 3, Some(41.25)), row(Some("mx1"), None, 1, None)],
        };
        let expected = "\
when      addresses               from  to       outage  why
61 s ago  192.0.2.1 and 2 others  mx1   mx2     41.2 ms  owner fell silent
61 s ago  192.0.2.1               mx1   nobody           owner fell silent
";
        assert_eq!(text(|to| history(&moves, Style::PLAIN, to)), expected);
    }
}

//! `convoy --all`: what every node answers, side by side.
use super::{
    Exit, Failed, parse, render,
    style::{Ink, Style},
    table::{Cell, Column, Table},
    words::{number, span},
};
use crate::host::control::shape::{
    Failure, Request, Status,
    all::{AllAnswers, NodeAnswer},
};
use std::io::Write;

/// Writes every node's answer to `request`, and ends with an error if a node could not answer.
pub(super) fn write(
    request: &Request,
    all: &AllAnswers,
    style: Style,
    to: &mut impl Write,
) -> Result<(), Failed> {
    match request {
        Request::Status => write_statuses(all, style, to)?,
        _ => write_blocks(request, all, style, to)?,
    }
    outcome(all)
}

/// Writes all answers as one line of JSON, each as what it is.
pub(super) fn write_json(all: &AllAnswers, to: &mut impl Write) -> Result<(), Failed> {
    let row = |answer: &NodeAnswer| {
        let value = answer.answer.as_deref().map(|text| {
            serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::String(text.into()))
        });
        serde_json::json!({
            "node": answer.node, "code": answer.code, "answer": value,
            "missing": answer.missing, "after_ms": answer.after_ms,
        })
    };
    let answers = all.answers.iter().map(row).collect::<Vec<_>>();
    writeln!(to, "{}", serde_json::json!({ "answers": answers }))?;
    outcome(all)
}

/// One row a node, and below what needs attention.
fn write_statuses(all: &AllAnswers, style: Style, to: &mut impl Write) -> Result<(), Failed> {
    let mut table = Table::new(&[
        Column::Left("node"),
        Column::Left("state"),
        Column::Left("up"),
        Column::Right("epoch"),
        Column::Right("members"),
        Column::Right("inbound"),
        Column::Right("outbound"),
        Column::Right("drift"),
        Column::Left("version"),
    ]);
    let mut below = Vec::new();
    for answer in &all.answers {
        let status = match answered(answer) {
            Ok(text) => parse::<Status>(text)?,
            Err(why) => {
                let silent = Cell::inked(Ink::Bad, "no answer");
                let [up, epoch, members, inbound, outbound, drift, version] =
                    [const { "" }; 7].map(Cell::from);
                let node = Cell::inked(Ink::Head, &answer.node);
                table.row([node, silent, up, epoch, members, inbound, outbound, drift, version]);
                below.push(format!("{}: {why}", answer.node));
                continue;
            }
        };
        let here = |name: &str| {
            let object = status.objects.iter().find(|object| object.object == name);
            number(object.map_or(0, |object| object.own_current))
        };
        let drift = status.drift.inbound + status.drift.outbound;
        table.row([
            Cell::inked(Ink::Head, &status.node),
            Cell::inked(Ink::of_state(&status.state), &status.state),
            span(status.uptime_s).into(),
            status.bus.epoch.map_or("-".into(), |epoch| epoch.to_string()).into(),
            number(status.bus.members).into(),
            here("inbound_cidr").into(),
            here("outbound_cidr").into(),
            Cell::inked(Ink::of_fault(drift), number(drift)),
            status.version.as_str().into(),
        ]);
        below.extend(status.troubles.iter().map(|trouble| format!("{}: {trouble}", status.node)));
    }
    table.write(style, to)?;
    for trouble in below {
        writeln!(to, "{} {trouble}", style.paint(Ink::Bad, "!"))?;
    }
    Ok(())
}

/// Each node's answer as it would be there, under its name.
fn write_blocks(
    request: &Request,
    all: &AllAnswers,
    style: Style,
    to: &mut impl Write,
) -> Result<(), Failed> {
    for (index, answer) in all.answers.iter().enumerate() {
        if index > 0 {
            writeln!(to)?;
        }
        writeln!(to, "{}", style.paint(Ink::Head, &format!("--- {}", answer.node)))?;
        match answered(answer) {
            Ok(text) => render(request, text, style, to)?,
            Err(why) => writeln!(to, "{} {why}", style.paint(Ink::Bad, "!"))?,
        }
    }
    Ok(())
}

/// Returns a node's answer, or why there is none.
pub(super) fn answered(answer: &NodeAnswer) -> Result<&str, String> {
    match (&answer.answer, &answer.missing) {
        (_, Some(missing)) => Err(missing.clone()),
        (Some(text), None) => match serde_json::from_str::<Failure>(text) {
            Ok(failure) => Err(failure.error),
            Err(_) => Ok(text),
        },
        (None, None) => Err("no answer".into()),
    }
}

fn outcome(all: &AllAnswers) -> Result<(), Failed> {
    if all.answers.iter().all(|answer| answered(answer).is_ok()) {
        Ok(())
    } else {
        Err(Failed::Shown { exit: Exit::Refused })
    }
}

//! What the answers of the `config` family look like. Pure: an answer in, bytes out.
use crate::{
    command::{
        Exit, Failed, Style,
        style::Ink,
        words::{counted, span},
    },
    host::control::shape::config::{
        ConfigBegun, ConfigChange, ConfigCommitted, ConfigEffective, ConfigLocated, ConfigReloaded,
        ConfigReplayed, ConfigRequest, ConfigRolledBack, ConfigShow, ConfigValue, ConfigWritten,
        DiagnosticRow, ScopeRow, Value,
    },
    settings::rows,
};
use convoy_core::config::session::{
    address::Step,
    show::{View, value_text},
};
use std::io::{self, Write};

/// Writes the answer `line` to `request` as text for people. `saved` says that a change is in the file already.
///
/// # Errors
/// The line is no such answer, the answer is that there is nothing, or `to` does not take it.
pub fn render(
    request: &ConfigRequest,
    line: &str,
    saved: bool,
    style: Style,
    to: &mut impl Write,
) -> Result<(), Failed> {
    use super::super::parse;
    match request {
        ConfigRequest::Get(_) => get(&parse::<ConfigValue>(line)?, to),
        ConfigRequest::Eval(_) => eval(&parse::<ConfigEffective>(line)?, to),
        ConfigRequest::Set(_) | ConfigRequest::Unset(_) => {
            Ok(change(&parse::<ConfigChange>(line)?, saved, style, to)?)
        }
        ConfigRequest::Show(_) | ConfigRequest::ShowRecurse(_) => show(&parse::<ConfigShow>(line)?, to),
        ConfigRequest::Locate(_) => locate(&parse::<ConfigLocated>(line)?, to),
        ConfigRequest::Begin { .. } => Ok(begin(&parse::<ConfigBegun>(line)?, to)?),
        ConfigRequest::Commit(_) => Ok(commit(&parse::<ConfigCommitted>(line)?, style, to)?),
        ConfigRequest::Rollback(_) => {
            let changes = parse::<ConfigRolledBack>(line)?.changes;
            Ok(writeln!(to, "{} dropped; the configuration is as it was", counted(changes, "change"))?)
        }
        ConfigRequest::Replay(_) => Ok(replay(&parse::<ConfigReplayed>(line)?, to)?),
        ConfigRequest::Reload(_) => Ok(reload(&parse::<ConfigReloaded>(line)?, style, to)?),
        ConfigRequest::Writeback(_) => Ok(writeback(&parse::<ConfigWritten>(line)?, style, to)?),
    }
}

/// Returns whether an answer says that there is nothing of the kind.
pub(super) fn is_nothing(request: &ConfigRequest, line: &str) -> bool {
    match request {
        ConfigRequest::Get(_) => serde_json::from_str(line).is_ok_and(|it: ConfigValue| it.value.is_none()),
        ConfigRequest::Eval(_) => {
            serde_json::from_str(line).is_ok_and(|it: ConfigEffective| it.value.is_none())
        }
        ConfigRequest::Locate(_) => {
            serde_json::from_str(line).is_ok_and(|it: ConfigLocated| it.paths.is_empty())
        }
        ConfigRequest::Show(_) | ConfigRequest::ShowRecurse(_) => {
            serde_json::from_str(line).is_ok_and(|it: ConfigShow| it.scopes.is_empty())
        }
        ConfigRequest::Set(_)
        | ConfigRequest::Unset(_)
        | ConfigRequest::Begin { .. }
        | ConfigRequest::Commit(_)
        | ConfigRequest::Rollback(_)
        | ConfigRequest::Replay(_)
        | ConfigRequest::Reload(_)
        | ConfigRequest::Writeback(_) => false,
    }
}

fn get(answer: &ConfigValue, to: &mut impl Write) -> Result<(), Failed> {
    match &answer.value {
        // A word alone is what scripts want; whoever wants it as a file has it uses eval or show.
        Some(Value::Word(word)) => Ok(writeln!(to, "{word}")?),
        Some(value) => Ok(writeln!(to, "{}", text(value))?),
        None => Err(nothing(format!("Option '{}' is not set in scope '{}'.", answer.option, answer.scope))),
    }
}

fn eval(answer: &ConfigEffective, to: &mut impl Write) -> Result<(), Failed> {
    match &answer.value {
        Some(value) => Ok(writeln!(to, "{} = {}", answer.option, text(value))?),
        None => Err(nothing(format!("Option '{}' is not set in scope '{}'.", answer.option, answer.scope))),
    }
}

fn show(answer: &ConfigShow, to: &mut impl Write) -> Result<(), Failed> {
    if answer.scopes.is_empty() {
        return Err(nothing(format!("there is no scope '{}'; see: convoy config show", answer.scope)));
    }
    Ok(answer.scopes.iter().try_for_each(|scope| to.write_all(view(scope).text().as_bytes()))?)
}

fn locate(answer: &ConfigLocated, to: &mut impl Write) -> Result<(), Failed> {
    if answer.paths.is_empty() {
        return Err(nothing(format!("no scope '{}' is found; see: convoy config show", answer.scope)));
    }
    Ok(answer.paths.iter().try_for_each(|row| writeln!(to, "{}", row.path))?)
}

fn change(answer: &ConfigChange, saved: bool, style: Style, to: &mut impl Write) -> io::Result<()> {
    let scope = style.paint(Ink::Head, &answer.scope);
    match (&answer.option, &answer.value, &answer.before) {
        (Some(option), Some(value), None) => {
            writeln!(to, "{scope}: {option} = {} (was not set)", text(value))?;
        }
        (Some(option), Some(value), Some(before)) if value == before => {
            writeln!(to, "{scope}: {option} = {}, as before", text(value))?;
        }
        (Some(option), Some(value), Some(before)) => {
            writeln!(to, "{scope}: {option} = {} (was {})", text(value), text(before))?;
        }
        (Some(option), None, Some(before)) => writeln!(to, "{scope}: {option} unset (was {})", text(before))?,
        (Some(option), None, None) => writeln!(to, "{scope}: {option} unset")?,
        (None, ..) => writeln!(to, "{scope} unset, with everything in it")?,
    }
    let files = answer.files.join(", ");
    match (answer.transaction, saved) {
        (Some(changes), _) => writeln!(
            to,
            "kept in the transaction, {} so far; it takes effect with: convoy config commit",
            counted(changes, "change")
        )?,
        (None, true) => writeln!(to, "saved in {files}")?,
        (None, false) if files.is_empty() => {}
        (None, false) => writeln!(to, "in effect; saved in {files} by: convoy config writeback")?,
    }
    if answer.files.is_empty() {
        attention("no file of this configuration may be written: it is lost with convoyd", style, to)?;
    }
    concerns(&answer.restart, &answer.warnings, style, to)
}

fn begin(answer: &ConfigBegun, to: &mut impl Write) -> io::Result<()> {
    let ConfigBegun { session, generation, scratch, idle_s } = answer;
    let base =
        if *scratch { "an empty configuration".to_owned() } else { format!("generation {generation}") };
    writeln!(to, "transaction of session \"{session}\" on {base}")?;
    let idle = span(u32::try_from(*idle_s).map_or(f64::MAX, f64::from));
    writeln!(to, "changes are kept until: convoy config commit; dropped after {idle} without a command")
}

fn commit(answer: &ConfigCommitted, style: Style, to: &mut impl Write) -> io::Result<()> {
    let changes = counted(answer.changes, "change");
    writeln!(
        to,
        "generation {} is in effect: {changes}; saved by: convoy config writeback",
        answer.generation
    )?;
    concerns(&answer.restart, &answer.warnings, style, to)
}

fn replay(answer: &ConfigReplayed, to: &mut impl Write) -> io::Result<()> {
    let changes = counted(answer.changes, "change");
    writeln!(to, "{changes} made on top of generation {}; now: convoy config commit", answer.generation)
}

fn reload(answer: &ConfigReloaded, style: Style, to: &mut impl Write) -> io::Result<()> {
    let files = counted(answer.files, "file");
    writeln!(to, "generation {} is in effect: {files} from {}", answer.generation, answer.file)?;
    if !answer.dropped.is_empty() {
        let dropped = answer.dropped.join(", ");
        attention(&format!("changes that were not written back are dropped: {dropped}"), style, to)?;
    }
    concerns(&answer.restart, &answer.warnings, style, to)
}

fn writeback(answer: &ConfigWritten, style: Style, to: &mut impl Write) -> io::Result<()> {
    answer.files.iter().try_for_each(|file| writeln!(to, "saved {file}"))?;
    match &answer.unsaved {
        Some(unsaved) => {
            attention("in no file that may be written, and lost with convoyd; put it into one:", style, to)?;
            write!(to, "\n{unsaved}")
        }
        None if answer.files.is_empty() => writeln!(to, "nothing to save: the files are as they are in use"),
        None => Ok(()),
    }
}

fn concerns(
    restart: &[String],
    warnings: &[DiagnosticRow],
    style: Style,
    to: &mut impl Write,
) -> io::Result<()> {
    for option in restart {
        attention(&format!("{option} takes effect after a restart of convoyd"), style, to)?;
    }
    for row in warnings {
        let place = match (&row.file, row.line) {
            (Some(file), Some(line)) => format!(" ({file}:{line})"),
            _ => String::new(),
        };
        let help = row.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        attention(&format!("{}: {}{help}{place}", row.severity, row.message), style, to)?;
    }
    Ok(())
}

fn attention(text: &str, style: Style, to: &mut impl Write) -> io::Result<()> {
    writeln!(to, "{} {text}", style.paint(Ink::Warn, "!"))
}

fn text(value: &Value) -> String {
    value_text(&rows::literal(value))
}

fn view(row: &ScopeRow) -> View {
    let options = row.options.iter().flat_map(|options| &options.0);
    View {
        step: row.name.clone().map(|name| Step { name, instance: row.instance.clone() }),
        options: options.map(|(name, value)| (name.clone(), rows::literal(value))).collect(),
        scopes: row.scopes.iter().flatten().map(view).collect(),
        closed: row.options.is_none(),
    }
}

fn nothing(text: String) -> Failed {
    Failed::Said { exit: Exit::Refused, text }
}

//! `convoy config check`: what convoyd would say of these files.
use crate::{
    command::{Exit, Failed, Style},
    host::control::shape::config::{CheckedRow, ConfigChecked},
    settings::{self, Environment, Report, console::all_rows},
};
use convoy_core::config::report::Colour;
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

pub(super) fn run(
    files: &[PathBuf],
    environment: &Environment,
    json: bool,
    style: Style,
    to: &mut impl Write,
) -> Result<(), Failed> {
    let mut rows = Vec::new();
    for file in files {
        let (valid, report) = match settings::load(file, environment) {
            Ok(loaded) => (true, loaded.warnings),
            Err(report) => (false, report),
        };
        if !json {
            write_one(file, valid, &report, files.len() > 1, style, to)?;
        }
        rows.push(row(file, valid, &report));
    }
    let valid = rows.iter().all(|row| row.valid);
    if json {
        serde_json::to_writer(&mut *to, &ConfigChecked { files: rows }).map_err(io::Error::from)?;
        writeln!(to)?;
    }
    if valid { Ok(()) } else { Err(Failed::Shown { exit: Exit::Refused }) }
}

/// The first word on a configuration that can be used is the reference's.
fn write_one(
    file: &Path,
    valid: bool,
    report: &Report,
    several: bool,
    style: Style,
    to: &mut impl Write,
) -> io::Result<()> {
    let colour = if style.colour { Colour::Always } else { Colour::Never };
    let name = if several { format!("{}: ", file.display()) } else { String::new() };
    if !report.is_empty() {
        writeln!(to, "{}", report.layout(colour))?;
    }
    if valid {
        writeln!(to, "{name}Configuration valid")
    } else {
        writeln!(to, "{name}Configuration not valid")
    }
}

fn row(file: &Path, valid: bool, report: &Report) -> CheckedRow {
    CheckedRow {
        file: file.display().to_string(),
        valid,
        errors: report.diagnostics().errors(),
        warnings: report.diagnostics().warnings(),
        diagnostics: all_rows(report),
    }
}

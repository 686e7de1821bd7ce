//! Diagnostics laid out for people, the way compilers do it.
//!
//! ```text
//! error: `cluster_group =` has no value
//!   --> ecelerity-cluster.conf:3:17
//!    |
//!  3 |   cluster_group =
//!    |                 ^ expected a word, `(`, `[` or `{` after `=`
//!    = help: an empty value is written `""`
//!    = included from ecelerity.conf:7:1
//! ```
//! Tabs become four blanks, control characters are shown and never sent to the terminal, long lines are cut around the
//! place, and carets stand under the characters also where those are two columns wide.
use super::{
    diagnostic::{Diagnostic, Diagnostics, Severity},
    place::{Files, Place},
};
use core::fmt::{self, Write as _};

/// Whether to use terminal colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    #[default]
    Never,
    /// ANSI sequences.
    Always,
}

/// Diagnostics together with the texts they point into; `Display` lays them out.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// The texts.
    pub files: &'a Files,
    /// What to show.
    pub diagnostics: &'a Diagnostics,
    /// Whether to use terminal colours.
    pub colour: Colour,
}

impl fmt::Display for Layout<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in self.diagnostics {
            write_one(f, self.files, diagnostic, self.colour)?;
            f.write_char('\n')?;
        }
        if self.diagnostics.dropped() > 0 {
            writeln!(f, "and {} more, not shown", self.diagnostics.dropped())?;
        }
        let (errors, warnings) = (self.diagnostics.errors(), self.diagnostics.warnings());
        match (errors, warnings) {
            (0, 0) => Ok(()),
            (0, _) => writeln!(f, "{}", Count(warnings, "warning")),
            (_, 0) => writeln!(f, "{}", Count(errors, "error")),
            _ => writeln!(f, "{}, {}", Count(errors, "error"), Count(warnings, "warning")),
        }
    }
}

/// Writes one diagnostic, ending with a line end.
///
/// # Errors
/// Those of `out`.
pub fn write_one(
    out: &mut dyn fmt::Write,
    files: &Files,
    diagnostic: &Diagnostic,
    colour: Colour,
) -> fmt::Result {
    let paint = Paint { colour, severity: diagnostic.severity };
    let word = diagnostic.severity.word();
    writeln!(
        out,
        "{}{word}{}: {}{}",
        paint.severity(),
        paint.reset_bold(),
        Shown(&diagnostic.message),
        paint.reset()
    )?;
    let noted = diagnostic.notes.iter().map(|(place, _)| *place);
    let lines = diagnostic.place.into_iter().chain(noted).filter_map(|place| files.position(place));
    let width = digits(lines.map(|position| position.line).max().unwrap_or(0));
    if let Some(place) = diagnostic.place {
        let expected = diagnostic.expected.as_deref().unwrap_or_default();
        write_place(out, files, place, expected, width, '^', paint)?;
    }
    for (place, text) in &diagnostic.notes {
        write_place(out, files, *place, text, width, '-', paint)?;
    }
    if let Some(help) = &diagnostic.help {
        writeln!(out, "{:width$} {}= help:{} {}", "", paint.frame(), paint.reset(), Shown(help))?;
    }
    if let Some(place) = diagnostic.place {
        for at in files.chain(place) {
            writeln!(
                out,
                "{:width$} {}={} included from {}",
                "",
                paint.frame(),
                paint.reset(),
                At(files, at)
            )?;
        }
    }
    Ok(())
}

/// A place as `file:line:column`.
#[derive(Clone, Copy, Debug)]
pub struct At<'a>(pub &'a Files, pub Place);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(files, place) = *self;
        let name = files.get(place.file).map_or("?", |file| &file.name);
        write!(f, "{}", Shown(name))?;
        files.position(place).map_or(Ok(()), |at| write!(f, ":{}:{}", at.line, at.column))
    }
}

fn write_place(
    out: &mut dyn fmt::Write,
    files: &Files,
    place: Place,
    text: &str,
    width: usize,
    mark: char,
    paint: Paint,
) -> fmt::Result {
    let (frame, reset) = (paint.frame(), paint.reset());
    let arrow = if mark == '^' { "-->" } else { ":::" };
    writeln!(out, "{:width$}{frame}{arrow}{reset} {}", "", At(files, place))?;
    let (Some(position), Some((line, marked))) = (files.position(place), files.line(place)) else {
        return Ok(());
    };
    let (from, to) = window(line, marked.start, marked.end);
    let (left, right) = (if from > 0 { "..." } else { "" }, if to < line.len() { "..." } else { "" });
    let shown = line.get(from..to).unwrap_or_default();
    writeln!(out, "{:width$} {frame}|{reset}", "")?;
    writeln!(out, "{frame}{:>width$} |{reset} {left}{}{right}", position.line, Shown(shown))?;
    let before = columns(line.get(from..marked.start).unwrap_or_default()) + left.len();
    let under = columns(line.get(marked.start..marked.end.min(to)).unwrap_or_default()).max(1);
    write!(out, "{:width$} {frame}|{reset} {:before$}{}", "", "", paint.mark(mark))?;
    (0..under).try_for_each(|_| out.write_char(mark))?;
    if !text.is_empty() {
        write!(out, " {}", Shown(text))?;
    }
    writeln!(out, "{reset}")
}

/// Returns the bytes of a line to show, so that the marked bytes are among them.
fn window(line: &str, start: usize, end: usize) -> (usize, usize) {
    if columns(line) <= COLUMNS_MAX {
        return (0, line.len());
    }
    let mut from = start;
    let mut room = COLUMNS_MAX / 3;
    while let Some(c) = line.get(..from).unwrap_or_default().chars().next_back() {
        if room < column(c) {
            break;
        }
        room -= column(c);
        from -= c.len_utf8();
    }
    let mut to = from;
    let mut room = COLUMNS_MAX;
    for c in line.get(from..).unwrap_or_default().chars() {
        if room < column(c) {
            break;
        }
        room -= column(c);
        to += c.len_utf8();
    }
    (from, to.max(end.min(to)))
}

/// Text that is safe to send to a terminal.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\t' => f.write_str(TAB)?,
                c if hidden(c) => write!(f, "<{:04X}>", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

fn column(c: char) -> usize {
    match c {
        '\t' => TAB.len(),
        c if hidden(c) => 2 + digits_hex(c).max(4),
        c if c.is_ascii() => 1,
        '\u{300}'..='\u{36f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// Control characters and those that change the direction or are invisible.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn digits_hex(c: char) -> usize {
    let bits = 32 - u32::from(c).leading_zeros();
    bits.div_ceil(4) as usize
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

struct Count(usize, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

#[derive(Clone, Copy)]
struct Paint {
    colour: Colour,
    severity: Severity,
}

impl Paint {
    fn severity(self) -> &'static str {
        match self.severity {
            Severity::Error => self.code("\x1b[1;31m"),
            Severity::Warning => self.code("\x1b[1;33m"),
        }
    }

    fn mark(self, mark: char) -> &'static str {
        if mark == '^' { self.severity() } else { self.frame() }
    }

    fn frame(self) -> &'static str {
        self.code("\x1b[1;34m")
    }

    fn reset(self) -> &'static str {
        self.code("\x1b[0m")
    }

    fn reset_bold(self) -> &'static str {
        self.code("\x1b[0;1m")
    }

    fn code(self, code: &'static str) -> &'static str {
        if self.colour == Colour::Always { code } else { "" }
    }
}

const TAB: &str = "    ";

/// chosen: with the frame it fits a terminal of 100 columns.
const COLUMNS_MAX: usize = 90;

#[cfg(test)]
mod tests;

//! How an answer reaches the terminal: printed until Ctrl-C, or shown in a pager when it is longer than the screen.
use super::{Failed, interrupts::Interrupts};
use std::{
    env,
    io::{self, Write},
    process::{Command, ExitStatus, Stdio},
};

/// See the module.
pub(super) struct Pager {
    on: bool,
    interrupts: Interrupts,
}

impl Pager {
    /// Returns one that prints.
    pub(super) fn new(interrupts: Interrupts) -> Self {
        Self { on: false, interrupts }
    }

    /// Shows long answers in a pager from now on, or no longer; returns which.
    pub(super) fn toggle(&mut self) -> String {
        self.on = !self.on;
        if self.on {
            format!("answers longer than the screen are shown in {}", program())
        } else {
            "answers are printed".into()
        }
    }

    /// Shows an answer.
    ///
    /// # Errors
    /// The terminal does not take it.
    pub(super) fn show(&self, answer: &[u8], to: &mut impl Write) -> Result<(), Failed> {
        if self.on && is_long(answer) && was_shown(page(answer)) {
            // Ctrl-C in a pager is the pager's.
            self.interrupts.begin();
            return Ok(());
        }
        for part in answer.chunks(PART_BYTES) {
            if self.interrupts.caught() {
                break;
            }
            to.write_all(part)?;
            to.flush()?;
        }
        Ok(())
    }
}

/// Gives an answer to the pager, and waits until it is read.
fn page(answer: &[u8]) -> io::Result<ExitStatus> {
    let mut child = Command::new("sh").args(["-c", &program()]).stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // Whoever leaves the pager early has seen enough.
        drop(input.write_all(answer));
    }
    child.wait()
}

/// A shell ends with 126 or 127 when it cannot run the program, and has said why; the answer is still to be seen then.
fn was_shown(paged: io::Result<ExitStatus>) -> bool {
    paged.is_ok_and(|status| !matches!(status.code(), Some(126 | 127)))
}

fn program() -> String {
    env::var("PAGER").ok().filter(|pager| !pager.is_empty()).unwrap_or_else(|| "less".into())
}

/// Tells whether an answer and the prompt below it need more than the screen; long lines take several.
fn is_long(answer: &[u8]) -> bool {
    let size = rustix::termios::tcgetwinsize(io::stdout());
    let (rows, columns) = size.map_or((0, 0), |size| (size.ws_row.into(), size.ws_col.into()));
    let (rows, columns) = if rows == 0 || columns == 0 { SCREEN } else { (rows, columns) };
    let text = String::from_utf8_lossy(answer);
    let lines = text.lines().map(|line| line.chars().count().div_ceil(columns).max(1));
    lines.sum::<usize>() >= rows
}

/// Bytes that are printed before Ctrl-C is looked for. chosen: a screen or two.
const PART_BYTES: usize = 4_096;
/// Rows and columns of a terminal that does not say its size, as of the first ones.
const SCREEN: (usize, usize) = (24, 80);

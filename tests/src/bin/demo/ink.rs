//! Colour where somebody looks, plain text where nobody does.
use std::{
    env,
    io::{IsTerminal, Write, stdout},
};

/// Whether and how text is coloured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ink {
    colour: bool,
    /// Whether frames replace each other.
    pub(crate) in_place: bool,
}

impl Ink {
    /// Colour and redrawing on a terminal; `NO_COLOR` switches off the colour.
    pub(crate) fn of_stdout() -> Self {
        let terminal = stdout().is_terminal();
        Self { colour: terminal && env::var_os("NO_COLOR").is_none(), in_place: terminal }
    }

    /// Neither.
    #[cfg(test)]
    pub(crate) const fn plain() -> Self {
        Self { colour: false, in_place: false }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(crate) fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(crate) fn cool(self, text: &str) -> String {
        self.paint("36", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Writes to stdout at once. A reader that went away ends nothing: the lab must still be taken down.
pub(crate) fn say(text: &str) {
    let mut out = stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Returns the number with a space between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Returns a bar `width` long when `value` is `most`, with eighths of a character.
pub(crate) fn bar(value: u64, most: u64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if most == 0 {
        return String::new();
    }
    let whole = u64::try_from(width).unwrap_or(u64::MAX).saturating_mul(8);
    let length = usize::try_from(value.min(most).saturating_mul(whole) / most).unwrap_or(0);
    "█".repeat(length / 8) + EIGHTHS[length % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let check = |number, want: &str| assert_eq!(grouped(number), want);
        check(0, "0");
        check(999, "999");
        check(1_000, "1 000");
        check(1_234_567, "1 234 567");
    }

    #[test]
    fn bars_are_as_long_as_their_share() {
        let check = |value, most, want: &str| assert_eq!(bar(value, most, 2), want);
        check(0, 8, "");
        check(8, 8, "██");
        check(4, 8, "█");
        check(1, 16, "▏");
        check(9, 8, "██");
        check(1, 0, "");
    }
}

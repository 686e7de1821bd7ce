//! How text looks: colour, and the characters that lines are drawn with. Never needed to understand a text.

/// What the output can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Escape sequences for colour.
    pub colour: bool,
    /// Line-drawing and block characters; ASCII otherwise.
    pub drawing: bool,
}

/// What a piece of text is, which colour only repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ink {
    /// Nothing in particular.
    #[default]
    Plain,
    /// A heading.
    Head,
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
}

impl Style {
    /// Without colour, in ASCII.
    pub const PLAIN: Self = Self { colour: false, drawing: false };

    /// Returns the style for an output that is a terminal or not, in the environment that `variable` reads:
    /// no colour off a terminal, with `NO_COLOR` or on a dumb terminal; drawing where the locale is UTF-8.
    pub fn detect(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let colour = terminal && set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb");
        // The order in which locale(7) says they count.
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        Self { colour, drawing: locale.contains("utf-8") || locale.contains("utf8") }
    }

    /// Returns `text` in the colour of `ink`.
    pub(super) fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            _ if !self.colour || text.is_empty() => return text.to_owned(),
            Ink::Plain => return text.to_owned(),
            Ink::Head => "1",
            Ink::Good => "32",
            Ink::Warn => "33",
            Ink::Bad => "1;31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

impl Ink {
    /// Returns the ink of a number that is 0 when all is well.
    pub(super) fn of_fault(count: u64) -> Self {
        if count == 0 { Self::Plain } else { Self::Warn }
    }

    /// Returns the ink of a member's, node's or address's state.
    pub(super) fn of_state(state: &str) -> Self {
        match state {
            "alive" | "ready" | "owned" => Self::Good,
            "suspect" | "degraded" | "moving" | "waiting" => Self::Warn,
            "gone" | "unowned" | "broken" => Self::Bad,
            _ => Self::Plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(terminal: bool, environment: &[(&str, &str)], colour: bool, drawing: bool) {
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(Style::detect(terminal, variable), Style { colour, drawing }, "{environment:?}");
    }

    #[test]
    fn colour_needs_a_terminal_that_has_it_and_an_operator_who_wants_it() {
        check(true, &[], true, false);
        check(false, &[], false, false);
        check(true, &[("NO_COLOR", "1")], false, false);
        check(true, &[("NO_COLOR", "")], true, false);
        check(true, &[("TERM", "dumb")], false, false);
    }

    #[test]
    fn drawing_follows_the_locale_that_counts() {
        check(false, &[("LANG", "en_GB.UTF-8")], false, true);
        check(false, &[("LANG", "C.utf8"), ("LC_ALL", "C")], false, false);
        check(false, &[("LANG", "C"), ("LC_CTYPE", "C.UTF-8")], false, true);
    }
}

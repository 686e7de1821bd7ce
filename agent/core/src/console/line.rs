//! How a line is read: words, quotes, the longest command that fits.
use super::{
    absent,
    table::{COMMANDS, Command},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// A line that was read.
#[derive(Clone, Debug)]
pub struct Line {
    /// `xml` stood before it.
    pub xml: bool,
    /// The command.
    pub command: &'static Command,
    /// What followed its words.
    pub arguments: Vec<String>,
}

/// Why a line is no command; says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(String);

impl Line {
    /// Returns the command and its arguments as one line that reads the same.
    pub fn text(&self) -> String {
        let words = self.command.words.iter().map(ToString::to_string);
        words.chain(self.arguments.iter().map(|word| quoted(word))).collect::<Vec<_>>().join(" ")
    }
}

/// Reads a line; `None` when nothing is on it, or a comment.
///
/// # Errors
/// It is no command, or has too few or too many arguments.
pub fn parse(line: &str) -> Result<Option<Line>, Fault> {
    let mut words = split(line)?;
    if words.first().is_none_or(|word| word.starts_with('#')) {
        return Ok(None);
    }
    let xml = words[0].eq_ignore_ascii_case("xml");
    if xml {
        words.remove(0);
    }
    let Some(command) = find(&words) else {
        return Err(absent::answer(&words).map_or_else(|| unknown(&words), |says| Fault(says.into())));
    };
    let arguments = words.split_off(command.words.len());
    let (fewest, most) = command.count;
    if arguments.len() < fewest || arguments.len() > most {
        let more = if arguments.len() < fewest { "more is needed" } else { "that is too much" };
        return Err(Fault(format!("{more}: {}", super::help::synopsis(command))));
    }
    Ok(Some(Line { xml, command, arguments }))
}

/// Returns the command whose words are the longest beginning of `words`.
pub(super) fn find(words: &[String]) -> Option<&'static Command> {
    let fits = |command: &&Command| begins_with(words, command.words);
    COMMANDS.iter().filter(fits).max_by_key(|command| command.words.len())
}

/// Tells whether typed words begin with those of a command, in any case.
pub(super) fn begins_with(words: &[String], command: &[&str]) -> bool {
    command.len() <= words.len()
        && command.iter().zip(words).all(|(own, word)| own.eq_ignore_ascii_case(word))
}

fn unknown(words: &[String]) -> Fault {
    let begins = |depth: usize| {
        COMMANDS.iter().filter(move |command| {
            command.words.len() > depth
                && command
                    .words
                    .iter()
                    .zip(words)
                    .take(depth)
                    .all(|(own, word)| own.eq_ignore_ascii_case(word))
        })
    };
    let depth = (0..=words.len()).rev().find(|depth| begins(*depth).next().is_some()).unwrap_or(0);
    let typed = words.get(..=depth).unwrap_or(words).join(" ");
    if depth == 0 {
        return Fault(format!("there is no command `{typed}`; see: help"));
    }
    let mut next = begins(depth).map(|command| command.words[depth]).collect::<Vec<_>>();
    next.dedup();
    let (head, next) = (words[..depth].join(" "), next.join(", "));
    Fault(format!("there is no command `{typed}`; after `{head}` comes one of: {next}"))
}

/// Returns the words of a line. Quotes, single or double, keep blanks; a backslash keeps the character after it.
///
/// # Errors
/// A quote is not closed, or nothing follows a backslash.
pub fn split(line: &str) -> Result<Vec<String>, Fault> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            // At the beginning of a word it is part of a command of the console's own: `\pager`.
            (None, '\\') if word.is_none() => word = Some("\\".into()),
            (None | Some('"'), '\\') => match letters.next() {
                Some(letter) => word.get_or_insert_default().push(letter),
                None => return Err(Fault("nothing follows the backslash at the end of the line".into())),
            },
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    if let Some(open) = quote {
        return Err(Fault(format!("the quote {open} is not closed")));
    }
    words.extend(word);
    Ok(words)
}

/// Returns a word as it must be typed to be read as one.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '"' | '\'' | '\\');
    if !word.is_empty() && word.chars().all(plain) {
        return word.into();
    }
    let mut text = String::from('"');
    for letter in word.chars() {
        if matches!(letter, '"' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    text + "\""
}

/// Returns the words that may stand where a line ends, each the whole word.
pub fn complete(line: &str) -> Vec<&'static str> {
    let fresh = line.is_empty() || line.ends_with(char::is_whitespace);
    let mut words = line.split_whitespace().collect::<Vec<_>>();
    let last = if fresh { "" } else { words.pop().unwrap_or("") };
    // Commands that carry a command: what follows is completed like a line of its own.
    let skip = match words.first().map(|word| word.to_ascii_lowercase()).as_deref() {
        Some("xml" | "help" | "broadcast" | "retrieve") => 1,
        Some("unicast" | "retrieve_node") => 2,
        Some("subcluster") if words.len() > 2 => 3,
        _ => 0,
    };
    let Some(words) = words.get(skip..) else { return Vec::new() };
    let fits = |command: &&Command| {
        command.words.len() > words.len()
            && command.words.iter().zip(words).all(|(own, word)| own.eq_ignore_ascii_case(word))
    };
    let mut found =
        COMMANDS.iter().filter(fits).map(|command| command.words[words.len()]).collect::<Vec<_>>();
    if words.is_empty() && skip == 0 {
        found.push("xml");
    }
    let typed = last.to_ascii_lowercase();
    found.retain(|word| word.starts_with(&typed));
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check_words(line: &str, expected: &[&str]) {
        assert_eq!(split(line).unwrap(), expected);
    }

    #[track_caller]
    fn check_fault(line: &str, expected: &str) {
        assert_eq!(parse(line).unwrap_err().to_string(), expected);
    }

    #[test]
    fn words_keep_what_is_quoted() {
        check_words("  cluster \t info ", &["cluster", "info"]);
        check_words(r#"a "b c" 'd "e' f\ g "h\"i" """#, &["a", "b c", "d \"e", "f g", "h\"i", ""]);
        check_words("\\pager", &["\\pager"]);
        check_fault("version \"x", "the quote \" is not closed");
    }

    #[test]
    fn the_longest_command_is_meant_and_case_does_not_matter() {
        let line = parse("XML Cluster Shared show inbound_cidr FROM mx2").unwrap().unwrap();
        assert_eq!((line.xml, line.command.id), (true, super::super::Id::SharedShow));
        assert_eq!(line.arguments, ["inbound_cidr", "FROM", "mx2"]);
        assert_eq!(line.text(), "cluster shared show inbound_cidr FROM mx2");
        assert!(parse("# nothing").unwrap().is_none());
        assert!(parse("").unwrap().is_none());
    }

    #[test]
    fn a_mistake_says_what_could_follow() {
        check_fault("mailx", "there is no command `mailx`; see: help");
        check_fault(
            "mailq -l 5",
            "convoy does not hold mail queues; ask the MTA: mailq, which Postfix and Exim have too",
        );
        check_fault(
            "cluster shared",
            "there is no command `cluster shared`; after `cluster shared` comes one of: list, show",
        );
        check_fault("flush all", "there is no command `flush all`; after `flush` comes one of: control");
        check_fault("cluster info now", "that is too much: cluster info");
        check_fault("broadcast", "more is needed: broadcast COMMAND");
    }

    #[test]
    fn completion_offers_what_may_follow() {
        assert_eq!(complete("cluster sh"), ["shared"]);
        assert_eq!(complete("cluster shared "), ["list", "show"]);
        assert_eq!(complete("broadcast cluster node"), ["nodeaddr", "nodename"]);
        assert_eq!(complete("subcluster "), ["broadcast", "retrieve"]);
        assert_eq!(complete("x"), ["xml"]);
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused_and_reads_the_same_again(line in ".{0,80}") {
            if let Ok(Some(read)) = parse(&line) {
                let again = parse(&read.text()).unwrap().unwrap();
                prop_assert_eq!(again.arguments, read.arguments);
            }
            drop(complete(&line));
        }

        #[test]
        fn any_words_survive_quoting(words in proptest::collection::vec("[^\u{0}]{1,8}", 1..4)) {
            let line = format!("config get {}", words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "));
            prop_assert_eq!(parse(&line).unwrap().unwrap().arguments, words);
        }
    }
}

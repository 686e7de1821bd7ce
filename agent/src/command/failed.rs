//! How a run of `convoy` ends: one line on standard error, and an exit code that scripts can tell apart.
use crate::host::control::{client::ClientError, shape::Failure};
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Exit codes, one for each thing a script may want to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The question was answered.
    Answered = 0,
    /// The daemon answered that it cannot: no such object or node, or it is busy. Ask something else, or later. A
    /// configuration cannot be used, or an option is not set.
    Refused = 1,
    /// The words are wrong. Nothing was asked.
    Usage = 2,
    /// No daemon answers, or it broke off. Look at the daemon.
    Unanswered = 3,
}

/// Why a run ended without an answer.
#[derive(Debug)]
pub enum Failed {
    /// Help or version was asked for: not a failure, and printed by clap.
    Told(clap::Error),
    /// Said on one line of standard error.
    Said {
        /// With which code the process ends.
        exit: Exit,
        /// What is wrong and what to do.
        text: String,
    },
    /// The daemon, or the file, cannot do it.
    Denied(Box<Failure>),
    /// The answer says it all; only the exit code is missing.
    Shown {
        /// With which code the process ends.
        exit: Exit,
    },
    /// Whoever reads our output has seen enough (`convoy ... | head`): not a failure, nothing is said.
    Enough,
}

impl From<ClientError> for Failed {
    fn from(error: ClientError) -> Self {
        let exit = match error {
            ClientError::Refused(_) => Exit::Refused,
            ClientError::Absent { .. }
            | ClientError::Forbidden { .. }
            | ClientError::Broken { .. }
            | ClientError::Unreadable(_) => Exit::Unanswered,
        };
        Self::Said { exit, text: error.to_string() }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Enough,
            _ => Self::Said {
                exit: Exit::Unanswered,
                text: format!("cannot write the answer: {error}; make room where it goes"),
            },
        }
    }
}

/// Returns what to say about words that clap does not accept, or was asked to explain.
pub(super) fn of_words(error: clap::Error) -> Failed {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    match error.kind() {
        DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand => Failed::Told(error),
        _ => Failed::Said { exit: Exit::Usage, text: one_line(&error.to_string()) },
    }
}

/// Says what there is to say and returns the exit code.
pub(super) fn report(failed: &Failed) -> ExitCode {
    let (exit, written) = match failed {
        Failed::Told(error) if error.use_stderr() => (Exit::Usage, error.print()),
        Failed::Told(error) => (Exit::Answered, error.print()),
        Failed::Said { exit, text } => (*exit, writeln!(io::stderr(), "convoy: {text}")),
        Failed::Denied(failure) if failure.report.is_empty() => {
            (Exit::Refused, writeln!(io::stderr(), "convoy: {}", failure.error))
        }
        Failed::Denied(failure) => (
            Exit::Refused,
            writeln!(io::stderr(), "convoy: {}\n\n{}", failure.error, failure.report.trim_end()),
        ),
        Failed::Shown { exit } => (*exit, Ok(())),
        Failed::Enough => (Exit::Answered, Ok(())),
    };
    // A closed stream leaves nobody to tell; the exit code still does.
    drop(written);
    ExitCode::from(exit as u8)
}

/// Returns clap's explanation, which takes several lines, as one: the complaint, then where to read on.
fn one_line(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let (complaint, rest) = text.split_once("\n\nUsage: ").unwrap_or((text, ""));
    let complaint = complaint.split("\n\nFor more information").next().unwrap_or(complaint);
    let words = complaint.split_whitespace().collect::<Vec<_>>().join(" ");
    let usage = rest.lines().next().unwrap_or_default().trim();
    let command = usage.split(" [").next().unwrap_or_default().split(" <").next().unwrap_or_default();
    let command = command.split(" -").next().unwrap_or_default();
    let command = if command.is_empty() { "convoy" } else { command };
    format!("{}; see: {command} --help", words.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Args;
    use clap::Parser;

    fn check(words: &[&str], expected: &str) {
        let error = Args::try_parse_from([&["convoy"], words].concat()).unwrap_err();
        match of_words(error) {
            Failed::Said { exit: Exit::Usage, text } => assert_eq!(text, expected),
            other => panic!("{words:?} ended in {other:?}"),
        }
    }

    #[test]
    fn wrong_words_are_explained_on_one_line() {
        check(
            &["sattus"],
            "unrecognized subcommand 'sattus' tip: a similar subcommand exists: 'status'; see: convoy --help",
        );
        check(
            &["shared", "show"],
            "the following required arguments were not provided: <OBJECT>; see: convoy shared show --help",
        );
        check(
            &["shared", "query", "inbound_cidr", "10.0.0/8"],
            "invalid value '10.0.0/8' for '<PREFIX>': not an IP address; write a prefix as 192.0.2.0/24 or 2001:db8::/32; see: convoy --help",
        );
    }

    #[test]
    fn a_reader_who_has_seen_enough_is_no_failure() {
        assert!(matches!(Failed::from(io::Error::from(io::ErrorKind::BrokenPipe)), Failed::Enough));
    }
}

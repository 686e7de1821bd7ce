//! Commands of the reference that have nothing behind them here. They are told apart from words that are no command: whoever
//! types one learns where to go instead.
//!
//! Source: reference sections 8.2 and 8.5. Those of the mail server's own business are the MTA's.
use super::line::begins_with;
use alloc::string::String;

/// One such command: its words, and what to say.
struct Absent {
    words: &'static [&'static str],
    says: &'static str,
}

const fn absent(words: &'static [&'static str], says: &'static str) -> Absent {
    Absent { words, says }
}

/// Returns what to say about a line that begins with one of them.
pub(super) fn answer(words: &[String]) -> Option<&'static str> {
    let found = ABSENT.iter().find(|absent| begins_with(words, absent.words));
    found.map(|absent| absent.says)
}

const ABSENT: &[Absent] = &[
    absent(
        &["cluster", "abort"],
        "there are no jobs to abort: Ctrl-C ends a command at a prompt, and one that was broadcast ends by itself within 30 s",
    ),
    absent(
        &["mailq"],
        "convoy does not hold mail queues; ask the MTA: mailq, which Postfix and Exim have too",
    ),
    absent(&["rebind"], QUEUES),
    absent(&["reroute", "queue"], QUEUES),
    absent(&["spool", "import"], QUEUES),
    absent(&["count"], MESSAGES),
    absent(&["summary"], MESSAGES),
    absent(
        &["show", "inbound"],
        "convoy knows how many connections each host has: cluster shared show inbound_cidr; for single ones: ss -t state established sport = 25",
    ),
    absent(
        &["show", "outbound"],
        "convoy knows how many connections each host has: cluster shared show outbound_cidr; for single ones: ss -t state established dport = 25",
    ),
    absent(
        &["inbound_audit"],
        "convoy keeps sums and no series; for the connections of each host: cluster shared show inbound_cidr",
    ),
    absent(&["cache", "list"], CACHES),
    absent(&["cache", "stat"], CACHES),
    absent(&["module", "list"], MODULES),
    absent(&["module", "hooks"], MODULES),
    absent(
        &["paniclog"],
        "convoy has one log, on its standard error; under systemd: journalctl -u convoyd -p warning",
    ),
    absent(&["sysinfo"], "for how this node is: convoy status"),
];

const QUEUES: &str =
    "convoy does not hold mail queues; ask the MTA: postqueue and postsuper of Postfix, exim -M of Exim";
const MESSAGES: &str =
    "convoy counts connections, not messages; for those: cluster shared list, and for messages ask the MTA";
const CACHES: &str = "convoy holds no caches of the mail server; ask the MTA";
const MODULES: &str = "convoy has no modules to load; for what it is: version";

#[cfg(test)]
mod tests {
    use super::{super::table::COMMANDS, *};
    use alloc::string::ToString;

    #[test]
    fn no_command_that_is_there_is_said_to_be_absent() {
        for command in COMMANDS {
            let words = command.words.iter().map(ToString::to_string).collect::<alloc::vec::Vec<_>>();
            assert_eq!(answer(&words), None, "{words:?}");
        }
        assert!(
            answer(&["MailQ".into(), "-l".into(), "5".into()])
                .is_some_and(|says| says.contains("ask the MTA"))
        );
        assert_eq!(answer(&["mail".into()]), None);
    }
}

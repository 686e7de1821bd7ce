//! What help says, for people at a prompt and for the manual's page.
use super::{
    absent,
    line::{find, split},
    table::{COMMANDS, Command, Place},
};
use alloc::{format, string::String};
use core::fmt::{self, Write};

/// Returns a command's words and arguments.
pub(super) fn synopsis(command: &Command) -> String {
    let words = command.words.join(" ");
    if command.arguments.is_empty() { words } else { format!("{words} {}", command.arguments) }
}

/// Returns the list of commands that a daemon of this kind carries out; those whose words begin with `first` only.
pub fn list(on_manager: bool, first: &str) -> String {
    let shown = |command: &&Command| {
        let here = match command.place {
            Place::Node => !on_manager,
            Place::Manager => on_manager,
            Place::Both | Place::Console => true,
        };
        here && (first.is_empty() || command.words[0] == first)
    };
    let width = COMMANDS.iter().filter(shown).map(|command| synopsis(command).len()).max().unwrap_or(0);
    let mut text = String::new();
    for command in COMMANDS.iter().filter(shown) {
        line(&mut text, format_args!("{:width$}  {}", synopsis(command), command.summary));
    }
    if on_manager && first.is_empty() {
        text += "\nCommands of the nodes: broadcast COMMAND for all of them, unicast NODE COMMAND for one.\n";
    }
    text
}

/// Returns the help on the command that `words` begin with; none if there is none, here or in the reference.
pub fn command_help(words: &str) -> Option<String> {
    let words = split(words).ok()?;
    let Some(command) = find(&words) else {
        return absent::answer(&words).map(|says| format!("{says}\n"));
    };
    let mut text = format!("{}\n\n{}.\n", synopsis(command), command.summary);
    if !command.help.is_empty() {
        line(&mut text, format_args!("{}", command.help));
    }
    match command.place {
        Place::Node => text += "Carried out on a node; on a manager: broadcast or unicast it.\n",
        Place::Manager => text += "On a manager only.\n",
        Place::Both | Place::Console => {}
    }
    Some(text)
}

/// Returns the table of docs/console.md.
pub fn page() -> String {
    let mut text = String::from("| command | where | what it does |\n|---|---|---|\n");
    for command in COMMANDS {
        let place = match command.place {
            Place::Node => "node",
            Place::Manager => "manager",
            Place::Both => "both",
            Place::Console => "console",
        };
        let changes = if command.changes { " (changes something)" } else { "" };
        let help = command.help.replace('\n', " ");
        let stop = if help.is_empty() { "" } else { ". " };
        // A bar would end the cell, in code too.
        let (synopsis, summary) = (synopsis(command).replace('|', "\\|"), command.summary);
        line(&mut text, format_args!("| `{synopsis}` | {place} | {summary}{changes}{stop}{help} |"));
    }
    text
}

fn line(text: &mut String, words: fmt::Arguments<'_>) {
    // A string takes everything.
    writeln!(text, "{words}").unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_daemon_lists_its_own() {
        let (node, manager) = (list(false, ""), list(true, ""));
        assert!(node.contains("cluster membership") && !node.contains("broadcast"), "{node}");
        assert!(manager.contains("broadcast COMMAND") && !manager.contains("cluster reset"), "{manager}");
        assert!(list(false, "cluster").lines().all(|line| line.starts_with("cluster ")));
    }

    #[test]
    fn every_line_fits_a_terminal_and_every_command_has_a_page() {
        for command in COMMANDS {
            assert!(command_help(&command.words.join(" ")).is_some(), "{:?}", command.words);
            assert!(command.help.lines().all(|line| line.len() <= 110), "{:?}", command.words);
            assert!(!command.summary.ends_with('.'), "{:?}", command.words);
        }
    }
}

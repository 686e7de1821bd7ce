//! `convoy console`: the commands that operators of the reference know, at a prompt or one after the other.
//!
//! A line becomes a request of the control socket, the daemon's line of JSON becomes the text that the reference
//! prints, XML, or stays JSON. The commands are those of `core::console`.
mod ask;
mod attached;
mod duravip;
mod interrupts;
mod pager;
mod prompt;
mod show;
mod xml;

pub(super) use attached::{broke_off, uncertain};

use super::{Exit, Failed, Style, failed};
use crate::host::control::endpoint::At;
use crate::sys::process;
use attached::Attached;
use convoy_core::console::{self, Id, Line, Place};
use std::{
    io::{self, BufRead, IsTerminal, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// A console, attached to a daemon.
pub(super) struct Console {
    attached: Attached,
    session: String,
    json: bool,
    style: Style,
}

/// What a line led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Read the next one.
    Go,
    /// Show long answers in a pager, or no longer.
    Pager,
    /// Leave.
    Quit,
}

/// Runs a console: at a prompt on a terminal, else one command a line, or the one command that `words` are.
pub(super) fn run(
    run_dir: &Path,
    words: &[String],
    json: bool,
    style: Style,
    to: &mut impl Write,
) -> Result<(), Failed> {
    let (socket, command) = match words.split_first() {
        Some((first, rest)) if is_endpoint(first) => (endpoint(first)?, rest),
        _ => (At::Unix(run_dir.join(crate::host::control::SOCKET_NAME)), words),
    };
    let mut console = Console::attach(socket, json, style)?;
    if !command.is_empty() {
        return console.carry_out(&quoted(command), to).map(|_next| ());
    }
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return prompt::run(&mut console, to);
    }
    for line in io::stdin().lock().lines() {
        if console.carry_out(&line?, to)? == Next::Quit {
            break;
        }
    }
    Ok(())
}

impl Console {
    fn attach(socket: At, json: bool, style: Style) -> Result<Self, Failed> {
        let session = format!("console-{}", std::process::id());
        Ok(Self { attached: Attached::to(socket)?, session, json, style })
    }

    /// Carries out one line.
    ///
    /// # Errors
    /// It is no command, or the daemon cannot do it; the console can go on.
    pub(super) fn carry_out(&mut self, text: &str, to: &mut impl Write) -> Result<Next, Failed> {
        let line = console::parse(text).map_err(|fault| usage(&fault.to_string()))?;
        let Some(line) = line else { return Ok(Next::Go) };
        self.check_place(&line)?;
        match line.command.id {
            Id::Quit => return Ok(Next::Quit),
            Id::Pager => return Ok(Next::Pager),
            Id::Help => to.write_all(self.help(&line)?.as_bytes())?,
            Id::ClusterHelp => {
                to.write_all(console::list(self.attached.is_manager(), "cluster").as_bytes())?;
            }
            _ => self.request(&line, to)?,
        }
        Ok(Next::Go)
    }

    fn request(&mut self, line: &Line, to: &mut impl Write) -> Result<(), Failed> {
        let ask = ask::of(line, &self.session)?;
        let answer = self.attached.ask(&ask, &ask.effect(line))?;
        if self.json {
            writeln!(to, "{answer}")?;
        } else if line.xml || matches!(line.command.id, Id::ShowClusterMembership | Id::DuravipShowTables) {
            xml::write(&line.text(), &answer, to)?;
        } else {
            show::write(line, &ask, &answer, self.style, to)?;
        }
        Ok(())
    }

    /// Tells how a command that is carried out elsewhere gets there.
    fn check_place(&self, line: &Line) -> Result<(), Failed> {
        let typed = line.text();
        match line.command.place {
            Place::Node if self.attached.is_manager() => Err(usage(&format!(
                "`{typed}` is carried out on nodes: `broadcast {typed}`, or `unicast NODE {typed}`"
            ))),
            Place::Manager if !self.attached.is_manager() => Err(usage(&format!(
                "`{typed}` is for managers and this is a node; any node can ask all: convoy --all COMMAND"
            ))),
            _ => Ok(()),
        }
    }

    fn help(&self, line: &Line) -> Result<String, Failed> {
        let words = line.arguments.join(" ");
        if words.is_empty() {
            return Ok(console::list(self.attached.is_manager(), ""));
        }
        console::command_help(&words)
            .ok_or_else(|| usage(&format!("there is no command `{words}`; see: help")))
    }
}

/// Tells whether a first word says where to attach rather than what to do.
fn is_endpoint(word: &str) -> bool {
    word.starts_with('/') || word.starts_with("ssh://") || (word.contains(':') && !word.contains(' '))
}

fn endpoint(word: &str) -> Result<At, Failed> {
    if word.starts_with('/') {
        return Ok(At::Unix(PathBuf::from(word)));
    }
    let text = word.strip_prefix("ssh://").unwrap_or(word);
    let (user, place) = text.rsplit_once('@').map_or((None, text), |(user, place)| (Some(user), place));
    let loopback = match place.parse::<SocketAddr>() {
        Ok(address) if address.ip().to_canonical().is_loopback() && text == word => address,
        _ => {
            let host = place.rsplit_once(':').map_or(place, |(host, _port)| host).trim_matches(['[', ']']);
            let host = user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"));
            return Err(usage(&format!(
                "{word}: consoles are reached on this host alone, where the kernel says who asks; for another host: \
                 ssh {host} convoy console"
            )));
        }
    };
    let own = rustix::process::geteuid().as_raw();
    let own = process::user(own).map_or_else(|| own.to_string(), |user| user.name);
    match user.filter(|user| *user != own) {
        Some(user) => Err(usage(&format!(
            "you are {own}, and the kernel tells convoyd so; to be {user}: sudo -u {user} convoy console {loopback}"
        ))),
        None => Ok(At::Tcp(loopback)),
    }
}

/// Returns words of a command line as one line that is read as the same words.
fn quoted(words: &[String]) -> String {
    if let [line] = words {
        return line.clone();
    }
    words.iter().map(|word| console::quoted(word)).collect::<Vec<_>>().join(" ")
}

fn usage(text: &str) -> Failed {
    Failed::Said { exit: Exit::Usage, text: text.into() }
}

/// Says at a prompt what went wrong.
pub(super) fn say(failed: &Failed) {
    failed::report(failed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_word_is_an_endpoint_if_it_looks_like_one() {
        assert!(is_endpoint("/tmp/2025") && is_endpoint("root@10.0.0.1:2025") && is_endpoint("[::1]:2025"));
        assert!(!is_endpoint("cluster") && !is_endpoint("cluster info"));
        for word in ["root@10.0.0.1:2025", "ssh://root@10.0.0.1:2025"] {
            let Err(Failed::Said { text, .. }) = endpoint(word) else { panic!("attached") };
            assert!(text.ends_with("ssh root@10.0.0.1 convoy console"), "{text}");
        }
        let Err(Failed::Said { text, .. }) = endpoint("ssh://mx2") else { panic!("attached") };
        assert!(text.ends_with("ssh mx2 convoy console"), "{text}");
    }

    #[test]
    fn on_loopback_a_user_is_who_runs_the_console() {
        assert_eq!(endpoint("/tmp/2025").ok(), Some(At::Unix("/tmp/2025".into())));
        assert_eq!(endpoint("[::1]:2025").ok(), Some(At::Tcp("[::1]:2025".parse().unwrap())));
        let Err(Failed::Said { text, .. }) = endpoint("somebody.else@127.0.0.1:2025") else {
            panic!("attached")
        };
        assert!(text.ends_with("sudo -u somebody.else convoy console 127.0.0.1:2025"), "{text}");
    }
}

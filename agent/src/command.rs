//! The client `convoy`: its words, what it prints, and its exit codes.
//!
//! One question a run: words become a request, the daemon's line becomes text for people, or is printed as it is
//! with `--json`. Rendering is pure: an answer and a [`Style`] in, bytes out. Knows nothing of how answers come
//! about; see `host::control`.
mod all;
mod args;
mod cluster;
mod config;
mod console;
mod drift;
mod failed;
mod listing;
mod membership;
mod object;
mod status;
mod style;
mod table;
mod top;
mod tree;
mod vip;
mod words;

pub use args::{Args, Question, Shared, View};
pub use config::{Config, ConfigCommand, Words, render_config};
pub use failed::{Exit, Failed};
pub use style::Style;
pub use vip::Vip;

use crate::host::control::{
    client::{Client, ClientError},
    shape::{
        Drift, Membership, Request, SharedList, SharedQuery, SharedShow, SharedTop, Status,
        all::{Flushed, Sent},
        cluster::Hello,
    },
};
use clap::Parser;
use serde::Deserialize;
use std::{
    env,
    io::{self, BufWriter, IsTerminal, Write},
    process::ExitCode,
};

/// Runs the client with this process's arguments, environment and standard streams.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return failed::report(&failed::of_words(error)),
    };
    let stdout = io::stdout();
    let style = Style::detect(stdout.is_terminal(), |name| env::var(name).ok());
    let mut to = BufWriter::with_capacity(64 * 1024, stdout.lock());
    let outcome = ask(&args, style, &mut to).and_then(|()| to.flush().map_err(Failed::from));
    match outcome {
        Ok(()) => ExitCode::from(Exit::Answered as u8),
        Err(failed) => failed::report(&failed),
    }
}

/// Asks the daemon what `args` say and writes its answer.
///
/// # Errors
/// In words for the operator, with the exit code that belongs to them.
pub fn ask(args: &Args, style: Style, to: &mut impl Write) -> Result<(), Failed> {
    if let Question::Config(config) = &args.question {
        return config::run(args, config, style, to);
    }
    if let Question::Console { words } = &args.question {
        if args.all {
            let text = "a console is attached to one daemon: on a manager, `broadcast` has all nodes carry a command out; on a \
                        node leave `console` out, as in: convoy --all status";
            return Err(Failed::Said { exit: Exit::Usage, text: text.into() });
        }
        return console::run(&args.run_dir, words, args.json, style, to);
    }
    let Some(request) = args.request() else { return Ok(()) };
    if args.all {
        return match request {
            Request::Status => all::ask_statuses(args, style, to),
            request => all::ask(args, &request, style, to, |text, to| render(&request, text, style, to)),
        };
    }
    let mut client = Client::connect(&args.run_dir)?;
    let line = client.ask(&request)?;
    if args.json {
        to.write_all(line.as_bytes())?;
        to.write_all(b"\n")?;
        return Ok(());
    }
    render(&request, line, style, to)
}

/// Writes the answer `line` to `request` as text for people.
///
/// # Errors
/// The line is no such answer, or `to` does not take it.
pub fn render(request: &Request, line: &str, style: Style, to: &mut impl Write) -> Result<(), Failed> {
    match request {
        Request::Status => status::write(&parse::<Status>(line)?, style, to)?,
        Request::Membership => membership::write(&parse::<Membership>(line)?, style, to)?,
        Request::SharedList => listing::write(&parse::<SharedList>(line)?, style, to)?,
        Request::SharedShow { .. } => tree::write(&parse::<SharedShow>(line)?, style, to)?,
        Request::SharedQuery { .. } => object::write(&parse::<SharedQuery>(line)?, style, to)?,
        Request::SharedTop { .. } => top::write(&parse::<SharedTop>(line)?, style, to)?,
        Request::Hello => {
            let Hello { role, node, version, pid } = parse(line)?;
            writeln!(to, "{role} {node}, convoyd {version}, pid {pid}")?;
        }
        Request::Cluster | Request::Reset => cluster::write(&parse(line)?, style, to)?,
        Request::Broadcast(_) => {
            writeln!(to, "sent to {}; see: retrieve", parse::<Sent>(line)?.nodes.join(", "))?;
        }
        Request::Flush => {
            let Flushed { commands, dropped } = parse(line)?;
            writeln!(
                to,
                "answers to {commands} commands forgotten; {dropped} had been dropped for want of room"
            )?;
        }
        Request::Retrieve(_) => unreachable!("the console lays its answers out by the command they are to"),
        Request::All(all) => {
            let inner = serde_json::from_str(&all.line).map_err(io::Error::from)?;
            all::write(&inner, &parse(line)?, style, to)?;
        }
        Request::Drift => drift::write(&parse::<Drift>(line)?, style, to)?,
        Request::Vips => vip::list(&parse(line)?, style, to)?,
        Request::VipMove(_) => vip::moving(&parse(line)?, to)?,
        Request::VipDrain(_) => vip::drained(&parse(line)?, to)?,
        Request::VipAnnounce => vip::announced(&parse(line)?, to)?,
        Request::VipHistory => vip::history(&parse(line)?, style, to)?,
        Request::VipDebug { .. } => vip::debugging(parse(line)?, to)?,
        Request::Arp => vip::hosts(&parse(line)?, to)?,
    }
    Ok(())
}

fn parse<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T, Failed> {
    serde_json::from_str(line).map_err(|error| ClientError::Unreadable(error).into())
}

//! `convoy config`: the daemon's configuration over its socket, or a file's without a daemon.
//!
//! Both ways give the same answers, so there is one text for each. Offline a change is written to the file at once.
mod args;
mod check;
mod text;

pub use args::{Config, ConfigCommand, Words};
pub use text::render as render_config;

use super::{
    Args, Exit, Failed, Style,
    console::{broke_off, uncertain},
};
use crate::{
    host::control::{
        client::{Client, ClientError},
        shape::{
            Failure,
            config::{self as shape, ConfigAnswer, ConfigRequest},
        },
    },
    settings::{
        Environment,
        console::{Caller, Console},
    },
    sys::process,
};
use convoy_core::{config::report::Colour, time::Instant};
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Does what `config` says and writes the answer.
pub(super) fn run(args: &Args, config: &Config, style: Style, to: &mut impl Write) -> Result<(), Failed> {
    if args.all {
        return run_on_all(args, config, style, to);
    }
    if let ConfigCommand::Check { files } = &config.command {
        return check::run(files, &environment(), args.json, style, to);
    }
    let request = request(config)?;
    let line = match &config.file {
        Some(file) => offline(file, &request, style, args.json),
        None => online(&args.run_dir, &request),
    };
    match line {
        Ok(line) if args.json => {
            writeln!(to, "{line}")?;
            if text::is_nothing(&request, &line) {
                Err(Failed::Shown { exit: Exit::Refused })
            } else {
                Ok(())
            }
        }
        Ok(line) => text::render(&request, &line, config.file.is_some(), style, to),
        Err(Failed::Denied(failure)) if args.json => {
            serde_json::to_writer(&mut *to, &failure).map_err(std::io::Error::from)?;
            writeln!(to)?;
            Err(Failed::Shown { exit: Exit::Refused })
        }
        Err(failed) => Err(failed),
    }
}

/// Has every node answer. Transactions are left out: what is begun on all nodes cannot be made on all or on none.
fn run_on_all(args: &Args, config: &Config, style: Style, to: &mut impl Write) -> Result<(), Failed> {
    let alone = match &config.command {
        ConfigCommand::Check { .. } => {
            Some("check reads files of this host and asks no node: leave --all out")
        }
        _ if config.file.is_some() => Some("--file is a file of this host: leave --all or --file out"),
        ConfigCommand::Begin { .. }
        | ConfigCommand::Commit
        | ConfigCommand::Rollback
        | ConfigCommand::Replay => Some(
            "a transaction is one node's: leave --all out, or change one option at a time with `config set`, or the files \
             and have all read them with `config reload`",
        ),
        _ if config.session.is_some() => {
            Some("a session is one node's: leave --all out, or --session and CONVOY_SESSION")
        }
        _ => None,
    };
    if let Some(why) = alone {
        return Err(usage(why));
    }
    let request = request_of(config, None)?;
    super::all::ask(args, &request, style, to, |text, to| text::render(&request, text, false, style, to))
}

fn online(run_dir: &Path, request: &ConfigRequest) -> Result<String, Failed> {
    match Client::connect(run_dir)?.ask(request) {
        Ok(line) => Ok(line.to_owned()),
        Err(ClientError::Refused(failure)) => Err(Failed::Denied(failure)),
        Err(ClientError::Broken { at, source }) if !request.only_reads() => {
            Err(uncertain(&broke_off(&at, &source), "the change", "convoy config show"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Answers from a file, and writes it when it changed.
fn offline(file: &Path, request: &ConfigRequest, style: Style, json: bool) -> Result<String, Failed> {
    let needs_daemon = matches!(
        request,
        ConfigRequest::Begin { .. }
            | ConfigRequest::Commit(_)
            | ConfigRequest::Rollback(_)
            | ConfigRequest::Replay(_)
            | ConfigRequest::Reload(_)
    );
    if needs_daemon {
        return Err(usage(
            "this concerns a running convoyd: leave --file out; set and unset change the file at once",
        ));
    }
    let mut console = Console::offline(file, &environment()).map_err(|report| {
        let colour = if style.colour && !json { Colour::Always } else { Colour::Never };
        Failed::Denied(Box::new(Failure {
            error: format!("{} cannot be used: correct the errors", file.display()),
            diagnostics: crate::settings::console::all_rows(&report),
            report: report.layout(colour).to_string(),
        }))
    })?;
    let caller = Caller { user: 0, now: Instant::from_ns(0) };
    let mut ask = |request: &ConfigRequest| {
        let answer = console.ask(request, caller, &mut |_| Ok(Vec::new()));
        answer.map_err(|failure| Failed::Denied(Box::new(failure)))
    };
    let answer = ask(request)?;
    if matches!(answer, ConfigAnswer::Change(_))
        && let ConfigAnswer::Written(written) = ask(&ConfigRequest::Writeback(shape::Path::default()))?
        && let Some(unsaved) = written.unsaved
    {
        let error = format!("no file of this configuration may be written; it would need:\n{unsaved}");
        return Err(Failed::Denied(Box::new(Failure::new(error))));
    }
    serde_json::to_string(&answer).map_err(|error| Failed::from(std::io::Error::from(error)))
}

pub(super) fn request(config: &Config) -> Result<ConfigRequest, Failed> {
    request_of(config, Some(config.session.clone().unwrap_or_else(session_of_terminal)))
}

fn request_of(config: &Config, session: Option<String>) -> Result<ConfigRequest, Failed> {
    let words = |words: &Words| shape::Words { words: words.words.clone(), session: session.clone() };
    let own = || shape::Own { session: session.clone() };
    let path = |path: &Option<PathBuf>| -> Result<shape::Path, Failed> {
        let path = path.as_deref().map(absolute).transpose()?;
        Ok(shape::Path { path, session: session.clone() })
    };
    Ok(match &config.command {
        ConfigCommand::Check { .. } => return Err(usage("check asks nobody")),
        ConfigCommand::Get(given) => ConfigRequest::Get(words(given)),
        ConfigCommand::Eval(given) => ConfigRequest::Eval(words(given)),
        ConfigCommand::Set(given) => ConfigRequest::Set(words(given)),
        ConfigCommand::Unset(given) => ConfigRequest::Unset(words(given)),
        ConfigCommand::Show(given) => ConfigRequest::Show(words(given)),
        ConfigCommand::Showrecurse(given) => ConfigRequest::ShowRecurse(words(given)),
        ConfigCommand::Locate { scope, regex } => {
            let given = std::iter::once(scope).chain(regex).cloned().collect();
            ConfigRequest::Locate(words(&Words { words: given }))
        }
        ConfigCommand::Begin { words } => match words
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .as_slice()
        {
            [] => ConfigRequest::Begin { scratch: false, session },
            ["from", "scratch"] => ConfigRequest::Begin { scratch: true, session },
            _ => return Err(usage("write `begin` or `begin from scratch`; see: convoy config begin --help")),
        },
        ConfigCommand::Commit => ConfigRequest::Commit(own()),
        ConfigCommand::Rollback => ConfigRequest::Rollback(own()),
        ConfigCommand::Replay => ConfigRequest::Replay(own()),
        ConfigCommand::Reload { path: file } => ConfigRequest::Reload(path(file)?),
        ConfigCommand::Writeback { path: file } => ConfigRequest::Writeback(path(file)?),
    })
}

/// Returns a name that all commands typed in one terminal share, and no other one.
///
/// A login's processes have one session (credentials(7)); scripts under cron or a service manager have one each.
/// In a container that was entered from outside (`nsenter`, `exec`) the session's number is 0: its leader has none
/// there.
fn session_of_terminal() -> String {
    format!("terminal-{}", process::session())
}

/// The daemon's working directory is another one.
fn absolute(path: &Path) -> Result<String, Failed> {
    let path = std::path::absolute(path).map_err(|error| usage(&format!("{}: {error}", path.display())))?;
    let text = path.to_str().ok_or_else(|| usage("the path is not UTF-8"))?;
    Ok(text.to_owned())
}

fn environment() -> Environment {
    Environment::of_process(rustix::system::uname().nodename().to_string_lossy().into_owned())
}

fn usage(text: &str) -> Failed {
    Failed::Said { exit: Exit::Usage, text: text.into() }
}

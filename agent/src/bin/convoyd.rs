//! `convoyd`: the cluster daemon of a mail host.
use clap::Parser;
use convoy_agent::{
    daemon::{self, Apply, Configuration, Places, Wanted},
    host::{control::Command, counting},
    settings::{
        self, Counted, Environment, Report,
        console::{Caller, Console},
    },
    sys::log::Log,
};
use convoy_core::{group::view::Role, time};
use std::{io::Write, path::PathBuf, process::ExitCode, time::Instant};

/// Counts this host's mail connections in the kernel and shares the counts with all nodes of the cluster.
///
/// Runs in the foreground and logs to standard error. SIGHUP reads the configuration anew; SIGTERM says goodbye to
/// the other nodes and ends. Counting goes on in the kernel while no convoyd runs, and the next one takes it over.
///
/// Exit codes: 0 stopped, or the check passed; 1 the configuration is wrong; 2 wrong usage; 3 the host lacks
/// something (kernel, capability, cgroup2, bpffs, BTF); 4 something is in the way (another convoyd, a port, a
/// directory that cannot be written); 5 it failed while running.
#[derive(Debug, Parser)]
#[command(version, after_help = "Example: convoyd --config /etc/convoy/ecelerity-cluster.conf --check")]
struct Arguments {
    /// Configuration file, in the language of ecelerity-cluster.conf; see docs/configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Directory of the control socket; must not outlive a boot.
    #[arg(long, value_name = "DIR", default_value = "/run/convoy")]
    run_dir: PathBuf,
    /// Directory of what must outlive a boot.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/convoy")]
    state_dir: PathBuf,
    /// Directory on a bpffs for the pinned tables [default: "convoy" in the bpffs, which is mounted if need be].
    #[arg(long, value_name = "DIR")]
    bpffs: Option<PathBuf>,
    /// cgroup2 directory whose processes' connections are counted [default: the cgroup2 root, wherever mounted].
    #[arg(long, value_name = "DIR")]
    cgroup: Option<PathBuf>,
    /// What this host is in the cluster: a node counts its mail connections; a manager counts nothing, owns no address,
    /// and gives commands to the nodes (its file is eccluster.conf).
    #[arg(long, value_name = "ROLE", default_value = "node")]
    role: RoleName,
    /// Check the configuration, say what is wrong with it, and exit.
    #[arg(long)]
    check: bool,
}

/// A role, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum RoleName {
    Node,
    Manager,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Node => Self::Node,
            RoleName::Manager => Self::Manager,
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let log = Log::start();
    let environment = Environment::of_process(host_name());
    let (console, settings) = match Console::open(&arguments.config, &environment) {
        Ok((console, settings, warnings)) => {
            say(&warnings);
            (console, settings)
        }
        Err(report) => {
            unusable(&report, &arguments);
            return ExitCode::from(CONFIGURATION_WRONG);
        }
    };
    if arguments.check {
        return ExitCode::SUCCESS;
    }
    let wanted = match wanted(&settings, &arguments) {
        Ok(wanted) => wanted,
        Err(error) => return fail(&daemon::Error::from(error)),
    };
    let places = Places { run_dir: arguments.run_dir.clone(), state_dir: arguments.state_dir.clone() };
    log.set_level(wanted.level);
    let mut live = Live { console, arguments, start: Instant::now() };
    match daemon::run(&places, wanted, &log, &mut live) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// The configuration that the daemon runs with.
struct Live {
    console: Console,
    arguments: Arguments,
    start: Instant,
}

impl Configuration for Live {
    fn reload(&mut self, apply: &mut Apply<'_>) {
        let Self { console, arguments, .. } = self;
        let unsaved = console.unsaved();
        match console.reload(&mut |settings| take(settings, arguments, apply)) {
            Ok(warnings) => {
                say(&warnings);
                if !unsaved.is_empty() {
                    let files = unsaved.join(", ");
                    tracing::warn!("changes made online and not written back are dropped: {files}");
                }
            }
            Err(Some(report)) => {
                unusable(&report, arguments);
                tracing::error!("the reload changes nothing: the configuration cannot be used");
            }
            // Told where it was refused.
            Err(None) => {}
        }
    }

    fn command(&mut self, command: Command, apply: &mut Apply<'_>) {
        let Self { console, arguments, start } = self;
        let now = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let caller = Caller { user: command.user, now: time::Instant::from_ns(now) };
        let answer = console.ask(&command.request, caller, &mut |settings| take(settings, arguments, apply));
        if command.reply.try_send(answer).is_err() {
            tracing::debug!("a control client left before its answer");
        }
    }
}

/// Puts settings into effect; gives what takes effect after a restart only.
fn take(
    settings: &settings::Settings,
    arguments: &Arguments,
    apply: &mut Apply<'_>,
) -> Result<Vec<String>, String> {
    let wanted = wanted(settings, arguments).map_err(|error| error.to_string())?;
    let changes = apply(wanted).map_err(|error| error.to_string())?;
    Ok(changes.kept.into_iter().map(String::from).collect())
}

fn unusable(report: &Report, arguments: &Arguments) {
    say(report);
    tracing::error!("{} cannot be used; correct the errors above", arguments.config.display());
}

fn wanted(settings: &settings::Settings, arguments: &Arguments) -> Result<Wanted, counting::Error> {
    let role = arguments.role.into();
    let place = match role {
        // A manager's host may have neither.
        Role::Manager => Counted::default(),
        Role::Node => Counted {
            cgroup: match &arguments.cgroup {
                Some(cgroup) => cgroup.clone(),
                None => counting::default_cgroup()?,
            },
            bpffs: arguments.bpffs.clone().unwrap_or_else(counting::default_bpffs),
        },
    };
    Ok(settings.wanted(role, place, arguments.state_dir.clone()))
}

fn say(report: &Report) {
    let text = report.to_string();
    if !text.is_empty() {
        // Nobody to tell that standard error is closed.
        drop(std::io::stderr().write_all(text.as_bytes()));
    }
}

fn fail(error: &daemon::Error) -> ExitCode {
    let sources = std::iter::successors(std::error::Error::source(error), |error| error.source());
    let shown = error.to_string();
    let text = sources
        .map(ToString::to_string)
        .filter(|source| !shown.contains(source.as_str()))
        .fold(shown.clone(), |text, source| text + ": " + &source);
    tracing::error!("{text}");
    ExitCode::from(error.exit_code())
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Exit code of a configuration that cannot be used; the others are [`daemon::Error::exit_code`].
const CONFIGURATION_WRONG: u8 = 1;

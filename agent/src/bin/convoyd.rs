//! `convoyd`: the cluster daemon of a mail host.
use clap::Parser;
use convoy_agent::{
    daemon::{self, Places, Wanted},
    host::counting,
    settings::{self, Environment, Report},
    sys::log::Log,
};
use std::{io::Write, path::PathBuf, process::ExitCode};

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
    /// Check the configuration, say what is wrong with it, and exit.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let log = Log::start();
    let environment = Environment::of_process(host_name());
    let Some(wanted) = read(&arguments, &environment) else { return ExitCode::from(CONFIGURATION_WRONG) };
    if arguments.check {
        return ExitCode::SUCCESS;
    }
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(error) => return fail(&daemon::Error::from(error)),
    };
    let places = Places { run_dir: arguments.run_dir.clone(), state_dir: arguments.state_dir.clone() };
    let reload = || read(&arguments, &environment)?.map_err(|error| tracing::error!("{error}")).ok();
    log.set_level(wanted.level);
    match daemon::run(&places, wanted, &log, reload) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Reads the configuration and says what is wrong with it; `None` when it cannot be used.
fn read(arguments: &Arguments, environment: &Environment) -> Option<Result<Wanted, counting::Error>> {
    match settings::load(&arguments.config, environment) {
        Ok(loaded) => {
            say(&loaded.warnings);
            Some(wanted(&loaded.settings, arguments))
        }
        Err(report) => {
            say(&report);
            tracing::error!("{} cannot be used; correct the errors above", arguments.config.display());
            None
        }
    }
}

fn wanted(settings: &settings::Settings, arguments: &Arguments) -> Result<Wanted, counting::Error> {
    let cgroup = match &arguments.cgroup {
        Some(cgroup) => cgroup.clone(),
        None => counting::default_cgroup()?,
    };
    let bpffs = arguments.bpffs.clone().unwrap_or_else(counting::default_bpffs);
    Ok(settings.wanted(bpffs, cgroup, arguments.state_dir.clone()))
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

//! What runs when an address has come to the host, and before it goes: a command, or a unit of systemd.
//!
//! Invariants: 1. all hooks of an address together have [`HOOKS_WITHIN`](bounds::HOOKS_WITHIN), and what still runs then
//! is killed with whatever it started in its process group; 2. no shell is involved. A hook gets `CONVOY_ADDRESS`,
//! `CONVOY_INTERFACE` and `CONVOY_PHASE` (`plumbed` or `unplumbing`) in its environment and nothing on its input. A unit is
//! started after plumbing and stopped before unplumbing.
use crate::sys::child::{Child, find_program};
use convoy_core::bounds;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    collections::{BTreeMap, VecDeque},
    ffi::{OsStr, OsString},
    fmt, io,
    net::IpAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

/// The hooks of each address, in the order in which they run.
pub type Hooks = BTreeMap<IpAddr, Arc<[Hook]>>;

/// One thing to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A program and its arguments. One without a slash is looked for as execvp(3) does.
    Command(Vec<String>),
    /// The same, in one phase only.
    In(Phase, Vec<String>),
    /// A unit of systemd.
    Unit(String),
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The address is on the host.
    Plumbed,
    /// The address is about to leave the host.
    Unplumbing,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Plumbed => "plumbed",
            Self::Unplumbing => "unplumbing",
        })
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(words) | Self::In(_, words) => f.pad(&words.join(" ")),
            Self::Unit(unit) => write!(f, "unit {unit}"),
        }
    }
}

impl Hook {
    fn runs_in(&self, phase: Phase) -> bool {
        !matches!(self, Self::In(only, _) if *only != phase)
    }

    /// Returns program and arguments.
    fn words(&self, phase: Phase) -> Vec<&str> {
        match (self, phase) {
            (Self::Command(words) | Self::In(_, words), _) => words.iter().map(String::as_str).collect(),
            (Self::Unit(unit), Phase::Plumbed) => vec!["systemctl", "--no-ask-password", "start", "--", unit],
            (Self::Unit(unit), Phase::Unplumbing) => {
                vec!["systemctl", "--no-ask-password", "stop", "--", unit]
            }
        }
    }
}

/// Runs the hooks of an address one after the other; one that fails does not keep the next from running. Blocks.
///
/// # Errors
/// What went wrong with which hook, all of them.
pub(super) fn run(hooks: &[Hook], address: IpAddr, interface: &str, phase: Phase) -> Result<(), String> {
    let environment = [
        ("CONVOY_ADDRESS", OsString::from(address.to_string())),
        ("CONVOY_INTERFACE", interface.into()),
        ("CONVOY_PHASE", phase.to_string().into()),
    ];
    let within = Duration::from_nanos(bounds::HOOKS_WITHIN.as_ns());
    let end = Instant::now() + within;
    let mut failures: Vec<String> = Vec::new();
    for hook in hooks.iter().take(bounds::HOOKS_MAX).filter(|hook| hook.runs_in(phase)) {
        if let Err(why) = run_one(hook, phase, &environment, end) {
            failures.push(format!("{hook}: {why}"));
        }
    }
    if let Some(spare) = hooks.get(bounds::HOOKS_MAX) {
        failures.push(format!("{spare}: not run, an address has at most {} hooks", bounds::HOOKS_MAX));
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

fn run_one(hook: &Hook, phase: Phase, environment: &[(&str, OsString)], end: Instant) -> Result<(), String> {
    let words = hook.words(phase);
    let [program, arguments @ ..] = &words[..] else { return Err("no program is named".into()) };
    let path = if program.contains('/') { Some(PathBuf::from(program)) } else { find_program(program) };
    let path = path.ok_or_else(|| format!("there is no program {program} in PATH"))?;
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    let cannot = |error: io::Error| error.to_string();
    let mut child = Child::start_with(&path, &arguments, environment).map_err(cannot)?;
    let mut said = VecDeque::new();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let status = child.status().map_err(cannot)?;
        child.errors(|line| {
            if said.len() == LINES_MAX {
                said.pop_front();
            }
            said.push_back(line.to_owned());
        });
        let why = match status {
            Some(status) if status.success() => return Ok(()),
            Some(status) => status.to_string(),
            None if left.is_zero() => {
                child.kill_group();
                format!("still running after {}, killed", bounds::HOOKS_WITHIN)
            }
            None => {
                wait(&child, left).map_err(cannot)?;
                continue;
            }
        };
        let said: Vec<String> = said.into();
        return Err(if said.is_empty() { why } else { format!("{why}, saying: {}", said.join(" / ")) });
    }
}

/// Sleeps until the child ends, says something, or the time is over.
fn wait(child: &Child, left: Duration) -> io::Result<()> {
    let timeout = Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    };
    let ended = child.ended_fd();
    let errors = child.errors_fd();
    let mut fds = vec![PollFd::new(&ended, PollFlags::IN)];
    if let Some(errors) = &errors {
        fds.push(PollFd::new(errors, PollFlags::IN));
    }
    match poll(&mut fds, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The last lines of its standard error that are told with a failure.
const LINES_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn shell(script: &str) -> Hook {
        Hook::Command(["sh", "-c", script].map(String::from).into())
    }

    #[test]
    fn a_hook_is_told_what_it_is_for() {
        let check = r#"test "$CONVOY_ADDRESS $CONVOY_INTERFACE $CONVOY_PHASE" = "192.0.2.1 eth0 plumbed""#;
        assert_eq!(run(&[shell(check)], VIP, "eth0", Phase::Plumbed), Ok(()));
        assert!(run(&[shell(check)], VIP, "eth1", Phase::Plumbed).is_err());
    }

    #[test]
    fn a_hook_of_one_phase_does_not_run_in_the_other() {
        let fails = Hook::In(Phase::Plumbed, ["sh", "-c", "exit 1"].map(String::from).into());
        assert!(run(std::slice::from_ref(&fails), VIP, "eth0", Phase::Plumbed).is_err());
        assert_eq!(run(&[fails], VIP, "eth0", Phase::Unplumbing), Ok(()));
    }

    #[test]
    fn every_failure_is_told_with_what_the_hook_said() {
        let none = Hook::Command(vec!["no-such-program-anywhere".into()]);
        let hooks = [shell("echo no room >&2; exit 3"), none, Hook::Command(Vec::new())];
        let why = run(&hooks, VIP, "eth0", Phase::Unplumbing).unwrap_err();
        for part in ["exit status: 3, saying: no room", "no-such-program-anywhere", "no program is named"] {
            assert!(why.contains(part), "{part} in {why}");
        }
    }

    #[test]
    fn a_unit_is_started_and_stopped() {
        let unit = Hook::Unit("postfix@vip.service".into());
        assert_eq!(unit.words(Phase::Plumbed)[2..], ["start", "--", "postfix@vip.service"]);
        assert_eq!(unit.words(Phase::Unplumbing)[2..], ["stop", "--", "postfix@vip.service"]);
    }
}

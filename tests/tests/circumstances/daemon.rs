//! What the tests here have in common: a host, its daemon, and what it said.
use anyhow::{Context, Result, ensure};
use lab::{Agent, Binaries, Host, Lab, LabOptions, Launch, until};
use serde_json::Value;
use std::{ffi::OsString, path::Path, time::Duration};

/// A lab of `hosts` hosts without IPv6, which none of these tests needs.
pub(crate) fn lab(hosts: usize) -> Result<Lab> {
    Lab::up(&LabOptions { hosts, ipv6: false, ..LabOptions::default() })
}

/// The words that run the host's daemon, to be run by another program.
pub(crate) fn words(host: &Host) -> Result<Vec<OsString>> {
    let mut words = vec![Binaries::find()?.convoyd.into_os_string()];
    for (flag, value) in [
        ("--config", host.config_path().as_path()),
        ("--run-dir", &host.run_dir()),
        ("--state-dir", &host.state_dir()),
        ("--bpffs", host.bpffs_dir()),
        ("--cgroup", host.cgroup().path()),
    ] {
        words.extend([flag.into(), value.as_os_str().to_owned()]);
    }
    Ok(words)
}

/// Replaces the value of a flag in `words`.
pub(crate) fn with(mut words: Vec<OsString>, flag: &str, value: &Path) -> Vec<OsString> {
    let at = words.iter().position(|word| *word == *flag).map(|at| at + 1);
    if let Some(word) = at.and_then(|at| words.get_mut(at)) {
        value.as_os_str().clone_into(word);
    }
    words
}

/// Takes a flag and its value out of `words`.
pub(crate) fn without(mut words: Vec<OsString>, flag: &str) -> Vec<OsString> {
    if let Some(at) = words.iter().position(|word| *word == *flag) {
        words.drain(at..at + 2);
    }
    words
}

/// Prepares to run `words` on the host.
pub(crate) fn launch(host: &Host, words: Vec<OsString>) -> Launch<'_> {
    let mut words = words.into_iter();
    host.launch(words.next().unwrap_or_default()).args(words)
}

/// Prepares to run `words` on the host in a mount namespace of their own, after a shell command there.
pub(crate) fn launch_after<'a>(host: &'a Host, command: &str, words: Vec<OsString>) -> Launch<'a> {
    let script = format!("{command} || exit 99; exec \"$@\"");
    host.launch("unshare").args(["-m", "sh", "-c", &script, "sh"]).args(words)
}

/// Makes sure that a daemon ends with `code` and one error line that says all of `says`.
pub(crate) fn check_refusal(launch: Launch<'_>, code: i32, says: &[&str]) -> Result<()> {
    let output = launch.run(REFUSAL_BOUND)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(code), "ended with {}, not {code}:\n{said}", output.status);
    let errors = said.lines().filter(|line| line.contains("ERROR")).collect::<Vec<_>>();
    ensure!(errors.len() == 1, "not one error line:\n{said}");
    for words in says {
        ensure!(errors[0].contains(words), "does not say \"{words}\":\n{said}");
    }
    Ok(())
}

/// Makes sure that a daemon does its work: it answers, and nothing troubles it once the kernel's side is known.
pub(crate) fn check_healthy(host: &Host) -> Result<()> {
    until("its first word on the kernel's side", STATE_BOUND, || {
        let status = host.convoy_json(&["status"])?;
        ensure!(status["state"] != "degraded", "{status}");
        Ok((status["state"] == "ready").then_some(()))
    })
}

/// Waits until the host says that a member is in a state.
pub(crate) fn wait_for_state(host: &Host, member: &str, state: &str) -> Result<()> {
    let what = format!("{} sees {member} {state}", host.name());
    until(&what, STATE_BOUND, || {
        Ok(host.members()?.get(member).is_some_and(|known| known == state).then_some(()))
    })
}

/// Returns what the host says about a member.
pub(crate) fn member(host: &Host, name: &str) -> Result<Value> {
    let answer = host.convoy_json(&["membership"])?;
    let members = answer["members"].as_array().context("members")?;
    members.iter().find(|member| member["name"] == name).cloned().with_context(|| format!("no {name}"))
}

/// Waits until the daemon's log has a line with all of `says`.
pub(crate) fn wait_for_log(agent: &mut Agent, says: &[&str]) -> Result<()> {
    let log = agent.process().log().to_owned();
    let found = until(&format!("the log says {says:?}"), STATE_BOUND, || {
        let text = std::fs::read_to_string(&log)?;
        Ok(text.lines().any(|line| says.iter().all(|words| line.contains(words))).then_some(()))
    });
    found.with_context(|| agent.process().tail(20))
}

/// chosen: a daemon that does not start says so within a second, several on a loaded machine.
const REFUSAL_BOUND: Duration = Duration::from_secs(20);
/// chosen: states and lines come within the 2 s in which a peer is given up, with room for a loaded machine.
const STATE_BOUND: Duration = Duration::from_secs(20);

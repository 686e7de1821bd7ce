//! The console against real daemons: its endpoints, who may do what there, and the texts of the reference.
mod authorization;
mod endpoints;
mod neighbours;
mod prompt;
mod texts;

use anyhow::{Context, Result, ensure};
use lab::{Agent, Binaries, Host, Lab, LabOptions, Signal, until};
use std::{process::Output, time::Duration};

/// A lab with one host whose daemon has `more` in its configuration.
fn one(more: &str) -> Result<(Lab, Agent)> {
    let lab = Lab::up(&LabOptions { hosts: 1, ..LabOptions::default() })?;
    let host = lab.host(1);
    host.write_config(&(host.default_config() + more))?;
    let agent = host.start_agent()?;
    Ok((lab, agent))
}

/// What a run of the client came to: its exit code, and all that it wrote.
fn said(output: Output) -> Result<(i32, String)> {
    let text = String::from_utf8([output.stdout, output.stderr].concat())?;
    Ok((output.status.code().context("killed")?, text))
}

/// Gives a command on a console, as root.
fn root(host: &Host, words: &[&str]) -> Result<(i32, String)> {
    said(host.convoy(&[&["console"], words].concat())?)
}

/// Gives a command on a console, as another user of the host.
fn user(host: &Host, user: u32, words: &[&str]) -> Result<(i32, String)> {
    let launch = host.launch(&Binaries::find()?.convoy).uid(user).arg("console").args(words);
    said(launch.run(CLIENT_WITHIN)?)
}

#[track_caller]
fn check((ended, text): (i32, String), code: i32, says: &str) -> Result<()> {
    ensure!(ended == code && text.contains(says), "ended with {ended} and:\n{text}\nnot {code}: {says}");
    drop(text);
    Ok(())
}

/// Reloads the configuration with `more` at its end, and waits until that is in force.
fn reload(host: &Host, agent: &mut Agent, more: &str) -> Result<()> {
    host.write_config(&(host.default_config() + more))?;
    agent.process().kill(Signal::HUP)?;
    agent.wait_notified("RELOADING=1", BOUND)?;
    agent.wait_notified("READY=1", BOUND)
}

/// Waits until a line of the daemon's log has all of `words`.
fn logged(agent: &mut Agent, words: &[&str]) -> Result<()> {
    let path = agent.process().log().to_owned();
    until(&format!("a line of the log with {words:?}"), BOUND, || {
        let text = std::fs::read_to_string(&path)?;
        Ok(text.lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(()))
    })
}

const BOUND: Duration = Duration::from_secs(10);
const CLIENT_WITHIN: Duration = Duration::from_secs(20);
/// No user of this machine.
const SOMEBODY: u32 = 54_321;

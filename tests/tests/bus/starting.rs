//! What is in the way of a corosync, and what is told about it.
use crate::*;
use lab::{bus::Options, until};
use std::{fs, time::Duration};

fn one(more: &str, env: &[(&str, &str)]) -> Result<Engines> {
    let env = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Engines::up(Options { hosts: 1, more: more.to_owned(), env, ..Options::default() })
}

/// Waits until the bus of the first host is in trouble, and returns it.
fn trouble(engines: &mut Engines) -> Result<String> {
    until("trouble", Duration::from_secs(30), || {
        let state = engines.seat(0).state()?;
        Ok((state.trouble != "-").then_some(state.trouble))
    })
}

#[test]
fn without_the_program_the_bus_says_so_and_goes_on_trying() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let mut engines = Engines::up(Options { hosts: 1, ..Options::default() })?;
    engines.kill(0, true)?;
    let host = engines.host(0);
    // The library is found, the program is not: the usual places of programs are empty.
    let text = engines.plan_of(0);
    let hide = "mount -t tmpfs tmpfs /usr/sbin && exec \"$@\"";
    let program =
        std::env::current_exe()?.parent().and_then(std::path::Path::parent).map(|dir| dir.join("bus"));
    let program = program.expect("a directory above");
    let launch = host.launch("unshare").args(["--mount", "--propagation", "private", "sh", "-c", hide, "sh"]);
    let (process, orders, answers) = launch.arg(program).arg(text).env("PATH", "/bin").converse("hidden")?;
    let mut remote = lab::bus::Remote::new(orders, std::io::BufReader::new(answers));
    remote.join();
    until("the missing program is named", Duration::from_secs(20), || {
        let state = remote.order("state").unwrap_or_default().join(" ");
        Ok(state.contains("there is no program `corosync`: install it").then_some(()))
    })?;
    assert_eq!(remote.order("stop").unwrap_or_default().len(), 2);
    process.kill(lab::Signal::KILL)
}

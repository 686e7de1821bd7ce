//! What the commands print, word by word, in `golden/`. After a change that is meant, look at it and keep it:
//! `CONVOY_WRITE=1 cargo test -p convoy-tests --test console texts`, then read the difference.
use crate::{one, root, said};
use anyhow::{Context, Result, ensure};
use lab::{Binaries, Host, require};
use std::{env, fmt::Write as _, fs, path::Path};

/// Gives commands one after the other and notes what comes back. Numbers that differ from run to run are `PID`.
fn transcript(host: &Host, pid: u32, commands: &[&str]) -> Result<String> {
    let mut text = String::new();
    for command in commands {
        let words: Vec<_> = command.split(' ').collect();
        let (code, answer) = root(host, &words)?;
        write!(text, "> {command}\n{answer}")?;
        if code != 0 {
            writeln!(text, "[{code}]")?;
        }
        text.push('\n');
    }
    let dir = host.dir().to_str().context("UTF-8")?;
    Ok(text
        .replace(&pid.to_string(), "PID")
        .replace(dir, "DIR")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION"))
}

#[track_caller]
fn check(name: &str, text: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/golden").join(name);
    let text = text.trim_end().to_owned() + "\n";
    if env::var_os("CONVOY_WRITE").is_some() {
        fs::create_dir_all(path.parent().context("a directory")?)?;
        fs::write(&path, &text)?;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    ensure!(text == expected, "{name} reads\n{text}\ninstead of\n{expected}");
    Ok(())
}

#[test]
fn commands_of_a_node_print_as_the_reference_says() -> Result<()> {
    require!();
    let (lab, mut agent) = one("")?;
    let commands = [
        "cluster info",
        "cluster membership",
        "cluster nodename",
        "cluster nodeaddr",
        "cluster shared list",
        "cluster shared show inbound_cidr",
        "cluster shared show inbound_cidr from mta1",
        "cluster shared show nothing",
        "cluster help",
        "xml cluster nodename",
        "xml cluster shared list",
        "version",
        "authz id",
        "authz roles list",
        "write config",
        "config eval cluster heartbeats_per_sec",
        "config get cluster heartbeats_per_sec",
        "config locate Listen",
        "broadcast version",
        "cluster",
        "cluster abort 7",
        "mailq --domain example.org",
        "help paniclog",
        "quit",
    ];
    let pid = agent.process().pid();
    check("node.txt", &transcript(lab.host(1), pid, &commands)?)
}

#[test]
fn without_a_terminal_it_does_one_command_a_line_and_says_nothing_else() -> Result<()> {
    require!();
    let (lab, _agent) = one("")?;
    let host = lab.host(1);
    let script = "printf 'cluster nodename\\n\\n# a comment\\ncluster nodeaddr\\nquit\\ncluster info\\n' | \"$0\" --run-dir \"$1\" console";
    let launch = host.launch("sh").args(["-c", script]).arg(Binaries::find()?.convoy).arg(host.run_dir());
    let found = said(launch.run(crate::CLIENT_WITHIN)?)?;
    let address = host.v4();
    ensure!(found == (0, format!("mta1\n{address}:4802\n")), "{found:?}");
    Ok(())
}

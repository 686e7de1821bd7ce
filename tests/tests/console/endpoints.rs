//! Where consoles are reached: what a configuration says is there, at once, and what it does not say is gone.
use crate::{BOUND, SOMEBODY, check, one, reload, root, user};
use anyhow::{Context, Result, ensure};
use lab::{Lab, LabOptions, require, until};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    time::Duration,
};

const TCP: &str = "Control_Listener { Listen \"127.0.0.1:2025\" {} Listen \"[::1]:2025\" {} }";

fn unix(path: &str, mode: &str) -> String {
    format!("Control_Listener {{ Listen \"{path}\" {{ file_mode = {mode} }} }}")
}

#[test]
fn a_path_and_loopback_addresses_are_reached_and_know_their_users() -> Result<()> {
    require!();
    let (lab, _agent) = one(TCP)?;
    let host = lab.host(1);
    for at in ["127.0.0.1:2025", "[::1]:2025", "root@127.0.0.1:2025"] {
        check(root(host, &[at, "authz", "id"])?, 0, "User: root (0)")?;
    }
    check(user(host, SOMEBODY, &["127.0.0.1:2025", "authz", "id"])?, 0, "User: 54321 (54321)")?;
    check(user(host, SOMEBODY, &["127.0.0.1:2025", "cluster", "nodename"])?, 0, "mta1\n")?;
    let reset = user(host, SOMEBODY, &["127.0.0.1:2025", "cluster", "reset"])?;
    check(reset, 1, "only root and the user of convoyd may change something")?;
    check(root(host, &["127.0.0.1:2026", "authz", "id"])?, 3, "have it listen there: Control_Listener")
}

#[test]
fn sockets_come_change_and_go_with_a_reload() -> Result<()> {
    require!();
    let (lab, mut agent) = one("")?;
    let host = lab.host(1);
    let path = host.dir().join("2025");
    let text = path.to_str().context("UTF-8")?.to_owned();
    let mode = || fs::metadata(&path).map(|found| found.permissions().mode() & 0o777);
    reload(host, &mut agent, &unix(&text, "0600"))?;
    ensure!(mode()? == 0o600);
    check(root(host, &[&text, "cluster", "nodename"])?, 0, "mta1\n")?;
    reload(host, &mut agent, &unix(&text, "0666"))?;
    ensure!(mode()? == 0o666);
    let mut client = UnixStream::connect(&path)?;
    reload(host, &mut agent, "")?;
    ensure!(!path.exists());
    // Whoever is still connected is told so.
    client.set_read_timeout(Some(BOUND))?;
    client.write_all(b"{\"ask\":\"drift\"}\n")?;
    let mut line = String::new();
    BufReader::new(&client).read_line(&mut line)?;
    ensure!(line.contains("no endpoint any more"), "{line}");
    check(root(host, &["cluster", "nodename"])?, 0, "mta1\n")
}

#[test]
fn a_socket_that_is_left_over_is_replaced_and_one_in_use_is_not() -> Result<()> {
    require!();
    let (lab, mut agent) = one("")?;
    let host = lab.host(1);
    let path = host.dir().join("2025");
    let text = path.to_str().context("UTF-8")?.to_owned();
    let other = UnixListener::bind(&path)?;
    reload(host, &mut agent, &unix(&text, "0600"))?;
    crate::logged(&mut agent, &["the reload changes nothing", "cannot listen on", "ss -xltnp"])?;
    check(root(host, &["config", "get", "cluster", "nodename"])?, 0, "mta1\n")?;
    drop(other);
    ensure!(path.exists(), "a socket outlives its listener");
    reload(host, &mut agent, &unix(&text, "0600"))?;
    check(root(host, &[&text, "cluster", "nodename"])?, 0, "mta1\n")?;
    agent.process().kill(lab::Signal::TERM)?;
    agent.process().wait(Duration::from_secs(20))?;
    ensure!(!path.exists(), "what was made here is gone at the end");
    Ok(())
}

#[test]
fn what_is_no_socket_is_left_alone_and_the_daemon_does_not_start() -> Result<()> {
    require!();
    let lab = Lab::up(&LabOptions { hosts: 1, ..LabOptions::default() })?;
    let host = lab.host(1);
    let path = host.dir().join("2025");
    fs::write(&path, "precious")?;
    let text = path.to_str().context("UTF-8")?;
    host.write_config(&(host.default_config() + &unix(text, "0600")))?;
    let output = host.convoyd()?.run(Duration::from_secs(30))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.code() == Some(4) && said.contains("there is something that is no socket"),
        "{said}"
    );
    ensure!(fs::read_to_string(&path)? == "precious");
    ensure!(!host.run_dir().join("convoyd.sock").exists(), "nothing is left of a start that failed");
    Ok(())
}

#[test]
fn a_client_that_is_silent_for_too_long_is_closed() -> Result<()> {
    require!();
    let (lab, _agent) = one("Control_Listener { timeout = 1 Listen \"127.0.0.1:2025\" {} }")?;
    let host = lab.host(1);
    let read = host.inside(|| -> Result<usize> {
        let mut client = TcpStream::connect("127.0.0.1:2025")?;
        client.set_read_timeout(Some(BOUND))?;
        Ok(client.read(&mut [0; 1])?)
    })?;
    ensure!(read? == 0);
    Ok(())
}

#[test]
fn a_client_that_hangs_up_at_once_is_not_taken_for_root() -> Result<()> {
    require!();
    let (lab, mut agent) = one("Control_Listener { Listen \"127.0.0.1:2025\" {} }")?;
    // Stopped, so that it meets all of them when they are gone: then kernels differ, and some say that they were root's.
    agent.process().kill(lab::Signal::STOP)?;
    // In a thread of its own, so that nothing else becomes another user.
    lab.host(1).inside(|| -> Result<()> {
        let user = rustix::process::Uid::from_raw(SOMEBODY);
        rustix::thread::set_thread_res_uid(user, user, user)?;
        for _ in 0..CLIENTS {
            let mut client = TcpStream::connect("127.0.0.1:2025")?;
            client.write_all(b"{\"ask\":\"cluster reset\"}\n")?;
        }
        Ok(())
    })??;
    agent.process().kill(lab::Signal::CONT)?;
    let log = agent.process().log().to_owned();
    let count = |text: &str, words: &str| text.lines().filter(|line| line.contains(words)).count();
    until("a word on every one of them", BOUND, || {
        let text = fs::read_to_string(&log)?;
        ensure!(count(&text, "command done") == 0, "{text}");
        Ok((count(&text, "only root and the user of convoyd may change something") == CLIENTS
            && count(&text, "user=\"nobody\"") == CLIENTS)
            .then_some(()))
    })
}

const CLIENTS: usize = 50;

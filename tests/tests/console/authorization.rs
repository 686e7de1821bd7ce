//! Who may do what: roles by users and groups, and root who is never locked out.
use crate::{SOMEBODY, check, logged, one, reload, root, user};
use anyhow::Result;
use lab::require;

/// A user of this machine who is nobody's and in its own group: Debian's `games`.
const GAMES: u32 = 5;
const AT: &str = "127.0.0.1:2025";

fn allowing(role: &str, patterns: &str) -> String {
    format!(
        "Control_Listener {{ Enable_Authorization = true Listen \"{AT}\" {{}} }}
         Authorization {{ Role {role} {{ allow = ( {patterns} ) }} }}"
    )
}

#[test]
fn a_user_does_what_its_role_allows_and_nothing_else() -> Result<()> {
    require!();
    let (lab, mut agent) =
        one(&allowing("games", r#""^cluster (info|nodename)$" "^config (get|set) cluster debug_level""#))?;
    let host = lab.host(1);
    check(user(host, GAMES, &[AT, "cluster", "nodename"])?, 0, "mta1\n")?;
    check(user(host, GAMES, &[AT, "cluster", "shared", "list"])?, 1, "Not Authorized for this command")?;
    logged(&mut agent, &["denied", "games", "cluster shared list", AT])?;
    // A role may allow what otherwise only root may.
    check(
        user(host, GAMES, &[AT, "config", "set", "cluster", "debug_level", "DEBUG"])?,
        0,
        "debug_level = DEBUG",
    )?;
    logged(&mut agent, &["command done", "games", "config set cluster debug_level DEBUG"])?;
    check(user(host, GAMES, &[AT, "config", "set", "cluster", "nodename", "x"])?, 1, "Not Authorized")?;
    check(user(host, SOMEBODY, &[AT, "cluster", "nodename"])?, 1, "Not Authorized for this command")
}

#[test]
fn a_console_greets_and_shows_whatever_else_a_role_allows() -> Result<()> {
    require!();
    let (lab, mut agent) = one(&allowing("games", r#""^cluster shared show" "^authz""#))?;
    let host = lab.host(1);
    let shown = user(host, GAMES, &[AT, "cluster", "shared", "show", "inbound_cidr", "from", "mta1"])?;
    let pid = agent.process().pid();
    check(shown, 0, &format!("lazy, snapped cidrtree 'inbound_cidr', view '#ec1-{pid}#mta1'\n"))?;
    check(user(host, GAMES, &[AT, "authz", "id"])?, 0, "User: games (5)")?;
    check(user(host, GAMES, &[AT, "help"])?, 0, "cluster info")?;
    // What is denied is what was typed, and nothing else stands in the log.
    check(user(host, GAMES, &[AT, "cluster", "nodename"])?, 1, "Not Authorized for this command")?;
    logged(&mut agent, &["denied", "games", "cluster membership"])?;
    let log = std::fs::read_to_string(agent.process().log())?;
    anyhow::ensure!(log.lines().filter(|line| line.contains("denied")).count() == 1, "{log}");
    Ok(())
}

#[test]
fn root_is_locked_out_of_other_sockets_but_never_of_the_daemons_own() -> Result<()> {
    require!();
    let (lab, mut agent) = one(&allowing("games", "^drift$"))?;
    let host = lab.host(1);
    check(root(host, &[AT, "cluster", "nodename"])?, 1, "Not Authorized for this command")?;
    check(root(host, &["cluster", "nodename"])?, 0, "mta1\n")?;
    check(root(host, &["authz", "roles", "list"])?, 0, "games\n  ^drift$\n")?;
    // Groups are roles.
    reload(host, &mut agent, &allowing("root", "^cluster"))?;
    check(root(host, &[AT, "cluster", "nodename"])?, 0, "mta1\n")?;
    check(root(host, &["config", "unset", "Control_Listener", "Enable_Authorization"])?, 0, "unset")?;
    check(user(host, SOMEBODY, &[AT, "cluster", "nodename"])?, 0, "mta1\n")
}

#[test]
fn always_deny_closes_a_socket_and_peers_may_differ() -> Result<()> {
    require!();
    let listen = format!(
        "Control_Listener {{ Listen \"{AT}\" {{ always_deny = true Peer \"127.0.0.2\" {{ always_deny = false }} }} }}"
    );
    let (lab, _agent) = one(&listen)?;
    check(root(lab.host(1), &[AT, "cluster", "nodename"])?, 1, "not authenticated: always_deny is set here")
}

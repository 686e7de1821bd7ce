//! The configuration commands on a running daemon: live, saved, raced for, refused, and left alone by who may not.
use crate::daemon::{check_healthy, lab, member, wait_for_state};
use anyhow::{Context, Result, ensure};
use lab::{Agent, Host, Lab, Signal, require, until};
use rustix::fs::{Mode, chmod};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

/// Runs a command in a session of that name; gives its exit code, and what it said.
fn config(host: &Host, session: &str, words: &str) -> Result<(i32, String)> {
    let words: Vec<_> = words.split('|').collect();
    let output = host.convoy(&[&["config", "--session", session], &words[..]].concat())?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code().context("killed")?, String::from_utf8(text)?))
}

fn done(host: &Host, session: &str, words: &str) -> Result<String> {
    let (code, text) = config(host, session, words)?;
    ensure!(code == 0, "{words} ended with {code}: {text}");
    Ok(text)
}

fn refused(host: &Host, session: &str, words: &str, says: &str) -> Result<()> {
    let (code, text) = config(host, session, words)?;
    ensure!(code == 1 && text.contains(says), "{words} ended with {code}: {text}");
    Ok(())
}

fn delay(host: &Host) -> Result<String> {
    Ok(done(host, "reader", "get|cluster|Replicate|inbound_cidr|max_delay")?.trim_end().to_owned())
}

fn one() -> Result<(Lab, Agent)> {
    let lab = lab(1)?;
    let agent = lab.host(1).start_agent()?;
    Ok((lab, agent))
}

fn two() -> Result<(Lab, [Agent; 2])> {
    let lab = lab(2)?;
    let agents = [lab.host(1).start_agent()?, lab.host(2).start_agent()?];
    wait_for_state(lab.host(1), "mta2", "alive")?;
    Ok((lab, agents))
}

fn ask(stream: &mut UnixStream, line: &str) -> Result<String> {
    writeln!(stream, "{line}")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer)
}

const SET: &str = "set|cluster|Replicate|inbound_cidr|max_delay|=";

#[test]
fn a_change_is_live_is_saved_and_is_there_after_a_restart() -> Result<()> {
    require!();
    let (lab, mut agent) = one()?;
    let host = lab.host(1);
    let before = fs::read_to_string(host.config_path())?;
    let said = done(host, "a", &format!("{SET}|0.25"))?;
    ensure!(said.contains("max_delay = 0.25 (was 0.01)") && said.contains("config writeback"), "{said}");
    ensure!(delay(host)? == "0.25" && fs::read_to_string(host.config_path())? == before);
    let log = agent.process().log().to_owned();
    let told = fs::read_to_string(log)?;
    ensure!(told.contains("configuration reloaded"), "the threads have it: {told}");
    done(host, "a", "writeback")?;
    let after = fs::read_to_string(host.config_path())?;
    ensure!(after == before.replacen("max_delay = 0.01", "max_delay = 0.25", 1), "{after}");
    agent.process().kill(Signal::TERM)?;
    agent.process().wait(Duration::from_secs(20))?;
    let _agent = host.start_agent()?;
    ensure!(delay(host)? == "0.25");
    Ok(())
}

#[test]
fn what_is_not_written_back_goes_with_a_reload() -> Result<()> {
    require!();
    let (lab, mut agent) = one()?;
    let host = lab.host(1);
    done(host, "a", &format!("{SET}|0.25"))?;
    let said = done(host, "a", "reload")?;
    ensure!(said.contains("not written back are dropped"), "{said}");
    ensure!(delay(host)? == "0.01");
    done(host, "a", &format!("{SET}|0.25"))?;
    agent.process().kill(Signal::HUP)?;
    until("the signal reloads too", Duration::from_secs(20), || Ok((delay(host)? == "0.01").then_some(())))?;
    host.write_config("cluster {\n")?;
    refused(host, "a", "reload", "scope `cluster` is never closed")?;
    ensure!(delay(host)? == "0.01");
    check_healthy(host)
}

#[test]
fn peers_change_without_a_signal_or_a_file() -> Result<()> {
    require!();
    let (lab, _agents) = two()?;
    let host = lab.host(1);
    let both = done(host, "a", "get|msgc_server|peers")?;
    let alone = format!("set|msgc_server|peers|[ mta1 = {} ]", host.v4());
    done(host, "a", &alone)?;
    until("mta2 is no member", Duration::from_secs(20), || {
        Ok((!host.members()?.contains_key("mta2")).then_some(()))
    })?;
    done(host, "a", &format!("set|msgc_server|peers|{}", both.trim_end()))?;
    wait_for_state(host, "mta2", "alive")
}

#[test]
fn of_two_transactions_the_first_commit_wins_and_the_other_is_replayed() -> Result<()> {
    require!();
    let (lab, _agent) = one()?;
    let host = lab.host(1);
    done(host, "a", "begin")?;
    done(host, "b", "begin")?;
    done(host, "a", &format!("{SET}|0.1"))?;
    done(host, "b", "set|cluster|heartbeats_per_sec|20")?;
    ensure!(delay(host)? == "0.01", "nobody else sees it");
    refused(host, "a", "reload", "not inside a transaction")?;
    done(host, "a", "commit")?;
    refused(host, "b", "commit", "convoy config replay")?;
    refused(host, "c", "get|cluster|heartbeats_per_sec", "is not set")?;
    done(host, "b", "replay")?;
    done(host, "b", "commit")?;
    ensure!(delay(host)? == "0.1");
    ensure!(done(host, "c", "get|cluster|heartbeats_per_sec")? == "20\n");
    Ok(())
}

#[test]
fn a_commit_that_fails_changes_nothing() -> Result<()> {
    require!();
    let (lab, _agents) = two()?;
    let host = lab.host(1);
    done(host, "a", "begin")?;
    done(host, "a", &format!("{SET}|0.1"))?;
    done(host, "a", "set|cluster|nodename|nobody")?;
    refused(host, "a", "commit", "Reconfigure failed")?;
    ensure!(delay(host)? == "0.01");
    done(host, "a", "rollback")?;
    refused(host, "a", &format!("{SET}|never"), "is not a time in seconds")?;
    // The settings are good, the host is not: that address is none of its own.
    let listen = "set|ECCluster_Listener|Listen|203.0.113.250:4802|enable|true";
    refused(host, "a", listen, "Reconfigure failed: cannot listen on 203.0.113.250:4802")?;
    ensure!(delay(host)? == "0.01" && !done(host, "a", "show|ECCluster_Listener")?.contains("203.0.113.250"));
    check_healthy(host)
}

#[test]
fn a_client_that_dies_in_a_transaction_leaves_it_to_its_session() -> Result<()> {
    require!();
    let (lab, _agents) = two()?;
    let host = lab.host(1);
    let start = Instant::now();
    let mut client = UnixStream::connect(host.run_dir().join("convoyd.sock"))?;
    let begun = ask(&mut client, r#"{"ask":"config begin","session":"a"}"#)?;
    ensure!(begun.starts_with(r#"{"session":"a""#), "{begun}");
    let words = r#"["cluster","Replicate","inbound_cidr","max_delay","0.1"]"#;
    ask(&mut client, &format!(r#"{{"ask":"config set","words":{words},"session":"a"}}"#))?;
    write!(client, r#"{{"ask":"config comm"#)?;
    drop(client);
    done(host, "b", "set|cluster|heartbeats_per_sec|20")?;
    ensure!(delay(host)? == "0.01");
    ensure!(done(host, "a", "get|cluster|Replicate|inbound_cidr|max_delay")? == "0.1\n", "it is still there");
    done(host, "a", "rollback")?;
    let since = member(host, "mta2")?["since_s"].as_f64().context("since_s")?;
    ensure!(since >= start.elapsed().as_secs_f64(), "a heartbeat was late: {since}");
    check_healthy(host)
}

#[test]
fn who_is_neither_root_nor_the_daemons_user_may_look_and_not_touch() -> Result<()> {
    require!();
    let (lab, _agent) = one()?;
    let socket = lab.host(1).run_dir().join("convoyd.sock");
    for path in socket.ancestors().skip(1).filter(|path| path.starts_with(lab.host(1).dir())) {
        chmod(path, Mode::from_raw_mode(0o755))?;
    }
    chmod(&socket, Mode::from_raw_mode(0o666))?;
    // Of this thread alone; it ends with it.
    let asked = thread::spawn(move || -> Result<[String; 2]> {
        let nobody = rustix::process::Uid::from_raw(NOBODY);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody)?;
        let mut client = UnixStream::connect(&socket).context("the directory is closed to others")?;
        let look = ask(&mut client, r#"{"ask":"config get","words":["cluster","nodename"]}"#)?;
        let touch = ask(&mut client, r#"{"ask":"config set","words":["cluster","nodename","x"]}"#)?;
        Ok([look, touch])
    });
    let [look, touch] = asked.join().ok().context("the thread panicked")??;
    ensure!(look.contains(r#""value":"mta1""#), "{look}");
    ensure!(touch.contains("only root and the user of convoyd"), "{touch}");
    check_healthy(lab.host(1))
}

/// The user `nobody`.
const NOBODY: u32 = 65_534;

//! Peers that are not what they should be: named, refused, and no harm to the others.
use crate::daemon::{check_healthy, lab, member, wait_for_log, wait_for_state};
use anyhow::{Context, Result, ensure};
use convoy_core::wire::{
    Frame, Message, Refusal, frame,
    message::{self, Hello},
};
use lab::{Agent, Host, Lab, Place, require, until};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

/// Two healthy nodes of three.
fn two_of_three() -> Result<(Lab, Agent, Agent)> {
    let lab = lab(3)?;
    let (first, second) = (lab.host(1).start_agent()?, lab.host(2).start_agent()?);
    check_pair(&lab)?;
    Ok((lab, first, second))
}

/// Makes sure that the first two nodes have each other.
fn check_pair(lab: &Lab) -> Result<()> {
    wait_for_state(lab.host(1), "mta2", "alive")?;
    wait_for_state(lab.host(2), "mta1", "alive")
}

fn connect(from: &Place, to: Ipv4Addr) -> Result<TcpStream> {
    let stream = from.inside(|| TcpStream::connect((to, 4802)))??;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

/// Reads until the other side closes, and returns the refusal that came last.
fn refusal(mut stream: TcpStream) -> Result<(Refusal, String)> {
    let mut bytes = Vec::new();
    // A connection with unread bytes may be reset after the refusal has come.
    drop(stream.read_to_end(&mut bytes));
    let mut rest = &bytes[..];
    let mut last = None;
    while let Some((frame, used)) = frame::split(rest)? {
        if let Message::Refused { code, reason } = Message::parse(&frame)? {
            last = Some((code, reason.to_owned()));
        }
        rest = &rest[used..];
    }
    last.context("no refusal came")
}

fn hello_of(name: &str) -> Vec<u8> {
    let hello = Hello { incarnation: 1, interval_us: 100_000, name, group: "ec_cluster", build: "test" };
    message::emit(1, &Message::Hello(hello))
}

fn refused(host: &Host) -> Result<u64> {
    host.convoy_json(&["status"])?["mesh"]["refused"].as_u64().context("refused")
}

#[test]
fn another_protocol_version_is_told_from_garbage() -> Result<()> {
    require!();
    let (lab, mut first, _second) = two_of_three()?;
    let mut stream = connect(lab.client(), lab.host(1).v4())?;
    let mut bytes = hello_of("mta3");
    bytes[4] = 2;
    stream.write_all(&bytes)?;
    let (code, reason) = refusal(stream)?;
    ensure!(code == Refusal::Version && reason.contains("run one version on all nodes"), "{code:?} {reason}");
    wait_for_log(&mut first, &["peer speaks protocol version 2, this node speaks 1"])?;
    check_pair(&lab)
}

#[test]
fn garbage_is_refused_and_named_while_the_others_go_on() -> Result<()> {
    require!();
    let (lab, mut first, _second) = two_of_three()?;
    for garbage in [&b"EHLO mail.example\r\n"[..], b"CVOX", &vec![0xff; 70_000], b"CVOY\x01\x01\xff\xff"] {
        let mut stream = connect(lab.client(), lab.host(1).v4())?;
        // It may hang up before all is written.
        drop(stream.write_all(garbage));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
    }
    until("four refusals", Duration::from_secs(20), || Ok((refused(lab.host(1))? == 4).then_some(())))?;
    wait_for_log(&mut first, &["connection refused", "where the magic"])?;
    check_pair(&lab)
}

#[test]
fn a_peer_that_turns_to_garbage_is_dropped_by_name() -> Result<()> {
    require!();
    let (lab, mut first, _second) = two_of_three()?;
    let mut stream = connect(lab.host(3), lab.host(1).v4())?;
    stream.write_all(&hello_of("mta3"))?;
    wait_for_state(lab.host(1), "mta3", "alive")?;
    let mut damaged = message::emit(2, &Message::Heartbeat);
    let end = damaged.len() - 1;
    damaged[end] ^= 1;
    stream.write_all(&damaged)?;
    let (code, reason) = refusal(stream)?;
    ensure!(code == Refusal::Protocol && reason.contains("frame 2 is damaged"), "{code:?} {reason}");
    wait_for_log(&mut first, &["mta3", "dropped its connection", "damaged"])?;
    wait_for_state(lab.host(1), "mta3", "gone")?;
    check_pair(&lab)
}

#[test]
fn strangers_that_say_nothing_leave_room_for_peers() -> Result<()> {
    require!();
    let (lab, _first, _second) = two_of_three()?;
    let silent = (0..100).map(|_| connect(lab.client(), lab.host(1).v4())).collect::<Result<Vec<_>>>()?;
    let _third = lab.host(3).start_agent()?;
    wait_for_state(lab.host(1), "mta3", "alive")?;
    check_pair(&lab)?;
    drop(silent);
    until("all are well", Duration::from_secs(20), || Ok(check_healthy(lab.host(1)).ok()))
}

#[test]
fn two_nodes_with_one_name_are_told_apart_and_told() -> Result<()> {
    require!();
    let lab = lab(3)?;
    let (mut first, _second) = (lab.host(1).start_agent()?, lab.host(2).start_agent()?);
    let impostor = lab.host(3);
    let own_name = format!("nodename = \"mta2\"\n  nodeaddr = \"{}\"", impostor.v4());
    impostor.write_config(&impostor.default_config().replace("nodename = \"mta3\"", &own_name))?;
    let output = impostor.convoyd()?.arg("--check").run(Duration::from_secs(20))?;
    ensure!(String::from_utf8_lossy(&output.stderr).contains("the peers know this node as"));
    let mut third = impostor.start_agent()?;
    wait_for_log(&mut first, &["calls itself \"mta2\"", "two nodes"])?;
    wait_for_log(&mut third, &["it refuses this node"])?;
    check_pair(&lab)?;
    let trouble = member(impostor, "mta1")?;
    ensure!(trouble["trouble"].as_str().is_some_and(|text| text.contains("refuses this node")), "{trouble}");
    Ok(())
}

#[test]
fn a_node_with_anothers_name_and_address_says_that_it_does_not_have_it() -> Result<()> {
    require!();
    let (lab, _first, _second) = two_of_three()?;
    let impostor = lab.host(3);
    impostor
        .write_config(&impostor.default_config().replace("nodename = \"mta3\"", "nodename = \"mta2\""))?;
    let mut third = impostor.start_agent()?;
    wait_for_log(&mut third, &["no connection to", "Cannot assign requested address"])?;
    check_pair(&lab)
}

#[test]
fn a_node_that_is_in_nobodys_list_is_told_where_to_put_it() -> Result<()> {
    require!();
    let lab = lab(3)?;
    let (host, stranger) = (lab.host(1), lab.host(3));
    host.write_config(&host.default_config().replace(&format!("mta3 = \"{}\"", stranger.v4()), ""))?;
    let (mut first, _second) = (host.start_agent()?, lab.host(2).start_agent()?);
    let mut third = stranger.start_agent()?;
    wait_for_log(&mut first, &["\"mta3\"", "not in the peer list", "msgc_server peers"])?;
    wait_for_log(&mut third, &["it refuses this node", "not in the peer list"])?;
    wait_for_state(host, "mta2", "alive")?;
    check_healthy(host)
}

#[test]
fn frames_are_read_as_the_helper_here_reads_them() {
    let bytes = hello_of("mta3");
    assert!(matches!(frame::split(&bytes), Ok(Some((Frame { kind: 1, sequence: 1, .. }, _)))));
}

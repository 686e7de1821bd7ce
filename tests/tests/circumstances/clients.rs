//! Control clients that misbehave: told what is wrong, and nobody else waits.
use crate::daemon::{check_healthy, lab, member, wait_for_state};
use anyhow::{Context, Result, ensure};
use lab::{Host, Lab, require, until};
use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

fn connect(host: &Host) -> Result<UnixStream> {
    let stream = UnixStream::connect(host.run_dir().join("convoyd.sock"))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

fn pair() -> Result<(Lab, [lab::Agent; 2])> {
    let lab = lab(2)?;
    let agents = [lab.host(1).start_agent()?, lab.host(2).start_agent()?];
    wait_for_state(lab.host(1), "mta2", "alive")?;
    Ok((lab, agents))
}

/// Makes sure that the peer has not even been suspected for a moment since `start`.
fn check_undisturbed(lab: &Lab, start: Instant) -> Result<()> {
    let since = member(lab.host(1), "mta2")?["since_s"].as_f64().context("since_s")?;
    ensure!(since >= start.elapsed().as_secs_f64(), "mta2 changed its state {since} s ago");
    check_healthy(lab.host(1))
}

#[test]
fn nonsense_gets_an_answer_and_the_next_line_a_chance() -> Result<()> {
    require!();
    let lab = lab(1)?;
    let _agent = lab.host(1).start_agent()?;
    let mut stream = connect(lab.host(1))?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut ask = |bytes: &[u8]| -> Result<String> {
        stream.write_all(bytes)?;
        let mut line = String::new();
        answers.read_line(&mut line)?;
        Ok(line)
    };
    for nonsense in [
        &b"hello\n"[..],
        b"\xff\xfe\n",
        b"{\"ask\":\"everything\"}\n",
        b"\n",
        b"{\"ask\":\"shared show\",\"object\":\"x\",\"frm\":\"y\"}\n",
    ] {
        let answer = ask(nonsense)?;
        ensure!(answer.starts_with("{\"error\":\"the request is not understood"), "{answer}");
    }
    ensure!(ask(b"{\"ask\":\"drift\"}\n")?.starts_with("{\"inbound\":"));
    ensure!(ask(&[b'x'; 4096])?.contains("longer than 4096 bytes"));
    let mut rest = Vec::new();
    answers.read_to_end(&mut rest)?;
    ensure!(rest.is_empty(), "it goes on after a line that is too long");
    check_healthy(lab.host(1))
}

#[test]
fn a_client_that_never_reads_holds_up_nobody() -> Result<()> {
    require!();
    let (lab, _agents) = pair()?;
    let start = Instant::now();
    let mut stream = connect(lab.host(1))?;
    stream.set_nonblocking(true)?;
    let stuffed = until("the daemon takes no more questions", Duration::from_secs(20), || {
        match stream.write(&b"{\"ask\":\"status\"}\n".repeat(200)) {
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Some(())),
            Err(error) => Err(error.into()),
        }
    });
    stuffed?;
    check_healthy(lab.host(1))?;
    check_undisturbed(&lab, start)
}

#[test]
fn a_hundred_clients_are_served_or_told_and_then_gone() -> Result<()> {
    require!();
    let (lab, _agents) = pair()?;
    let start = Instant::now();
    let mut clients = (0..100).map(|_| connect(lab.host(1))).collect::<Result<Vec<_>>>()?;
    let mut answered = 0;
    for client in &mut clients {
        // One that was turned away may have closed already.
        drop(client.write_all(b"{\"ask\":\"drift\"}\n"));
        let mut line = String::new();
        BufReader::new(client).read_line(&mut line)?;
        answered += usize::from(line.starts_with("{\"inbound\":"));
        ensure!(line.starts_with("{\"inbound\":") || line.contains("too many control clients"), "{line}");
    }
    // The client that waited for the peers may hold its place for a moment longer.
    ensure!((60..=64).contains(&answered), "{answered} were served");
    let full = lab.host(1).convoy(&["status"])?;
    ensure!(full.status.code() == Some(1), "{}", String::from_utf8_lossy(&full.stderr));
    drop(clients);
    until("room for one more", Duration::from_secs(20), || {
        Ok(lab.host(1).convoy(&["status"])?.status.success().then_some(()))
    })?;
    check_undisturbed(&lab, start)
}

//! Real Postfix in the lab: it accepts, relays, restarts, and its connections are seen.
use anyhow::{Result, ensure};
use lab::{Direction, Lab, LabOptions, MailLoad, POSTFIX_PORTS, until};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

#[test]
fn mail_goes_from_the_client_through_a_host_to_the_sink() -> Result<()> {
    lab::require!("postfix", "smtp-source", "smtp-sink");
    let lab = Lab::up(&LabOptions { hosts: 2, ..LabOptions::default() })?;
    let sink = lab.start_sink(0)?;
    let host = lab.host(1);
    let postfix = host.start_postfix()?;
    let senders = lab.senders(&["198.51.100.25".parse()?, "2001:db8:a::25".parse()?])?;
    let mut expected = 0;
    for (sender, to) in [
        (senders[0], SocketAddr::new(host.v4().into(), 25)),
        (senders[0], SocketAddr::new(host.v4().into(), 587)),
        (senders[1], SocketAddr::new(host.v6().into(), 25)),
    ] {
        for recipient in ["x@[198.18.1.7]", "x@[IPv6:2001:db8:5::7]", "x@inbox.test"] {
            let load = MailLoad { to: recipient, sessions: 2, messages: 4, ..MailLoad::default() };
            let mut source = lab.send_mail(Some(sender), to, &load)?;
            ensure!(source.wait(BOUND)?.success(), "{}", source.tail(20));
            expected += if recipient.contains('[') { 4 } else { 0 };
        }
    }
    until("all mail at the sink", BOUND, || Ok((sink.received()? == expected).then_some(())))?;
    until("all mail in the log", BOUND, || Ok((postfix.logged("status=sent")? == 36).then_some(())))?;
    ensure!(postfix.logged("connect from unknown[198.51.100.25]")? >= 12, "source address of IPv4");
    ensure!(postfix.logged("connect from unknown[2001:db8:a::25]")? >= 6, "source address of IPv6");
    postfix.stop()?;
    // Its master is gone by now; the others end when they notice.
    until("the end of Postfix", BOUND, || Ok(host.cgroup().pids()?.is_empty().then_some(())))?;
    lab.down()
}

#[test]
fn a_killed_postfix_starts_again_beside_another_one() -> Result<()> {
    lab::require!("postfix", "smtp-source");
    let lab = Lab::up(&LabOptions { hosts: 2, ipv6: false, ..LabOptions::default() })?;
    let other = lab.host(2).start_postfix()?;
    for _ in 0..2 {
        lab.host(1).start_postfix()?;
        let to = SocketAddr::new(lab.host(1).v4().into(), 25);
        let mut source = lab.send_mail(None, to, &MailLoad::default())?;
        ensure!(source.wait(BOUND)?.success(), "{}", source.tail(20));
        lab.host(1).kill_all()?;
    }
    ensure!(other.logged("connect from")? == 0, "the other host got the mail");
    lab.down()
}

#[test]
fn connections_to_and_from_postfix_are_seen_in_their_direction() -> Result<()> {
    lab::require!("postfix", "smtp-source", "smtp-sink");
    let lab = Lab::up(&LabOptions { hosts: 1, ..LabOptions::default() })?;
    // Each delivery takes so long that the test ends first.
    let _sink = lab.start_sink(100)?;
    let host = lab.host(1);
    let _postfix = host.start_postfix()?;
    let (from, at): (IpAddr, IpAddr) = ("203.0.113.4".parse()?, "198.19.7.9".parse()?);
    let sender = lab.senders(&[from])?[0];
    let load = MailLoad { to: "x@[198.19.7.9]", sessions: 3, messages: 60, pause_s: 100, keep_open: true };
    let mut source = lab.send_mail(Some(sender), SocketAddr::new(host.v4().into(), 25), &load)?;
    until("three connections in, and some out", BOUND, || {
        ensure!(source.status()?.is_none(), "{}", source.tail(20));
        let inbound = host.sockets(&POSTFIX_PORTS, Direction::Inbound)?;
        let outbound = host.sockets(&POSTFIX_PORTS, Direction::Outbound)?;
        let only = |counts: &std::collections::BTreeMap<IpAddr, usize>, address| {
            counts.keys().all(|key| *key == address)
        };
        ensure!(only(&inbound, from) && only(&outbound, at), "in {inbound:?}, out {outbound:?}");
        Ok((inbound.get(&from) == Some(&3) && outbound.contains_key(&at)).then_some(()))
    })?;
    lab.down()
}

const BOUND: Duration = Duration::from_secs(20);

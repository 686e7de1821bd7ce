//! The lab itself: what it promises, whatever happens to it.
use anyhow::{Context, Result, ensure};
use lab::{Kept, Lab, LabOptions, Place, Rate, Signal, until};
use std::{
    env, fs,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

#[test]
fn hosts_reach_each_other_over_both_families() -> Result<()> {
    lab::require!();
    let lab = Lab::up(&LabOptions { hosts: 2, ..LabOptions::default() })?;
    for to in [IpAddr::from(lab.host(2).v4()), lab.host(2).v6().into()] {
        ensure!(hears(lab.host(1), lab.host(2), to)?, "mta1 to {to}");
    }
    lab.down()
}

#[test]
fn any_address_of_the_client_networks_is_a_source() -> Result<()> {
    lab::require!();
    let lab = Lab::up(&LabOptions { hosts: 1, ..LabOptions::default() })?;
    for (from, to) in [
        ("198.51.100.77", IpAddr::from(lab.host(1).v4())),
        ("100.99.3.2", lab.host(1).v4().into()),
        ("2001:db8:a::beef", lab.host(1).v6().into()),
        ("2001:db8:4000:1::1", lab.host(1).v6().into()),
    ] {
        let from: IpAddr = from.parse()?;
        let receiver = lab.host(1).inside(|| UdpSocket::bind(SocketAddr::new(to, 0)))??;
        receiver.set_read_timeout(Some(ARRIVES))?;
        let sender = lab.in_client(|| UdpSocket::bind(SocketAddr::new(from, 0)))??;
        sender.send_to(b"x", receiver.local_addr()?)?;
        let (_, source) = receiver.recv_from(&mut [0; 1]).with_context(|| from.to_string())?;
        ensure!(source.ip() == from, "{source} instead of {from}");
        receiver.send_to(b"y", source)?;
        sender.set_read_timeout(Some(ARRIVES))?;
        sender.recv(&mut [0; 1]).with_context(|| format!("answer to {from}"))?;
    }
    lab.down()
}

#[test]
fn a_sender_gives_a_program_its_source_address() -> Result<()> {
    lab::require!("bash");
    let lab = Lab::up(&LabOptions { hosts: 1, ..LabOptions::default() })?;
    let wanted: Vec<IpAddr> = vec!["203.0.113.9".parse()?, "2001:db8:b::9".parse()?];
    for sender in lab.senders(&wanted)? {
        let own =
            if sender.address.is_ipv4() { IpAddr::from(lab.host(1).v4()) } else { lab.host(1).v6().into() };
        let listener = lab.host(1).inside(|| TcpListener::bind(SocketAddr::new(own, 0)))??;
        let port = listener.local_addr()?.port();
        let call = format!("exec 3<>/dev/tcp/{own}/{port}");
        let output = lab.client().launch("bash").args(["-c", &call]).uid(sender.uid).run(BOUND)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        listener.set_nonblocking(true)?;
        let (_, from) = until("the connection", ARRIVES, || Ok(listener.accept().ok()))?;
        ensure!(from.ip() == sender.address, "{from} instead of {}", sender.address);
    }
    lab.down()
}

#[test]
fn two_labs_do_not_see_each_other() -> Result<()> {
    lab::require!();
    let options = LabOptions { hosts: 2, ipv6: false, ..LabOptions::default() };
    let (one, two) = (Lab::up(&options)?, Lab::up(&options)?);
    one.cut(2)?;
    ensure!(!hears(one.host(1), one.host(2), one.host(2).v4().into())?, "the cut did not cut");
    ensure!(hears(two.host(1), two.host(2), two.host(2).v4().into())?, "the cut reached the other lab");
    one.down()?;
    ensure!(hears(two.host(1), two.host(2), two.host(2).v4().into())?, "the end reached the other lab");
    two.down()
}

#[test]
fn cut_and_heal_act_on_one_host() -> Result<()> {
    lab::require!();
    let lab = Lab::up(&LabOptions::default())?;
    let open = |from: usize, to: usize| hears(lab.host(from), lab.host(to), lab.host(to).v4().into());
    lab.cut(3)?;
    ensure!(!open(1, 3)? && !open(3, 1)?, "mta3 is cut off");
    ensure!(open(1, 2)? && open(2, 1)?, "the others are not");
    lab.heal()?;
    ensure!(open(1, 3)? && open(3, 1)?, "healed");
    lab.unplug(3)?;
    ensure!(!open(1, 3)?, "unplugged");
    lab.plug(3)?;
    until("traffic after the plug is back", BOUND, || Ok((open(1, 3)? && open(3, 1)?).then_some(())))?;
    lab.down()
}

#[test]
fn one_way_cuts_leave_the_other_way_open() -> Result<()> {
    lab::require!();
    let lab = Lab::up(&LabOptions::default())?;
    let open = |from: usize, to: usize| hears(lab.host(from), lab.host(to), lab.host(to).v4().into());
    // Neighbours first know each other: a datagram one way needs an answer to its ARP question the other way.
    for (from, to) in [(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)] {
        ensure!(open(from, to)?, "{from} to {to}");
    }
    lab.cut_one_way(1, 2)?;
    ensure!(!open(1, 2)? && open(2, 1)? && open(1, 3)?, "mta1 to mta2 only");
    lab.heal()?;
    lab.mute(1)?;
    ensure!(!open(1, 2)? && !open(1, 3)? && open(2, 1)? && open(3, 1)?, "mta1 is mute");
    lab.heal()?;
    lab.deafen(1)?;
    ensure!(open(1, 2)? && open(1, 3)? && !open(2, 1)? && !open(3, 1)?, "mta1 is deaf");
    lab.down()
}

#[test]
fn a_shaped_lab_has_its_rate_on_every_link() -> Result<()> {
    lab::require!();
    let lab =
        Lab::up(&LabOptions { hosts: 1, shape: Some(Rate::from_mbit(1_000)), ..LabOptions::default() })?;
    let output = lab.host(1).launch("tc").args(["qdisc", "show", "dev", "eth0"]).run(BOUND)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(text.contains("tbf") && text.contains("rate 1Gbit"), "{text}");
    lab.down()
}

#[test]
fn a_killed_host_loses_its_processes_and_a_frozen_one_stalls() -> Result<()> {
    lab::require!();
    let lab = Lab::up(&LabOptions { hosts: 2, ..LabOptions::default() })?;
    let mut first = lab.host(1).launch("sleep").arg("600").spawn("sleep")?;
    let mut second = lab.host(2).launch("sleep").arg("600").spawn("sleep")?;
    until("both run", BOUND, || {
        Ok((lab.host(1).cgroup().pids()?.len() == 1 && lab.host(2).cgroup().pids()?.len() == 1).then_some(()))
    })?;
    lab.host(2).freeze(true)?;
    lab.host(2).freeze(false)?;
    lab.host(1).kill_all()?;
    ensure!(first.wait(BOUND)?.signal() == Some(9), "killed");
    ensure!(second.status()?.is_none(), "the other host lives");
    second.kill(Signal::TERM)?;
    ensure!(second.wait(BOUND)?.signal() == Some(15), "ended");
    lab.down()
}

#[test]
fn sockets_of_a_host_are_counted_by_remote_address() -> Result<()> {
    lab::require!();
    let lab = Lab::up(&LabOptions { hosts: 1, ..LabOptions::default() })?;
    let host = lab.host(1);
    let listener = host.inside(|| TcpListener::bind("[::]:0"))??;
    let port = listener.local_addr()?.port();
    let to = [SocketAddr::new(host.v4().into(), port), SocketAddr::new(host.v6().into(), port)];
    let calls = lab.in_client(|| to.map(TcpStream::connect))?;
    let held: Vec<TcpStream> = calls.into_iter().collect::<Result<_, _>>()?;
    let counts = host.sockets(&[port], lab::Direction::Inbound)?;
    let want: [(IpAddr, usize); 2] = [("10.77.0.251".parse()?, 1), ("fd77::251".parse()?, 1)];
    ensure!(counts == want.into(), "{counts:?}");
    drop(held);
    lab.down()
}

#[test]
fn nothing_is_left_after_down() -> Result<()> {
    lab::require!();
    let lab = Lab::up(&LabOptions { hosts: 2, ..LabOptions::default() })?;
    lab.host(1).launch("sleep").arg("600").spawn("sleep")?;
    let prefix = lab.prefix().to_owned();
    ensure!(!leftovers(&prefix)?.is_empty(), "leftovers() sees nothing");
    lab.down()?;
    let left = leftovers(&prefix)?;
    ensure!(left.is_empty(), "left: {left:?}");
    Ok(())
}

#[test]
fn nothing_is_left_after_any_violent_end() -> Result<()> {
    lab::require!();
    let endings = [
        (None, "panic"),
        (Some(Signal::KILL), "wait"),
        (Some(Signal::INT), "wait"),
        (Some(Signal::TERM), "wait"),
        (Some(Signal::KILL), "freeze"),
    ];
    for (signal, deed) in endings {
        // This test executable again, running the victim alone.
        let mut child = Command::new(env::current_exe()?)
            .args([
                "--exact",
                "a_victim_comes_to_the_end_that_is_asked_for",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(VICTIM, deed)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let pid = child.id();
        let prefix = format!("cv{pid}n0");
        let told = env::temp_dir().join(format!("convoy-lab-{prefix}")).join("ready");
        if let Some(signal) = signal {
            until("the victim's lab", BOUND, || Ok(told.exists().then_some(())))?;
            let pid = rustix::process::Pid::from_raw(pid.try_into()?).context("pid")?;
            rustix::process::kill_process(pid, signal)?;
        }
        let status = child.wait()?;
        ensure!(!status.success(), "{signal:?} {deed}: {status}");
        if let Some(signal) = signal {
            ensure!(status.signal() == Some(signal.as_raw()), "{signal:?}: {status}");
        }
        // After SIGKILL nobody waited for the guard; it needs a moment.
        until(&format!("nothing left of {prefix} after {signal:?} {deed}"), BOUND, || {
            Ok(leftovers(&prefix)?.is_empty().then_some(()))
        })?;
    }
    Ok(())
}

/// The child of the test above; by itself it does nothing.
#[test]
fn a_victim_comes_to_the_end_that_is_asked_for() -> Result<()> {
    let Ok(deed) = env::var(VICTIM) else { return Ok(()) };
    let lab = Lab::up(&LabOptions { hosts: 2, ..LabOptions::default() })?;
    lab.host(1).launch("sleep").arg("600").spawn("sleep")?;
    if deed == "freeze" {
        lab.host(1).freeze(true)?;
    }
    fs::write(lab.dir().join("ready"), "")?;
    assert!(deed != "panic", "as asked");
    until::<()>("a violent end", BOUND, || Ok(None))
}

#[test]
fn a_kept_lab_stays_until_it_is_removed() -> Result<()> {
    lab::require!();
    let lab = Lab::up(&LabOptions { hosts: 1, ..LabOptions::default() })?;
    let kept = lab.keep()?;
    ensure!(!leftovers(kept.prefix())?.is_empty(), "it is gone");
    ensure!(Kept::all()?.iter().any(|one| one.prefix() == kept.prefix()), "it is not found");
    kept.down()?;
    let left = leftovers(kept.prefix())?;
    ensure!(left.is_empty(), "left: {left:?}");
    Ok(())
}

#[test]
fn a_lab_is_up_and_down_in_a_moment() -> Result<()> {
    lab::require!();
    let start = Instant::now();
    let lab = Lab::up(&LabOptions::default())?;
    let up = start.elapsed();
    lab.down()?;
    let down = start.elapsed().saturating_sub(up);
    println!("three hosts up in {} ms, down in {} ms", up.as_millis(), down.as_millis());
    // chosen: usually a tenth of it; the bound is for a machine that does other things too.
    ensure!(up + down < Duration::from_secs(5), "up {} ms, down {} ms", up.as_millis(), down.as_millis());
    Ok(())
}

/// Whether a datagram from one host arrives at an address of the other.
fn hears(from: &Place, to: &Place, address: IpAddr) -> Result<bool> {
    let any: IpAddr = if address.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let receiver = to.inside(|| UdpSocket::bind(SocketAddr::new(address, 0)))??;
    let sender = from.inside(|| UdpSocket::bind(SocketAddr::new(any, 0)))??;
    receiver.set_nonblocking(true)?;
    let start = Instant::now();
    // The first may be lost to neighbour discovery, so more than one.
    while start.elapsed() < ARRIVES {
        // No route or no carrier is silence too.
        drop(sender.send_to(b"x", receiver.local_addr()?));
        if until("a datagram", ARRIVES / 4, || Ok(receiver.recv(&mut [0; 1]).ok())).is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the machine still holds of a lab.
fn leftovers(prefix: &str) -> Result<Vec<String>> {
    let mut left = Vec::new();
    for entry in fs::read_dir("/run/netns")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(&format!("{prefix}-")) {
            left.push(format!("namespace {name}"));
        }
    }
    let lab = format!("convoy-lab-{prefix}");
    for path in [lab::cgroup2_root()?.join(&lab), env::temp_dir().join(&lab)] {
        if path.exists() {
            left.push(path.display().to_string());
        }
    }
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    left.extend(mounts.lines().filter(|line| line.contains(&lab)).map(str::to_owned));
    Ok(left)
}

/// chosen: a datagram over a bridge takes microseconds, more where the machine is loaded.
const ARRIVES: Duration = Duration::from_millis(400);
const BOUND: Duration = Duration::from_secs(20);
const VICTIM: &str = "CONVOY_LAB_VICTIM";

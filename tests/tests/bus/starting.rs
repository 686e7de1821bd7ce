//! What is in the way of a corosync, and what is told about it.
use crate::*;
use lab::{bus::Options, until};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

/// Waits until the bus of the first host is in trouble, and returns it.
fn trouble(engines: &mut Engines) -> Result<String> {
    until("trouble", Duration::from_secs(30), || {
        let state = engines.seat(0).state()?;
        Ok((state.trouble != "-").then_some(state.trouble))
    })
}

/// Waits until the bus of the first host is a member.
fn member(engines: &mut Engines) -> Result<()> {
    until("a membership", Duration::from_secs(30), || Ok(engines.seat(0).state()?.connected.then_some(())))
}

fn one() -> Result<Engines> {
    Engines::up(Options { hosts: 1, ..Options::default() })
}

/// Starts the process of the first host again, with what this script does to its mounts before.
fn restart_with(engines: &mut Engines, script: &str) -> Result<()> {
    engines.kill(0, true)?;
    engines.start_prepared(0, script)
}

#[test]
fn a_host_without_corosync_says_so_and_goes_on_trying() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let mut engines = one()?;
    for (hidden, told) in [
        ("mount -t tmpfs tmpfs /usr/sbin", "there is no program `corosync`: install it"),
        ("mount --bind /dev/null /usr/lib/x86_64-linux-gnu/libcpg.so.4", "libcpg cannot be loaded"),
    ] {
        if hidden.contains("libcpg") && !Path::new("/usr/lib/x86_64-linux-gnu/libcpg.so.4").exists() {
            continue;
        }
        restart_with(&mut engines, hidden)?;
        engines.seat(0).bus().join();
        let trouble = trouble(&mut engines)?;
        assert!(trouble.contains(told), "{trouble}");
        assert!(engines.seat(0).ask("stop")?.ends_with("Ok(())"));
    }
    Ok(())
}

#[test]
fn a_lock_that_another_corosync_holds_is_named_and_taken_when_that_ends() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool", "nsenter");
    let mut engines = Engines::up(Options { hosts: 2, ..Options::default() })?;
    engines.seat(0).bus().join();
    engines.agree_of(0, 1)?;
    // The second host sees the first one's /run, with the lock in it.
    let other = engines.seat(0).state()?.pid.expect("a corosync of its own");
    engines.kill(1, true)?;
    engines.start_prepared(1, &format!("exec nsenter --mount=/proc/{other}/ns/mnt \"$@\"; true"))?;
    engines.seat(1).bus().join();
    let told = until("trouble", Duration::from_secs(30), || {
        let state = engines.seat(1).state()?;
        Ok((state.trouble != "-").then_some(state.trouble))
    })?;
    assert!(told.contains("/run/corosync.pid"), "{told}");
    assert!(engines.seat(0).ask("stop")?.ends_with("Ok(())"));
    engines.agree_of(1, 1)
}

#[test]
fn a_run_directory_that_cannot_be_written_is_told() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let mut engines = one()?;
    restart_with(&mut engines, "mkdir /run/corosync.pid")?;
    engines.seat(0).bus().join();
    let trouble = trouble(&mut engines)?;
    assert!(trouble.contains("/run/corosync.pid, which must be writable"), "{trouble}");
    Ok(())
}

#[test]
fn a_port_in_use_is_told_and_the_bus_comes_up_when_it_is_free() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let mut engines = Engines::up(Options { hosts: 2, ..Options::default() })?;
    let address = engines.host(0).v4();
    let taken = engines.host(0).inside(move || std::net::UdpSocket::bind((address, 4_809)))??;
    engines.seat(0).bus().join();
    let trouble = trouble(&mut engines)?;
    assert!(trouble.contains("4809"), "{trouble}");
    drop(taken);
    member(&mut engines)
}

#[test]
fn a_bad_secret_is_told_and_a_good_one_is_taken_on_a_reload() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let secret = tempfile::NamedTempFile::new()?;
    fs::set_permissions(secret.path(), fs::Permissions::from_mode(0o600))?;
    fs::write(secret.path(), "short")?;
    let more = format!("key={}", secret.path().display());
    let mut engines = Engines::up(Options { hosts: 1, more, ..Options::default() })?;
    engines.seat(0).bus().join();
    let trouble = trouble(&mut engines)?;
    assert!(trouble.contains("has 5 bytes; a secret has 16"), "{trouble}");
    fs::write(secret.path(), "long enough to be one")?;
    member(&mut engines)
}

#[test]
fn torn_files_of_an_earlier_ring_are_removed() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let mut engines = one()?;
    let ring = engines.dir(0).join("ring");
    fs::create_dir_all(&ring)?;
    for number in 1..4 {
        fs::write(ring.join(format!("ringid_{number}")), "torn")?;
    }
    let number = engines.dir(0).join("ring/ringid_11672");
    fs::write(&number, "x")?;
    engines.join_all()?;
    assert_eq!(fs::metadata(number)?.len(), 8);
    Ok(())
}

#[test]
fn a_corosync_that_runs_already_is_used_and_left_running() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool", "nsenter");
    let mut engines = Engines::up(Options { hosts: 2, ..Options::default() })?;
    engines.join_all()?;
    engines.seat(1).bus().leave();
    engines.agree_of(0, 1)?;
    // The second host's corosync goes on; another process there finds it.
    let mut second = engines.second_process(1)?;
    second.bus().join();
    engines.agree_of(0, 2)?;
    assert_ne!(second.ask("until 2 30000")?, "at -");
    let state = second.state()?;
    assert!(state.connected && state.adopted && state.pid.is_none(), "{state:?}");
    assert!(second.ask("stop")?.ends_with("Ok(())"));
    engines.agree_of(0, 1)?;
    engines.seat(1).bus().join();
    engines.agree_of(0, 2)
}

#[test]
fn other_peers_and_another_token_are_taken_without_a_loss_and_another_port_with_one() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool", "corosync-cmapctl", "nsenter");
    let mut engines = Engines::up(Options { hosts: 3, ..Options::default() })?;
    let all: Vec<String> = (0..3).map(|seat| engines.plan_of(seat)).collect();
    let without_third = |plan: &str| {
        plan.split(' ').filter(|word| !word.starts_with("node=mta3")).collect::<Vec<_>>().join(" ")
    };
    for (seat, plan) in all.iter().enumerate().take(2) {
        let plan = without_third(plan);
        engines.seat(seat).ask(&format!("reload {plan}"))?;
        engines.seat(seat).bus().join();
    }
    engines.agree_of(0, 2)?;
    engines.agree_of(1, 2)?;
    // The third is added while the others run.
    for (seat, plan) in all.iter().enumerate().take(2) {
        engines.seat(seat).ask(&format!("reload {plan}"))?;
    }
    engines.seat(2).bus().join();
    engines.agree(3)?;
    for (seat, plan) in all.iter().enumerate() {
        engines.seat(seat).ask(&format!("reload {plan} token=200"))?;
    }
    let mounts = engines.mounts_of(0);
    until("the token's time is in force", Duration::from_secs(20), || {
        let output = engines
            .host(0)
            .launch("nsenter")
            .args([&mounts, "corosync-cmapctl", "runtime.config.totem.token"])
            .run(Duration::from_secs(10))?;
        Ok(String::from_utf8_lossy(&output.stdout).contains("= 200").then_some(()))
    })?;
    for seat in 0..3 {
        assert_eq!(engines.seat(seat).state()?.losses, 0, "{seat}");
    }
    // And the third is taken out again.
    engines.seat(2).bus().leave();
    engines.agree_of(0, 2)?;
    for (seat, plan) in all.iter().enumerate() {
        engines.seat(seat).ask(&format!("reload {plan} port=4810"))?;
    }
    assert!(loss(&mut engines, 0)?.contains("configuration"), "a new port is a loss");
    engines.agree_of(0, 2)?;
    assert_eq!(engines.seat(0).state()?.losses, 1);
    Ok(())
}

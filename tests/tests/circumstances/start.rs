//! Circumstances in which the daemon does not start, and says why.
use crate::daemon::{check_healthy, check_refusal, lab, launch, launch_after, with, without, words};
use anyhow::{Result, ensure};
use lab::require;
use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{PermissionsExt, chown},
    time::Duration,
};

#[test]
fn a_wrong_configuration_is_named_with_its_place() -> Result<()> {
    require!();
    let lab = lab(1)?;
    let host = lab.host(1);
    host.write_config("cluster {\n  nodename = \"mta1\"\n  heartbeats_per_sec = 100000\n}\n")?;
    for check in [true, false] {
        let mut run = launch(host, words(host)?);
        if check {
            run = run.arg("--check");
        }
        let output = run.run(Duration::from_secs(20))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(1), "{}: {said}", output.status);
        ensure!(said.contains("convoy.conf:3:"), "{said}");
    }
    Ok(())
}

#[test]
fn a_right_configuration_passes_the_check_and_starts_nothing() -> Result<()> {
    require!();
    let lab = lab(1)?;
    let output = launch(lab.host(1), words(lab.host(1))?).arg("--check").run(Duration::from_secs(20))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(fs::read_dir(lab.host(1).bpffs_dir())?.next().is_none(), "pins after a check");
    Ok(())
}

#[test]
fn wrong_usage_ends_with_2() -> Result<()> {
    require!();
    let lab = lab(1)?;
    let output = launch(lab.host(1), words(lab.host(1))?).arg("--nonsense").run(Duration::from_secs(20))?;
    ensure!(output.status.code() == Some(2));
    Ok(())
}

#[test]
fn a_node_that_is_not_in_its_own_peer_list_is_told_so() -> Result<()> {
    require!();
    let lab = lab(2)?;
    let host = lab.host(1);
    host.write_config(&host.default_config().replace("nodename = \"mta1\"", "nodename = \"stranger\""))?;
    let output = launch(host, words(host)?).run(Duration::from_secs(20))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{}: {said}", output.status);
    ensure!(said.contains("stranger") && said.contains("peers"), "{said}");
    Ok(())
}

#[test]
fn a_state_directory_that_cannot_be_written_is_named() -> Result<()> {
    require!("setpriv");
    let lab = lab(1)?;
    let host = lab.host(1);
    // Of somebody else, to a root without the power over others' files, as the service unit makes it.
    let state = lab.dir().join("theirs");
    fs::create_dir(&state)?;
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700))?;
    chown(&state, Some(65_534), Some(65_534))?;
    let words = with(words(host)?, "--state-dir", &state);
    let bounded = host.launch("setpriv").arg("--bounding-set=-all,+bpf,+net_admin,+perfmon").args(words);
    check_refusal(bounded, 4, &["theirs", "Permission denied", "make it writable"])
}

#[test]
fn a_second_daemon_on_the_same_directories_leaves_the_first_alone() -> Result<()> {
    require!();
    let lab = lab(1)?;
    let host = lab.host(1);
    let mut first = host.start_agent()?;
    let pid = first.process().pid().to_string();
    check_refusal(launch(host, words(host)?), 4, &["another convoyd", &pid, "--run-dir"])?;
    let elsewhere = with(words(host)?, "--run-dir", &lab.dir().join("run2"));
    check_refusal(launch(host, elsewhere.clone()), 4, &["another convoyd", &pid, "state"])?;
    // The same pins: both would take changes out of one ring, and both would miss some.
    let elsewhere = with(elsewhere, "--state-dir", &lab.dir().join("state2"));
    check_refusal(launch(host, elsewhere), 4, &["another convoyd", "pins", "--bpffs"])?;
    check_healthy(host)
}

#[test]
fn a_port_in_use_is_named_with_the_way_to_find_its_user() -> Result<()> {
    require!();
    let lab = lab(2)?;
    let host = lab.host(1);
    let taken = host.inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 4802)))??;
    check_refusal(launch(host, words(host)?), 4, &["4802", "Address already in use", "ss -Hltnp"])?;
    drop(taken);
    host.start_agent().map(drop)
}

#[test]
fn a_directory_outside_of_cgroup2_is_refused() -> Result<()> {
    require!();
    let lab = lab(1)?;
    let words = with(words(lab.host(1))?, "--cgroup", lab.dir());
    check_refusal(launch(lab.host(1), words), 3, &["not a directory of a cgroup2 hierarchy", "--cgroup"])
}

#[test]
fn a_host_without_cgroup2_is_told_how_to_mount_it() -> Result<()> {
    require!("unshare");
    let lab = lab(1)?;
    let words = without(words(lab.host(1))?, "--cgroup");
    let run = launch_after(lab.host(1), "umount -a -l -t cgroup2", words);
    check_refusal(run, 3, &["no cgroup2 hierarchy is mounted", "mount -t cgroup2"])
}

#[test]
fn a_directory_outside_of_a_bpffs_is_refused() -> Result<()> {
    require!();
    let lab = lab(1)?;
    let words = with(words(lab.host(1))?, "--bpffs", &lab.dir().join("pins"));
    check_refusal(launch(lab.host(1), words), 3, &["is not on a bpffs", "--bpffs"])
}

#[test]
fn a_host_where_no_bpffs_can_be_mounted_is_told_the_command() -> Result<()> {
    require!("unshare", "setpriv");
    let lab = lab(1)?;
    let mut bounded = vec!["setpriv".into(), "--bounding-set=-all,+bpf,+net_admin,+perfmon".into()];
    bounded.extend(without(words(lab.host(1))?, "--bpffs"));
    let run = launch_after(
        lab.host(1),
        "while umount -l -t bpf -a 2>/dev/null && grep -q ' bpf ' /proc/self/mounts; do :; done",
        bounded,
    );
    check_refusal(run, 3, &["no bpffs is mounted", "mount -t bpf"])
}

#[test]
fn a_missing_capability_is_named_with_its_purpose() -> Result<()> {
    require!("setpriv");
    let lab = lab(1)?;
    for (set, missing) in [
        ("-all,+net_admin,+perfmon", "CAP_BPF"),
        ("-all,+bpf,+perfmon", "CAP_NET_ADMIN"),
        ("-all,+bpf,+net_admin", "CAP_PERFMON"),
    ] {
        let bounded = lab.host(1).launch("setpriv").arg(format!("--bounding-set={set}"));
        check_refusal(bounded.args(words(lab.host(1))?), 3, &[missing, "needed", "grant it"])?;
    }
    Ok(())
}

#[test]
fn three_capabilities_are_enough() -> Result<()> {
    require!("setpriv");
    let lab = lab(1)?;
    let host = lab.host(1);
    let bounded = host.launch("setpriv").arg("--bounding-set=-all,+bpf,+net_admin,+perfmon");
    let mut agent = host.spawn_agent(bounded.args(words(host)?))?;
    agent.wait_notified("READY=1", Duration::from_secs(20))?;
    lab::until("an audit", Duration::from_secs(20), || {
        Ok((host.convoy_json(&["drift"])?["audits"].as_u64() > Some(0)).then_some(()))
    })?;
    check_healthy(host)
}

#[test]
fn a_kernel_without_type_information_is_told_the_option() -> Result<()> {
    require!("unshare");
    let lab = lab(1)?;
    let run = launch_after(lab.host(1), "mount -t tmpfs none /sys/kernel/btf", words(lab.host(1))?);
    check_refusal(run, 3, &["no type information", "CONFIG_DEBUG_INFO_BTF"])
}

#[test]
fn a_kernel_that_is_too_old_is_told_from_a_broken_one() -> Result<()> {
    require!("setarch");
    let lab = lab(1)?;
    // The kernel calls itself 2.6 to a process that asks for it.
    let run = lab.host(1).launch("setarch").arg("--uname-2.6").args(words(lab.host(1))?);
    check_refusal(run, 3, &["kernel 2.6 is too old", "needs 5.15", "run a newer kernel"])
}

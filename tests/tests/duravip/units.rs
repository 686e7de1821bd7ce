//! `duravip_hook_unit` with a real systemd beside the daemon: one instance of a template for each address.
use super::site::{BOUND, Site, addresses};
use anyhow::{Context as _, Result, ensure};
use lab::{Process, VipOptions, until};
use std::{fs, path::PathBuf};

#[test]
fn a_unit_is_started_when_its_address_has_come_and_stopped_before_it_goes() -> Result<()> {
    lab::require!("systemd", "systemctl", "nsenter");
    let mut site = Site::up(&VipOptions {
        addresses: addresses(2),
        preference: Some("mta1".into()),
        mature: 0.0,
        cluster: "  duravip_hook_unit = \"mx@.service\"\n".into(),
        ..VipOptions::default()
    })?;
    // mta1 has no manager of units: its hooks fail, which is told and holds nothing up.
    let log = site.process(1)?.log().to_owned();
    until("the failure of a unit", BOUND, || {
        Ok(fs::read_to_string(&log)?.contains("unit mx@10.78.0.1.service: ").then_some(()))
    })?;
    let units = Units::start(&mut site, 2)?;
    for address in site.addresses.clone() {
        let address = address.to_string();
        site.convoy(1, &["vip", "move", &address, "mta2"])?;
        units.until_said(&format!("started {address} 1"))?;
        site.convoy(2, &["vip", "move", &address, "mta3"])?;
        units.until_said(&format!("stopped {address} 1"))?;
    }
    site.wait_until_held(&[1, 2, 3])?;
    ensure!(units.said()?.lines().count() == 4, "{}", units.said()?);
    site.finish()?;
    Ok(())
}

/// A manager of units on a host, in the daemon's place. Each unit says when it starts and stops, and how many addresses of
/// its name the host has then.
struct Units {
    log: PathBuf,
    _manager: Process,
}

impl Units {
    fn start(site: &mut Site, host: usize) -> Result<Self> {
        let pid = site.process(host)?.pid().to_string();
        let host = site.lab.host(host);
        let (home, log) = (host.dir().join("units"), host.dir().join("units.log"));
        let templates = home.join("systemd/user");
        fs::create_dir_all(&templates)?;
        let say = |what| {
            let count = "$(ip -o addr show to %i | wc -l)";
            format!("/bin/sh -c 'echo {what} %i {count} >>{}'", log.display()).replace('$', "$$")
        };
        let unit = format!(
            "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart={}\nExecStop={}\n",
            say("started"),
            say("stopped")
        );
        fs::write(templates.join("mx@.service"), unit)?;
        let in_place = ["-t", &pid, "-m"];
        let manager = host
            .launch("nsenter")
            .args(in_place)
            .args(["unshare", "--mount", "--propagation", "private", "sh", "-c", MANAGE, "sh"])
            .arg(host.cgroup().path())
            .env("XDG_CONFIG_HOME", &home)
            .env("HOME", &home)
            .spawn("systemd")?;
        until("the manager of units", BOUND, || {
            let answer = host.launch("nsenter").args(in_place).args(["systemctl", "is-system-running"]);
            Ok(answer.run(BOUND)?.status.success().then_some(()))
        })
        .with_context(|| fs::read_to_string(manager.log()).unwrap_or_default())?;
        Ok(Self { log, _manager: manager })
    }

    fn said(&self) -> Result<String> {
        if self.log.exists() { Ok(fs::read_to_string(&self.log)?) } else { Ok(String::new()) }
    }

    fn until_said(&self, line: &str) -> Result<()> {
        let mut said = String::new();
        let found = until(line, BOUND, || {
            said = self.said()?;
            Ok(said.lines().any(|one| one == line).then_some(()))
        });
        found.with_context(|| said)
    }
}

/// `$1` is the host's cgroup. Whoever is in the manager's own is moved by it, so it gets one to itself, and sees no other
/// hierarchies. systemctl of root asks `/run/systemd/private`, where a host's first process listens; this one does instead.
const MANAGE: &str = "mkdir -p /run/systemd/system $1/units && echo 0 >$1/units/cgroup.procs && \
                      mount -t cgroup2 none /sys/fs/cgroup && \
                      exec env XDG_RUNTIME_DIR=/run systemd --user --unit=basic.target --log-target=console";

//! keepalived on the hosts of a lab: one VRRP instance that holds all managed addresses.
//!
//! It is set up as its manual advises for many addresses and a short interval: VRRP version 3, real-time priority without
//! a limit of processor time, one address in the adverts and all others beside them (`virtual_ipaddress_excluded`). Host 1
//! has the highest priority and takes back what it lost. Everything else is its default.
//!
//! Source: keepalived.conf(5), keepalived(8), version 2.2.7; RFC 5798 section 6.1 for the master down interval.
use super::failover::Failover;
use anyhow::{Context, Result, ensure};
use lab::{Host, Lab, Process, Signal};
use std::{
    fs,
    net::IpAddr,
    process::{Command, Stdio},
    time::Duration,
};

/// The daemons of a lab.
#[derive(Debug)]
pub struct Cluster<'a> {
    lab: &'a Lab,
    name: String,
    daemons: Vec<Process>,
}

impl<'a> Cluster<'a> {
    /// Starts a daemon on every host that adverts every `advert` (10 ms and more, in steps of 10 ms).
    ///
    /// # Errors
    /// When keepalived is not installed; `script/bootstrap --bench` installs it.
    pub fn start(lab: &'a Lab, addresses: &[IpAddr], advert: Duration) -> Result<Self> {
        ensure!(lab.hosts().len() < PRIORITIES.len(), "there are priorities for {} hosts", PRIORITIES.len());
        for (host, priority) in lab.hosts().iter().zip(PRIORITIES) {
            let path = host.dir().join(CONFIGURATION);
            fs::write(&path, configuration(priority, addresses, advert))
                .with_context(|| path.display().to_string())?;
        }
        let name = format!("keepalived {}, adverts every {} ms", version()?, advert.as_millis());
        let daemons = lab.hosts().iter().map(spawn).collect::<Result<_>>()?;
        Ok(Self { lab, name, daemons })
    }
}

impl Failover for Cluster<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn restart(&mut self, host: usize) -> Result<()> {
        self.daemons[host - 1].wait(WAIT)?;
        self.daemons[host - 1] = spawn(self.lab.host(host))?;
        Ok(())
    }

    /// Stops the daemon: it says in a last advert, of priority 0, that another is to take over.
    fn drain(&mut self, host: usize) -> Result<()> {
        self.daemons[host - 1].kill(Signal::TERM)
    }

    fn undrain(&mut self, host: usize) -> Result<()> {
        self.restart(host)
    }
}

/// Its own `/run`, empty as after a start of the host: it does not start where it finds its old process ids in use.
fn spawn(host: &Host) -> Result<Process> {
    host.launch("keepalived")
        .args(["--vrrp", "--dont-fork", "--log-console", "--no-syslog", "--dont-respawn", "--use-file"])
        .arg(host.dir().join(CONFIGURATION))
        .own_run()
        .spawn("keepalived")
        .context("start keepalived; script/bootstrap --bench installs it")
}

/// Configuration of one host.
fn configuration(priority: u8, addresses: &[IpAddr], advert: Duration) -> String {
    let line = |address: &IpAddr| {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        format!("        {address}/{bits} dev eth0\n")
    };
    // An instance is of one family, and the first of its addresses decides; the excluded ones may be of any.
    let (own, others) = match addresses {
        [own @ IpAddr::V4(_), others @ ..] => (*own, others),
        _ => (OWN_ADDRESS, addresses),
    };
    let mut excluded: String = others.iter().map(line).collect();
    if !excluded.is_empty() {
        excluded = format!("    virtual_ipaddress_excluded {{\n{excluded}    }}\n");
    }
    format!(
        "global_defs {{\n    vrrp_version 3\n    vrrp_rt_priority 1\n    vrrp_rlimit_rttime 10000000\n}}\n\
         vrrp_instance vips {{\n    state BACKUP\n    interface eth0\n    virtual_router_id 77\n    \
         priority {priority}\n    advert_int {:.2}\n    virtual_ipaddress {{\n{}    }}\n{excluded}}}\n",
        advert.as_secs_f64(),
        line(&own),
    )
}

/// Returns the version of the installed keepalived, for the tables.
///
/// # Errors
/// When there is none; `script/bootstrap --bench` installs it.
pub fn version() -> Result<String> {
    let output = Command::new("keepalived")
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .context("run keepalived; script/bootstrap --bench installs it")?;
    // It tells on standard error: `Keepalived v2.2.7 (01/16,2022)`.
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(text.split_whitespace().nth(1).unwrap_or("unknown").trim_start_matches('v').to_owned())
}

/// Of the hosts, in their order. The highest takes over first, and takes back.
const PRIORITIES: [u8; 8] = [250, 200, 180, 160, 140, 120, 100, 80];
/// The instance's own address where all managed ones are of IPv6; nobody asks for it.
const OWN_ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 78, 255, 254));
const CONFIGURATION: &str = "keepalived.conf";
/// Longest wait for an end: it removes ten thousand addresses before.
const WAIT: Duration = Duration::from_mins(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_in_the_adverts_and_all_others_are_beside_them() {
        let text = |addresses: &[&str]| {
            let addresses: Vec<_> = addresses.iter().map(|address| address.parse().unwrap()).collect();
            configuration(200, &addresses, Duration::from_millis(10))
        };
        let one = text(&["10.78.0.1"]);
        assert!(one.contains("virtual_ipaddress {\n        10.78.0.1/32 dev eth0\n    }\n}\n"), "{one}");
        assert!(one.contains("priority 200\n    advert_int 0.01\n") && !one.contains("excluded"), "{one}");
        let mixed = text(&["fd78::1", "10.78.0.1"]);
        assert!(mixed.contains("virtual_ipaddress {\n        10.78.255.254/32"), "{mixed}");
        let others = "excluded {\n        fd78::1/128 dev eth0\n        10.78.0.1/32 dev eth0\n";
        assert!(mixed.contains(others), "{mixed}");
    }
}

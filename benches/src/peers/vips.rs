//! Convoy's managed addresses on the hosts of a lab: real daemons, each with its corosync.
use super::failover::Failover;
use anyhow::{Context as _, Result, ensure};
use lab::{Agent, Lab, VipOptions};
use std::{net::IpAddr, time::Duration};

/// The daemons of a lab.
#[derive(Debug)]
pub struct Cluster<'a> {
    lab: &'a Lab,
    name: String,
    agents: Vec<Option<Agent>>,
}

impl<'a> Cluster<'a> {
    /// Starts a daemon on every host that sends a heartbeat every `interval` (5 ms and more). Host 1 is preferred.
    ///
    /// # Errors
    /// When a daemon does not become ready.
    pub fn start(lab: &'a Lab, addresses: &[IpAddr], interval: Duration) -> Result<Self> {
        let heartbeats = u32::try_from(1_000 / interval.as_millis().max(1))?;
        let options = VipOptions {
            addresses: addresses.to_vec(),
            preference: Some(lab.host(1).name().to_owned()),
            heartbeats,
            mature: 0.0,
            ..VipOptions::default()
        };
        for host in lab.hosts() {
            host.write_config(&host.vip_config(&options))?;
        }
        let name = format!("Convoy, heartbeats every {} ms", interval.as_millis());
        let mut cluster = Self { lab, name, agents: lab.hosts().iter().map(|_| None).collect() };
        for host in 1..=lab.hosts().len() {
            cluster.spawn(host)?;
        }
        Ok(cluster)
    }

    fn spawn(&mut self, host: usize) -> Result<()> {
        let place = self.lab.host(host);
        let mut agent = place.spawn_agent(place.convoyd()?.own_run())?;
        agent.wait_notified("READY=1", READY)?;
        self.agents[host - 1] = Some(agent);
        Ok(())
    }

    fn vip(&self, host: usize, words: &[&str]) -> Result<()> {
        let output = self.lab.host(host).convoy(&[&["vip"], words].concat())?;
        ensure!(output.status.success(), "convoy vip {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

impl Failover for Cluster<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn restart(&mut self, host: usize) -> Result<()> {
        let mut agent = self.agents[host - 1].take().context("no daemon ran there")?;
        agent.process().wait(READY)?;
        self.spawn(host)
    }

    /// As an operator does before work on the host.
    fn drain(&mut self, host: usize) -> Result<()> {
        self.vip(host, &["drain", self.lab.host(host).name()])
    }

    fn undrain(&mut self, host: usize) -> Result<()> {
        self.vip(host, &["undrain", self.lab.host(host).name()])
    }
}

/// Longest wait for a daemon: it may remove ten thousand addresses before.
const READY: Duration = Duration::from_mins(2);

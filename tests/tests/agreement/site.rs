//! Hosts with daemons on a bus; the last one may be a manager.
use anyhow::{Context as _, Result, ensure};
use lab::{Agent, Host, Lab, LabOptions, Signal, until};
use serde_json::Value;
use std::{process::Output, time::Duration};

/// Bound of every wait: corosyncs form in a second or two, and the machine may be busy.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// A lab with daemons running.
pub(crate) struct Site {
    // Before the lab, which takes their places down.
    pub(crate) agents: Vec<Option<Agent>>,
    pub(crate) lab: Lab,
    managers: Vec<usize>,
    members: Vec<usize>,
    /// What every host has in its configuration beside its members.
    more: String,
    /// What hosts are called before their numbers.
    stem: &'static str,
}

impl Site {
    /// Brings up this many nodes, and a manager after them if one is wanted; returns when all hold one view.
    pub(crate) fn up(nodes: usize, with_manager: bool) -> Result<Self> {
        let hosts = nodes + usize::from(with_manager);
        let lab = Lab::up(&LabOptions { hosts, ..LabOptions::default() })?;
        let managers = with_manager.then_some(hosts).into_iter().collect();
        let agents = (0..hosts).map(|_| None).collect();
        let members = (1..=hosts).collect();
        let mut site = Self { agents, lab, managers, members, more: String::new(), stem: "mta" };
        for host in 1..=hosts {
            site.lab.host(host).write_config(&site.lab.host(host).bus_config())?;
            site.start(host)?;
        }
        site.wait_for_view(&(1..=hosts).collect::<Vec<_>>())?;
        Ok(site)
    }

    /// Brings up a lab of this many hosts called `mx1` and so on, of which the `first` are members and run.
    pub(crate) fn prepare(hosts: usize, first: &[usize], manager: Option<usize>) -> Result<Self> {
        let lab = Lab::up(&LabOptions { hosts, ..LabOptions::default() })?;
        let agents = (0..hosts).map(|_| None).collect();
        let (managers, members) = (manager.into_iter().collect(), Vec::new());
        let mut site = Self { agents, lab, managers, members, more: String::new(), stem: "mx" };
        site.set_peers(first)?;
        for &host in first {
            site.start(host)?;
        }
        if !first.is_empty() {
            site.wait_for_view(first)?;
        }
        Ok(site)
    }

    /// Writes on every host that these are the members, and has those that run reload.
    pub(crate) fn set_peers(&mut self, members: &[usize]) -> Result<()> {
        self.members = members.to_vec();
        self.configure()
    }

    /// Writes this into the configuration of every host too, and has those that run reload.
    pub(crate) fn add_config(&mut self, text: &str) -> Result<()> {
        self.more += text;
        self.configure()
    }

    fn configure(&mut self) -> Result<()> {
        for host in 1..=self.agents.len() {
            let place = self.lab.host(host);
            let is_other = |line: &str| {
                let named = |n: usize| line.trim_start().starts_with(&format!("mta{n} ="));
                (1..=self.agents.len()).any(|n| named(n) && !self.members.contains(&n))
            };
            let config = place.bus_config();
            let lines = config.lines().filter(|line| !is_other(line)).collect::<Vec<_>>().join("\n");
            place.write_config(&(lines.replace("mta", self.stem) + "\n" + &self.more))?;
            if let Some(agent) = &mut self.agents[host - 1] {
                agent.process().kill(Signal::HUP)?;
                agent.wait_notified("RELOADING=1", BOUND)?;
                agent.wait_notified("READY=1", BOUND)?;
            }
        }
        Ok(())
    }

    pub(crate) fn make_manager(&mut self, host: usize) {
        self.managers.push(host);
    }

    /// Ends a host's daemon.
    pub(crate) fn end(&mut self, host: usize, signal: Signal) -> Result<()> {
        let mut agent = self.agents[host - 1].take().context("no daemon runs there")?;
        agent.process().kill(signal)?;
        agent.process().wait(BOUND)?;
        Ok(())
    }

    /// Ends a host whole: nothing of it is heard any more, and nothing runs on it.
    pub(crate) fn die(&mut self, host: usize) -> Result<()> {
        let mut agent = self.agents[host - 1].take().context("no daemon runs there")?;
        self.lab.cut(host)?;
        self.lab.host(host).kill_all()?;
        agent.process().wait(BOUND)?;
        Ok(())
    }

    pub(crate) fn start(&mut self, host: usize) -> Result<()> {
        let place: &Host = self.lab.host(host);
        let mut launch = place.convoyd()?.own_run();
        if self.managers.contains(&host) {
            launch = launch.args(["--role", "manager"]);
        }
        let mut agent = place.spawn_agent(launch)?;
        agent.wait_notified("READY=1", BOUND)?;
        self.agents[host - 1] = Some(agent);
        Ok(())
    }

    pub(crate) fn agent(&mut self, host: usize) -> Result<&mut Agent> {
        self.agents[host - 1].as_mut().context("no daemon runs there")
    }

    /// Waits until these hosts hold the same view, of exactly them; returns its epoch.
    pub(crate) fn wait_for_view(&self, hosts: &[usize]) -> Result<u64> {
        let mut names = hosts.iter().map(|host| format!("{}{host}", self.stem)).collect::<Vec<_>>();
        names.sort();
        let mut last = Value::Null;
        let agreed = until("one view", BOUND, || {
            let mut epochs = Vec::new();
            for &host in hosts {
                let view = self.view(host)?;
                let members = view["members"].as_array().cloned().unwrap_or_default();
                let found =
                    members.iter().filter_map(|member| member["node_name"].as_str()).collect::<Vec<_>>();
                if found != names {
                    last = view;
                    return Ok(None);
                }
                epochs.push(view["epoch"].as_u64().unwrap_or(0));
            }
            epochs.dedup();
            Ok(<[u64; 1]>::try_from(epochs).ok().map(|[epoch]| epoch))
        });
        agreed.with_context(|| format!("{names:?}; the last other view was {last}"))
    }

    pub(crate) fn view(&self, host: usize) -> Result<Value> {
        self.lab.host(host).convoy_json(&["view"])
    }

    /// Carries out a line of the console on a host and returns what it prints.
    pub(crate) fn console(&self, host: usize, line: &str) -> Result<String> {
        let output = self.lab.host(host).convoy(&["console", line])?;
        ensure!(output.status.success(), "{line} on mta{host}: {}", words(&output));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Carries out a line that must fail and returns what it says.
    pub(crate) fn console_refuses(&self, host: usize, line: &str) -> Result<String> {
        let output = self.lab.host(host).convoy(&["console", line])?;
        ensure!(!output.status.success(), "{line} on mta{host} succeeds: {}", words(&output));
        Ok(String::from_utf8(output.stderr)?)
    }

    /// Returns a node's process number on the bus: that of its daemon.
    pub(crate) fn pid(&mut self, host: usize) -> Result<u32> {
        Ok(self.agent(host)?.process().pid())
    }
}

fn words(output: &Output) -> String {
    format!("{} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

//! Three mail hosts with daemons, a server on each, and a client that calls them from many networks.
use anyhow::{Context as _, Result};
use lab::{Agent, Direction, Lab, LabOptions, Place, traffic::Worker, until};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

/// A lab with daemons running.
pub(crate) struct Site {
    // Before the lab, which takes their places down.
    pub(crate) agents: Vec<Option<Agent>>,
    pub(crate) servers: Vec<Option<Worker>>,
    pub(crate) client: Worker,
    pub(crate) lab: Lab,
}

impl Site {
    pub(crate) fn up() -> Result<Self> {
        let lab = Lab::up(&LabOptions::default())?;
        let agents = lab.hosts().iter().map(|host| host.start_agent().map(Some)).collect::<Result<_>>()?;
        let servers =
            (1..=lab.hosts().len()).map(|host| serve(&lab, host).map(Some)).collect::<Result<_>>()?;
        let client = worker(lab.client(), None)?;
        let site = Self { agents, servers, client, lab };
        site.wait_for_state("alive", &[1, 2, 3])?;
        Ok(site)
    }

    /// Opens `n` connections to a host from `spread` addresses and holds them.
    pub(crate) fn open(&mut self, host: usize, n: usize, from: &str, spread: usize) -> Result<()> {
        let from: IpAddr = from.parse()?;
        let to = self.address(host, from.is_ipv6());
        self.client.open(n, from, spread, to)
    }

    pub(crate) fn address(&self, host: usize, v6: bool) -> SocketAddr {
        let host = self.lab.host(host);
        SocketAddr::new(if v6 { host.v6().into() } else { host.v4().into() }, PORT)
    }

    /// Returns what ss(8) sees on a host, by remote address.
    pub(crate) fn truth(&self, host: usize) -> Result<BTreeMap<IpAddr, u64>> {
        let sockets = self.lab.host(host).sockets(&[PORT], Direction::Inbound)?;
        sockets.into_iter().map(|(address, count)| Ok((address, u64::try_from(count)?))).collect()
    }

    /// Waits until `global` on each of these hosts is the sum of what ss(8) sees on all of them, host by host.
    pub(crate) fn wait_for_sums(&self, hosts: &[usize]) -> Result<BTreeMap<IpAddr, u64>> {
        until("global equals the sum of ss", BOUND, || {
            let mut wanted = BTreeMap::new();
            for &host in hosts {
                for (address, count) in self.truth(host)? {
                    *wanted.entry(address).or_insert(0) += count;
                }
            }
            for &host in hosts {
                if self.leaves(host, None)? != wanted {
                    return Ok(None);
                }
            }
            Ok(Some(wanted))
        })
        .with_context(|| self.differences(hosts))
    }

    /// Waits until every connection is closed, in truth and in every host's `global`.
    pub(crate) fn wait_for_silence(&self) -> Result<()> {
        until("silence", BOUND, || Ok(self.wait_for_sums(&[1, 2, 3])?.is_empty().then_some(())))
    }

    /// Returns the hosts with open connections in a view.
    pub(crate) fn leaves(&self, host: usize, from: Option<&str>) -> Result<BTreeMap<IpAddr, u64>> {
        let shared = self.lab.host(host).shared("inbound_cidr", from)?;
        let leaves = shared.into_values().filter_map(|entry| {
            let (address, bits) = entry.prefix.split_once('/')?;
            let address: IpAddr = address.parse().ok()?;
            let whole = bits == if address.is_ipv4() { "32" } else { "128" };
            (whole && entry.current > 0).then_some((address, entry.current))
        });
        Ok(leaves.collect())
    }

    /// Waits until hosts `of` give each other this state.
    pub(crate) fn wait_for_state(&self, state: &str, of: &[usize]) -> Result<()> {
        for &host in of {
            let others: Vec<String> = of.iter().map(|host| format!("mta{host}")).collect();
            until("membership", BOUND, || {
                let members = self.lab.host(host).members()?;
                Ok(others.iter().all(|name| members.get(name).is_some_and(|is| is == state)).then_some(()))
            })
            .with_context(|| format!("mta{host} does not see {others:?} {state}"))?;
        }
        Ok(())
    }

    /// Waits until `host` gives `name` this state.
    pub(crate) fn wait_for(&self, host: usize, name: &str, state: &str) -> Result<()> {
        let see =
            || Ok((self.lab.host(host).members()?.get(name).is_some_and(|is| is == state)).then_some(()));
        until("membership", BOUND, see).with_context(|| format!("mta{host} does not see {name} {state}"))
    }

    pub(crate) fn agent(&mut self, host: usize) -> Result<&mut Agent> {
        self.agents[host - 1].as_mut().context("no daemon runs there")
    }

    pub(crate) fn restart_agent(&mut self, host: usize) -> Result<()> {
        self.agents[host - 1] = Some(self.lab.host(host).start_agent()?);
        Ok(())
    }

    pub(crate) fn restart_server(&mut self, host: usize) -> Result<()> {
        self.servers[host - 1] = Some(serve(&self.lab, host)?);
        Ok(())
    }

    /// Returns a host's drift once another audit has been made.
    pub(crate) fn audited(&self, host: usize) -> Result<BTreeMap<String, u64>> {
        let drift = || -> Result<BTreeMap<String, u64>> {
            Ok(serde_json::from_value(self.lab.host(host).convoy_json(&["drift"])?)?)
        };
        let before = drift()?["audits"];
        until("an audit", BOUND, || Ok(Some(drift()?).filter(|drift| drift["audits"] >= before + 2)))
    }

    fn differences(&self, hosts: &[usize]) -> String {
        let show = |host: &usize| {
            let (truth, own) = (self.truth(*host), self.leaves(*host, Some(&format!("mta{host}"))));
            let global = self.leaves(*host, None).map(|leaves| leaves.values().sum::<u64>());
            let sum =
                |counts: Result<BTreeMap<IpAddr, u64>>| counts.map(|counts| counts.values().sum::<u64>());
            format!("mta{host}: ss {:?}, own {:?}, global {global:?}", sum(truth), sum(own))
        };
        hosts.iter().map(show).collect::<Vec<_>>().join("; ")
    }
}

/// Starts a server on port 25 of a host, in its cgroup, for both families.
fn serve(lab: &Lab, host: usize) -> Result<Worker> {
    let host = lab.host(host);
    let mut server = worker(host, Some(host.cgroup().path()))?;
    server.listen(SocketAddr::new(host.v4().into(), PORT))?;
    server.listen(SocketAddr::new(host.v6().into(), PORT))?;
    Ok(server)
}

pub(crate) fn worker(place: &Place, cgroup: Option<&Path>) -> Result<Worker> {
    place.worker(Path::new(env!("CARGO_BIN_EXE_traffic")), cgroup)
}

pub(crate) const PORT: u16 = 25;
/// Longest wait for anything; a loaded machine is slow, and a correct one passes long before.
pub(crate) const BOUND: Duration = Duration::from_mins(1);

//! Three hosts that share addresses, and a witness who asks all the while who answers for them.
use anyhow::{Context as _, Result, ensure};
use lab::{
    Agent, Host, Lab, LabOptions, Process, Signal, VipOptions, until,
    witness::{Testimony, Witness},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

/// Bound of every wait: corosyncs form in a second or two, and the machine may be busy.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// A lab with daemons that share addresses.
pub(crate) struct Site {
    // Before the lab, which takes their places down.
    pub(crate) agents: Vec<Option<Agent>>,
    pub(crate) addresses: Vec<IpAddr>,
    /// The first hosts are nodes, the others managers.
    nodes: usize,
    witness: Option<Witness>,
    pub(crate) lab: Lab,
}

/// Half of them of IPv4, half of IPv6.
pub(crate) fn addresses(count: u16) -> Vec<IpAddr> {
    let address = |n: u16| match n % 2 {
        0 => IpAddr::V4(Ipv4Addr::from(0x0a4e_0001 + u32::from(n))),
        _ => IpAddr::V6(Ipv6Addr::new(0xfd78, 0, 0, 0, 0, 0, 0, n + 1)),
    };
    (0..count).map(address).collect()
}

impl Site {
    /// Brings up three nodes that offer these, and returns when each has an owner that answers.
    pub(crate) fn up(options: &VipOptions) -> Result<Self> {
        Self::up_with(options, 3)
    }

    /// The same with so many nodes; the rest of the three hosts are managers.
    pub(crate) fn up_with(options: &VipOptions, nodes: usize) -> Result<Self> {
        let mut site = Self::prepare(options)?;
        site.nodes = nodes;
        let asked = Witness::start(site.lab.client(), &options.addresses, 64, Duration::from_millis(2))?;
        site.witness = Some(asked);
        site.start_all()?;
        until("even loads", BOUND, || {
            let loads = site.loads(1)?;
            let load = |host: usize| loads.get(site.lab.host(host).name()).copied().unwrap_or(0);
            let loads = (1..=nodes).map(load).collect::<Vec<_>>();
            let even = loads.iter().max() <= loads.iter().min().map(|least| least + 1).as_ref();
            Ok((even || options.preference.is_some()).then_some(()))
        })?;
        site.wait_until_held(&(1..=nodes).collect::<Vec<_>>())?;
        Ok(site)
    }

    /// Prepares three hosts that offer these. Nothing runs yet, and nobody asks anything.
    pub(crate) fn prepare(options: &VipOptions) -> Result<Self> {
        let lab = Lab::up(&LabOptions { hosts: 3, ..LabOptions::default() })?;
        for network in ["10.78.0.0/16", "fd78::/64"] {
            let output =
                lab.client().launch("ip").args(["route", "add", network, "dev", "eth0"]).run(BOUND)?;
            ensure!(output.status.success(), "route: {}", String::from_utf8_lossy(&output.stderr));
        }
        for host in lab.hosts() {
            host.write_config(&host.vip_config(options))?;
        }
        let agents = (0..3).map(|_| None).collect();
        Ok(Self { agents, nodes: 3, addresses: options.addresses.clone(), witness: None, lab })
    }

    pub(crate) fn start_all(&mut self) -> Result<()> {
        (1..=3).try_for_each(|host| self.start(host))
    }

    pub(crate) fn start(&mut self, host: usize) -> Result<()> {
        let place: &Host = self.lab.host(host);
        let mut launch = place.convoyd()?.own_run();
        if host > self.nodes {
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

    pub(crate) fn process(&mut self, host: usize) -> Result<&mut Process> {
        Ok(self.agent(host)?.process())
    }

    /// Ends a host whole: nothing of it is heard any more, and nothing runs on it.
    pub(crate) fn die(&mut self, host: usize) -> Result<()> {
        self.lab.cut(host)?;
        self.lab.host(host).kill_all()?;
        self.process(host)?.wait(BOUND)?;
        self.agents[host - 1] = None;
        Ok(())
    }

    /// Ends a host's daemon and waits for it.
    pub(crate) fn end(&mut self, host: usize, signal: Signal) -> Result<()> {
        self.process(host)?.kill(signal)?;
        self.process(host)?.wait(BOUND)?;
        self.agents[host - 1] = None;
        Ok(())
    }

    pub(crate) fn convoy(&self, host: usize, words: &[&str]) -> Result<String> {
        let output = self.lab.host(host).convoy(words)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "convoy {words:?} on mta{host}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Returns what a host says of all addresses.
    pub(crate) fn vips(&self, host: usize) -> Result<Value> {
        self.lab.host(host).convoy_json(&["vip", "show"])
    }

    /// Returns the owner of each address, as a host says.
    pub(crate) fn owners(&self, host: usize) -> Result<BTreeMap<IpAddr, Option<String>>> {
        let answer = self.vips(host)?;
        let rows = answer["vips"].as_array().context("no vips")?;
        let row = |row: &Value| {
            let address = row["address"].as_str().context("no address")?.parse()?;
            Ok((address, row["owner"].as_str().map(str::to_owned)))
        };
        rows.iter().map(row).collect()
    }

    /// Returns what a host says of an address, and whether it may answer.
    fn row(&self, host: usize, address: IpAddr) -> Result<String> {
        let answer = self.vips(host)?;
        let rows = answer["vips"].as_array().cloned().unwrap_or_default();
        let row = rows.into_iter().find(|row| row["address"] == address.to_string());
        Ok(format!("firm {}: {}", answer["firm"], row.unwrap_or_default()))
    }

    /// Returns how many addresses each node has.
    pub(crate) fn loads(&self, host: usize) -> Result<BTreeMap<String, usize>> {
        let mut loads = BTreeMap::new();
        for owner in self.owners(host)?.into_values().flatten() {
            *loads.entry(owner).or_default() += 1;
        }
        Ok(loads)
    }

    /// Waits until these hosts agree on owners among themselves for all addresses, and the wire says the same.
    pub(crate) fn wait_until_held(&self, hosts: &[usize]) -> Result<BTreeMap<IpAddr, Option<String>>> {
        let mut last = String::new();
        let held = until("every address to be held", BOUND, || {
            let owners = self.owners(hosts[0])?;
            for &host in &hosts[1..] {
                let other = self.owners(host)?;
                if other != owners {
                    last = format!("mta{host} says {other:?}, mta{} {owners:?}", hosts[0]);
                    return Ok(None);
                }
            }
            let names = hosts.iter().map(|host| self.lab.host(*host).name()).collect::<Vec<_>>();
            let is_one =
                |owner: &Option<String>| owner.as_deref().is_some_and(|owner| names.contains(&owner));
            if owners.len() != self.addresses.len() || !owners.values().all(is_one) {
                last = format!("{owners:?}");
                return Ok(None);
            }
            for address in &self.addresses {
                let host = hosts
                    .iter()
                    .find(|host| owners[address].as_deref() == Some(self.lab.host(**host).name()));
                let mac = host.map(|host| self.lab.host(*host).mac());
                let seen = self.witness().holder(*address).map(|holder| holder.mac);
                if seen != mac {
                    let said = hosts.iter().map(|host| Ok((*host, self.row(*host, *address)?)));
                    let said = said.collect::<Result<Vec<_>>>()?;
                    last = format!(
                        "{address} of {:?} is at {seen:?}, not at {mac:?}; {said:?}",
                        owners[address]
                    );
                    return Ok(None);
                }
            }
            Ok(Some(owners))
        });
        held.with_context(|| last)
    }

    pub(crate) fn witness(&self) -> &Witness {
        self.witness.as_ref().expect("it ends with the site")
    }

    /// Returns a host's managed addresses as its kernel has them.
    pub(crate) fn plumbed(&self, host: usize) -> Result<Vec<IpAddr>> {
        let output =
            self.lab.host(host).launch("ip").args(["-o", "addr", "show", "dev", "eth0"]).run(BOUND)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let address = |line: &str| line.split_whitespace().nth(3)?.split('/').next()?.parse().ok();
        Ok(text.lines().filter_map(address).filter(|address| self.addresses.contains(address)).collect())
    }

    /// Ends the witness: nobody ever saw two owners.
    pub(crate) fn finish(mut self) -> Result<Testimony> {
        let witness = self.witness.take().context("it has ended")?;
        let testimony = witness.finish()?;
        ensure!(testimony.doubles == 0, "two owners: {:?}", testimony.double);
        ensure!(testimony.answered > 0, "the witness was never answered");
        Ok(testimony)
    }
}

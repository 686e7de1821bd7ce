//! A lab whose hosts run the address thread, and what its witnesses say.
use anyhow::{Context, Result, anyhow, ensure};
use convoy_agent::{
    host::{
        address::{self, Event, Handle, Hooks, Order, Place, Plan},
        gate::boottime_ns,
    },
    sys::wake::Wake,
};
use convoy_core::{vip::Want, wire::arp::Mac};
use lab::{Host, Lab, LabOptions};
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

/// Longest time a condition may take.
pub(crate) const BOUND: Duration = Duration::from_secs(30);
/// A managed address of each family.
pub(crate) const V4: &str = "10.77.0.100";
pub(crate) const V6: &str = "fd77::1:100";

/// The thread of one host.
pub(crate) struct Node {
    handle: Option<Handle>,
    /// Told, and not asked for yet.
    seen: Vec<Event>,
}

/// Brings a lab up.
pub(crate) fn lab(hosts: usize) -> Result<Lab> {
    Lab::up(&LabOptions { hosts, ..LabOptions::default() })
}

/// Returns the link address that the lab gives to a place with this number.
pub(crate) fn mac(number: u8) -> Mac {
    [2, 0, 0x0a, 0x4d, 0, number]
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A plan for addresses on `eth0`, each alone in its network.
pub(crate) fn plan(host: &Host, managed: impl IntoIterator<Item = IpAddr>) -> Plan {
    let place = |address: IpAddr| {
        let prefix_len = if address.is_ipv4() { 32 } else { 128 };
        (address, Place { interface: "eth0".into(), prefix_len })
    };
    Plan {
        managed: managed.into_iter().map(place).collect(),
        arp_all_hosts: true,
        refresh: None,
        check: Duration::from_secs(30),
        down_limit: 4,
        hooks: Hooks::new(),
        bpffs: host.bpffs_dir().join("gate"),
    }
}

impl Node {
    /// Starts the thread on a host, with a lease that lasts.
    pub(crate) fn start(host: &Host, plan: Plan) -> Result<Self> {
        let (ends, _ended) = crossbeam_channel::bounded(1);
        let wake = Wake::new()?;
        let handle = host.inside(|| address::spawn(plan, wake, ends))??;
        handle.lease().renew(boottime_ns() + 3_600_000_000_000);
        Ok(Self { handle: Some(handle), seen: Vec::new() })
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.handle.as_ref().expect("it runs")
    }

    pub(crate) fn order(&self, order: Order) -> Result<()> {
        self.handle().link().order(order).map_err(|order| anyhow!("not taken: {order:?}"))
    }

    /// Waits for the first event that `pick` takes; the others stay to be asked for.
    pub(crate) fn event<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> Result<T> {
        let end = Instant::now() + BOUND;
        let mut at = 0;
        loop {
            while let Some(event) = self.seen.get(at) {
                if let Some(picked) = pick(event) {
                    self.seen.remove(at);
                    return Ok(picked);
                }
                at += 1;
            }
            let event = self.handle().link().events().recv_deadline(end);
            self.seen.push(event.with_context(|| format!("{what}; told so far: {:?}", self.seen))?);
        }
    }

    /// Returns what `pick` takes first of what was told so far, without waiting.
    pub(crate) fn told<T>(&mut self, mut pick: impl FnMut(&Event) -> Option<T>) -> Option<T> {
        self.seen.extend(self.handle.as_ref()?.link().events().try_iter());
        let (at, picked) = self.seen.iter().enumerate().find_map(|(at, event)| Some((at, pick(event)?)))?;
        self.seen.remove(at);
        Some(picked)
    }

    /// Orders addresses to be so, and waits until they are; fails if one cannot be.
    pub(crate) fn make(&mut self, addresses: &[IpAddr], want: Want) -> Result<()> {
        self.seen.retain(|event| !matches!(event, Event::Made(_)));
        self.order(Order::Make {
            order: 1,
            wants: addresses.iter().map(|address| (*address, want)).collect(),
        })?;
        let mut left: BTreeSet<IpAddr> = addresses.iter().copied().collect();
        while !left.is_empty() {
            let made = self.event(&format!("{want:?} of {left:?}"), |event| match event {
                Event::Made(made) => Some(made.clone()),
                _ => None,
            })?;
            for one in made {
                ensure!(one.failed.is_none(), "{one:?}");
                // What was told late is of an earlier order.
                if one.now == want {
                    left.remove(&one.address);
                }
            }
        }
        Ok(())
    }

    /// Stops the thread and waits for it.
    pub(crate) fn stop(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.stop();
        }
    }
}

/// Runs `ip ARGUMENTS` and returns what it says.
pub(crate) fn run_ip(place: &lab::Place, arguments: &str) -> Result<String> {
    let output = place.launch("ip").args(arguments.split(' ')).run(BOUND)?;
    ensure!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Makes a link, or says that this kernel has none of that kind and returns false.
pub(crate) fn add_link(place: &lab::Place, test: &str, arguments: &str) -> Result<bool> {
    match run_ip(place, &format!("link add {arguments}")) {
        Err(error) if error.to_string().contains("Unknown device type") => {
            lab::report_skip(test, &error.to_string());
            Ok(false)
        }
        made => made.map(|_| true),
    }
}

/// Returns the line of `ip -o addr` about an address, if the host has it.
pub(crate) fn line(place: &lab::Place, address: IpAddr) -> Result<Option<String>> {
    let all = run_ip(place, "-o addr show")?;
    let is_it =
        |line: &&str| line.split(' ').any(|word| word.split('/').next() == Some(&address.to_string()));
    Ok(all.lines().find(is_it).map(str::to_owned))
}

/// Waits until the host has the address, or has it not.
pub(crate) fn until_there(place: &lab::Place, address: IpAddr, there: bool) -> Result<()> {
    lab::until(&format!("{address} there: {there}"), BOUND, || {
        Ok((line(place, address)?.is_some() == there).then_some(()))
    })
}

/// Has the client send something to the address, so that its kernel looks for it.
pub(crate) fn knock(lab: &Lab, address: IpAddr) -> Result<()> {
    lab.in_client(|| {
        let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        UdpSocket::bind(any)?.send_to(b"?", (address, 9)).map(drop)
    })??;
    Ok(())
}

/// Waits until the client's own cache has the address at a place with this number.
pub(crate) fn until_cached(lab: &Lab, address: IpAddr, number: u8) -> Result<()> {
    let wanted = format!("lladdr {}", mac(number).map(|byte| format!("{byte:02x}")).join(":"));
    lab::until(&format!("{address} at {number} in the client's cache"), BOUND, || {
        Ok(run_ip(lab.client(), &format!("neigh show to {address}"))?.contains(&wanted).then_some(()))
    })
}

//! The whole lab: up, its faults, down.
use crate::{
    Cgroup, Host, Place, Rate, Sender, cgroup2_root,
    guard::{Guard, Kept, lab_cgroup, lab_dir, report},
    net::{self, Plan},
};
use anyhow::{Context, Result, ensure};
use rustix::mount::{MountFlags, mount};
use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// What a lab is made of.
#[derive(Clone, Copy, Debug)]
pub struct LabOptions {
    /// Mail hosts; 1 to 64, default 3.
    pub hosts: usize,
    /// Speed of every link in both directions; default as fast as the machine.
    pub shape: Option<Rate>,
    /// Whether there is IPv6; default yes.
    pub ipv6: bool,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self { hosts: 3, shape: None, ipv6: true }
    }
}

/// A lab that is up. Everything of it goes when this is dropped, or when the process ends in any way.
#[derive(Debug)]
pub struct Lab {
    prefix: String,
    dir: PathBuf,
    cgroup: Cgroup,
    bridge: Place,
    hosts: Vec<Host>,
    client: Place,
    sink: Place,
    ipv6: bool,
    next_sender: AtomicU32,
    guard: Arc<Guard>,
}

impl Lab {
    /// Brings a lab up: namespaces, bridge, links, addresses, cgroups, directories, a bpffs. No process runs in
    /// it yet.
    ///
    /// # Errors
    /// When the machine cannot do it (see [`require!`](macro@crate::require)); nothing is left then.
    pub fn up(options: &LabOptions) -> Result<Self> {
        let prefix = format!("cv{}n{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (dir, cgroup) = (lab_dir(&prefix), lab_cgroup(&cgroup2_root()?, &prefix));
        let plan = Plan::new(&prefix, options.hosts, options.shape, options.ipv6)?;
        let guard = Guard::start(&prefix, &cgroup, &dir)?;
        // From here on an error returns through the guard's drop.
        let lab = Self::build(prefix, dir, cgroup, &plan, Arc::clone(&guard));
        if lab.is_err() {
            report(guard.clean());
        }
        lab
    }

    fn build(prefix: String, dir: PathBuf, cgroup: PathBuf, plan: &Plan, guard: Arc<Guard>) -> Result<Self> {
        fs::create_dir(&dir).with_context(|| dir.display().to_string())?;
        let cgroup = Cgroup::create(cgroup)?;
        let place = |name: &str, netns: &str| -> Result<Place> {
            let own = dir.join(name);
            fs::create_dir(&own).with_context(|| own.display().to_string())?;
            let cgroup = Cgroup::create(cgroup.path().join(name))?;
            Ok(Place::new(name.to_owned(), netns.to_owned(), cgroup, own))
        };
        let bridge = place("bridge", &plan.bridge)?;
        plan.build(bridge.cgroup())?;
        plan.wait_until_open()?;
        let bpffs = dir.join("bpf");
        fs::create_dir(&bpffs)?;
        mount("bpf", &bpffs, "bpf", MountFlags::empty(), None).context("mount a bpffs for the lab")?;
        let members: Vec<_> =
            plan.hosts().iter().map(|seat| (seat.name.clone(), IpAddr::V4(seat.v4))).collect();
        let mut hosts = Vec::with_capacity(members.len());
        for seat in plan.hosts() {
            hosts.push(Host::new(place(&seat.name, &seat.netns)?, seat, &bpffs, &members)?);
        }
        let client = place(&plan.client().name, &plan.client().netns)?;
        let sink = place(&plan.sink().name, &plan.sink().netns)?;
        let next_sender = AtomicU32::new(SENDER_UID_FIRST);
        Ok(Self {
            prefix,
            dir,
            cgroup,
            bridge,
            hosts,
            client,
            sink,
            ipv6: plan.has_ipv6(),
            next_sender,
            guard,
        })
    }

    /// Returns the prefix of the lab's namespaces.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the directory of all files of the lab.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the cgroup above the cgroups of all places.
    pub fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// Returns the hosts, `mta1` first.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Returns host `mtaN`. Counted from 1, like its name and its addresses.
    ///
    /// # Panics
    /// When the lab has no such host.
    pub fn host(&self, number: usize) -> &Host {
        &self.hosts[number - 1]
    }

    /// Returns the place from which connections to the hosts come.
    pub fn client(&self) -> &Place {
        &self.client
    }

    /// Returns the place to which the hosts deliver.
    pub fn sink(&self) -> &Place {
        &self.sink
    }

    /// Returns whether the lab has IPv6.
    pub fn has_ipv6(&self) -> bool {
        self.ipv6
    }

    /// Runs `work` on a thread in the client's namespace, see [`Place::inside`].
    pub fn in_client<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        self.client.inside(work)
    }

    /// Gives each address of [`CLIENT_NETS`](crate::CLIENT_NETS) a user whose connections to the hosts leave
    /// from it, for programs that cannot choose their source.
    pub fn senders(&self, addresses: &[IpAddr]) -> Result<Vec<Sender>> {
        let count = u32::try_from(addresses.len())?;
        ensure!(count <= SENDERS_MAX, "at most {SENDERS_MAX} senders");
        let first = self.next_sender.fetch_add(count, Ordering::Relaxed);
        let senders: Vec<Sender> =
            addresses.iter().zip(first..).map(|(&address, uid)| Sender { address, uid }).collect();
        let (v4, v6) = net::sender_rules(&senders);
        for (family, batch) in [("-4", v4), ("-6", v6)].iter().filter(|(_, batch)| !batch.is_empty()) {
            let args = ["ip", family, "-batch", "-"];
            net::run(self.client.cgroup(), Some(self.client.netns()), &args, batch)?;
        }
        Ok(senders)
    }

    /// Loses everything to and from a host, without a sign on its link: a dead switch behind it.
    pub fn cut(&self, number: usize) -> Result<()> {
        self.fault(&format!(
            "add element bridge lab mute {{ p{number} }}\nadd element bridge lab deaf {{ p{number} }}\n"
        ))
    }

    /// Loses everything a host sends; it still hears.
    pub fn mute(&self, number: usize) -> Result<()> {
        self.fault(&format!("add element bridge lab mute {{ p{number} }}\n"))
    }

    /// Loses everything sent to a host; it is still heard.
    pub fn deafen(&self, number: usize) -> Result<()> {
        self.fault(&format!("add element bridge lab deaf {{ p{number} }}\n"))
    }

    /// Loses what one host sends to another; the way back and all others are open.
    pub fn cut_one_way(&self, from: usize, to: usize) -> Result<()> {
        self.fault(&format!("add element bridge lab pair {{ p{from} . p{to} }}\n"))
    }

    /// Loses the heartbeats of one host to another, and its answers to who has an address; the rest goes through, and so
    /// does the way back.
    pub fn hide(&self, from: usize, to: usize) -> Result<()> {
        self.fault(&format!("add element bridge lab hidden {{ p{from} . p{to} }}\n"))
    }

    /// Ends all of [`cut`](Self::cut), [`mute`](Self::mute), [`deafen`](Self::deafen),
    /// [`cut_one_way`](Self::cut_one_way) and [`hide`](Self::hide), of all hosts.
    pub fn heal(&self) -> Result<()> {
        let sets = ["mute", "deaf", "pair", "hidden"];
        self.fault(&sets.map(|set| format!("flush set bridge lab {set}\n")).concat())
    }

    /// Pulls a host's plug: its link loses the carrier, which the host can see.
    pub fn unplug(&self, number: usize) -> Result<()> {
        self.link(&format!("link set p{number} down\n"))
    }

    /// Puts the plug back.
    pub fn plug(&self, number: usize) -> Result<()> {
        self.link(&format!("link set p{number} up\n"))
    }

    /// Takes the lab down and returns when nothing of it is left.
    ///
    /// # Errors
    /// Lists what could not be removed.
    pub fn down(self) -> Result<()> {
        self.guard.clean()
    }

    /// Leaves the lab up, beyond the end of this process.
    pub fn keep(self) -> Result<Kept> {
        self.guard.release()
    }

    fn fault(&self, commands: &str) -> Result<()> {
        net::run(self.bridge.cgroup(), Some(self.bridge.netns()), &["nft", "-f", "-"], commands).map(drop)
    }

    fn link(&self, commands: &str) -> Result<()> {
        net::run(self.bridge.cgroup(), Some(self.bridge.netns()), &["ip", "-batch", "-"], commands).map(drop)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        report(self.guard.clean());
    }
}

/// Numbers the labs of this process.
static NEXT: AtomicU32 = AtomicU32::new(0);
/// chosen: far above the users and the dynamic users of a distribution; also the number of its routing table.
const SENDER_UID_FIRST: u32 = 1_000_000;
/// chosen: rules are tried one by one for every connection, a thousand are still quick.
const SENDERS_MAX: u32 = 1_000;

//! A mail host of the lab: its addresses, its directories, its configuration, its connections.
use crate::{Direction, Place, net::Seat, sockets, witness::Mac};
use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::Deref,
    path::{Path, PathBuf},
    time::Duration,
};

/// A host. It is a [`Place`] too.
#[derive(Debug)]
pub struct Host {
    place: Place,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
    bpffs: PathBuf,
    members: Vec<(String, IpAddr)>,
}

impl Host {
    /// Makes the host's directories and writes its configuration.
    pub(crate) fn new(place: Place, seat: &Seat, bpffs: &Path, members: &[(String, IpAddr)]) -> Result<Self> {
        let bpffs = bpffs.join(place.name());
        let host = Self { place, v4: seat.v4, v6: seat.v6, bpffs, members: members.to_vec() };
        for dir in [&host.run_dir(), &host.state_dir(), &host.bpffs] {
            fs::create_dir(dir).with_context(|| dir.display().to_string())?;
        }
        host.write_config(&host.default_config())?;
        Ok(host)
    }

    /// Returns the host's IPv4 address.
    pub fn v4(&self) -> Ipv4Addr {
        self.v4
    }

    /// Returns the host's IPv6 address; it is not configured in a lab without IPv6.
    pub fn v6(&self) -> Ipv6Addr {
        self.v6
    }

    /// Returns the hardware address of the host's `eth0`, as the lab wires it.
    pub fn mac(&self) -> Mac {
        let [a, b, c, d] = self.v4.octets();
        Mac([0x02, 0x00, a, b, c, d])
    }

    /// Returns the directory of control socket and lock.
    pub fn run_dir(&self) -> PathBuf {
        self.dir().join("run")
    }

    /// Returns the directory of what outlives a restart.
    pub fn state_dir(&self) -> PathBuf {
        self.dir().join("state")
    }

    /// Returns the directory in the lab's bpffs where maps and links of this host are pinned.
    pub fn bpffs_dir(&self) -> &Path {
        &self.bpffs
    }

    /// Returns the configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.dir().join("convoy.conf")
    }

    /// Replaces the configuration.
    pub fn write_config(&self, text: &str) -> Result<()> {
        let path = self.config_path();
        fs::write(&path, text).with_context(|| path.display().to_string())
    }

    /// Returns the configuration of a host whose daemon starts a corosync: all hosts of the lab are its members.
    pub fn bus_config(&self) -> String {
        self.default_config().replace("  bus_engine = solo\n", "  bus_token = 0.1\n")
    }

    /// Returns the configuration a host starts with: all hosts of the lab are peers. They have no bus: most tests need
    /// no agreement, and a corosync a host would make them slow.
    pub fn default_config(&self) -> String {
        let peers = self.members.iter().map(|(name, address)| format!("    {name} = \"{address}\"\n"));
        let peers: String = peers.collect();
        format!(
            r#"cluster {{
  nodename = "{name}"
  cluster_group = "ec_cluster"
  bus_engine = solo
  Replicate "inbound_cidr" {{
    max_delay = 0.01
  }}
  Replicate "outbound_cidr" {{
    max_delay = 0.01
  }}
}}
msgc_server {{
  peers = [
{peers}  ]
}}
ECCluster_Listener {{
  Listen "*:4802" {{}}
}}
"#,
            name = self.name(),
        )
    }

    /// Counts the host's connections by remote address, from established to closed, as ss(8) sees them.
    pub fn sockets(&self, ports: &[u16], direction: Direction) -> Result<BTreeMap<IpAddr, usize>> {
        let output = self.launch("ss").arg("-Htno").run(SS_BOUND)?;
        ensure!(output.status.success(), "ss: {}", String::from_utf8_lossy(&output.stderr));
        sockets::count(&String::from_utf8_lossy(&output.stdout), ports, direction)
    }

    /// Stops (`true`) or continues all processes of the host: it stalls, its kernel answers on.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        self.cgroup().freeze(frozen)
    }
}

impl Deref for Host {
    type Target = Place;
    fn deref(&self) -> &Place {
        &self.place
    }
}

/// chosen: ss reads 100 000 sockets in well under a second.
const SS_BOUND: Duration = Duration::from_secs(20);

//! A lab of one host with a gate, the client as its peer, and raw sockets on both.
use crate::frames::{Kind, Station, Tags, bound, frame};
use anyhow::{Context, Result, bail, ensure};
use convoy_agent::host::gate::{self, Error, Gate, Settings};
use lab::{Host, Lab, LabOptions, Place, until};
use pnet_datalink::{Channel, Config, DataLinkReceiver, DataLinkSender, NetworkInterface};
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    time::{Duration, Instant},
};

/// Opens a gate in this namespace. Another test of this process that starts a program just now holds, between fork and exec,
/// what this one has dropped: the lock of the pins.
pub(crate) fn open(settings: &Settings) -> Result<Gate> {
    until("the pins to be free", BOUND, || match gate::open(settings) {
        Err(Error::Busy { .. }) => Ok(None),
        opened => Ok(Some(opened?)),
    })
}

/// Longest time a condition may take.
pub(crate) const BOUND: Duration = Duration::from_secs(20);
/// The host, as the lab makes it.
pub(crate) const HOST: Station = Station {
    mac: [2, 0, 0x0a, 0x4d, 0, 1],
    v4: Ipv4Addr::new(10, 77, 0, 1),
    v6: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1),
};
/// Its peer.
pub(crate) const CLIENT: Station = Station {
    mac: [2, 0, 0x0a, 0x4d, 0, 251],
    v4: Ipv4Addr::new(10, 77, 0, 251),
    v6: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 0x251),
};
/// A managed address of each family, and one that is the operator's own business.
pub(crate) const VIPS: [&str; 2] = ["10.77.0.100", "fd77::1:100"];
pub(crate) const OTHERS: [&str; 2] = ["10.77.0.101", "fd77::1:101"];

/// A lab with a host to guard.
pub(crate) struct Site {
    lab: Lab,
}

impl Site {
    /// Brings it up with [`VIPS`] and [`OTHERS`] on the host.
    pub(crate) fn up() -> Result<Self> {
        let site = Self { lab: Lab::up(&LabOptions { hosts: 1, ..LabOptions::default() })? };
        site.plumb(&[addresses(VIPS), addresses(OTHERS)].concat())?;
        Ok(site)
    }

    pub(crate) fn host(&self) -> &Host {
        self.lab.host(1)
    }

    pub(crate) fn client(&self) -> &Place {
        self.lab.client()
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { bpffs: self.pins(), addresses_max: 64 }
    }

    pub(crate) fn pins(&self) -> PathBuf {
        self.host().bpffs_dir().join("gate")
    }

    /// Opens the gate and attaches it to the host's interface.
    pub(crate) fn open(&self) -> Result<Gate> {
        self.inside(|| {
            let mut gate = open(&self.settings())?;
            gate.attach("eth0")?;
            Ok(gate)
        })
    }

    /// Runs `work` in the host's namespace.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.host().inside(work)?
    }

    /// Puts addresses on the host's interface.
    fn plumb(&self, addresses: &[IpAddr]) -> Result<()> {
        let mut batch = String::new();
        for address in addresses {
            let (bits, flag) = if address.is_ipv4() { (32, "") } else { (128, " nodad") };
            writeln!(batch, "addr add {address}/{bits} dev eth0{flag}")?;
        }
        let file = self.host().dir().join("plumb");
        std::fs::write(&file, batch)?;
        ip(self.host(), &format!("-batch {}", file.display())).map(drop)
    }

    /// Returns who of `asked`, and of [`OTHERS`], the client hears of after it asked about all of them.
    pub(crate) fn heard(&self, kind: Kind, asked: &[IpAddr]) -> Result<BTreeSet<IpAddr>> {
        let mut wire = Wire::open(self.client(), "eth0")?;
        for family in [IpAddr::is_ipv4, IpAddr::is_ipv6] {
            let of_family = asked.iter().copied().filter(family);
            for address in of_family.chain(addresses(OTHERS).into_iter().filter(family)) {
                wire.send(&frame(kind, address, CLIENT, &[]))?;
            }
        }
        wire.hear_until(CLIENT, &addresses(OTHERS))
    }

    /// Returns whose claims, of `said` and of [`OTHERS`], the client hears after the host made all of them.
    pub(crate) fn arrives(&self, kind: Kind, said: &[IpAddr], tags: Tags<'_>) -> Result<BTreeSet<IpAddr>> {
        let mut ear = Wire::open(self.client(), "eth0")?;
        let mut wire = Wire::open(self.host(), "eth0")?;
        for address in said.iter().copied().chain(addresses(OTHERS)) {
            // The kernel says "no buffer space" of what a classifier drops.
            let sent = wire.send(&frame(kind, address, HOST, tags));
            let is_dropped = sent.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ENOBUFS));
            ensure!(sent.is_ok() || is_dropped, "{sent:?}");
        }
        ear.hear_until(CLIENT, &addresses(OTHERS))
    }

    /// Fails unless all questions about these addresses are answered, or none is.
    pub(crate) fn check_answered(&self, asked: &[IpAddr], answered: bool) -> Result<()> {
        for kind in Kind::ASKS {
            check(&self.heard(kind, asked)?, asked, answered).with_context(|| format!("{kind:?}"))?;
        }
        Ok(())
    }
}

/// Fails unless all of `asked` were heard, or none was.
pub(crate) fn check(heard: &BTreeSet<IpAddr>, asked: &[IpAddr], all: bool) -> Result<()> {
    let wanted: BTreeSet<IpAddr> =
        addresses(OTHERS).into_iter().chain(asked.iter().copied().filter(|_| all)).collect();
    ensure!(*heard == wanted, "heard of {heard:?} instead of {wanted:?}");
    Ok(())
}

/// Waits until questions about these addresses are answered: the kernel detaches a program in its own time.
pub(crate) fn until_answered(site: &Site, asked: &[IpAddr]) -> Result<()> {
    until("an answer", BOUND, || Ok(site.check_answered(asked, true).ok()))
}

/// Reads addresses.
pub(crate) fn addresses<const N: usize>(texts: [&str; N]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().expect("an address")).collect()
}

/// Runs `ip ARGUMENTS` and returns what it says.
pub(crate) fn ip(place: &Place, arguments: &str) -> Result<String> {
    said(place, &format!("ip {arguments}"))
}

/// Runs a command of blank-separated words and returns what it says.
pub(crate) fn said(place: &Place, command: &str) -> Result<String> {
    let mut words = command.split(' ');
    let program = words.next().context("no program")?;
    let output = place.launch(program).args(words).run(BOUND)?;
    ensure!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// A raw socket on an interface.
pub(crate) struct Wire {
    sender: Box<dyn DataLinkSender>,
    receiver: Box<dyn DataLinkReceiver>,
}

impl Wire {
    pub(crate) fn open(place: &Place, interface: &str) -> Result<Self> {
        let config = Config { read_timeout: Some(BOUND), ..Config::default() };
        let channel = place.inside(|| {
            let found = pnet_datalink::interfaces().into_iter().find(|found| found.name == interface);
            let found: NetworkInterface = found.with_context(|| format!("no interface {interface}"))?;
            Ok::<_, anyhow::Error>(pnet_datalink::channel(&found, config)?)
        })??;
        let Channel::Ethernet(sender, receiver) = channel else { bail!("no Ethernet on {interface}") };
        Ok(Self { sender, receiver })
    }

    pub(crate) fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.sender.send_to(frame, None).unwrap_or(Err(ErrorKind::OutOfMemory.into()))
    }

    /// Returns all addresses that other stations claim until all of `last` were claimed.
    pub(crate) fn hear_until(&mut self, own: Station, last: &[IpAddr]) -> Result<BTreeSet<IpAddr>> {
        let mut heard = BTreeSet::new();
        let begun = Instant::now();
        while !last.iter().all(|address| heard.contains(address)) {
            ensure!(begun.elapsed() < BOUND, "only {heard:?} were heard of");
            match self.receiver.next() {
                Ok(frame) => heard.extend(bound(frame, own.mac)),
                Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // The host's own addresses, and those of its kernel, are nobody's question.
        heard.retain(|address| !is_own(*address));
        Ok(heard)
    }
}

/// Whether it is an address that the lab itself gives, or a link-local one.
fn is_own(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[3] == 1 || v4.octets()[3] > 250 || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unspecified() || v6.segments()[6] == 0,
    }
}

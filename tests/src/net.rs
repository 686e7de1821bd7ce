//! The wiring of a lab: names, addresses, routes, faults, as text for `ip -batch`, `tc -batch` and `nft -f`.
//!
//! Every lab has the same addresses, since no lab sees another:
//!
//! | place | IPv4 | IPv6 | beside it |
//! |---|---|---|---|
//! | `mtaN` | 10.77.0.N | `fd77::N` | |
//! | `client` | 10.77.0.251 | `fd77::251` | every address of [`CLIENT_NETS`] is its own |
//! | `sink` | 10.77.0.252 | `fd77::252` | every address of [`SINK_NETS`] is its own |
//!
//! The networks of `client` and `sink` are local routes, so any address in them can be bound and answers
//! without being configured. Names of links repeat in every lab; names of namespaces carry the lab's prefix.
use crate::{Cgroup, place::inside_netns, until};
use anyhow::{Context, Result, bail, ensure};
use std::{
    collections::BTreeSet,
    fs,
    io::{ErrorKind, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    process::{Command, Output, Stdio},
    time::Duration,
};

/// Networks whose every address the client may use as a source: three small ones and a large one a family.
pub const CLIENT_NETS: &[&str] = &[
    "198.51.100.0/24",
    "203.0.113.0/24",
    "192.0.2.0/24",
    "100.64.0.0/10",
    "2001:db8:a::/64",
    "2001:db8:b::/64",
    "2001:db8:4000::/34",
];

/// Networks whose every address the sink answers on.
pub const SINK_NETS: &[&str] = &["198.18.1.0/24", "198.18.2.0/24", "198.19.7.0/24", "2001:db8:5::/64"];

/// Hosts in a lab, at most; the addresses above them belong to client and sink.
const HOSTS_MAX: usize = 64;

/// A link's speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    mbit: u32,
}

impl Rate {
    /// Megabits a second; 1 to 100 000.
    pub const fn from_mbit(mbit: u32) -> Self {
        Self { mbit }
    }
}

/// A source address of the client and the user id whose connections leave from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The address the hosts see.
    pub address: IpAddr,
    /// Run a program as this user ([`Launch::uid`](crate::Launch::uid)) and its connections have that source.
    pub uid: u32,
}

/// One box of the drawing in the crate's header, before it exists.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// Name inside the lab.
    pub(crate) name: String,
    /// Name of the namespace.
    pub(crate) netns: String,
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
    /// Networks that are routed here.
    nets: &'static [&'static str],
}

/// The whole wiring, before it exists.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) bridge: String,
    /// Hosts in order, then client, then sink.
    seats: Vec<Seat>,
    shape: Option<Rate>,
    ipv6: bool,
}

impl Plan {
    pub(crate) fn new(prefix: &str, hosts: usize, shape: Option<Rate>, ipv6: bool) -> Result<Self> {
        ensure!((1..=HOSTS_MAX).contains(&hosts), "a lab has 1 to {HOSTS_MAX} hosts, not {hosts}");
        let seat = |name: &str, number: u8, nets| Seat {
            name: name.to_owned(),
            netns: format!("{prefix}-{name}"),
            v4: Ipv4Addr::new(10, 77, 0, number),
            v6: decimal_v6(number),
            nets,
        };
        let mut seats = Vec::with_capacity(hosts + 2);
        for number in 1..=u8::try_from(hosts)? {
            seats.push(seat(&format!("mta{number}"), number, &[]));
        }
        seats.push(seat("client", CLIENT, CLIENT_NETS));
        seats.push(seat("sink", SINK, SINK_NETS));
        Ok(Self { bridge: format!("{prefix}-br"), seats, shape, ipv6 })
    }

    pub(crate) fn hosts(&self) -> &[Seat] {
        &self.seats[..self.seats.len() - 2]
    }

    pub(crate) fn has_ipv6(&self) -> bool {
        self.ipv6
    }

    pub(crate) fn client(&self) -> &Seat {
        &self.seats[self.seats.len() - 2]
    }

    pub(crate) fn sink(&self) -> &Seat {
        &self.seats[self.seats.len() - 1]
    }

    /// Makes it real. The helpers run in `cgroup`, so that the guard finds them if we die in the middle.
    pub(crate) fn build(&self, cgroup: &Cgroup) -> Result<()> {
        run(cgroup, None, &["ip", "-batch", "-"], &self.namespaces())?;
        self.set_sysctls()?;
        run(cgroup, Some(&self.bridge), &["ip", "-batch", "-"], &self.links())?;
        let mut steps = vec![(self.bridge.as_str(), "nft", FAULT_TABLE.to_owned())];
        for seat in &self.seats {
            steps.push((&seat.netns, "ip", self.addresses(seat)));
        }
        if let Some(rate) = self.shape {
            let ports = (1..=self.seats.len()).map(|port| shaper(&format!("p{port}"), rate));
            steps.push((&self.bridge, "tc", ports.collect()));
            steps.extend(self.seats.iter().map(|seat| (seat.netns.as_str(), "tc", shaper("eth0", rate))));
        }
        // All at once: each is a few milliseconds of waiting for the kernel's locks.
        std::thread::scope(|scope| {
            let running: Vec<_> = steps
                .iter()
                .map(|(netns, tool, text)| {
                    scope.spawn(move || {
                        let flag = if *tool == "nft" { "-f" } else { "-batch" };
                        run(cgroup, Some(netns), &[tool, flag, "-"], text).map(drop)
                    })
                })
                .collect();
            running.into_iter().try_for_each(|step| match step.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }

    /// Returns when every seat hears every other: a link that is up may still lose what it gets for a second,
    /// until the kernel's link watch has seen the carrier. Broadcasts, so that no question of ARP is lost.
    pub(crate) fn wait_until_open(&self) -> Result<()> {
        let mut ears = Vec::with_capacity(self.seats.len());
        for seat in &self.seats {
            let socket = inside_netns(&seat.netns, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PROBE_PORT)))??;
            socket.set_broadcast(true)?;
            socket.set_nonblocking(true)?;
            ears.push((socket, BTreeSet::new()));
        }
        until("a broadcast from every place at every other", OPEN_BOUND, || {
            for (socket, _) in &ears {
                // No carrier yet is what we wait for.
                drop(socket.send_to(b"?", (PROBE_BROADCAST, PROBE_PORT)));
            }
            for (socket, heard) in &mut ears {
                while let Ok((_, from)) = socket.recv_from(&mut [0; 1]) {
                    heard.insert(from);
                }
            }
            // Its own broadcast comes back to a sender, so all of them.
            Ok(ears.iter().all(|(_, heard)| heard.len() == self.seats.len()).then_some(()))
        })
    }

    fn namespaces(&self) -> String {
        let names = self.seats.iter().map(|seat| &seat.netns);
        names.chain([&self.bridge]).fold(String::new(), |text, name| text + "netns add " + name + "\n")
    }

    /// Settings that links inherit when they are made, so before the links.
    fn set_sysctls(&self) -> Result<()> {
        inside_netns(&self.bridge, || write_sysctls(&[("net/ipv6/conf/default/disable_ipv6", "1")]))??;
        let disable = if self.ipv6 { "0" } else { "1" };
        for seat in &self.seats {
            inside_netns(&seat.netns, || {
                write_sysctls(&[
                    ("net/ipv6/conf/all/disable_ipv6", disable),
                    ("net/ipv6/conf/default/disable_ipv6", disable),
                    ("net/ipv6/conf/default/accept_dad", "0"),
                    ("net/ipv6/conf/default/dad_transmits", "0"),
                    ("net/ipv6/conf/default/accept_ra", "0"),
                    ("net/ipv6/conf/default/router_solicitations", "0"),
                    ("net/ipv6/ip_nonlocal_bind", "1"),
                    ("net/ipv4/conf/all/rp_filter", "0"),
                    ("net/ipv4/conf/default/rp_filter", "0"),
                    ("net/ipv4/ip_local_port_range", "1024 65535"),
                    ("net/ipv4/tcp_tw_reuse", "1"),
                ])
            })??;
        }
        Ok(())
    }

    /// The bridge, a pair of links for each seat, and their ends up. Run in the bridge's namespace.
    fn links(&self) -> String {
        let mut lines =
            vec!["link add br0 type bridge mcast_snooping 0 stp_state 0\nlink set br0 up\n".to_owned()];
        for (seat, port) in self.seats.iter().zip(1..) {
            let mac = seat.v4.octets()[3];
            lines.push(format!(
                "link add p{port} type veth peer name eth0 address 02:00:0a:4d:00:{mac:02x} netns {}\n\
                     link set p{port} master br0 up\n",
                seat.netns
            ));
        }
        lines.concat()
    }

    fn addresses(&self, seat: &Seat) -> String {
        let mut lines = vec!["link set lo up\nlink set eth0 up\n".to_owned()];
        lines.push(format!("addr add {}/24 dev eth0\n", seat.v4));
        if self.ipv6 {
            lines.push(format!("addr add {}/64 dev eth0 nodad\n", seat.v6));
        }
        for net in seat.nets.iter().filter(|net| self.has_family(net)) {
            lines.push(format!("route add local {net} dev lo\n"));
        }
        for other in self.seats.iter().filter(|other| other.netns != seat.netns) {
            for net in other.nets.iter().filter(|net| self.has_family(net)) {
                let gateway = if is_v6(net) { IpAddr::V6(other.v6) } else { IpAddr::V4(other.v4) };
                lines.push(format!("route add {net} via {gateway}\n"));
            }
        }
        lines.concat()
    }

    fn has_family(&self, net: &str) -> bool {
        self.ipv6 || !is_v6(net)
    }
}

/// Returns the two batches, for `ip -4` and `ip -6`, that give each sender's user its source address.
pub(crate) fn sender_rules(senders: &[Sender]) -> (String, String) {
    let (mut v4, mut v6) = (vec![], vec![]);
    for Sender { address, uid } in senders {
        let (lines, hosts) = match address {
            IpAddr::V4(_) => (&mut v4, "10.77.0.0/24"),
            IpAddr::V6(_) => (&mut v6, "fd77::/64"),
        };
        if address.is_ipv6() {
            // A preferred source of IPv6 must be an address, a local route does not do.
            lines.push(format!("addr add {address}/128 dev lo nodad\n"));
        }
        lines.push(format!("rule add uidrange {uid}-{uid} lookup {uid}\n"));
        lines.push(format!("route add {hosts} dev eth0 src {address} table {uid}\n"));
    }
    (v4.concat(), v6.concat())
}

/// Runs a tool in a namespace, inside the lab's cgroup, with `input` on its stdin.
///
/// # Errors
/// With the tool's own words when it fails.
pub(crate) fn run(cgroup: &Cgroup, netns: Option<&str>, args: &[&str], input: &str) -> Result<Output> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(r#"echo 0 > "$0" && exec "$@""#).arg(cgroup.procs()).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let spawned = match netns {
        Some(netns) => inside_netns(netns, move || command.spawn())?,
        None => command.spawn(),
    };
    let mut child = spawned.with_context(|| args.join(" "))?;
    // A tool that stops reading says why on stderr, which tells more than our broken pipe.
    let written = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().with_context(|| args.join(" "))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("{} in {}: {}", args.join(" "), netns.unwrap_or("the machine"), words.trim_end());
    }
    written.transpose().with_context(|| args.join(" "))?;
    Ok(output)
}

/// Shapes what leaves through `link`. The burst is 10 ms at 1 Gbit/s, the queue at most 50 ms.
fn shaper(link: &str, rate: Rate) -> String {
    format!("qdisc add dev {link} root tbf rate {}mbit burst 1280kb latency 50ms\n", rate.mbit)
}

fn write_sysctls(settings: &[(&str, &str)]) -> Result<()> {
    for (name, value) in settings {
        let path = format!("/proc/sys/{name}");
        match fs::write(&path, value) {
            // A kernel without IPv6 has none to switch off.
            Err(error) if error.kind() == ErrorKind::NotFound && *value == "1" && name.contains("ipv6") => {}
            result => result.with_context(|| path)?,
        }
    }
    Ok(())
}

fn is_v6(net: &str) -> bool {
    net.contains(':')
}

/// `fd77::251` reads as the host's number although its digits are hexadecimal.
fn decimal_v6(number: u8) -> Ipv6Addr {
    let digits = u16::from(number / 100) << 8 | u16::from(number / 10 % 10) << 4 | u16::from(number % 10);
    Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, digits)
}

/// discard, RFC 863; nothing else runs in the namespaces yet.
const PROBE_PORT: u16 = 9;
const PROBE_BROADCAST: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 255);
/// chosen: the link watch takes a second at most, more on a loaded machine.
const OPEN_BOUND: Duration = Duration::from_secs(10);
const CLIENT: u8 = 251;
const SINK: u8 = 252;

/// What is lost between ports: all a port sends, all it would get, or one direction between two; of what is hidden only
/// heartbeats and what is said about neighbours.
const FAULT_TABLE: &str = "
table bridge lab {
    set mute { type ifname; }
    set deaf { type ifname; }
    set pair { type ifname . ifname; }
    set hidden { type ifname . ifname; }
    chain forward {
        type filter hook forward priority 0;
        iifname @mute counter drop
        oifname @deaf counter drop
        iifname . oifname @pair counter drop
        iifname . oifname @hidden udp dport 4802 counter drop
        iifname . oifname @hidden ether type arp counter drop
        iifname . oifname @hidden icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } counter drop
    }
}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_addresses_show_the_hosts_number() {
        let check = |number, want: &str| assert_eq!(decimal_v6(number).to_string(), want);
        check(1, "fd77::1");
        check(12, "fd77::12");
        check(251, "fd77::251");
    }

    #[test]
    fn no_ipv6_is_planned_where_none_is_wanted() -> Result<()> {
        let plan = Plan::new("x", 2, None, false)?;
        let text: String = plan.seats.iter().map(|seat| plan.addresses(seat)).collect();
        assert!(!text.contains("fd77") && !text.contains("2001:db8"), "{text}");
        assert!(text.contains("route add 198.51.100.0/24 via 10.77.0.251"), "{text}");
        Ok(())
    }

    #[test]
    fn a_lab_has_a_bounded_number_of_hosts() {
        assert!(Plan::new("x", 0, None, true).is_err());
        assert!(Plan::new("x", HOSTS_MAX, None, true).is_ok());
        assert!(Plan::new("x", HOSTS_MAX + 1, None, true).is_err());
    }
}

//! `cluster arp show`: whom a host heard of on the links of managed addresses, in the text of the reference.
use crate::{BOUND, one, root};
use anyhow::{Context as _, Result, ensure};
use lab::{require, until};
use std::{
    net::{IpAddr, Ipv6Addr},
    time::Instant,
};

#[test]
fn hosts_are_shown_as_the_reference_does_where_all_are_told_of_moves() -> Result<()> {
    require!();
    neighbours_are_shown("arp_all_hosts = true")
}

#[test]
fn hosts_are_shown_as_the_reference_does_where_only_they_are_told_of_moves() -> Result<()> {
    require!();
    neighbours_are_shown("arp_all_hosts = false")
}

fn neighbours_are_shown(option: &str) -> Result<()> {
    let begun = Instant::now();
    let (lab, _agent) = one(&format!(
        "cluster {{\n  if_check_interval = 1\n  {option}\n  Topology \"10.78.0.0/24\" {{ interface = eth0 }}\n}}\n\
         Binding \"b\" {{ bind_address = 10.78.0.1  Enable_Duravip = true }}\n"
    ))?;
    let host = lab.host(1);
    // Somebody on another link, whom nobody needs to know, and nobody.
    for arguments in [
        "link add aside type veth peer name other",
        "link set aside up",
        OTHER,
        "addr add 10.79.0.1/24 dev eth0",
    ] {
        let output = host.launch("ip").args(arguments.split(' ')).run(BOUND)?;
        ensure!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }
    host.greet("10.79.0.2".parse()?)?;
    lab.client().greet(host.v4().into())?;
    lab.client().greet(host.v6().into())?;
    lab.sink().greet(host.v4().into())?;
    let mut last = String::new();
    let shown = until("who spoke to this host", BOUND, || {
        last = root(host, &["cluster arp show"])?.1;
        let mut text = String::new();
        for line in last.lines() {
            let (row, age_s) = line.rsplit_once("  ").context(line.to_owned())?;
            let age_s: u64 = age_s.strip_suffix('s').context(line.to_owned())?.parse()?;
            // The kernel counts in ticks and the daemon in seconds.
            ensure!(age_s <= begun.elapsed().as_secs() + 1, "{line}: that is before there was a lab");
            // Kernels that ask each other whether they are still there do so by addresses of the link.
            let address: IpAddr = row.split([' ', '[']).next().context(line.to_owned())?.parse()?;
            if !matches!(address, IpAddr::V6(address) if Ipv6Addr::is_unicast_link_local(&address)) {
                text.extend([row, "  AGEs\n"]);
            }
        }
        Ok((text == EXPECTED).then_some(()))
    });
    shown.with_context(|| last)
}

const OTHER: &str = "neigh add 10.79.1.1 lladdr 02:00:00:00:00:01 dev aside nud reachable";
/// The address takes 17 columns.
const EXPECTED: &str = "\
10.77.0.251      [02:00:0a:4d:00:fb]  AGEs
10.77.0.252      [02:00:0a:4d:00:fc]  AGEs
fd77::251        [02:00:0a:4d:00:fb]  AGEs
";

//! `arp_all_hosts = false`: who is told of a move, and who is not.
use super::site::{BOUND, Site};
use anyhow::{Context as _, Result, ensure};
use lab::{Ear, Place, Said, Signal, VipOptions, until};
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// One of each family; all are with `mta2` whenever it is a member.
fn options() -> VipOptions {
    let addresses = ["10.78.0.1", "fd78::2"].map(|address| address.parse().expect("an address"));
    let cluster = "  arp_all_hosts = false\n  if_check_interval = 1\n".to_owned();
    VipOptions {
        addresses: addresses.into(),
        preference: Some("mta2".into()),
        cluster,
        ..VipOptions::default()
    }
}

/// Brings up a site whose client and sink nobody knows, and returns when `mta2` has everything.
fn up() -> Result<Site> {
    let mut site = Site::prepare(&options())?;
    site.start_all()?;
    until("mta2 to have all", BOUND, || Ok((site.loads(1)?.get("mta2") == Some(&2)).then_some(())))?;
    Ok(site)
}

#[test]
fn whom_another_node_knows_is_told_of_a_move_and_whom_nobody_knows_is_not() -> Result<()> {
    let mut site = up()?;
    let (mut client, mut sink) = (Ear::open(site.lab.client(), "eth0")?, Ear::open(site.lab.sink(), "eth0")?);
    be_known_to(&site, 1)?;
    remember(&site, 2)?;
    for address in &site.addresses {
        // Asked for where the client is known: what is said of it is said on the bus before.
        site.convoy(1, &["vip", "move", &address.to_string(), "mta3"])?;
    }
    follows(&site, 3)?;
    told(&site, &mut client, 3)?;
    for host in [2, 3] {
        let known = neighbours(&site, host)?;
        ensure!(
            !CLIENT.iter().any(|client| known.contains(client)),
            "the client has asked mta{host}: {known}"
        );
    }
    // All has been said. What the sink hears next of mta3 comes after it.
    let marker: IpAddr = "10.79.0.3".parse()?;
    ip(site.lab.host(3), "addr add 10.79.0.3/24 dev eth0")?;
    say(site.lab.host(3), "10.79.0.99".parse()?)?;
    let heard = until_marker(&mut sink, marker)?;
    let of_ours = heard.iter().find(|said| site.addresses.contains(&said.address));
    ensure!(of_ours.is_none(), "nobody knows the sink, and it was told: {of_ours:?}");
    // It would have heard what is said to all.
    let config = site.lab.host(3).vip_config(&VipOptions { cluster: String::new(), ..options() });
    site.lab.host(3).write_config(&config)?;
    site.agent(3)?.process().kill(Signal::HUP)?;
    site.agent(3)?.wait_notified("RELOADING=1", BOUND)?;
    site.agent(3)?.wait_notified("READY=1", BOUND)?;
    site.convoy(3, &["vip", "announce"])?;
    for address in &site.addresses {
        ensure!(sink.until_said(*address, 3)?.to_all, "{address}: to the sink alone");
    }
    Ok(())
}

#[test]
fn whom_only_the_owner_knows_is_told_when_the_owner_dies() -> Result<()> {
    let mut site = up()?;
    let mut client = Ear::open(site.lab.client(), "eth0")?;
    be_known_to(&site, 2)?;
    remember(&site, 2)?;
    // All have answered what was asked after the client was told of: they know of it.
    let all = site.lab.host(2).convoy_json(&["--all", "vip", "history"])?;
    ensure!(all["answers"].as_array().is_some_and(|answers| answers.len() == 3), "{all}");
    site.die(2)?;
    until("mta2 to be without", BOUND, || Ok((!site.loads(1)?.contains_key("mta2")).then_some(())))?;
    let owners = site.owners(1)?;
    for address in site.addresses.clone() {
        let heir = if owners[&address].as_deref() == Some("mta1") { 1 } else { 3 };
        is_at(&site, address, heir)?;
        let said = client.until_said(address, u8::try_from(heir)?)?;
        ensure!(!said.to_all, "{address}: to all");
    }
    Ok(())
}

/// Has the client speak with one host, and waits until that is known there and nowhere else.
fn be_known_to(site: &Site, host: usize) -> Result<()> {
    let place = site.lab.host(host);
    for address in [IpAddr::V4(place.v4()), IpAddr::V6(place.v6())] {
        say(site.lab.client(), address)?;
    }
    until("the client to be known", BOUND, || {
        let shown = site.convoy(host, &["console", "cluster arp show"])?;
        let is_shown = |client: &&str| shown.contains(&format!("{client:<17}[{CLIENT_MAC}]  "));
        Ok((CLIENT.iter().filter(|client| is_shown(client)).count() == CLIENT.len()).then_some(()))
    })?;
    for other in (1..=3).filter(|other| *other != host) {
        let shown = site.convoy(other, &["console", "cluster arp show"])?;
        ensure!(!shown.contains(CLIENT_MAC), "mta{other} knows the client by itself: {shown}");
    }
    Ok(())
}

/// The client has the addresses in its cache as those of a host, of which it never asked.
fn remember(site: &Site, host: usize) -> Result<()> {
    let mac = site.lab.host(host).mac();
    site.addresses.iter().try_for_each(|address| {
        ip(site.lab.client(), &format!("neigh replace {address} lladdr {mac} dev eth0 nud stale")).map(drop)
    })
}

/// Waits until the client's cache has all addresses at a host.
fn follows(site: &Site, host: usize) -> Result<()> {
    site.addresses.iter().try_for_each(|address| is_at(site, *address, host))
}

/// Waits until the client's cache has an address at a host.
fn is_at(site: &Site, address: IpAddr, host: usize) -> Result<()> {
    let wanted = format!("lladdr {}", site.lab.host(host).mac());
    until(&format!("{address} at mta{host} in the client's cache"), BOUND, || {
        Ok(ip(site.lab.client(), &format!("neigh show to {address}"))?.contains(&wanted).then_some(()))
    })
}

/// Waits until the client has heard every round of every address from a host, each to it alone.
fn told(site: &Site, client: &mut Ear, host: u8) -> Result<()> {
    let mut rounds = site.addresses.iter().map(|address| (*address, 0)).collect::<Vec<_>>();
    while rounds.iter().any(|(_, heard)| *heard < ROUNDS) {
        let said = client.next().with_context(|| format!("heard so far: {rounds:?}"))?;
        let Some((address, heard)) = rounds.iter_mut().find(|(address, _)| *address == said.address) else {
            continue;
        };
        ensure!(!said.to_all, "{address}: to all");
        *heard += u32::from(said.mac[5] == host);
    }
    Ok(())
}

/// Returns what was heard before the marker.
fn until_marker(ear: &mut Ear, marker: IpAddr) -> Result<Vec<Said>> {
    let mut heard = Vec::new();
    loop {
        let said = ear.next()?;
        if said.address == marker {
            return Ok(heard);
        }
        heard.push(said);
    }
}

/// Returns whom a host's kernel knows.
fn neighbours(site: &Site, host: usize) -> Result<String> {
    ip(site.lab.host(host), "neigh show dev eth0")
}

fn ip(place: &Place, arguments: &str) -> Result<String> {
    let output = place.launch("ip").args(arguments.split(' ')).run(BOUND)?;
    ensure!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Sends something, so that the kernels have to find each other.
fn say(place: &Place, to: IpAddr) -> Result<()> {
    place.inside(|| {
        let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        UdpSocket::bind(any)?.send_to(b"?", (to, 9))
    })??;
    Ok(())
}

/// The client, as the lab has it.
const CLIENT: [&str; 2] = ["10.77.0.251", "fd77::251"];
const CLIENT_MAC: &str = "02:00:0a:4d:00:fb";
/// How often an address is announced when it has come.
const ROUNDS: u32 = 4;

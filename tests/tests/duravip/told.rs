//! `arp_all_hosts = false`: who is told of a move, and who is not.
use super::site::{BOUND, Site};
use anyhow::{Context as _, Result, ensure};
use lab::{Ear, Place, Said, Signal, VipOptions, until};
use serde_json::Value;
use std::net::IpAddr;

/// One of each family; all are with that node whenever it is a member. Hosts look at their neighbours every `check` seconds.
fn options(preference: &str, check: u32) -> VipOptions {
    let addresses = ["10.78.0.1", "fd78::2"].map(|address| address.parse().expect("an address"));
    let cluster = format!("  arp_all_hosts = false\n  if_check_interval = {check}\n  duravip_lease = 2\n");
    VipOptions {
        addresses: addresses.into(),
        preference: Some(preference.into()),
        // An election is over as soon as a view is agreed on: none takes back later what was moved.
        mature: 0.0,
        cluster,
        ..VipOptions::default()
    }
}

/// Brings up a site whose client and sink nobody knows, and returns when all are there and the preferred node has everything.
fn up(options: &VipOptions) -> Result<Site> {
    let mut site = Site::prepare(options)?;
    site.start_all()?;
    until("all to be there", BOUND, || {
        let vips = site.vips(1)?;
        let rows = vips["vips"].as_array().context("no vips")?;
        let is_all = |row: &Value| row["candidates"].as_array().is_some_and(|nodes| nodes.len() == 3);
        let all = rows.len() == site.addresses.len() && rows.iter().all(is_all);
        Ok((vips["exchanging"] == false && all).then_some(()))
    })?;
    let preferred = options.preference.as_deref().unwrap_or_default();
    has_all(&site, preferred)?;
    Ok(site)
}

fn has_all(site: &Site, node: &str) -> Result<()> {
    until(&format!("{node} to have all"), BOUND, || Ok((site.loads(1)?.get(node) == Some(&2)).then_some(())))
}

#[test]
fn whom_another_node_knows_is_told_of_a_move_and_whom_nobody_knows_is_not() -> Result<()> {
    let mut site = up(&options("mta2", 1))?;
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
        let has_asked = CLIENT.iter().any(|client| known.contains(client));
        ensure!(!has_asked, "the client has asked mta{host}: {known}");
    }
    // All has been said. What the sink hears next of mta3 comes after it.
    let marker: IpAddr = "10.79.0.3".parse()?;
    ip(site.lab.host(3), "addr add 10.79.0.3/24 dev eth0")?;
    site.lab.host(3).greet("10.79.0.99".parse()?)?;
    let heard = until_marker(&mut sink, marker)?;
    let of_ours = heard.iter().find(|said| site.addresses.contains(&said.address));
    ensure!(of_ours.is_none(), "nobody knows the sink, and it was told: {of_ours:?}");
    // It would have heard what is said to all.
    let all = "  arp_all_hosts = true\n  duravip_lease = 2\n".to_owned();
    reload(&mut site, 3, &VipOptions { cluster: all, ..options("mta2", 1) })?;
    site.convoy(3, &["vip", "announce"])?;
    for address in &site.addresses {
        ensure!(sink.until_said(*address, 3)?.to_all, "{address}: to the sink alone");
    }
    Ok(())
}

#[test]
fn whom_only_the_owner_knows_is_told_when_its_host_dies() -> Result<()> {
    the_client_is_told_of_the_end_of(|site| site.die(2))
}

/// By then the others have told of their own neighbours in a view without the owner.
#[test]
fn whom_only_the_owner_knows_is_told_when_its_daemon_dies_and_its_lease_runs_out() -> Result<()> {
    the_client_is_told_of_the_end_of(|site| site.end(2, Signal::KILL))
}

#[test]
fn whom_another_node_knows_is_told_by_one_that_has_just_come() -> Result<()> {
    // Nobody looks twice by itself while this test runs.
    let options = options("mta3", 3_600);
    let mut site = up(&options)?;
    let mut client = Ear::open(site.lab.client(), "eth0")?;
    speak(&site, 1)?;
    until("mta1's kernel to know the client", BOUND, || {
        let known = neighbours(&site, 1)?;
        Ok(CLIENT.iter().all(|client| known.contains(&format!("{client} lladdr"))).then_some(()))
    })?;
    // A node that takes a new plan looks at once.
    let cluster = options.cluster.clone() + "  duravip_refresh = 299\n";
    reload(&mut site, 1, &VipOptions { cluster, ..options })?;
    is_known_to(&site, 1)?;
    site.end(3, Signal::TERM)?;
    remember(&site, 2)?;
    site.start(3)?;
    has_all(&site, "mta3")?;
    follows(&site, 3)?;
    told(&site, &mut client, 3)
}

fn the_client_is_told_of_the_end_of(end: impl FnOnce(&mut Site) -> Result<()>) -> Result<()> {
    let mut site = up(&options("mta2", 1))?;
    let mut client = Ear::open(site.lab.client(), "eth0")?;
    be_known_to(&site, 2)?;
    remember(&site, 2)?;
    // All have answered what was asked after the client was told of: they know of it.
    let all = site.lab.host(2).convoy_json(&["--all", "vip", "history"])?;
    ensure!(all["answers"].as_array().is_some_and(|answers| answers.len() == 3), "{all}");
    end(&mut site)?;
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
    speak(site, host)?;
    is_known_to(site, host)
}

fn speak(site: &Site, host: usize) -> Result<()> {
    let place = site.lab.host(host);
    site.lab.client().greet(place.v4().into())?;
    site.lab.client().greet(place.v6().into())
}

fn is_known_to(site: &Site, host: usize) -> Result<()> {
    until("the client to be known", BOUND, || {
        let shown = site.convoy(host, &["console", "cluster arp show"])?;
        let is_shown = |client: &str| shown.contains(&format!("{client:<17}[{CLIENT_MAC}]  "));
        Ok(CLIENT.iter().all(|client| is_shown(client)).then_some(()))
    })?;
    for other in (1..=3).filter(|other| *other != host) {
        let shown = site.convoy(other, &["console", "cluster arp show"])?;
        ensure!(!shown.contains(CLIENT_MAC), "mta{other} knows the client by itself: {shown}");
    }
    Ok(())
}

fn reload(site: &mut Site, host: usize, options: &VipOptions) -> Result<()> {
    let place = site.lab.host(host);
    place.write_config(&place.vip_config(options))?;
    let agent = site.agent(host)?;
    agent.process().kill(Signal::HUP)?;
    agent.wait_notified("RELOADING=1", BOUND)?;
    agent.wait_notified("READY=1", BOUND)
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
        let said = client.hear().with_context(|| format!("heard so far: {rounds:?}"))?;
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
        let said = ear.hear()?;
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

/// The client, as the lab has it.
const CLIENT: [&str; 2] = ["10.77.0.251", "fd77::251"];
const CLIENT_MAC: &str = "02:00:0a:4d:00:fb";
/// How often an address is announced when it has come.
const ROUNDS: u32 = 4;

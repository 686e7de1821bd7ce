//! Addresses go from the node that has most connections to the one that has fewest.
use super::site::{BOUND, Site, addresses};
use anyhow::{Context as _, Result, ensure};
use lab::{VipOptions, until};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

#[test]
fn a_node_with_many_connections_gives_addresses_away() -> Result<()> {
    let options = VipOptions {
        addresses: addresses(9),
        cluster: "  duravip_balance_by = \"connections\"\n".into(),
        ..VipOptions::default()
    };
    let site = Site::up(&options)?;
    let owners = site.wait_until_held(&[1, 2, 3])?;
    ensure!(
        site.loads(1)?.values().all(|load| *load == 3),
        "even as long as nobody has a connection: {owners:?}"
    );
    let program = Path::new(env!("CARGO_BIN_EXE_traffic"));
    let host = site.lab.host(2);
    let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 25);
    let mut server = host.worker(program, Some(host.cgroup().path()))?;
    server.listen(any)?;
    let its = |(address, owner): &(&IpAddr, &Option<String>)| {
        address.is_ipv4() && owner.as_deref() == Some(host.name())
    };
    let (address, _) = owners.iter().find(its).context("mta2 has no address of IPv4")?;
    let mut client = site.lab.client().worker(program, None)?;
    let from = Ipv4Addr::new(10, 77, 0, 251).into();
    client.open(200, from, 1, SocketAddr::new(*address, 25))?;
    until("an address to go", BOUND, || Ok((site.loads(1)?.get(host.name()) == Some(&2)).then_some(())))?;
    let moves = host.convoy_json(&["vip", "history"])?;
    let is_it = |row: &serde_json::Value| row["from"] == host.name() && row["cause"] == "balanced";
    ensure!(moves["moves"].as_array().is_some_and(|moves| moves.iter().any(is_it)), "{moves}");
    site.wait_until_held(&[1, 2, 3])?;
    site.finish()?;
    Ok(())
}

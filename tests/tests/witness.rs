//! The witness on a real segment: it sees two owners where there are two, and none where there is one.
use anyhow::{Result, ensure};
use lab::{Lab, LabOptions, require, until, witness::Witness};
use std::{net::IpAddr, time::Duration};

#[test]
fn an_address_on_two_hosts_has_two_owners() -> Result<()> {
    require!();
    let lab = Lab::up(&LabOptions { hosts: 2, ..LabOptions::default() })?;
    let managed: Vec<IpAddr> = vec!["10.78.0.1".parse()?, "fd78::1".parse()?];
    for &address in &managed {
        let witness = Witness::start(lab.client(), &[address], 1, EVERY)?;
        plumb(&lab, 1, "add", address)?;
        until("the first host answers alone", BOUND, || Ok(witness.sole_for(SPAN)))?;
        ensure!(
            witness.sole_for(SPAN) == Some(lab.host(1).mac()),
            "{address}: {:?}",
            witness.holder(address)
        );
        ensure!(witness.testimony().doubles == 0, "{:?}", witness.testimony());

        plumb(&lab, 2, "add", address)?;
        until("both answer", BOUND, || Ok((witness.testimony().doubles > 0).then_some(())))?;
        let mut macs = witness.testimony().double[0].macs;
        macs.sort_unstable();
        ensure!(macs == [lab.host(1).mac(), lab.host(2).mac()], "{address}: {macs:?}");

        plumb(&lab, 1, "del", address)?;
        until("the second host answers alone", BOUND, || Ok(witness.sole_for(SPAN)))?;
        ensure!(witness.finish()?.answered > 0);
    }
    lab.down()
}

#[test]
fn an_address_that_moves_has_one_owner_at_a_time() -> Result<()> {
    require!();
    let lab = Lab::up(&LabOptions { hosts: 2, ..LabOptions::default() })?;
    let managed: Vec<IpAddr> = (1..=40_u8).map(|n| IpAddr::from([10, 78, 0, n])).collect();
    let witness = Witness::start(lab.client(), &managed, 20, EVERY)?;
    for round in 0..4 {
        let (from, to) = (1 + round % 2, 1 + (round + 1) % 2);
        for &address in &managed {
            if round > 0 {
                plumb(&lab, from, "del", address)?;
            }
            plumb(&lab, to, "add", address)?;
        }
        until("the sample has moved", BOUND, || Ok(witness.sole_for(SPAN)))?;
    }
    let testimony = witness.finish()?;
    ensure!(testimony.doubles == 0 && testimony.answered > 0, "{testimony:?}");
    lab.down()
}

fn plumb(lab: &Lab, host: usize, verb: &str, address: IpAddr) -> Result<()> {
    let mut args = vec!["addr".to_owned(), verb.to_owned(), address.to_string(), "dev".into(), "eth0".into()];
    if verb == "add" && address.is_ipv6() {
        args.push("nodad".into());
    }
    let output = lab.host(host).launch("ip").args(args).run(BOUND)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

const EVERY: Duration = Duration::from_millis(2);
/// Several questions about every address of the sample.
const SPAN: Duration = Duration::from_millis(200);
const BOUND: Duration = Duration::from_secs(20);

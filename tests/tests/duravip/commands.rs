//! What operators ask and are told, here and through a console; what cannot be done is refused with the next step.
use super::site::{BOUND, Site, addresses};
use anyhow::{Context as _, Result, ensure};
use lab::{VipOptions, until};

#[test]
fn what_cannot_be_moved_is_refused_and_told_why() -> Result<()> {
    let options = VipOptions { addresses: addresses(4), ..VipOptions::default() };
    let site = Site::up(&options)?;
    let owners = site.wait_until_held(&[1, 2, 3])?;
    let (address, owner) = owners.iter().next().context("nothing is shared")?;
    let (address, owner) = (address.to_string(), owner.clone().context("nobody has it")?);
    let refused = |words: &[&str], why: &str| -> Result<()> {
        let output = site.lab.host(1).convoy(words)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(1) && said.contains(why), "{words:?}: {said}");
        Ok(())
    };
    refused(&["vip", "move", "10.78.9.9", "mta2"], "see: convoy vip show")?;
    refused(&["vip", "move", "10.99.0.0/16", "mta2"], "no address in 10.99.0.0/16 is shared")?;
    refused(&["vip", "move", &address, "mta9"], "there are mta1, mta2, mta3")?;
    refused(&["vip", "undrain", "mta2"], "mta2 is not drained")?;
    let there = site.convoy(1, &["vip", "move", &address, &owner])?;
    ensure!(there == format!("there already: {address}\n"), "{there}");
    site.convoy(2, &["vip", "drain", "mta3"])?;
    until("the drain", BOUND, || {
        let shown = site.convoy(1, &["vip", "show"])?;
        Ok((shown.contains("(mta3)") && shown.contains("! drained: mta3")).then_some(()))
    })?;
    refused(&["vip", "move", &address, "mta3"], "convoy vip undrain mta3")?;
    site.convoy(1, &["vip", "undrain", "mta3"])?;
    site.finish()?;
    Ok(())
}

#[test]
fn a_console_shows_moves_and_announces_as_the_reference_does() -> Result<()> {
    let options = VipOptions { addresses: addresses(2), ..VipOptions::default() };
    let site = Site::up(&options)?;
    let owners = site.wait_until_held(&[1, 2, 3])?;
    let (address, owner) = owners.iter().next().context("nothing is shared")?;
    let owner = owner.clone().context("nobody has it")?;
    let console = |command: &str| site.convoy(1, &["console", command]);
    let shown = console("cluster duravip show")?;
    ensure!(shown.contains(&format!("{address}/b0: (owned,safe) multivip\n\t[view stable for ")), "{shown}");
    ensure!(shown.contains(&format!(" *  \t{owner} multivip\n")), "{shown}");
    let tables = console("cluster duravip show tables")?;
    ensure!(tables.contains(&format!("<address>{address}</address>")), "{tables}");
    let to = if owner == "mta1" { "mta2" } else { "mta1" };
    let moved = console(&format!("cluster duravip move {address} to {to}"))?;
    ensure!(moved == format!("moving {address} to {to}; see: convoy vip show\n"), "{moved}");
    until("the move", BOUND, || Ok((site.owners(3)?[address].as_deref() == Some(to)).then_some(())))?;
    let history = site.convoy(3, &["vip", "history"])?;
    let row = history.lines().find(|line| line.ends_with("moved by an operator")).context(history.clone())?;
    ensure!(row.contains(&address.to_string()) && row.contains(to), "{history}");
    let announced = console("cluster duravip announce view")?;
    ensure!(announced.starts_with("told the members of 2 offered"), "{announced}");
    ensure!(console("cluster duravip debug on")? == "debug on\n", "debug");
    console("cluster arp show")?;
    let all = site.lab.host(2).convoy_json(&["--all", "vip", "show"])?;
    ensure!(all["answers"].as_array().is_some_and(|answers| answers.len() == 3), "{all}");
    site.finish()?;
    Ok(())
}

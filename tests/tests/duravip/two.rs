//! Two nodes and a manager: its vote lets one node take over from the other.
use super::site::{BOUND, Site, addresses};
use anyhow::{Result, ensure};
use lab::{VipOptions, until};

#[test]
fn of_two_nodes_the_one_that_reaches_the_manager_takes_over() -> Result<()> {
    let site = Site::up_with(&VipOptions { addresses: addresses(6), ..VipOptions::default() }, 2)?;
    for lonely in [1, 2] {
        let other = 3 - lonely;
        site.lab.cut(lonely)?;
        site.wait_until_held(&[other])?;
        until("the lonely host to know", BOUND, || Ok((site.vips(lonely)?["firm"] == false).then_some(())))?;
        site.lab.heal()?;
        until("even loads", BOUND, || Ok(site.loads(other)?.values().all(|load| *load == 3).then_some(())))?;
        site.wait_until_held(&[1, 2])?;
    }
    // Two of three are a majority without it, too.
    ensure!(site.plumbed(3)?.is_empty(), "a manager holds nothing");
    site.lab.cut(3)?;
    until("both nodes to form a view", BOUND, || {
        let view = site.lab.host(1).convoy_json(&["view"])?;
        Ok((view["members"].as_array().is_some_and(|members| members.len() == 2)).then_some(()))
    })?;
    site.wait_until_held(&[1, 2])?;
    site.finish()?;
    Ok(())
}

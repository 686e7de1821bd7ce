//! Views: formed, changed by every kind of end, and by settings that must be the same.
use crate::site::{BOUND, Site};
use anyhow::Result;
use lab::{Signal, require, until};

#[test]
fn every_end_makes_a_view_of_those_that_are_left() -> Result<()> {
    require!("corosync");
    let mut site = Site::up(3, false)?;
    let first = site.wait_for_view(&[1, 2, 3])?;
    assert_eq!(site.view(1)?["leader"], site.view(3)?["leader"]);

    // Killed, its corosync with it.
    site.agent(3)?.process().kill(Signal::KILL)?;
    site.agent(3)?.process().wait(BOUND)?;
    let second = site.wait_for_view(&[1, 2])?;
    assert!(second > first, "{first} then {second}");

    // Back, as another life.
    site.start(3)?;
    let third = site.wait_for_view(&[1, 2, 3])?;
    assert!(third > second, "{second} then {third}");

    // Stopped in order.
    site.agent(2)?.process().kill(Signal::TERM)?;
    site.agent(2)?.process().wait(BOUND)?;
    let fourth = site.wait_for_view(&[1, 3])?;
    assert!(fourth > third, "{third} then {fourth}");

    // Reset: the same members agree anew.
    site.console(1, "cluster reset")?;
    until("a later view", BOUND, || Ok((site.wait_for_view(&[1, 3])? > fourth).then_some(())))?;
    Ok(())
}

#[test]
fn a_partition_has_a_view_on_each_side_and_one_after_it_heals() -> Result<()> {
    require!("corosync");
    let site = Site::up(3, false)?;
    let before = site.wait_for_view(&[1, 2, 3])?;
    site.lab.cut(3)?;
    let (majority, minority) = (site.wait_for_view(&[1, 2])?, site.wait_for_view(&[3])?);
    assert!(majority > before && minority > before);
    site.lab.heal()?;
    let after = site.wait_for_view(&[1, 2, 3])?;
    assert!(after > majority.max(minority), "{majority} and {minority} then {after}");
    Ok(())
}

#[test]
fn who_differs_in_what_must_be_the_same_is_named_everywhere() -> Result<()> {
    require!("corosync");
    let mut site = Site::up(3, false)?;
    let config = site.lab.host(2).bus_config().replace("cluster {\n", "cluster {\n  view_mature_time = 9\n");
    site.lab.host(2).write_config(&config)?;
    site.agent(2)?.process().kill(Signal::HUP)?;
    let expected = "view_mature_time is 9 s on mta2 and 5 s on the others; make it equal";
    for host in 1..=3 {
        until("the difference", BOUND, || {
            let status = site.lab.host(host).convoy_json(&["status"])?;
            let troubles = status["troubles"].as_array().cloned().unwrap_or_default();
            Ok(troubles.iter().any(|trouble| trouble == expected).then_some(()))
        })?;
    }
    Ok(())
}

//! Hosts, links and corosyncs that fail, and come back.
use crate::*;
use lab::{Signal, bus::Options};

fn up() -> Result<Engines> {
    let mut engines = Engines::up(Options::default())?;
    engines.join_all()?;
    for seat in 0..3 {
        configurations_to(&mut engines, seat, 3)?;
    }
    Ok(engines)
}

/// The survivors see the third one go, together.
fn see_it_go(engines: &mut Engines) -> Result<()> {
    let stay = names(engines, &[0, 1]);
    for seat in 0..2 {
        let transitional = configuration(engines, seat)?;
        let regular = configuration(engines, seat)?;
        assert_eq!((transitional.kind, &transitional.members), (Kind::Transitional, &stay));
        assert_eq!((regular.kind, &regular.members), (Kind::Regular, &stay));
    }
    Ok(())
}

#[test]
fn a_corosync_that_is_killed_is_told_as_a_loss_and_comes_back() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let mut engines = up()?;
    engines.seat(2).signal_engine(Signal::KILL)?;
    let why = loss(&mut engines, 2)?;
    assert!(why.contains("corosync ended (signal: 9"), "{why}");
    see_it_go(&mut engines)?;
    engines.agree(3)?;
    let all = names(&mut engines, &[0, 1]);
    let back = configurations_to(&mut engines, 2, 3)?;
    assert!(back.last().is_some_and(|configuration| all.is_subset(&configuration.members)), "{back:?}");
    assert_eq!(engines.seat(2).state()?.losses, 1);
    Ok(())
}

#[test]
fn a_host_that_dies_is_gone_and_its_next_life_is_let_in() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let mut engines = up()?;
    engines.kill(2, true)?;
    see_it_go(&mut engines)?;
    engines.start(2)?;
    engines.seat(2).bus().join();
    engines.agree(3)
}

#[test]
fn a_daemon_that_is_killed_takes_its_corosync_along() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let mut engines = up()?;
    // Returns only when no process of the host is left.
    engines.kill(2, false)?;
    see_it_go(&mut engines)
}

#[test]
fn a_cut_parts_the_hosts_and_healing_brings_them_together() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let mut engines = up()?;
    let all = names(&mut engines, &[0, 1, 2]);
    let alone = names(&mut engines, &[2]);
    engines.lab().cut(3)?;
    see_it_go(&mut engines)?;
    for kind in [Kind::Transitional, Kind::Regular] {
        let configuration = configuration(&mut engines, 2)?;
        assert_eq!((configuration.kind, configuration.members), (kind, alone.clone()));
    }
    send(&mut engines, 0, 0, 5);
    send(&mut engines, 2, 100, 5);
    engines.lab().heal()?;
    for (seat, own) in [(0, 0..5), (1, 0..5), (2, 100..105)] {
        let seen = messages(&mut engines, seat, 5)?;
        assert!(seen.iter().map(|tag| tag.number).eq(own), "{seat}: {seen:?}");
        // A merge is one configuration and has no transitional one before it.
        let merged = configuration(&mut engines, seat)?;
        assert_eq!((merged.kind, &merged.members), (Kind::Regular, &all), "{seat}");
    }
    Ok(())
}

#[test]
fn a_stopped_corosync_does_not_hold_up_the_end() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let mut engines = up()?;
    engines.seat(2).signal_engine(Signal::STOP)?;
    let stopped = engines.seat(2).ask("stop")?;
    assert!(stopped.ends_with("Ok(())"), "{stopped}");
    let took: u64 = stopped.split(' ').nth(1).and_then(|ms| ms.parse().ok()).expect("a time");
    assert!(took < 10_000, "{stopped}");
    see_it_go(&mut engines)
}

#[test]
fn a_corosync_that_stays_stopped_is_killed_and_started_anew() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let mut engines = up()?;
    engines.seat(2).signal_engine(Signal::STOP)?;
    let why = loss(&mut engines, 2)?;
    assert!(why.contains("delivered nothing"), "{why}");
    engines.agree(3)
}

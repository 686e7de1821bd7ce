//! Hosts come together, see each other, and see the same messages in the same order.
use crate::*;
use lab::bus::Options;

#[test]
fn three_hosts_agree_on_members_and_on_the_order_of_messages() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let mut engines = Engines::up(Options::default())?;
    engines.join_all()?;
    let mut last = Vec::new();
    for seat in 0..3 {
        let all = configurations_to(&mut engines, seat, 3)?;
        assert!(all.iter().all(|configuration| configuration.kind == Kind::Regular), "{all:?}");
        last.extend(all.last().cloned());
    }
    let all = names(&mut engines, &[0, 1, 2]);
    assert!(last.iter().all(|configuration| configuration.members == all), "{last:?} {all:?}");
    for seat in 0..3 {
        send(&mut engines, seat, 0, 300);
    }
    let first = messages(&mut engines, 0, 900)?;
    for seat in 1..3 {
        assert_eq!(messages(&mut engines, seat, 900)?, first, "host {seat}");
    }
    Ok(())
}

#[test]
fn the_same_works_over_ipv6_with_a_secret() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let secret = tempfile::NamedTempFile::new()?;
    std::fs::write(secret.path(), "a secret of some length\n")?;
    let more = format!("key={}", secret.path().display());
    let mut engines = Engines::up(Options { ipv6: true, more, hosts: 2, ..Options::default() })?;
    engines.join_all()?;
    send(&mut engines, 1, 0, 10);
    assert_eq!(messages(&mut engines, 0, 10)?.len(), 10);
    let key = engines.dir(0).join("authkey");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&key)?.permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read(&key)?, std::fs::read(engines.dir(1).join("authkey"))?);
    Ok(())
}

#[test]
fn who_leaves_is_gone_at_once_and_may_come_back() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let mut engines = Engines::up(Options::default())?;
    engines.join_all()?;
    for seat in 0..3 {
        configurations_to(&mut engines, seat, 3)?;
    }
    let stay = names(&mut engines, &[0, 1]);
    engines.seat(2).bus().leave();
    for seat in 0..2 {
        let transitional = configuration(&mut engines, seat)?;
        let regular = configuration(&mut engines, seat)?;
        assert_eq!((transitional.kind, regular.kind), (Kind::Transitional, Kind::Regular));
        assert!(transitional.members == stay && regular.members == stay);
    }
    assert_eq!(engines.seat(2).bus().poll(), None);
    engines.seat(2).bus().join();
    engines.agree(3)
}

#[test]
fn a_burst_is_refused_when_it_is_too_much_and_nothing_of_it_is_lost() -> Result<()> {
    lab::require!("corosync", "corosync-cfgtool");
    let mut engines = Engines::up(Options { hosts: 2, ..Options::default() })?;
    engines.join_all()?;
    let mut taken = 0_u32;
    let mut refused = false;
    // Nobody polls meanwhile: messages pile up in corosync, then here.
    for number in 0..20_000 {
        let payload = Tag { seat: 0, life: 0, number }.payload(100_000);
        match engines.seat(0).bus().multicast(&payload) {
            Ok(()) => taken += 1,
            Err(unsent) => {
                assert_eq!(unsent, Unsent::Full);
                refused = true;
                break;
            }
        }
    }
    assert!(refused, "{taken} were taken");
    let mut room = false;
    let mut got = Vec::new();
    while got.len() < taken as usize || !room {
        let tag = engines.event(0, |event| match event {
            Event::Message { payload, .. } => Some(Some(Tag::read(&payload).expect("whole").number)),
            Event::Room => Some(None),
            _ => None,
        })?;
        room |= tag.is_none();
        got.extend(tag);
    }
    assert_eq!(got, (0..taken).collect::<Vec<_>>());
    let theirs = messages(&mut engines, 1, taken as usize)?;
    assert!(theirs.iter().map(|tag| tag.number).eq(0..taken));
    Ok(())
}

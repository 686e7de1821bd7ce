//! The two ends of the protocol, with a real bus behind and a socket pair between.
use super::*;
use convoy_core::{bounds, group::Solo};
use std::{io::BufReader, os::unix::net::UnixStream, thread};

type Remote = RemoteBus<BufReader<UnixStream>, UnixStream>;

/// Gives `work` the remote end of a worker's bus.
fn with_worker(work: impl FnOnce(&mut Remote)) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let worker = thread::spawn(move || {
        let orders = BufReader::new(theirs.try_clone().unwrap());
        serve(&mut Solo::new(7), orders, theirs).unwrap();
    });
    let mut remote = RemoteBus::new(ours.try_clone().unwrap(), BufReader::new(ours));
    work(&mut remote);
    drop(remote);
    worker.join().unwrap();
}

#[test]
fn a_worker_passes_everything_on_that_a_bus_does() {
    with_worker(|remote| {
        let mut near = Solo::new(7);
        let tag = Tag { seat: 1, life: 2, number: 3 };
        for bus in [remote as &mut dyn Bus, &mut near] {
            assert_eq!((bus.id(), bus.poll()), (None, None));
            assert_eq!(bus.multicast(&tag.payload(20)), Err(Unsent::Absent));
            bus.join();
        }
        assert_eq!(remote.poll(), near.poll());
        assert_eq!(remote.id(), near.id());
        for len in [20, bounds::BUS_MESSAGE_MAX, bounds::BUS_MESSAGE_MAX + 1] {
            assert_eq!(remote.multicast(&tag.payload(len)), near.multicast(&tag.payload(len)));
        }
        for number in 0..1_100 {
            let payload = Tag { number, ..tag }.payload(0);
            assert_eq!(remote.multicast(&payload), near.multicast(&payload));
        }
        while let Some(event) = near.poll() {
            assert_eq!(remote.poll(), Some(event));
        }
        remote.leave();
        assert_eq!((remote.id(), remote.poll()), (None, None));
        assert!(remote.trouble().is_none(), "{:?}", remote.trouble());
    });
}

#[test]
fn every_event_survives_the_line() {
    let (a, b) = (MemberId { host: 1, process: 2 }, MemberId { host: u32::MAX, process: 0 });
    let tag = Tag { seat: 9, life: 8, number: 7 };
    for (event, own) in [
        (Event::Configuration(Configuration { kind: Kind::Regular, members: [a, b].into() }), Some(a)),
        (Event::Configuration(Configuration { kind: Kind::Transitional, members: [b].into() }), None),
        (Event::Message { sender: b, payload: tag.payload(99) }, None),
        (Event::Room, None),
        (Event::Lost("it is gone".to_owned()), None),
    ] {
        assert_eq!(parse(&event_text(&event, own)).unwrap(), Some((event, own)));
    }
    let garbled = parse(&event_text(&Event::Message { sender: a, payload: vec![7; 33] }, None)).unwrap();
    assert_eq!(garbled, Some((Event::Message { sender: a, payload: vec![0; 33] }, None)));
}

#[test]
fn a_bad_order_is_answered_and_a_dead_worker_is_trouble() {
    let mut answers = Vec::new();
    let orders = "jump\nsend 1 2\nsend 1 2 3 x\npoll\njoin\n";
    serve(&mut Solo::new(1), orders.as_bytes(), &mut answers).unwrap();
    let answers = String::from_utf8(answers).unwrap();
    let lines: Vec<&str> = answers.lines().collect();
    assert!(lines[..4].iter().all(|line| line.starts_with("error ")), "{answers}");
    assert_eq!(lines[4..], ["ok"]);

    let mut remote = RemoteBus::new(Vec::new(), std::io::empty());
    assert_eq!(
        (remote.poll(), remote.multicast(&Tag { seat: 0, life: 0, number: 0 }.payload(0))),
        (None, Err(Unsent::Absent))
    );
    assert!(remote.trouble().is_some_and(|trouble| format!("{trouble:#}").contains("ended")));
}

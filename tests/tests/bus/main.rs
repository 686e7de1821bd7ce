//! The bus on real corosyncs: three hosts of the lab, each with its own.
//!
//! Random schedules are the conformance suite's; here is what it cannot make happen or cannot see.
mod conformance;
mod faults;
mod forming;
mod starting;

use anyhow::Result;
use convoy_core::group::bus::{Bus, Configuration, Event, Kind, MemberId, Unsent};
use lab::{bus::Engines, conformance::Tag};
use std::collections::BTreeSet;

/// Has a host's process send messages `from..from + count`.
fn send(engines: &mut Engines, seat: usize, from: u32, count: u32) {
    for number in from..from + count {
        let payload =
            Tag { seat: u16::try_from(seat).expect("there are three"), life: 0, number }.payload(200);
        assert_eq!(engines.seat(seat).bus().multicast(&payload), Ok(()), "{seat}: {number}");
    }
}

/// Returns the next `count` messages of a host, passing over configurations.
fn messages(engines: &mut Engines, seat: usize, count: usize) -> Result<Vec<Tag>> {
    (0..count)
        .map(|_| {
            engines.event(seat, |event| match event {
                Event::Message { payload, .. } => Some(Tag::read(&payload).expect("it came whole")),
                _ => None,
            })
        })
        .collect()
}

/// Returns the next configuration of a host, passing over messages.
fn configuration(engines: &mut Engines, seat: usize) -> Result<Configuration> {
    engines.event(seat, |event| match event {
        Event::Configuration(configuration) => Some(configuration),
        _ => None,
    })
}

/// Returns a host's configurations up to the regular one with `size` members.
fn configurations_to(engines: &mut Engines, seat: usize, size: usize) -> Result<Vec<Configuration>> {
    let mut all = Vec::new();
    loop {
        let next = configuration(engines, seat)?;
        let done = next.kind == Kind::Regular && next.members.len() == size;
        all.push(next);
        if done {
            return Ok(all);
        }
    }
}

/// Returns the reason of a host's next loss, passing over everything else.
fn loss(engines: &mut Engines, seat: usize) -> Result<String> {
    engines.event(seat, |event| match event {
        Event::Lost(why) => Some(why),
        _ => None,
    })
}

/// Returns the names of all processes that run.
fn names(engines: &mut Engines, seats: &[usize]) -> BTreeSet<MemberId> {
    seats.iter().map(|&seat| engines.seat(seat).bus().id().expect("it is a member")).collect()
}

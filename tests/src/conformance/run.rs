//! Puts an engine through a schedule and writes down what each process did and saw.
use super::{Harness, Life, Record, Schedule, Step, Tag, Trace};
use anyhow::{Result, bail};
use convoy_core::group::bus::{Event, Kind, MemberId, Unsent};
use std::collections::BTreeSet;

/// Runs a schedule, then lets everything settle: all healed, everyone reading, and one last message of each, which all
/// must get.
///
/// # Errors
/// When the harness fails. What the engine does wrong is in the trace, for [`check`](super::check()).
pub fn run(harness: &mut dyn Harness, schedule: &Schedule) -> Result<Trace> {
    let seats = (0..harness.seats()).map(|_| Seat::default()).collect();
    let mut run = Run { harness, lives: Vec::new(), seats };
    for step in &schedule.steps {
        run.obey(step)?;
    }
    run.settle()?;
    Ok(Trace { lives: run.lives, settled: true })
}

struct Run<'a> {
    harness: &'a mut dyn Harness,
    lives: Vec<Life>,
    seats: Vec<Seat>,
}

/// A process, and what is known of it.
#[derive(Debug, Default)]
struct Seat {
    down: bool,
    /// It has joined, and not left.
    joined: bool,
    stalled: bool,
    /// Its life, by its place among all; also after it has left.
    life: Option<usize>,
    lives: u16,
    now: Standing,
}

/// Where a life stands.
#[derive(Debug, Default)]
struct Standing {
    /// The regular configuration it is in; none in a transitional one.
    members: Option<BTreeSet<MemberId>>,
    /// Messages delivered in it.
    delivered: usize,
    taken: u32,
    returned: u32,
    waits_for_room: bool,
}

impl Run<'_> {
    fn obey(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Join(seat) => self.join(*seat),
            Step::Leave(seat) => self.leave(*seat),
            Step::Send { seat, count, len } => {
                let _all = (0..*count).all(|_| self.send(*seat, *len));
            }
            Step::Partition(parts) => self.harness.partition(parts)?,
            Step::Heal => self.harness.heal()?,
            Step::Crash(seat) => self.crash(*seat)?,
            Step::Restart { seat, same } if self.seats[*seat].down => {
                self.harness.restart(*seat, *same)?;
                self.seats[*seat].down = false;
                self.join(*seat);
            }
            Step::Lose(seat) if self.seats[*seat].joined => self.harness.lose(*seat)?,
            Step::Restart { .. } | Step::Lose(_) => {}
            Step::Stall(seat) => self.seats[*seat].stalled = true,
            Step::Resume(seat) => self.seats[*seat].stalled = false,
            Step::Advance(rounds) => {
                for _ in 0..*rounds {
                    self.round(READS_A_ROUND)?;
                }
            }
        }
        Ok(())
    }

    fn join(&mut self, seat: usize) {
        if !self.seats[seat].down && !self.seats[seat].joined {
            self.seats[seat].joined = true;
            self.begin(seat);
            self.harness.bus(seat).join();
        }
    }

    fn leave(&mut self, seat: usize) {
        if self.seats[seat].joined {
            self.seats[seat].joined = false;
            self.harness.bus(seat).leave();
            self.record(seat, Record::Left);
        }
    }

    fn crash(&mut self, seat: usize) -> Result<()> {
        if !self.seats[seat].down {
            self.harness.crash(seat)?;
            if self.seats[seat].joined {
                self.record(seat, Record::Crashed);
            }
            let seat = &mut self.seats[seat];
            (seat.down, seat.joined, seat.stalled, seat.life) = (true, false, false, None);
        }
        Ok(())
    }

    /// Begins a life.
    fn begin(&mut self, seat: usize) {
        let number = usize::from(self.seats[seat].lives);
        self.lives.push(Life { seat, number, own: None, records: Vec::new() });
        let life = Some(self.lives.len() - 1);
        let seat = &mut self.seats[seat];
        (seat.life, seat.lives, seat.now) = (life, seat.lives + 1, Standing::default());
    }

    fn record(&mut self, seat: usize, record: Record) {
        if let Some(life) = self.seats[seat].life {
            self.lives[life].records.push(record);
        }
    }

    /// Sends a message. Returns whether it was taken.
    fn send(&mut self, seat: usize, len: usize) -> bool {
        let Seat { down: false, life: Some(life), .. } = self.seats[seat] else { return false };
        let number = u16::try_from(self.lives[life].number).unwrap_or(u16::MAX);
        let tag = Tag {
            seat: u16::try_from(seat).unwrap_or(u16::MAX),
            life: number,
            number: self.seats[seat].now.taken,
        };
        let len = len.max(Tag::LEN_MIN);
        let taken = self.harness.bus(seat).multicast(&tag.payload(len));
        match taken {
            Ok(()) => {
                self.seats[seat].now.taken += 1;
                self.record(seat, Record::Taken { tag, len });
            }
            Err(why) => {
                self.seats[seat].now.waits_for_room |= why == Unsent::Full;
                self.record(seat, Record::Refused { why, len });
            }
        }
        taken.is_ok()
    }

    /// Lets things happen, and every process that reads at all read some events.
    fn round(&mut self, reads: usize) -> Result<()> {
        self.harness.advance()?;
        for seat in 0..self.seats.len() {
            for _ in 0..reads {
                if self.seats[seat].down || self.seats[seat].stalled || !self.read(seat)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reads an event. Returns whether there was one.
    fn read(&mut self, seat: usize) -> Result<bool> {
        let bus = self.harness.bus(seat);
        let Some(event) = bus.poll() else { return Ok(false) };
        let own = bus.id();
        let Some(life) = self.seats[seat].life else {
            bail!("process {seat} has not joined and gets {event:?}");
        };
        let now = &mut self.seats[seat].now;
        let record = match event {
            Event::Configuration(configuration) => {
                self.lives[life].own = self.lives[life].own.or(own);
                let regular = configuration.kind == Kind::Regular;
                now.members = regular.then(|| configuration.members.clone());
                now.delivered = 0;
                let number = self.harness.configuration_number(seat);
                Record::Configuration { kind: configuration.kind, members: configuration.members, number }
            }
            Event::Message { sender, payload } => {
                let tag = Tag::read(&payload);
                now.delivered += 1;
                let mine = tag.is_some_and(|tag| {
                    usize::from(tag.seat) == seat && usize::from(tag.life) == self.lives[life].number
                });
                now.returned += u32::from(mine);
                Record::Delivered { sender, tag, len: payload.len() }
            }
            Event::Room => {
                now.waits_for_room = false;
                Record::Room
            }
            Event::Lost(_) => Record::Lost,
        };
        let lost = record == Record::Lost;
        self.record(seat, record);
        if lost {
            self.begin(seat);
        }
        Ok(true)
    }

    fn settle(&mut self) -> Result<()> {
        self.harness.calm()?;
        for seat in &mut self.seats {
            seat.stalled = false;
        }
        if !self.settles()? {
            return Ok(());
        }
        for seat in self.present() {
            self.send(seat, Tag::LEN_MIN);
        }
        self.settles()?;
        Ok(())
    }

    /// Goes on until all agree, and a little longer. Returns whether they came to agree.
    fn settles(&mut self) -> Result<bool> {
        for _ in 0..self.harness.settle_rounds_max() {
            self.round(usize::MAX)?;
            if self.is_settled() {
                for _ in 0..ROUNDS_AFTER {
                    self.round(usize::MAX)?;
                }
                return Ok(self.is_settled());
            }
        }
        Ok(false)
    }

    fn present(&self) -> Vec<usize> {
        (0..self.seats.len()).filter(|&seat| self.seats[seat].joined).collect()
    }

    fn is_settled(&self) -> bool {
        let present = self.present();
        let own = |seat: &usize| self.seats[*seat].life.and_then(|life| self.lives[life].own);
        let all: Option<BTreeSet<MemberId>> = present.iter().map(own).collect();
        let Some(all) = all else { return false };
        let delivered = present.first().map(|&seat| self.seats[seat].now.delivered);
        present.iter().map(|&seat| &self.seats[seat].now).all(|now| {
            now.members.as_ref() == Some(&all)
                && now.taken == now.returned
                && !now.waits_for_room
                && Some(now.delivered) == delivered
        })
    }
}

/// Events that a process reads at most in a round, before the end. chosen: few, so that queues grow.
const READS_A_ROUND: usize = 3;
/// Rounds after the agreement, for what may come too much. chosen: some tenths of a second in the real world.
const ROUNDS_AFTER: usize = 10;

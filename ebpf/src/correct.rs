//! The agent's hand in the tables: one atomic change, asked for by running this program.
//!
//! A user-space update replaces a whole value and would lose what the kernel counted meanwhile; this program uses
//! the same atomics as `observe`. It is never attached: `BPF_PROG_TEST_RUN` runs it with a [`Correction`] as packet.
use crate::{
    count,
    maps::{SEEDED, SOCKETS},
    observe,
};
use aya_ebpf::{bindings::BPF_NOEXIST, macros::classifier, programs::TcContext};
use convoy_common::{
    count::Direction,
    kernel::{Correction, Op, Outcome, RETIRED, Seed},
};
use convoy_ebpf::atomic;

/// Carries out one [`Correction`]; returns an [`Outcome`].
#[classifier]
pub fn correct(ctx: TcContext) -> i32 {
    let Ok(asked) = ctx.load::<Correction>(0) else { return Outcome::Malformed as i32 };
    let outcome = if asked.direction == Direction::Inbound as u32 {
        carry_out(&asked, Direction::Inbound)
    } else if asked.direction == Direction::Outbound as u32 {
        carry_out(&asked, Direction::Outbound)
    } else {
        Outcome::Malformed
    };
    outcome as i32
}

#[inline(always)]
fn carry_out(asked: &Correction, direction: Direction) -> Outcome {
    if asked.op == Op::Seed as u32 {
        seed(asked, direction)
    } else if asked.op == Op::Unseed as u32 {
        observe::unseed(asked.cookie)
    } else if asked.op == Op::Adjust as u32 {
        match asked.current {
            0 => Outcome::Unchanged,
            1.. => count::opened(direction, &asked.host, asked.current as u32),
            i32::MIN..=-1 => count::closed(direction, &asked.host, asked.current.unsigned_abs()),
        }
    } else if asked.op == Op::Retire as u32 {
        retire(asked, direction)
    } else {
        Outcome::Malformed
    }
}

#[inline(always)]
fn seed(asked: &Correction, direction: Direction) -> Outcome {
    let seed = Seed { host: asked.host, direction: direction as u8, pad: [0; 7] };
    if SEEDED.insert(asked.cookie, &seed, BPF_NOEXIST as u64).is_err() {
        return if SEEDED.get_ptr(asked.cookie).is_some() { Outcome::Unchanged } else { Outcome::Refused };
    }
    let outcome = count::opened(direction, &asked.host, 1);
    if matches!(outcome, Outcome::Applied) {
        // It said that the connection is not counted, which is over.
        let _ = SOCKETS.remove(asked.cookie);
    } else {
        // Nobody unseeds it between the two: the agent learns the cookie's fate from this very run, and a close
        // in this instant takes one away that was not added, which the audit repairs.
        let _ = SEEDED.remove(asked.cookie);
    }
    outcome
}

#[inline(always)]
fn retire(asked: &Correction, direction: Direction) -> Outcome {
    let Some(entry) = count::hosts(direction).get_ptr_mut(asked.host) else { return Outcome::Unchanged };
    // An entry that was opened and closed since is young again; only one that never moved goes.
    // SAFETY: `entry` points to a live map value.
    if unsafe { atomic::load64(&raw const (*entry).total) } != asked.total {
        return Outcome::Unchanged;
    }
    // SAFETY: as above.
    match unsafe { atomic::swap32(&raw mut (*entry).current, 0, RETIRED) } {
        true => Outcome::Applied,
        false => Outcome::Unchanged,
    }
}

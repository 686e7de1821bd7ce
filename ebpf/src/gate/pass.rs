//! The two programs: what comes in, what goes out.
use crate::{
    answer,
    frame::{Direction, claimed},
};
use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    macros::classifier,
    programs::TcContext,
};
use convoy_common::gate::Stat;

/// Drops questions about addresses that this node may not answer for.
#[classifier]
pub fn gate_ingress(ctx: TcContext) -> i32 {
    verdict(&ctx, Direction::In, Stat::Questions)
}

/// Drops announcements of addresses that this node may not answer for.
#[classifier]
pub fn gate_egress(ctx: TcContext) -> i32 {
    verdict(&ctx, Direction::Out, Stat::Announcements)
}

#[inline(always)]
fn verdict(ctx: &TcContext, direction: Direction, stat: Stat) -> i32 {
    match claimed(ctx, direction) {
        Some(address) if !answer::is_ours_to_give(&address, stat) => TC_ACT_SHOT,
        // "Ask the next program": ours has no opinion.
        Some(_) | None => TC_ACT_UNSPEC,
    }
}

//! The two programs: what comes in, what goes out.
use crate::{
    answer,
    frame::{Claim, Direction, claimed},
};
use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    macros::classifier,
    programs::TcContext,
};
use convoy_common::gate::Stat;

/// Drops questions about addresses that this node may not answer for, and keeps what others advertise to everybody
/// about addresses that are here from IPv6.
///
/// IPv6 looks through the groups of a link, one for each address, to see whether a frame to a group is for this host: a
/// heir that announces 4 000 addresses had every other host with the same 4 000 do that for 0.1 s. There is nothing in
/// it for them, their own addresses are no neighbours.
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
        Some(Claim::Wanted(address)) if !answer::is_ours_to_give(&address, stat) => TC_ACT_SHOT,
        Some(Claim::Elsewhere(address)) if is_to_everybody(ctx) && answer::is_here(&address) => {
            // Packet sockets still hear it, and only they. Without the mark it is work for nothing, and no harm.
            let _ = ctx.skb.change_type(PACKET_OTHERHOST);
            TC_ACT_UNSPEC
        }
        // "Ask the next program": ours has no opinion.
        Some(_) | None => TC_ACT_UNSPEC,
    }
}

/// Tells whether a frame on its way in was sent to a group.
#[inline(always)]
fn is_to_everybody(ctx: &TcContext) -> bool {
    // SAFETY: the kernel gives every program its context, and rewrites this access.
    unsafe { (*ctx.skb.skb).pkt_type == PACKET_MULTICAST }
}

/// Kinds of packets, as in `linux/if_packet.h`.
const PACKET_MULTICAST: u32 = 2;
const PACKET_OTHERHOST: u32 = 3;

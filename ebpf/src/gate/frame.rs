//! Which address a frame asks for, or claims: ARP and neighbour discovery, behind up to two tags in the frame.
//!
//! The tag that hardware or the kernel has taken off is beside the frame, and hides nothing. What is cut short passes:
//! no protocol takes it. So does neighbour discovery behind extension headers, which nobody sends: on the way in only,
//! and the answer to it is stopped on the way out.
use aya_ebpf::programs::TcContext;
use convoy_common::addr::{Host, V4_MAPPED};
use core::mem::offset_of;

/// Which way a frame goes.
#[derive(Clone, Copy)]
pub enum Direction {
    /// To this host.
    In,
    /// From this host.
    Out,
}

/// What a frame says about an address.
pub enum Claim {
    /// Who has it? In; or: it is at this host's link address. Out.
    Wanted(Host),
    /// It is at another host: a neighbour advertisement on its way in.
    Elsewhere(Host),
}

/// ARP for IPv4 over Ethernet (RFC 826).
#[repr(C)]
struct Arp {
    hardware: [u8; 2],
    protocol: [u8; 2],
    hardware_len: u8,
    protocol_len: u8,
    operation: [u8; 2],
    sender_link: [u8; 6],
    sender: [u8; 4],
    target_link: [u8; 6],
    target: [u8; 4],
}

/// The header of IPv6 (RFC 8200).
#[repr(C)]
struct Ipv6 {
    version: [u8; 4],
    payload_len: [u8; 2],
    next: u8,
    hops_max: u8,
    source: [u8; 16],
    destination: [u8; 16],
}

/// What solicitations and advertisements have in common (RFC 4861, 4.3 and 4.4).
#[repr(C)]
struct Neighbour {
    kind: u8,
    code: u8,
    checksum: [u8; 2],
    flags: [u8; 4],
    target: [u8; 16],
}

/// Returns the address that the frame asks for or binds to a link address, if it does.
#[inline(always)]
pub fn claimed(ctx: &TcContext, direction: Direction) -> Option<Claim> {
    let kind = be16(ctx, TYPE_AT)?;
    match kind {
        // Each place is a constant to the verifier.
        TAG | SERVICE_TAG | OLD_SERVICE_TAG => match be16(ctx, TYPE_AT + TAG_LEN)? {
            TAG | SERVICE_TAG | OLD_SERVICE_TAG => {
                let kind = be16(ctx, TYPE_AT + 2 * TAG_LEN)?;
                behind::<{ HEADER_LEN + 2 * TAG_LEN }>(ctx, kind, direction)
            }
            kind => behind::<{ HEADER_LEN + TAG_LEN }>(ctx, kind, direction),
        },
        kind => behind::<HEADER_LEN>(ctx, kind, direction),
    }
}

/// Looks into what begins at byte `AT`, an ethertype of `kind`.
#[inline(always)]
fn behind<const AT: usize>(ctx: &TcContext, kind: u16, direction: Direction) -> Option<Claim> {
    match kind {
        ARP => arp(ctx, AT, direction).map(Claim::Wanted),
        IPV6 => ipv6(ctx, AT, direction),
        _ => None,
    }
}

#[inline(always)]
fn arp(ctx: &TcContext, at: usize, direction: Direction) -> Option<Host> {
    let arp: Arp = ctx.load(at).ok()?;
    let is_ours = arp.protocol == IPV4.to_be_bytes() && arp.hardware_len == 6 && arp.protocol_len == 4;
    if !is_ours {
        return None;
    }
    match direction {
        Direction::In if arp.operation == REQUEST.to_be_bytes() => Some(v4(arp.target)),
        Direction::In => None,
        Direction::Out => Some(v4(arp.sender)),
    }
}

#[inline(always)]
fn ipv6(ctx: &TcContext, at: usize, direction: Direction) -> Option<Claim> {
    if byte(ctx, at + offset_of!(Ipv6, next))? != ICMPV6 {
        return None;
    }
    let icmp_at = at + size_of::<Ipv6>();
    let target_at = icmp_at + offset_of!(Neighbour, target);
    match (direction, byte(ctx, icmp_at)?) {
        (Direction::In, ADVERTISEMENT) => Some(Claim::Elsewhere(v6(ctx, target_at)?)),
        (Direction::In, SOLICITATION) | (Direction::Out, ADVERTISEMENT) => {
            Some(Claim::Wanted(v6(ctx, target_at)?))
        }
        // Their source is bound to the link address they carry.
        (Direction::Out, SOLICITATION | ROUTER_SOLICITATION) => {
            Some(Claim::Wanted(v6(ctx, at + offset_of!(Ipv6, source))?))
        }
        _ => None,
    }
}

/// Reads a byte of the frame: at once where it lies open, else by a call.
#[inline(always)]
fn byte(ctx: &TcContext, at: usize) -> Option<u8> {
    let (begin, end) = (ctx.data(), ctx.data_end());
    if begin + at + 1 > end {
        return ctx.load(at).ok();
    }
    // SAFETY: the frame goes at least one byte beyond `at`; the verifier checks it again.
    Some(unsafe { ((begin + at) as *const u8).read() })
}

/// Reads two bytes of the frame in network byte order, as [`byte`].
#[inline(always)]
fn be16(ctx: &TcContext, at: usize) -> Option<u16> {
    let (begin, end) = (ctx.data(), ctx.data_end());
    if begin + at + 2 > end {
        return ctx.load(at).ok().map(u16::from_be);
    }
    // SAFETY: the frame goes at least two bytes beyond `at`; the verifier checks it again.
    Some(u16::from_be(unsafe { ((begin + at) as *const u16).read_unaligned() }))
}

#[inline(always)]
fn v6(ctx: &TcContext, at: usize) -> Option<Host> {
    Some(Host { addr: ctx.load(at).ok()? })
}

#[inline(always)]
fn v4(address: [u8; 4]) -> Host {
    let mut addr = [0; 16];
    addr[..12].copy_from_slice(&V4_MAPPED);
    addr[12..].copy_from_slice(&address);
    Host { addr }
}

/// Bytes of the link header, and where in it the type is.
const HEADER_LEN: usize = 14;
const TYPE_AT: usize = 12;
/// Bytes of a tag: its type and its number (IEEE 802.1Q).
const TAG_LEN: usize = 4;

/// Types, as in `linux/if_ether.h`.
const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
const TAG: u16 = 0x8100;
const SERVICE_TAG: u16 = 0x88a8;
/// Of service tags before they had a number of their own.
const OLD_SERVICE_TAG: u16 = 0x9100;

/// Operation of ARP.
const REQUEST: u16 = 1;
/// Next header.
const ICMPV6: u8 = 58;
/// Messages of neighbour discovery.
const ROUTER_SOLICITATION: u8 = 133;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

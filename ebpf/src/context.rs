//! Fields of the `sock_ops` context, one instruction each.
//!
//! The verifier accepts a context load only at a constant offset from the untouched context pointer. LLVM merges
//! two such loads on different paths into one with a computed offset, which is refused; assembly is not merged.
use aya_ebpf::{bindings::bpf_sock_ops, programs::SockOpsContext};
use convoy_common::addr::Host;
use core::{arch::asm, mem::offset_of};

/// IPv4, as in `sys/socket.h`.
const AF_INET: u32 = 2;

/// Loads a 32-bit field of the context.
macro_rules! load {
    ($ctx:expr, $offset:expr) => {{
        let value: u64;
        // SAFETY: reads four bytes of the context at a constant offset, which the verifier checks against the
        // layout of the context.
        unsafe {
            asm!(
                "{value} = *(u32 *)({ctx} + {offset})",
                value = out(reg) value,
                ctx = in(reg) $ctx.ops,
                offset = const $offset,
                options(readonly, nostack, preserves_flags),
            );
        }
        value as u32
    }};
}

/// Returns which callback this is.
#[inline(always)]
pub fn op(ctx: &SockOpsContext) -> u32 {
    load!(ctx, offset_of!(bpf_sock_ops, op))
}

/// Returns the state a `STATE_CB` socket goes to.
#[inline(always)]
pub fn new_state(ctx: &SockOpsContext) -> u32 {
    load!(ctx, offset_of!(bpf_sock_ops, __bindgen_anon_1) + 4)
}

/// Returns the local port.
#[inline(always)]
pub fn local_port(ctx: &SockOpsContext) -> u16 {
    load!(ctx, offset_of!(bpf_sock_ops, local_port)) as u16
}

/// Returns the remote port.
#[inline(always)]
pub fn remote_port(ctx: &SockOpsContext) -> u16 {
    // The context has it in network byte order, as a 32-bit number.
    u32::from_be(load!(ctx, offset_of!(bpf_sock_ops, remote_port))) as u16
}

/// Returns the callbacks the socket already asks for; other programs may have set some.
#[inline(always)]
pub fn callbacks(ctx: &SockOpsContext) -> u32 {
    load!(ctx, offset_of!(bpf_sock_ops, bpf_sock_ops_cb_flags))
}

/// Returns the remote host. A v4-mapped peer needs no folding: that is the form in which IPv4 is kept.
#[inline(always)]
pub fn remote_host(ctx: &SockOpsContext) -> Host {
    let words = if load!(ctx, offset_of!(bpf_sock_ops, family)) == AF_INET {
        [0, 0, 0xffff_u32.to_be(), load!(ctx, offset_of!(bpf_sock_ops, remote_ip4))]
    } else {
        [
            load!(ctx, offset_of!(bpf_sock_ops, remote_ip6)),
            load!(ctx, offset_of!(bpf_sock_ops, remote_ip6) + 4),
            load!(ctx, offset_of!(bpf_sock_ops, remote_ip6) + 8),
            load!(ctx, offset_of!(bpf_sock_ops, remote_ip6) + 12),
        ]
    };
    // SAFETY: both are 16 bytes without padding, and every bit pattern is a host.
    unsafe { core::mem::transmute::<[u32; 4], Host>(words) }
}

//! Counts connections as the kernel opens and closes them.
//!
//! `observe` sits on a cgroup and sees every TCP socket below it. `close_seeded` sees every socket of the kernel,
//! so it is attached only while connections older than the attach are left: their sockets never asked for the
//! state callback.
use crate::{
    context, count,
    maps::{CONTROL, INBOUND_PORTS, OUTBOUND_PORTS, Ports, SEEDED, SOCKETS},
};
use aya_ebpf::{
    bindings::{
        BPF_SK_STORAGE_GET_F_CREATE, BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
        BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG, bpf_sock,
    },
    helpers::{
        bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_sk_storage_delete, bpf_sk_storage_get,
        bpf_sock_ops_cb_flags_set,
    },
    macros::{btf_tracepoint, sock_ops},
    programs::{BtfTracePointContext, SockOpsContext},
};
use convoy_common::{
    count::Direction,
    kernel::{Outcome, Stat, Stored},
};
use core::ptr;

/// State of a socket that is gone, as in `net/tcp_states.h`.
const TCP_CLOSE: u32 = 7;

/// Counts opens and closes below its cgroup.
#[sock_ops]
pub fn observe(ctx: SockOpsContext) -> u32 {
    match context::op(&ctx) {
        BPF_SOCK_OPS_STATE_CB => {
            if context::new_state(&ctx) == TCP_CLOSE {
                closed(&ctx);
            }
        }
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB => {
            if listed(&OUTBOUND_PORTS, context::remote_port(&ctx)) {
                opened(&ctx, Direction::Outbound);
            }
        }
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => {
            if listed(&INBOUND_PORTS, context::local_port(&ctx)) {
                opened(&ctx, Direction::Inbound);
            }
        }
        _ => {}
    }
    1 // "go on": the reply, which other callbacks ask for, stays as it is
}

/// Closes connections that the agent seeded.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn close_seeded(ctx: BtfTracePointContext) -> i32 {
    if ctx.arg::<i32>(2) as u32 == TCP_CLOSE {
        let socket: *mut core::ffi::c_void = ctx.arg(0);
        // SAFETY: the first argument of this tracepoint is a socket, which the verifier knows.
        let cookie = unsafe { bpf_get_socket_cookie(socket) };
        unseed(cookie);
    }
    0
}

/// Takes a seeded connection away once, whoever asks first.
#[inline(always)]
pub fn unseed(cookie: u64) -> Outcome {
    let Some(seed) = SEEDED.get_ptr(cookie) else { return Outcome::Unchanged };
    // SAFETY: points to a live map value that is never changed after its insertion.
    let Stored { host, direction, .. } = unsafe { *seed };
    if SEEDED.remove(cookie).is_err() {
        return Outcome::Unchanged;
    }
    if direction == Direction::Inbound as u8 {
        count::closed(Direction::Inbound, &host, 1)
    } else {
        count::closed(Direction::Outbound, &host, 1)
    }
}

/// Tells whether connections of this port are counted.
#[inline(always)]
fn listed(ports: &Ports, port: u16) -> bool {
    match ports.get(u32::from(port >> 6)) {
        Some(word) => word >> (port & 63) & 1 == 1,
        None => false,
    }
}

#[inline(always)]
fn opened(ctx: &SockOpsContext, direction: Direction) {
    let Some(control) = CONTROL.get(0) else { return };
    // SAFETY: the helper takes the context of this program.
    if unsafe { bpf_get_netns_cookie(ctx.ops.cast()) } != control.netns_cookie {
        return;
    }
    let socket = context::socket(ctx);
    if socket.is_null() {
        return;
    }
    let stored = storage(socket, BPF_SK_STORAGE_GET_F_CREATE);
    if stored.is_null() {
        return count::bump(Stat::StorageFailed);
    }
    // SAFETY: not null, so it points to this socket's storage; the socket is locked during the callback.
    let stored = unsafe { &mut *stored };
    if stored.counted != 0 {
        return; // fast open establishes a socket that was already announced
    }
    let callbacks = (context::callbacks(ctx) | BPF_SOCK_OPS_STATE_CB_FLAG) as i32;
    // SAFETY: the helper takes the context of this program.
    if unsafe { bpf_sock_ops_cb_flags_set(ctx.ops, callbacks) } != 0 {
        forget(socket);
        return count::bump(Stat::StorageFailed);
    }
    let host = context::remote_host(ctx);
    match count::opened(direction, &host, 1) {
        Outcome::Applied => {
            *stored = Stored { host, direction: direction as u8, counted: 1, pad: [0; 6] };
        }
        Outcome::Refused | Outcome::Unchanged | Outcome::Malformed => {
            forget(socket);
            count::bump(match direction {
                Direction::Inbound => Stat::RefusedInbound,
                Direction::Outbound => Stat::RefusedOutbound,
            });
        }
    }
}

#[inline(always)]
fn closed(ctx: &SockOpsContext) {
    let socket = context::socket(ctx);
    if socket.is_null() {
        return;
    }
    let stored = storage(socket, 0);
    if stored.is_null() {
        return;
    }
    // SAFETY: not null, so it points to this socket's storage; the socket is locked during the callback.
    let stored = unsafe { &mut *stored };
    if stored.counted == 0 {
        return;
    }
    // The storage goes with the socket: deleting it here costs a third of a microsecond more. A socket that connects
    // anew finds it, and is counted anew.
    stored.counted = 0;
    let Stored { host, direction, .. } = *stored;
    if direction == Direction::Inbound as u8 {
        count::closed(Direction::Inbound, &host, 1);
    } else {
        count::closed(Direction::Outbound, &host, 1);
    }
}

/// Returns this socket's storage, null when there is none.
#[inline(always)]
fn storage(socket: *mut bpf_sock, flags: u32) -> *mut Stored {
    // SAFETY: `socket` is the context's socket and not null.
    unsafe {
        bpf_sk_storage_get(
            (&raw const SOCKETS).cast_mut().cast(),
            socket.cast(),
            ptr::null_mut(),
            flags.into(),
        )
    }
    .cast()
}

/// Drops this socket's storage: its close will not be counted.
#[inline(always)]
fn forget(socket: *mut bpf_sock) {
    // SAFETY: `socket` is the context's socket and not null. It fails only when there is no storage.
    unsafe { bpf_sk_storage_delete((&raw const SOCKETS).cast_mut().cast(), socket.cast()) };
}

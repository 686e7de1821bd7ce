//! Counts connections as the kernel opens and closes them.
//!
//! `observe` sits on a cgroup and sees every TCP socket below it. `close_seeded` sees every socket of the kernel,
//! so it is attached only while connections older than the attach are left: their sockets never asked for the
//! state callback.
//!
//! A counted socket is known by the callbacks it asks for (`convoy_common::kernel::mark`), which the kernel keeps on
//! the socket: socket storage would cost two allocations a connection, more than all the rest of counting. The agent
//! cannot read those flags, so the few sockets that it could be wrong about have a note by cookie.
use crate::{
    context, count,
    maps::{CONTROL, INBOUND_PORTS, OUTBOUND_PORTS, Ports, SEEDED, SOCKETS},
};
use aya_ebpf::{
    bindings::{
        BPF_ANY, BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
        BPF_SOCK_OPS_STATE_CB,
    },
    helpers::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_sock_ops_cb_flags_set},
    macros::{btf_tracepoint, sock_ops},
    programs::{BtfTracePointContext, SockOpsContext},
};
use convoy_common::{
    count::Direction,
    kernel::{Control, MARK_NOTED, MARKS, Note, Outcome, Seed, Stat, Stock, mark},
};

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
    let Seed { host, direction, .. } = unsafe { *seed };
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
    let Some(control) = ours(ctx) else { return };
    let callbacks = context::callbacks(ctx);
    let marks = callbacks & MARKS;
    if marks == mark(Direction::Inbound) || marks == mark(Direction::Outbound) {
        return; // fast open establishes a socket that was already announced
    }
    let host = context::remote_host(ctx);
    // The mark first: what cannot be marked cannot be closed, so it is not counted.
    if !ask_for(ctx, callbacks & !MARKS | mark(direction)) {
        note(ctx, direction, false);
        return count::bump(Stat::Unmarked);
    }
    match count::opened(direction, &host, 1) {
        Outcome::Applied => {
            if control.taking_stock != Stock::Taken as u32 {
                note(ctx, direction, true);
            }
        }
        Outcome::Refused | Outcome::Unchanged | Outcome::Malformed => {
            ask_for(ctx, callbacks & !MARKS | MARK_NOTED);
            note(ctx, direction, false);
            count::bump(match direction {
                Direction::Inbound => Stat::RefusedInbound,
                Direction::Outbound => Stat::RefusedOutbound,
            });
        }
    }
}

#[inline(always)]
fn closed(ctx: &SockOpsContext) {
    let callbacks = context::callbacks(ctx);
    let marks = callbacks & MARKS;
    if marks & MARK_NOTED == 0 {
        return;
    }
    let Some(control) = ours(ctx) else { return };
    if marks == MARK_NOTED {
        forget(ctx);
        return;
    }
    let inbound = listed(&INBOUND_PORTS, context::local_port(ctx));
    let outbound = listed(&OUTBOUND_PORTS, context::remote_port(ctx));
    // All three marks: another program asked for what ours did not, and the port tells what the mark does not.
    let is_inbound = marks == mark(Direction::Inbound) || marks == MARKS && inbound;
    // A socket may connect anew, and is counted anew.
    ask_for(ctx, callbacks & !MARKS);
    if control.seeds != 0 && matches!(unseed(cookie(ctx)), Outcome::Applied) {
        return; // marked by an earlier program, counted by cookie since
    }
    let is_noteless = if is_inbound { inbound } else { outbound };
    if control.taking_stock != Stock::Taken as u32 || !is_noteless {
        let must_be_noted = control.taking_stock == Stock::Attached as u32 || !is_noteless;
        if !forget(ctx) && must_be_noted {
            return; // marked by an earlier program, and not counted by this one
        }
    }
    let direction = if is_inbound { Direction::Inbound } else { Direction::Outbound };
    count::closed(direction, &context::remote_host(ctx), 1);
}

/// Returns what the agent says, if the socket is of the network namespace that is counted.
#[inline(always)]
fn ours(ctx: &SockOpsContext) -> Option<&'static Control> {
    let control = CONTROL.get(0)?;
    // SAFETY: the helper takes the context of this program.
    (unsafe { bpf_get_netns_cookie(ctx.ops.cast()) } == control.netns_cookie).then_some(control)
}

/// Sets the callbacks that this socket gets; tells whether it will.
#[inline(always)]
fn ask_for(ctx: &SockOpsContext, callbacks: u32) -> bool {
    // SAFETY: the helper takes the context of this program.
    unsafe { bpf_sock_ops_cb_flags_set(ctx.ops, callbacks as i32) == 0 }
}

/// Keeps a note of this socket.
#[inline(always)]
fn note(ctx: &SockOpsContext, direction: Direction, counted: bool) {
    let note = Note { counted: counted as u8, direction: direction as u8, pad: [0; 6] };
    if SOCKETS.insert(cookie(ctx), &note, BPF_ANY as u64).is_err() {
        count::bump(Stat::NotesLost);
    }
}

/// Drops the note of this socket; tells whether there was one.
#[inline(always)]
fn forget(ctx: &SockOpsContext) -> bool {
    SOCKETS.remove(cookie(ctx)).is_ok()
}

/// Returns the kernel's name for this socket.
#[inline(always)]
fn cookie(ctx: &SockOpsContext) -> u64 {
    // SAFETY: the helper takes the context of this program.
    unsafe { bpf_get_socket_cookie(ctx.ops.cast()) }
}

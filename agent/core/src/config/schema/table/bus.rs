//! The bus: how the nodes agree on who is there and on the order of messages. All rows are Convoy's own.
//!
//! Source: `corosync.conf(5)` for what they become; docs/bus.md for what they mean.
use super::{Kind, Row};
use crate::time::Span;

pub(super) const OPTIONS: &[Row] = &[
    Row::new(
        CLUSTER,
        "bus_engine",
        Kind::Choice(ENGINES),
        "What carries the bus: auto is corosync when there are peers, else solo; solo is a node alone.",
    )
    .default("auto")
    .ours(),
    Row::new(
        CLUSTER,
        "bus_token",
        Kind::Seconds(TOKEN_MIN, TOKEN_MAX),
        "Silence after which the bus finds out who is there; a dead node is out after 2.2 times as long.",
    )
    .default("0.3")
    .ours(),
    Row::new(
        CLUSTER,
        "bus_encryption",
        Kind::Bool,
        "Whether messages on the bus are encrypted; they are authenticated in any case.",
    )
    .default("true")
    .ours(),
    Row::new(
        CLUSTER,
        "bus_key_file",
        Kind::Path,
        "File with the secret of the bus, 16 bytes or more, the same on every node; unset means no secret.",
    )
    .ours(),
];

const CLUSTER: &[&str] = &["cluster"];
const ENGINES: &[&str] = &["auto", "corosync", "solo"];
/// measured: at 50 ms a loaded node forms the ring anew four times a minute and loses nobody; at 36 ms it loses some.
const TOKEN_MIN: Span = Span::from_ms(50);
/// chosen: nobody waits longer than 22 s for a dead node's work.
const TOKEN_MAX: Span = Span::from_secs(10);

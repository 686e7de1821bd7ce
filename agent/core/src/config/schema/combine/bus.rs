//! Group communication: numbers that must fit each other.
use super::{super::Typed, entries, one};
use crate::{
    config::{
        diagnostic::{Diagnostic, Diagnostics},
        scopes::Scope,
        value::{Endpoint, endpoint},
    },
    time::Span,
};
use alloc::format;

pub(super) fn check(root: Scope<'_>, diagnostics: &mut Diagnostics) {
    port(root, diagnostics);
    peers(root, diagnostics);
    for name in ["msgc_server", "msgc_client"] {
        root.scope(name, None).into_iter().for_each(|scope| keepalive(scope, diagnostics));
    }
}

/// `port` of the server must be one its listener is bound to.
fn port(root: Scope<'_>, diagnostics: &mut Diagnostics) {
    let Some(port) = root.scope("msgc_server", None).and_then(|server| one(server, "port")) else { return };
    let listens = root.scope("msgcserver_listener", None).into_iter().flat_map(|all| all.instances("listen"));
    let listens = listens.filter_map(|listen| match endpoint(listen.instance()?) {
        Ok(Endpoint::Inet(address)) => Some((listen, address.port())),
        _ => None,
    });
    let mut other = None;
    for (listen, bound) in listens {
        if port.value == Typed::Int(bound.into()) {
            return;
        }
        other = other.or(Some((listen, bound)));
    }
    if let Some((listen, bound)) = other {
        let message = "`port` is not the port of the listener: no member will be reached";
        let warning = Diagnostic::warning("port-differs", message).at(port.place);
        let warning = match listen.place() {
            Some(place) => warning.note(place, "this listener accepts members"),
            None => warning,
        };
        diagnostics.push(warning.help(format!("write `port = {bound}`")));
    }
}

/// Other programs that read the list take names in lower case only.
fn peers(root: Scope<'_>, diagnostics: &mut Diagnostics) {
    let all = root.scope("msgc_server", None).and_then(|server| entries(server, "peers")).unwrap_or_default();
    for (key, place) in all.into_iter().filter_map(|entry| entry.key) {
        let lower = key.to_ascii_lowercase();
        if lower != key {
            let message = format!("peer `{key}` is not written in lower case");
            let warning = Diagnostic::warning("uppercase-peer", message).at(place);
            diagnostics
                .push(warning.help(format!("write `{lower}`: other programs that read this file refuse it")));
        }
    }
}

/// A connection must show signs of life before it counts as dead.
fn keepalive(scope: Scope<'_>, diagnostics: &mut Diagnostics) {
    let set = |name, default| match one(scope, name) {
        Some(entry) => match entry.value {
            Typed::Span(span) => (span, Some(entry.place)),
            _ => (default, None),
        },
        None => (default, None),
    };
    let (keepalive, keepalive_place) = set("keepalive_interval", Span::from_secs(5));
    let (idle, idle_place) = set("idle_timeout", Span::from_secs(30));
    if let (true, Some(place)) = (keepalive >= idle, keepalive_place.or(idle_place)) {
        let message =
            "`keepalive_interval` is not shorter than `idle_timeout`: every quiet connection is closed";
        let warning = Diagnostic::warning("keepalive-too-long", message).at(place);
        diagnostics.push(warning.help("make it a fraction, such as a sixth"));
    }
}

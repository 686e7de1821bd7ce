//! `Control_Listener` and `Authorization`: where consoles reach the daemon, and who may do what there.
//!
//! Source: reference sections 1.12 and 3.2.
use super::view::View;
use crate::host::control::{
    Plan,
    endpoint::{Access, At, Endpoint, Role},
};
use convoy_common::prefix::Prefix;
use convoy_core::{
    bounds,
    config::{
        diagnostic::{Diagnostic, Diagnostics},
        pattern::Pattern,
        place::Place,
        schema::Typed,
        scopes::Scope,
        value::{self, Endpoint as Written},
    },
};
use std::{path::PathBuf, time::Duration};

/// Returns what the configuration says; what is wrong with it is reported.
pub(super) fn plan(root: Scope<'_>, diagnostics: &mut Diagnostics) -> Plan {
    let listener = root.scope("Control_Listener", None);
    let whole = View { path: "Control_Listener", scopes: listener.into_iter().collect() };
    Plan {
        endpoints: listener.map(|listener| endpoints(listener, diagnostics)).unwrap_or_default(),
        authorize: is_set(&whole, "Enable_Authorization"),
        roles: roles(root, diagnostics),
    }
}

fn endpoints(listener: Scope<'_>, diagnostics: &mut Diagnostics) -> Vec<Endpoint> {
    let mut found: Vec<(Endpoint, Place)> = Vec::new();
    for scope in listener.instances("Listen") {
        let (Some(instance), Some(place)) = (scope.instance(), scope.place()) else { continue };
        let at = match value::endpoint(instance) {
            Ok(Written::Unix(path)) => At::Unix(PathBuf::from(path)),
            Ok(Written::Inet(address)) if address.ip().to_canonical().is_loopback() => At::Tcp(address),
            Ok(Written::Inet(address)) => {
                let fault =
                    Diagnostic::error("not-loopback", format!("consoles cannot be reached on {address}"));
                diagnostics.push(fault.at(place).help(
                    "there is no encryption, and only on loopback the kernel says whose a connection is; write a \
                     loopback address or a path, and from other hosts use `ssh HOST convoy console`",
                ));
                continue;
            }
            Err(_) => continue, // the schema has told
        };
        let view = View { path: LISTEN, scopes: vec![scope, listener] };
        if !view.bool("enable") {
            continue;
        }
        if let Some((_, twin)) = found.iter().find(|(other, _)| other.at == at) {
            let fault = Diagnostic::error("duplicate-listen", format!("{at} is listened on twice"));
            diagnostics.push(fault.at(place).note(*twin, "first here").help("remove one of the two"));
            continue;
        }
        if found.len() == bounds::CONTROL_LISTENS_MAX {
            let message = format!("more than {} `Listen` scopes", bounds::CONTROL_LISTENS_MAX);
            diagnostics.push(Diagnostic::error("too-many-listens", message).at(place));
            break;
        }
        found.push((endpoint(at, &view, scope, listener), place));
    }
    found.into_iter().map(|(endpoint, _)| endpoint).collect()
}

fn endpoint(at: At, view: &View<'_>, scope: Scope<'_>, listener: Scope<'_>) -> Endpoint {
    let timeout = View { path: "Control_Listener", scopes: vec![listener] }.span("timeout");
    let access = |block: Option<Prefix>| {
        let within = |around: Scope<'_>| block.and_then(|block| narrowest(around, block));
        let scopes = [
            scope.instances("Peer").nth(within(scope).unwrap_or(usize::MAX)),
            Some(scope),
            listener.instances("Peer").nth(within(listener).unwrap_or(usize::MAX)),
            Some(listener),
        ];
        let view = View { path: PEER, scopes: scopes.into_iter().flatten().collect() };
        Access {
            authenticate: is_set(&view, "Enable_Authentication"),
            authorize: is_set(&view, "Enable_Authorization"),
            always_allow: is_set(&view, "always_allow"),
            always_deny: is_set(&view, "always_deny"),
        }
    };
    let mut blocks: Vec<_> = blocks(scope).chain(blocks(listener)).collect();
    blocks.sort_by_key(|block| (block.first(), block.bits()));
    blocks.dedup();
    Endpoint {
        at,
        file_mode: match view.one("file_mode") {
            Some(Typed::Permissions(mode)) => mode,
            _ => FILE_MODE,
        },
        backlog: view.number("listen_backlog"),
        receive_buffer: view.buffer("tcp_recv_buffer_size"),
        send_buffer: view.buffer("tcp_send_buffer_size"),
        nodelay: view.bool("disable_nagle_algorithm"),
        timeout: if timeout.as_ns() == 0 { TIMEOUT_MAX } else { Duration::from_nanos(timeout.as_ns()) },
        access: access(None),
        peers: blocks.into_iter().map(|block| (block, access(Some(block)))).collect(),
    }
}

/// Returns the blocks of a scope's `Peer` scopes.
fn blocks(around: Scope<'_>) -> impl Iterator<Item = Prefix> {
    around.instances("Peer").filter_map(block)
}

fn block(peer: Scope<'_>) -> Option<Prefix> {
    peer.instance()?.parse().ok()
}

/// Returns which of a scope's `Peer` scopes holds a whole block most narrowly.
fn narrowest(around: Scope<'_>, inner: Prefix) -> Option<usize> {
    let holding = around.instances("Peer").enumerate().filter_map(|(at, peer)| Some((block(peer)?, at)));
    let holding = holding.filter(|(block, _)| block.bits() <= inner.bits() && block.contains(inner.first()));
    holding.max_by_key(|(block, _)| block.bits()).map(|(_, at)| at)
}

/// Returns whether an option is on; one without a default is not when it is not set.
fn is_set(view: &View<'_>, name: &str) -> bool {
    matches!(view.one(name), Some(Typed::Bool(true)))
}

fn roles(root: Scope<'_>, diagnostics: &mut Diagnostics) -> Vec<Role> {
    let scopes = root.scope("Authorization", None);
    let scopes: Vec<_> = scopes.into_iter().flat_map(|scope| scope.instances("Role")).collect();
    if let Some(beyond) = scopes.get(bounds::ROLES_MAX) {
        let fault =
            Diagnostic::error("too-many-roles", format!("more than {} `Role` scopes", bounds::ROLES_MAX));
        diagnostics.push(beyond.place().into_iter().fold(fault, Diagnostic::at));
    }
    let role = |scope: &Scope<'_>| {
        let view = View { path: "Authorization::Role", scopes: vec![*scope] };
        let entries = view.entries("allow");
        if let Some(beyond) = entries.get(bounds::ROLE_PATTERNS_MAX) {
            let message = format!("more than {} patterns in one role", bounds::ROLE_PATTERNS_MAX);
            diagnostics.push(Diagnostic::error("too-many-patterns", message).at(beyond.place));
        }
        let mut allow = Vec::new();
        for entry in entries.into_iter().take(bounds::ROLE_PATTERNS_MAX) {
            let Typed::Text(text) = entry.value else { continue };
            match Pattern::new(&text) {
                Ok(pattern) => allow.push(pattern),
                Err(bad) => {
                    let fault = Diagnostic::error("bad-pattern", bad.to_string()).at(entry.place);
                    diagnostics.push(fault.help("write an expression such as `^cluster (info|membership)$`"));
                }
            }
        }
        Some(Role { name: scope.instance()?.to_owned(), allow })
    };
    scopes.iter().take(bounds::ROLES_MAX).filter_map(role).collect()
}

const LISTEN: &str = "Control_Listener::Listen";
const PEER: &str = "Control_Listener::Listen::Peer";
/// The table's default, for the day on which it has none.
const FILE_MODE: u16 = 0o660;
/// What `timeout = 0` means: the longest that can be written. A client that is gone must not stay for ever.
const TIMEOUT_MAX: Duration = Duration::from_hours(1);

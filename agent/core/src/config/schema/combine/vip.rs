//! Addresses that move: which combinations make sense, and which addresses may move at all.
//!
//! Source: reference sections 5.1, 5.2 and 10.3.
use super::{
    super::{Typed, nearest},
    entries, one, place_of, text,
};
use crate::config::{
    diagnostic::{Diagnostic, Diagnostics},
    place::Place,
    scopes::Scope,
    value::{self, Endpoint},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};
use convoy_common::{addr::Host, prefix::Prefix};
use core::net::IpAddr;

/// A binding or a socket, as far as it may move.
struct Service<'a> {
    scope: Scope<'a>,
    /// Whether it is a binding.
    binding: bool,
    /// Its own address; `None` for any address.
    address: Option<IpAddr>,
    /// Where it is enabled, if it is.
    enabled: Option<Place>,
    preference: Option<(String, Place)>,
    follow: Option<(String, Place)>,
}

pub(super) fn check(root: Scope<'_>, blocks: &[Prefix], diagnostics: &mut Diagnostics) {
    let services: Vec<_> = bindings(root).chain(sockets(root)).collect();
    // All services of an address that moves move with it.
    let moving: BTreeSet<_> = services
        .iter()
        .filter(|service| service.enabled.is_some())
        .filter_map(|service| service.address)
        .collect();
    for service in &services {
        let moves = service.address.is_some_and(|address| moving.contains(&address));
        together(service, moves, diagnostics);
        if let Some((target, place)) = &service.follow {
            follow(service, target, *place, &services, diagnostics);
        }
    }
    preferences(root, &services, diagnostics);
    balance(root, &services, diagnostics);
    places(root, &services, blocks, diagnostics);
}

impl<'a> Service<'a> {
    fn of(scope: Scope<'a>, binding: bool, address: Option<IpAddr>) -> Self {
        let enabled = one(scope, "enable_duravip").filter(|entry| entry.value == Typed::Bool(true));
        Self {
            scope,
            binding,
            address: address.filter(|address| !address.is_unspecified()),
            enabled: enabled.map(|entry| entry.place),
            preference: text(scope, "duravip_preference"),
            follow: text(scope, "duravip_follow"),
        }
    }

    fn name(&self) -> String {
        let (what, instance) = (if self.binding { "binding" } else { "socket" }, self.scope.instance());
        format!("{what} `{}`", instance.unwrap_or_default())
    }
}

/// Returns all bindings, those of groups too, each with its address: its own, its group's, or the global one.
fn bindings(root: Scope<'_>) -> impl Iterator<Item = Service<'_>> {
    let groups = root.instances("binding_group").flat_map(|group| group.instances("binding"));
    root.instances("binding").chain(groups).map(move |scope| {
        let mut at = Some(scope);
        let mut address = None;
        while let (Some(scope), None) = (at, address.as_ref()) {
            address = one(scope, "bind_address");
            at = scope.parent();
        }
        let address = match address.map(|entry| entry.value) {
            Some(Typed::Address(address)) => address,
            _ => None,
        };
        Service::of(scope, true, address)
    })
}

fn sockets(root: Scope<'_>) -> impl Iterator<Item = Service<'_>> {
    let listeners = LISTENERS.into_iter().filter_map(move |name| root.scope(name, None));
    listeners.flat_map(|listener| listener.instances("listen")).map(|scope| {
        let address = match scope.instance().map(value::endpoint) {
            Some(Ok(Endpoint::Inet(address))) => Some(address.ip()),
            _ => None,
        };
        Service::of(scope, false, address)
    })
}

/// The options of one service among each other.
fn together(service: &Service<'_>, moves: bool, diagnostics: &mut Diagnostics) {
    let name = service.name();
    if let (Some((_, follow)), Some(enabled)) = (&service.follow, service.enabled) {
        let fault = Diagnostic::error("vip-follow-enabled", format!("{name} is enabled and follows another"));
        let fault = fault.at(*follow).note(enabled, "enabled here");
        diagnostics.push(fault.help("remove `Duravip_Follow` or `Enable_Duravip`"));
    }
    if let (Some((_, follow)), Some((_, place))) = (&service.follow, &service.preference) {
        let message = format!("{name} follows another: its preference is not asked");
        let warning = Diagnostic::warning("vip-preference-unused", message).at(*place);
        diagnostics
            .push(warning.note(*follow, "it follows").help("set the preference of the binding instead"));
    } else if let (None, false, Some((_, place))) = (service.enabled, moves, &service.preference) {
        let message = format!("{name} does not move: its preference is not asked");
        let warning = Diagnostic::warning("vip-preference-unused", message).at(*place);
        diagnostics.push(warning.help("write `Enable_Duravip = true` too"));
    }
    if let (Some(place), None) = (service.enabled, service.address) {
        let message = format!("{name} has no address of its own that could move");
        let help =
            if service.binding { "write `bind_address = 10.1.1.1`" } else { "name one address in `Listen`" };
        diagnostics.push(Diagnostic::warning("vip-no-address", message).at(place).help(help));
    }
}

/// A socket that follows: its target must be a binding that moves, on another address.
fn follow(
    service: &Service<'_>,
    target: &str,
    place: Place,
    services: &[Service<'_>],
    diagnostics: &mut Diagnostics,
) {
    let wanted = value::ip(target).ok();
    let fits = |other: &&Service<'_>| match wanted {
        Some(address) => other.address == Some(address),
        None => other.scope.instance() == Some(target),
    };
    let Some(found) = services.iter().filter(|other| other.binding).find(fits) else {
        let what = if wanted.is_some() { "no binding has the address" } else { "there is no binding" };
        let fault = Diagnostic::error("vip-follow-target", format!("`Duravip_Follow`: {what} `{target}`"));
        let fault = fault.at(place);
        let names = services.iter().filter(|other| other.binding).filter_map(|other| other.scope.instance());
        let socket = services.iter().find(|other| !other.binding && fits(other));
        diagnostics.push(match (socket, nearest(target, names.take(NAMES_MAX))) {
            (Some(socket), _) => {
                fault.note(place_of(socket.scope), "this is a socket: only bindings are followed")
            }
            (None, Some(meant)) => fault.help(format!("did you mean `{meant}`?")),
            (None, None) => fault.help("name a binding, or the address of one"),
        });
        return;
    };
    if service.address.is_some() && found.address == service.address {
        let fault = Diagnostic::error("vip-follow-itself", "`Duravip_Follow`: both have the same address");
        let fault = fault.at(place).note(place_of(found.scope), "this binding has it too");
        diagnostics.push(fault.help("use different addresses, or `Enable_Duravip` instead"));
    } else if found.enabled.is_none() {
        let message = format!("`Duravip_Follow`: {} does not move", found.name());
        let warning = Diagnostic::warning("vip-follow-still", message).at(place);
        diagnostics.push(warning.note(place_of(found.scope), "it needs `Enable_Duravip = true`"));
    }
}

/// Preferences name members, and services of one address the same one.
fn preferences(root: Scope<'_>, services: &[Service<'_>], diagnostics: &mut Diagnostics) {
    let peers =
        root.scope("msgc_server", None).and_then(|server| entries(server, "peers")).unwrap_or_default();
    let peers: Vec<_> = peers.into_iter().filter_map(|peer| Some(peer.key?.0.to_ascii_lowercase())).collect();
    let mut first: BTreeMap<IpAddr, (&str, Place)> = BTreeMap::new();
    for service in services.iter().filter(|service| service.enabled.is_some()) {
        let Some((name, place)) = &service.preference else { continue };
        if !peers.is_empty() && !peers.contains(&name.to_ascii_lowercase()) {
            let message = format!("`Duravip_Preference`: `{name}` is not among the peers");
            let warning = Diagnostic::warning("vip-preference-stranger", message).at(*place);
            diagnostics.push(match nearest(name, peers.iter().map(|peer| &**peer)) {
                Some(meant) => warning.help(format!("did you mean `{meant}`?")),
                None => warning.help("name a node, as `msgc_server` has it in `peers`"),
            });
        }
        let Some(address) = service.address else { continue };
        match first.get(&address) {
            Some((other, other_place)) if !other.eq_ignore_ascii_case(name) => {
                let message = format!("{address} prefers two nodes, `{other}` and `{name}`");
                let warning = Diagnostic::warning("vip-preferences-differ", message).at(*place);
                diagnostics.push(
                    warning.note(*other_place, "the other one").help("services of one address move together"),
                );
            }
            Some(_) => {}
            None => drop(first.insert(address, (name, *place))),
        }
    }
}

/// Addresses without a preference are spread in steps; the smallest step is allowed and slow.
fn balance(root: Scope<'_>, services: &[Service<'_>], diagnostics: &mut Diagnostics) {
    let free = services.iter().filter(|service| service.enabled.is_some() && service.preference.is_none());
    let set = root.scope("cluster", None).and_then(|cluster| one(cluster, "duravip_balance_set_size"));
    let set = set.filter(|set| set.value == Typed::Int(1) && free.count() > 1);
    if let Some(set) = set {
        let message = "`duravip_balance_set_size` is 1: addresses without a preference are spread slowly";
        let warning = Diagnostic::warning("balance-set-of-one", message).at(set.place);
        diagnostics.push(warning.help("set the same larger number on every node, all of them down"));
    }
}

/// Every address that moves lies in a block, and is none that nodes are reached by.
fn places(root: Scope<'_>, services: &[Service<'_>], blocks: &[Prefix], diagnostics: &mut Diagnostics) {
    let mut fixed: BTreeMap<IpAddr, Place> = BTreeMap::new();
    for (scope, name) in [("msgc_server", "peers"), ("cluster", "nodeaddr")] {
        for entry in root.scope(scope, None).and_then(|scope| entries(scope, name)).unwrap_or_default() {
            if let Typed::Ip(address) = entry.value {
                fixed.entry(address.to_canonical()).or_insert(entry.place);
            }
        }
    }
    let mut homeless: Option<(IpAddr, Place, usize)> = None;
    for service in services {
        let (Some(place), Some(address)) = (service.enabled, service.address) else { continue };
        if let Some(used) = fixed.get(&address.to_canonical()) {
            let fault =
                Diagnostic::error("vip-management", format!("{address} moves, but a node is reached by it"));
            let fault = fault.at(place).note(*used, "here it belongs to one node");
            diagnostics.push(fault.help("give what moves an address of its own"));
        } else if !blocks.iter().any(|block| block.contains(Host::from(address))) {
            let (_, first, others) = homeless.get_or_insert((address, place, 0));
            *others += usize::from(*first != place);
        }
    }
    if let Some((address, place, others)) = homeless {
        let message = format!("no `Topology` holds {address}: no interface can carry it");
        let warning = Diagnostic::warning("vip-no-topology", message).at(place);
        let warning = match others {
            0 => warning,
            1 => warning.expected("and one other address"),
            _ => warning.expected(format!("and {others} other addresses")),
        };
        diagnostics
            .push(warning.help("add `Topology \"10.1.1.0/24\" { interface = \"eth1\" }` to scope `cluster`"));
    }
}

/// Listeners whose sockets may move.
const LISTENERS: [&str; 7] = [
    "esmtp_listener",
    "ecstream_listener",
    "http_listener",
    "xmpp_listener",
    "control_listener",
    "eccluster_listener",
    "msgcserver_listener",
];
/// chosen: enough to look for a slip of the hand in.
const NAMES_MAX: usize = 1_000;

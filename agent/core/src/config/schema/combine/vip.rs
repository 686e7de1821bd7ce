//! Addresses that move: which combinations make sense, and which addresses may move at all.
//!
//! Source: reference sections 5.1, 5.2 and 10.3.
use super::{
    super::{
        Row, Typed,
        managed::{Service, bindings},
        nearest,
    },
    entries, one, place_of, text,
};
use crate::{
    bounds,
    config::{
        diagnostic::{Diagnostic, Diagnostics},
        place::Place,
        scopes::Scope,
        value,
    },
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
};
use convoy_common::{addr::Host, prefix::Prefix};
use core::net::IpAddr;

/// Returns whether the option is one of a service's own.
pub(super) fn takes(scope: Scope<'_>, row: &Row) -> bool {
    match row.name {
        "Enable_Duravip" | "Duravip_Preference" | "Duravip_Follow" => true,
        "bind_address" => scope.name() == "binding",
        _ => false,
    }
}

pub(super) fn check(
    root: Scope<'_>,
    services: &[Service<'_>],
    blocks: &[Prefix],
    diagnostics: &mut Diagnostics,
) {
    // All services of an address that moves move with it.
    let moving: BTreeSet<_> =
        services.iter().filter(|service| service.enabled.is_some()).filter_map(Service::address).collect();
    let followers = services.iter().filter(|service| service.follow.is_some()).filter_map(Service::address);
    fewer(&moving.iter().copied().chain(followers).collect(), services, diagnostics);
    let targets = Targets::of(services);
    for service in services {
        let moves = service.address().is_some_and(|address| moving.contains(&address));
        together(service, moves, diagnostics);
        if let Some((target, place)) = &service.follow {
            follow(root, service, (target, *place), &targets, diagnostics);
        }
    }
    preferences(root, services, diagnostics);
    balance(root, services, diagnostics);
    voters(root, services, diagnostics);
    places(root, services, blocks, diagnostics);
}

/// The options of one service among each other.
fn together(service: &Service<'_>, moves: bool, diagnostics: &mut Diagnostics) {
    let name = || service.name();
    if let (Some((_, follow)), Some(enabled)) = (&service.follow, service.enabled) {
        let fault =
            Diagnostic::error("vip-follow-enabled", format!("{} is enabled and follows another", name()));
        let fault = fault.at(*follow).note(enabled, "enabled here");
        diagnostics.push(fault.help("remove `Duravip_Follow` or `Enable_Duravip`"));
    }
    if let (Some((_, follow)), Some((_, place))) = (&service.follow, &service.preference) {
        let message = format!("{} follows another: its preference is not asked", name());
        let warning = Diagnostic::warning("vip-preference-unused", message).at(*place);
        diagnostics
            .push(warning.note(*follow, "it follows").help("set the preference of the binding instead"));
    } else if let (None, false, Some((_, place))) = (service.enabled, moves, &service.preference) {
        let message = format!("{} does not move: its preference is not asked", name());
        let warning = Diagnostic::warning("vip-preference-unused", message).at(*place);
        diagnostics.push(warning.help("write `Enable_Duravip = true` too"));
    }
    if let (Some(place), None) = (service.enabled, service.address()) {
        let message = format!("{} has no address of its own that could move", name());
        let help =
            if service.binding { "write `bind_address = 10.1.1.1`" } else { "name one address in `Listen`" };
        diagnostics.push(Diagnostic::warning("vip-no-address", message).at(place).help(help));
    }
}

/// A socket that follows: its target must be a binding that moves, on another address.
fn follow(
    root: Scope<'_>,
    service: &Service<'_>,
    (target, place): (&str, Place),
    targets: &Targets<'_>,
    diagnostics: &mut Diagnostics,
) {
    let Some(found) = Targets::find(&targets.bindings, target) else {
        let suggest = diagnostics.errors() < bounds::CONFIG_ERRORS_MAX;
        diagnostics.push(if let Some(silent) = binding(root, target) {
            still(target, place_of(silent), place)
        } else {
            no_target(root, (target, place), Targets::find(&targets.sockets, target), suggest)
        });
        return;
    };
    if service.address().is_some() && found.address() == service.address() {
        let fault = Diagnostic::error("vip-follow-itself", "`Duravip_Follow`: both have the same address");
        let fault = fault.at(place).note(place_of(found.scope), "this binding has it too");
        diagnostics.push(fault.help("use different addresses, or `Enable_Duravip` instead"));
    } else if found.enabled.is_none() {
        diagnostics.push(still(found.scope.instance().unwrap_or_default(), place_of(found.scope), place));
    }
}

fn still(name: &str, binding: Place, place: Place) -> Diagnostic {
    let message = format!("`Duravip_Follow`: binding `{name}` does not move");
    Diagnostic::warning("vip-follow-still", message)
        .at(place)
        .note(binding, "it needs `Enable_Duravip = true`")
}

fn no_target(
    root: Scope<'_>,
    (target, place): (&str, Place),
    socket: Option<&Service<'_>>,
    suggest: bool,
) -> Diagnostic {
    let what = if value::ip(target).is_ok() { "no binding has the address" } else { "there is no binding" };
    let fault = Diagnostic::error("vip-follow-target", format!("`Duravip_Follow`: {what} `{target}`"));
    let fault = fault.at(place);
    let names = bindings(root).filter_map(Scope::instance).take(if suggest { NAMES_MAX } else { 0 });
    match (socket, nearest(target, names)) {
        (Some(socket), _) => {
            fault.note(place_of(socket.scope), "this is a socket: only bindings are followed")
        }
        (None, Some(meant)) => fault.help(format!("did you mean `{meant}`?")),
        (None, None) => fault.help("name a binding, or the address of one"),
    }
}

/// Services that say something about their address, by name and by address.
#[derive(Default)]
struct Targets<'s> {
    bindings: Index<'s>,
    sockets: Index<'s>,
}

type Index<'s> = (BTreeMap<&'s str, &'s Service<'s>>, BTreeMap<IpAddr, &'s Service<'s>>);

impl<'s> Targets<'s> {
    /// Empty when nobody follows.
    fn of(services: &'s [Service<'s>]) -> Self {
        let mut targets = Self::default();
        if services.iter().all(|service| service.follow.is_none()) {
            return targets;
        }
        for service in services {
            let (names, addresses) =
                if service.binding { &mut targets.bindings } else { &mut targets.sockets };
            names.entry(service.scope.instance().unwrap_or_default()).or_insert(service);
            if let Some(address) = service.address() {
                addresses.entry(address).or_insert(service);
            }
        }
        targets
    }

    fn find((names, addresses): &Index<'s>, target: &str) -> Option<&'s Service<'s>> {
        match value::ip(target) {
            Ok(address) => addresses.get(&address).copied(),
            Err(_) => names.get(target).copied(),
        }
    }
}

/// Returns the binding of that name, also one in a group.
fn binding<'a>(root: Scope<'a>, name: &str) -> Option<Scope<'a>> {
    let of = |scope: Scope<'a>| scope.scope("binding", Some(name));
    of(root).or_else(|| root.instances("binding_group").find_map(of))
}

/// Preferences name members, and services of one address the same one.
fn preferences(root: Scope<'_>, services: &[Service<'_>], diagnostics: &mut Diagnostics) {
    let peers =
        root.scope("msgc_server", None).and_then(|server| entries(server, "peers")).unwrap_or_default();
    let peers: BTreeSet<_> =
        peers.into_iter().filter_map(|peer| Some(peer.key?.0.to_ascii_lowercase())).collect();
    let mut first: BTreeMap<IpAddr, (&str, Place)> = BTreeMap::new();
    for service in services.iter().filter(|service| service.enabled.is_some()) {
        let Some((name, place)) = &service.preference else { continue };
        if !peers.is_empty() && !peers.contains(&name.to_ascii_lowercase()) {
            let message = format!("`Duravip_Preference`: `{name}` is not among the peers");
            let warning = Diagnostic::warning("vip-preference-stranger", message).at(*place);
            let suggest = diagnostics.warnings() < bounds::CONFIG_WARNINGS_MAX;
            let names = peers.iter().map(|peer| &**peer).take(if suggest { NAMES_MAX } else { 0 });
            diagnostics.push(match nearest(name, names) {
                Some(meant) => warning.help(format!("did you mean `{meant}`?")),
                None => warning.help("name a node, as `msgc_server` has it in `peers`"),
            });
        }
        let Some(address) = service.address() else { continue };
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

/// Who has an address is agreed on over the bus: a node alone on it agrees with nobody, and is no majority of several. Nor is
/// one of two nodes: with two of them nobody takes over, unless every part acts for itself.
fn voters(root: Scope<'_>, services: &[Service<'_>], diagnostics: &mut Diagnostics) {
    let Some(moves) = services.iter().find_map(|service| service.enabled) else { return };
    let set = |name| root.scope("cluster", None).and_then(|cluster| text(cluster, name));
    let is_quorum = set("duravip_partition").is_none_or(|(word, _)| word == "quorum");
    let solo = set("bus_engine").filter(|(word, _)| *word == "solo");
    let peers = root.scope("msgc_server", None).and_then(|server| entries(server, "peers"));
    match (solo, peers.as_deref()) {
        (Some((_, place)), Some([_, _, ..])) => {
            let message = if is_quorum {
                "no address ever gets an owner: a node alone on its bus is no majority of its peers"
            } else {
                "all peers hold all addresses at once: each is alone on its bus, and a part for itself"
            };
            let warning = Diagnostic::warning("vip-solo", message).at(place);
            let help = "remove `bus_engine = solo`, so that the nodes agree; for one node alone, leave only it in `peers`";
            diagnostics.push(warning.note(moves, "this address is to move").help(help));
        }
        (None, Some([_, last])) if is_quorum => {
            let message = "of two nodes neither takes addresses over from the other: one is no majority";
            let warning = Diagnostic::warning("vip-two-nodes", message).at(last.place);
            let help =
                "add a third node or a manager, or write `duravip_partition = each_side` in scope `cluster`";
            diagnostics.push(warning.note(moves, "this address is to move").help(help));
        }
        _ => {}
    }
}

/// The addresses that move are no more than a node looks after.
fn fewer(moving: &BTreeSet<IpAddr>, services: &[Service<'_>], diagnostics: &mut Diagnostics) {
    if moving.len() > bounds::VIPS_MAX {
        let message = format!("{} addresses move: a node has at most {}", moving.len(), bounds::VIPS_MAX);
        let fault = Diagnostic::error("too-many-vips", message).help("enable DuraVIP for fewer of them");
        let place = services.iter().find_map(|service| service.enabled).unwrap_or_default();
        diagnostics.push(fault.at(place));
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
        let (Some(place), Some(address)) = (service.enabled, service.address()) else { continue };
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

/// chosen: enough to look for a slip of the hand in.
const NAMES_MAX: usize = 1_000;

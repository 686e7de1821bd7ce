//! Which addresses a configuration gives to the cluster, what is on each, and which interface carries it.
//!
//! Invariants: 1. an address is managed when a service on it is enabled, or follows a binding that is; all its services
//! are then; 2. without an interface it is not managed; 3. nothing is reported here: what does not fit together is, in
//! `combine`. Source: reference sections 2.5 and 5.2.
use super::{Typed, combine, path, scope as scope_row};
use crate::config::{
    scopes::{Scope, Scopes},
    value,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use convoy_common::{addr::Host, prefix::Prefix};
use core::net::IpAddr;

mod service;

pub(super) use service::{Service, bindings};

/// One managed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Managed {
    /// Bindings that send from it.
    pub bindings: BTreeSet<String>,
    /// Kinds of the listeners that have a socket on it, as the table of scopes spells them.
    pub services: BTreeSet<String>,
    /// `Duravip_Preference`: of a service that is enabled, else of another one; the first in the text.
    pub preference: Option<String>,
    /// Address of the binding that it follows.
    pub follow: Option<IpAddr>,
    /// The interface of its block.
    pub interface: String,
    /// Bits of the network that it brings to the interface.
    pub bits: u8,
}

/// Returns the managed addresses.
pub fn managed(scopes: &Scopes) -> BTreeMap<IpAddr, Managed> {
    let root = scopes.root();
    let services: Vec<_> = service::all(root).filter(|service| service.address().is_some()).collect();
    let enabled = services.iter().filter(|service| service.enabled.is_some());
    let moving: BTreeSet<_> = enabled.filter_map(Service::address).collect();
    let follows = followed(&services, &moving);
    let blocks = blocks(root);
    let mut found = BTreeMap::new();
    for address in moving.iter().chain(follows.keys()) {
        let Some(block) = smallest(&blocks, *address) else { continue };
        let Some(interface) = block.interface.clone() else { continue };
        let follow = follows.get(address).copied().filter(|_| !moving.contains(address));
        let (bindings, services) = (BTreeSet::new(), BTreeSet::new());
        let bits = block.bits;
        found.insert(*address, Managed { bindings, services, preference: None, follow, interface, bits });
    }
    let has_enabled_first = |service: &&Service<'_>| service.enabled.is_none();
    let mut by_weight: Vec<_> = services.iter().collect();
    by_weight.sort_by_key(has_enabled_first);
    for service in by_weight {
        let Some(managed) = service.address().and_then(|address| found.get_mut(&address)) else { continue };
        match service.scope.instance() {
            Some(name) if service.binding => drop(managed.bindings.insert(name.into())),
            _ => drop(managed.services.insert(kind(service.scope))),
        }
        if let (None, Some((node, _))) = (&managed.preference, &service.preference) {
            managed.preference = Some(node.clone());
        }
    }
    found
}

/// Returns the addresses of sockets that follow, with those that they follow.
fn followed(services: &[Service<'_>], moving: &BTreeSet<IpAddr>) -> BTreeMap<IpAddr, IpAddr> {
    let mut names = BTreeMap::new();
    let moves = |service: &&Service<'_>| service.binding && service.enabled.is_some();
    for service in services.iter().filter(moves) {
        if let (Some(name), Some(address)) = (service.scope.instance(), service.address()) {
            names.entry(name).or_insert(address);
        }
    }
    let follow = |service: &Service<'_>| {
        let (target, _) = service.follow.as_ref().filter(|_| service.enabled.is_none())?;
        let target = match value::ip(target) {
            Ok(address) => Some(address.to_canonical()).filter(|address| moving.contains(address)),
            Err(_) => names.get(&**target).copied(),
        };
        let own = service.address()?;
        target.filter(|target| *target != own).map(|target| (own, target))
    };
    services.iter().filter_map(follow).collect()
}

/// Returns the kind of the listener around a socket.
fn kind(socket: Scope<'_>) -> String {
    let listener = socket.parent().map(path).unwrap_or_default();
    scope_row(&listener).map_or(listener, |row| row.path.into())
}

/// A `Topology` scope.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    prefix: Prefix,
    interface: Option<String>,
    bits: u8,
}

/// Returns the blocks, the smallest first; of two for the same addresses the first in the text.
fn blocks(root: Scope<'_>) -> Vec<Block> {
    let scopes = root.scope("cluster", None).into_iter().flat_map(|cluster| cluster.instances("topology"));
    let mut blocks: Vec<Block> = scopes.take(BLOCKS_MAX).filter_map(block).collect();
    blocks.sort_by_key(|block| core::cmp::Reverse(block.prefix.bits()));
    blocks
}

fn block(scope: Scope<'_>) -> Option<Block> {
    let prefix = value::prefix(scope.instance()?).ok()?;
    let most = prefix.family().bits();
    let set = match combine::one(scope, "cidrmask").map(|entry| entry.value) {
        Some(Typed::Int(bits)) => u8::try_from(bits).ok().filter(|bits| *bits <= most),
        _ => None,
    };
    let interface = combine::text(scope, "interface").map(|(name, _)| name).filter(|name| !name.is_empty());
    Some(Block { prefix, interface, bits: set.unwrap_or(most) })
}

fn smallest(blocks: &[Block], address: IpAddr) -> Option<&Block> {
    blocks.iter().find(|block| block.prefix.contains(Host::from(address)))
}

/// chosen: a host has far fewer interfaces, and every address that moves is compared with all blocks.
pub(super) const BLOCKS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::memory::load_files;
    use alloc::{format, string::ToString as _};

    const TOPOLOGY: &str = "cluster {
        Topology 10.1.0.0/16 { interface = eth0 }
        Topology 10.1.1.0/24 { interface = eth1 cidrmask = 24 }
        Topology 2001:db8::/64 { interface = eth2 }
        Topology 10.9.0.0/16 { }
    }\n";

    fn of(text: &str) -> BTreeMap<IpAddr, Managed> {
        let (config, diagnostics) = load_files(&[("m", &format!("{TOPOLOGY}{text}"))]);
        assert!(!diagnostics.has_errors(), "{text}");
        managed(&config.scopes)
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found = of(text).into_iter().map(|(address, managed)| {
            let Managed { bindings, services, preference, follow, interface, bits } = managed;
            let of = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(",");
            let preference = preference.unwrap_or_default();
            let follow = follow.map(|address| address.to_string()).unwrap_or_default();
            format!(
                "{address}/{bits} {interface} b:{} s:{} p:{preference} f:{follow}",
                of(bindings),
                of(services)
            )
        });
        assert_eq!(found.collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn the_smallest_block_names_interface_and_mask() {
        let binding =
            |address: &str| format!("Binding a {{ bind_address = {address} Enable_Duravip = true }}");
        check(&binding("10.1.2.3"), &["10.1.2.3/32 eth0 b:a s: p: f:"]);
        check(&binding("10.1.1.3"), &["10.1.1.3/24 eth1 b:a s: p: f:"]);
        check(&binding("2001:db8::3"), &["2001:db8::3/128 eth2 b:a s: p: f:"]);
        check(&binding("10.2.1.3"), &[]);
        check(&binding("10.9.1.3"), &[]);
        check(&binding("*"), &[]);
    }

    #[test]
    fn all_services_of_an_address_move_with_it() {
        let listen =
            "ESMTP_Listener { Listen 10.1.2.3:25 { Duravip_Preference = mx1 } Listen 10.1.2.4:25 {} }
            HTTP_Listener { Listen 10.1.2.3:80 {} Listen 10.1.2.3:81 {} }";
        let with = |options: &str| format!("Binding b {{ bind_address = 10.1.2.3 {options} }} {listen}");
        check(&with(""), &[]);
        let all = "10.1.2.3/32 eth0 b:b s:ESMTP_Listener,HTTP_Listener";
        check(&with("Enable_Duravip = true"), &[&format!("{all} p:mx1 f:")]);
        check(&with("Enable_Duravip = true Duravip_Preference = mx2"), &[&format!("{all} p:mx2 f:")]);
        let group =
            "Binding_Group g { bind_address = 10.1.2.5 Binding a {} Binding c { Enable_Duravip = yes } }";
        check(group, &["10.1.2.5/32 eth0 b:a,c s: p: f:"]);
    }

    #[test]
    fn a_socket_that_follows_is_managed_while_its_binding_is() {
        let with = |enabled: &str, target: &str| {
            format!(
                "Binding b {{ bind_address = 10.1.2.3 Enable_Duravip = {enabled} }}
                 ESMTP_Listener {{ Listen 10.1.2.4:25 {{ Duravip_Follow = {target} }} }}"
            )
        };
        let binding = "10.1.2.3/32 eth0 b:b s: p: f:";
        let socket = "10.1.2.4/32 eth0 b: s:ESMTP_Listener p: f:10.1.2.3";
        check(&with("true", "b"), &[binding, socket]);
        check(&with("true", "10.1.2.3"), &[binding, socket]);
        check(&with("true", "10.1.2.4"), &[binding]);
        check(&with("true", "other"), &[binding]);
        check(&with("false", "b"), &[]);
    }
}

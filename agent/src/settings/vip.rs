//! The addresses that the cluster shares: what this node tells the others of them, and where they belong on this host.
//!
//! A manager and a node that takes no part in the cluster offer none: the others would give addresses to it.
use super::{Settings, view::View};
use crate::host::address::{self, Hook, Phase, Place};
use convoy_core::{
    config::{
        schema::{Managed, managed},
        scopes::Scopes,
    },
    group::view::Role,
    time::Span,
    vip::{self, Balance, Offered, Partition},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};

/// What the configuration says of them. Every value is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vips {
    /// The managed addresses, at most [`VIPS_MAX`](convoy_core::bounds::VIPS_MAX).
    pub managed: BTreeMap<IpAddr, Managed>,
    /// What a part of the cluster does that is cut off.
    pub partition: Partition,
    /// How long the kernel answers without hearing from the daemon, 100 ms to 10 s.
    pub lease: Span,
    /// This node's share, 1 to 1000.
    pub weight: u32,
    /// With more managed addresses on an interface, candidates keep all of them there.
    pub standby_above: usize,
    /// Time a view stays unchanged before it is acted on.
    pub mature: Span,
    /// Time between two looks whether addresses are spread evenly.
    pub balance_interval: Span,
    /// Addresses moved in one step of that.
    pub balance_set: u32,
    /// By what loads are evened.
    pub balance_by: Balance,
    /// Time between two announcements of the offer without a reason; none is never.
    pub broadcast: Option<Span>,
    /// Time between two comparisons with the interfaces.
    pub check: Span,
    /// Removals by others within that time after which an address is not put back before it is over.
    pub down_limit: u32,
    /// Whether moves are told to all hosts of the segment.
    pub arp_all_hosts: bool,
    /// Time between two announcements of everything held; none is never.
    pub refresh: Option<Span>,
    /// Program that runs when an address has come.
    pub hook_up: Option<String>,
    /// Program that runs before it leaves.
    pub hook_down: Option<String>,
    /// Unit of systemd that runs while it is here.
    pub hook_unit: Option<String>,
}

/// Reads them.
pub(super) fn read(scopes: &Scopes, cluster: &View<'_>) -> Vips {
    let some = |span: Span| Some(span).filter(|span| *span > Span::ZERO);
    let set = |name: &str| cluster.text(name).filter(|text| !text.is_empty());
    Vips {
        managed: managed(scopes),
        partition: match cluster.text("duravip_partition").as_deref() {
            Some("each_side") => Partition::EachSide,
            _ => Partition::Quorum,
        },
        lease: cluster.span("duravip_lease"),
        weight: cluster.number("duravip_weight"),
        standby_above: cluster.number("duravip_standby_above"),
        mature: cluster.span("view_mature_time"),
        balance_interval: cluster.span("view_balance_interval"),
        balance_set: cluster.number("duravip_balance_set_size"),
        balance_by: match cluster.text("duravip_balance_by").as_deref() {
            Some("connections") => Balance::Connections,
            _ => Balance::Addresses,
        },
        broadcast: some(cluster.span("view_broadcast_interval")),
        check: cluster.span("if_check_interval"),
        down_limit: cluster.number("if_down_limit"),
        arp_all_hosts: cluster.bool("arp_all_hosts"),
        refresh: some(cluster.span("duravip_refresh")),
        hook_up: set("duravip_hook_up"),
        hook_down: set("duravip_hook_down"),
        hook_unit: set("duravip_hook_unit"),
    }
}

impl Settings {
    /// Returns the addresses this node would hold.
    fn managed(&self, role: Role) -> impl Iterator<Item = (&IpAddr, &Managed)> {
        let takes_part = self.enabled && role == Role::Node;
        self.vips.managed.iter().filter(move |_| takes_part)
    }

    /// Returns what the node is told of them.
    pub(super) fn node_vips(&self, role: Role) -> vip::Settings {
        let vips = &self.vips;
        let shared = |names: &BTreeSet<String>| names.iter().map(|name| name.as_str().into()).collect();
        let offered = |(address, managed): (&IpAddr, &Managed)| Offered {
            address: *address,
            bindings: shared(&managed.bindings),
            services: shared(&managed.services),
            preference: managed.preference.as_deref().map(Arc::from),
            follow: managed.follow,
        };
        let interfaces: BTreeMap<IpAddr, Arc<str>> = self
            .managed(role)
            .map(|(address, managed)| (*address, managed.interface.as_str().into()))
            .collect();
        vip::Settings {
            offer: self.managed(role).map(offered).collect(),
            standby: crowded(&interfaces, vips.standby_above),
            interfaces,
            weight: vips.weight,
            voters: if self.enabled { self.peers.len().max(1) } else { 1 },
            partition: vips.partition,
            mature: vips.mature,
            balance_interval: vips.balance_interval,
            balance_set: vips.balance_set,
            balance_by: vips.balance_by,
            broadcast: vips.broadcast,
            retry: vips.check,
            share_neighbours: !vips.arp_all_hosts,
            lease: vips.lease,
            heartbeat: self.heartbeat_interval,
        }
    }

    /// Returns where they belong on this host. `bpffs` is the daemon's directory there.
    pub(super) fn addresses(&self, role: Role, bpffs: &Path) -> address::Plan {
        let vips = &self.vips;
        let place = |managed: &Managed| Place {
            interface: managed.interface.as_str().into(),
            prefix_len: managed.bits,
        };
        let hooks = |address: &IpAddr| (*address, vips.hooks(*address));
        let duration = |span: Span| Duration::from_nanos(span.as_ns());
        address::Plan {
            managed: self.managed(role).map(|(address, managed)| (*address, place(managed))).collect(),
            arp_all_hosts: vips.arp_all_hosts,
            refresh: vips.refresh.map(duration),
            check: duration(vips.check),
            down_limit: vips.down_limit,
            hooks: self
                .managed(role)
                .map(|(address, _)| hooks(address))
                .filter(|(_, hooks)| !hooks.is_empty())
                .collect(),
            bpffs: bpffs.join(GATE),
        }
    }
}

impl Vips {
    /// Returns what runs for an address: the unit is there before the program hears of the address.
    fn hooks(&self, address: IpAddr) -> Arc<[Hook]> {
        let unit = self.hook_unit.iter().map(|unit| Hook::Unit(instance(unit, address)));
        let program = |phase, path: &String| Hook::In(phase, vec![path.clone()]);
        let up = self.hook_up.iter().map(|path| program(Phase::Plumbed, path));
        let down = self.hook_down.iter().map(|path| program(Phase::Unplumbing, path));
        unit.chain(up).chain(down).collect()
    }
}

/// Returns the unit of an address: that of a template is named after it.
fn instance(unit: &str, address: IpAddr) -> String {
    match unit.split_once("@.") {
        Some((name, kind)) => format!("{name}@{address}.{kind}"),
        None => unit.to_owned(),
    }
}

/// Returns the interfaces with more addresses than that.
fn crowded(interfaces: &BTreeMap<IpAddr, Arc<str>>, most: usize) -> BTreeSet<Arc<str>> {
    let mut counts: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
    for interface in interfaces.values() {
        *counts.entry(interface).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > most).map(|(interface, _)| interface.clone()).collect()
}

/// Directory of the gate's pins, in the daemon's.
const GATE: &str = "gate";

#[cfg(test)]
mod tests {
    use super::{super::load, *};
    use crate::settings::{Counted, Environment};

    const PEERS: &str = "msgc_server { peers = [ mx1 = 192.0.2.1 mx2 = 192.0.2.2 mx3 = 192.0.2.3 ] }\n";

    fn wanted(text: &str, role: Role) -> (vip::Settings, address::Plan) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        std::fs::write(&path, format!("{PEERS}{text}")).unwrap();
        let environment = Environment { host_name: "mx1".into(), ..Environment::default() };
        let settings = load(&path, &environment).unwrap_or_else(|report| panic!("{report}")).settings;
        let counted = Counted { bpffs: "/b".into(), cgroup: "/c".into() };
        let wanted = settings.wanted(role, counted, "/s".into());
        (*wanted.plan.node.vips, wanted.addresses)
    }

    /// Three addresses on two interfaces.
    fn three(options: &str) -> String {
        format!(
            "cluster {{ {options}
                 Topology 10.1.1.0/24 {{ interface = eth1 cidrmask = 24 }} Topology 10.1.2.0/24 {{ interface = eth2 }}
             }}
             Binding a {{ bind_address = 10.1.1.1 Enable_Duravip = true Duravip_Preference = mx2 }}
             Binding b {{ bind_address = 10.1.1.2 Enable_Duravip = true }}
             ESMTP_Listener {{ Listen 10.1.1.1:25 {{}} Listen 10.1.2.1:25 {{ Duravip_Follow = b }} }}"
        )
    }

    #[test]
    fn without_a_word_the_defaults_hold() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        std::fs::write(&path, "").unwrap();
        let environment = Environment { host_name: "mx1".into(), ..Environment::default() };
        let expected = Vips {
            managed: BTreeMap::new(),
            partition: Partition::Quorum,
            lease: Span::from_ms(500),
            weight: 1,
            standby_above: 512,
            mature: Span::from_secs(5),
            balance_interval: Span::from_secs(10),
            balance_set: 1,
            balance_by: Balance::Addresses,
            broadcast: None,
            check: Span::from_secs(30),
            down_limit: 4,
            arp_all_hosts: true,
            refresh: Some(Span::from_secs(300)),
            hook_up: None,
            hook_down: None,
            hook_unit: None,
        };
        assert_eq!(load(&path, &environment).unwrap().settings.vips, expected);
    }

    #[test]
    fn a_node_offers_what_it_would_hold_and_knows_where() {
        let (vips, plan) = wanted(&three(""), Role::Node);
        let names = |offered: &Offered| (offered.bindings.join(","), offered.services.join(","));
        let offer: Vec<_> =
            vips.offer.iter().map(|it| (it.address.to_string(), names(it), it.follow.is_some())).collect();
        let row = |address: &str, bindings: &str, services: &str, follows| {
            (address.to_owned(), (bindings.to_owned(), services.to_owned()), follows)
        };
        let expected = [
            row("10.1.1.1", "a", "ESMTP_Listener", false),
            row("10.1.1.2", "b", "", false),
            row("10.1.2.1", "", "ESMTP_Listener", true),
        ];
        assert_eq!(offer, expected);
        assert_eq!(vips.offer[0].preference.as_deref(), Some("mx2"));
        assert_eq!((vips.voters, vips.partition, vips.lease), (3, Partition::Quorum, Span::from_ms(500)));
        let place = |interface: &str, prefix_len| Place { interface: interface.into(), prefix_len };
        let places: Vec<_> = plan.managed.values().cloned().collect();
        assert_eq!(places, [place("eth1", 24), place("eth1", 24), place("eth2", 32)]);
        assert_eq!((plan.bpffs, plan.refresh), ("/b/gate".into(), Some(Duration::from_mins(5))));
        assert!(plan.hooks.is_empty() && vips.standby.is_empty());
    }

    #[test]
    fn a_crowded_interface_keeps_all_of_its_addresses() {
        let standby = |above: u32| {
            let (vips, _) = wanted(&three(&format!("duravip_standby_above = {above}")), Role::Node);
            vips.standby.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(standby(0), ["eth1", "eth2"]);
        assert_eq!(standby(1), ["eth1"]);
        assert_eq!(standby(2), [""; 0]);
    }

    #[test]
    fn managers_and_nodes_on_their_own_offer_nothing() {
        for (options, role) in [("", Role::Manager), ("enabled = false", Role::Node)] {
            let (vips, plan) = wanted(&three(options), role);
            assert!(
                vips.offer.is_empty() && vips.interfaces.is_empty() && plan.managed.is_empty(),
                "{options}"
            );
        }
    }

    #[test]
    fn hooks_run_for_every_address_and_a_template_is_one_unit_each() {
        let options = "duravip_hook_up = /up duravip_hook_down = /down duravip_hook_unit = mx@.service";
        let (_, plan) = wanted(&three(options), Role::Node);
        let address: IpAddr = "10.1.1.1".parse().unwrap();
        let expected = [
            Hook::Unit("mx@10.1.1.1.service".into()),
            Hook::In(Phase::Plumbed, vec!["/up".into()]),
            Hook::In(Phase::Unplumbing, vec!["/down".into()]),
        ];
        assert_eq!((&*plan.hooks[&address], plan.hooks.len()), (&expected[..], 3));
        assert_eq!(instance("postfix.service", address), "postfix.service");
    }
}

//! From the merged configuration to [`Settings`]. Words were checked against the schema before; here they are read, and what
//! only several of them together can tell is judged.
use super::{
    Bus, Environment, Listen, Mesh, NodeName, ObjectSettings, Settings, agreed, control, view::View, vip,
};
use crate::host::bus::Engine;
use convoy_core::{
    bounds,
    config::{
        diagnostic::{Diagnostic, Diagnostics},
        place::Place,
        schema::{self, Entry, Typed},
        scopes::{Scope, Scopes},
        value::{self, Endpoint},
    },
    time::Span,
    wire::Object,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// Returns the settings; `None` when an error, reported here or before, leaves none.
pub(super) fn settings(
    scopes: &Scopes,
    environment: &Environment,
    diagnostics: &mut Diagnostics,
) -> Option<Settings> {
    let root = scopes.root();
    let cluster = View::of(root, "cluster");
    let server = View::of(root, "msgc_server");
    let mut judge = Judge { diagnostics };
    let enabled = cluster.bool("enabled");
    let peers = judge.peers(&server);
    let node = judge.node(&cluster, environment);
    let address = node.as_ref().and_then(|node| judge.address(&cluster, &server, node, &peers, enabled));
    let listens = judge.listens(root);
    let own_ports = listens.iter().find(|listen| listen.enabled).map(|listen| listen.settings.address.port());
    let listens: Vec<_> =
        listens.into_iter().filter(|listen| listen.enabled).map(|listen| listen.settings).collect();
    if peers.len() > 1 && enabled && listens.is_empty() {
        judge.warn(
            Diagnostic::warning("no-listen", "no other node can reach this one: nothing listens")
                .help("write `ECCluster_Listener { Listen \"*:4802\" {} }`"),
        );
    }
    let inbound_ports = judge.ports(&cluster, "inbound_ports");
    let outbound_ports = judge.ports(&cluster, "outbound_ports");
    let objects = judge.objects(cluster.scope());
    let control = control::plan(root, judge.diagnostics);
    let bus = bus(&cluster, &server);
    if enabled && bus.engine != Some(Engine::Solo) {
        judge.one_family(&peers);
    }
    let node = node?;
    let control_cache = logs(root, &node).text("control_cache").map(PathBuf::from);
    Some(Settings {
        node,
        address,
        peers: peers.into_iter().map(|(name, peer)| (name, peer.address)).collect(),
        enabled,
        cluster_group: cluster.text("cluster_group").unwrap_or_default(),
        control_group: cluster.text("control_group").unwrap_or_default(),
        subcluster: environment.subcluster().to_owned(),
        agreed: agreed::values(&cluster),
        heartbeat_interval: interval(cluster.number("heartbeats_per_sec")),
        heartbeat_start_delay: cluster.span("heartbeat_start_delay"),
        debug_level: cluster.level("debug_level"),
        listens,
        objects,
        inbound_ports,
        outbound_ports,
        audit_interval: cluster.span("audit_interval"),
        control,
        control_cache,
        mesh: Mesh {
            peer_port: own_ports.unwrap_or(PEER_PORT),
            connect_timeout: server.span("connect_timeout"),
            reconnect_interval: server.span("reconnect_interval"),
            idle_timeout: server.span("idle_timeout"),
            buffer: server.buffer("tcpbuf_size"),
        },
        bus,
        vips: vip::read(scopes, &cluster),
    })
}

struct Judge<'a> {
    diagnostics: &'a mut Diagnostics,
}

#[derive(Clone, Copy)]
struct Peer {
    address: IpAddr,
    key: Place,
    value: Place,
}

struct JudgedListen {
    settings: Listen,
    enabled: bool,
    place: Place,
}

impl Judge<'_> {
    fn warn(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    fn peers(&mut self, server: &View<'_>) -> BTreeMap<NodeName, Peer> {
        let entries = server.entries("peers");
        let mut peers: BTreeMap<NodeName, Peer> = BTreeMap::new();
        let mut addresses: BTreeMap<IpAddr, (String, Place)> = BTreeMap::new();
        if entries.len() > bounds::NODES_MAX {
            let message = format!("{} peers: a cluster has at most {}", entries.len(), bounds::NODES_MAX);
            self.diagnostics.push(at(Diagnostic::error("too-many-peers", message), server.place("peers")));
            return peers;
        }
        for Entry { key, value, place } in entries {
            let (Some((key, key_place)), Typed::Ip(address)) = (key, value) else { continue };
            let name = match NodeName::parse(&key) {
                Ok(name) => name,
                Err(bad) => {
                    let message = format!("peer `{key}`: {bad}");
                    self.diagnostics.push(Diagnostic::error("bad-node-name", message).at(key_place));
                    continue;
                }
            };
            self.peer_address(&name, address, place);
            if let Some(first) = peers.get(&name) {
                let message = format!("peer `{name}` is listed twice");
                let fault = Diagnostic::error("duplicate-peer", message).at(key_place);
                self.diagnostics
                    .push(fault.note(first.key, "first listed here").help("remove one of the two"));
                continue;
            }
            if let Some((other, first)) = addresses.get(&address.to_canonical()) {
                let message = format!("peers `{other}` and `{name}` have the same address");
                let fault = Diagnostic::error("duplicate-address", message).at(place);
                self.diagnostics
                    .push(fault.note(*first, "the other one").help("each node needs its own address"));
                continue;
            }
            addresses.insert(address.to_canonical(), (name.to_string(), place));
            peers.insert(name, Peer { address, key: key_place, value: place });
        }
        self.loopback_peers(&peers);
        peers
    }

    fn peer_address(&mut self, name: &NodeName, address: IpAddr, place: Place) {
        if address.is_unspecified() || address.is_multicast() {
            let message = format!("peer `{name}` cannot have the address {address}");
            let fault = Diagnostic::error("bad-peer-address", message).at(place);
            self.diagnostics.push(fault.help("write the address of the node on the cluster network"));
        }
    }

    /// The bus has one link, and that has one family.
    fn one_family(&mut self, peers: &BTreeMap<NodeName, Peer>) {
        let find = |four: bool| peers.iter().find(|(_, peer)| peer.address.to_canonical().is_ipv4() == four);
        if let (Some((four, four_peer)), Some((six, six_peer))) = (find(true), find(false)) {
            let message = format!("peer `{six}` has an IPv6 address, and peer `{four}` an IPv4 one");
            let warning = Diagnostic::warning("mixed-families", message).at(six_peer.value);
            self.warn(
                warning
                    .note(four_peer.value, "the other one")
                    .help("the bus needs one family: write all addresses in it, or bus_engine = solo in scope `cluster`"),
            );
        }
    }

    fn loopback_peers(&mut self, peers: &BTreeMap<NodeName, Peer>) {
        let (inside, outside): (Vec<_>, Vec<_>) =
            peers.iter().partition(|(_, peer)| peer.address.to_canonical().is_loopback());
        if let (Some((name, peer)), false) = (inside.first(), outside.is_empty()) {
            let message = format!("peer `{name}` has a loopback address: no other host can reach it");
            self.warn(Diagnostic::warning("loopback-peer", message).at(peer.value));
        }
    }

    fn node(&mut self, cluster: &View<'_>, environment: &Environment) -> Option<NodeName> {
        let set = cluster.text("nodename");
        let (text, origin) = match &set {
            Some(text) => (text.as_str(), "`nodename`"),
            None => environment.default_name(),
        };
        match NodeName::parse(text) {
            Ok(name) => Some(name),
            Err(bad) => {
                let fault = Diagnostic::error("bad-node-name", format!("`{text}`, from {origin}: {bad}"));
                let fault = fault.help("set `nodename` in scope `cluster`, or EC_NODE_NAME");
                let place = set.and_then(|_| cluster.place("nodename"));
                self.diagnostics.push(at(fault, place));
                None
            }
        }
    }

    fn address(
        &mut self,
        cluster: &View<'_>,
        server: &View<'_>,
        node: &NodeName,
        peers: &BTreeMap<NodeName, Peer>,
        enabled: bool,
    ) -> Option<IpAddr> {
        let own = peers.get(node);
        if own.is_none() && !peers.is_empty() && enabled {
            self.stranger(cluster, server, node, peers);
        }
        let set = cluster.ip("nodeaddr");
        let Some(address) = set else { return own.map(|peer| peer.address) };
        let useless =
            address.is_unspecified() || address.is_multicast() || address.to_canonical().is_loopback();
        if useless && peers.keys().any(|name| name != node) {
            let message = format!("`nodeaddr`: no other node can reach {address}");
            let fault = Diagnostic::error("bad-nodeaddr", message)
                .help("write this node's address on the cluster network");
            self.diagnostics.push(at(fault, cluster.place("nodeaddr")));
        } else if let Some(peer) = own.filter(|peer| peer.address.to_canonical() != address.to_canonical()) {
            let message =
                format!("`nodeaddr` is {address}, but the peers know this node as {}", peer.address);
            let warning = at(Diagnostic::warning("nodeaddr-differs", message), cluster.place("nodeaddr"));
            self.warn(warning.note(peer.value, "the entry of this node"));
        }
        Some(address)
    }

    /// This node is not in its own list.
    fn stranger(
        &mut self,
        cluster: &View<'_>,
        server: &View<'_>,
        node: &NodeName,
        peers: &BTreeMap<NodeName, Peer>,
    ) {
        let names: Vec<&str> = peers.keys().map(|name| &**name).collect();
        let message = format!("this node, `{node}`, is not among the peers {}", names.join(", "));
        let fault = at(Diagnostic::error("not-a-peer", message), server.place("peers"));
        let fault = fault.expected(format!("expected an entry `{node} = \"address\"`"));
        let short = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        let relative = names.iter().find(|name| short(name) == short(node)).copied();
        let meant = relative.or_else(|| schema::nearest(node, names.iter().copied()));
        let fault = match cluster.place("nodename") {
            Some(place) => fault.note(place, "the name is set here"),
            None => fault,
        };
        self.diagnostics.push(match meant {
            Some(meant) => fault.help(format!(
                "add this node to the list, or set `nodename = \"{meant}\"` in scope `cluster`"
            )),
            None => fault.help(
                "add this node to the list, or set `nodename` in scope `cluster` to the name it has there",
            ),
        });
    }

    fn listens(&mut self, root: Scope<'_>) -> Vec<JudgedListen> {
        let listener = root.scope("ECCluster_Listener", None);
        let mut found: Vec<JudgedListen> = Vec::new();
        let Some(listener) = listener else {
            let view = View { path: LISTEN, scopes: Vec::new() };
            let address = match View::of(root, "cluster").one("cluster_listener") {
                Some(Typed::Endpoint(Endpoint::Inet(address))) => address,
                _ => SocketAddr::from(([0, 0, 0, 0], PEER_PORT)),
            };
            let settings = listen(&view, address);
            return vec![JudgedListen { settings, enabled: true, place: Place::default() }];
        };
        for scope in listener.instances("Listen") {
            let (Some(instance), Some(place)) = (scope.instance(), scope.place()) else { continue };
            let address = match value::endpoint(instance) {
                Ok(Endpoint::Inet(address)) => address,
                Ok(Endpoint::Unix(path)) => {
                    let message = format!("`{path}` is passed over: other nodes cannot reach a Unix socket");
                    self.warn(Diagnostic::warning("unix-listen", message).at(place));
                    continue;
                }
                Err(_) => continue, // the schema has told
            };
            if let Some(twin) = found.iter().find(|other| other.settings.address == address) {
                let fault = Diagnostic::error("duplicate-listen", format!("{address} is listened on twice"));
                self.diagnostics
                    .push(fault.at(place).note(twin.place, "first here").help("remove one of the two"));
                continue;
            }
            let view = View { path: LISTEN, scopes: vec![scope, listener] };
            found.push(JudgedListen {
                settings: listen(&view, address),
                enabled: view.bool("enable"),
                place,
            });
            if found.len() > bounds::LISTENS_MAX {
                let message = format!("more than {} `Listen` scopes", bounds::LISTENS_MAX);
                self.diagnostics.push(Diagnostic::error("too-many-listens", message).at(place));
                break;
            }
        }
        found
    }

    fn ports(&mut self, cluster: &View<'_>, name: &str) -> BTreeSet<u16> {
        let ports: BTreeSet<u16> = cluster
            .entries(name)
            .into_iter()
            .filter_map(|entry| match entry.value {
                Typed::Int(port) => u16::try_from(port).ok(),
                _ => None,
            })
            .collect();
        if ports.len() > bounds::PORTS_MAX {
            let message =
                format!("`{name}` has {} ports, at most {} are counted", ports.len(), bounds::PORTS_MAX);
            self.diagnostics.push(at(Diagnostic::error("too-many-ports", message), cluster.place(name)));
        }
        ports
    }

    /// Without any `Replicate` scope both objects are replicated, as in the files the reference ships.
    fn objects(&mut self, cluster: Option<Scope<'_>>) -> BTreeMap<Object, ObjectSettings> {
        let scopes: Vec<_> = cluster.into_iter().flat_map(|cluster| cluster.instances("Replicate")).collect();
        if scopes.is_empty() {
            let view = View { path: REPLICATE, scopes: Vec::new() };
            return Object::ALL.into_iter().map(|object| (object, object_settings(&view))).collect();
        }
        let mut objects = BTreeMap::new();
        for scope in scopes {
            let (Some(instance), Some(place)) = (scope.instance(), scope.place()) else { continue };
            let view = View { path: REPLICATE, scopes: vec![scope] };
            if let Some(object) = self.object(instance, place, &view) {
                objects.insert(object, object_settings(&view));
            }
        }
        objects
    }

    /// Returns the object a `Replicate` scope is about, if this version has it.
    fn object(&mut self, instance: &str, place: Place, view: &View<'_>) -> Option<Object> {
        let kind = view.text("class").or_else(|| view.text("type")).unwrap_or_else(|| instance.to_owned());
        let named = Object::by_name(instance);
        if named.is_some() && Object::by_name(&kind) == named {
            return named;
        }
        let message = format!("object `{instance}` is not replicated by this version");
        let warning = Diagnostic::warning("unknown-object", message).at(place);
        let known = Object::ALL.map(Object::name);
        self.warn(match schema::nearest(instance, known) {
            Some(meant) if named.is_none() => warning.help(format!("did you mean `{meant}`?")),
            _ => warning
                .help(format!("this version has {}, each once and under its own name", known.join(" and "))),
        });
        None
    }
}

fn bus(cluster: &View<'_>, server: &View<'_>) -> Bus {
    let engine = cluster.text("bus_engine").unwrap_or_default();
    Bus {
        engine: match engine.as_str() {
            "corosync" => Some(Engine::Corosync),
            "solo" => Some(Engine::Solo),
            _ => None,
        },
        token: cluster.span("bus_token"),
        encryption: cluster.bool("bus_encryption"),
        key_file: cluster.text("bus_key_file").map(PathBuf::from),
        port: server.number("port"),
    }
}

/// Returns what a manager of this name does with logs: what is said of it, else of all managers.
fn logs<'a>(root: Scope<'a>, manager: &NodeName) -> View<'a> {
    let all = root.scope("Logs", None);
    let own = all.and_then(|all| all.scope("Manager", Some(&manager.to_string())));
    View { path: "Logs", scopes: own.into_iter().chain(all).collect() }
}

fn object_settings(view: &View<'_>) -> ObjectSettings {
    let size: i64 = view.number("max_size");
    ObjectSettings {
        max_delay: view.span("max_delay"),
        max_pending: view.number("max_pending"),
        max_size: u32::try_from(size).unwrap_or(bounds::OBJECT_HOSTS),
    }
}

fn listen(view: &View<'_>, address: SocketAddr) -> Listen {
    Listen {
        address,
        backlog: view.number("listen_backlog"),
        nodelay: view.bool("disable_nagle_algorithm"),
        receive_buffer: view.buffer("tcp_recv_buffer_size"),
        send_buffer: view.buffer("tcp_send_buffer_size"),
    }
}

fn interval(per_second: u64) -> Span {
    Span::from_ns(1_000_000_000 / per_second.max(1))
}

fn at(diagnostic: Diagnostic, place: Option<Place>) -> Diagnostic {
    match place {
        Some(place) => diagnostic.at(place),
        None => diagnostic,
    }
}

const LISTEN: &str = "ECCluster_Listener::Listen";
const REPLICATE: &str = "cluster::Replicate";
/// Source: reference section 0.4.
const PEER_PORT: u16 = 4_802;

//! Loading from disk: names, peers, listeners, the search path and the samples.
use super::*;
use crate::host::bus::Engine;
use convoy_core::{bounds, config::schema};
use std::fs;
use tempfile::TempDir;

mod control;
mod files;
mod loading;
mod samples;

fn environment() -> Environment {
    Environment { host_name: "mx1.example.com".into(), ..Environment::default() }
}

/// Writes files into a new directory; the first one is the main file.
fn disk(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn loaded(text: &str, environment: &Environment) -> Result<Loaded, Report> {
    let dir = disk(&[("m", text)]);
    load(&dir.path().join("m"), environment)
}

/// Returns the settings of a file that may only be warned of options without effect.
#[track_caller]
fn good(text: &str) -> Settings {
    let loaded = loaded(text, &environment()).unwrap_or_else(|report| panic!("{report}"));
    let mut warnings = loaded.warnings.diagnostics().iter();
    assert!(warnings.all(|warning| warning.code == "no-effect"), "{}", loaded.warnings);
    loaded.settings
}

/// Returns code and message of everything that is told, without the directory's name.
fn told(text: &str) -> Vec<(&'static str, String)> {
    let report = match loaded(text, &environment()) {
        Ok(loaded) => loaded.warnings,
        Err(report) => report,
    };
    report.diagnostics().iter().map(|diagnostic| (diagnostic.code, diagnostic.message.clone())).collect()
}

#[track_caller]
fn check_told(text: &str, code: &str, message: &str) {
    let found = told(text);
    let found: Vec<_> = found.iter().map(|(code, message)| (*code, message.as_str())).collect();
    assert_eq!(found, [(code, message)]);
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let settings = good("");
    let object = ObjectSettings { max_delay: Span::from_ms(10), max_pending: 4_096, max_size: 524_288 };
    let expected = Settings {
        node: NodeName::parse("mx1").unwrap(),
        address: None,
        peers: BTreeMap::new(),
        enabled: true,
        cluster_group: "ec_cluster".into(),
        control_group: "ec_console".into(),
        subcluster: "default".into(),
        agreed: settings.agreed.clone(),
        heartbeat_interval: Span::from_ms(100),
        heartbeat_start_delay: Span::ZERO,
        debug_level: Level::Info,
        listens: vec![Listen {
            address: "0.0.0.0:4802".parse().unwrap(),
            backlog: 500,
            nodelay: true,
            receive_buffer: None,
            send_buffer: None,
        }],
        objects: BTreeMap::from([(Object::InboundCidr, object), (Object::OutboundCidr, object)]),
        inbound_ports: BTreeSet::from([25, 465, 587, 2525]),
        outbound_ports: BTreeSet::from([25, 465, 587, 2525]),
        audit_interval: Span::from_secs(10),
        control: Plan::default(),
        mesh: Mesh {
            idle_timeout: Span::from_secs(30),
            peer_port: 4_802,
            connect_timeout: Span::from_secs(5),
            reconnect_interval: Span::from_secs(1),
            buffer: None,
        },
        control_cache: None,
        bus: Bus { engine: None, token: Span::from_ms(300), encryption: true, key_file: None, port: 4_809 },
        vips: settings.vips.clone(),
    };
    assert_eq!(settings, expected);
    assert!(settings.is_solo());
}

#[test]
fn everything_that_is_set_is_read() {
    let settings = good(
        r#"
        cluster {
          cluster_group = "other"  enabled = yes  heartbeats_per_sec = 200  heartbeat_start_delay = 0.5
          bus_engine = solo  bus_token = 0.05
          bus_encryption = no  bus_key_file = "/etc/k"  debug_level = 0  inbound_ports = ( 25 0x19 26 )  outbound_ports = 24  audit_interval = 60
          Replicate "OUTBOUND_CIDR" { max_delay = 0  max_pending = 1  max_size = 1000 }
        }
        msgc_server { port = 4810  peers = [ mx1 = 10.0.0.1  mx2 = "fd00::2" ]  reconnect_interval = 0.25  tcpbuf_size = 0 }
        ECCluster_Listener {
          tcp_recv_buffer_size = 8192
          listen_backlog = 7
          Listen "10.0.0.1:4900" { listen_backlog = 9  disable_nagle_algorithm = off }
          Listen "[::]:4901" { }
          Listen "10.0.0.1:4902" { enable = false }
        }
        "#,
    );
    assert_eq!(&*settings.cluster_group, "other");
    let bus = Bus {
        engine: Some(Engine::Solo),
        token: Span::from_ms(50),
        encryption: false,
        key_file: Some("/etc/k".into()),
        port: 4_810,
    };
    assert_eq!((&settings.bus, settings.bus_engine()), (&bus, Engine::Solo));
    assert_eq!(settings.heartbeat_interval, Span::from_ms(5));
    assert_eq!(settings.heartbeat_start_delay, Span::from_ms(500));
    assert_eq!(settings.debug_level, Level::Debug);
    assert_eq!(settings.inbound_ports, BTreeSet::from([25, 26]));
    assert_eq!(settings.outbound_ports, BTreeSet::from([24]));
    assert_eq!(settings.audit_interval, Span::from_secs(60));
    let object = ObjectSettings { max_delay: Span::ZERO, max_pending: 1, max_size: 1_000 };
    assert_eq!(settings.objects, BTreeMap::from([(Object::OutboundCidr, object)]));
    assert_eq!(settings.address, Some("10.0.0.1".parse().unwrap()));
    assert_eq!(settings.others().map(|(name, _)| name.to_string()).collect::<Vec<_>>(), ["mx2"]);
    assert!(!settings.is_solo());
    let listens: Vec<_> = settings
        .listens
        .iter()
        .map(|listen| (listen.address.to_string(), listen.backlog, listen.nodelay))
        .collect();
    assert_eq!(listens, [("10.0.0.1:4900".into(), 9, false), ("[::]:4901".into(), 7, true)]);
    assert!(settings.listens.iter().all(|listen| listen.receive_buffer == Some(8_192)));
    assert_eq!(settings.mesh.peer_port, 4_900);
    assert_eq!((settings.mesh.reconnect_interval, settings.mesh.buffer), (Span::from_ms(250), None));
}

#[test]
fn a_node_is_named_by_its_option_its_environment_or_its_host() {
    let table =
        [("cluster { nodename = A.b }", Some("c"), "a.b"), ("", Some("C.d"), "c.d"), ("", None, "mx1")];
    for (text, variable, expected) in table {
        let environment = Environment { node_name: variable.map(Into::into), ..environment() };
        assert_eq!(&*loaded(text, &environment).unwrap().settings.node, expected);
    }
    let nameless = Environment::default();
    let report = loaded("", &nameless).unwrap_err();
    assert_eq!(report.diagnostics().iter().next().unwrap().code, "bad-node-name");
}

#[test]
fn a_node_that_is_not_among_its_peers_is_told_who_they_are() {
    let dir = disk(&[(
        "m",
        "cluster { }\nmsgc_server {\n  peers = [ mx2 = 10.0.0.2  mx1.example.com = 10.0.0.1 ]\n}\n",
    )]);
    let path = dir.path().join("m");
    let report = load(&path, &environment()).unwrap_err().to_string();
    let expected = "\
error: this node, `mx1`, is not among the peers mx1.example.com, mx2
 --> M:3:11
  |
3 |   peers = [ mx2 = 10.0.0.2  mx1.example.com = 10.0.0.1 ]
  |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ expected an entry `mx1 = \"address\"`
  = help: add this node to the list, or set `nodename = \"mx1.example.com\"` in scope `cluster`

1 error
";
    assert_eq!(report.replace(&*path.to_string_lossy(), "M"), expected);
    assert_eq!(told("cluster { enabled = false } msgc_server { peers = [ a = 10.0.0.2 ] }"), []);
}

#[test]
fn peers_are_judged_one_by_one_and_together() {
    let peers = |inside: &str| format!("msgc_server {{ peers = [ mx1 = 10.0.0.1 {inside} ] }}");
    check_told(&peers("mx1 = 10.0.0.2"), "duplicate-peer", "peer `mx1` is listed twice");
    check_told(&peers("mx2 = 10.0.0.1"), "duplicate-address", "peers `mx1` and `mx2` have the same address");
    check_told(
        &peers("mx2 = \"::ffff:10.0.0.1\""),
        "duplicate-address",
        "peers `mx1` and `mx2` have the same address",
    );
    check_told(&peers("MX2 = 10.0.0.2"), "uppercase-peer", "peer `MX2` is not written in lower case");
    check_told(
        &peers("\"m x\" = 10.0.0.2"),
        "bad-node-name",
        "peer `m x`: a node name holds letters, digits, `.`, `-` and `_`",
    );
    check_told(&peers("mx2 = 0.0.0.0"), "bad-peer-address", "peer `mx2` cannot have the address 0.0.0.0");
    check_told(
        &peers("mx2 = mx2.example.com"),
        "wrong-type",
        "`peers`: `mx2.example.com` is not an IP address (IPv6 without brackets, no port)",
    );
    check_told(
        &peers("mx2 = 127.0.0.1"),
        "loopback-peer",
        "peer `mx2` has a loopback address: no other host can reach it",
    );
    let many: String =
        (1..=bounds::NODES_MAX).fold(String::new(), |text, n| text + &format!("n{n} = 10.0.1.{n} "));
    check_told(&peers(&many), "too-many-peers", "65 peers: a cluster has at most 64");
    let long = "x".repeat(bounds::NAME_BYTES_MAX + 1);
    assert_eq!(told(&peers(&format!("{long} = 10.0.0.2")))[0].0, "bad-node-name");
}

#[test]
fn an_address_of_its_own_must_be_one_that_others_reach() {
    let text = |own: &str| {
        format!("cluster {{ nodeaddr = {own} }} msgc_server {{ peers = [ mx1 = 10.0.0.1 mx2 = 10.0.0.2 ] }}")
    };
    assert_eq!(good(&text("10.0.0.1")).address, Some("10.0.0.1".parse().unwrap()));
    check_told(&text("127.0.0.1"), "bad-nodeaddr", "`nodeaddr`: no other node can reach 127.0.0.1");
    check_told(
        &text("10.0.0.9"),
        "nodeaddr-differs",
        "`nodeaddr` is 10.0.0.9, but the peers know this node as 10.0.0.1",
    );
}

#[test]
fn listeners_need_an_address_and_a_port() {
    let listen = |what: &str| format!("ECCluster_Listener {{ Listen {what} {{ }} }}");
    check_told(&listen("\"*\""), "bad-listen", "`Listen`: `*` has no port");
    check_told(
        &listen("\"::1:4802\""),
        "bad-listen",
        "`Listen`: the IPv6 address in `::1:4802` has no brackets",
    );
    check_told(&listen("mx1:4802"), "bad-listen", "`Listen`: `mx1:4802` is not an address and a port");
    check_told(
        &listen("/tmp/x"),
        "unix-listen",
        "`/tmp/x` is passed over: other nodes cannot reach a Unix socket",
    );
    check_told(&listen("*:1 {} Listen :1"), "duplicate-listen", "0.0.0.0:1 is listened on twice");
    check_told(
        "msgc_server { peers = [ mx1 = 10.0.0.1 mx2 = 10.0.0.2 ] } ECCluster_Listener { }",
        "no-listen",
        "no other node can reach this one: nothing listens",
    );
}

#[test]
fn the_old_option_for_a_listener_is_read_when_there_is_no_listener() {
    let addresses = |text: &str| -> Vec<_> {
        let settings = loaded(text, &environment()).unwrap().settings;
        settings.listens.iter().map(|listen| listen.address.to_string()).collect()
    };
    assert_eq!(addresses("cluster { cluster_listener = \"10.0.0.1:4900\" }"), ["10.0.0.1:4900"]);
    let both = "cluster { cluster_listener = \"*:4900\" } ECCluster_Listener { Listen \"*:4901\" { } }";
    assert_eq!(addresses(both), ["0.0.0.0:4901"]);
    check_told("cluster { cluster_listener = \"*:4900\" }", "deprecated", "`cluster_listener` is deprecated");
}

#[test]
fn objects_are_known_by_their_names() {
    let replicate = |what: &str| format!("cluster {{ Replicate {what} }}");
    check_told(
        &replicate("\"inbound_cidrs\" {}"),
        "unknown-object",
        "object `inbound_cidrs` is not replicated by this version",
    );
    check_told(
        &replicate("\"outbound_domains\" {}"),
        "unknown-object",
        "object `outbound_domains` is not replicated by this version",
    );
    check_told(
        &replicate("\"inbound_cidr\" { type = cache }"),
        "unknown-object",
        "object `inbound_cidr` is not replicated by this version",
    );
    assert_eq!(good(&replicate("\"inbound_cidr\" { class = inbound_cidr }")).objects.len(), 1);
}

#[test]
fn ports_are_bounded() {
    let many: String =
        (1..=bounds::PORTS_MAX + 1).fold(String::new(), |text, port| text + &format!("{port} "));
    check_told(
        &format!("cluster {{ inbound_ports = ( {many} ) }}"),
        "too-many-ports",
        "`inbound_ports` has 65 ports, at most 64 are counted",
    );
    assert_eq!(good("cluster { inbound_ports = ( ) }").inbound_ports, BTreeSet::new());
}

#[test]
fn several_errors_come_in_one_report() {
    let text =
        "cluster { heartbeats_per_sec = 0 nodename = \"a b\" }\nmsgc_server { peers = [ a = b ] }\nx = \n";
    let codes: Vec<_> = told(text).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["out-of-range", "bad-node-name", "wrong-type", "no-value"]);
}

/// Returns whether something in Convoy acts on the option.
fn acts(row: &schema::Row) -> bool {
    matches!(row.live, schema::Live::Yes | schema::Live::Restart)
}

#[test]
fn the_largest_values_of_the_table_are_read() {
    for row in schema::OPTIONS.iter().filter(|row| acts(row)) {
        let largest = match row.kind {
            schema::Kind::Int(ranges) => ranges.iter().map(|(_, max)| *max).max().unwrap().to_string(),
            schema::Kind::Seconds(_, max) => (max.as_ms() / 1_000).to_string(),
            _ => continue,
        };
        let option = format!("{} = {largest}", row.name);
        let text = row.scopes[0].split("::").fold((String::new(), 0), |(text, depth), scope| {
            let instance = match scope {
                "Topology" => "\"2001:db8::/64\"",
                _ if depth == 1 => "inbound_cidr",
                _ => "",
            };
            (format!("{text}{scope} {instance} {{ "), depth + 1)
        });
        let whole = format!("{}{option}{}", text.0, " }".repeat(text.1));
        let others = ["no-listen", "topology-no-interface"];
        assert_eq!(
            told(&whole).into_iter().filter(|(code, _)| !others.contains(code)).collect::<Vec<_>>(),
            [],
            "{whole}"
        );
    }
}

#[test]
fn the_examples_of_the_documentation_are_right() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration/README.md"))
            .unwrap();
    let example = page.split("```\n").nth(1).unwrap();
    assert_eq!(good(example).others().count(), 2);
    let files = [
        ("ecelerity.conf", "\ninclude conf/cluster.conf\n"),
        ("conf/cluster.conf", "cluster {\n  cluster_group =\n  x = y\n}\n"),
    ];
    let dir = disk(&files);
    let report = load(&dir.path().join("ecelerity.conf"), &environment()).unwrap_err().to_string();
    let shown = page.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let prefix = format!("{}/", dir.path().display());
    assert!(report.replace(&prefix, "").starts_with(shown), "{report}");
}

#[test]
fn peers_of_two_families_have_no_bus_and_are_told_so() {
    let peers = "msgc_server { peers = [ mx1 = 10.0.0.1 mx2 = \"fd00::2\" ] }";
    let message = "peer `mx2` has an IPv6 address, and peer `mx1` an IPv4 one";
    check_told(peers, "mixed-families", message);
    good(&format!("cluster {{ bus_engine = solo }} {peers}"));
    good("msgc_server { peers = [ mx1 = 10.0.0.1 mx2 = \"::ffff:10.0.0.2\" ] }");
}

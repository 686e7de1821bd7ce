//! dist/sample: every file loads, and what it says of a default is what the table says.
//!
//! A line of a sample that begins with `#` and goes on without a blank, or with two, is an option or a scope that is commented
//! out; `# ` begins a remark. Options stand commented out with their defaults; where the default is unset, with an example.
use super::*;
use convoy_core::config::{load::load as load_config, scopes::Scope};

const SAMPLES: [&str; 5] =
    ["convoyd.conf", "duravip.conf", "ecelerity-cluster.conf", "eccluster.conf", "msgc_server.conf"];

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/sample").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(sample(name)).unwrap()
}

/// Returns a sample with everything that is commented out put in.
fn opened(name: &str) -> String {
    let open = |line: &str| {
        let rest = line.trim_start().strip_prefix('#')?;
        let code = rest.starts_with("  ") || rest.starts_with(|c: char| !c.is_whitespace());
        code.then(|| line.replacen('#', "", 1))
    };
    read(name).lines().map(|line| open(line).unwrap_or_else(|| line.into()) + "\n").collect()
}

/// Loads and checks a text beside the samples, without asking which node this is.
fn checked(text: &str) -> (Config, Diagnostics) {
    let dir = disk(&[("m", text), ("msgc_server.conf", &read("msgc_server.conf"))]);
    let path = dir.path().join("m");
    let (config, mut diagnostics) =
        load_config(&mut Disk::new(&path, &environment()), &path.to_string_lossy());
    check(&config.scopes, &mut diagnostics);
    (config, diagnostics)
}

/// Calls `visit` with the path and the scope of every scope.
fn walk(scope: Scope<'_>, visit: &mut dyn FnMut(&str, Scope<'_>)) {
    visit(&schema::path(scope), scope);
    scope.scopes().for_each(|inner| walk(inner, visit));
}

#[test]
fn every_sample_loads_without_a_word() {
    let found =
        fs::read_dir(sample("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(found.collect::<BTreeSet<_>>(), SAMPLES.map(String::from).into());
    for name in SAMPLES {
        let (_, diagnostics) = checked(&read(name));
        let told: Vec<_> = diagnostics.iter().map(|diagnostic| &diagnostic.message).collect();
        assert_eq!(told, Vec::<&String>::new(), "{name}");
    }
}

#[test]
fn what_is_commented_out_is_the_default() {
    for name in SAMPLES {
        let (plain, open) = (read(name), opened(name));
        let (config, diagnostics) = checked(&open);
        assert!(diagnostics.iter().all(|told| told.code == "no-effect"), "{name}: {diagnostics:?}");
        walk(config.scopes.root(), &mut |path, scope| {
            for setting in scope.options() {
                let at = config.texts.files.position(setting.name_place()).unwrap();
                let commented = setting.name_place().file.index() == 0
                    && plain.lines().nth(at.line - 1).unwrap().trim_start().starts_with('#');
                let Some(row) = schema::option(path, &setting.name()).filter(|_| commented) else { continue };
                let words = |entries: Vec<schema::Entry>| -> Vec<_> {
                    entries.into_iter().map(|entry| (entry.key.map(|key| key.0), entry.value)).collect()
                };
                let written = words(schema::read(row, setting).unwrap());
                if let Some(default) = schema::default_of(row) {
                    assert_eq!(written, words(default), "{name}: {path} {}", row.name);
                }
            }
        });
    }
}

#[test]
fn the_sample_of_one_host_has_every_option_of_the_clusters_scopes() {
    let complete = [
        "cluster",
        "cluster::Replicate",
        "cluster::Topology",
        "msgc_server",
        "msgc_client",
        "msgcserver_listener",
        "ECCluster_Listener",
    ];
    has_every_option(
        "convoyd.conf",
        &complete,
        &["parameters", "binding_group", "pool_name", "cluster_listener"],
    );
    has_every_option("eccluster.conf", &["Logs", "Logs::Manager::Node"], &[]);
}

/// Options that make no sense where the sample has the scope are left out.
#[track_caller]
fn has_every_option(name: &str, paths: &[&str], except: &[&str]) {
    let (config, _) = checked(&opened(name));
    let mut found = BTreeSet::new();
    walk(config.scopes.root(), &mut |path, scope| {
        found.extend(scope.options().map(|setting| (path.to_owned(), setting.name().to_ascii_lowercase())));
    });
    for path in paths {
        let ours = |row: &&schema::Row| row.live != schema::Live::Mta && !except.contains(&row.name);
        for row in schema::OPTIONS.iter().filter(|row| row.is_in(path)).filter(ours) {
            let key = (path.to_ascii_lowercase(), row.name.to_ascii_lowercase());
            assert!(found.contains(&key), "{name} lacks `{}` of {path}", row.name);
        }
    }
}

#[test]
fn the_sample_of_one_host_is_the_defaults_as_it_is_and_with_every_comment_removed() {
    let (text, open) = (read("convoyd.conf"), opened("convoyd.conf"));
    assert_eq!(good(&text), good(""));
    assert_eq!(told(&text), []);
    let mut set = Settings { address: Some("192.168.0.10".parse().unwrap()), ..good("") };
    set.bus.key_file = Some("/etc/convoy/bus.key".into());
    set.vips.hook_up = Some("/etc/convoy/address-up".into());
    set.vips.hook_down = Some("/etc/convoy/address-down".into());
    set.vips.hook_unit = Some("smtp@.service".into());
    assert_eq!(good(&open), set);
}

#[test]
fn the_sample_of_three_hosts_loads_on_each_of_them() {
    for (name, address) in [("mx1", "192.168.0.10"), ("mx2", "192.168.0.11"), ("mx3", "192.168.0.12")] {
        let environment = Environment { host_name: name.into(), ..Environment::default() };
        let loaded =
            load(&sample("ecelerity-cluster.conf"), &environment).unwrap_or_else(|report| panic!("{report}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        let settings = loaded.settings;
        assert_eq!(settings.others().count(), 2);
        let plain = Settings {
            node: NodeName::parse(name).unwrap(),
            address: Some(address.parse().unwrap()),
            peers: settings.peers.clone(),
            ..good("")
        };
        assert_eq!(settings, plain);
    }
    let stranger = Environment { host_name: "mx9".into(), ..Environment::default() };
    assert!(load(&sample("ecelerity-cluster.conf"), &stranger).is_err());
}

/// Reference section 10.4: what every installation began with.
#[test]
fn the_configuration_operators_began_with_loads_with_warnings_only() {
    let dir = disk(&[
        ("ecelerity-cluster.conf", SHIPPED),
        (
            "msgc_server.conf",
            r#"
            msgc_server { peers = [ mx1 = "192.168.0.10"  node2 = "192.168.0.11"  manager = "192.168.0.12" ] }
            msgcserver_listener { Listen ":4809" { } }
            "#,
        ),
    ]);
    let loaded = load(&dir.path().join("ecelerity-cluster.conf"), &environment()).unwrap();
    assert_eq!(loaded.settings.others().count(), 2);
    assert_eq!(loaded.settings.objects.len(), 2);
    let told: Vec<_> =
        loaded.warnings.diagnostics().iter().map(|told| (told.code, told.message.as_str())).collect();
    assert_eq!(
        told,
        [
            ("unknown-object", "object `outbound_domains` is not replicated by this version"),
            ("unknown-object", "object `outbound_binding_domains` is not replicated by this version"),
            ("unknown-object", "object `shared_named_throttles` is not replicated by this version"),
        ]
    );
}

const SHIPPED: &str = r#"
Security {
  user = "ecuser"  group = "ecuser"
  Capabilities = "cap_net_admin+ep cap_net_bind_service+ep cap_net_raw+ep cap_sys_resource+ep"
}
ec_logger "ec_logger_cluster" {
  mainlog   = "cluster:///var/log/ecelerity/mainlog.cluster=>master"
  paniclog  = "cluster:///var/log/ecelerity/paniclog.cluster=>master"
  rejectlog = "cluster:///var/log/ecelerity/rejectlog.cluster=>master"
  acctlog   = "cluster:///var/log/ecelerity/acctlog.cluster=>master"
}
bounce_logger "bounce_logger_cluster" {
  bouncelog = "cluster:///var/log/ecelerity/bouncelog.cluster=>master"
}
ECCluster_Listener { Listen "*:4802" {} }
msgc_client { server = ( "127.0.0.1:4809" ) }
include "msgc_server.conf"
cluster {
  cluster_group = "ec_cluster"
  control_group = "ec_console"
  logs = [
    rejectlog = "/var/log/ecelerity/rejectlog.cluster"
    paniclog  = "/var/log/ecelerity/paniclog.cluster"
    mainlog   = "/var/log/ecelerity/mainlog.cluster"
    acctlog   = "/var/log/ecelerity/acctlog.cluster"
    bouncelog = "/var/log/ecelerity/bouncelog.cluster"
  ]
  Replicate "inbound_cidr" {}
  Replicate "outbound_cidr" {}
  Replicate "outbound_domains" {}
  Replicate "outbound_binding_domains" {}
  Replicate "shared_named_throttles" {}
  Topology "10.1.1.0/24" { cidrmask = "32"  interface = "eth1" }
}
"#;

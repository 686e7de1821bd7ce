//! The reference's tables as cases: each option with its default, written down here a second time and independently.
use super::*;

/// Section, scopes, and the options there with the reference's own default; `None` is unset.
type Section = (&'static str, &'static [&'static str], &'static [(&'static str, Option<&'static str>)]);

const SECTIONS: &[Section] = &[
    (
        "1.14",
        &[""],
        &[
            ("Local_Changes_File", Some("/opt/msys/ecelerity/etc/local_changes.conf, elsewhere undefined")),
            ("Local_Changes_Only", Some("false")),
        ],
    ),
    (
        "2.1",
        &["cluster"],
        &[
            ("arp_all_hosts", Some("true")),
            ("cluster_group", Some("ec_cluster")),
            ("control_group", Some("ec_console")),
            ("debug_level", Some("ERROR")),
            ("duravip_balance_set_size", Some("1")),
            ("enabled", Some("true")),
            ("heartbeat_start_delay", Some("15")),
            ("heartbeats_per_sec", Some("1")),
            ("if_check_interval", Some("30")),
            ("if_down_limit", Some("4")),
            ("log_active_interval", Some("1")),
            ("log_group", None),
            ("log_idle_interval", Some("10")),
            ("logs", Some(LOGS)),
            ("nodeaddr", Some("the address of `nodename`, looked up")),
            ("nodename", None),
            ("unconditional_rebind", Some("true")),
            ("view_balance_interval", Some("10")),
            ("view_broadcast_interval", Some("0")),
            ("view_mature_time", Some("5")),
            ("cluster_listener", Some("*:4802")),
        ],
    ),
    ("2.1", &["cluster", ""], &[("tcp_buffer_size", Some("32768"))]),
    (
        "2.4",
        &["cluster::Replicate"],
        &[
            ("type", None),
            ("parameters", None),
            ("max_delay", Some("1.0")),
            ("max_pending", Some("100")),
            ("max_size", Some("-1 (the largest integer), for caches only")),
            ("binding_group", None),
            ("class", None),
        ],
    ),
    ("2.5", &["cluster::Topology"], &[("interface", None), ("cidrmask", Some("32"))]),
    (
        "3.1",
        &["ECCluster_Listener", "ECCluster_Listener::Listen"],
        &[
            ("accept_queue_backlog", Some("0")),
            ("concurrency", Some("0")),
            ("disable_nagle_algorithm", Some("false")),
            ("enable", Some("true")),
            ("events_per_iter", Some("0")),
            ("file_mode", Some("0660")),
            ("listen_backlog", Some("500")),
            ("pool_name", None),
            ("tcp_recv_buffer_size", Some("4096")),
            ("tcp_send_buffer_size", Some("4096")),
        ],
    ),
    (
        "3.2",
        &["Control_Listener", "Control_Listener::Listen"],
        &[
            ("accept_queue_backlog", Some("0")),
            ("concurrency", Some("0")),
            ("disable_nagle_algorithm", Some("false")),
            ("enable", Some("true")),
            ("events_per_iter", Some("0")),
            ("file_mode", Some("0660")),
            ("listen_backlog", Some("500")),
            ("pool_name", None),
            ("tcp_recv_buffer_size", Some("4096")),
            ("tcp_send_buffer_size", Some("4096")),
        ],
    ),
    ("3.2", &["Control_Listener"], &[("timeout", Some("60"))]),
    (
        "3.2",
        &["Control_Listener", "Control_Listener::Listen", "Control_Listener::Listen::Peer"],
        &[
            ("Enable_Authentication", None),
            ("Enable_Authorization", None),
            ("AuthDigestMD5Parameters", None),
            ("AuthCramMD5Parameters", None),
            ("AuthLoginParameters", None),
            ("AuthorizationParameters", None),
            ("always_allow", Some("false")),
            ("always_deny", Some("false")),
        ],
    ),
    ("3.2", &[""], &[("control_client_timeout", Some("60"))]),
    ("3.2", &["Authorization::Role"], &[("allow", Some("( )"))]),
    (
        "3.3",
        &["msgc_server"],
        &[
            ("peers", Some("[ ]")),
            ("port", Some("4809")),
            ("reconnect_interval", Some("5")),
            ("debug_level", Some("ERROR")),
        ],
    ),
    (
        "3.3",
        &["msgc_server", "msgc_client"],
        &[
            ("enabled", Some("true")),
            ("debug_level", Some("ERROR")),
            ("connect_timeout", Some("60")),
            ("idle_timeout", Some("30")),
            ("keepalive_interval", Some("5")),
            ("max_backlog", Some("5000")),
            ("messages_per_iter", Some("20")),
            ("tcpbuf_size", Some("131072")),
        ],
    ),
    (
        "3.3",
        &["msgc_client"],
        &[
            ("bind_address", None),
            ("debug_level", Some("ERROR")),
            ("reconnect_interval", Some("5")),
            ("server", Some("( \"127.0.0.1:4809\" )")),
        ],
    ),
    (
        "3.3",
        &["msgcserver_listener", "msgcserver_listener::Listen"],
        &[("accept_queue_backlog", Some("0")), ("enable", Some("true")), ("file_mode", Some("0660"))],
    ),
    ("3.5", &["ec_logger"], &[("mainlog", None), ("paniclog", None), ("rejectlog", None), ("acctlog", None)]),
    ("3.5", &["ec_logger"], &[("heartbeat", None)]),
    ("3.7", &["bounce_logger"], &[("bouncelog", None)]),
    (
        "3.6",
        &["Logs", "Logs::Manager"],
        &[
            ("logfile", Some("\"/var/log/eccluster/%Y/%m/%d/%{l}/%{s}/%{n}\"")),
            ("file_mode", Some("0640")),
            ("dir_mode", Some("0755")),
            ("max_open", None),
            ("max_idle", None),
            ("control_cache", None),
        ],
    ),
    ("3.6", &["Logs", "Logs::Manager", "Logs::Manager::Node"], &[("Subscriber", None)]),
    (
        "3.8",
        &["Security"],
        &[
            ("user", Some("ecuser")),
            ("group", Some("ecuser")),
            ("capabilities", None),
            ("privileges", None),
            ("supplemental_groups", None),
            ("chroot", None),
        ],
    ),
    (
        "4.5",
        &["", "Domain", "Binding", "Host", "Binding::Domain", "Binding::Host"],
        &[("Cluster_Max_Outbound_Connections", Some("-1"))],
    ),
    (
        "4.5",
        &["", "Binding_Group", "Binding", "Domain", "Host", "Binding_Group::Domain"],
        &[
            ("Cluster_Scope_Max_Outbound_Connections", None),
            ("Max_Outbound_Connections", Some("32")),
            ("Scope_Max_Outbound_Connections", None),
        ],
    ),
    (
        "4.5",
        &["", "Binding_Group", "Binding", "Binding_Group::Binding"],
        &[
            ("Cluster_Server_Max_Outbound_Connections", None),
            ("Server_Max_Outbound_Connections", Some("75000")),
        ],
    ),
    ("4.5", &[""], &[("Server_Reserve_Outbound_Connections", Some("200"))]),
    (
        "4.5",
        &["", "Binding_Group", "Binding", "Domain"],
        &[("connection_allocation_aggressiveness", Some("normal"))],
    ),
    (
        "4.6",
        &["", "Domain", "Binding_Group"],
        &[("Cluster_Outbound_Throttle_Connections", None), ("Cluster_Outbound_Throttle_Messages", None)],
    ),
    (
        "4.6",
        &["", "Binding_Group", "Binding", "Domain", "Binding_Group::Binding::Domain"],
        &[("Outbound_Throttle_Connections", None), ("Outbound_Throttle_Messages", None)],
    ),
    (
        "4.6",
        &["", "Pathway_Group", "Pathway", "Pathway_Group::Pathway"],
        &[("Inbound_Throttle_Messages", None)],
    ),
    ("4.7", &[""], &[("siv_throttle_cache_size", Some("1000"))]),
    ("4.12", &["", "Binding", "Binding_Group", "Domain"], &[("adaptive_scope", Some("auto"))]),
    (
        "5.2",
        &["Binding", "Binding_Group::Binding", "ESMTP_Listener::Listen", "ECCluster_Listener::Listen"],
        &[
            // Unset is false there; the word for it is the same.
            ("Enable_Duravip", Some("false")),
            ("Duravip_Preference", None),
        ],
    ),
    (
        "5.2",
        &["ESMTP_Listener::Listen", "ECStream_Listener::Listen", "Control_Listener::Listen"],
        &[("Duravip_Follow", None)],
    ),
    ("5.2", &["Binding", "Binding_Group", ""], &[("bind_address", Some("*"))]),
    (
        "5.2",
        &[""],
        &[
            ("use_iflist_cache", Some("0")),
            ("binding_auto_replumb", Some("disabled")),
            ("binding_auto_replumb_interval", Some("60")),
            ("default_binding", Some("normal")),
        ],
    ),
];

const LOGS: &str = "[ rejectlog = \"/var/log/ecelerity/rejectlog.cluster\"  paniclog = \"/var/log/ecelerity/paniclog.cluster\"  \
    mainlog = \"/var/log/ecelerity/mainlog.cluster\"  acctlog = \"/var/log/ecelerity/acctlog.cluster\"  \
    bouncelog = \"/var/log/ecelerity/bouncelog.cluster\" ]";

/// Returns each option of the tables: section, scope, name, default.
fn cases() -> impl Iterator<Item = (&'static str, &'static str, &'static str, Option<&'static str>)> {
    SECTIONS.iter().flat_map(|(section, scopes, options)| {
        let options =
            move |scope: &'static str| options.iter().map(move |(name, default)| (scope, *name, *default));
        scopes
            .iter()
            .flat_map(move |scope| options(scope))
            .map(move |(scope, name, default)| (*section, scope, name, default))
    })
}

#[test]
fn every_option_of_the_reference_is_there_with_its_default_or_says_why_not() {
    for (section, path, name, reference) in cases() {
        let row = option(path, name).unwrap_or_else(|| panic!("{section}: {path} {name}"));
        match row.origin {
            Origin::Reference => assert_eq!(row.default, reference, "{section}: {path} {name}"),
            Origin::Changed { reference: stated, why } => {
                let stated = Some(stated).filter(|stated| *stated != "unset");
                assert_eq!(stated, reference, "{section}: {path} {name}");
                assert_ne!(row.default, reference, "{section}: {path} {name}");
                assert!(!why.is_empty());
            }
            Origin::Ours => panic!("{section}: {path} {name} is the reference's"),
        }
    }
}

#[test]
fn every_option_of_the_table_is_the_references_or_marked_as_ours() {
    for row in OPTIONS {
        let listed = cases().any(|(_, path, name, _)| name == row.name && row.is_in(path));
        assert_eq!(listed, row.origin != Origin::Ours, "{}", row.name);
    }
}

/// Reference sections 2.1 and 2.4, options that are gone or deprecated.
#[test]
fn what_is_gone_is_known_and_says_what_to_do() {
    for (path, name) in [
        ("cluster", "mbus_daemon"),
        ("cluster", "subcluster"),
        ("cluster", "dml"),
        ("cluster", "replicate"),
        ("cluster::Replicate", "replication_name"),
    ] {
        assert!(NOT_READ.iter().any(|(scopes, gone, _)| scopes.contains(&path) && *gone == name), "{name}");
    }
}

/// Reference sections 4.5, 4.6 and 5.2: where an option does not belong.
#[test]
fn limits_stand_only_where_the_reference_has_them() {
    for (name, paths) in [
        ("Cluster_Max_Outbound_Connections", &["Binding_Group", "Binding_Group::Binding"][..]),
        ("Cluster_Server_Max_Outbound_Connections", &["Domain", "Host"][..]),
        ("Cluster_Outbound_Throttle_Messages", &["Binding", "Host"][..]),
        ("Server_Reserve_Outbound_Connections", &["Binding", "Binding_Group"][..]),
        ("Outbound_Throttle_Messages", &["Host", "Pathway"][..]),
        ("Inbound_Throttle_Messages", &["Binding", "Domain"][..]),
        ("Duravip_Follow", &["Binding"][..]),
        ("bind_address", &["Domain", "ESMTP_Listener::Listen"][..]),
    ] {
        for path in paths {
            assert!(scope(path).is_some() && option(path, name).is_none(), "{name} in {path}");
        }
    }
}

/// Reference section 1.12.
#[test]
fn options_fall_back_along_the_references_chains() {
    for (path, name, expected) in [
        ("Binding", "Outbound_Throttle_Messages", Fallback::Sending),
        ("Domain", "Max_Outbound_Connections", Fallback::Sending),
        ("Host", "Cluster_Max_Outbound_Connections", Fallback::ClusterConnections),
        ("Pathway", "Inbound_Throttle_Messages", Fallback::Pathway),
        ("ECCluster_Listener::Listen", "listen_backlog", Fallback::Listener),
        ("Control_Listener::Listen::Peer", "Enable_Authentication", Fallback::Listener),
        // Each scope has a limit of its own.
        ("Binding", "Cluster_Scope_Max_Outbound_Connections", Fallback::None),
        ("Binding", "Cluster_Server_Max_Outbound_Connections", Fallback::None),
        ("Binding", "Enable_Duravip", Fallback::None),
        ("cluster", "heartbeats_per_sec", Fallback::None),
    ] {
        assert_eq!(option(path, name).unwrap().fallback, expected, "{path} {name}");
    }
    let sending = Fallback::Sending.chain();
    let at = |path| sending.iter().position(|found| *found == path).unwrap();
    let order = [
        "Binding_Group::Binding::Domain",
        "Binding::Domain",
        "Binding_Group::Domain",
        "Binding",
        "Domain",
        "",
    ];
    assert!(order.map(at).is_sorted());
    assert_eq!(
        Fallback::ClusterConnections.chain(),
        ["Binding::Host", "Host", "Binding::Domain", "Binding", "Domain", ""]
    );
}

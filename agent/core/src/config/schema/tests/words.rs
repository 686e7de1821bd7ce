//! Values that do not fit their row, and names that nobody has.
use super::*;

#[test]
fn a_value_that_does_not_fit_is_an_error() {
    let cluster = |inside: &str| format!("cluster {{ {inside} }}");
    check_told(
        &cluster("heartbeats_per_sec = often"),
        "wrong-type",
        "`heartbeats_per_sec`: `often` is not a whole number",
        "expected a whole number",
    );
    check_told(
        &cluster("heartbeats_per_sec = 201"),
        "out-of-range",
        "`heartbeats_per_sec`: `201` is out of range",
        "expected 1 to 200",
    );
    check_told(
        &cluster("Replicate inbound_cidr { max_size = 0 }"),
        "out-of-range",
        "`max_size`: `0` is out of range",
        "expected -1, or 1 to 16777216",
    );
    check_told(
        &cluster("Replicate inbound_cidr { max_delay = 61 }"),
        "out-of-range",
        "`max_delay`: `61` is out of range",
        "expected 0 to 60 seconds",
    );
    check_told(
        &cluster("audit_interval = 5m"),
        "wrong-type",
        "`audit_interval`: `5m` is not a time in seconds",
        "there are no unit suffixes: times are seconds, sizes are bytes",
    );
    check_told(
        &cluster("inbound_ports = ( 25, 587 )"),
        "wrong-type",
        "`inbound_ports`: `25,` is not a whole number",
        "write `25`: blanks separate, `,` and `;` do not",
    );
    check_told(
        &cluster("audit_interval = ( 1 2 )"),
        "wrong-shape",
        "`audit_interval` has a value of the wrong shape",
        "write `audit_interval = 10`",
    );
    check_told(
        "msgc_server { peers = ( a b ) }",
        "wrong-shape",
        "`peers` has a value of the wrong shape",
        "write `peers = [ key = \"value\" ]`",
    );
    check_told(
        &cluster("Replicate x { type = inbound }"),
        "out-of-range",
        "`type`: `inbound` is out of range",
        "expected one of inbound_cidr, outbound_cidr, outbound_domains, outbound_binding_domains, \
         shared_named_throttles, OBTM, OBTC, metrics, eccmgr_metrics, cache",
    );
}

#[test]
fn rates_paths_and_destinations_are_checked() {
    check_told(
        "Outbound_Throttle_Messages = 100/min",
        "wrong-type",
        "`Outbound_Throttle_Messages`: `100/min` is not a rate (N a second, or N/S in S seconds)",
        "expected a rate (N a second, or N/S in S seconds)",
    );
    check_told(
        "Binding b { bind_address = eth0 }",
        "wrong-type",
        "`bind_address`: `eth0` is not an IP address (IPv6 without brackets, no port)",
        "expected an IP address (IPv6 without brackets, no port)",
    );
    check_told(
        "cluster { logs = [ mainlog = mainlog.cluster ] }",
        "wrong-type",
        "`logs`: `mainlog.cluster` is not an absolute path",
        "expected an absolute path",
    );
    check_told(
        "ec_logger x { mainlog = \"cluster://var/log/x=>master\" }",
        "wrong-type",
        "`mainlog`: `cluster://var/log/x=>master` names no absolute directory",
        "write three slashes: `cluster:///directory=>subscriber`",
    );
    check_told(
        "cluster { Replicate metrics { parameters = \"connect;receptions\" } }",
        "out-of-range",
        "`parameters`: `receptions` is out of range",
        "expected some of snapshot;connect;reception;rejection;delivery;transfail;permfail;audit_series;gauge_cache",
    );
    for logfile in ["%{x}", "/a/%{l", "/a/%", "/a/%5", "a/%Y"] {
        assert_eq!(told(&format!("Logs {{ logfile = \"{logfile}\" }}"))[0].0, "wrong-type", "{logfile}");
    }
    let good = "
        Outbound_Throttle_Messages = 100/60  bind_address = *
        Security { chroot = /srv }
        Logs { logfile = \"/var/log/eccluster/%Y/%m/%d/%{l}/%{s}/%{n}\" }";
    assert_eq!(told(good), vec![]);
    let piped = told("Logs { logfile = \"pipe:///bin/cat?arg1=%{l}%%\" }");
    assert_eq!(piped[0].0, "no-effect");
}

#[test]
fn a_name_that_nobody_has_is_an_error_in_a_scope_of_ours() {
    check_told(
        "cluster { heartbeat_per_sec = 5 }",
        "unknown-option",
        "`heartbeat_per_sec` is not a valid option name in scope `cluster`",
        "did you mean `heartbeats_per_sec`?",
    );
    check_told(
        "cluster { something_else = 5 }",
        "unknown-option",
        "`something_else` is not a valid option name in scope `cluster`",
        "",
    );
    check_told(
        "cluster { Replicates x { } }",
        "unknown-scope",
        "`replicates` is not a valid scope name in scope `cluster`",
        "did you mean `Replicate`?",
    );
    check_told(
        "cluster { peers = [ ] }",
        "unknown-option",
        "`peers` is not a valid option name in scope `cluster`",
        "`peers` is an option of scope `msgc_server`",
    );
    check_told(
        "cluster { hostname = x }",
        "unknown-option",
        "`hostname` is not a valid option name in scope `cluster`",
        "",
    );
    check_told(
        "cluster { mbus_daemon = 4803 }",
        "not-read",
        "option `mbus_daemon` in scope `cluster` is passed over",
        "the Spread bus is gone since 3.4; remove the option",
    );
}

#[test]
fn what_is_gone_or_has_no_use_is_a_warning() {
    check_told(
        "msgcserver_listener { Listen :4809 { listen_backlog = 5 } }",
        "not-read",
        "option `listen_backlog` in scope `msgcserver_listener::Listen` is passed over",
        "the listener of group communication has no use for it; remove the option",
    );
    check_told(
        "cluster { cluster_listener = \"*:4900\" }",
        "deprecated",
        "`cluster_listener` is deprecated",
        "write `ECCluster_Listener { Listen \"*:4802\" {} }` outside `cluster`",
    );
}

#[test]
fn a_slip_is_an_error_where_the_mail_server_has_names_too() {
    let way_out = " the name is right, add it to `ignore_names` in scope `cluster`";
    check_told(
        "msgc_sever { }",
        "unknown-scope",
        "`msgc_sever` is not a valid scope name in the global scope",
        &format!("did you mean `msgc_server`? If{way_out}"),
    );
    check_told(
        "Domain example.com { Outbound_Throtle_Messages = 100 }",
        "unknown-option",
        "`Outbound_Throtle_Messages` is not a valid option name in scope `Domain`",
        &format!("did you mean `Outbound_Throttle_Messages`? If{way_out}"),
    );
    check_told(
        "Domain example.com { max_retrys = 100 }",
        "unknown-option",
        "`max_retrys` is not a valid option name in scope `Domain`",
        &format!("did you mean `max_retries`? If{way_out}"),
    );
    check_told(
        "Replicate \"inbound_cidr\" {}",
        "unknown-scope",
        "`replicate` is not a valid scope name in the global scope",
        &format!("`Replicate` stands inside `cluster`; if{way_out}"),
    );
    check_told(
        "heartbeats_per_sec = 5",
        "unknown-option",
        "`heartbeats_per_sec` is not a valid option name in the global scope",
        &format!("`heartbeats_per_sec` is an option of scope `cluster`; if{way_out}"),
    );
    let known = "cluster { ignore_names = ( Max_Retrys msgc_sever ) } max_retrys = 5 msgc_sever { x = 1 }";
    assert_eq!(told(known), vec![]);
}

#[test]
fn what_is_the_mail_servers_is_passed_over_without_a_word() {
    let text = "
        Hostname = mx.example.com  Relay_Hosts = ( 127.0.0.0/8 )  TLS_Certificate = /etc/x
        SNMP { community = public } ThreadPool \"gp\" { concurrency = 5 } scriptlet \"x\" { script \"y\" { source = z } }
        ESMTP_Listener { enable = true  Listen :25 { smtp_extensions = ( ENHANCEDSTATUSCODES )
            Peer 10.0.0.0/8 { anything = 1 } } }
        Binding b { EHLO_Hostname = x  Domain d { Retry_Interval = 5  adaptive_sweep_rule r { codes = ( 1 ) } } }";
    assert_eq!(told(text), vec![]);
}

#[test]
fn names_in_neither_list_are_told_together() {
    let text = (0..1_000)
        .fold(String::new(), |text, n| text + &format!("Binding \"b{n}\" {{ frobnicate = {n} }}\n"));
    let help = "names of the mail server can be listed in `ignore_names` of scope `cluster`";
    check_told(&text, "unlisted-names", "`frobnicate` is passed over: Convoy has no such name", help);
    check_told(
        "one_thing = 1 two_things { } Binding b { three_things = 3 } four_things = 4 five_things = 5 six_things = 6",
        "unlisted-names",
        "`one_thing`, `two_things`, `three_things`, `four_things`, `five_things` and one more are passed over: \
         Convoy has no such name",
        help,
    );
}

#[test]
fn an_option_in_a_scope_nested_otherwise_is_a_warning() {
    check_told(
        "Binding_Group g { Cluster_Max_Outbound_Connections = 5 }",
        "misplaced-option",
        "`Cluster_Max_Outbound_Connections` has no effect in scope `Binding_Group`",
        "it may stand in the global scope, `Binding`, `Binding::Domain`, `Binding::Host`, `Domain` and others",
    );
}

#[test]
fn thousands_of_unknown_names_cost_little_and_stay_bounded() {
    let names =
        |prefix: &str| (0..20_000).fold(String::new(), |text, n| text + &format!("{prefix}{n:05} = 1\n"));
    let mixed = told(&names("zzzzzzzzzzzz"));
    assert_eq!(mixed.len(), 1);
    assert!(mixed[0].1.contains("and 1019 more"), "{}", mixed[0].1);
    let (config, mut diagnostics) = load_files(&[("m", &format!("cluster {{ {} }}", names("x")))]);
    check(&config.scopes, &mut diagnostics);
    assert_eq!(diagnostics.errors(), 20_000);
    assert!(diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Error));
}

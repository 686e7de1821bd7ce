//! The table itself, and what is said about names and values.
use super::*;
use crate::config::memory::load_files;
use alloc::vec;

#[test]
fn every_default_has_the_type_and_range_of_its_row() {
    for row in OPTIONS {
        if let Some(default) = row.default {
            assert!(default_of(row).is_some(), "{} = {default}", row.name);
        }
    }
}

#[test]
fn every_row_stands_in_scopes_of_the_table_and_only_once() {
    for row in OPTIONS {
        assert!(!row.help.is_empty() && row.help.ends_with('.'), "{}", row.name);
        for path in row.scopes {
            assert!(scope(path).is_some(), "{path}");
            let twins = OPTIONS.iter().filter(|other| other.name == row.name && other.is_in(path)).count();
            assert_eq!(twins, 1, "{path} {}", row.name);
            assert!(
                !NOT_READ.iter().any(|(scope, name, _)| scope == path && *name == row.name),
                "{}",
                row.name
            );
        }
    }
}

/// Returns the codes and the help of everything a main file is told.
fn told(text: &str) -> Vec<(&'static str, String, String)> {
    let (config, mut diagnostics) = load_files(&[("m", text)]);
    check(&config.scopes, &mut diagnostics);
    diagnostics.sort();
    let told = |d: &crate::config::diagnostic::Diagnostic| {
        (d.code, d.message.clone(), d.help.clone().or(d.expected.clone()).unwrap_or_default())
    };
    diagnostics.iter().map(told).collect()
}

#[track_caller]
fn check_told(text: &str, code: &str, message: &str, help: &str) {
    let found = told(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].0, found[0].1.as_str(), found[0].2.as_str()), (code, message, help));
}

#[test]
fn what_is_right_is_told_nothing() {
    let text = "
        CLUSTER { Cluster_Group = \"x\" heartbeats_per_sec = 0x10 inbound_ports = 25 outbound_ports = ( 25 026 )
          Replicate \"inbound_cidr\" { max_delay = 0.5 TYPE = inbound_cidr } }
        msgc_server { peers [ a = 10.0.0.1  b = \"fd00::1\" ] }
        ECCluster_Listener { Listen \"*:4802\" { enable = off } }";
    assert_eq!(told(text), vec![]);
}

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
        &cluster("Replicate x { max_size = 0 }"),
        "out-of-range",
        "`max_size`: `0` is out of range",
        "expected -1, or 1 to 16777216",
    );
    check_told(
        &cluster("Replicate x { max_delay = 61 }"),
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
fn a_name_that_nobody_reads_is_a_warning_with_the_nearest_one() {
    check_told(
        "cluster { heartbeat_per_sec = 5 }",
        "unknown-option",
        "unknown option `heartbeat_per_sec` in scope `cluster` is passed over",
        "did you mean `heartbeats_per_sec`?",
    );
    check_told(
        "msgc_sever { }",
        "unknown-scope",
        "unknown scope `msgc_sever` outside all scopes is passed over",
        "did you mean `msgc_server`?",
    );
    check_told(
        "cluster { peers = [ ] }",
        "unknown-option",
        "unknown option `peers` in scope `cluster` is passed over",
        "`peers` is an option of scope `msgc_server`",
    );
    check_told(
        "Replicate \"inbound_cidr\" {}",
        "unknown-scope",
        "unknown scope `replicate` outside all scopes is passed over",
        "`Replicate` stands inside `cluster`",
    );
    check_told(
        "cluster { mbus_daemon = 4803 }",
        "not-read",
        "option `mbus_daemon` in scope `cluster` is passed over",
        "the Spread bus is gone since 3.4; remove the option",
    );
    check_told(
        "cluster { control_group = x }",
        "no-effect",
        "`control_group` has no effect in this version",
        "",
    );
}

#[test]
fn an_instance_too_many_or_too_few_is_an_error() {
    check_told(
        "cluster \"x\" { }",
        "instance",
        "scope `cluster` has no instances, found `x`",
        "write `cluster { ... }`",
    );
    check_told(
        "cluster { Replicate { } }",
        "instance",
        "scope `cluster::Replicate` without an instance",
        "write `Replicate \"object\" { ... }`",
    );
}

#[test]
fn a_name_that_occurs_often_is_told_once() {
    let text = (0..1_000).fold(String::new(), |text, n| text + &format!("Binding \"b{n}\" {{ x = 1 }}\n"));
    check_told(
        &text,
        "unknown-scope",
        "unknown scope `binding` outside all scopes is passed over",
        "and in 999 other places",
    );
}

#[test]
fn nearest_is_near() {
    let names = ["max_delay", "max_pending", "max_size"];
    for (slip, meant) in [
        ("max_dely", Some("max_delay")),
        ("MAX_DELAY", Some("max_delay")),
        ("mxa_size", Some("max_size")),
        ("max_pendings", Some("max_pending")),
        ("timeout", None),
        ("", None),
    ] {
        assert_eq!(nearest(slip, names), meant, "{slip}");
    }
}

#[test]
fn the_page_names_every_option() {
    let page = page();
    for row in OPTIONS {
        assert!(page.contains(&format!("| `{}` |", row.name)), "{}", row.name);
    }
}

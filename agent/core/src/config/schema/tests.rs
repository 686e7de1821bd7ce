//! The table itself, and what is said about names and values.
use super::*;
use crate::config::{diagnostic::Severity, memory::load_files};
use alloc::vec;

mod reference;
mod words;

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
        assert!(row.help.len() <= 160, "{}: one line of help", row.name);
        for path in row.scopes {
            assert!(scope(path).is_some(), "{path}");
            let twins = OPTIONS.iter().filter(|other| other.name == row.name && other.is_in(path)).count();
            assert_eq!(twins, 1, "{path} {}", row.name);
            assert!(
                !NOT_READ.iter().any(|(scopes, name, _)| scopes.contains(path) && *name == row.name),
                "{}",
                row.name
            );
        }
    }
}

#[test]
fn the_index_finds_what_a_scan_finds() {
    for row in OPTIONS {
        for path in row.scopes {
            let found = option(&path.to_ascii_uppercase(), &row.name.to_ascii_lowercase());
            assert!(found.is_some_and(|found| core::ptr::eq(found, row)), "{path} {}", row.name);
        }
    }
    for row in SCOPES {
        assert!(scope(row.path).is_some_and(|found| core::ptr::eq(found, row)), "{}", row.path);
        let (outer, name) = (index::parent(row.path), index::last(row.path));
        let below = scope_below(outer, name);
        assert_eq!(below.map(|found| found.path), Some(row.path).filter(|path| !path.is_empty()));
    }
    assert!(option("cluster", "nothing").is_none() && scope("").is_some() && scope("cluster::x").is_none());
}

#[test]
fn scopes_stand_in_scopes_and_chains_consist_of_them() {
    for row in SCOPES {
        let twins = SCOPES.iter().filter(|other| other.path.eq_ignore_ascii_case(row.path)).count();
        assert!(twins == 1 && scope(index::parent(row.path)).is_some(), "{}", row.path);
    }
    let sending = [Fallback::Sending, Fallback::ClusterConnections, Fallback::Pathway];
    for path in sending.iter().flat_map(|fallback| fallback.chain()) {
        assert!(scope(path).is_some(), "{path}");
    }
    for row in OPTIONS {
        let chain = row.fallback.chain();
        let asked = |path: &&&str| match row.fallback {
            Fallback::Listener => true,
            // A host asks nobody further out, except for the limit that says so.
            _ => chain.contains(*path) || index::last(path) == "Host",
        };
        assert!(chain.is_empty() || row.scopes.iter().all(|path| asked(&path)), "{}", row.name);
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
    assert_eq!(told("ec_logger { } ec_logger \"x\" { }"), vec![]);
}

#[test]
fn an_instance_has_the_form_of_its_scope() {
    check_told(
        "cluster { Topology \"10.1.1.0/33\" { } }",
        "instance",
        "`Topology`: `10.1.1.0/33` is not a CIDR block (such as 10.1.1.0/24)",
        "expected a CIDR block (such as 10.1.1.0/24)",
    );
    check_told(
        "ECCluster_Listener { Listen \"::1:4802\" { } }",
        "bad-listen",
        "`Listen`: the IPv6 address in `::1:4802` has no brackets",
        "write brackets and quotes: `\"[2001:db8::1]:4802\"`",
    );
    check_told(
        "Binding \"a b\" { }",
        "instance",
        "`Binding`: the name `a b` must not hold blanks or colons",
        "",
    );
    check_told("Binding a:b { }", "instance", "`Binding`: the name `a:b` must not hold blanks or colons", "");
    check_told(
        "Binding_Group \"a b\" { }",
        "instance",
        "`Binding_Group`: the name `a b` must not hold blanks",
        "",
    );
    check_told(
        "Domain \"/\\.fr$\" { }",
        "instance",
        "`Domain`: the regular expression `/\\.fr$` does not end with `/`",
        "",
    );
    let good = "Binding_Group a:b { Binding b { Domain \"/\\.fr$/\" { } Host x { } } }
        Control_Listener { Peer 10.0.0.0/8 { } Listen /tmp/2025 { Peer \"::1\" { } } }";
    assert_eq!(told(good), vec![]);
}

#[test]
fn only_what_differs_from_the_default_has_no_effect() {
    let backlog = |messages: u32| format!("msgc_server {{ max_backlog = {messages} }}");
    assert_eq!(told(&backlog(5_000)), vec![]);
    check_told(&backlog(9), "no-effect", "`max_backlog` has no effect in this version", "");
    let domains = (0..3).fold(String::new(), |text, n| {
        text + &format!("Domain d{n} {{ Cluster_Max_Outbound_Connections = {} }}\n", n + 5)
    });
    check_told(
        &domains,
        "no-effect",
        "`Cluster_Max_Outbound_Connections` has no effect in this version",
        "and in 2 other places",
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
    // The path of the global scope is empty, and nobody meant that.
    assert_eq!(nearest("x", ["", "long_name"]), None);
}

#[test]
fn every_option_and_every_scope_is_on_a_page_and_in_the_manual() {
    let (pages, manual) = (pages(), manual());
    for row in OPTIONS {
        let line = format!("| `{}` |", row.name);
        let on = pages.iter().filter(|(_, text)| text.contains(&line)).count();
        assert!(on >= 2, "{}: an area and the index", row.name);
        assert!(manual.contains(&format!("\n.BR {} ", row.name)), "{}", row.name);
    }
    for row in SCOPES.iter().filter(|row| !row.path.is_empty()) {
        let heading = format!("`{}", row.path);
        assert!(pages.iter().any(|(_, text)| text.contains(&heading)), "{}", row.path);
        assert!(manual.contains(&format!(".SS \"{}", row.path)), "{}", row.path);
    }
}

//! Reference section 1.12, row by row and sentence by sentence; the rows stand in a table of their own here, so that what
//! the schema says of an option does not decide what a chain means.
use super::*;
use crate::config::{
    load::Config,
    memory::load_files,
    schema::{Kind, Live, Origin, Shape},
};
use alloc::{
    format,
    string::{String, ToString as _},
};
use proptest::prelude::*;

const fn row(
    scopes: &'static [&'static str],
    name: &'static str,
    fallback: Fallback,
    default: Option<&'static str>,
) -> Row {
    Row {
        scopes,
        name,
        kind: Kind::Text,
        shape: Shape::One,
        default,
        live: Live::Mta,
        fallback,
        origin: Origin::Reference,
        help: "",
    }
}

const SENDERS: &[&str] =
    &["", "Binding_Group", "Binding", "Domain", "Binding::Domain", "Binding_Group::Binding", "Host"];

static ROWS: [Row; 9] = [
    row(SENDERS, "Max_Outbound_Connections", Fallback::Sending, Some("32")),
    row(SENDERS, "Outbound_Throttle_Messages", Fallback::Sending, None),
    row(SENDERS, "Scope_Max_Outbound_Connections", Fallback::Sending, None),
    row(SENDERS, "Cluster_Max_Outbound_Connections", Fallback::ClusterConnections, Some("-1")),
    row(&["", "Pathway_Group", "Pathway"], "Timeout_In", Fallback::Pathway, Some("5")),
    row(&["", "X_Listener", "X_Listener::Listen"], "Timeout", Fallback::Listener, Some("60")),
    row(&["X_Listener"], "Enable", Fallback::Listener, Some("true")),
    row(&["cluster"], "nodename", Fallback::None, None),
    row(&["cluster"], "Enable", Fallback::None, Some("no")),
];

fn rows_named(option: &str) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |row| row.name.eq_ignore_ascii_case(option))
}

fn config(text: &str) -> Config {
    let (config, diagnostics) = load_files(&[("m", text)]);
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    config
}

/// Reads `name instance / name instance`.
fn path(text: &str) -> Vec<(&str, Option<&str>)> {
    let steps = text.split(" / ").map(str::trim).filter(|step| !step.is_empty());
    steps.map(|step| step.split_once(' ').map_or((step, None), |(name, of)| (name, Some(of)))).collect()
}

/// Returns the value with its scope, and the scope that shares its counter.
fn answer(scopes: &Scopes, at: &str, option: &str) -> String {
    let answer = Lookup::among(rows_named(option), scopes, option).at(&path(at));
    let named = |scope: Scope<'_>| match scope.to_string() {
        global if global.is_empty() => "global".to_string(),
        scope => scope,
    };
    let value = match answer.from {
        From::Set { scope, setting } => {
            let place = setting.place();
            let word = setting.tree().raw(place.start, place.end);
            format!("{word} of {}", named(scope))
        }
        From::Default(text) => format!("{text} by default"),
        From::Unset => "unset".into(),
    };
    answer.shared.map_or(value.clone(), |scope| format!("{value}, counted for {}", named(scope)))
}

#[track_caller]
fn check(text: &str, cases: &[(&str, &str, &str)]) {
    let config = config(text);
    for (at, option, expected) in cases {
        assert_eq!(answer(&config.scopes, at, option), *expected, "{option} at `{at}`");
    }
}

/// A scope inside others, all of them opened just for this option.
fn set(scopes: &str, option: &str, value: &str) -> String {
    let open: String = path(scopes).iter().fold(String::new(), |text, (name, instance)| {
        text + &instance.map_or(format!("{name} {{ "), |instance| format!("{name} \"{instance}\" {{ "))
    });
    format!("{open}{option} = {value}{}\n", " }".repeat(path(scopes).len()))
}

/// Every link of a chain is what is in effect once all links before it are taken away; then the default.
fn check_order(option: &str, at: &str, links: &[&str], default: &str) {
    for first in 0..=links.len() {
        let text: String = links.iter().skip(first).rev().map(|link| set(link, option, "1")).collect();
        let config = config(&text);
        let shown = |link: &&str| {
            let scopes = path(link).into_iter().map(|(name, instance)| {
                let name = name.to_ascii_lowercase();
                instance.map_or(name.clone(), |instance| format!("{name} \"{instance}\""))
            });
            let scopes = scopes.collect::<Vec<_>>().join("::");
            format!("1 of {}", if scopes.is_empty() { "global".into() } else { scopes })
        };
        let expected = links.get(first).map_or(default.into(), shown);
        assert_eq!(answer(&config.scopes, at, option), expected, "{text}");
    }
}

#[test]
fn sending_options_walk_from_the_domain_of_a_groups_binding_outward() {
    let links = [
        "Binding_Group g / Binding b / Domain d",
        "Binding b / Domain d",
        "Binding_Group g / Domain d",
        "Binding_Group g / Binding b",
        "Binding b",
        "Binding_Group g",
        "Domain d",
        "",
    ];
    let at = "Binding_Group g / Binding b / Domain d";
    check_order("max_outbound_connections", at, &links, "32 by default");
    check_order("an_option_nobody_knows", at, &links, "unset");
    let without_group: Vec<_> = links.into_iter().filter(|link| !link.contains("Group")).collect();
    check_order("max_outbound_connections", "Binding b / Domain d", &without_group, "32 by default");
    check_order("max_outbound_connections", "Domain d", &["Domain d", ""], "32 by default");
    check_order("max_outbound_connections", "Binding b", &["Binding b", ""], "32 by default");
    let group = ["Binding_Group g / Domain d", "Binding_Group g", "Domain d", ""];
    check_order("max_outbound_connections", "Binding_Group g / Domain d", &group, "32 by default");
    check_order("max_outbound_connections", "", &[""], "32 by default");
}

#[test]
fn cluster_connections_begin_at_the_host_and_know_no_group() {
    let links = ["Binding b / Host h", "Host h", "Binding b / Domain d", "Binding b", "Domain d", ""];
    let at = "Binding_Group g / Binding b / Domain d / Host h";
    let option = "Cluster_Max_Outbound_Connections";
    check_order(option, at, &links, "-1 by default");
    let in_group = [set("Binding_Group g / Binding b", option, "1"), set("Binding_Group g", option, "2")];
    check(&in_group.concat(), &[(at, option, "-1 by default")]);
}

#[test]
fn pathways_fall_back_to_their_group() {
    let links = ["Pathway_Group g / Pathway p", "Pathway p", "Pathway_Group g", ""];
    check_order("Timeout_In", "Pathway_Group g / Pathway p", &links, "5 by default");
}

#[test]
fn listeners_are_asked_from_the_peer_outward() {
    let links = [
        "X_Listener / Listen *:25 / Peer 10.0.0.0/8",
        "X_Listener / Listen *:25",
        "X_Listener / Peer 10.0.0.0/8",
        "X_Listener",
        "",
    ];
    let at = "X_Listener / Listen *:25 / Peer 10.1.1.1";
    check_order("Timeout", at, &links, "60 by default");
    check_order("Enable", at, &links[..4], "true by default");
    check("Enable = off", &[(at, "Enable", "true by default")]);
}

#[test]
fn the_smallest_block_stands_for_a_peer() {
    let text = "X_Listener {
        Peer \"0.0.0.0/0\" { timeout = 0 }  Peer \"10.0.0.0/8\" { timeout = 8 }
        Peer 10.1.0.0/16 { timeout = 16 }   Peer \"10.1.1.1\" { timeout = 32 }
        Peer \"fd00::/8\" { timeout = 68 }  Peer \"not a block\" { timeout = 9 }  Peer \"10.2.0.0/16\" { other = 1 }
        timeout = 100
    }";
    check(
        text,
        &[
            ("X_Listener / Peer 10.1.1.1", "timeout", "32 of x_listener::peer \"10.1.1.1\""),
            ("X_Listener / Peer 10.1.1.2", "timeout", "16 of x_listener::peer \"10.1.0.0/16\""),
            ("X_Listener / Peer 10.1.2.0/24", "timeout", "16 of x_listener::peer \"10.1.0.0/16\""),
            ("X_Listener / Peer 10.0.0.0/15", "timeout", "8 of x_listener::peer \"10.0.0.0/8\""),
            ("X_Listener / Peer 8.8.8.8", "timeout", "0 of x_listener::peer \"0.0.0.0/0\""),
            ("X_Listener / Peer FD00:0::1", "timeout", "68 of x_listener::peer \"fd00::/8\""),
            ("X_Listener / Peer 2001:db8::1", "timeout", "100 of x_listener"),
            ("X_Listener / Peer not a block", "timeout", "9 of x_listener::peer \"not a block\""),
            ("X_Listener / Peer 10.2.1.1", "timeout", "100 of x_listener"),
        ],
    );
}

#[test]
fn hosts_never_fall_back() {
    let text = "Max_Outbound_Connections = 1  Outbound_Throttle_Messages = 1/1  strange = 1
        Binding b { Max_Outbound_Connections = 2  Host in { Max_Outbound_Connections = 3 } }
        Domain h { Max_Outbound_Connections = 4 }
        Host h { other = 1 }  Host i { Max_Outbound_Connections = 5 }  Host \"/^mx\\d/\" { max_outbound_connections = 6 }";
    check(
        text,
        &[
            ("Host h", "Max_Outbound_Connections", "-1 by default"),
            ("Host nowhere", "Max_Outbound_Connections", "-1 by default"),
            ("Binding b / Host h", "Max_Outbound_Connections", "-1 by default"),
            ("Binding b / Host in", "Max_Outbound_Connections", "3 of binding \"b\"::host \"in\""),
            ("Host i", "Max_Outbound_Connections", "5 of host \"i\""),
            ("Host mx1.example.com", "max_outbound_connections", "6 of host \"/^mx\\d/\""),
            ("Host h", "Outbound_Throttle_Messages", "unset"),
            ("Host h", "strange", "unset"),
            ("Host h", "other", "1 of host \"h\""),
        ],
    );
}

#[test]
fn unset_differs_from_zero_empty_and_the_default() {
    let text = "a = \"\"  max_outbound_connections = 1  b = ()
        Binding zero { max_outbound_connections = 0 }  Binding same { max_outbound_connections = 32 }";
    check(
        text,
        &[
            ("Binding x", "a", "\"\" of global"),
            ("Binding x", "b", "() of global"),
            ("Binding x", "c", "unset"),
            ("Binding zero", "max_outbound_connections", "0 of binding \"zero\""),
            ("Binding same", "max_outbound_connections", "32 of binding \"same\""),
        ],
    );
}

#[test]
fn throttles_are_inherited_by_reference() {
    let text = "outbound_throttle_messages = 100  scope_max_outbound_connections = 9
        Binding_Group g { outbound_throttle_messages = 10/60  Binding b { }  Binding own { outbound_throttle_messages = 5 } }
        Domain \"/example/\" { outbound_throttle_messages = 1/3  scope_max_outbound_connections = 7  max_outbound_connections = 6 }";
    let option = "outbound_throttle_messages";
    let regex = "domain \"/example/\"";
    check(
        text,
        &[
            (
                "Binding_Group g / Binding b",
                option,
                "10/60 of binding_group \"g\", counted for binding_group \"g\"",
            ),
            (
                "Binding_Group g / Binding c",
                option,
                "10/60 of binding_group \"g\", counted for binding_group \"g\"",
            ),
            (
                "Binding_Group g / Binding own",
                option,
                "5 of binding_group \"g\"::binding \"own\", counted for binding_group \"g\"::binding \"own\"",
            ),
            ("Binding b", option, "100 of global, counted for global"),
            ("Domain a.example.com", option, &format!("1/3 of {regex}, counted for {regex}")),
            ("Domain b.example.com", option, &format!("1/3 of {regex}, counted for {regex}")),
            (
                "Domain b.example.com",
                "scope_max_outbound_connections",
                &format!("7 of {regex}, counted for {regex}"),
            ),
            ("Domain b.example.com", "max_outbound_connections", &format!("6 of {regex}")),
            ("Domain other", "scope_max_outbound_connections", "9 of global, counted for global"),
        ],
    );
    let config = config(text);
    let shared = |at: &str| Lookup::new(&config.scopes, option).at(&path(at)).shared;
    assert!(shared("Binding_Group g / Binding b") == shared("Binding_Group g / Binding c"));
    assert!(shared("Binding_Group g / Binding b") != shared("Binding b"));
}

#[test]
fn an_exact_name_wins_then_the_first_expression_in_the_order_of_the_text() {
    let text = "x = 0
        Domain \"/\\.com$/\" { x = 1  y = 1 }
        Domain \"/^mail/\" { x = 2  z = 2 }
        Domain \"mail.example.com\" { x = 3 }
        Binding b { Domain \"/example/\" { x = 4 }  x = 5  z = 5 }
        Domain \"/\\.com$/\" { w = 6 }";
    check(
        text,
        &[
            ("Domain mail.example.com", "x", "3 of domain \"mail.example.com\""),
            ("Domain mail.example.com", "y", "unset"),
            ("Domain MAIL.Example.COM", "x", "3 of domain \"mail.example.com\""),
            ("Domain mail.other.com", "x", "1 of domain \"/\\.com$/\""),
            ("Domain mail.other.com", "z", "unset"),
            ("Domain mail.other.com", "w", "6 of domain \"/\\.com$/\""),
            ("Domain mail.org", "x", "2 of domain \"/^mail/\""),
            ("Domain a.mailx.org", "x", "0 of global"),
            ("Domain /\\.com$/", "x", "1 of domain \"/\\.com$/\""),
            ("Binding b / Domain an-example.org", "x", "4 of binding \"b\"::domain \"/example/\""),
            ("Binding b / Domain an-example.com", "z", "5 of binding \"b\""),
            ("Binding b / Domain an-example.com", "y", "1 of domain \"/\\.com$/\""),
        ],
    );
}

#[test]
fn only_domains_and_hosts_are_expressions_and_fold_their_case() {
    let text = "Binding \"/b/\" { x = 1 }  Listen \"/tmp/\" { x = 2 }  Domain \"Example.com\" { x = 3 }
        DOMAIN example.COM { y = 4 }  Binding B { x = 5 }  Binding b { x = 6 }";
    check(
        text,
        &[
            ("Binding b", "x", "6 of binding \"b\""),
            ("Binding B", "x", "5 of binding \"B\""),
            ("Binding abc", "x", "unset"),
            ("Listen /tmp/", "x", "2 of listen \"/tmp/\""),
            ("Listen x/tmp/x", "x", "unset"),
            ("Domain example.com", "x", "3 of domain \"example.com\""),
            ("Domain EXAMPLE.com", "y", "4 of domain \"example.com\""),
        ],
    );
}

#[test]
fn options_without_a_chain_are_asked_exactly_where_the_path_ends() {
    let text = "nodename = outside  strange = 1  cluster { nodename = a  Replicate x { max_size = 1 } }
        X_Listener { strange = 2  enable = off }";
    check(
        text,
        &[
            ("cluster", "NodeName", "a of cluster"),
            ("", "nodename", "outside of global"),
            ("cluster / Replicate x", "max_size", "1 of cluster::replicate \"x\""),
            ("cluster / Replicate y", "max_size", "unset"),
            ("cluster / Replicate y", "nodename", "unset"),
            ("X_Listener / Listen *:25", "strange", "unset"),
            ("X_Listener", "strange", "2 of x_listener"),
            ("X_Listener / Listen *:25", "enable", "off of x_listener"),
            ("cluster", "enable", "no by default"),
        ],
    );
}

#[test]
fn the_later_assignment_is_the_one_in_effect() {
    check("Binding b { x = 1 } Binding b { X = 2 }", &[("Binding b", "x", "2 of binding \"b\"")]);
}

#[test]
fn an_expression_that_is_none_is_an_error_at_its_scope() {
    let text = "Binding a { Domain \"/(/\" { } }\nDomain \"/(/\" { }\nBinding \"/(/\" { }\nHost \"/x/\" { }";
    let (config, diagnostics) = load_files(&[("m", text)]);
    let told: Vec<_> = diagnostics.iter().map(|fault| (fault.code, fault.place.unwrap())).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, "bad-pattern");
    let position = config.texts.files.position(told[0].1).unwrap();
    assert_eq!((position.line, position.column), (1, 13));
}

#[test]
fn the_number_of_expressions_is_bounded() {
    use crate::bounds::CONFIG_PATTERNS_MAX;
    let one = |n: usize| format!("Domain \"/{n}/\" {{ }}\n");
    let same = "Binding a { Domain \"/0/\" { } }\n";
    let text: String = (0..=CONFIG_PATTERNS_MAX).map(one).collect();
    let (_, diagnostics) = load_files(&[("m", &(same.repeat(2) + &text))]);
    let told: Vec<_> = diagnostics.iter().map(|fault| fault.code).collect();
    assert_eq!(told, ["bad-pattern"]);
}

#[test]
fn a_path_may_be_given_in_steps_of_its_own() {
    let config = config("Binding b { x = 1 }");
    let step = Step { name: "BINDING".into(), instance: Some("b".into()) };
    let answer = evaluate(&config.scopes, &[step], "X");
    assert!(matches!(answer.from, From::Set { scope, .. } if scope.instance() == Some("b")));
    assert!(matches!(evaluate(&config.scopes, &[], "x").from, From::Unset));
}

proptest! {
    /// Whatever is set comes from a scope that the answer names, and that scope sets it.
    #[test]
    fn an_answer_is_true(
        text in "((Binding|Domain|Host|Binding_Group) [ab] \\{ (x = [0-9] )?(Domain \"?/?[ab]/?\"? \\{ x = [0-9] \\} )?\\} ){0,8}(x = 1)?",
        at in "((Binding_Group|Binding|Domain|Host) [ab] / ){0,4}",
    ) {
        let (config, _) = load_files(&[("m", &text)]);
        let answer = Lookup::new(&config.scopes, "x").at(&path(&at));
        match answer.from {
            From::Set { scope, setting } => {
                prop_assert_eq!(scope.option("x").map(Setting::place), Some(setting.place()));
            }
            From::Default(_) => prop_assert!(false, "it has none"),
            From::Unset => prop_assert!(config.scopes.root().option("x").is_none() || at.contains("Host")),
        }
    }
}

#[test]
fn every_chain_fits_and_ends_with_the_global_scope() {
    for fallback in [Fallback::Sending, Fallback::ClusterConnections, Fallback::Listener, Fallback::Pathway] {
        let (last, links) = fallback.chain().split_last().unwrap();
        assert!(last.is_empty() && links.len() <= LINKS_MAX, "{fallback:?}");
        assert!(links.iter().all(|link| link.split("::").count() <= NAMES_MAX), "{fallback:?}");
    }
    assert!(Fallback::None.chain().is_empty());
}

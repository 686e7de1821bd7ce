//! The tables of reference sections 1.1 to 1.3 and 1.13, a case for every row: texts and what they say once loaded. Those
//! of 1.7 to 1.11 need a disk and stand with the settings; those of 1.12 with `effective`.
use super::{
    draft::{Item, print},
    memory::load_files,
    scopes::Scope,
    value::{Endpoint, endpoint},
};
use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};

/// Prints the merged view, one statement a line: what the files mean, whatever their layout.
fn meaning(files: &[(&str, &str)]) -> String {
    let (config, diagnostics) = load_files(files);
    if diagnostics.has_errors() {
        return diagnostics.iter().map(|fault| fault.code).collect::<Vec<_>>().join(" ");
    }
    let text = print(&items(config.scopes.root())).unwrap();
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

fn items(scope: Scope<'_>) -> Vec<Item> {
    let options = scope.options().map(|setting| Item::Assign {
        name: setting.name().to_ascii_lowercase(),
        value: setting.tree().literal(setting.value()),
    });
    let scopes = scope.scopes().map(|inner| Item::Scope {
        name: inner.name().into(),
        instance: inner.instance().map(Into::into),
        body: items(inner),
    });
    options.chain(scopes).collect()
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(meaning(&[("m", text)]), *expected, "{text}");
    }
}

#[test]
fn every_lexical_rule_holds() {
    check(&[
        ("a = 1 # b = 2\nc = 3", "a = 1 c = 3"),
        ("a = 1 /* b = 2\n /* */ c = 3", "a = 1 c = 3"),
        ("a\n=\n\t1 b = 2", "a = 1 b = 2"),
        ("{ mta_id = 1  votes = 1 }".trim_matches(['{', '}']), "mta_id = 1 votes = 1"),
        ("ESMTP_Listener { A = x }\nesmtp_listener { a = y }", "esmtp_listener { a = y }"),
        ("Binding A { } binding a { }", "binding \"A\" {} binding \"a\" {}"),
        ("a_1Z = x", "a_1z = x"),
        ("a-b = x", "bad-name"),
        ("a = \"x y#/'={}[]()\"", "a = \"x y#/'={}[]()\""),
        ("heartbeat = \"0\" Enable_Duravip = \"true\"", "heartbeat = 0 enable_duravip = true"),
        ("Listen /tmp/2025 {} uri = digest:///x", "uri = \"digest:///x\" listen \"/tmp/2025\" {}"),
        (
            "a = ( 127.0.0.0/8 10.10.10.0/24 ) b = 10.10.10.10",
            "a = ( \"127.0.0.0/8\" \"10.10.10.0/24\" ) b = 10.10.10.10",
        ),
        ("a = user@example.com-x b = *:25", "a = \"user@example.com-x\" b = \"*:25\""),
        (r#"a = "...\.fr$" b = "\w+" c = "say \"hi\"""#, r#"a = "...\.fr$" b = "\w+" c = "say \"hi\"""#),
        (r"a = 'x \ y'", r#"a = "x \ y""#),
        // No continuation of lines: the backslash belongs to the word.
        ("a = x\\\nb = y", "a = 'x\\' b = y"),
    ]);
}

#[test]
fn every_statement_form_holds() {
    check(&[
        ("a = b", "a = b"),
        ("a = ( b \"c d\"\n e )", "a = ( b \"c d\" e )"),
        ("a = ()", "a = ( )"),
        ("a = [ node1.lan = \"10.0.0.1\" b-c = d ]", "a = [ node1.lan = 10.0.0.1  b-c = d ]"),
        ("map [ a = b ]", "map = [ a = b ]"),
        ("cluster { a = b }", "cluster { a = b }"),
        ("Replicate \"x\" { a = b }", "replicate \"x\" { a = b }"),
        ("Replicate = \"x\" {} s = { a = b }", "replicate \"x\" {} s { a = b }"),
        ("Listen \"*:4802\" {}", "listen \"*:4802\" {}"),
        ("ec_logger \"ec_logger\"\n{\n}", "ec_logger \"ec_logger\" {}"),
        ("relay_for_sending_domains\na = b", "no-value"),
    ]);
    let x = ("x", "a = 1");
    assert_eq!(meaning(&[("m", "s { include \"x\" }"), x]), "s { a = 1 }");
    assert_eq!(meaning(&[("m", "readonly_include x"), x]), "a = 1");
    assert_eq!(meaning(&[("m", "include = x"), x]), "include-equals");
}

#[test]
fn every_rule_of_merging_holds() {
    check(&[
        ("s { a = 1 } s { b = 2 }", "s { a = 1 b = 2 }"),
        (
            "Binding_Group g { Binding a {} } Binding_Group g { Binding b {} }",
            "binding_group \"g\" { binding \"a\" {} binding \"b\" {} }",
        ),
        ("s { a = 1 A = 2 } s { a = 3 }", "s { a = 3 }"),
        ("s { a = ( 1 ) a = ( 2 ) }", "s { a = ( 2 ) }"),
        (
            "c { Replicate x {} Replicate y {} Topology z {} }",
            "c { replicate \"x\" {} replicate \"y\" {} topology \"z\" {} }",
        ),
    ]);
    let files = [
        ("ecelerity.conf", "Security { user = a group = a } include ecelerity-cluster.conf"),
        ("ecelerity-cluster.conf", "security { user = b } readonly_include ecdb.conf"),
        ("ecdb.conf", "Security { user = c }"),
    ];
    assert_eq!(meaning(&files), "security { group = a user = c }");
    let (config, _) = load_files(&files);
    let user = config.scopes.root().scope("Security", None).unwrap().option("user").unwrap();
    let shadowed: Vec<_> = core::iter::successors(Some(user), |setting| setting.shadowed()).collect();
    assert_eq!(shadowed.len(), 3);
}

#[test]
fn every_listen_address_holds() {
    let table = [
        (":25", "0.0.0.0:25"),
        ("*:25", "0.0.0.0:25"),
        ("[*]:25", "[::]:25"),
        ("[::]:25", "[::]:25"),
        ("10.0.0.1:25", "10.0.0.1:25"),
        ("[fd00::1]:587", "[fd00::1]:587"),
        ("[FD00:0:0::1]:587", "[fd00::1]:587"),
        ("[fd00::1::2]:587", "error"),
        ("fd00::1:587", "error"),
        ("/tmp/2025", "/tmp/2025"),
    ];
    for (text, expected) in table {
        let found = match endpoint(text) {
            Ok(Endpoint::Inet(address)) => address.to_string(),
            Ok(Endpoint::Unix(path)) => path.clone(),
            Err(_) => "error".into(),
        };
        assert_eq!(found, expected, "{text}");
    }
    // Brackets of an address need quotes; where only an address can stand there are none.
    assert_eq!(meaning(&[("m", "Listen [fd00::1]:587 { }")]).split(' ').next(), Some("no-pair"));
    assert_eq!(
        meaning(&[("m", "Peer fd00::1 { } Domain \"[IPv6:fd00::1]\" { }")]),
        "peer \"fd00::1\" {} domain \"[ipv6:fd00::1]\" {}"
    );
}

//! The statement forms of reference section 1.2, faults, and what holds for every text.
use super::*;
use crate::config::{
    draft::{Item, Literal, print},
    place::{File, Files},
};
use alloc::{string::ToString as _, vec};
use proptest::prelude::*;

fn read(text: &str) -> (Tree, Vec<Diagnostic>) {
    parse(FileId::MAIN, &text.into())
}

fn items(text: &str) -> Vec<Item> {
    let (tree, faults) = read(text);
    assert!(faults.is_empty(), "{text:?}: {faults:#?}");
    tree.items()
}

fn scalar(name: &str, value: &str) -> Item {
    Item::Assign { name: name.into(), value: Literal::Scalar(value.into()) }
}

fn array(name: &str, values: &[&str]) -> Item {
    Item::Assign { name: name.into(), value: Literal::Array(values.iter().map(|v| (*v).into()).collect()) }
}

fn dictionary(name: &str, pairs: &[(&str, &str)]) -> Item {
    let pairs = pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    Item::Assign { name: name.into(), value: Literal::Dictionary(pairs) }
}

fn scope(name: &str, instance: Option<&str>, body: Vec<Item>) -> Item {
    Item::Scope { name: name.into(), instance: instance.map(Into::into), body }
}

fn include(readonly: bool, target: &str) -> Item {
    Item::Include { readonly, target: target.into() }
}

#[test]
fn every_statement_form_is_read() {
    let table: Vec<(&str, Vec<Item>)> = vec![
        ("", vec![]),
        ("a = b", vec![scalar("a", "b")]),
        ("a=b", vec![scalar("a", "b")]),
        ("a\n=\nb", vec![scalar("a", "b")]),
        ("a = \"b c\"", vec![scalar("a", "b c")]),
        ("a = 'b \"c'", vec![scalar("a", "b \"c")]),
        ("a = \"\"", vec![scalar("a", "")]),
        (r#"a = "x\"y""#, vec![scalar("a", "x\"y")]),
        (r#"a = "\w+\.fr$""#, vec![scalar("a", r"\w+\.fr$")]),
        (
            "{ mta_id = 1  votes = 1 }".trim_matches(['{', '}']),
            vec![scalar("mta_id", "1"), scalar("votes", "1")],
        ),
        ("a = ( 1 2 3 )", vec![array("a", &["1", "2", "3"])]),
        ("a = (1 \"2 3\"\n4)", vec![array("a", &["1", "2 3", "4"])]),
        ("a = ()", vec![array("a", &[])]),
        ("a = ( 127.0.0.0/8 10.10.10.0/24 )", vec![array("a", &["127.0.0.0/8", "10.10.10.0/24"])]),
        ("a = [ k = v  l = \"w\" ]", vec![dictionary("a", &[("k", "v"), ("l", "w")])]),
        ("a [ k = v ]", vec![dictionary("a", &[("k", "v")])]),
        ("a = []", vec![dictionary("a", &[])]),
        (
            "a = [ node1.lan = \"10.0.0.1\" node-2 = x ]",
            vec![dictionary("a", &[("node1.lan", "10.0.0.1"), ("node-2", "x")])],
        ),
        ("s { a = b }", vec![scope("s", None, vec![scalar("a", "b")])]),
        ("s\n{\n}", vec![scope("s", None, vec![])]),
        ("s \"i\" { }", vec![scope("s", Some("i"), vec![])]),
        ("s \"i\"\n{}", vec![scope("s", Some("i"), vec![])]),
        ("s i {}", vec![scope("s", Some("i"), vec![])]),
        ("Listen /tmp/2025 {}", vec![scope("Listen", Some("/tmp/2025"), vec![])]),
        ("Listen *:4802 {}", vec![scope("Listen", Some("*:4802"), vec![])]),
        ("s = { a = b }", vec![scope("s", None, vec![scalar("a", "b")])]),
        ("s = \"i\" {}", vec![scope("s", Some("i"), vec![])]),
        ("domain \"/.*\\.fr$/\" {}", vec![scope("domain", Some("/.*\\.fr$/"), vec![])]),
        (
            "s { t \"i\" { u {} } }",
            vec![scope("s", None, vec![scope("t", Some("i"), vec![scope("u", None, vec![])])])],
        ),
        ("include \"x y.conf\"", vec![include(false, "x y.conf")]),
        ("include x.conf a = b", vec![include(false, "x.conf"), scalar("a", "b")]),
        ("readonly_include x", vec![include(true, "x")]),
        ("Include x READONLY_INCLUDE y", vec![include(false, "x"), include(true, "y")]),
        ("s { include x }", vec![scope("s", None, vec![include(false, "x")])]),
        ("a = b # c\n/* d */ e = f", vec![scalar("a", "b"), scalar("e", "f")]),
        ("a /* c */ = # d\n b", vec![scalar("a", "b")]),
        ("a = \"1\" a = 2", vec![scalar("a", "1"), scalar("a", "2")]),
    ];
    for (text, expected) in table {
        assert_eq!(items(text), expected, "{text:?}");
    }
}

/// Checks code, line, column and marked text of every fault.
#[track_caller]
fn check_faults(text: &str, expected: &[(&str, usize, usize, &str)]) {
    let (tree, faults) = read(text);
    let mut files = Files::default();
    files.add(File { name: "t".into(), text: text.into(), included_at: None, readonly: false });
    let found: Vec<_> = faults
        .iter()
        .map(|fault| {
            let place = fault.place.unwrap();
            let at = files.position(place).unwrap();
            (fault.code, at.line, at.column, &text[place.range()])
        })
        .collect();
    assert_eq!(found, expected, "{text}");
    assert_eq!(tree.to_string(), text);
    for fault in &faults {
        assert!(
            fault.expected.is_some() || fault.help.is_some() || fault.code.starts_with("stray"),
            "{fault:?}"
        );
    }
}

#[test]
fn every_fault_has_its_place() {
    check_faults("a =", &[("no-value", 1, 3, "=")]);
    check_faults("a\n  = }", &[("no-value", 2, 3, "="), ("stray-close", 2, 5, "}")]);
    check_faults("a b", &[("no-equals", 1, 3, "b")]);
    check_faults("a", &[("no-equals", 1, 1, "a")]);
    check_faults("relay\na = b", &[("no-value", 1, 1, "relay")]);
    check_faults("a = b = c", &[("no-name", 1, 7, "=")]);
    check_faults("a =\nb = c", &[("no-value", 1, 3, "=")]);
    check_faults("= b", &[("no-name", 1, 1, "=")]);
    check_faults("{ a = b }\nc = d", &[("no-name", 1, 1, "{")]);
    check_faults("\"a\" = b", &[("bad-name", 1, 1, "\"a\"")]);
    check_faults("a-b = c", &[("bad-name", 1, 1, "a-b")]);
    check_faults("10.1.1.0/24 [ a = b ]", &[("bad-name", 1, 1, "10.1.1.0/24")]);
    check_faults("a = b }", &[("stray-close", 1, 7, "}")]);
    check_faults("a = b )", &[("stray-close", 1, 7, ")")]);
    check_faults("include", &[("no-path", 1, 1, "include")]);
    check_faults("include\na = b", &[("no-path", 1, 1, "include")]);
    check_faults("include = x", &[("include-equals", 1, 9, "=")]);
    check_faults("include { }", &[("no-path", 1, 1, "include")]);
    check_faults("include x { a = b }", &[("no-name", 1, 11, "{")]);
    check_faults("include = { a = b }", &[("include-equals", 1, 9, "=")]);
    check_faults("s {", &[("unclosed-scope", 1, 1, "s")]);
    check_faults("a = ( 1 2", &[("unclosed-array", 1, 5, "(")]);
    check_faults("a = [ k = v", &[("unclosed-dictionary", 1, 5, "[")]);
    check_faults("a = ( ( 1 ) )", &[("nested-value", 1, 7, "("), ("stray-close", 1, 13, ")")]);
    check_faults("a = [ k = [ l = m ] ]", &[("no-pair-value", 1, 7, "k"), ("stray-close", 1, 21, "]")]);
    check_faults("a = [ k v ]", &[("no-pair", 1, 7, "k")]);
    check_faults("a = \"b", &[("unclosed-string", 1, 5, "\"b")]);
    check_faults("a = /* b", &[("unclosed-comment", 1, 5, "/*")]);
    check_faults(
        "a = \u{201c}b\u{201d}",
        &[("stray-character", 1, 5, "\u{201c}"), ("stray-character", 1, 7, "\u{201d}")],
    );
    check_faults("Listen [::]:25 {}", &[("no-pair", 1, 9, "::")]);
    check_faults("\u{e9} = \u{e9} x", &[("bad-name", 1, 1, "\u{e9}"), ("no-equals", 1, 7, "x")]);
}

#[test]
fn parsing_goes_on_after_a_fault() {
    check_faults(
        "cluster {\n  a = \n  b = 1\n  c 2\n  d = ( 1 2\n  e = 3\n}\nf = [ x = 1\ng {\n  h = 4\n}\n",
        &[
            ("no-value", 2, 5, "="),
            ("no-equals", 4, 5, "2"),
            ("unclosed-array", 5, 7, "("),
            ("unclosed-dictionary", 8, 5, "["),
        ],
    );
    let (tree, _) = read("a = \nb = 1\nc = ( 1\nd = 2\ne = [ x = 1\ng { h = 4 }\n");
    assert_eq!(
        tree.items(),
        vec![scalar("b", "1"), scalar("d", "2"), scope("g", None, vec![scalar("h", "4")])]
    );
}

#[test]
fn a_missing_quote_is_reported_where_it_is_missing() {
    check_faults("a = \"x\nb = \"y\"\nc = { \"z\" }\n", &[("unclosed-string", 1, 5, "\"x")]);
    let (_, faults) = read(
        r#"path = "C:\dir\"
x = 1"#,
    );
    assert!(faults[0].help.as_deref().unwrap().contains("single quotes"));
}

#[test]
fn a_missing_brace_is_suspected_by_its_column() {
    let text = "outer {\n  inner {\n    a = 1\n}\nb = 2\n";
    check_faults(text, &[("unclosed-scope", 1, 1, "outer")]);
    let (_, faults) = read(text);
    let (place, _) = &faults[0].notes[0];
    assert_eq!(&text[place.range()], "inner");
}

#[test]
fn nesting_is_bounded() {
    let deep = |depth: usize| "s {".repeat(depth) + &"}".repeat(depth);
    check_faults(&deep(bounds::CONFIG_DEPTH_MAX), &[]);
    let (_, faults) = read(&deep(bounds::CONFIG_DEPTH_MAX + 1));
    assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), ["too-deep"]);
    let (_, faults) = read(&"s {".repeat(1_000_000));
    assert_eq!(faults[0].code, "unclosed-scope");
}

#[test]
fn the_number_of_faults_is_bounded() {
    let (_, faults) = read(&"a b\n".repeat(1_000));
    assert_eq!(faults.len(), bounds::CONFIG_ERRORS_MAX);
}

#[test]
fn statements_know_their_places() {
    let text = "s \"i\" {\n  a = ( 1 2 )\n  b [ k = v ] # c\n}\n";
    let (tree, _) = read(text);
    let found: Vec<_> = tree
        .all()
        .map(|(_, statement)| {
            (&text[tree.place_of(statement).range()], &text[tree.place_of_value(statement).range()])
        })
        .collect();
    let whole = text.trim_end();
    assert_eq!(found, [(whole, whole), ("a = ( 1 2 )", "( 1 2 )"), ("b [ k = v ]", "[ k = v ]")]);
}

/// The words of a tree ascend, and between them there is only layout and punctuation.
fn check_layout(tree: &Tree) {
    let mut words: Vec<Word> = tree.words.clone();
    for (_, statement) in tree.all() {
        words.push(statement.name);
        match statement.kind {
            Kind::Assign(Value::Scalar(word)) | Kind::Include { target: word, .. } => words.push(word),
            Kind::Scope { instance } => words.extend(instance),
            Kind::Assign(_) => {}
        }
    }
    words.sort_by_key(|word| word.start);
    let mut at = 0;
    for word in words {
        assert!(word.start >= at, "words overlap");
        let mut gap = Lexer::new(tree.raw(at, word.start), 0);
        loop {
            match gap.token().kind {
                T::End => break,
                T::Word(_) | T::Stray(_) | T::OpenComment | T::OpenString(_) => {
                    unreachable!("a word is in no statement")
                }
                _ => {}
            }
        }
        at = word.end;
    }
}

fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a",
        "b_1",
        "include",
        "readonly_include",
        "=",
        "=",
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        " ",
        "\n",
        "\n",
        "\"x\"",
        "'y'",
        "\"",
        "'",
        "/*",
        "*/",
        "# c\n",
        "\\",
        "*:25",
        "\u{feff}",
        "\u{e9}",
        "\u{201c}",
        "\u{0}",
    ]);
    prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())
}

fn words() -> impl Strategy<Value = String> {
    // What no quotes can hold is left out: both kinds of quote after an odd backslash, or that and a last backslash.
    "[a-z*:./#=(){} \"\\\\\n\u{e9}-]{0,8}"
        .prop_filter("must be writable", |word| crate::config::draft::quote(word).is_ok())
}

fn names() -> impl Strategy<Value = String> {
    "[A-Za-z_][A-Za-z0-9_]{0,8}".prop_filter("keyword", |name| super::include(name).is_none())
}

fn drafts() -> impl Strategy<Value = Vec<Item>> {
    let literal = prop_oneof![
        words().prop_map(Literal::Scalar),
        prop::collection::vec(words(), 0..4).prop_map(Literal::Array),
        prop::collection::vec((words(), words()), 0..4).prop_map(Literal::Dictionary),
    ];
    let leaf = prop_oneof![
        (names(), literal).prop_map(|(name, value)| Item::Assign { name, value }),
        (any::<bool>(), words()).prop_map(|(readonly, target)| Item::Include { readonly, target }),
    ];
    let item = leaf.prop_recursive(4, 40, 5, |inner| {
        (names(), prop::option::of(words()), prop::collection::vec(inner, 0..5))
            .prop_map(|(name, instance, body)| Item::Scope { name, instance, body })
    });
    prop::collection::vec(item, 0..6)
}

proptest! {
    #[test]
    fn any_text_is_printed_back_and_faults_lie_inside(text in texts()) {
        let (tree, faults) = read(&text);
        prop_assert_eq!(tree.to_string(), text.as_str());
        for fault in &faults {
            let place = fault.place.unwrap();
            prop_assert!(text.get(place.range()).is_some());
        }
        if faults.is_empty() {
            check_layout(&tree);
            let written = print(&tree.items()).unwrap();
            prop_assert_eq!(items(&written), tree.items());
        }
    }

    #[test]
    fn what_is_printed_is_read_back(items in drafts()) {
        let text = print(&items).unwrap();
        let (tree, faults) = read(&text);
        prop_assert!(faults.is_empty(), "{}\n{:?}", text, faults);
        prop_assert_eq!(tree.items(), items);
        prop_assert_eq!(tree.to_string(), text);
    }
}

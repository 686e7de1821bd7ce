//! What a draft writes is read back as what was meant.
use super::*;
use alloc::vec;

#[test]
fn words_are_quoted_only_where_they_must_be() {
    let table = [
        ("node1.lan", "node1.lan"),
        ("", "\"\""),
        ("a b", "\"a b\""),
        ("*:25", "\"*:25\""),
        ("say \"hi\"", "\"say \\\"hi\\\"\""),
        (r"\w+\.fr$", r#""\w+\.fr$""#),
        (r"C:\dir\", r"'C:\dir\'"),
        ("it's", "\"it's\""),
    ];
    for (word, written) in table {
        assert_eq!(quote(word).unwrap(), written);
    }
    assert_eq!(quote("it's\\"), Err(Unwritable::Word("it's\\".into())));
}

#[test]
fn names_that_would_be_read_as_something_else_are_refused() {
    for name in ["", "a b", "include", "Readonly_Include", "a-b"] {
        let item = Item::Scope { name: name.into(), instance: None, body: vec![] };
        assert_eq!(print(&[item]), Err(Unwritable::Name(name.into())));
    }
}

//! Edits keep every byte that they are not about, and what they write is read back.
use super::*;
use crate::config::{parser, place::FileId};
use alloc::{borrow::ToOwned as _, string::ToString};
use proptest::prelude::*;

fn tree(text: &str) -> Tree {
    let (tree, faults) = parser::parse(FileId::MAIN, &text.into());
    assert!(faults.is_empty(), "{text:?}: {faults:?}");
    tree
}

/// Finds the first statement of that name.
fn named(tree: &Tree, name: &str) -> StatementId {
    tree.all().find(|(_, statement)| tree.say(statement.name) == name).unwrap().0
}

fn scalar(word: &str) -> Literal {
    Literal::Scalar(word.to_owned())
}

fn array(words: &[&str]) -> Literal {
    Literal::Array(words.iter().map(ToString::to_string).collect())
}

fn pairs(pairs: &[(&str, &str)]) -> Literal {
    Literal::Dictionary(pairs.iter().map(|(key, word)| ((*key).to_owned(), (*word).to_owned())).collect())
}

#[track_caller]
fn check_replace(text: &str, value: &Literal, expected: &str) {
    let before = tree(text);
    let id = named(&before, "x");
    let after = apply(text, replace(&before, id, value).unwrap());
    assert_eq!(after, expected);
    let read = tree(&after);
    assert!(
        matches!(read.get(named(&read, "x")).unwrap().kind, Kind::Assign(found) if read.literal(found) == *value)
    );
}

#[track_caller]
fn check_append(text: &str, scope: Option<&str>, item: &Item, expected: &str) {
    let before = tree(text);
    let edit = append(&before, scope.map(|name| named(&before, name)), item).unwrap();
    let after = apply(text, [edit].into());
    assert_eq!(after, expected);
    tree(&after);
}

#[track_caller]
fn check_remove(text: &str, expected: &str) {
    let before = tree(text);
    let edit = remove(&before, before.get(named(&before, "x")).unwrap());
    let after = apply(text, [edit].into());
    assert_eq!(after, expected);
    tree(&after);
}

fn assign(name: &str, word: &str) -> Item {
    Item::Assign { name: name.to_owned(), value: scalar(word) }
}

#[test]
fn a_word_is_replaced_in_the_quotes_it_had() {
    check_replace("a = 1  x = old # why\n", &scalar("new"), "a = 1  x = new # why\n");
    check_replace("x = \"old\"", &scalar("new"), "x = \"new\"");
    check_replace("x = 'old'", &scalar("new one"), "x = 'new one'");
    check_replace("x = old", &scalar("new one"), "x = \"new one\"");
    check_replace("x = 'old'", &scalar("it's"), "x = \"it's\"");
    check_replace("x=\"old\"y = 1", &scalar("new"), "x=\"new\"y = 1");
    check_replace("x=(1)y = 1", &scalar("new"), "x = new y = 1");
    check_replace("x = old/* why */", &scalar("/"), "x = \"/\"/* why */");
}

#[test]
fn a_value_of_another_shape_comes_whole() {
    check_replace("x = ( 1 2 ) # why", &scalar("1"), "x = 1 # why");
    check_replace("x [ a = 1 ]\ny = 2", &scalar("1"), "x = 1\ny = 2");
    check_replace("x = 1", &pairs(&[("a", "1")]), "x = [ a = 1 ]");
    check_replace("x = ( )", &array(&["1", "2"]), "x = ( 1 2 )");
}

#[test]
fn lists_keep_what_stays() {
    check_replace("x = ( 25  \"587\" )", &array(&["25", "587", "2525"]), "x = ( 25  \"587\"  2525 )");
    check_replace("x = ( 25 465 587 )", &array(&["25", "587"]), "x = ( 25 587 )");
    check_replace("x = ( 25 465 587 )", &array(&["24", "25", "465", "587"]), "x = ( 24 25 465 587 )");
    check_replace("x = ( 25 465 587 )", &array(&["25", "587", "465"]), "x = ( 25 587 465 )");
    check_replace("x = (\"a\")", &array(&[]), "x = ()");
    let peers = "x = [\n  mx1 = \"10.0.0.1\" # first\n  mx2 = \"10.0.0.2\" # second\n]\n";
    check_replace(
        peers,
        &pairs(&[("mx1", "10.0.0.9"), ("mx2", "10.0.0.2")]),
        &peers.replace("\"10.0.0.1\"", "\"10.0.0.9\""),
    );
    check_replace(
        "x = [\n  mx1 = 10.0.0.1\n  mx2 = 10.0.0.2 # second\n]\n",
        &pairs(&[("mx1", "10.0.0.1"), ("mx2", "10.0.0.2"), ("mx3", "10.0.0.3")]),
        "x = [\n  mx1 = 10.0.0.1\n  mx2 = 10.0.0.2 # second\n  mx3 = 10.0.0.3\n]\n",
    );
    check_replace(
        peers,
        &pairs(&[("mx2", "10.0.0.9"), ("mx3", "10.0.0.3")]),
        "x = [\n  mx2 = \"10.0.0.9\" # second\n  mx3 = \"10.0.0.3\"\n]\n",
    );
    check_replace("x = [ a = 1  b = 2 ]", &pairs(&[("b", "2"), ("a", "1")]), "x = [ b = 2  a = 1 ]");
    check_replace("x = [ a = 1  b = 2 ]", &pairs(&[("b", "2")]), "x = [ b = 2 ]");
    check_replace("x = [ a = 1  a = 2 ]", &pairs(&[("a", "2"), ("b", "1")]), "x = [ a = 2  b = 1 ]");
}

#[test]
fn a_statement_is_added_where_its_neighbours_stand() {
    let a = assign("a", "1");
    check_append("", None, &a, "a = 1\n");
    check_append("b = 2 # no line end", None, &a, "b = 2 # no line end\na = 1\n");
    check_append("s {\n\tb = 2\n}\n", Some("s"), &a, "s {\n\tb = 2\n\ta = 1\n}\n");
    check_append("s {\r\n    b = 2\r\n}\r\n", Some("s"), &a, "s {\r\n    b = 2\r\n    a = 1\r\n}\r\n");
    check_append("s {\n}\n", Some("s"), &a, "s {\n  a = 1\n}\n");
    check_append("s {}", Some("s"), &a, "s { a = 1 }");
    check_append("s { b = 2 }\n", Some("s"), &a, "s { b = 2 a = 1 }\n");
    check_append("s\n{\n  # last words\n}\n", Some("s"), &a, "s\n{\n  # last words\n  a = 1\n}\n");
    let scope = Item::Scope { name: "t".into(), instance: Some("i".into()), body: [a].into() };
    check_append("s {\n   b = 2\n}", Some("s"), &scope, "s {\n   b = 2\n   t \"i\" {\n      a = 1\n   }\n}");
    check_append("s { }", Some("s"), &scope, "s { t \"i\" { a = 1 } }");
}

#[test]
fn a_statement_goes_with_its_line() {
    check_remove("a = 1\n  x = 2 # why\nb = 3\n", "a = 1\nb = 3\n");
    check_remove("a = 1\nx = 2", "a = 1\n");
    check_remove("a = 1 x = 2 b = 3\n", "a = 1 b = 3\n");
    check_remove("a = 1 x = 2 # why\n", "a = 1 # why\n");
    check_remove("x = 2 b = 3\n", "b = 3\n");
    check_remove("s { x = 2 }\n", "s { }\n");
    check_remove("a = 1\nx \"i\" {\n  b = 1\n}\nc = 1\n", "a = 1\nc = 1\n");
    check_remove("a = (1)x=(2)b = 3", "a = (1)b = 3");
    check_remove("# above\nx = 1 /* beside */\r\n# below\n", "# above\n# below\n");
}

#[test]
fn words_never_grow_together() {
    check_remove("a = 1/**/x=2/**/b = 3", "a = 1/**/ /**/b = 3");
    let text = "a = \"1\"x = \"2\"b = 3";
    check_remove(text, "a = \"1\"b = 3");
}

proptest! {
    #[test]
    fn an_edit_changes_the_meant_statement_and_no_other_byte(
        pad in r"( |\n|\t|# c\n|/\* d \*/){0,3}",
        names in prop::collection::vec(r"[a-c][0-9]", 1..6),
        which in any::<prop::sample::Index>(),
        word in "[ -~]{0,8}",
    ) {
        let lines = names.iter().enumerate().map(|(at, name)| format!("{name} = \"{at}\"{pad} s {{{pad}}}"));
        let text = lines.collect::<Vec<_>>().concat();
        let before = tree(&text);
        let assigns: Vec<_> =
            before.all().filter(|(_, it)| matches!(it.kind, Kind::Assign(_))).map(|(id, _)| id).collect();
        let id = assigns[which.index(assigns.len())];
        let Ok(edits) = replace(&before, id, &scalar(&word)) else { return Ok(()) };
        let edit = edits[0].clone();
        let after = apply(&text, edits);
        prop_assert_eq!(&after[..edit.range.start], &text[..edit.range.start]);
        prop_assert!(after.ends_with(&text[edit.range.end..]));
        let mut expected = before.items();
        for (index, item) in expected.iter_mut().enumerate() {
            if let Item::Assign { value, .. } = item && before.top().nth(index).unwrap().0 == id {
                *value = scalar(&word);
            }
        }
        prop_assert_eq!(tree(&after).items(), expected);
    }

    #[test]
    fn adding_and_taking_away_touch_one_statement(
        body in r"( |\n|\t|# c\n|/\* d \*/|a = 1 |b = \(1\)|c \{ \}|d = \[e = f\]){0,8}",
        inside in any::<bool>(),
    ) {
        let text = if inside { format!("s {{{body}\n}}") } else { body.clone() };
        let before = tree(&text);
        let scope = inside.then(|| named(&before, "s"));
        let after = apply(&text, [append(&before, scope, &assign("x", "new")).unwrap()].into());
        let added = tree(&after);
        prop_assert_eq!(added.all().count(), before.all().count() + 1);
        let id = named(&added, "x");
        let again = apply(&after, [remove(&added, added.get(id).unwrap())].into());
        prop_assert_eq!(tree(&again).items(), before.items());
    }
}

//! An edit of any text that loads changes the meant setting, no other one, and no byte outside its range.
#![no_main]
use convoy_core::config::{
    draft::{Item, Literal},
    parser,
    place::FileId,
    session::edit::{append, apply, remove, replace},
    tree::{Kind, Tree},
};
use libfuzzer_sys::fuzz_target;

fn parse(text: &str) -> Option<Tree> {
    let (tree, faults) = parser::parse(FileId::MAIN, &text.into());
    faults.is_empty().then_some(tree)
}

// The bytes: which statement, the length of the new word, the word, the text.
fuzz_target!(|bytes: &[u8]| {
    let [which, len, rest @ ..] = bytes else { return };
    let (word, text) = rest.split_at(usize::from(len % 16).min(rest.len()));
    let (Ok(word), Ok(text)) = (std::str::from_utf8(word), std::str::from_utf8(text)) else { return };
    let Some(tree) = parse(text) else { return };
    let count = tree.all().count();
    let value = Literal::Scalar(word.into());
    let Some((id, statement)) = tree.all().nth(usize::from(*which) % count.max(1)) else { return };
    if let Kind::Assign(_) = statement.kind
        && let Ok(edits) = replace(&tree, id, &value)
    {
        let range = edits.iter().fold(text.len()..0, |range, edit| {
            range.start.min(edit.range.start)..range.end.max(edit.range.end)
        });
        let after = apply(text, edits);
        assert!(after.starts_with(&text[..range.start]) && after.ends_with(&text[range.end..]));
        let after = parse(&after).expect("what was replaced still loads");
        assert_eq!(after.all().count(), count);
        let Some(Kind::Assign(found)) = after.get(id).map(|statement| statement.kind) else { panic!("it is gone") };
        assert_eq!(after.literal(found), value);
    }
    let inside = matches!(statement.kind, Kind::Scope { .. }).then_some(id);
    if let Ok(edit) = append(&tree, inside, &Item::Assign { name: "added_here".into(), value }) {
        let after = parse(&apply(text, vec![edit])).expect("what was added to still loads");
        assert_eq!(after.all().count(), count + 1);
    }
    let inner = 1 + tree.all().filter(|(_, it)| statement.start < it.start && it.end <= statement.end).count();
    let after = parse(&apply(text, vec![remove(&tree, statement)])).expect("what was taken from still loads");
    assert_eq!(after.all().count(), count - inner);
});

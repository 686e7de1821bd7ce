//! Marks of unfinished work, of tests that do not run, and of tests that wait instead of watching.
use crate::{
    scan::{Source, line_of},
    tree::{File, Tree},
};

/// Code that promises work for later.
const CODE: [(&str, &str); 4] = [
    ("todo!", "finish it or take it out"),
    ("unimplemented!", "finish it or take it out"),
    ("#[ignore", "a test that cannot run here says SKIP and why; no test is ignored"),
    ("allow(dead_code", "take the dead code out"),
];
/// Comments that do.
const COMMENTS: [&str; 3] = ["FIXME", "XXX", "TODO"];
/// What stands in a comment on a sleep's line, or above it, and says for what it waits.
const WAITS: &str = "// waits: ";

fn nothing_is_left_for_later(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.rust() {
        let source = Source::of(&file.text);
        for (mark, remedy) in CODE {
            complaints
                .extend(places(file, &source.code, mark).map(|place| format!("{place}: {mark}: {remedy}")));
        }
        for mark in COMMENTS {
            let found = places(file, &source.comments, mark);
            complaints
                .extend(found.map(|place| format!("{place}: {mark}: do it, or file it where it is tracked")));
        }
    }
    complaints
}

fn sleeps_say_what_they_wait_for(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.rust() {
        let source = Source::of(&file.text);
        let comments: Vec<_> = source.comments.lines().collect();
        for (index, line) in source.code.lines().enumerate() {
            let sleeps = line.contains("thread::sleep(") || line.contains("sleep(Duration");
            let above = index.saturating_sub(2);
            if sleeps && !comments[above..=index].iter().any(|comment| comment.contains(WAITS)) {
                complaints.push(format!(
                    "{}:{}: sleeps: wait for the condition with a bound, or say `{WAITS}...`",
                    file.path,
                    index + 1
                ));
            }
        }
    }
    complaints
}

/// Every `path:line` where `mark` stands in `half` of the file.
fn places<'a>(file: &'a File, half: &'a str, mark: &'a str) -> impl Iterator<Item = String> + 'a {
    half.match_indices(mark).map(|(at, _)| format!("{}:{}", file.path, line_of(half, at)))
}

#[test]
fn no_work_is_left_for_later_and_no_test_is_ignored() {
    crate::clean(nothing_is_left_for_later);
    crate::complains(
        nothing_is_left_for_later,
        &[("a.rs", "fn f() {\n    todo!()\n}\n// FIXME\n#[ignore]\nfn g() { h(\"todo! FIXME\") }\n")],
        &["a.rs:2: todo!", "a.rs:5: #[ignore", "a.rs:4: FIXME"],
    );
}

#[test]
fn no_sleep_without_a_reason() {
    crate::clean(sleeps_say_what_they_wait_for);
    crate::complains(
        sleeps_say_what_they_wait_for,
        &[
            ("a.rs", "fn f() {\n    thread::sleep(x);\n}"),
            ("b.rs", "// waits: the kernel's timer\nthread::sleep(x);"),
            ("c.rs", "// waits: too far away\n\n\n// thread::sleep()\nsleep(Duration::ZERO).await;"),
        ],
        &["a.rs:2: sleeps", "c.rs:5: sleeps"],
    );
}

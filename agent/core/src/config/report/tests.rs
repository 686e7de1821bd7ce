//! Goldens: what the operator sees.
use super::*;
use crate::config::memory::load_files;
use alloc::string::{String, ToString as _};

/// Loads files and returns the whole report.
fn report(files: &[(&str, &str)], colour: Colour) -> String {
    let (config, diagnostics) = load_files(files);
    Layout { files: &config.texts.files, diagnostics: &diagnostics, colour }.to_string()
}

#[track_caller]
fn check(files: &[(&str, &str)], expected: &str) {
    let found = report(files, Colour::Never);
    assert!(found == expected, "found:\n{found}\nexpected:\n{expected}");
}

#[test]
fn a_fault_shows_its_line_the_remedy_and_the_include_chain() {
    check(
        &[
            ("ecelerity.conf", "# main\ninclude \"conf/cluster.conf\"\n"),
            ("conf/cluster.conf", "cluster {\n  cluster_group =\n  nodename = mx1\n}\n"),
        ],
        "\
error: `cluster_group =` has no value
 --> conf/cluster.conf:2:17
  |
2 |   cluster_group =
  |                 ^ expected a word, `(`, `[` or `{` after `=`
  = help: an empty value is written `\"\"`, an empty array `( )`
  = included from ecelerity.conf:2:9

1 error
",
    );
}

#[test]
fn several_faults_come_in_one_run() {
    check(
        &[("m", "a =\nb = 2 1\nc = [ x 1 ]\n\n\n\n\n\n\n\ns {\n  t {\n}\n")],
        "\
error: `a =` has no value
 --> m:1:3
  |
1 | a =
  |   ^ expected a word, `(`, `[` or `{` after `=`
  = help: an empty value is written `\"\"`, an empty array `( )`

error: `1` has no value
 --> m:2:7
  |
2 | b = 2 1
  |       ^ expected `=` and a value
  = help: write `1 = true`; options without a value ended with version 2

error: `x` in a dictionary is not followed by `=`
 --> m:3:7
  |
3 | c = [ x 1 ]
  |       ^ expected `key = value`
  = help: quote a key or a value that holds blanks or brackets

error: scope `s` is never closed
  --> m:11:1
   |
11 | s {
   | ^ expected `}` before the end of the file
  ::: m:12:3
   |
12 |   t {
   |   - the brace in this scope's place closes it in another column

4 errors
",
    );
}

#[test]
fn tabs_wide_and_hidden_characters_keep_the_carets_in_place() {
    check(
        &[("m", "\ta = \"\u{6f22}\u{5b57}\" b\u{1b}[31m\n")],
        "\
error: character U+001B may not stand outside quotes
 --> m:1:12
  |
1 |     a = \"\u{6f22}\u{5b57}\" b<001B>[31m
  |                 ^^^^^^
  = help: remove it, or quote the word if it belongs to a value

error: `31m` in a dictionary is not followed by `=`
 --> m:1:14
  |
1 |     a = \"\u{6f22}\u{5b57}\" b<001B>[31m
  |                        ^^^ expected `key = value`
  = help: quote a key or a value that holds blanks or brackets

2 errors
",
    );
}

#[test]
fn a_long_line_is_cut_around_the_place() {
    let long = "a = ".to_string() + &"x".repeat(300) + " oops " + &"# y".repeat(100);
    check(
        &[("m", &long)],
        "\
error: `oops` is neither given a value nor opened as a scope
 --> m:1:306
  |
1 | ...xxxxxxxxxxxxxxxxxxxxxxxxxxxxx oops # y# y# y# y# y# y# y# y# y# y# y# y# y# y# y# y# y# y#...
  |                                  ^^^^ expected `=`, `{` or `[` after the name
  = help: write `oops = value` or `oops { ... }`

1 error
",
    );
}

#[test]
fn the_empty_end_of_a_file_can_be_marked() {
    check(
        &[("m", "a = (\n")],
        "\
error: an array is never closed
 --> m:1:5
  |
1 | a = (
  |     ^ expected `)`
  = help: array elements are words separated by blanks: `( 25 587 )`

1 error
",
    );
}

#[test]
fn a_file_that_is_missing_has_no_place() {
    let (config, diagnostics) = crate::config::load::load(&mut crate::config::memory::Memory::default(), "m");
    let shown =
        Layout { files: &config.texts.files, diagnostics: &diagnostics, colour: Colour::Never }.to_string();
    assert_eq!(shown, "error: cannot find `m`\n  = help: searched in , global/\n\n1 error\n");
}

#[test]
fn colour_changes_nothing_but_colour() {
    let files = [("m", "a =\ns {\n t {\n}\n")];
    let coloured = report(&files, Colour::Always);
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain += before;
        rest = after.split_once('m').unwrap().1;
    }
    assert_eq!(plain + rest, report(&files, Colour::Never));
    assert!(coloured.contains('\x1b'));
}

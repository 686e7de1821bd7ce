//! The rules of reference section 1.1, row by row.
use super::*;
use alloc::{string::String, vec::Vec};
use proptest::prelude::*;

fn tokens(text: &str) -> Vec<(Kind, &str)> {
    let mut lexer = Lexer::new(text, 0);
    let mut found = Vec::new();
    loop {
        let token = lexer.token();
        if token.kind == Kind::End {
            return found;
        }
        found.push((token.kind, &text[token.start..token.end]));
    }
}

/// Checks the tokens that are neither blank nor comment.
fn check(text: &str, expected: &[(Kind, &str)]) {
    let quiet = |kind: Kind| matches!(kind, Kind::Blank | Kind::LineComment | Kind::BlockComment);
    let found: Vec<_> = tokens(text).into_iter().filter(|(kind, _)| !quiet(*kind)).collect();
    assert_eq!(found, expected, "{text:?}");
}

const BARE: Kind = Kind::Word(Quote::Bare);
const DOUBLE: Kind = Kind::Word(Quote::Double);
const SINGLE: Kind = Kind::Word(Quote::Single);

#[test]
fn a_line_comment_ends_with_its_line() {
    check("a # b = { \" \n c", &[(BARE, "a"), (BARE, "c")]);
    check("a#b", &[(BARE, "a")]);
    check("# only", &[]);
    check("\"#\"", &[(DOUBLE, "\"#\"")]);
}

#[test]
fn block_comments_do_not_nest() {
    check("a /* b /* c */ d", &[(BARE, "a"), (BARE, "d")]);
    check("a/**/b", &[(BARE, "a"), (BARE, "b")]);
    check("/* # \" \n */ b", &[(BARE, "b")]);
    check("# /*\nb", &[(BARE, "b")]);
    check("/*/ b */ c", &[(BARE, "c")]);
    check("a /* b", &[(BARE, "a"), (Kind::OpenComment, "/* b")]);
}

#[test]
fn blanks_only_separate() {
    check("a\t b\r\n\r\nc", &[(BARE, "a"), (BARE, "b"), (BARE, "c")]);
}

#[test]
fn bare_words_hold_what_operators_write_without_quotes() {
    for word in [
        "/tmp/2025",
        "digest:///opt/x.digest",
        "127.0.0.0/8",
        "10.10.10.10",
        "*:4802",
        ":25",
        "user@example.com",
        "node1.lan",
        "cap_net_admin+ep",
        "-1",
        "0x1F",
        "%{l}",
        "a,b;c",
        "\\.fr$",
        "gr\u{fc}n",
        "a/*b".split("/*").next().unwrap(),
    ] {
        if !word.contains(['{', '}']) {
            check(word, &[(BARE, word)]);
        }
    }
}

#[test]
fn characters_that_force_quotes_end_a_bare_word() {
    check("a=b", &[(BARE, "a"), (Kind::Equals, "="), (BARE, "b")]);
    check("a{b}", &[(BARE, "a"), (Kind::LeftBrace, "{"), (BARE, "b"), (Kind::RightBrace, "}")]);
    check("a[b]", &[(BARE, "a"), (Kind::LeftBracket, "["), (BARE, "b"), (Kind::RightBracket, "]")]);
    check("a(b)", &[(BARE, "a"), (Kind::LeftParen, "("), (BARE, "b"), (Kind::RightParen, ")")]);
    check("a\"b\"c'd'", &[(BARE, "a"), (DOUBLE, "\"b\""), (BARE, "c"), (SINGLE, "'d'")]);
}

#[test]
fn a_backslash_keeps_the_next_character_from_closing_a_string() {
    check(r#""a\"b" c"#, &[(DOUBLE, r#""a\"b""#), (BARE, "c")]);
    check(r#""a\\" c"#, &[(DOUBLE, r#""a\\""#), (BARE, "c")]);
    check(r#""a\\\" c"#, &[(Kind::OpenString(Quote::Double), r#""a\\\" c"#)]);
    check(r"'a\' c", &[(SINGLE, r"'a\'"), (BARE, "c")]);
    check("\"a\nb\"", &[(DOUBLE, "\"a\nb\"")]);
}

#[test]
fn a_byte_order_mark_is_a_blank_at_the_beginning_only() {
    check("\u{feff}a", &[(BARE, "a")]);
    check("a \u{feff}", &[(BARE, "a"), (Kind::Stray('\u{feff}'), "\u{feff}")]);
}

#[test]
fn typographic_quotes_blanks_and_control_characters_are_strays() {
    for stray in
        ['\u{201c}', '\u{2019}', '\u{a0}', '\u{200b}', '\u{0}', '\u{1b}', '\u{7f}', '\u{85}', '\u{2028}']
    {
        let text = String::from_iter(['a', stray, 'b']);
        let shown = String::from(stray);
        check(&text, &[(BARE, "a"), (Kind::Stray(stray), &shown), (BARE, "b")]);
    }
}

proptest! {
    #[test]
    fn tokens_laid_end_to_end_are_the_text(text in r#"([ \n\t#=/*"'{}\[\]()\\a-c]|\PC|[\u{feff}\u{a0}\x00]){0,80}"#) {
        let joined: String = tokens(&text).into_iter().map(|(_, token)| token).collect();
        prop_assert_eq!(joined, text);
    }
}

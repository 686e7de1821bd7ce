//! Splits Rust source into code and comments, well enough for rules that look for words.
//!
//! Both halves keep every line break and every column, so a place in one is the same place in the source.
//! Contents of strings and characters are blanked in the code. Not a parser: macros are taken as they stand.

/// Rust source, split.
#[derive(Debug)]
pub(crate) struct Source {
    /// The source with comments and the contents of literals blanked.
    pub(crate) code: String,
    /// The source with everything but comments blanked.
    pub(crate) comments: String,
}

impl Source {
    /// Splits `text`.
    pub(crate) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let (mut code, mut comments) = (blank(bytes), blank(bytes));
        let mut at = 0;
        while at < bytes.len() {
            let (end, kind) = token(bytes, at);
            match kind {
                Kind::Code => code[at..end].copy_from_slice(&bytes[at..end]),
                Kind::Comment => comments[at..end].copy_from_slice(&bytes[at..end]),
                Kind::Literal => {
                    code[at] = b'"';
                    code[end - 1] = b'"';
                }
            }
            at = end;
        }
        // Bytes were copied in whole runs or blanked to ASCII, so nothing can have been cut in two.
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: text(code), comments: text(comments) }
    }

    /// Returns the code without what only tests compile: `#[cfg(test)]` items that have a body.
    pub(crate) fn code_without_tests(&self) -> String {
        const MARK: &str = "#[cfg(test)]";
        let mut code = self.code.clone();
        let mut from = 0;
        while let Some(start) = code[from..].find(MARK).map(|at| from + at) {
            let end = item_end(&code, start + MARK.len());
            let blanked = String::from_utf8_lossy(&blank(&code.as_bytes()[start..end])).into_owned();
            code.replace_range(start..end, &blanked);
            from = start + blanked.len();
        }
        code
    }
}

/// Returns the line, counting from 1, of a byte offset.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Returns the offsets at which `word` stands in `code` as a whole word.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let after = bytes.get(at + word.len()).copied();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Returns the offset just after the brace that closes the one at `open`.
pub(crate) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// Returns where the item that starts at `from` ends: after its `;` or its body.
fn item_end(code: &str, from: usize) -> usize {
    match code[from..].find(['{', ';']).map(|at| from + at) {
        Some(at) if code.as_bytes()[at] == b'{' => closing(code, at),
        Some(at) => at + 1,
        None => code.len(),
    }
}

/// Spaces of the same length, with the same line breaks.
fn blank(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|&byte| if byte == b'\n' { b'\n' } else { b' ' }).collect()
}

enum Kind {
    Code,
    Comment,
    Literal,
}

/// Returns the end and the kind of what starts at `at`.
fn token(bytes: &[u8], at: usize) -> (usize, Kind) {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return (at + rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()), Kind::Comment);
    }
    if rest.starts_with(b"/*") {
        return (at + block_comment(rest), Kind::Comment);
    }
    if rest[0] == b'"' {
        return (at + quoted(rest, b'"'), Kind::Literal);
    }
    if rest[0] == b'\'' && is_char(rest) {
        return (at + quoted(rest, b'\''), Kind::Literal);
    }
    if is_word(rest[0]) {
        let word = rest.iter().position(|&byte| !is_word(byte)).unwrap_or(rest.len());
        if matches!(&rest[..word], b"r" | b"br" | b"cr")
            && let Some(length) = raw_string(&rest[word..])
        {
            return (at + word + length, Kind::Literal);
        }
        return (at + word, Kind::Code);
    }
    (at + 1, Kind::Code)
}

/// Length of a nested block comment at the start of `rest`.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at.min(rest.len())
}

/// Length of a literal with escapes, both quotes included.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// Length of the hashes and quotes that follow an `r`; `None` when it begins no raw string.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest.iter().position(|&byte| byte != b'#')?;
    if rest[hashes] != b'"' {
        return None;
    }
    let end = [b"\"".as_slice(), &rest[..hashes]].concat();
    let body = &rest[hashes + 1..];
    let length = body.windows(end.len()).position(|window| window == end).unwrap_or(body.len());
    Some((hashes + 1 + length + end.len()).min(rest.len()))
}

/// Whether a quote begins a character and not a lifetime.
fn is_char(rest: &[u8]) -> bool {
    match rest.get(1) {
        Some(b'\\') => true,
        Some(&first) => {
            let width =
                if first < 0x80 { 1 } else { rest[1..].iter().take(4).filter(|&&b| b >= 0x80).count() };
            rest.get(1 + width) == Some(&b'\'')
        }
        None => false,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[test]
fn comments_and_literals_are_told_from_code() {
    let check = |text: &str, code: &str| {
        let source = Source::of(text);
        let squeezed = source.code.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed, code, "code of {text:?}");
        assert_eq!(source.code.len(), text.len());
    };
    check("a // unsafe\nb", "a b");
    check("a /* x /* unsafe */ y */ b", "a b");
    check("f(\"unsafe \\\" more\")", "f(\" \")");
    check("f(r#\"a \" b\"#, x)", "f(\" \", x)");
    check(
        "fn f<'a>(x: &'a str, c: char) { c == 'x' || c == '\\'' }",
        "fn f<'a>(x: &'a str, c: char) { c == \" \" || c == \" \" }",
    );
    assert_eq!(Source::of("x // why\ny").comments.trim(), "// why");
}

#[test]
fn test_modules_are_cut_out() {
    let source =
        Source::of("use core::fmt;\n#[cfg(test)]\nmod tests { use std::vec; fn f() { } }\nfn g() {}");
    let code = source.code_without_tests();
    assert!(!code.contains("std"), "{code}");
    assert!(code.contains("fn g"), "{code}");
    assert_eq!(line_of(&code, code.find("fn g").expect("it is there")), 4);
}

#[test]
fn words_are_whole() {
    assert_eq!(words("unsafe_code unsafe { } not_unsafe", "unsafe").collect::<Vec<_>>(), [12]);
}

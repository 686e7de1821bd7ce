//! Text to tokens. Comments and blanks are tokens too, so the tokens of a text laid end to end are the text.
//!
//! Rules (reference section 1.1): `#` comments to the end of the line, `/* */` comments do not nest, blanks separate
//! and mean nothing else. A word is quoted or bare; a bare word ends at a blank, a quote, `#`, `/*`, `=` or a bracket and
//! may hold everything else, also `/`, `:`, `.`, `-`, `*` and `@`. In double quotes a backslash keeps the next character from
//! closing the string; in single quotes nothing is special. Strings may span lines.
//! Does not decode: see [`Word`](super::tree::Word) for that.
use super::tree::Quote;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Blanks and line ends, or a byte order mark at the very beginning.
    Blank,
    /// `#` to the end of the line, without the line end.
    LineComment,
    /// `/*` to `*/`.
    BlockComment,
    /// `/*` that is never closed; reaches to the end of the text.
    OpenComment,
    /// A word, its quotes included.
    Word(Quote),
    /// A string that is never closed; reaches to the end of the text.
    OpenString(Quote),
    /// `=`
    Equals,
    /// `{`
    LeftBrace,
    /// `}`
    RightBrace,
    /// `[`
    LeftBracket,
    /// `]`
    RightBracket,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// A character that may not stand outside quotes: a control character, a typographic quote or blank.
    Stray(char),
    /// The end of the text; empty, returned again and again.
    End,
}

/// A token and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// First byte.
    pub start: usize,
    /// Byte after the last one.
    pub end: usize,
}

/// A position in a text that yields one token after the other.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    /// Starts at byte `at` of `text`, which must be a character boundary.
    pub fn new(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    /// Returns the next token, comments and blanks included.
    pub fn token(&mut self) -> Token {
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let Some(&first) = rest.first() else { return Token { kind: Kind::End, start, end: start } };
        let (kind, len) = match first {
            b' ' | b'\t' | b'\r' | b'\n' => (Kind::Blank, run(rest, blank)),
            b'#' => (Kind::LineComment, run(rest, |byte| byte != b'\n')),
            b'/' if rest.get(1) == Some(&b'*') => block_comment(rest),
            b'"' => double_quoted(rest),
            b'\'' => single_quoted(rest),
            b'=' => (Kind::Equals, 1),
            b'{' => (Kind::LeftBrace, 1),
            b'}' => (Kind::RightBrace, 1),
            b'[' => (Kind::LeftBracket, 1),
            b']' => (Kind::RightBracket, 1),
            b'(' => (Kind::LeftParen, 1),
            b')' => (Kind::RightParen, 1),
            _ => self.bare(),
        };
        self.at = start + len;
        Token { kind, start, end: self.at }
    }

    fn bare(&self) -> (Kind, usize) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let bytes = rest.as_bytes();
        let mut len = 0;
        while let Some(&byte) = bytes.get(len) {
            if byte >= 0x80 {
                let Some(wide) = rest.get(len..).and_then(|tail| tail.chars().next()) else { break };
                if self.at == 0 && len == 0 && wide == BYTE_ORDER_MARK {
                    return (Kind::Blank, wide.len_utf8());
                }
                if stray(wide) {
                    break;
                }
                len += wide.len_utf8();
            } else if ENDS_BARE[usize::from(byte)] || (byte == b'/' && bytes.get(len + 1) == Some(&b'*')) {
                break;
            } else {
                len += 1;
            }
        }
        match rest.chars().next() {
            Some(first) if len == 0 => (Kind::Stray(first), first.len_utf8()),
            _ => (Kind::Word(Quote::Bare), len),
        }
    }
}

/// Returns whether `c` may not stand outside quotes although it is no delimiter.
pub fn stray(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\r' | '\n')
        || (!c.is_ascii() && c.is_whitespace())
        || matches!(c, '\u{2018}'..='\u{201f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || c == BYTE_ORDER_MARK
}

/// Returns whether an ASCII byte ends a bare word.
pub const fn ends_bare(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | 0x7f | b'"' | b'\'' | b'#' | b'=' | b'{' | b'}' | b'[' | b']' | b'(' | b')')
}

fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn run(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !wanted(*byte)).unwrap_or(bytes.len())
}

fn block_comment(bytes: &[u8]) -> (Kind, usize) {
    let body = bytes.get(2..).unwrap_or_default();
    match body.windows(2).position(|pair| pair == b"*/") {
        Some(at) => (Kind::BlockComment, at + 4),
        None => (Kind::OpenComment, bytes.len()),
    }
}

fn double_quoted(bytes: &[u8]) -> (Kind, usize) {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return (Kind::Word(Quote::Double), at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    (Kind::OpenString(Quote::Double), bytes.len())
}

fn single_quoted(bytes: &[u8]) -> (Kind, usize) {
    match bytes.get(1..).unwrap_or_default().iter().position(|byte| *byte == b'\'') {
        Some(at) => (Kind::Word(Quote::Single), at + 2),
        None => (Kind::OpenString(Quote::Single), bytes.len()),
    }
}

const BYTE_ORDER_MARK: char = '\u{feff}';

const ENDS_BARE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        table[byte as usize] = ends_bare(byte);
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests;

//! Tokens to a tree, by recursive descent, going on after a fault.
//!
//! ```text
//! config    = { statement }
//! statement = ( "include" | "readonly_include" ) word
//!           | name [ "=" ] [ word ] "{" { statement } "}"
//!           | name "=" ( word | array | dict ) | name dict
//! array     = "(" { word } ")"
//! dict      = "[" { word "=" word } "]"
//! ```
//! A word after `name =` is an instance when `{` follows, else a value (reference section 1.2).
//!
//! Invariants: 1. any text gives a tree; 2. a faulty statement is left out or cut short and reported once, and parsing
//! goes on at the next statement; 3. nesting is bounded by `CONFIG_DEPTH_MAX`, so the recursion is. Newlines never
//! separate statements; they only help to guess where a fault ends. Hand-written: a combinator library stops at the first
//! fault or backtracks, and needs a second pass for places and comments.
use super::{
    diagnostic::Diagnostic,
    lexer::{Kind as T, Lexer, Token},
    place::{FileId, Place, offset},
    tree::{Kind, Quote, Statement, Tree, Value, Word, Words},
};
use crate::bounds;
use alloc::{format, string::String, sync::Arc, vec::Vec};

mod fault;
use fault::Fault;

/// Parses one file. The tree holds what could be understood; the faults are in the order of the text.
pub fn parse(file: FileId, text: &Arc<str>) -> (Tree, Vec<Diagnostic>) {
    let mut tree = Tree::new(file, text.clone());
    if text.len() > bounds::CONFIG_FILE_BYTES_MAX {
        let fault = Fault::TooLong.at(Place::new(file, 0..0));
        return (tree, alloc::vec![fault]);
    }
    let mut parser = Parser {
        file,
        text,
        lexer: Lexer::new(text, 0),
        token: Seen::default(),
        ahead: Seen::default(),
        tree: &mut tree,
        faults: Vec::new(),
        depth: 0,
        multiline: None,
        unindented: None,
        cut: None,
        stopped: false,
    };
    parser.rewind(0, true);
    parser.statements(None);
    let faults = parser.finish();
    (tree, faults)
}

/// A token that is neither blank nor comment, and whether it is the first one of its line.
#[derive(Clone, Copy, Debug)]
struct Seen {
    token: Token,
    first: bool,
}

struct Parser<'a> {
    file: FileId,
    text: &'a str,
    lexer: Lexer<'a>,
    token: Seen,
    ahead: Seen,
    tree: &'a mut Tree,
    faults: Vec<Diagnostic>,
    depth: usize,
    /// The first string that spans lines: when quotes do not pair up, it usually begins where one is missing.
    multiline: Option<Token>,
    /// The first scope whose closing brace stands in another column than the scope: its own brace is probably missing.
    unindented: Option<Token>,
    /// A comment or string from here to the end was never closed: what is found after it means nothing.
    cut: Option<usize>,
    stopped: bool,
}

impl Parser<'_> {
    /// Parses statements up to the brace that closes `scope`, or to the end. Returns the byte after the last one.
    fn statements(&mut self, scope: Option<Open>) -> usize {
        loop {
            let here = self.token.token;
            if self.stopped || here.kind == T::End {
                if let Some(scope) = scope {
                    self.unclosed_scope(scope);
                }
                return here.start;
            }
            match here.kind {
                T::RightBrace => {
                    let first = self.token.first;
                    self.bump();
                    let Some(scope) = scope else {
                        self.fault(Fault::StrayClose { what: '}' }, here);
                        continue;
                    };
                    if first && scope.first && self.column(here) != self.column(scope.name) {
                        self.unindented.get_or_insert(scope.name);
                    }
                    return here.end;
                }
                T::Word(quote) => self.statement(word(here, quote)),
                _ => self.no_statement(),
            }
        }
    }

    fn statement(&mut self, name: Word) {
        let (at, first) = (self.token.token, self.token.first);
        self.check_name(name, at);
        self.bump();
        if let Some(readonly) = include(self.raw(at)) {
            return self.include(name, at, readonly);
        }
        let open = Open { name: at, first };
        match self.token.token.kind {
            T::LeftBrace => self.scope(open, name, None),
            T::LeftBracket => self.assign_dictionary(name),
            T::Equals => self.after_equals(open, name),
            T::Word(quote) => self.after_word(open, name, quote),
            _ => {
                self.fault(Fault::NoEquals { name: self.quoted(at) }, at);
                self.recover();
            }
        }
    }

    /// After one of the two keywords, which are never names.
    fn include(&mut self, name: Word, at: Token, readonly: bool) {
        let Seen { token, first } = self.token;
        match token.kind {
            T::Word(_) if first && self.ahead.token.kind == T::Equals => self.fault(Fault::NoPath, at),
            T::Word(quote) => {
                self.bump();
                self.push(name, token.end, Kind::Include { readonly, target: word(token, quote) });
            }
            T::Equals => {
                self.fault(Fault::IncludeEquals, token);
                self.bump();
                self.recover();
            }
            _ => {
                self.fault(Fault::NoPath, at);
                self.recover();
            }
        }
    }

    /// `name word`: a scope with an instance, or a mistake.
    fn after_word(&mut self, open: Open, name: Word, quote: Quote) {
        let Seen { token, first } = self.token;
        let second = word(token, quote);
        if self.ahead.token.kind == T::LeftBrace {
            self.bump();
            return self.scope(open, name, Some(second));
        }
        let starts_next = matches!(self.ahead.token.kind, T::Equals | T::LeftBracket | T::Word(_));
        if first && starts_next {
            self.fault(Fault::Valueless { name: self.quoted(open.name) }, open.name);
        } else {
            self.fault(Fault::NoEquals { name: self.quoted(open.name) }, token);
            self.bump();
        }
    }

    /// `name =`: a scope, or one of the three values.
    fn after_equals(&mut self, open: Open, name: Word) {
        let equals = self.token.token;
        self.bump();
        let Seen { token, first } = self.token;
        match token.kind {
            T::LeftBrace => self.scope(open, name, None),
            T::LeftParen => self.assign_array(name),
            T::LeftBracket => self.assign_dictionary(name),
            T::Word(quote) if self.ahead.token.kind == T::LeftBrace => {
                self.bump();
                self.scope(open, name, Some(word(token, quote)));
            }
            T::Word(_) if first && self.ahead.token.kind == T::Equals => {
                self.fault(Fault::NoValue { name: self.quoted(open.name) }, equals);
            }
            T::Word(quote) => {
                self.bump();
                self.push(name, token.end, Kind::Assign(Value::Scalar(word(token, quote))));
            }
            _ => {
                self.fault(Fault::NoValue { name: self.quoted(open.name) }, equals);
                self.recover();
            }
        }
    }

    /// At `{`.
    fn scope(&mut self, open: Open, name: Word, instance: Option<Word>) {
        let brace = self.token.token;
        self.bump();
        if self.depth == bounds::CONFIG_DEPTH_MAX {
            self.fault(Fault::TooDeep, brace);
            return self.skip_scope();
        }
        let index = self.tree.statements.len();
        self.push(name, brace.end, Kind::Scope { instance });
        self.depth += 1;
        let end = self.statements(Some(open));
        self.depth -= 1;
        let next = offset(self.tree.statements.len());
        if let Some(statement) = self.tree.statements.get_mut(index) {
            (statement.end, statement.next) = (offset(end), next);
        }
    }

    /// At `(`.
    fn assign_array(&mut self, name: Word) {
        let open = self.token.token;
        let first = self.tree.words.len();
        let mut last = None;
        self.bump();
        loop {
            let Seen { token, first: first_of_line } = self.token;
            match token.kind {
                T::Word(quote) => {
                    self.push_word(word(token, quote));
                    last = Some((token, first_of_line));
                    self.bump();
                    continue;
                }
                T::RightParen => {
                    self.bump();
                    return self.push(name, token.end, Kind::Assign(Value::Array(self.words_from(first))));
                }
                T::LeftBracket | T::LeftParen | T::RightBracket => {
                    self.fault(Fault::Nested { what: "an array", found: self.quoted(token) }, token);
                    self.recover_value();
                }
                T::Equals | T::LeftBrace if last.is_some_and(|(_, first)| first) => {
                    self.fault(Fault::UnclosedArray, open);
                    if let Some((token, first)) = last {
                        self.rewind(token.start, first);
                    }
                }
                _ => {
                    self.fault(Fault::UnclosedArray, open);
                    self.recover_value();
                }
            }
            self.tree.words.truncate(first);
            return;
        }
    }

    /// At `[`.
    fn assign_dictionary(&mut self, name: Word) {
        let open = self.token.token;
        let first = self.tree.words.len();
        self.bump();
        loop {
            let Seen { token: key, first: key_first } = self.token;
            let T::Word(key_quote) = key.kind else {
                if key.kind == T::RightBracket {
                    self.bump();
                    return self.push(name, key.end, Kind::Assign(Value::Dictionary(self.words_from(first))));
                }
                self.tree.words.truncate(first);
                return self.broken_dictionary(open);
            };
            self.bump();
            let follows = self.token.token.kind;
            if follows != T::Equals {
                let single = follows == T::RightBracket && self.tree.words.len() == first;
                self.tree.words.truncate(first);
                if key_first && matches!(follows, T::LeftBrace | T::LeftBracket) {
                    self.fault(Fault::UnclosedDictionary, open);
                    return self.rewind(key.start, key_first);
                }
                self.fault(Fault::NoPair { key: self.quoted(key), single }, key);
                return if single { self.recover() } else { self.recover_value() };
            }
            self.bump();
            let value = self.token.token;
            let T::Word(value_quote) = value.kind else {
                self.tree.words.truncate(first);
                if key_first && matches!(value.kind, T::LeftParen | T::LeftBracket | T::LeftBrace) {
                    self.fault(Fault::UnclosedDictionary, open);
                    return self.rewind(key.start, key_first);
                }
                self.fault(Fault::NoPairValue { key: self.quoted(key) }, key);
                return self.recover_value();
            };
            self.push_word(word(key, key_quote));
            self.push_word(word(value, value_quote));
            self.bump();
        }
    }

    fn broken_dictionary(&mut self, open: Token) {
        let token = self.token.token;
        match token.kind {
            T::End | T::RightBrace => self.fault(Fault::UnclosedDictionary, open),
            _ => {
                let found = self.quoted(token);
                self.fault(Fault::Nested { what: "a dictionary", found }, token);
            }
        }
        self.recover_value();
    }

    /// A token that cannot begin a statement.
    fn no_statement(&mut self) {
        let token = self.token.token;
        let fault = match token.kind {
            T::RightParen => Fault::StrayClose { what: ')' },
            T::RightBracket => Fault::StrayClose { what: ']' },
            T::Equals | T::LeftBrace | T::LeftBracket | T::LeftParen => {
                Fault::NoName { found: self.quoted(token) }
            }
            _ => return self.bump(), // stray characters and open strings were reported when they were read
        };
        let opens = token.kind == T::LeftBrace;
        self.fault(fault, token);
        self.bump();
        if opens {
            self.skip_scope();
        } else {
            self.recover();
        }
    }

    /// Skips to a token that probably begins a statement: a word that is the first of its line, or a brace.
    fn recover(&mut self) {
        loop {
            match self.token.token.kind {
                T::End | T::RightBrace => return,
                T::Word(_) if self.token.first => return,
                T::LeftBrace => {
                    self.bump();
                    self.skip_scope();
                    return;
                }
                _ => self.bump(),
            }
        }
    }

    /// Skips the rest of a broken array or dictionary.
    fn recover_value(&mut self) {
        loop {
            match self.token.token.kind {
                T::End | T::RightBrace => return,
                T::RightParen | T::RightBracket => return self.bump(),
                T::Word(_)
                    if self.token.first && matches!(self.ahead.token.kind, T::Equals | T::LeftBrace) =>
                {
                    return;
                }
                _ => self.bump(),
            }
        }
    }

    /// Skips to the brace that closes the one just passed.
    fn skip_scope(&mut self) {
        let mut open = 1_usize;
        while open > 0 && self.token.token.kind != T::End {
            match self.token.token.kind {
                T::LeftBrace => open += 1,
                T::RightBrace => open -= 1,
                _ => {}
            }
            self.bump();
        }
    }

    fn unclosed_scope(&mut self, open: Open) {
        if self.stopped {
            return;
        }
        let name = self.quoted(open.name);
        let mut fault = Fault::UnclosedScope { name }.at(self.place(open.name));
        if let Some(suspect) = self.unindented.filter(|suspect| suspect.start != open.name.start) {
            fault = fault
                .note(self.place(suspect), "the brace in this scope's place closes it in another column");
        }
        self.keep(fault);
        self.stopped = true; // one missing brace leaves every scope around it open
    }

    fn check_name(&mut self, name: Word, at: Token) {
        let raw = self.raw(at);
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.quote != Quote::Bare || !raw.bytes().all(legal) {
            self.fault(Fault::BadName { name: clip(raw) }, at);
        }
    }

    fn push(&mut self, name: Word, end: usize, kind: Kind) {
        if self.full() {
            return;
        }
        let next = offset(self.tree.statements.len() + 1);
        self.tree.statements.push(Statement { start: name.start, end: offset(end), name, kind, next });
    }

    fn push_word(&mut self, word: Word) {
        if !self.full() {
            self.tree.words.push(word);
        }
    }

    /// Returns whether the tree is full; reports it and stops.
    fn full(&mut self) -> bool {
        let full = self.tree.statements.len() + self.tree.words.len() >= bounds::CONFIG_WORDS_MAX;
        if full && !self.stopped {
            self.fault(Fault::TooMany, self.token.token);
            self.stopped = true;
        }
        full
    }

    fn words_from(&self, first: usize) -> Words {
        Words { first: offset(first), len: offset(self.tree.words.len() - first) }
    }

    /// Passes the current token.
    fn bump(&mut self) {
        self.token = self.ahead;
        self.ahead = self.next();
    }

    /// Goes on at byte `at`.
    fn rewind(&mut self, at: usize, first: bool) {
        self.lexer = Lexer::new(self.text, at);
        self.token = self.next();
        self.token.first |= first;
        self.ahead = self.next();
    }

    /// Reads the next token that is neither blank nor comment; reports those that are nothing.
    fn next(&mut self) -> Seen {
        let mut first = false;
        loop {
            let token = self.lexer.token();
            match token.kind {
                T::Blank => first |= self.raw(token).contains('\n'),
                T::LineComment | T::BlockComment => {}
                T::OpenComment => {
                    self.fault(Fault::OpenComment, Token { end: token.start + 2, ..token });
                    self.cut.get_or_insert(token.start);
                }
                T::OpenString(quote) => self.open_string(token, quote),
                T::Stray(found) => self.fault(Fault::Stray { found }, token),
                T::Word(quote) => {
                    if quote != Quote::Bare && self.multiline.is_none() && self.raw(token).contains('\n') {
                        self.multiline = Some(token);
                    }
                    return Seen { token, first };
                }
                _ => return Seen { token, first },
            }
        }
    }

    /// The quote that is missing is rarely the last one: point at the first string that spans lines, and forget what
    /// was found after it.
    fn open_string(&mut self, token: Token, quote: Quote) {
        let begin = self.multiline.filter(|first| self.raw(*first).starts_with(mark(quote))).unwrap_or(token);
        let line_end = self.raw(begin).find(['\n', '\r']).map_or(begin.end, |at| begin.start + at);
        let escaped = self.raw(Token { end: line_end, ..begin }).ends_with("\\\"");
        if self.cut.is_some() {
            return; // read twice after a rewind
        }
        self.faults.retain(|fault| fault.place.is_none_or(|place| place.range().start < begin.start));
        self.multiline = None;
        self.fault(Fault::OpenString { mark: mark(quote), escaped }, Token { end: line_end, ..begin });
        self.cut = Some(begin.start);
    }

    fn fault(&mut self, fault: Fault, at: Token) {
        let place = self.place(at);
        let mut fault = fault.at(place);
        if let Some(string) =
            self.multiline.filter(|string| string.start < at.start && self.faults.is_empty())
        {
            let end = self.raw(string).find(['\n', '\r']).map_or(string.end, |len| string.start + len);
            fault = fault
                .note(self.place(Token { end, ..string }), "this string spans lines: is a quote missing?");
        }
        self.keep(fault);
    }

    fn keep(&mut self, fault: Diagnostic) {
        let start = fault.place.map_or(0, |place| place.range().start);
        let ended = self.token.token.kind == T::End;
        if self.cut.is_some_and(|cut| ended || start >= cut)
            || self.faults.iter().any(|other| other.place == fault.place)
        {
            return; // a consequence of what was cut off, or read twice after a rewind
        }
        self.faults.push(fault);
        if self.faults.len() >= bounds::CONFIG_ERRORS_MAX {
            self.stopped = true;
        }
    }

    fn finish(mut self) -> Vec<Diagnostic> {
        self.faults.sort_by_key(|fault| fault.place);
        self.faults
    }

    fn raw(&self, token: Token) -> &str {
        self.text.get(token.start..token.end).unwrap_or_default()
    }

    /// Returns a token's text for a message.
    fn quoted(&self, token: Token) -> String {
        clip(self.raw(token))
    }

    fn place(&self, token: Token) -> Place {
        Place::new(self.file, token.start..token.end)
    }

    fn column(&self, token: Token) -> usize {
        let before = self.text.get(..token.start).unwrap_or_default();
        token.start - before.rfind('\n').map_or(0, |at| at + 1)
    }
}

/// A scope being read: its name, and whether the name is the first word of its line.
#[derive(Clone, Copy, Debug)]
struct Open {
    name: Token,
    first: bool,
}

impl Default for Seen {
    fn default() -> Self {
        Self { token: Token { kind: T::End, start: 0, end: 0 }, first: false }
    }
}

/// Returns `text` cut to what a message can show.
pub(super) fn clip(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.into(),
    }
}

/// chosen: longer than any option's name, short enough for one line.
const MESSAGE_CHARS_MAX: usize = 48;

fn word(token: Token, quote: Quote) -> Word {
    Word { start: offset(token.start), end: offset(token.end), quote }
}

fn mark(quote: Quote) -> char {
    if quote == Quote::Single { '\'' } else { '"' }
}

/// Returns whether it is `readonly_include`, if the name is one of the two keywords.
fn include(name: &str) -> Option<bool> {
    if name.eq_ignore_ascii_case("include") {
        Some(false)
    } else if name.eq_ignore_ascii_case("readonly_include") {
        Some(true)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;

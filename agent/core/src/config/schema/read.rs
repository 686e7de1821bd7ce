//! From an assignment and its row to typed words, and from a row to its default.
use super::{Kind, Level, Misfit, Row, Shape, Typed};
use crate::{
    bounds,
    config::{
        diagnostic::Diagnostic,
        parser,
        place::{FileId, Place},
        scopes::Setting,
        tree::{self, Tree, Value, Word},
        value::{self, BadValue},
    },
    time::Span,
};
use alloc::{
    borrow::ToOwned as _,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

/// One word of an option, with its key in a dictionary.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key, and where it stands.
    pub key: Option<(String, Place)>,
    /// What the word means.
    pub value: Typed,
    /// Where it stands.
    pub place: Place,
}

/// Returns the words of an assignment: one for [`Shape::One`], any number for the others.
///
/// # Errors
/// Every word that does not fit, with its place.
pub fn read(row: &Row, setting: Setting<'_>) -> Result<Vec<Entry>, Vec<Diagnostic>> {
    entries(row, setting.tree(), setting.value(), setting.place())
}

/// Returns the words of a row's default; `None` when it has none.
pub fn default_of(row: &Row) -> Option<Vec<Entry>> {
    let text = format!("default = {}", row.default?);
    let (tree, _) = parser::parse(FileId::MAIN, &text.as_str().into());
    let (_, statement) = tree.top().next()?;
    let tree::Kind::Assign(value) = statement.kind else { return None };
    entries(row, &tree, value, tree.place_of(statement)).ok()
}

fn entries(row: &Row, tree: &Tree, value: Value, place: Place) -> Result<Vec<Entry>, Vec<Diagnostic>> {
    let words: Vec<(Option<Word>, Word)> = match (row.shape, value) {
        (Shape::One | Shape::Array, Value::Scalar(word)) => [(None, word)].into(),
        (Shape::Array, Value::Array(words)) => tree.words(words).iter().map(|word| (None, *word)).collect(),
        (Shape::Dictionary, Value::Dictionary(words)) => {
            tree.pairs(words).map(|(key, word)| (Some(key), word)).collect()
        }
        (shape, _) => return Err([misshapen(row, shape).at(place)].into()),
    };
    let (mut found, mut faults) = (Vec::with_capacity(words.len()), Vec::new());
    for (key, word) in words {
        let place = tree.place(word);
        match typed(row.kind, &tree.say(word)) {
            Ok(value) => {
                let key = key.map(|key| (tree.say(key).into_owned(), tree.place(key)));
                found.push(Entry { key, value, place });
            }
            Err(misfit) => faults.push(misfit.into_diagnostic(row, &tree.say(word)).at(place)),
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

/// Returns the meaning of one word.
fn typed(kind: Kind, word: &str) -> Result<Typed, Misfit> {
    Ok(match kind {
        Kind::Text => Typed::Text(word.to_owned()),
        Kind::Name => {
            if !(1..=bounds::NAME_BYTES_MAX).contains(&word.len()) {
                return Err(range(word, format!("1 to {} bytes", bounds::NAME_BYTES_MAX)));
            }
            Typed::Text(word.to_owned())
        }
        Kind::Choice(words) => {
            let known = words.iter().find(|known| known.eq_ignore_ascii_case(word));
            let wanted = || range(word, format!("one of {}", words.join(", ")));
            Typed::Text((*known.ok_or_else(wanted)?).to_owned())
        }
        Kind::Bool => Typed::Bool(value::boolean(word)?),
        Kind::Int(ranges) => {
            let number = value::int(word)?;
            if !ranges.iter().any(|(min, max)| (*min..=*max).contains(&number)) {
                return Err(range(word, ranges_text(ranges)));
            }
            Typed::Int(number)
        }
        Kind::Seconds(min, max) => {
            let span = value::seconds(word)?;
            if span < min || span > max {
                return Err(range(word, seconds_text(min, max)));
            }
            Typed::Span(span)
        }
        Kind::Throttle => Typed::Throttle(value::throttle(word)?),
        Kind::Permissions => Typed::Permissions(value::permissions(word)?),
        Kind::Ip => Typed::Ip(value::ip(word)?),
        Kind::Address if word == "*" => Typed::Address(None),
        Kind::Address => Typed::Address(Some(value::ip(word)?)),
        Kind::Endpoint => Typed::Endpoint(value::endpoint(word)?),
        Kind::Path => Typed::Text(value::path(word)?),
        Kind::Template => Typed::Text(template(word)?),
        Kind::Destination => Typed::Destination(value::destination(word)?),
        Kind::Level => Typed::Level(level(word)?),
        Kind::List(known) => Typed::List(list(word, known)?),
    })
}

/// Words between semicolons, each of them known.
fn list(word: &str, known: &[&str]) -> Result<Vec<String>, Misfit> {
    let parts = word.split(';').map(str::trim).filter(|part| !part.is_empty());
    let one = |part: &str| {
        let found = known.iter().find(|known| known.eq_ignore_ascii_case(part));
        found
            .map(|found| (*found).to_owned())
            .ok_or_else(|| range(part, format!("some of {}", known.join(";"))))
    };
    parts.map(one).collect()
}

/// A path or a `pipe:` URI in which every `%` begins a directive (reference section 3.6).
fn template(word: &str) -> Result<String, BadValue> {
    let bad = || {
        BadValue::of(
            word,
            "an absolute path or a `pipe:` URI, with %{l}, %{s}, %{n} and strftime's directives",
        )
    };
    if !word.starts_with('/') && !word.starts_with("pipe:") {
        return Err(bad());
    }
    let mut rest = word;
    while let Some((_, after)) = rest.split_once('%') {
        let mut chars = after.chars();
        rest = match chars.next() {
            Some('{') => {
                let (key, behind) = chars.as_str().split_once('}').ok_or_else(bad)?;
                if !matches!(key, "l" | "s" | "n") {
                    return Err(bad());
                }
                behind
            }
            Some(c) if c == '%' || c.is_ascii_alphabetic() => chars.as_str(),
            _ => return Err(bad()),
        };
    }
    Ok(word.to_owned())
}

fn level(word: &str) -> Result<Level, BadValue> {
    let named = Level::ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(word));
    let numbered = || value::int(word).ok().and_then(|number| Level::ALL.get(usize::try_from(number).ok()?));
    let bad =
        || BadValue::of(word, "a debug level (DEBUG, INFO, NOTICE, WARNING, ERROR, CRITICAL, or 0 to 5)");
    named.or_else(numbered).map(|(level, _)| *level).ok_or_else(bad)
}

fn range(word: &str, wanted: String) -> Misfit {
    Misfit::Value(BadValue::Range { word: format!("`{}`", parser::clip(word)), wanted })
}

/// Returns ranges of whole numbers for people.
pub(super) fn ranges_text(ranges: &[(i64, i64)]) -> String {
    let one = |(min, max): &(i64, i64)| {
        if min == max { min.to_string() } else { format!("{min} to {max}") }
    };
    ranges.iter().map(one).collect::<Vec<_>>().join(", or ")
}

/// Returns a range of seconds for people.
pub(super) fn seconds_text(min: Span, max: Span) -> String {
    format!("{} to {} seconds", plain_seconds(min), plain_seconds(max))
}

fn plain_seconds(span: Span) -> String {
    let (whole, rest) = (span.as_ns() / 1_000_000_000, span.as_ns() % 1_000_000_000);
    let text = format!("{whole}.{rest:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn misshapen(row: &Row, shape: Shape) -> Diagnostic {
    let (expected, example) = match shape {
        Shape::One => ("expected one word", format!("{} = {}", row.name, row.default.unwrap_or("\"...\""))),
        Shape::Array => ("expected an array", format!("{} = ( a b )", row.name)),
        Shape::Dictionary => ("expected a dictionary", format!("{} = [ key = \"value\" ]", row.name)),
    };
    let fault = Diagnostic::error("wrong-shape", format!("`{}` has a value of the wrong shape", row.name));
    fault.expected(expected).help(format!("write `{example}`"))
}

impl Misfit {
    fn into_diagnostic(self, row: &Row, word: &str) -> Diagnostic {
        let message = format!("`{}`: {self}", row.name);
        let fault = match &self {
            Self::Value(bad @ BadValue::Type { .. }) => {
                Diagnostic::error("wrong-type", message).expected(bad.expected())
            }
            Self::Value(bad @ BadValue::Range { .. }) => {
                Diagnostic::error("out-of-range", message).expected(bad.expected())
            }
            Self::Endpoint(bad) => return Diagnostic::error("wrong-type", message).help(bad.help()),
            Self::Destination(bad) => return Diagnostic::error("wrong-type", message).help(bad.help()),
        };
        let last = word.trim_end_matches([',', ';']);
        if last != word && typed(row.kind, last).is_ok() {
            return fault.help(format!("write `{last}`: blanks separate, `,` and `;` do not"));
        }
        let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        if digits != word && !digits.is_empty() && matches!(row.kind, Kind::Int(_) | Kind::Seconds(..)) {
            return fault.help("there are no unit suffixes: times are seconds, sizes are bytes");
        }
        fault
    }
}

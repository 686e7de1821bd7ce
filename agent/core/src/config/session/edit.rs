//! Edits of one file's text: what is not meant keeps every byte, comments and layout included.
//!
//! Invariants: 1. an edit replaces one range of bytes; 2. two words never grow together because what stood between them
//! went; 3. a statement that is added gets the indentation its neighbours have. Does not know what an edit is for, nor
//! whether it takes effect: see `change`.
use crate::config::{
    draft::{self, Indent, Item, Literal, Unwritable},
    lexer::ends_bare,
    tree::{Kind, Quote, Statement, StatementId, Tree, Value, Word},
};
use alloc::{format, string::String, vec::Vec};
use core::ops::Range;

/// One range of a text and what it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Bytes that go.
    pub range: Range<usize>,
    /// What comes instead.
    pub text: String,
}

/// Returns the text after edits whose ranges do not overlap.
pub fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| edit.range.start);
    let mut out = String::with_capacity(text.len() + edits.iter().map(|edit| edit.text.len()).sum::<usize>());
    let mut at = 0;
    for edit in edits {
        out.push_str(text.get(at..edit.range.start).unwrap_or_default());
        out.push_str(&edit.text);
        at = at.max(edit.range.end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// Gives an assignment another value. Words that both values have stay as they are written.
///
/// # Errors
/// [`Unwritable::Word`].
pub fn replace(tree: &Tree, id: StatementId, value: &Literal) -> Result<Vec<Edit>, Unwritable> {
    let Some(statement) = tree.get(id) else { return Ok(Vec::new()) };
    let Kind::Assign(old) = statement.kind else { return Ok(Vec::new()) };
    let within = match (old, value) {
        (Value::Scalar(word), Literal::Scalar(new)) => Some(alloc::vec![reword(tree, word, new)?]),
        (Value::Array(words), Literal::Array(new)) => {
            let old: Vec<_> = tree.words(words).iter().map(|word| Group::word(tree, *word)).collect();
            list(tree, &old, &new.iter().map(|word| (None, word.as_str())).collect::<Vec<_>>())?
        }
        (Value::Dictionary(words), Literal::Dictionary(new)) => {
            let old: Vec<_> = tree.pairs(words).map(|(key, word)| Group::pair(tree, key, word)).collect();
            let new: Vec<_> = new.iter().map(|(key, word)| (Some(key.as_str()), word.as_str())).collect();
            list(tree, &old, &new)?
        }
        _ => None,
    };
    if let Some(edits) = within {
        return Ok(edits);
    }
    let range = statement.name.end as usize..statement.end as usize;
    let text = format!(" = {}", draft::print_value(value)?);
    Ok(alloc::vec![apart(tree.text(), range, &text)])
}

/// Adds a statement at the end of a scope's body, or of the file.
///
/// # Errors
/// [`Unwritable`].
pub fn append(tree: &Tree, scope: Option<StatementId>, item: &Item) -> Result<Edit, Unwritable> {
    let text = tree.text();
    let unit = unit(tree);
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let print = |base: &str| draft::print_with(core::slice::from_ref(item), Indent { base, unit, newline });
    let Some((id, statement)) = scope.and_then(|id| Some((id, tree.get(id)?))) else {
        let base = last_indent(text, tree.top()).unwrap_or_default();
        let head = if text.is_empty() || text.ends_with('\n') { "" } else { newline };
        return Ok(Edit { range: text.len()..text.len(), text: format!("{head}{}", print(base)?) });
    };
    let close = (statement.end as usize).saturating_sub(1);
    if let Some(outer) = indent_at(text, close) {
        let deeper = format!("{outer}{unit}");
        let base = last_indent(text, tree.body(id)).unwrap_or(&deeper);
        let line = close - outer.len();
        return Ok(Edit { range: line..line, text: print(base)? });
    }
    let before = text.get(..close).unwrap_or_default();
    let from = before.trim_end_matches([' ', '\t']).len();
    Ok(Edit { range: from..close, text: format!(" {} ", draft::print_inline(item)?) })
}

/// Takes a statement away, with its line and the comment behind it when nothing else stands on that line.
pub fn remove(tree: &Tree, statement: &Statement) -> Edit {
    without(tree.text(), statement.start as usize..statement.end as usize)
}

fn without(text: &str, Range { start, end }: Range<usize>) -> Edit {
    let after = text.get(end..).unwrap_or_default();
    let line = after.find('\n').map_or(after.len(), |at| at + 1);
    let rest = after.get(..line).unwrap_or_default();
    let alone = rest.trim().is_empty() || is_comment(rest.trim());
    match indent_at(text, start) {
        Some(indent) if alone => Edit { range: start - indent.len()..end + line, text: String::new() },
        None if alone => {
            let before = text.get(..start).unwrap_or_default();
            apart(text, before.trim_end_matches([' ', '\t']).len()..end, "")
        }
        _ => {
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            apart(text, start..end + blanks, "")
        }
    }
}

/// An element of an array, or a pair of a dictionary.
struct Group {
    start: usize,
    end: usize,
    key: Option<String>,
    word: Word,
    said: String,
}

impl Group {
    fn word(tree: &Tree, word: Word) -> Self {
        let Range { start, end } = word.range();
        Self { start, end, key: None, word, said: tree.say(word).into_owned() }
    }

    fn pair(tree: &Tree, key: Word, word: Word) -> Self {
        Self { start: key.range().start, key: Some(tree.say(key).into_owned()), ..Self::word(tree, word) }
    }

    fn is(&self, (key, word): (Option<&str>, &str)) -> bool {
        self.key.as_deref() == key && self.said == word
    }
}

/// Returns the edits that turn one list into another; `None` when nothing of it can stay.
fn list(tree: &Tree, old: &[Group], new: &[(Option<&str>, &str)]) -> Result<Option<Vec<Edit>>, Unwritable> {
    let same_keys =
        old.len() == new.len() && old.iter().zip(new).all(|(group, (key, _))| group.key.as_deref() == *key);
    if same_keys {
        let changed = old.iter().zip(new).filter(|(group, new)| !group.is(**new));
        return changed
            .map(|(group, (_, word))| reword(tree, group.word, word))
            .collect::<Result<_, _>>()
            .map(Some);
    }
    if let Some(edits) = by_key(tree, old, new)? {
        return Ok(Some(edits));
    }
    let head = old.iter().zip(new).take_while(|(group, new)| group.is(**new)).count();
    let (old_rest, new_rest) = (old.get(head..).unwrap_or_default(), new.get(head..).unwrap_or_default());
    let tail =
        old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(group, new)| group.is(**new)).count();
    let gone = old_rest.get(..old_rest.len() - tail).unwrap_or_default();
    let come = new_rest.get(..new_rest.len() - tail).unwrap_or_default();
    let (before, behind) = (head.checked_sub(1).and_then(|at| old.get(at)), old_rest.get(gone.len()));
    let between = separator(tree, old);
    let written = write_all(come, old, &between)?;
    let text: &str = tree.text();
    Ok(match (gone.first(), gone.last(), before, behind) {
        (Some(first), Some(last), ..) if come.is_empty() => {
            let rest = text.get(last.end..).unwrap_or_default();
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            Some(alloc::vec![apart(text, first.start..last.end + blanks, "")])
        }
        (Some(first), Some(last), ..) => Some(alloc::vec![apart(text, first.start..last.end, &written)]),
        (_, _, Some(before), _) => {
            let at =
                behind_comment(text, before.end).filter(|_| between.contains('\n')).unwrap_or(before.end);
            Some(alloc::vec![apart(text, at..at, &format!("{between}{written}"))])
        }
        (_, _, None, Some(behind)) => {
            Some(alloc::vec![apart(text, behind.start..behind.start, &format!("{written}{between}"))])
        }
        (_, _, None, None) => None,
    })
}

/// Returns the edits for a dictionary whose pairs that stay keep their order, with the new ones behind them: each pair
/// keeps its place, and whoever goes takes its line along.
fn by_key(tree: &Tree, old: &[Group], new: &[(Option<&str>, &str)]) -> Result<Option<Vec<Edit>>, Unwritable> {
    let stays = |group: &&Group| new.iter().any(|(key, _)| key.is_some() && group.key.as_deref() == *key);
    let was = |(key, _): &(Option<&str>, &str)| old.iter().any(|group| group.key.as_deref() == *key);
    let stay: Vec<_> = old.iter().filter(stays).collect();
    let come = new.get(stay.len()..).unwrap_or_default();
    let in_place = stay.iter().zip(new).all(|(group, (key, _))| group.key.as_deref() == *key);
    let Some(last) = stay.last().filter(|_| in_place && !come.iter().any(was)) else {
        return Ok(None);
    };
    let text: &str = tree.text();
    let mut edits = Vec::new();
    for group in old.iter().filter(|group| !stays(group)) {
        edits.push(without(text, group.start..group.end));
    }
    for (group, (_, word)) in stay.iter().zip(new).filter(|(group, new)| !group.is(**new)) {
        edits.push(reword(tree, group.word, word)?);
    }
    if !come.is_empty() {
        let between = separator(tree, old);
        let at = behind_comment(text, last.end).filter(|_| between.contains('\n')).unwrap_or(last.end);
        let written = write_all(come, old, &between)?;
        edits.push(apart(text, at..at, &format!("{between}{written}")));
    }
    Ok(Some(edits))
}

/// Returns elements as text, in the quotes that the old ones have.
fn write_all(new: &[(Option<&str>, &str)], old: &[Group], between: &str) -> Result<String, Unwritable> {
    let like = old.first().map_or(Quote::Bare, |group| group.word.quote);
    let write = |(key, word): &(Option<&str>, &str)| {
        let word = draft::quote_like(word, like)?;
        match key {
            Some(key) => Ok(format!("{} = {word}", draft::quote(key)?)),
            None => Ok(word.into_owned()),
        }
    };
    Ok(new.iter().map(write).collect::<Result<Vec<_>, _>>()?.join(between))
}

/// Returns what parts the last two elements: their blanks, or a line end and the last one's indentation.
fn separator(tree: &Tree, groups: &[Group]) -> String {
    let text: &str = tree.text();
    let between = groups.last_chunk::<2>().and_then(|[one, two]| text.get(one.end..two.start));
    let usual = if groups.iter().any(|group| group.key.is_some()) { "  " } else { " " };
    let line_end = |between: &str| {
        let at = between.rfind('\n')?;
        between.get(at..).filter(|rest| rest.trim().is_empty()).map(String::from)
    };
    match between {
        Some(blanks) if !blanks.is_empty() && blanks.trim().is_empty() => blanks.into(),
        Some(between) => line_end(between).unwrap_or_else(|| usual.into()),
        None => usual.into(),
    }
}

fn reword(tree: &Tree, word: Word, new: &str) -> Result<Edit, Unwritable> {
    let text = draft::quote_like(new, word.quote)?.into_owned();
    Ok(apart(tree.text(), word.range(), &text))
}

/// Returns the edit, with a blank wherever two words would become one.
fn apart(text: &str, range: Range<usize>, new: &str) -> Edit {
    let bare = |byte: Option<&u8>| byte.is_some_and(|byte| !ends_bare(*byte));
    let bytes = text.as_bytes();
    let before = range.start.checked_sub(1).and_then(|at| bytes.get(at));
    let behind = bytes.get(range.end);
    let glued_before = bare(before) && bare(new.as_bytes().first().or(behind));
    let glued_behind = !new.is_empty() && bare(new.as_bytes().last()) && bare(behind);
    let (left, right) = (if glued_before { " " } else { "" }, if glued_behind { " " } else { "" });
    Edit { range, text: format!("{left}{new}{right}") }
}

/// Returns whether the rest of a line is one comment.
fn is_comment(rest: &str) -> bool {
    rest.starts_with('#')
        || rest.strip_prefix("/*").and_then(|body| body.split_once("*/")).is_some_and(|(_, after)| {
            let after = after.trim();
            after.is_empty() || after.starts_with('#')
        })
}

/// Returns the end of the line, if the rest of it is one comment.
fn behind_comment(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?.lines().next()?;
    is_comment(rest.trim()).then_some(at + rest.len())
}

/// Returns the blanks before `at`, if nothing else stands before it on its line.
fn indent_at(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?;
    let line = before.get(before.rfind('\n').map_or(0, |at| at + 1)..)?;
    line.bytes().all(|byte| matches!(byte, b' ' | b'\t')).then_some(line)
}

/// Returns the indentation of the last statement that begins a line.
fn last_indent<'a>(
    text: &'a str,
    body: impl Iterator<Item = (StatementId, &'a Statement)>,
) -> Option<&'a str> {
    body.filter_map(|(_, statement)| indent_at(text, statement.start as usize)).last()
}

/// Returns by how much this file indents a scope's body: as its first indented statement, or two blanks.
fn unit(tree: &Tree) -> &str {
    let text: &str = tree.text();
    let steps = tree.all().filter_map(|(id, scope)| {
        let outer = indent_at(text, scope.start as usize)?;
        let (_, first) = tree.body(id).next()?;
        indent_at(text, first.start as usize)?.strip_prefix(outer)
    });
    steps.take(LOOKED_AT_MAX).find(|step| !step.is_empty()).unwrap_or("  ")
}

/// chosen: one scope in a hundred that is indented will do.
const LOOKED_AT_MAX: usize = 100;

#[cfg(test)]
mod tests;

//! Files of 100 to 400 lines of code, functions that fit a screen; old exceptions in `ratchet.txt` only shrink.
use crate::{
    scan::{Source, closing, line_of, words},
    tree::{File, Tree},
};

/// No file is longer, counting everything. House style, rule 1.
const FILE_LINES_WALL: usize = 800;
/// Lines that hold code, above which a file needs an entry in the ratchet. House style, rule 1.
const FILE_CODE_LINES: usize = 400;
/// Lines of a function, signature and braces included. House style, rule 3.
const FUNCTION_LINES: usize = 70;
/// The exceptions.
const RATCHET: &str = "tests/tests/tidy/ratchet.txt";

/// One exception: `file LINES PATH REASON...` or `function LINES PATH::NAME REASON...`.
#[derive(Debug, PartialEq)]
struct Exception<'a> {
    kind: &'a str,
    lines: usize,
    place: &'a str,
}

/// One thing that is longer than it should be.
#[derive(Debug, PartialEq)]
struct Long {
    kind: &'static str,
    lines: usize,
    place: String,
}

fn no_file_passes_the_wall(tree: &Tree) -> Vec<String> {
    tree.rust()
        .map(|file| (file, file.text.lines().count()))
        .filter(|&(_, lines)| lines > FILE_LINES_WALL)
        .map(|(file, lines)| format!("{}: {lines} lines, the wall is {FILE_LINES_WALL}; split it", file.path))
        .collect()
}

fn the_ratchet_names_what_is_long_and_nothing_else(tree: &Tree) -> Vec<String> {
    let text = tree.file(RATCHET).map_or("", |file| &file.text);
    let (exceptions, mut complaints) = parse(text);
    let long: Vec<_> = tree.rust().flat_map(long_places).collect();
    for Long { kind, lines, place } in &long {
        let limit = if *kind == "file" { FILE_CODE_LINES } else { FUNCTION_LINES };
        match exceptions.iter().find(|exception| exception.kind == *kind && exception.place == place) {
            None => complaints.push(format!(
                "{place}: {kind} of {lines} lines, the limit is {limit}; split it, or add it to {RATCHET} with a reason"
            )),
            Some(exception) if exception.lines < *lines => complaints.push(format!(
                "{place}: {kind} grew to {lines} lines, {RATCHET} says {}; the list only shrinks",
                exception.lines
            )),
            Some(_) => {}
        }
    }
    for exception in &exceptions {
        if !long.iter().any(|long| long.kind == exception.kind && long.place == exception.place) {
            complaints
                .push(format!("{}: no longer too long; take its line out of {RATCHET}", exception.place));
        }
    }
    complaints
}

/// Reads the ratchet: its exceptions, and complaints about lines that are none.
fn parse(text: &str) -> (Vec<Exception<'_>>, Vec<String>) {
    let mut exceptions = Vec::new();
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut words = line.split_whitespace();
        let (kind, lines, place, reason) = (words.next(), words.next(), words.next(), words.next());
        match (kind, lines.and_then(|lines| lines.parse().ok()), place, reason) {
            (None, ..) => {}
            (Some(kind), ..) if kind.starts_with('#') => {}
            (Some(kind @ ("file" | "function")), Some(lines), Some(place), Some(_)) => {
                exceptions.push(Exception { kind, lines, place });
            }
            _ => complaints.push(format!("{RATCHET}:{}: not `file|function LINES PLACE REASON`", index + 1)),
        }
    }
    (exceptions, complaints)
}

/// The file itself and its functions, as far as they are too long.
fn long_places(file: &File) -> Vec<Long> {
    let code = Source::of(&file.text).code;
    let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
    let itself = Long { kind: "file", lines, place: file.path.clone() };
    let functions = functions(&code).into_iter().map(|(name, lines)| Long {
        kind: "function",
        lines,
        place: format!("{}::{name}", file.path),
    });
    let functions = functions.filter(|function| function.lines > FUNCTION_LINES);
    (lines > FILE_CODE_LINES).then_some(itself).into_iter().chain(functions).collect()
}

/// Name and length of every function with a body.
fn functions(code: &str) -> Vec<(String, usize)> {
    words(code, "fn")
        .filter_map(|at| {
            let rest = code[at + "fn".len()..].trim_start();
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let open = body(code, at)?;
            let end = closing(code, open);
            (!name.is_empty()).then(|| (name, line_of(code, end) - line_of(code, at) + 1))
        })
        .collect()
}

/// Where the body of the function at `at` opens; `None` for a declaration or a function type.
fn body(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (position, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' if depth == 0 => return None,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(position),
            b';' | b',' | b'=' if depth == 0 => {
                // `where F: Fn() -> X,` and `Item = X` may stand between the name and the body.
                let bounded = code[at..position].contains("where") || byte == b'=' || byte == b',';
                if byte == b';' || !bounded {
                    return None;
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clean, complains};
    use std::fmt::Write as _;

    fn long_function(lines: usize) -> String {
        let mut text = String::from("fn long(a: [u8; 4]) -> impl Fn(u8)\nwhere\n    X: Y,\n{\n");
        for _ in 0..lines - 5 {
            writeln!(text, "    f(); // {{").expect("a string can be written to");
        }
        text.push_str("}\ntrait T { fn declared(&self) -> u8; }\n");
        text
    }

    #[test]
    fn no_source_file_is_longer_than_800_lines() {
        clean(no_file_passes_the_wall);
        complains(
            no_file_passes_the_wall,
            &[("a.rs", &"\n".repeat(801)), ("b.rs", &"\n".repeat(800))],
            &["a.rs: 801"],
        );
    }

    #[test]
    fn long_files_and_functions_are_listed_and_the_list_only_shrinks() {
        clean(the_ratchet_names_what_is_long_and_nothing_else);
        let rule = the_ratchet_names_what_is_long_and_nothing_else;
        complains(rule, &[("a.rs", &long_function(70)), ("b.rs", &"// x\n".repeat(700))], &[]);
        complains(rule, &[("a.rs", &long_function(71))], &["a.rs::long: function of 71 lines"]);
        complains(rule, &[("a.rs", &"use x;\n".repeat(401))], &["a.rs: file of 401 lines"]);
        let listed = (RATCHET, "# why\nfunction 75 a.rs::long one reason\n");
        complains(rule, &[("a.rs", &long_function(75)), listed], &[]);
        complains(rule, &[("a.rs", &long_function(76)), listed], &["a.rs::long: function grew to 76"]);
        complains(rule, &[("a.rs", &long_function(70)), listed], &["a.rs::long: no longer"]);
        complains(rule, &[(RATCHET, "function 75 a.rs::long\n")], &["tests/tests/tidy/ratchet.txt:1: not"]);
    }
}

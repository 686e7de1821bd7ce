//! Rules of all text: headers, endings, scripts that can be run, nothing that belongs to one machine.
use crate::{
    scan::{Source, line_of},
    tree::{File, Tree},
};

/// Beginnings of paths that exist on somebody's machine only. Built from halves, or this file would name them.
const MACHINE: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/tmp/tar", "get")];

/// Every source file says what it is for.
fn sources_have_a_header(tree: &Tree) -> Vec<String> {
    tree.rust()
        .filter(|file| !file.text.lines().next().is_some_and(|line| line.starts_with("//! ")))
        .map(|file| format!("{}: does not begin with `//! ` and what it is for", file.path))
        .collect()
}

/// Names are ASCII. The compiler's own lint also sees what derives make up, so it cannot be used.
fn names_are_ascii(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.rust() {
        let code = Source::of(&file.text).code;
        if let Some(at) = code.find(|c: char| !c.is_ascii()) {
            complaints.push(format!("{}:{}: a name is not ASCII", file.path, line_of(&code, at)));
        }
    }
    complaints
}

/// Lines end in a single line feed and nothing before it.
fn lines_end_cleanly(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| !is_generated(file)) {
        // Two spaces at the end of a line mean a line break in Markdown.
        let markdown = file.has_extension("md");
        let dirty = |line: &str| line.ends_with(['\r', '\t']) || (!markdown && line.ends_with(' '));
        let lines = file.text.split('\n').enumerate().filter(|(_, line)| dirty(line));
        complaints
            .extend(lines.map(|(index, _)| format!("{}:{}: ends in white space", file.path, index + 1)));
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            complaints.push(format!("{}: the last line has no end", file.path));
        }
    }
    complaints
}

/// Files of `script/` can be run; what they source lies in `script/lib/` and cannot.
fn scripts_can_be_run(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| matches!(file.dir(), "script" | ".ci")) {
        if !file.text.starts_with("#!/usr/bin/env bash\n") {
            complaints.push(format!("{}: does not begin with `#!/usr/bin/env bash`", file.path));
        }
        if !file.executable {
            complaints.push(format!("{}: is not executable (chmod +x)", file.path));
        }
    }
    for file in tree.files.iter().filter(|file| file.dir() == "script/lib") {
        if file.executable || file.text.starts_with("#!") {
            complaints.push(format!("{}: is sourced, not run; no `#!`, not executable", file.path));
        }
    }
    complaints
}

/// No path of one machine.
fn no_path_of_one_machine(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| !is_generated(file)) {
        for (index, line) in file.text.lines().enumerate() {
            let named =
                MACHINE.iter().find(|path| line.match_indices(**path).any(|(at, _)| begins_at(line, at)));
            if let Some(path) = named {
                complaints.push(format!("{}:{}: names {path}, a path of one machine", file.path, index + 1));
            }
        }
    }
    complaints
}

/// Whether a path begins at `at`, and does not merely go on there.
fn begins_at(line: &str, at: usize) -> bool {
    !line[..at]
        .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '~' | '}' | '*'))
}

/// Lock files are written by tools.
fn is_generated(file: &File) -> bool {
    file.path.ends_with("Cargo.lock")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clean, complains};

    #[test]
    fn every_source_file_begins_with_its_purpose() {
        clean(sources_have_a_header);
        complains(
            sources_have_a_header,
            &[("a.rs", "//! A.\n"), ("b.rs", "use x;\n//! B.\n"), ("c.rs", "//!\n"), ("d.md", "")],
            &["b.rs:", "c.rs:"],
        );
    }

    #[test]
    fn names_in_the_code_are_ascii() {
        clean(names_are_ascii);
        complains(
            names_are_ascii,
            &[("a.rs", "// \u{e9}\nlet x = \"\u{e9}\";\nlet caf\u{e9} = 1;\n")],
            &["a.rs:3:"],
        );
    }

    #[test]
    fn lines_end_in_one_line_feed() {
        clean(lines_end_cleanly);
        complains(
            lines_end_cleanly,
            &[("a.rs", "a \nb\r\nc"), ("b.md", "a  \n"), ("empty", "")],
            &["a.rs:1:", "a.rs:2:", "a.rs: the last"],
        );
    }

    #[test]
    fn scripts_are_executable_and_libraries_are_not() {
        clean(scripts_can_be_run);
        let bash = "#!/usr/bin/env bash\n";
        complains(
            scripts_can_be_run,
            &[
                ("script/good", bash),
                ("script/bad", "echo\n"),
                ("script/lib/good.sh", "x=1\n"),
                ("script/lib/bad.sh", bash),
            ],
            &["script/bad: does not begin", "script/bad: is not executable", "script/lib/bad.sh: is sourced"],
        );
    }

    #[test]
    fn no_file_names_a_path_of_one_machine() {
        clean(no_path_of_one_machine);
        let text = format!("x\ncd {}x\n/my{}x ~{}x\n", MACHINE[0], MACHINE[1], MACHINE[2]);
        complains(no_path_of_one_machine, &[("a.sh", &text), ("Cargo.lock", &text)], &["a.sh:2: names"]);
    }
}

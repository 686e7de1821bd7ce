//! Which floor may name which: the edges of docs/ARCHITECTURE.md that crates alone do not enforce.
use crate::{
    scan::{Source, line_of, words},
    tree::Tree,
};

/// Where a file belongs, and the beginnings of paths that it must not name, in the order of the floors.
const EDGES: [(&str, &[&str]); 4] = [
    (
        "agent/core/src",
        &["std", "aya", "libc", "rustix", "tokio", "tokio_uring", "tracing", "anyhow", "convoy_agent", "lab"],
    ),
    ("agent/src/sys", &["convoy_core", "crate::host", "crate::daemon", "crate::settings"]),
    ("agent/src/host", &["crate::daemon", "crate::settings"]),
    ("agent/src/daemon", &["crate::settings"]),
];

/// No floor names a higher one; `sys` and `core` do not know each other. Tests of a module may.
fn floors_name_lower_floors_only(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        let Some((floor, forbidden)) = EDGES.iter().find(|(floor, _)| is_within(&file.path, floor)) else {
            continue;
        };
        let code = Source::of(&file.text).code_without_tests();
        let mut named: Vec<_> = named_paths(&code)
            .into_iter()
            .filter_map(|(at, path)| {
                let begins = |edge: &&&str| path == **edge || path.starts_with(&format!("{edge}::"));
                forbidden.iter().find(begins).map(|edge| (line_of(&code, at), *edge))
            })
            .collect();
        named.dedup();
        complaints.extend(
            named.into_iter().map(|(line, edge)| {
                format!("{}:{line}: names {edge}, which is not below {floor}", file.path)
            }),
        );
    }
    complaints
}

/// The core cannot reach an operating system even by accident.
fn core_is_pure(tree: &Tree) -> Vec<String> {
    const ROOT: &str = "agent/core/src/lib.rs";
    let Some(file) = tree.file(ROOT) else {
        return vec![format!("{ROOT}: there is none")];
    };
    let code = Source::of(&file.text).code;
    ["#![no_std]", "#![forbid(unsafe_code)]"]
        .iter()
        .filter(|attribute| !code.contains(**attribute))
        .map(|attribute| format!("{ROOT}: lacks `{attribute}`"))
        .collect()
}

/// Whether `path` is the module `floor.rs` or anything below the directory `floor`.
fn is_within(path: &str, floor: &str) -> bool {
    path.strip_prefix(floor).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// Every path that the code names, with its offset; the groups of `use` are expanded.
fn named_paths(code: &str) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    let mut covered = Vec::new();
    for at in words(code, "use") {
        let end = code[at..].find(';').map_or(code.len(), |length| at + length);
        expand(&code[at + "use".len()..end], "", at, &mut paths);
        covered.push(at..end);
    }
    for at in words(code, "crate").chain(words(code, "extern crate")) {
        paths.push((at, name_at(code, at)));
    }
    // Heads of paths in expressions and types: `std::fs::read`, `tokio::spawn`.
    for (at, _) in code.match_indices("::") {
        let head =
            code[..at].rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |before| before + 1);
        let is_head = !code[..head].trim_end().ends_with("::");
        if is_head && head < at && !covered.iter().any(|range| range.contains(&at)) {
            paths.push((head, name_at(code, head)));
        }
    }
    paths.sort();
    paths
}

/// The path that begins at `at`, without spaces; `extern crate x` is the path `x`.
fn name_at(code: &str, at: usize) -> String {
    let rest = code[at..].trim_start_matches("extern crate ");
    rest.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':')).collect()
}

/// Expands `a::{b, c::d as e}` to `a::b` and `a::c::d`.
fn expand(tree: &str, prefix: &str, at: usize, paths: &mut Vec<(usize, String)>) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let name = tree.split(" as ").next().unwrap_or_default().trim();
        paths.push((at, format!("{prefix}{}", name.trim_start_matches("::"))));
        return;
    };
    let prefix = format!("{prefix}{}", tree[..open].trim().trim_start_matches("::"));
    let inner = tree[open + 1..].strip_suffix('}').unwrap_or(&tree[open + 1..]);
    let (mut depth, mut from) = (0_usize, 0);
    for (position, byte) in inner.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                expand(&inner[from..position], &prefix, at, paths);
                from = position + 1;
            }
            _ => {}
        }
    }
    if !inner[from..].trim().is_empty() {
        expand(&inner[from..], &prefix, at, paths);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clean, complains};

    #[test]
    fn no_floor_names_a_higher_one() {
        clean(floors_name_lower_floors_only);
        complains(
            floors_name_lower_floors_only,
            &[
                ("agent/core/src/a.rs", "use core::fmt;\nuse std::fmt;\nfn f() { tokio::spawn(); }"),
                ("agent/core/src/a/tests.rs", "use std::fmt;"),
                (
                    "agent/core/src/b.rs",
                    "// std::fs\nfn f() { my::std::g() }\n#[cfg(test)]\nmod tests { use std::fs; }",
                ),
                ("agent/src/daemon.rs", "use crate::{host::X, settings::{Y, Z}};"),
                ("agent/src/host/mesh.rs", "use crate::{\n    sys::a,\n    daemon,\n};"),
                ("agent/src/hostile.rs", "use crate::settings::X;"),
                ("agent/src/sys.rs", "fn f(x: crate::host::X, y: convoy_core::Y) {}"),
            ],
            &[
                "agent/core/src/a.rs:2: names std",
                "agent/core/src/a.rs:3: names tokio",
                "agent/src/daemon.rs:1: names crate::settings",
                "agent/src/host/mesh.rs:1: names crate::daemon",
                "agent/src/sys.rs:1: names crate::host",
                "agent/src/sys.rs:1: names convoy_core",
            ],
        );
    }

    #[test]
    fn the_core_has_no_std_and_no_unsafe() {
        clean(core_is_pure);
        complains(
            core_is_pure,
            &[("agent/core/src/lib.rs", "// #![no_std]\n#![forbid(unsafe_code)]")],
            &["agent/core/src/lib.rs: lacks `#![no_std]`"],
        );
    }

    #[test]
    fn groups_of_use_are_expanded() {
        let mut paths = Vec::new();
        expand("a::{b, c::{d, e}, f as g}", "", 0, &mut paths);
        let names: Vec<_> = paths.into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["a::b", "a::c::d", "a::c::e", "a::f"]);
    }
}

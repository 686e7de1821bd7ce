//! Every source file is compiled: a module that nobody names would rot unseen, and so would its tests.
use crate::{
    scan::{Source, words},
    tree::{File, Tree},
};

/// File names that begin a crate.
const ROOTS: [&str; 3] = ["lib.rs", "main.rs", "build.rs"];

fn every_module_is_named_by_its_parent(tree: &Tree) -> Vec<String> {
    tree.rust()
        .filter(|file| !is_root(tree, &file.path))
        .filter(|file| {
            !parents(&file.path).iter().filter_map(|path| tree.file(path)).any(|parent| names(parent, file))
        })
        .map(|file| format!("{}: no module names it; add `mod`, or take the file out", file.path))
        .collect()
}

/// Whether cargo begins a crate at this path.
fn is_root(tree: &Tree, path: &str) -> bool {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    // `src/bin/x.rs`, `tests/x.rs`, `benches/x.rs`, `examples/x.rs` of a package, and fuzz targets.
    let package =
        |kind: &str| dir.strip_suffix(kind).is_some_and(|rest| tree.holds(&format!("{rest}Cargo.toml")));
    ROOTS.contains(&name)
        || ["src/bin", "tests", "benches", "examples", "fuzz_targets"].iter().any(|kind| package(kind))
}

/// Files that may declare the module at `path`.
fn parents(path: &str) -> Vec<String> {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    // The module `a/mod.rs` is declared where `a.rs` would be.
    let dir = if name == "mod.rs" { dir.rsplit_once('/').map_or("", |(dir, _)| dir) } else { dir };
    ["lib.rs", "main.rs", "mod.rs"]
        .iter()
        .map(|root| format!("{dir}/{root}"))
        .chain([format!("{dir}.rs")])
        .collect()
}

/// Whether `parent` declares the module of `file`.
fn names(parent: &File, file: &File) -> bool {
    let stem = file.path.trim_end_matches("/mod.rs").trim_end_matches(".rs");
    let module = stem.rsplit('/').next().unwrap_or(stem);
    let code = Source::of(&parent.text).code;
    words(&code, "mod").any(|at| {
        let rest = code[at + "mod".len()..].trim_start();
        rest.strip_prefix(module).is_some_and(|rest| rest.trim_start().starts_with(';'))
    })
}

#[test]
fn every_source_file_is_compiled() {
    crate::clean(every_module_is_named_by_its_parent);
    crate::complains(
        every_module_is_named_by_its_parent,
        &[
            ("agent/Cargo.toml", ""),
            ("agent/src/lib.rs", "pub mod host;\n// mod lost;\nmod strayed_far;"),
            ("agent/src/host.rs", "mod mesh;\n#[cfg(test)]\nmod tests;"),
            ("agent/src/host/mesh.rs", ""),
            ("agent/src/host/tests.rs", ""),
            ("agent/src/lost.rs", ""),
            ("agent/src/stray.rs", ""),
            ("agent/src/bin/convoy.rs", ""),
            ("agent/tests/cli.rs", ""),
            ("agent/tests/sim/main.rs", "mod net;"),
            ("agent/tests/sim/net.rs", ""),
            ("agent/tests/sim/disk.rs", ""),
        ],
        &["agent/src/lost.rs:", "agent/src/stray.rs:", "agent/tests/sim/disk.rs:"],
    );
}

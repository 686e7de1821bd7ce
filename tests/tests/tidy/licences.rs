//! Every dependency's licence is one that deny.toml allows. `cargo deny` says the same where it is installed;
//! this needs nothing but cargo, so it holds everywhere the tests run.
use crate::{manifests::list, tree::Tree};
use serde_json::Value;
use std::process::Command;

/// Allowed licences, as deny.toml lists them.
fn allowed(tree: &Tree) -> Vec<String> {
    tree.file("deny.toml").map_or_else(Vec::new, |file| list(&file.text, "allow"))
}

/// Whether a package under `expression` may be used when these licences are allowed.
///
/// Knows `OR`, `AND`, `WITH`, parentheses, and the slash that old manifests write for `OR`.
fn permits(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let joined = spaced.replace(" WITH ", "~");
    let words: Vec<_> = joined.split_whitespace().collect();
    let mut rest = words.as_slice();
    any(&mut rest, allowed) && rest.is_empty()
}

fn any(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut good = all(rest, allowed);
    while let ["OR", tail @ ..] = *rest {
        *rest = tail;
        good |= all(rest, allowed);
    }
    good
}

fn all(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut good = one(rest, allowed);
    while let ["AND", tail @ ..] = *rest {
        *rest = tail;
        good &= one(rest, allowed);
    }
    good
}

fn one(rest: &mut &[&str], allowed: &[String]) -> bool {
    let [word, tail @ ..] = *rest else { return false };
    *rest = tail;
    if *word != "(" {
        let licence = word.replace('~', " WITH ");
        return allowed.contains(&licence);
    }
    let good = any(rest, allowed);
    match *rest {
        [")", tail @ ..] => {
            *rest = tail;
            good
        }
        _ => false,
    }
}

/// Name and licence of every package that a build for this machine can need.
fn packages() -> Vec<(String, String)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1"])
        .args(["--filter-platform", &format!("{}-unknown-linux-gnu", std::env::consts::ARCH)])
        .current_dir(crate::tree::root())
        .output()
        .expect("cargo ran this test, so it can be run");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let text = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().expect("metadata lists packages");
    packages.iter().map(|package| (text(package, "name"), text(package, "license"))).collect()
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let allowed = allowed(&Tree::of_repository());
    let packages = packages();
    assert!(!allowed.is_empty(), "deny.toml allows no licence");
    assert!(packages.len() > 20, "cargo metadata lists only {packages:?}");
    let refused: Vec<_> = packages.iter().filter(|(_, licence)| !permits(licence, &allowed)).collect();
    assert!(refused.is_empty(), "not allowed by deny.toml: {refused:?}");
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = ["MIT", "Apache-2.0", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    let check = |expression: &str, expected: bool| {
        assert_eq!(permits(expression, &allowed), expected, "{expression}");
    };
    check("MIT", true);
    check("GPL-2.0-only", false);
    check("", false);
    check("GPL-2.0-only OR MIT", true);
    check("Apache-2.0/GPL-2.0", true);
    check("MIT AND GPL-2.0-only", false);
    check("(MIT OR GPL-2.0-only) AND Unicode-3.0", true);
    check("(MIT AND Unicode-3.0", false);
    check("Apache-2.0 WITH LLVM-exception", true);
    check("MIT WITH LLVM-exception", false);
}

//! `unsafe` has three homes; anywhere else only tests and benchmarks may, each with a written reason.
use crate::{
    scan::{Source, line_of, words},
    tree::Tree,
};

/// Where `unsafe` lives.
const HOMES: [&str; 4] = ["agent/src/sys.rs", "agent/src/sys/", "common/", "ebpf/"];
/// Where it is tolerated with `#[expect(unsafe_code, reason = "...")]`.
const TOLERATED: [&str; 2] = ["tests/", "benches/"];

fn unsafe_stays_at_home(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.rust().filter(|file| !HOMES.iter().any(|home| file.path.starts_with(home))) {
        let code = Source::of(&file.text).code;
        let tolerated = TOLERATED.iter().any(|place| file.path.starts_with(place));
        if tolerated && code.contains("expect(unsafe_code, reason = ") {
            continue;
        }
        let remedy = if tolerated {
            "needs `#[expect(unsafe_code, reason = \"...\")]`"
        } else {
            "belongs in agent/src/sys, behind a safe function"
        };
        complaints.extend(
            words(&code, "unsafe").map(|at| format!("{}:{}: unsafe {remedy}", file.path, line_of(&code, at))),
        );
    }
    complaints
}

#[test]
fn unsafe_is_in_sys_common_and_ebpf_only() {
    crate::clean(unsafe_stays_at_home);
    crate::complains(
        unsafe_stays_at_home,
        &[
            ("agent/src/host.rs", "// unsafe\nfn f() { unsafe { g() } }"),
            ("agent/src/sys/fd.rs", "fn f() { unsafe { g() } }"),
            ("agent/src/sys.rs", "fn f() { unsafe { g() } }"),
            ("benches/src/a.rs", "#![expect(unsafe_code, reason = \"x\")]\nfn f() { unsafe { g() } }"),
            ("tests/src/a.rs", "fn f() { unsafe { g() } }"),
        ],
        &["agent/src/host.rs:2: unsafe belongs", "tests/src/a.rs:1: unsafe needs"],
    );
}

//! The table of docs/console.md is the one the console has.
//!
//! After a change that is meant: `CONVOY_WRITE=1 cargo test -p convoy-core --test console_page`.
use std::{env, fs, path::Path};

#[test]
fn the_page_has_every_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/console.md");
    let text = fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once("--test console_page -->\n\n").unwrap();
    let (_, tail) = rest.split_once("<!-- end -->").unwrap();
    let page = convoy_core::console::page();
    let written = format!("{head}--test console_page -->\n\n{page}\n<!-- end -->{tail}");
    if env::var_os("CONVOY_WRITE").is_some() {
        fs::write(&path, &written).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap() == written, "docs/console.md is not the table's; see above");
}

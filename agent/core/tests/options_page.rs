//! docs/configuration/options.md is what the schema table says.
use std::{env, fs, path::Path};

#[test]
fn the_page_of_options_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration/options.md");
    let page = convoy_core::config::schema::page();
    if env::var_os("CONVOY_WRITE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/configuration/options.md is out of date; run: CONVOY_WRITE=1 cargo test -p convoy-core --test options_page"
    );
}

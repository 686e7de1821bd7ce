//! docs/configuration and dist/man/convoy.conf.5 are what the schema table says. To write them again after a change:
//! `CONVOY_WRITE=1 cargo test -p convoy-core --test options_page`.
#![cfg(test)]
use convoy_core::config::schema;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[track_caller]
fn check(path: &str, text: &str) {
    let place = root().join(path);
    if env::var_os("CONVOY_WRITE").is_some() {
        fs::write(&place, text).unwrap();
    }
    let written = fs::read_to_string(&place).unwrap_or_default();
    assert!(written == text, "{path} is out of date; see the head of this file");
}

#[test]
fn the_pages_of_options_are_up_to_date() {
    let pages = schema::pages();
    for (name, text) in &pages {
        check(&format!("docs/configuration/{name}"), text);
    }
    let strangers =
        fs::read_dir(root().join("docs/configuration")).unwrap().map(|entry| entry.unwrap().path());
    let generated = |path: &PathBuf| fs::read_to_string(path).unwrap().contains("\nGenerated from the ");
    let strangers: Vec<_> = strangers
        .filter(generated)
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !pages.iter().any(|(page, _)| page == name))
        .collect();
    assert_eq!(strangers, Vec::<String>::new(), "pages that nothing generates");
}

#[test]
fn the_manual_page_of_the_files_is_up_to_date() {
    check("dist/man/convoy.conf.5", &schema::manual());
}

//! What is told about a configuration, word by word, in `golden/`. After a change that is meant, look at it and keep it:
//! `CONVOY_WRITE=1 cargo test -p convoy-core --test diagnostics`, then read the difference.
#![cfg(test)]
use convoy_core::config::{
    load::{Found, Missing, Name, Source, load},
    report::{Colour, Layout},
    schema::check,
};
use std::{env, fs, path::Path};

/// The one file there is.
struct One(Vec<u8>);

impl Source for One {
    fn find(&mut self, _including: Option<&Name>, argument: &str) -> Result<Found, Missing> {
        Ok(Found::File(Name { shown: argument.into(), identity: argument.into() }))
    }

    fn read(&mut self, _name: &Name, _bytes_max: usize) -> Result<Vec<u8>, Missing> {
        Ok(self.0.clone())
    }
}

#[track_caller]
fn golden(name: &str) {
    let path = |ending: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.{ending}"))
    };
    let text = fs::read(path("conf")).unwrap();
    let (config, mut diagnostics) = load(&mut One(text), &format!("{name}.conf"));
    check(&config.scopes, &mut diagnostics);
    diagnostics.sort();
    let layout = Layout { files: &config.texts.files, diagnostics: &diagnostics, colour: Colour::Never };
    let told = layout.to_string();
    if env::var_os("CONVOY_WRITE").is_some() {
        fs::write(path("txt"), &told).unwrap();
    }
    let expected = fs::read_to_string(path("txt")).unwrap_or_default();
    assert!(told == expected, "{name} reads\n{told}\ninstead of\n{expected}");
}

#[test]
fn names_that_nobody_has_are_told_with_the_one_that_was_meant() {
    golden("names");
}

#[test]
fn values_that_do_not_fit_are_told_with_what_was_expected() {
    golden("values");
}

#[test]
fn combinations_that_cannot_work_are_told_with_a_remedy() {
    golden("combinations");
}

#[test]
fn addresses_that_nobody_could_agree_on_are_told_with_a_remedy() {
    golden("solo");
}

//! The include rules of reference section 1.7.
use super::*;
use crate::config::memory::{Memory, load_files};
use alloc::{string::ToString as _, vec};
use proptest::prelude::*;

fn codes(diagnostics: &Diagnostics) -> Vec<&'static str> {
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

/// Loads files and returns the value in effect of an outermost option.
fn value(files: &[(&str, &str)], name: &str) -> String {
    let (config, diagnostics) = load_files(files);
    assert_eq!(codes(&diagnostics), Vec::<&str>::new());
    let setting = config.scopes.root().option(name).unwrap();
    config.texts.files.get(setting.place().file).unwrap().text[setting.place().range()].to_string()
}

#[test]
fn an_include_stands_for_the_text_it_names() {
    assert_eq!(value(&[("m", "a = 1 include x"), ("x", "a = 2")], "a"), "2");
    assert_eq!(value(&[("m", "include x a = 1"), ("x", "a = 2")], "a"), "1");
}

#[test]
fn the_including_files_directory_is_searched_first() {
    let files = [("d/m", "include x"), ("d/x", "a = own"), ("global/x", "a = global")];
    assert_eq!(value(&files, "a"), "own");
    assert_eq!(value(&[("d/m", "include x"), ("global/x", "a = global")], "a"), "global");
    let below = [("m", "include e/y"), ("e/y", "include x"), ("e/x", "a = e"), ("x", "a = outer")];
    assert_eq!(value(&below, "a"), "e");
}

#[test]
fn a_directory_gives_its_files_in_lexical_order() {
    let files = [
        ("m", "include d"),
        ("d/10", "a = 10"),
        ("d/2", "a = 2"),
        ("d/.9", "a = hidden"),
        ("d/e/99", "a = 99"),
    ];
    assert_eq!(value(&files, "a"), "2");
}

#[test]
fn includes_work_in_any_scope() {
    let (config, diagnostics) = load_files(&[("m", "s { include x }"), ("x", "a = 1")]);
    assert!(!diagnostics.has_errors());
    assert!(config.scopes.root().option("a").is_none());
    assert!(config.scopes.root().scope("s", None).unwrap().option("a").is_some());
}

#[test]
fn a_missing_file_is_an_error_at_the_include_and_the_rest_is_loaded() {
    let (config, diagnostics) = load_files(&[("m", "a = 1\ninclude nowhere\nb = 2")]);
    assert_eq!(codes(&diagnostics), ["not-found"]);
    let fault = diagnostics.iter().next().unwrap();
    assert_eq!(config.texts.files.position(fault.place.unwrap()).unwrap().line, 2);
    assert!(config.scopes.root().option("b").is_some());
}

#[test]
fn a_missing_main_file_is_an_error_without_a_place() {
    let (_, diagnostics) = load(&mut Memory::default(), "m");
    assert_eq!(codes(&diagnostics), ["not-found"]);
}

#[test]
fn a_file_that_includes_itself_is_refused() {
    let (_, diagnostics) = load_files(&[("m", "include m")]);
    assert_eq!(codes(&diagnostics), ["include-cycle"]);
    let (config, diagnostics) =
        load_files(&[("m", "include x"), ("x", "include y"), ("y", "\n include x a = 1")]);
    assert_eq!(codes(&diagnostics), ["include-cycle"]);
    let place = diagnostics.iter().next().unwrap().place.unwrap();
    let chain: Vec<_> = config.texts.files.chain(place).map(|at| at.file.index()).collect();
    assert_eq!(chain, [1, 0]);
}

#[test]
fn depth_is_bounded() {
    let files: Vec<(String, String)> = (0..=bounds::CONFIG_INCLUDE_DEPTH_MAX + 1)
        .map(|n| (n.to_string(), format!("include {}", n + 1)))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (config, diagnostics) = load_files(&files);
    assert_eq!(codes(&diagnostics), ["include-too-deep"]);
    assert_eq!(config.texts.files.len(), bounds::CONFIG_INCLUDE_DEPTH_MAX + 1);
}

#[test]
fn a_file_that_multiplies_itself_is_stopped() {
    // Each file includes the next one eight times: 8^12 statements, which only a bound ends.
    let files: Vec<(String, String)> = (0..12)
        .map(|n| (n.to_string(), format!("include {}\n", n + 1).repeat(8)))
        .chain([("12".to_string(), "a = 1".to_string())])
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (_, diagnostics) = load_files(&files);
    assert_eq!(codes(&diagnostics), ["too-large"]);
}

#[test]
fn a_file_included_twice_or_readonly_is_never_written() {
    let (config, _) = load_files(&[
        ("m", "include once include twice include twice readonly_include kept"),
        ("once", ""),
        ("twice", ""),
        ("kept", ""),
    ]);
    let readonly: Vec<_> = config.texts.files.iter().map(|(_, file)| (&*file.name, file.readonly)).collect();
    assert_eq!(readonly, [("m", false), ("once", false), ("twice", true), ("kept", true)]);
}

#[test]
fn bytes_that_are_not_utf8_have_a_place_each() {
    let mut memory = Memory::default();
    memory.0.insert("m".into(), b"a = \xff\nb = \xc3(\nc = 1 2\n".to_vec());
    let (config, diagnostics) = load(&mut memory, "m");
    assert_eq!(codes(&diagnostics), ["not-utf8", "not-utf8", "no-name", "no-equals"]);
    let lines: Vec<_> =
        diagnostics.iter().map(|fault| config.texts.files.position(fault.place.unwrap()).unwrap()).collect();
    assert_eq!((lines[0].line, lines[0].column, lines[1].line, lines[1].column), (1, 5, 2, 5));
}

#[test]
fn a_file_that_is_too_long_is_refused() {
    let mut memory = Memory::new(&[("m", "include x")]);
    memory.0.insert("x".into(), vec![b' '; bounds::CONFIG_FILE_BYTES_MAX + 1]);
    let (_, diagnostics) = load(&mut memory, "m");
    assert_eq!(codes(&diagnostics), ["file-too-long"]);
}

proptest! {
    #[test]
    fn any_bytes_load_or_give_errors_inside_their_files(
        main in prop::collection::vec(any::<u8>(), 0..200),
        other in r#"[ \n#={}\[\]()"'/*a-c]{0,60}(include (m|x|y)\n)?[ \n={}\[\]()"a-c]{0,60}"#,
    ) {
        let mut memory = Memory::default();
        memory.0.insert("m".into(), [b"include x\n".to_vec(), main].concat());
        memory.0.insert("x".into(), other.into_bytes());
        let (config, diagnostics) = load(&mut memory, "m");
        for diagnostic in &diagnostics {
            let place = diagnostic.place.unwrap();
            let file = config.texts.files.get(place.file).unwrap();
            prop_assert!(file.text.get(place.range()).is_some());
            prop_assert!(config.texts.files.position(place).unwrap().line <= file.text.lines().count().max(1));
        }
    }
}

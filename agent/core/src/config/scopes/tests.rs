//! The rules of reference section 1.3.
use super::*;
use crate::config::memory::load_files;
use alloc::{
    borrow::ToOwned as _,
    format,
    string::{String, ToString as _},
};

fn merged(files: &[(&str, &str)]) -> Scopes {
    let (config, diagnostics) = load_files(files);
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    config.scopes
}

fn text(setting: Setting<'_>) -> String {
    let place = setting.place();
    setting.tree().raw(place.start, place.end).to_owned()
}

#[test]
fn a_scope_that_is_opened_again_goes_on() {
    let scopes = merged(&[("m", "s { a = 1 } include x s { c = 3 }"), ("x", "S { b = 2 }")]);
    let scope = scopes.root().scope("s", None).unwrap();
    let options: Vec<_> =
        scope.options().map(|setting| (setting.name().into_owned(), text(setting))).collect();
    assert_eq!(
        options,
        [("a", "1"), ("b", "2"), ("c", "3")].map(|(name, value)| (name.into(), value.into()))
    );
    assert_eq!(scope.places().count(), 3);
    assert_eq!(scopes.root().scopes().count(), 1);
}

#[test]
fn the_later_assignment_wins_and_the_earlier_one_stays_findable() {
    let scopes = merged(&[("m", "a = 1 A = 2 include x"), ("x", "a = 3")]);
    let setting = scopes.root().option("a").unwrap();
    let history: Vec<_> =
        core::iter::successors(Some(setting), |setting| setting.shadowed()).map(text).collect();
    assert_eq!(history, ["3", "2", "1"]);
    assert_eq!(scopes.root().options().count(), 1);
}

#[test]
fn names_are_compared_without_case_and_instances_with_it() {
    let scopes = merged(&[("m", "Binding \"A\" {} binding \"a\" {} BINDING \"A\" { x = 1 }")]);
    let instances: Vec<_> =
        scopes.root().instances("bInDiNg").map(|scope| scope.instance().unwrap()).collect();
    assert_eq!(instances, ["A", "a"]);
    assert!(scopes.root().scope("binding", Some("A")).unwrap().option("X").is_some());
    assert!(scopes.root().scope("binding", None).is_none());
}

#[test]
fn an_instance_is_what_its_word_says() {
    let scopes = merged(&[("m", "Listen \"*:25\" {} Listen *:25 {} Listen '*:25' {}")]);
    assert_eq!(scopes.root().instances("listen").count(), 1);
}

#[test]
fn instances_accumulate_in_the_order_of_the_text() {
    let scopes = merged(&[("m", "s { t \"c\" {} t \"a\" {} u {} t \"b\" {} t {} }")]);
    let scope = scopes.root().scope("s", None).unwrap();
    let all: Vec<_> = scope.scopes().map(|scope| scope.to_string()).collect();
    assert_eq!(all, ["s::t \"c\"", "s::t \"a\"", "s::u", "s::t \"b\"", "s::t"]);
    assert_eq!(scope.instances("t").count(), 4);
    assert_eq!(scope.parent().unwrap().name(), "");
}

#[test]
fn depth_is_bounded_across_includes() {
    let open = "s {".repeat(20);
    let close = "}".repeat(20);
    let main = format!("{open} include x {close}");
    let (_, diagnostics) = load_files(&[("m", &main), ("x", &format!("{open}{close}"))]);
    assert_eq!(diagnostics.iter().map(|fault| fault.code).collect::<Vec<_>>(), ["too-large"]);
}

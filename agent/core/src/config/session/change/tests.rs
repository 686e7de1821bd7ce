//! The places of reference section 1.14, one test each.
use super::*;
use crate::config::{memory::Memory, session::show};
use alloc::{borrow::ToOwned as _, format, string::ToString, vec};
use proptest::prelude::*;

/// A configuration that was taken from these files.
struct Site {
    snapshot: Snapshot,
    config: Config,
}

impl Site {
    fn of(files: &[(&str, &str)]) -> Self {
        let (snapshot, config, diagnostics) = Snapshot::take(&mut Memory::new(files), files[0].0);
        assert!(!diagnostics.has_errors(), "{diagnostics:?}");
        Self { snapshot, config }
    }

    /// Makes a change, and returns the files it belongs into.
    fn make(&mut self, change: &Change) -> Result<Vec<String>, Refused> {
        let changed = make(&self.snapshot, &self.config, change)?;
        (self.snapshot, self.config) = (changed.snapshot, changed.config);
        Ok(changed.files)
    }

    fn text(&self, name: &str) -> String {
        self.snapshot.texts().find(|(_, text)| text.shown == name).unwrap().1.text.as_ref().to_owned()
    }
}

fn scope(text: &str) -> Vec<Step> {
    let step = |part: &str| match part.split_once(' ') {
        Some((name, instance)) => Step { name: name.into(), instance: Some(instance.into()) },
        None => Step { name: part.into(), instance: None },
    };
    text.split("::").filter(|part| !part.is_empty()).map(step).collect()
}

fn set_to(path: &str, option: &str, word: &str) -> Change {
    Change::Set { scope: scope(path), option: option.into(), value: Literal::Scalar(word.into()) }
}

#[test]
fn the_file_of_the_last_setting_comes_first() {
    let mut site = Site::of(&[("m", "s { a = 1 }\ninclude x\n"), ("x", "s {\n  a = 2 # here\n}\n")]);
    assert_eq!(site.make(&set_to("s", "a", "3")).unwrap(), ["x"]);
    assert_eq!(site.text("x"), "s {\n  a = 3 # here\n}\n");
    assert_eq!(site.text("m"), "s { a = 1 }\ninclude x\n");
}

#[test]
fn then_the_first_file_that_opens_the_scope() {
    let mut site = Site::of(&[("m", "include x\ns { }\n"), ("x", "s {\n}\n")]);
    assert_eq!(
        site.make(&set_to("s", "a", "1")).unwrap(),
        ["m"],
        "load order is the order of first inclusion"
    );
    let mut site = Site::of(&[("m", "include x\n"), ("x", "s {\n}\n")]);
    assert_eq!(site.make(&set_to("s", "a", "1")).unwrap(), ["x"]);
    assert_eq!(site.text("x"), "s {\n  a = 1\n}\n");
}

#[test]
fn then_the_file_for_local_changes() {
    let main = "Local_Changes_File = local\nreadonly_include x\n";
    let mut site = Site::of(&[("m", main), ("x", "s { a = 1 }")]);
    assert_eq!(site.make(&set_to("s", "a", "2")).unwrap(), ["local"]);
    assert_eq!(site.text("local"), "s {\n  a = 2\n}\n");
    assert_eq!(site.make(&set_to("s", "b", "3")).unwrap(), ["local"]);
    assert_eq!(site.text("local"), "s {\n  a = 2\n  b = 3\n}\n");
    assert_eq!(site.text("m"), main);
}

#[test]
fn then_the_main_file() {
    let mut site = Site::of(&[("m", "readonly_include x\n"), ("x", "s { a = 1 }")]);
    assert_eq!(site.make(&set_to("s", "a", "2")).unwrap(), ["m"]);
    assert_eq!(site.text("m"), "readonly_include x\ns {\n  a = 2\n}\n");
    let mut site = Site::of(&[("m", "cluster {\n  a = 1\n}\n")]);
    assert_eq!(site.make(&set_to("cluster::Replicate x", "b", "2")).unwrap(), ["m"]);
    assert_eq!(site.text("m"), "cluster {\n  a = 1\n  Replicate \"x\" {\n    b = 2\n  }\n}\n");
}

#[test]
fn and_what_may_be_written_nowhere_is_kept_in_no_file() {
    let mut files = Memory::new(&[("m", "s { a = 1 }\n")]);
    files.1.insert("m".into());
    let (snapshot, config, _) = Snapshot::take(&mut files, "m");
    let mut site = Site { snapshot, config };
    assert_eq!(site.make(&set_to("s", "a", "2")).unwrap(), Vec::<String>::new());
    assert_eq!(site.make(&set_to("s", "b", "3")).unwrap(), Vec::<String>::new());
    assert_eq!(site.text("m"), "s { a = 1 }\n");
    assert_eq!(&**site.snapshot.homeless().unwrap(), "s {\n  a = 2\n  b = 3\n}\n");
    assert_eq!(site.make(&set_to("s", "a", "4")).unwrap(), Vec::<String>::new());
    assert_eq!(&**site.snapshot.homeless().unwrap(), "s {\n  a = 4\n  b = 3\n}\n");
}

#[test]
fn a_change_that_would_be_overruled_goes_where_it_is_in_effect() {
    let mut site = Site::of(&[("m", "s { }\nreadonly_include x\n"), ("x", "s { a = 1 }")]);
    assert_eq!(site.make(&set_to("s", "a", "2")).unwrap(), ["m"]);
    assert_eq!(site.text("m"), "s { }\nreadonly_include x\ns {\n  a = 2\n}\n");
}

#[test]
fn local_changes_only_means_only() {
    let main = "Local_Changes_File = local\nLocal_Changes_Only = true\ns { a = 1 }\n";
    let mut site = Site::of(&[("m", main), ("local", "# local changes\n")]);
    assert_eq!(site.make(&set_to("s", "a", "2")).unwrap(), ["local"]);
    assert_eq!(site.text("local"), "# local changes\ns {\n  a = 2\n}\n");
    let unset = Change::Unset { scope: scope("s"), option: "a".into() };
    assert!(
        site.make(&unset).unwrap_err().to_string().contains("m, which is never written (Local_Changes_Only)")
    );
    let mut site = Site::of(&[("m", "Local_Changes_Only = true\n")]);
    assert!(matches!(site.make(&set_to("s", "a", "2")), Err(Refused::NoLocalFile)));
}

#[test]
fn an_option_is_unset_wherever_it_is_set() {
    let mut site = Site::of(&[("m", "s { a = 1 b = 2 }\ninclude x\n"), ("x", "s {\n  a = 2\n  c = 3\n}\n")]);
    let unset = Change::Unset { scope: scope("s"), option: "A".into() };
    assert_eq!(site.make(&unset).unwrap(), ["m", "x"]);
    assert_eq!(site.text("m"), "s { b = 2 }\ninclude x\n");
    assert_eq!(site.text("x"), "s {\n  c = 3\n}\n");
    assert_eq!(site.make(&unset).unwrap_err().to_string(), "Option 'A' is not set in scope 's'.");
}

#[test]
fn a_scope_is_unset_with_everything_in_it() {
    let text = "s i {\n  a = 1\n}\nkept = 1\ns i { b = 2 } s j { }\n";
    let mut site = Site::of(&[("m", text)]);
    assert_eq!(site.make(&Change::UnsetScope { scope: scope("s i") }).unwrap(), ["m"]);
    assert_eq!(site.text("m"), "kept = 1\ns j { }\n");
    assert!(matches!(site.make(&Change::UnsetScope { scope: scope("s i") }), Err(Refused::NoScope { .. })));
    assert!(matches!(site.make(&Change::UnsetScope { scope: vec![] }), Err(Refused::Everything)));
}

#[test]
fn what_is_set_in_a_file_that_is_never_written_stays() {
    let mut site = Site::of(&[("m", "s { a = 1 }\nreadonly_include x\n"), ("x", "s { a = 2 }\n")]);
    let error = site.make(&Change::Unset { scope: scope("s"), option: "a".into() }).unwrap_err();
    assert!(error.to_string().contains("a is set in x, which is never written (read-only)"), "{error}");
    assert_eq!(site.text("m"), "s { a = 1 }\nreadonly_include x\n");
}

#[test]
fn a_snapshot_loads_without_its_files() {
    let site = Site::of(&[
        ("m", "include d\ns { include x }\n"),
        ("d/2", "b = 1"),
        ("d/1", "a = 1"),
        ("x", "c = 1"),
    ]);
    let (config, diagnostics) = site.snapshot.build();
    assert!(!diagnostics.has_errors());
    let text = |config: &Config| show::flattened(&config.scopes).unwrap();
    assert_eq!(text(&config), text(&site.config));
    assert_eq!(text(&config), "a = 1\nb = 1\ns {\n  c = 1\n}\n");
}

#[test]
fn the_file_for_local_changes_is_loaded_last_and_belongs_to_nobody_else() {
    let site = Site::of(&[("m", "Local_Changes_File = local\na = 1\n"), ("local", "a = 2\n")]);
    assert_eq!(setting(&site.config, &[], "a").map(literal), Some(Literal::Scalar("2".into())));
    let files = [("m", "Local_Changes_File = x\ninclude x\n"), ("x", "")];
    let (_, _, diagnostics) = Snapshot::take(&mut Memory::new(&files), "m");
    assert_eq!(diagnostics.iter().map(|fault| fault.code).collect::<Vec<_>>(), ["local-changes-included"]);
}

proptest! {
    #[test]
    fn what_was_set_is_what_is_found_and_what_was_unset_is_not(
        main in r"( |\n|# c\n|a = 1 |b = \(1\) |s \{ a = 1 \}|s \{\n\}|s i \{ b = 2\n\}|include x |readonly_include y ){0,6}",
        x in r"(a = 1 |s \{ a = 2 \}\n){0,3}",
        y in r"(a = 3 |s \{ a = 4 \}\n){0,3}",
        path in prop::sample::select(vec!["", "s", "s i", "t::u v"]),
        option in prop::sample::select(vec!["a", "b", "c"]),
        word in "[ -~]{0,6}",
    ) {
        let mut site = Site::of(&[("m", &main), ("x", &x), ("y", &y)]);
        let before = all(&site.config, path, option);
        let value = Literal::Scalar(word.clone());
        match site.make(&set_to(path, option, &word)) {
            Ok(_) => {}
            Err(Refused::Unwritable(_)) => return Ok(()),
            Err(other) => return Err(TestCaseError::fail(format!("{other}"))),
        }
        prop_assert_eq!(setting(&site.config, &scope(path), option).map(literal), Some(value));
        prop_assert_eq!(all(&site.config, path, option), before.clone());
        match site.make(&Change::Unset { scope: scope(path), option: option.into() }) {
            Ok(_) => prop_assert!(setting(&site.config, &scope(path), option).is_none()),
            Err(Refused::ReadOnly { .. }) => {}
            Err(other) => return Err(TestCaseError::fail(format!("{other}"))),
        }
        prop_assert_eq!(all(&site.config, path, option), before);
    }
}

/// Returns every setting but one, with its scope.
fn all(config: &Config, path: &str, option: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![config.scopes.root()];
    let left_out = scope(path).iter().map(ToString::to_string).collect::<Vec<_>>().join("::");
    while let Some(scope) = open.pop() {
        for setting in scope.options() {
            if !(format!("{scope}") == left_out && setting.name().eq_ignore_ascii_case(option)) {
                found.push((format!("{scope}::{}", setting.name()), show::value_text(&literal(setting))));
            }
        }
        open.extend(scope.scopes());
    }
    found.sort();
    found
}

//! docs/configuration/commands.md says what the code does: its examples are requests and answers, and no field is missing.
use convoy_agent::host::control::shape::config::{
    ConfigBegun, ConfigChange, ConfigChecked, ConfigCommitted, ConfigEffective, ConfigLocated,
    ConfigReloaded, ConfigReplayed, ConfigRequest, ConfigRolledBack, ConfigShow, ConfigValue, ConfigWritten,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration/commands.md");
    fs::read_to_string(path).unwrap()
}

fn examples(command: &str) -> Vec<Value> {
    let page = page();
    let section = page.split("\n### ").find(|section| section.starts_with(&format!("`{command}`\n")));
    let section = section.unwrap_or_else(|| panic!("commands.md has no section on `{command}`"));
    let fenced = section.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    fenced.map(|text| serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))).collect()
}

fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            into.insert(key.clone());
            // Their keys are names of options.
            if key != "options" {
                keys(value, into);
            }
        }),
        Value::Array(items) => items.iter().for_each(|item| keys(item, into)),
        _ => {}
    }
}

/// Checks that an example is an answer of type `T`, with every field there is, and that each is explained.
fn check_answer<T: Serialize + DeserializeOwned>(command: &str, answer: &Value) {
    let parsed = serde_json::from_value::<T>(answer.clone()).unwrap();
    assert_eq!(serde_json::to_value(&parsed).unwrap(), *answer, "`{command}`: fields differ");
    let (mut fields, page) = (BTreeSet::new(), page());
    keys(answer, &mut fields);
    let missing: Vec<_> = fields.iter().filter(|field| !page.contains(&format!("| `{field}` |"))).collect();
    assert!(missing.is_empty(), "commands.md does not explain {missing:?}");
}

fn check<T: Serialize + DeserializeOwned>(command: &str) {
    let examples = examples(command);
    let [request, answer] = &examples[..] else {
        panic!("`{command}` needs an example of a request and one of an answer")
    };
    let request = serde_json::from_value::<ConfigRequest>(request.clone()).unwrap();
    assert_eq!(serde_json::to_value(&request).unwrap()["ask"], command);
    check_answer::<T>(command, answer);
}

#[test]
fn the_examples_are_requests_and_answers_and_every_field_is_explained() {
    check::<ConfigValue>("config get");
    check::<ConfigEffective>("config eval");
    check::<ConfigChange>("config set");
    check::<ConfigChange>("config unset");
    check::<ConfigShow>("config show");
    check::<ConfigShow>("config showrecurse");
    check::<ConfigLocated>("config locate");
    check::<ConfigBegun>("config begin");
    check::<ConfigCommitted>("config commit");
    check::<ConfigRolledBack>("config rollback");
    check::<ConfigReplayed>("config replay");
    check::<ConfigReloaded>("config reload");
    check::<ConfigWritten>("config writeback");
    let checked = examples("config check");
    check_answer::<ConfigChecked>("config check", &checked[0]);
}

#[test]
fn a_request_may_leave_out_what_it_does_not_need() {
    for line in [
        r#"{"ask":"config get","words":["cluster","nodename"]}"#,
        r#"{"ask":"config show"}"#,
        r#"{"ask":"config begin"}"#,
        r#"{"ask":"config commit"}"#,
        r#"{"ask":"config reload"}"#,
    ] {
        serde_json::from_str::<ConfigRequest>(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    for line in [r#"{"ask":"config get","wrods":[]}"#, r#"{"ask":"config sat","words":[]}"#] {
        assert!(serde_json::from_str::<ConfigRequest>(line).is_err(), "{line}");
    }
}

//! docs/control.md says what the code does: its examples are answers, and no field is missing.
use crate::samples;
use convoy_agent::host::control::shape::{
    Drift, Failure, Membership, Request, SharedList, SharedQuery, SharedShow, SharedTop, Status, authz,
    cluster, vip,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/control.md")).unwrap()
}

/// Returns the JSON examples below the heading of one command.
fn examples(command: &str) -> Vec<Value> {
    let page = page();
    let section = page.split("\n## ").find(|section| section.starts_with(&format!("`{command}`")));
    let section = section.unwrap_or_else(|| panic!("docs/control.md has no section on `{command}`"));
    let fenced = section.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = fenced.map(|text| serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}")));
    lines.collect()
}

/// Checks that the section's examples are a request and an answer of type `T`, with every field there is.
fn check<T: Serialize + DeserializeOwned>(command: &str) {
    let examples = examples(command);
    let [request, answer] = &examples[..] else {
        panic!("`{command}` needs an example of a request and one of an answer")
    };
    let request = serde_json::from_value::<Request>(request.clone()).unwrap();
    let asked = serde_json::to_value(&request).unwrap();
    assert_eq!(asked["ask"], command);
    let parsed = serde_json::from_value::<T>(answer.clone()).unwrap();
    assert_eq!(serde_json::to_value(&parsed).unwrap(), *answer, "`{command}`: fields differ");
}

/// The same; each field of the example has its row too.
fn check_rows<T: Serialize + DeserializeOwned>(command: &str) {
    check::<T>(command);
    examples(command).iter().for_each(explained);
}

/// The same for a request that is answered without the other threads; each field has its row too.
fn check_own<T: Serialize + DeserializeOwned>(command: &str) {
    let examples = examples(command);
    let [request, answer] = &examples[..] else {
        panic!("`{command}` needs an example of a request and one of an answer")
    };
    let request = serde_json::from_value::<authz::OwnRequest>(request.clone()).unwrap();
    assert_eq!(serde_json::to_value(request).unwrap()["ask"], command);
    let parsed = serde_json::from_value::<T>(answer.clone()).unwrap();
    assert_eq!(serde_json::to_value(&parsed).unwrap(), *answer, "`{command}`: fields differ");
    explained(answer);
}

/// Every field has a row.
fn explained(answer: &Value) {
    let (mut fields, page) = (BTreeSet::new(), page());
    keys(answer, &mut fields);
    for field in fields.iter().filter(|field| *field != "ask") {
        assert!(page.contains(&format!("| `{field}` |")), "{field}");
    }
}

fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            into.insert(key.clone());
            keys(value, into);
        }),
        Value::Array(items) => items.iter().for_each(|item| keys(item, into)),
        _ => {}
    }
}

#[test]
fn the_examples_are_requests_and_answers() {
    check::<Status>("status");
    check::<Membership>("membership");
    check::<SharedList>("shared list");
    check::<SharedShow>("shared show");
    check::<SharedQuery>("shared query");
    check::<SharedTop>("shared top");
    check::<Drift>("drift");
    check::<cluster::Hello>("hello");
    check_rows::<vip::Vips>("vips");
    check_rows::<vip::Moving>("vip move");
    check_rows::<vip::Drained>("vip drain");
    check_rows::<vip::Announced>("vip announce");
    check_rows::<vip::Moves>("vip history");
    check_rows::<vip::Debugging>("vip debug");
    check_rows::<vip::ArpTable>("arp");
    check_own::<authz::Id>("authz id");
    check_own::<authz::Roles>("authz roles list");
    check_own::<authz::Done>("shutdown");
}

#[test]
fn every_field_is_explained() {
    let mut fields = BTreeSet::new();
    let answers = [
        serde_json::to_value(samples::status()),
        serde_json::to_value(samples::membership()),
        serde_json::to_value(samples::shared_list()),
        serde_json::to_value(samples::shared_show()),
        serde_json::to_value(samples::shared_query()),
        serde_json::to_value(samples::shared_top()),
        serde_json::to_value(samples::drift()),
        serde_json::to_value(samples::hello()),
        serde_json::to_value(Failure::new("")),
        serde_json::to_value(Request::SharedTop {
            object: String::new(),
            bits: None,
            limit: None,
            from: None,
        }),
        serde_json::to_value(Request::SharedQuery {
            object: String::new(),
            prefix: String::new(),
            from: None,
        }),
    ];
    for answer in answers {
        keys(&answer.unwrap(), &mut fields);
    }
    let page = page();
    let missing = fields.iter().filter(|field| !page.contains(&format!("| `{field}` |"))).collect::<Vec<_>>();
    assert!(missing.is_empty(), "docs/control.md does not explain {missing:?}");
}

//! The text for people, word by word, in `golden/`. After a change that is meant, look at it and keep it:
//! `CONVOY_WRITE=write cargo test -p convoy-tests --test cli`, then read the difference.
use crate::samples;
use convoy_agent::{
    command::{Exit, Failed, Style, render},
    host::control::shape::{Drift, Request, SharedTop, all::AllRequest},
};
use serde::Serialize;
use std::{env, fs, path::Path};

fn check(name: &str, request: &Request, answer: &impl Serialize) {
    check_in(Style::PLAIN, name, request, answer);
}

fn check_in(style: Style, name: &str, request: &Request, answer: &impl Serialize) {
    let mut text = Vec::new();
    render(request, &serde_json::to_string(answer).unwrap(), style, &mut text).unwrap();
    compare(name, &String::from_utf8(text).unwrap());
}

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/golden").join(name);
    if env::var_os("CONVOY_WRITE").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} reads\n{text}\ninstead of\n{expected}");
}

fn show() -> Request {
    Request::SharedShow { object: "inbound_cidr".into(), from: None }
}

fn top() -> Request {
    Request::SharedTop { object: "inbound_cidr".into(), bits: None, limit: None, from: None }
}

#[test]
fn status_leads_with_the_sums_and_ends_with_what_needs_attention() {
    check("status.txt", &Request::Status, &samples::status());
    check("status_alone.txt", &Request::Status, &samples::status_alone());
    check("status_starting.txt", &Request::Status, &samples::status_starting());
}

/// Every node's answer to `request`, where one node cannot and one does not: the text is whole, the exit code says so.
fn check_all(name: &str, request: &Request) {
    let line = serde_json::to_string(request).unwrap();
    let asked = Request::All(AllRequest { line, ..AllRequest::default() });
    let mut text = Vec::new();
    let answers = serde_json::to_string(&samples::all_statuses()).unwrap();
    let outcome = render(&asked, &answers, Style::PLAIN, &mut text);
    assert!(matches!(outcome, Err(Failed::Shown { exit: Exit::Refused })), "{outcome:?}");
    compare(name, &String::from_utf8(text).unwrap());
}

#[test]
fn all_statuses_are_one_row_a_node_with_their_troubles_below() {
    check_all("all_status.txt", &Request::Status);
}

#[test]
fn membership_says_what_to_do_about_each_trouble() {
    check("membership.txt", &Request::Membership, &samples::membership());
}

#[test]
fn colour_adds_nothing_but_colour() {
    let colour = Style { colour: true, drawing: false };
    check_in(colour, "membership_colour.txt", &Request::Membership, &samples::membership());
    let read = |name| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/golden").join(name);
        fs::read_to_string(path).unwrap()
    };
    let coloured = read("membership_colour.txt");
    let plain = coloured.split('\x1b').enumerate().map(|(index, part)| match index {
        0 => part,
        _ => part.split_once('m').unwrap().1,
    });
    assert_eq!(plain.collect::<String>(), read("membership.txt"));
}

#[test]
fn objects_are_listed_with_their_sums() {
    check("shared_list.txt", &Request::SharedList, &samples::shared_list());
}

#[test]
fn the_tree_shows_branches_below_their_prefix() {
    check("shared_show.txt", &show(), &samples::shared_show());
    let drawing = Style { colour: false, drawing: true };
    check_in(drawing, "shared_show_drawn.txt", &show(), &samples::shared_show());
    check("shared_show_empty.txt", &show(), &samples::shared_show_empty());
}

#[test]
fn a_query_is_one_line() {
    let request =
        Request::SharedQuery { object: "inbound_cidr".into(), prefix: "192.0.2.0/24".into(), from: None };
    check("shared_query.txt", &request, &samples::shared_query());
}

#[test]
fn the_busiest_have_the_longest_bars() {
    check("shared_top.txt", &top(), &samples::shared_top());
    let drawing = Style { colour: false, drawing: true };
    check_in(drawing, "shared_top_drawn.txt", &top(), &samples::shared_top());
    let empty = SharedTop { entries: Vec::new(), bits: Some(48), ..samples::shared_top() };
    check("shared_top_empty.txt", &top(), &empty);
}

#[test]
fn drift_explains_itself_when_there_is_one() {
    check("drift.txt", &Request::Drift, &samples::drift());
    check("drift_none.txt", &Request::Drift, &Drift { audits: 12, ..Drift::default() });
    check("drift_unknown.txt", &Request::Drift, &Drift::default());
}

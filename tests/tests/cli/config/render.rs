//! The answers that only a daemon gives, as text.
use convoy_agent::{
    command::{Style, render_config},
    host::control::shape::config::{
        ConfigBegun, ConfigChange, ConfigCommitted, ConfigReloaded, ConfigReplayed, ConfigRequest,
        ConfigRolledBack, ConfigWritten, DiagnosticRow, Own, Path, Value, Words,
    },
};
use serde::Serialize;
use std::fmt::Write as _;

fn text(request: &ConfigRequest, answer: &impl Serialize) -> String {
    let mut text = Vec::new();
    let line = serde_json::to_string(answer).unwrap();
    render_config(request, &line, false, Style::PLAIN, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn file() -> String {
    "/etc/convoy/ecelerity-cluster.conf".into()
}

pub(super) fn change() -> ConfigChange {
    ConfigChange {
        scope: "cluster".into(),
        option: Some("nodename".into()),
        before: Some(Value::Word("mx1".into())),
        value: Some(Value::Word("mx2".into())),
        files: vec![file()],
        generation: Some(7),
        transaction: None,
        restart: vec!["nodename".into()],
        warnings: vec![warning()],
    }
}

pub(super) fn warning() -> DiagnosticRow {
    DiagnosticRow {
        severity: "warning".into(),
        code: "no-effect".into(),
        file: Some(file()),
        line: Some(3),
        column: Some(1),
        end: None,
        message: "`max_backlog` has no effect in this version".into(),
        expected: None,
        help: None,
        notes: Vec::new(),
        included_from: Vec::new(),
    }
}

pub(super) fn committed() -> ConfigCommitted {
    ConfigCommitted { generation: 8, changes: 2, restart: vec!["nodename".into()], warnings: Vec::new() }
}

pub(super) fn reloaded() -> ConfigReloaded {
    ConfigReloaded {
        generation: 9,
        file: file(),
        files: 2,
        dropped: vec![file()],
        restart: Vec::new(),
        warnings: Vec::new(),
    }
}

pub(super) fn begun() -> ConfigBegun {
    ConfigBegun { session: "terminal-4711".into(), generation: 7, scratch: false, idle_s: 900 }
}

#[test]
fn a_daemons_answers_say_what_comes_next() {
    let (set, own, path) = (ConfigRequest::Set(Words::default()), || Own::default(), || Path::default());
    let kept = ConfigChange {
        generation: None,
        transaction: Some(2),
        restart: vec![],
        warnings: vec![],
        ..change()
    };
    let homeless = ConfigChange { files: vec![], restart: vec![], warnings: vec![], ..change() };
    let unset = ConfigChange { value: None, restart: vec![], warnings: vec![], ..change() };
    let begin = || ConfigRequest::Begin { scratch: false, session: None };
    let nothing = ConfigWritten { files: vec![], unsaved: None };
    let unsaved = ConfigWritten { files: vec![], unsaved: Some("cluster {\n  nodename = mx2\n}\n".into()) };
    let mut transcript = String::new();
    for (title, text) in [
        ("set", text(&set, &change())),
        ("set, in a transaction", text(&set, &kept)),
        ("set, where no file may be written", text(&set, &homeless)),
        ("unset", text(&ConfigRequest::Unset(Words::default()), &unset)),
        ("begin", text(&begin(), &begun())),
        ("begin from scratch", text(&begin(), &ConfigBegun { scratch: true, ..begun() })),
        ("commit", text(&ConfigRequest::Commit(own()), &committed())),
        ("rollback", text(&ConfigRequest::Rollback(own()), &ConfigRolledBack { changes: 1 })),
        ("replay", text(&ConfigRequest::Replay(own()), &ConfigReplayed { generation: 9, changes: 2 })),
        ("reload", text(&ConfigRequest::Reload(path()), &reloaded())),
        (
            "writeback",
            text(&ConfigRequest::Writeback(path()), &ConfigWritten { files: vec![file()], unsaved: None }),
        ),
        ("writeback, nothing to do", text(&ConfigRequest::Writeback(path()), &nothing)),
        ("writeback, not saved", text(&ConfigRequest::Writeback(path()), &unsaved)),
    ] {
        writeln!(transcript, "--- {title} ---\n{text}").unwrap();
    }
    super::check("answers.txt", &transcript);
}

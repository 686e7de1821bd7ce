//! Commands on files in a directory, without threads.
use super::*;
use crate::host::control::shape::config::{ConfigValue, Own, Path as File, Value};
use std::fs;

struct Site {
    dir: tempfile::TempDir,
    console: Console,
    /// What the threads were given, and whether they refuse.
    applied: usize,
    refuse: bool,
}

const TEXT: &str = "\
# kept
cluster {
  nodename = mx1
  Replicate \"inbound_cidr\" { max_delay = 0.05 }   # beside
}
msgc_server { peers = [ mx1 = 10.0.0.1 ] }
";

impl Site {
    fn of(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("m"), text).unwrap();
        let (console, ..) = Console::open(&dir.path().join("m"), &Environment::default()).unwrap();
        Self { dir, console, applied: 0, refuse: false }
    }

    fn ask_as(&mut self, request: &ConfigRequest) -> Result<ConfigAnswer, Failure> {
        let Self { console, applied, refuse, .. } = self;
        let caller = Caller { user: 0, now: Instant::from_ns(0) };
        console.ask(request, caller, &mut |_| {
            if *refuse {
                return Err("a port is in use".into());
            }
            *applied += 1;
            Ok(vec!["nodename".into()])
        })
    }

    fn ask(&mut self, session: &str, command: &str) -> Result<ConfigAnswer, Failure> {
        let session = Some(session.to_owned()).filter(|name| !name.is_empty());
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        let words = Words {
            words: rest.split('|').filter(|word| !word.is_empty()).map(String::from).collect(),
            session: session.clone(),
        };
        let own = Own { session: session.clone() };
        let path = Some(rest.to_owned()).filter(|path| !path.is_empty());
        self.ask_as(&match verb {
            "get" => ConfigRequest::Get(words),
            "eval" => ConfigRequest::Eval(words),
            "set" => ConfigRequest::Set(words),
            "unset" => ConfigRequest::Unset(words),
            "show" => ConfigRequest::Show(words),
            "showrecurse" => ConfigRequest::ShowRecurse(words),
            "locate" => ConfigRequest::Locate(words),
            "begin" => ConfigRequest::Begin { scratch: rest == "from scratch", session },
            "commit" => ConfigRequest::Commit(own),
            "rollback" => ConfigRequest::Rollback(own),
            "replay" => ConfigRequest::Replay(own),
            "reload" => ConfigRequest::Reload(File { path, session }),
            "writeback" => ConfigRequest::Writeback(File { path, session }),
            other => panic!("{other}"),
        })
    }

    fn value(&mut self, session: &str, words: &str) -> Option<String> {
        match self.ask(session, &format!("get {words}")).unwrap() {
            ConfigAnswer::Value(ConfigValue { value: Some(Value::Word(word)), .. }) => Some(word),
            ConfigAnswer::Value(ConfigValue { value: None, .. }) => None,
            other => panic!("{other:?}"),
        }
    }

    fn file(&self) -> String {
        fs::read_to_string(self.dir.path().join("m")).unwrap()
    }

    fn error(&mut self, session: &str, command: &str) -> String {
        self.ask(session, command).unwrap_err().error
    }
}

const DELAY: &str = "cluster|Replicate|inbound_cidr|max_delay";

#[test]
fn a_change_is_in_effect_before_it_is_answered_and_on_disk_after_writeback() {
    let mut site = Site::of(TEXT);
    let answer = site.ask("", &format!("set {DELAY}|=|0.5")).unwrap();
    let ConfigAnswer::Change(change) = answer else { panic!() };
    assert_eq!((site.applied, change.generation, change.transaction), (1, Some(2), None));
    assert_eq!(
        (change.before, change.value),
        (Some(Value::Word("0.05".into())), Some(Value::Word("0.5".into())))
    );
    assert_eq!(change.restart, ["nodename"]);
    assert_eq!((site.value("", DELAY).as_deref(), site.file().as_str()), (Some("0.5"), TEXT));
    let ConfigAnswer::Written(written) = site.ask("", "writeback").unwrap() else { panic!() };
    assert_eq!((written.files.len(), written.unsaved), (1, None));
    assert_eq!(site.file(), TEXT.replace("0.05", "0.5"));
    let ConfigAnswer::Written(written) = site.ask("", "writeback").unwrap() else { panic!() };
    assert!(written.files.is_empty());
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut site = Site::of(TEXT);
    let failure = site.ask("", &format!("set {DELAY}|never")).unwrap_err();
    assert_eq!(failure.error, "Reconfigure failed: 1 error; nothing was changed");
    assert_eq!((failure.diagnostics[0].code.as_str(), failure.diagnostics[0].line), ("wrong-type", Some(4)));
    assert!(failure.report.contains("max_delay = never"), "{}", failure.report);
    let failure = site.error("", "set cluster|nodename|mx9");
    assert!(failure.starts_with("Reconfigure failed: 1 error"), "{failure}");
    site.refuse = true;
    assert_eq!(
        site.error("", &format!("set {DELAY}|0.5")),
        "Reconfigure failed: a port is in use; nothing was changed"
    );
    assert_eq!((site.applied, site.value("", DELAY).as_deref()), (0, Some("0.05")));
}

#[test]
fn a_transaction_takes_effect_as_a_whole() {
    let mut site = Site::of(TEXT);
    site.ask("a", "begin").unwrap();
    // Not good until both are there.
    site.ask("a", "set cluster|nodename|mx2").unwrap();
    site.ask("a", "set msgc_server|peers|[ mx2 = 10.0.0.1 ]").unwrap();
    assert_eq!((site.value("a", "cluster|nodename").as_deref(), site.applied), (Some("mx2"), 0));
    assert_eq!(site.value("b", "cluster|nodename").as_deref(), Some("mx1"));
    let ConfigAnswer::Committed(committed) = site.ask("a", "commit").unwrap() else { panic!() };
    assert_eq!((committed.changes, committed.generation, site.applied), (2, 2, 1));
    assert_eq!(site.value("b", "cluster|nodename").as_deref(), Some("mx2"));
    assert!(site.error("a", "commit").contains("config begin"));
}

#[test]
fn of_two_transactions_the_first_commit_wins() {
    let mut site = Site::of(TEXT);
    site.ask("a", "begin").unwrap();
    site.ask("b", "begin").unwrap();
    site.ask("a", &format!("set {DELAY}|1")).unwrap();
    site.ask("b", "set cluster|heartbeats_per_sec|5").unwrap();
    site.ask("a", "commit").unwrap();
    assert!(site.error("b", "commit").contains("config replay"));
    assert_eq!(site.value("", "cluster|heartbeats_per_sec"), None);
    site.ask("b", "replay").unwrap();
    site.ask("b", "commit").unwrap();
    assert_eq!(site.value("", DELAY).as_deref(), Some("1"));
    assert_eq!(site.value("", "cluster|heartbeats_per_sec").as_deref(), Some("5"));
}

#[test]
fn a_commit_that_fails_keeps_the_transaction() {
    let mut site = Site::of(TEXT);
    site.ask("a", "begin").unwrap();
    site.ask("a", "set cluster|nodename|mx2").unwrap();
    assert!(site.error("a", "commit").starts_with("Reconfigure failed"));
    assert_eq!((site.applied, site.value("b", "cluster|nodename").as_deref()), (0, Some("mx1")));
    site.ask("a", "set msgc_server|peers|[ mx2 = 10.0.0.1 ]").unwrap();
    site.ask("a", "commit").unwrap();
}

#[test]
fn a_reload_drops_what_was_not_saved_and_is_refused_inside_a_transaction() {
    let mut site = Site::of(TEXT);
    site.ask("", &format!("set {DELAY}|1")).unwrap();
    site.ask("a", "begin").unwrap();
    assert!(site.error("a", "reload").starts_with("not inside a transaction"));
    assert!(site.error("a", "writeback").starts_with("not inside a transaction"));
    let ConfigAnswer::Reloaded(reloaded) = site.ask("", "reload").unwrap() else { panic!() };
    assert_eq!((reloaded.files, reloaded.dropped.len(), reloaded.generation), (1, 1, 3));
    assert_eq!(site.value("", DELAY).as_deref(), Some("0.05"));
    fs::write(site.dir.path().join("m"), "cluster {").unwrap();
    let failure = site.ask("", "reload").unwrap_err();
    assert!(failure.report.contains("is never closed"), "{}", failure.report);
    assert_eq!(site.value("", DELAY).as_deref(), Some("0.05"));
}

#[test]
fn another_main_file_is_loaded_until_the_next_reload() {
    let mut site = Site::of(TEXT);
    let other = site.dir.path().join("other");
    fs::write(&other, TEXT.replace("0.05", "2")).unwrap();
    site.ask("", &format!("reload {}", other.display())).unwrap();
    assert_eq!(site.value("", DELAY).as_deref(), Some("2"));
    site.ask("", "reload").unwrap();
    assert_eq!(site.value("", DELAY).as_deref(), Some("0.05"));
    assert!(site.error("", "reload m").contains("absolute"));
}

#[test]
fn a_file_that_somebody_else_changed_is_not_overwritten() {
    let mut site = Site::of(TEXT);
    site.ask("", &format!("set {DELAY}|1")).unwrap();
    fs::write(site.dir.path().join("m"), format!("{TEXT}# mine\n")).unwrap();
    let error = site.error("", "writeback");
    assert!(error.contains("changed by somebody else") && error.contains("nothing was written"), "{error}");
    assert!(site.file().ends_with("# mine\n"));
}

#[test]
fn writeback_to_a_path_writes_one_file_that_says_the_same() {
    let mut site = Site::of(&format!("include x\n{TEXT}").replace("include x\n", ""));
    let copy = site.dir.path().join("copy");
    site.ask("", &format!("set {DELAY}|1")).unwrap();
    site.ask("", &format!("writeback {}", copy.display())).unwrap();
    assert_eq!(site.file(), TEXT);
    let ConfigAnswer::Show(before) = site.ask("", "showrecurse").unwrap() else { panic!() };
    site.ask("", &format!("reload {}", copy.display())).unwrap();
    let ConfigAnswer::Show(after) = site.ask("", "showrecurse").unwrap() else { panic!() };
    assert_eq!(before, after);
    assert!(
        site.error("", &format!("writeback {}", copy.display())).contains("is part of the configuration")
    );
}

#[test]
fn local_changes_go_into_their_file_which_is_made() {
    let mut site = Site::of(&format!("Local_Changes_File = local\nLocal_Changes_Only = on\n{TEXT}"));
    site.ask("", &format!("set {DELAY}|1")).unwrap();
    site.ask("", "writeback").unwrap();
    let local = fs::read_to_string(site.dir.path().join("local")).unwrap();
    assert_eq!(local, "cluster {\n  Replicate \"inbound_cidr\" {\n    max_delay = 1\n  }\n}\n");
    site.ask("", "reload").unwrap();
    assert_eq!(site.value("", DELAY).as_deref(), Some("1"));
}

#[test]
fn a_value_in_effect_is_the_one_set_or_the_default() {
    let mut site = Site::of(TEXT);
    let mut eval = |words: &str| match site.ask("", &format!("eval {words}")).unwrap() {
        ConfigAnswer::Effective(found) => (found.from, found.value),
        other => panic!("{other:?}"),
    };
    assert_eq!(eval(DELAY), ("set".into(), Some(Value::Word("0.05".into()))));
    assert_eq!(eval("cluster|heartbeats_per_sec"), ("default".into(), Some(Value::Word("10".into()))));
    assert_eq!(eval("cluster|nodeaddr"), ("unset".into(), None));
    let (from, value) = eval("cluster|inbound_ports");
    assert!(from == "default" && matches!(value, Some(Value::Array(_))));
}

#[test]
fn mistakes_say_what_to_do_next() {
    let mut site = Site::of(TEXT);
    assert_eq!(
        site.error("", "show cluster|nodenam"),
        "Option 'nodenam' is not set in scope 'cluster'. Did you mean 'nodename'?"
    );
    assert_eq!(site.error("", "unset cluster|nodeaddr"), "Option 'nodeaddr' is not set in scope 'cluster'.");
    assert!(site.error("", "unset").contains("begin from scratch"));
    assert!(site.error("", "unset cluster|Replicate").contains("Replicate inbound_cidr"));
    assert!(site.error("", "locate cluster|(").contains("regular expression"));
    assert!(site.error("", "show ECCluster_Listener").contains("is nowhere in the configuration"));
    let long = "x".repeat(bounds::NAME_BYTES_MAX + 1);
    assert!(site.error(&long, "begin").contains("session"));
}

#[test]
fn an_offline_configuration_need_not_be_this_hosts() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("m"), "msgc_server { peers = [ other = 10.0.0.1 ] }\n").unwrap();
    assert!(Console::open(&dir.path().join("m"), &Environment::default()).is_err());
    let mut console = Console::offline(&dir.path().join("m"), &Environment::default()).unwrap();
    let words = ["cluster", "nodename", "other"].map(String::from).to_vec();
    let request = ConfigRequest::Set(Words { words, session: None });
    let caller = Caller { user: 0, now: Instant::from_ns(0) };
    console.ask(&request, caller, &mut |_| panic!("nobody runs with it")).unwrap();
}

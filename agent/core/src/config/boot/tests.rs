//! Reference section 1.11, row by row, and faults.
use super::*;
use alloc::vec;
use proptest::prelude::*;

/// Reads keys after `cluster_name`, none of them faulty.
fn good(text: &str) -> Boot {
    let (boot, faults) = parse(FileId::MAIN, &format!("cluster_name=default\n{text}"));
    assert_eq!(faults, []);
    boot
}

/// Returns code and marked text of every fault.
fn told(text: &str) -> Vec<(&'static str, &str)> {
    let (_, faults) = parse(FileId::MAIN, text);
    faults.iter().map(|fault| (fault.code, &text[fault.place.unwrap().range()])).collect()
}

fn host(host: &str, port: u16) -> Repo {
    Repo::Host { host: host.into(), port }
}

#[test]
fn every_key_has_its_values_and_its_default() {
    let with = |change: &dyn Fn(&mut Boot)| {
        let mut boot = Boot { cluster_name: Some("default".into()), ..Boot::default() };
        change(&mut boot);
        boot
    };
    let named = |name: &'static str| with(&move |boot| boot.node_name = Some(name.into()));
    let updated = |when| with(&move |boot| boot.autoupdate = when);
    let from = |places: Vec<Repo>| with(&move |boot| boot.repo.clone_from(&places));
    let plain = with(&|_| ());
    let table = [
        ("", plain.clone()),
        ("autoupdate=true", updated(AutoUpdate::Always)),
        ("autoupdate=ifunchanged", updated(AutoUpdate::IfUnchanged)),
        ("autoupdate=false", updated(AutoUpdate::Never)),
        ("node_name=mx1", named("mx1")),
        ("NODE_NAME = \"MX1.example.com\"", named("MX1.example.com")),
        ("node_name=mx1 # this node", named("mx1")),
        ("repo=auto", plain.clone()),
        ("repo=local", from(vec![Repo::Local])),
        ("repo=auto,manager", from(vec![Repo::Auto, host("manager", 2_027)])),
        ("repo=m:99, 10.0.0.1", from(vec![host("m", 99), host("10.0.0.1", 2_027)])),
        ("repo=[fd00::1]:99", from(vec![host("fd00::1", 99)])),
        ("repo=fd00::1", from(vec![host("fd00::1", 2_027)])),
        ("reload_config_on_update=true", plain.clone()),
        ("reload_config_on_update=false", with(&|boot| boot.reload_config_on_update = false)),
        ("ecconfigd.1=manager", with(&|boot| boot.ecconfigd = vec![(1, "manager".into())])),
        ("# a comment", plain.clone()),
        ("  # another\r\n\r\n", plain),
    ];
    for (text, expected) in table {
        assert_eq!(good(text), expected, "{text}");
    }
    assert_eq!(parse(FileId::MAIN, "cluster_name=west").0.cluster_name.unwrap(), "west");
}

#[test]
fn the_subcluster_is_mandatory() {
    assert_eq!(told("node_name=mx1\n"), [("no-cluster-name", "")]);
    assert_eq!(told(""), [("no-cluster-name", "")]);
}

#[test]
fn a_fault_is_told_with_its_place() {
    let value = |line: &str| -> Vec<(&'static str, String)> {
        let text = format!("cluster_name=a\n{line}");
        told(&text).into_iter().map(|(code, at)| (code, at.into())).collect()
    };
    assert_eq!(value("node_name"), [("no-equals", "node_name".into())]);
    assert_eq!(value("node_name=a#b"), [("bad-boot-value", "a#b".into())]);
    assert_eq!(value("node_name = a b"), [("bad-boot-value", "a b".into())]);
    assert_eq!(value("autoupdate=maybe"), [("bad-boot-value", "maybe".into())]);
    assert_eq!(value("repo=auto,,x"), [("bad-boot-value", "auto,,x".into())]);
    assert_eq!(value("repo=x:0"), [("bad-boot-value", "x:0".into())]);
    assert_eq!(value("repo=x:+1"), [("bad-boot-value", "x:+1".into())]);
    assert_eq!(value("ecconfigd.1="), [("bad-boot-value", String::new())]);
    assert_eq!(value("ecconfigd.x=y"), [("unknown-key", "ecconfigd.x".into())]);
    assert_eq!(value("nodename=y"), [("unknown-key", "nodename".into())]);
    assert_eq!(
        value("cluster_name=West"),
        [("duplicate-key", "cluster_name".into()), ("bad-boot-value", "West".into())]
    );
    assert_eq!(told("\u{feff}cluster_name=a\n"), []);
}

proptest! {
    #[test]
    fn any_text_gives_faults_inside_it(text in "((node_name|repo|cluster_name|x)? ?=?[a-c#,:\"' \u{fc}]{0,6}\n){0,8}") {
        let (_, faults) = parse(FileId::MAIN, &text);
        for fault in faults {
            prop_assert!(text.get(fault.place.unwrap().range()).is_some());
        }
    }
}

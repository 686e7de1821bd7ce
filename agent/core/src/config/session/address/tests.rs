//! Words as operators type them.
use super::*;
use crate::config::memory::load_files;
use alloc::vec;

const TEXT: &str = "\
cluster { nodename = mx1 Replicate \"inbound_cidr\" { max_delay = 1 } }
Domain \"example.com\" { relay = 1 Binding b { x = 1 } }
custom_logger { Listen \"*:25\" { } }
custom_logger \"two\" { port = 2 }
";

fn words(text: &str) -> Vec<String> {
    text.split('|').map(String::from).collect()
}

fn scopes() -> Scopes {
    load_files(&[("m", TEXT)]).0.scopes
}

#[track_caller]
fn check(text: &str, scope: &str, rest: &[&str]) {
    let address = Address::read(&words(text), &scopes());
    assert_eq!(
        (name(&address.scope).as_str(), address.rest),
        (scope, rest.iter().map(|it| (*it).to_owned()).collect())
    );
}

#[test]
fn words_are_scopes_as_long_as_there_are_such_scopes() {
    check("CLUSTER|nodename", "cluster", &["nodename"]);
    check("cluster|replicate|inbound_cidr|max_delay", "cluster::Replicate \"inbound_cidr\"", &["max_delay"]);
    check(
        "cluster|Replicate \"inbound_cidr\"|max_delay",
        "cluster::Replicate \"inbound_cidr\"",
        &["max_delay"],
    );
    check("cluster|Replicate 'new one'", "cluster::Replicate \"new one\"", &[]);
    check("nodename", "Global", &["nodename"]);
    check("Domain|example.com|Binding|b|x", "Domain \"example.com\"::Binding \"b\"", &["x"]);
    check("custom_logger|port", "custom_logger", &["port"]);
    check("custom_logger|two|port", "custom_logger \"two\"", &["port"]);
    check("custom_logger|three|port", "custom_logger", &["three", "port"]);
    check("custom_logger 'three'|port", "custom_logger \"three\"", &["port"]);
    check("clusterr|nodename", "Global", &["clusterr", "nodename"]);
}

#[test]
fn a_scope_without_its_instance_means_all_of_them() {
    let address = Address::read(&words("cluster|Replicate"), &scopes());
    assert_eq!((name(&address.scope).as_str(), address.every.as_deref()), ("cluster", Some("Replicate")));
    let error = |text: &str| Address::option(&words(text), &scopes()).unwrap_err().to_string();
    assert_eq!(error("cluster|Replicate|max_delay"), error("cluster|Replicate"));
    let error = error("cluster|Replicate");
    assert_eq!(
        error,
        "scope 'Replicate' has instances; write Replicate and the instance, as in: Replicate inbound_cidr"
    );
}

#[test]
fn mistakes_say_what_was_meant() {
    let error = |text: &str| Address::option(&words(text), &scopes()).unwrap_err().to_string();
    assert_eq!(error("clutser|nodename"), "'clutser' is no scope in scope 'Global'; did you mean 'cluster'?");
    assert!(error("cluster").contains("convoy config show cluster"), "{}", error("cluster"));
    let error = |text: &str| Address::assignment(&words(text), &scopes()).unwrap_err().to_string();
    assert_eq!(
        error("clutser|nodename|=|x"),
        "'clutser' is no scope in scope 'Global'; did you mean 'cluster'?"
    );
    assert!(error("cluster|nodename|=").contains("nodename = VALUE"));
    assert!(error("cluster|nodename|a|b").contains("2 words"));
    assert!(error("cluster|nodename|(|a").contains("is never closed"), "{}", error("cluster|nodename|(|a"));
}

#[test]
fn values_are_words_arrays_or_dictionaries() {
    let value = |text: &str| {
        let (scope, option, value) = Address::assignment(&words(text), &scopes()).unwrap();
        assert_eq!((name(&scope).as_str(), option.as_str()), ("cluster", "nodename"));
        value
    };
    for one in ["mx2", "=|mx2", "=mx2", "=\"mx2\"", "\"mx2\"", "'mx2'"] {
        assert_eq!(value(&format!("cluster|nodename|{one}")), Literal::Scalar("mx2".into()), "{one}");
    }
    assert_eq!(value("cluster|nodename=mx2"), Literal::Scalar("mx2".into()));
    assert_eq!(value("cluster|nodename=|mx2"), Literal::Scalar("mx2".into()));
    assert_eq!(value("cluster|nodename|two words"), Literal::Scalar("two words".into()));
    assert_eq!(value("cluster|nodename|a=b"), Literal::Scalar("a=b".into()));
    assert_eq!(value("cluster|nodename|\"\""), Literal::Scalar(String::new()));
    assert_eq!(value("cluster|nodename|=|( 25 587 )"), Literal::Array(vec!["25".into(), "587".into()]));
    assert_eq!(value("cluster|nodename|(|25|)"), Literal::Array(vec!["25".into()]));
    assert_eq!(value("cluster|nodename|[ a = b ]"), Literal::Dictionary(vec![("a".into(), "b".into())]));
}

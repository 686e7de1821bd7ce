//! Who may do what, case by case.
use super::*;
use crate::host::control::desk;
use convoy_core::config::pattern::Pattern;
use std::time::Duration;

fn access(authorize: bool) -> Access {
    Access { authorize, ..Access::default() }
}

fn plan(authorize: bool) -> Plan {
    let endpoint = Endpoint {
        at: at(),
        file_mode: 0o660,
        backlog: 1,
        receive_buffer: None,
        send_buffer: None,
        nodelay: false,
        timeout: Duration::from_secs(1),
        access: access(authorize),
        peers: vec![("127.0.0.2/32".parse().unwrap(), access(!authorize))],
    };
    let role = |name: &str, allow: &[&str]| Role {
        name: name.into(),
        allow: allow.iter().map(|text| Pattern::new(text).unwrap()).collect(),
    };
    let roles = vec![
        role("operators", &["^cluster (info|reset)$", "^drift"]),
        role("nobody", &["."]),
        role("mo", &[]),
    ];
    Plan { endpoints: vec![endpoint], authorize, roles }
}

fn at() -> At {
    At::Tcp(([127, 0, 0, 1], 2025).into())
}

fn caller(user: u32, groups: &[&str], from: From) -> Caller {
    let mut caller = Caller::unknown(from, LOOPBACK);
    caller.set(user, groups);
    caller
}

#[track_caller]
fn check(plan: &Plan, caller: &Caller, line: &str, expected: Result<(), &str>) {
    let spelling = Spelling::of(&desk::parse(line.as_bytes()).unwrap());
    let judged = plan.judge(caller, &spelling).map_err(|failure| failure.error);
    assert_eq!(judged, expected.map_err(String::from), "{line}");
}

const RESET: &str = r#"{"ask":"cluster reset"}"#;
const DRIFT: &str = r#"{"ask":"drift"}"#;
const STATUS: &str = r#"{"ask":"status"}"#;
/// No user of this machine.
const SOMEBODY: u32 = 54_321;

#[test]
fn without_authorization_everybody_looks_and_only_root_changes() {
    let plan = plan(false);
    for from in [From::Own, From::Listener(at()), From::Bus("mx1".into())] {
        check(&plan, &caller(SOMEBODY, &["operators"], from.clone()), STATUS, Ok(()));
        check(&plan, &caller(SOMEBODY, &["operators"], from.clone()), RESET, Err(ONLY_ROOT));
        check(&plan, &caller(0, &[], from), RESET, Ok(()));
    }
}

#[test]
fn with_authorization_a_role_permits_what_its_patterns_match_and_nothing_else() {
    let plan = plan(true);
    let operator = caller(SOMEBODY, &["users", "operators"], From::Listener(at()));
    check(&plan, &operator, RESET, Ok(()));
    check(&plan, &operator, DRIFT, Ok(()));
    check(&plan, &operator, STATUS, Err(DENIED));
    check(&plan, &caller(SOMEBODY, &["users"], From::Own), DRIFT, Err(DENIED));
    check(&plan, &caller(SOMEBODY, &["mo"], From::Own), DRIFT, Err(DENIED));
}

#[test]
fn root_is_never_locked_out_of_the_daemons_own_socket() {
    let plan = plan(true);
    check(&plan, &caller(0, &[], From::Own), RESET, Ok(()));
    check(&plan, &caller(0, &[], From::Bus("mx2".into())), RESET, Ok(()));
    check(&plan, &caller(0, &[], From::Listener(at())), RESET, Err(DENIED));
}

#[test]
fn a_client_of_whom_nothing_is_known_has_no_roles_whatever_roles_are_called() {
    let plan = plan(true);
    check(&plan, &Caller::unknown(From::Listener(at()), LOOPBACK), DRIFT, Err(DENIED));
}

#[test]
fn the_longest_block_that_holds_a_client_decides() {
    let plan = plan(true);
    let mut other = caller(SOMEBODY, &[], From::Listener(at()));
    check(&plan, &other, STATUS, Err(DENIED));
    other.address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    check(&plan, &other, STATUS, Ok(()));
}

#[test]
fn a_client_is_taken_as_its_endpoint_says() {
    let all = [false, true];
    for (authenticate, always_allow, always_deny, known) in all
        .into_iter()
        .flat_map(|a| all.map(|b| (a, b)))
        .flat_map(|(a, b)| all.map(|c| (a, b, c)))
        .flat_map(|(a, b, c)| all.map(|d| (a, b, c, d)))
    {
        let access = Access { authenticate, always_allow, always_deny, authorize: false };
        let expected = !always_deny && (known || always_allow || !authenticate);
        assert_eq!(admit(access, known).is_ok(), expected, "{access:?} {known}");
    }
}

#[test]
fn an_endpoint_that_is_gone_answers_nothing() {
    let mut plan = plan(false);
    plan.endpoints.clear();
    let gone = "127.0.0.1:2025 is no endpoint any more; see Control_Listener";
    check(&plan, &caller(0, &[], From::Listener(at())), STATUS, Err(gone));
}

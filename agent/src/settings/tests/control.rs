//! `Control_Listener` and `Authorization`.
use super::{check_told, good};
use crate::host::control::endpoint::{Access, At};
use std::time::Duration;

#[test]
fn endpoints_fall_back_to_their_listener() {
    let plan = good(
        "Control_Listener {
            timeout = 5  file_mode = 0600  Enable_Authentication = true  Enable_Authorization = true
            Listen \"/tmp/2025\" { Enable_Authentication = false file_mode = 0660 listen_backlog = 7 }
            Listen \"127.0.0.1:2025\" { disable_nagle_algorithm = true tcp_recv_buffer_size = 9000 }
            Listen \"[::1]:2025\" { enable = false }
        }",
    )
    .control;
    let [unix, tcp] = plan.endpoints.as_slice() else { panic!("{plan:?}") };
    assert_eq!((&unix.at, &tcp.at), (&At::Unix("/tmp/2025".into()), &At::Tcp(([127, 0, 0, 1], 2025).into())));
    assert_eq!((unix.file_mode, unix.backlog, tcp.file_mode, tcp.backlog), (0o660, 7, 0o600, 500));
    assert_eq!((unix.access.authenticate, tcp.access.authenticate), (false, true));
    assert_eq!((tcp.nodelay, tcp.receive_buffer, tcp.send_buffer), (true, Some(9_000), None));
    assert!(plan.authorize && unix.access.authorize && tcp.access.authorize);
    assert_eq!(tcp.timeout, Duration::from_secs(5));
}

#[test]
fn a_timeout_of_none_is_the_longest_there_is() {
    let plan = good("Control_Listener { timeout = 0 Listen /tmp/2025 {} }").control;
    assert_eq!(plan.endpoints[0].timeout, Duration::from_hours(1));
}

#[test]
fn the_narrowest_peer_decides_each_option_and_its_socket_goes_first() {
    let plan = good(
        "Control_Listener {
            Peer 127.0.0.0/8 { always_deny = true }
            Peer 127.0.0.1/32 { Enable_Authorization = true }
            Listen 127.0.0.1:2025 { Peer 127.0.0.0/30 { always_deny = false always_allow = true } }
        }",
    )
    .control;
    let access = |ip: [u8; 4]| plan.endpoints[0].access(ip.into());
    let none = Access::default();
    assert_eq!(access([127, 9, 9, 9]), Access { always_deny: true, ..none });
    assert_eq!(access([127, 0, 0, 2]), Access { always_allow: true, ..none });
    // Its own block on the listener says nothing of always_deny; the one on the socket does.
    assert_eq!(access([127, 0, 0, 1]), Access { always_allow: true, authorize: true, ..none });
}

#[test]
fn what_is_not_loopback_is_refused() {
    for at in ["*:2025", "10.0.0.1:2025", "[::]:2025"] {
        let text = format!("Control_Listener {{ Listen \"{at}\" {{}} }}");
        let shown = at.replace('*', "0.0.0.0");
        check_told(&text, "not-loopback", &format!("consoles cannot be reached on {shown}"));
    }
}

#[test]
fn a_socket_twice_and_too_many_of_them_are_refused() {
    check_told(
        "Control_Listener { Listen 127.0.0.1:2025 {} Listen \"[::ffff:127.0.0.1]:2025\" {} Listen 127.0.0.1:02025 {} }",
        "duplicate-listen",
        "127.0.0.1:2025 is listened on twice",
    );
    let many = (0..17).fold(String::new(), |text, number| text + &format!("Listen /tmp/{number} {{}} "));
    check_told(&format!("Control_Listener {{ {many} }}"), "too-many-listens", "more than 16 `Listen` scopes");
}

#[test]
fn roles_keep_the_order_of_their_patterns() {
    let plan = good("Authorization { Role ops { allow = ( ^cluster ^drift$ ) } Role none {} }").control;
    let roles: Vec<_> = plan.roles.iter().map(|role| (role.name.as_str(), role.allow.len())).collect();
    assert_eq!(roles, [("ops", 2), ("none", 0)]);
    assert_eq!(plan.roles[0].allow[1].text(), "^drift$");
}

#[test]
fn a_pattern_that_is_none_is_told_with_its_place() {
    let text = "Authorization { Role ops { allow = ( ^ok \"(\" ) } }";
    let report = super::loaded(text, &super::environment()).unwrap_err();
    let fault = report.diagnostics().iter().next().unwrap();
    assert_eq!(fault.code, "bad-pattern");
    let at = report.files().position(fault.place.unwrap()).unwrap();
    assert_eq!((at.line, at.column), (1, 42));
}

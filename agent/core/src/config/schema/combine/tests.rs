//! Rules over several options, each with what breaks it and what does not.
use crate::config::{memory::load_files, schema::check};
use alloc::{format, string::String, vec::Vec};

/// Returns the codes of what is told, those left out that say that an option has no effect yet.
fn codes(text: &str) -> Vec<&'static str> {
    let (config, mut diagnostics) = load_files(&[("m", text)]);
    check(&config.scopes, &mut diagnostics);
    diagnostics.sort();
    diagnostics.iter().map(|told| told.code).filter(|code| *code != "no-effect").collect()
}

#[track_caller]
fn told(text: &str, expected: &[&str]) {
    assert_eq!(codes(text), expected, "{text}");
}

/// A cluster of two with a block of addresses, and what is said in other scopes.
fn cluster(more: &str) -> String {
    format!(
        "cluster {{ Topology 10.1.1.0/24 {{ interface = eth1 }} }}
         msgc_server {{ peers = [ mx1 = 192.168.0.10  mx2 = 192.168.0.11  mx9 = 192.168.0.19 ] }}
         Binding b1 {{ bind_address = 10.1.1.1  Enable_Duravip = true  Duravip_Preference = mx1 }}
         Binding b2 {{ bind_address = 10.1.1.2 }}
         {more}"
    )
}

fn listen(address: &str, options: &str) -> String {
    cluster(&format!("ESMTP_Listener {{ Listen \"{address}:25\" {{ {options} }} }}"))
}

/// Reference section 5.2, row by row.
#[test]
fn sockets_move_follow_or_stay_but_not_two_of_them() {
    told(&listen("10.1.1.3", ""), &[]);
    told(&listen("10.1.1.3", "Enable_Duravip = true"), &[]);
    told(&listen("10.1.1.3", "Duravip_Follow = b1"), &[]);
    told(&listen("10.1.1.3", "Duravip_Follow = 10.1.1.1"), &[]);
    told(&listen("10.1.1.3", "Enable_Duravip = true  Duravip_Follow = b1"), &["vip-follow-enabled"]);
    told(&listen("10.1.1.3", "Duravip_Follow = b1  Duravip_Preference = mx1"), &["vip-preference-unused"]);
    told(&listen("10.1.1.1", "Duravip_Follow = b1"), &["vip-follow-itself"]);
    told(&listen("10.1.1.3", "Duravip_Follow = b3"), &["vip-follow-target"]);
    told(&listen("10.1.1.3", "Duravip_Follow = 10.1.1.9"), &["vip-follow-target"]);
    told(&listen("10.1.1.3", "Duravip_Follow = b2"), &["vip-follow-still"]);
    // An example of the reference has a preference on an enabled socket.
    told(&listen("10.1.1.3", "Enable_Duravip = true  Duravip_Preference = mx2"), &[]);
    // The same address in a binding that moves and a socket that says nothing: both move.
    told(&listen("10.1.1.1", ""), &[]);
    told(&listen("10.1.1.1", "Enable_Duravip = true  Duravip_Preference = mx2"), &["vip-preferences-differ"]);
    told(&listen("10.1.1.1", "Duravip_Preference = mx1"), &[]);
    told(&listen("*", "Enable_Duravip = true"), &["vip-no-address"]);
}

#[test]
fn bindings_are_never_followers_and_sockets_never_targets() {
    let two = "ESMTP_Listener { Listen 10.1.1.3:25 { Enable_Duravip = true }
        Listen 10.1.1.4:25 { Duravip_Follow = 10.1.1.3 } }";
    told(&cluster(two), &["vip-follow-target"]);
    told(&cluster("Binding b3 { Duravip_Follow = b1 }"), &["unknown-option"]);
}

#[test]
fn a_preference_names_a_member_and_needs_something_that_moves() {
    let binding = |options: &str| cluster(&format!("Binding b3 {{ bind_address = 10.1.1.3 {options} }}"));
    told(&binding("Enable_Duravip = yes  Duravip_Preference = MX2"), &[]);
    told(&binding("Duravip_Preference = mx2"), &["vip-preference-unused"]);
    told(&binding("Enable_Duravip = yes  Duravip_Preference = mx3"), &["vip-preference-stranger"]);
    told(&cluster("Binding b3 { Enable_Duravip = yes }"), &["vip-no-address"]);
    told(&cluster("Binding_Group g { bind_address = 10.1.1.7  Binding b3 { Enable_Duravip = yes } }"), &[]);
}

/// Reference section 10.3, third and fourth warning.
#[test]
fn what_moves_lies_in_a_block_and_is_no_nodes_own_address() {
    let binding =
        |address: &str| cluster(&format!("Binding b3 {{ bind_address = {address} Enable_Duravip = on }}"));
    told(&binding("10.1.1.200"), &[]);
    told(&binding("10.1.2.1"), &["vip-no-topology"]);
    told(&binding("192.168.0.11"), &["vip-management"]);
    told(&binding("\"::ffff:192.168.0.11\""), &["vip-management"]);
    let homeless = (1..=9).fold(String::new(), |text, n| {
        text + &format!("Binding n{n} {{ bind_address = 10.9.9.{n} Enable_Duravip = 1 }}\n")
    });
    told(&cluster(&homeless), &["vip-no-topology"]);
}

#[test]
fn neither_of_two_nodes_takes_over_unless_each_side_may() {
    let two = |more: &str, moves: bool| {
        format!(
            "cluster {{ Topology 10.1.1.0/24 {{ interface = eth1 }} {more} }}
             msgc_server {{ peers = [ mx1 = 192.168.0.10  mx2 = 192.168.0.11 ] }}
             Binding b1 {{ bind_address = 10.1.1.1  Enable_Duravip = {moves} }}"
        )
    };
    told(&two("", true), &["vip-two-nodes"]);
    told(&two("duravip_partition = Quorum", true), &["vip-two-nodes"]);
    told(&two("duravip_partition = each_side", true), &[]);
    told(&two("", false), &[]);
    told(&cluster(""), &[]);
}

#[test]
fn nodes_that_are_each_alone_on_a_bus_share_no_addresses() {
    let solo = |more: &str, peers: &str, moves: bool| {
        format!(
            "cluster {{ bus_engine = Solo  Topology 10.1.1.0/24 {{ interface = eth1 }} {more} }}
             msgc_server {{ peers = [ mx1 = 192.168.0.10 {peers} ] }}
             Binding b1 {{ bind_address = 10.1.1.1  Enable_Duravip = {moves} }}"
        )
    };
    let (two, three) = ("mx2 = 192.168.0.11", "mx2 = 192.168.0.11  mx3 = 192.168.0.12");
    // That they are two is nothing to them.
    told(&solo("", two, true), &["vip-solo"]);
    told(&solo("", three, true), &["vip-solo"]);
    told(&solo("duravip_partition = each_side", three, true), &["vip-solo"]);
    told(&solo("", three, false), &[]);
    told(&solo("", "", true), &[]);
    let another = solo("", three, true).replace("Solo", "corosync");
    told(&another, &[]);
}

#[test]
fn no_more_addresses_move_than_a_node_looks_after() {
    let bindings = |count: usize| {
        (0..count).map(|n| {
            format!("Binding n{n} {{ bind_address = 10.1.{}.{} Enable_Duravip = true }}\n", n / 256, n % 256)
        })
    };
    let text = |count| {
        let bindings: String = bindings(count).collect();
        format!("cluster {{ Topology 10.1.0.0/16 {{ interface = eth1 }} }}\n{bindings}")
    };
    told(&text(crate::bounds::VIPS_MAX), &[]);
    told(&text(crate::bounds::VIPS_MAX + 1), &["too-many-vips"]);
}

#[test]
fn blocks_are_described_once_and_have_an_interface() {
    let topology = |text: &str| format!("cluster {{ {text} }}");
    told(&topology("Topology 10.1.1.0/24 { }"), &["topology-no-interface"]);
    told(
        &topology("Topology 10.1.1.0/24 { interface = a } Topology 10.1.1.9/24 { interface = b }"),
        &["topology-twice"],
    );
    told(&topology("Topology 10.1.1.0/24 { interface = a } Topology 10.1.0.0/16 { interface = b }"), &[]);
    told(&topology("Topology 10.1.1.0/24 { interface = a cidrmask = 33 }"), &["topology-mask"]);
    told(&topology("Topology \"fd00::/64\" { interface = a cidrmask = 128 }"), &[]);
}

#[test]
fn rules_are_bounded_whatever_the_file_holds() {
    let many = (0..300).fold(String::new(), |text, n| {
        text + &format!("Topology 10.{}.{}.0/24 {{ interface = a }}\n", n / 256, n % 256)
    });
    told(&format!("cluster {{ {many} }}"), &["too-many-blocks"]);
    let lost = (0..3_000).fold(String::new(), |text, n| {
        text + &format!(
            "Binding b{n} {{ }}\nESMTP_Listener {{ Listen 10.2.0.1:{} {{ Duravip_Follow = c{n} }} }}\n",
            n + 1
        )
    });
    let (config, mut diagnostics) = load_files(&[("m", &lost)]);
    check(&config.scopes, &mut diagnostics);
    assert_eq!(diagnostics.errors(), 3_000);
}

#[test]
fn one_address_a_step_is_slow_when_many_have_no_preference() {
    let set = "cluster { duravip_balance_set_size = 1 }";
    told(&cluster(set), &[]);
    let free = "Binding f1 { bind_address = 10.1.1.5 Enable_Duravip = 1 }
        Binding f2 { bind_address = 10.1.1.6 Enable_Duravip = 1 }";
    told(&cluster(free), &[]);
    told(&cluster(&format!("{set} {free}")), &["balance-set-of-one"]);
}

/// Reference sections 4.5, 4.6 and 10.3, sixth warning.
#[test]
fn a_limit_needs_the_object_it_is_compared_with() {
    let with = |objects: &str, limit: &str| {
        let scopes = objects
            .split_whitespace()
            .fold(String::new(), |text, name| text + &format!("Replicate {name} {{ }} "));
        format!("cluster {{ {scopes} }} {limit}")
    };
    for (limit, needed) in [
        ("Cluster_Max_Outbound_Connections = 5", "outbound_domains"),
        ("Binding b { Domain d { Cluster_Max_Outbound_Connections = 0 } }", "outbound_domains"),
        ("Host h { Cluster_Max_Outbound_Connections = 5 }", "outbound_cidr"),
        ("Binding_Group g { Cluster_Scope_Max_Outbound_Connections = 5 }", "outbound_binding_domains"),
        ("Cluster_Server_Max_Outbound_Connections = 5", "outbound_cidr"),
        ("Domain d { Cluster_Outbound_Throttle_Connections = 5 }", "OBTC"),
        ("Domain d { Cluster_Outbound_Throttle_Messages = 5/60 }", "OBTM"),
    ] {
        told(&with("inbound_cidr", limit), &["limit-without-object"]);
        told(&with(needed, limit), &[]);
        told(&with("own", &format!("cluster {{ Replicate own {{ class = {needed} }} }} {limit}")), &[]);
    }
    for unlimited in [
        "Cluster_Max_Outbound_Connections = -1",
        "Cluster_Outbound_Throttle_Messages = 0",
        "Max_Outbound_Connections = 5",
        "Outbound_Throttle_Messages = 5",
    ] {
        told(&with("inbound_cidr", unlimited), &[]);
    }
    // Without any scope, what the reference ships is replicated.
    told("Cluster_Max_Outbound_Connections = 5", &[]);
    told("Cluster_Outbound_Throttle_Messages = 5", &["limit-without-object"]);
}

#[test]
fn an_object_is_told_what_it_understands() {
    let object = |text: &str| format!("cluster {{ Replicate {text} }}");
    told(&object("metrics { parameters = \"connect; audit_series\" }"), &[]);
    told(&object("x { type = cache  parameters = snapshot  max_size = 5 }"), &[]);
    told(&object("metrics { parameters = snapshot }"), &["parameter-unused"]);
    told(&object("inbound_cidr { parameters = connect }"), &["parameter-unused"]);
    told(&object("outbound_cidr_g { class = outbound_cidr  binding_group = g }"), &[]);
    told(&object("inbound_cidr { binding_group = g }"), &["parameter-unused"]);
    told(&object("x { class = cache  type = metrics }"), &["class-differs"]);
}

#[test]
fn group_communication_agrees_with_itself() {
    let listener = "msgcserver_listener { Listen :4809 { } }";
    told(&format!("msgc_server {{ port = 4809 }} {listener}"), &[]);
    told(&format!("msgc_server {{ port = 4810 }} {listener}"), &["port-differs"]);
    told("msgc_server { port = 4810 }", &[]);
    told(
        "msgc_server { peers = [ mx1 = 10.0.0.1  Mx2 = 10.0.0.2  MX3 = 10.0.0.3 ] }",
        &["uppercase-peer", "uppercase-peer"],
    );
    told("msgc_server { idle_timeout = 5 }", &["keepalive-too-long"]);
    told("msgc_client { keepalive_interval = 30 }", &["keepalive-too-long"]);
    told("msgc_server { keepalive_interval = 60  idle_timeout = 300 }", &[]);
}

/// Reference sections 6.1 and 6.2.
#[test]
fn durable_logs_are_published_and_read() {
    let main = |uri: &str| format!("cluster {{ }} ec_logger x {{ mainlog = \"{uri}\" }}");
    told(&main("cluster:///var/log/ecelerity/mainlog.cluster=>master"), &[]);
    told(&main("jlog:///var/log/ecelerity/mainlog.cluster?subscribers=a,b"), &[]);
    told(&main("cluster:///var/log/ecelerity/mainlog.cluster"), &["log-without-subscriber"]);
    told(&main("cluster:///var/log/ecelerity/other=>master"), &["log-not-published"]);
    told(&main("/var/log/ecelerity/mainlog.ec"), &[]);
    told(&main("pipe:///bin/cat"), &[]);
    let twice = main("/var/log/x") + "ec_logger y { rejectlog = /var/log/x }";
    told(&twice, &["log-written-twice"]);
    // A host that is in no cluster publishes nothing.
    told("ec_logger x { mainlog = \"jlog:///var/log/x=>y\" }", &[]);
}

#[test]
fn changes_that_only_go_to_a_file_need_the_file() {
    told("Local_Changes_Only = true", &["no-changes-file"]);
    told("Local_Changes_Only = true  Local_Changes_File = /etc/x", &[]);
    told("Local_Changes_Only = false", &[]);
}

/// A rule reads what others have typed; what does not fit was reported once and counts as not set.
#[test]
fn a_value_that_does_not_fit_is_reported_once() {
    let all =
        "cluster { Topology x { cidrmask = y } logs = 5 Replicate r { class = x type = y parameters = z } }
        msgc_server { peers = x port = y keepalive_interval = z }
        Binding b { bind_address = x Enable_Duravip = y }
        ec_logger l { mainlog = x } Cluster_Max_Outbound_Connections = x Local_Changes_Only = y";
    let (config, mut diagnostics) = load_files(&[("m", all)]);
    check(&config.scopes, &mut diagnostics);
    let mut places: Vec<_> = diagnostics.iter().map(|told| told.place.map(|place| place.start)).collect();
    places.sort_unstable();
    assert!(
        places.is_sorted_by(|a, b| a < b),
        "{}",
        diagnostics.iter().map(|d| d.message.clone() + "\n").collect::<String>()
    );
}

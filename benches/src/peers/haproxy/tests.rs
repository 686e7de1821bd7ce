//! The peer works as its benchmark believes, at a small size.
use super::*;

fn nodes() -> Vec<Node> {
    (1..=3).map(Node::loopback).collect()
}

#[test]
fn the_configuration_names_every_other_node_and_none_twice() {
    let nodes = nodes();
    let text = configuration(&nodes[1], &nodes, 7001, Path::new("/run/x.sock"));
    assert!(text.contains("localpeer node2\n"), "{text}");
    assert!(text.contains("    bind 127.0.77.2:7001\n"), "{text}");
    assert!(text.contains("    server node2\n"), "{text}");
    assert!(text.contains("    server node3 127.0.77.3:7001\n"), "{text}");
    assert_eq!(text.matches("server node").count(), 3, "{text}");
}

#[test]
fn a_line_of_the_longest_hosts_fits_the_buffer() {
    let longest = format!("set table {TABLE} key {} data.gpc0 1000;", host(u32::MAX)).len();
    assert!(longest * (FILL_BATCH as usize) < 15_000, "{longest} bytes a command");
}

#[test]
fn three_nodes_replicate_teach_and_go_away() {
    if version().is_err() {
        eprintln!("SKIP haproxy peer: not installed ('script/bootstrap --bench' installs it)");
        return;
    }
    let mut cluster = Cluster::start(&nodes()).unwrap();
    let latency = cluster.visible_latency(20).unwrap();
    assert_eq!(latency.count(), 20);
    let memory = cluster.memory_per_entry(2_000).unwrap();
    assert!(memory.entries == 2_000 && memory.writer > 0.0, "{memory:?}");
    let times = cluster.teach(3_000).unwrap();
    assert!(times.entries >= 3_000 && times.from_answer <= times.from_start, "{times:?}");
    let pids: Vec<_> = cluster.members.iter().map(|member| member.child.id()).collect();
    drop(cluster);
    for pid in pids {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "process {pid} is still there");
    }
}

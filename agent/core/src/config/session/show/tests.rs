//! What people read.
use super::*;
use crate::config::memory::load_files;

const TEXT: &str = "\
CLUSTER { NodeName = mx1 inbound_ports = ( 25 587 ) replicate \"inbound_cidr\" { max_delay = \"0.5\" } }
Control_Listener { Listen \"127.0.0.1:2025\" { x = 1 } Listen \"/tmp/2025\" { } }
";

#[test]
fn a_scope_shows_its_options_and_which_scopes_are_inside() {
    let scopes = load_files(&[("m", TEXT)]).0.scopes;
    let cluster = scopes.root().scope("cluster", None).unwrap();
    assert_eq!(
        view(cluster, &scopes, false).text(),
        "cluster {\n  nodename = mx1\n  inbound_ports = ( 25 587 )\n  Replicate \"inbound_cidr\" { ... }\n}\n"
    );
    assert_eq!(
        view(scopes.root(), &scopes, true).text(),
        "\
cluster {
  nodename = mx1
  inbound_ports = ( 25 587 )
  Replicate \"inbound_cidr\" {
    max_delay = 0.5
  }
}
Control_Listener {
  Listen \"127.0.0.1:2025\" {
    x = 1
  }
  Listen \"/tmp/2025\" { }
}
"
    );
}

#[test]
fn what_is_shown_whole_can_be_loaded() {
    let scopes = load_files(&[("m", TEXT)]).0.scopes;
    let shown = view(scopes.root(), &scopes, true).text();
    let again = load_files(&[("m", &shown)]).0.scopes;
    assert_eq!(view(again.root(), &again, true).text(), shown);
    assert_eq!(view(again.root(), &again, true).items(), view(scopes.root(), &scopes, true).items());
}

#[test]
fn paths_escape_the_colons_of_instances() {
    let scopes = load_files(&[("m", TEXT)]).0.scopes;
    let paths = |name: &str, part: &str| -> Vec<String> {
        let found = locate(&scopes, name, &mut |instance| instance.contains(part));
        found.into_iter().map(|(path, _)| path).collect()
    };
    assert_eq!(paths("listen", "127"), [r"Control_Listener::Listen:127.0.0.1\:2025:"]);
    assert_eq!(paths("LISTEN", "").len(), 2);
    assert_eq!(paths("cluster", ""), ["cluster::"]);
}

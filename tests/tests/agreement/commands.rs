//! Commands that go around: `convoy --all` on a node, `broadcast` and `retrieve` on a manager.
use crate::site::{BOUND, Site};
use anyhow::Result;
use lab::{Signal, require, until};

#[test]
fn a_console_prints_what_the_reference_prints() -> Result<()> {
    require!("corosync");
    let mut site = Site::up(2, true)?;
    let (one, two) = (site.pid(1)?, site.pid(2)?);
    let address = |host: usize| format!("{}:4802", site.lab.host(host).v4());
    let leader = site.view(1)?["leader"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        site.console(1, "cluster info")?,
        format!(
            "Daemon: corosync [m:#ec0-{one}#mta1,s:#ec1-{one}#mta1]\nControl Group: ec_console\n\
             Cluster Group: ec_cluster ({leader} is leader)\nLogger Group: none\n"
        )
    );
    let version = env!("CARGO_PKG_VERSION");
    let node = |pid: u32, host: usize| {
        format!(
            "Private Name: #ec0-{pid}#mta{host}\nNode Name: mta{host}\nSubcluster: default\nNode Type: Momentum\n\
             Version: {version}\nAddress: {}\nGroups: ec_cluster,ec_console,ec_sc_default\n",
            address(host)
        )
    };
    let manager = format!(
        "Private Name: #mta3#mta3\nNode Name: (Null)\nSubcluster: (Null)\nNode Type: Manager\nVersion: {version}\n\
         Address: 0.0.0.0:0\nGroups: ec_cluster\n"
    );
    let expected = format!("{}\n{}\n{manager}", node(one, 1), node(two, 2));
    assert_eq!(site.console(1, "cluster membership")?, expected);
    assert_eq!(site.console(2, "CLUSTER nodename")?, "mta2\n");
    assert_eq!(site.console(2, "cluster nodeaddr")?, format!("{}\n", address(2)));
    assert_eq!(
        site.console(1, "cluster shared list")?,
        "Currently managed objects:\n                  inbound_cidr [lazy, cidrtree w/ snapshots]\n                 \
         outbound_cidr [lazy, cidrtree w/ snapshots]\n"
    );
    let shown = site.console(1, "cluster shared show inbound_cidr from mta2")?;
    assert_eq!(shown, format!("lazy, snapped cidrtree 'inbound_cidr', view '#ec1-{two}#mta2'\n"));
    assert!(site.console(1, "xml cluster nodename")?.contains("<nodename>mta1</nodename>"));
    assert!(site.console_refuses(3, "cluster info")?.contains("`broadcast cluster info`"));
    assert!(site.console_refuses(1, "broadcast version")?.contains("for managers"));
    Ok(())
}

#[test]
fn every_node_answers_any_node_and_silent_ones_are_named() -> Result<()> {
    require!("corosync");
    let mut site = Site::up(3, false)?;
    let all = site.lab.host(2).convoy_json(&["--all", "status"])?;
    let answers = all["answers"].as_array().cloned().unwrap_or_default();
    let names = answers.iter().map(|answer| answer["answer"]["node"].as_str()).collect::<Vec<_>>();
    assert_eq!(names, [Some("mta1"), Some("mta2"), Some("mta3")], "{all}");
    // A host that stands still is a member until its token is missed; the command does not wait for longer than it is told.
    site.agent(3)?.process().kill(Signal::STOP)?;
    let output = site.lab.host(1).convoy(&["--all", "--within", "0.5", "status"])?;
    site.agent(3)?.process().kill(Signal::CONT)?;
    let text = String::from_utf8(output.stdout)?;
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("! mta3: no answer in time"), "{text}");
    Ok(())
}

#[test]
fn every_command_asks_all_nodes_or_says_why_not() -> Result<()> {
    require!("corosync");
    let site = Site::up(2, false)?;
    let all = |words: &[&str]| -> Result<(Option<i32>, String)> {
        let output = site.lab.host(1).convoy(&[&["--all"], words].concat())?;
        let text = String::from_utf8([output.stdout, output.stderr].concat())?;
        Ok((output.status.code(), text))
    };
    let asked: [&[&str]; 12] = [
        &["status"],
        &["membership"],
        &["view"],
        &["drift"],
        &["shared", "list"],
        &["shared", "show", "inbound_cidr"],
        &["shared", "query", "inbound_cidr", "10.0.0.0/8"],
        &["shared", "top", "inbound_cidr"],
        &["config", "show", "cluster"],
        &["config", "showrecurse"],
        &["config", "locate", "Listen"],
        &["config", "eval", "cluster", "view_mature_time"],
    ];
    for words in asked {
        let (code, text) = all(words)?;
        assert!(code == Some(0) && text.contains("mta1") && text.contains("mta2"), "{words:?}: {text}");
    }
    let (_, text) = all(&["config", "get", "cluster", "nodename"])?;
    assert_eq!(text, "--- mta1\nmta1\n\n--- mta2\nmta2\n");
    let (code, text) = all(&["config", "get", "cluster", "audit_interval"])?;
    assert_eq!((code, text.matches("is not set in scope 'cluster'").count()), (Some(1), 2), "{text}");
    let (code, text) = all(&["config", "set", "cluster", "view_mature_time", "7"])?;
    assert!(code == Some(0) && text.matches("view_mature_time = 7 (was not set)").count() == 2, "{text}");
    let json = site.lab.host(2).convoy_json(&["--all", "config", "eval", "cluster", "view_mature_time"])?;
    assert_eq!(json["answers"][0]["answer"]["value"], "7", "{json}");
    let (code, text) = all(&["config", "reload"])?;
    assert!(
        code == Some(0) && text.matches("changes that were not written back are dropped").count() == 2,
        "{text}"
    );
    Ok(())
}

#[test]
fn an_answer_that_is_too_long_for_the_bus_is_told_as_that_and_the_others_stand() -> Result<()> {
    require!("corosync");
    let site = Site::up(2, false)?;
    let bindings: String = (0..12_000).fold(String::new(), |text, n| {
        text + &format!("Binding \"a_binding_with_a_name_of_some_length_{n}\" {{ }}\n")
    });
    let config = site.lab.host(2).bus_config() + &bindings;
    site.lab.host(2).write_config(&config)?;
    assert!(site.lab.host(2).convoy(&["config", "reload"])?.status.success());
    let output = site.lab.host(1).convoy(&["--all", "config", "showrecurse"])?;
    let text = String::from_utf8(output.stdout)?;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.contains("--- mta1\ncluster {") && text.contains("too many for the bus; ask on the node"),
        "{text}"
    );
    Ok(())
}

#[test]
fn a_manager_has_commands_carried_out_and_collects_the_answers() -> Result<()> {
    require!("corosync");
    let site = Site::up(2, true)?;
    assert!(site.console_refuses(3, "retrieve cluster nodename")?.contains("was not broadcast"));
    assert_eq!(site.console(3, "broadcast cluster nodename")?, "sent to mta1, mta2; see: retrieve\n");
    until("both answers", BOUND, || {
        let text = site.console(3, "retrieve cluster nodename")?;
        Ok((text.contains("old):\nmta1\n") && text.contains("old):\nmta2\n")).then_some(()))
    })?;
    let one = site.console(3, "retrieve_node mta2 cluster nodename")?;
    assert!(one.contains("mta2 (") && !one.contains("mta1"), "{one}");
    site.console(3, "subcluster broadcast default config set cluster view_mature_time = 7")?;
    for host in 1..=2 {
        until("the change", BOUND, || {
            let value = site.console(host, "config eval cluster view_mature_time")?;
            Ok(value.contains("view_mature_time = 7").then_some(()))
        })?;
    }
    let none = site.console_refuses(3, "unicast mta9 version")?;
    assert!(none.contains("no member is called \"mta9\""), "{none}");
    assert!(site.console(3, "show cluster membership")?.contains("<node_type>Manager</node_type>"));
    let info = site.console(3, "info")?;
    assert!(info.contains("of 2 nodes and 1 managers"), "{info}");
    assert!(info.contains("Control Cache: answers to 2 commands, 0 dropped for want of room"), "{info}");
    site.console(3, "flush control cache")?;
    assert!(site.console_refuses(3, "retrieve cluster nodename")?.contains("was not broadcast"));
    Ok(())
}

#[test]
fn what_a_manager_collected_outlives_it_where_control_cache_says() -> Result<()> {
    require!("corosync");
    let mut site = Site::up(1, true)?;
    let path = site.lab.host(2).dir().join("control.cache");
    let config =
        site.lab.host(2).bus_config() + &format!("Logs {{ control_cache = \"{}\" }}\n", path.display());
    site.lab.host(2).write_config(&config)?;
    site.end(2, Signal::TERM)?;
    site.start(2)?;
    site.wait_for_view(&[1, 2])?;
    site.console(2, "broadcast cluster nodename")?;
    until("its answer on disk", BOUND, || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        Ok(text.contains("\"node\":\"mta1\",\"code\":0").then_some(()))
    })?;
    // Killed: nothing is written at the end that was not written before.
    site.end(2, Signal::KILL)?;
    site.start(2)?;
    let kept = site.console(2, "retrieve cluster nodename")?;
    assert!(kept.contains("old):\nmta1\n"), "{kept}");
    site.console(2, "flush control cache")?;
    site.end(2, Signal::TERM)?;
    site.start(2)?;
    assert!(site.console_refuses(2, "retrieve cluster nodename")?.contains("was not broadcast"));
    Ok(())
}

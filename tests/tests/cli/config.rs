//! `convoy config`: what is typed and what comes back, as transcripts in `golden/config/`; see `golden.rs` for how to keep a
//! change that is meant.
mod documented;
mod render;

use crate::program::program;
use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// A directory with a configuration, in which commands are typed.
struct Shell {
    dir: TempDir,
    transcript: String,
}

const MAIN: &str = "\
# The main file of mx1.
cluster {
  cluster_group = \"ec_cluster\"     # all nodes
  inbound_ports = ( 25 587 )
  Replicate \"inbound_cidr\" {
    max_delay = 0.05               /* seconds */
  }
}
ECCluster_Listener { Listen \"*:4802\" { } Listen \"127.0.0.1:4803\" { } }
include \"peers.conf\"
";
const PEERS: &str = "\
msgc_server {
  peers = [
    mx1 = \"192.0.2.1\"    # Berlin
    mx2 = \"192.0.2.2\"    # Paris
  ]
}
";

impl Shell {
    fn new() -> Self {
        let shell = Self { dir: TempDir::new().unwrap(), transcript: String::new() };
        shell.write("main.conf", MAIN);
        shell.write("peers.conf", PEERS);
        shell
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.args(words).current_dir(self.dir.path()).env_clear();
        command.env("EC_NODE_NAME", "mx1").env("EC_CONF_SEARCH_PATH", "/nowhere").env("LANG", "C");
        command.output().unwrap()
    }

    /// Types a command and notes what comes back.
    fn type_in(&mut self, words: &[&str]) {
        let output = self.run(words);
        let typed: Vec<_> = words.iter().map(|word| in_quotes(word)).collect();
        writeln!(self.transcript, "$ convoy {}", typed.join(" ")).unwrap();
        self.transcript.push_str(std::str::from_utf8(&output.stdout).unwrap());
        self.transcript.push_str(std::str::from_utf8(&output.stderr).unwrap());
        if !output.status.success() {
            writeln!(self.transcript, "[{}]", output.status.code().unwrap()).unwrap();
        }
        self.transcript.push('\n');
    }

    /// Types commands about the main file.
    fn offline(&mut self, commands: &[&[&str]]) {
        for words in commands {
            self.type_in(&[&["config", "--file", "main.conf"], *words].concat());
        }
    }

    fn check(&self, name: &str) {
        check(name, &self.transcript);
    }
}

fn in_quotes(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:^".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/golden/config").join(name)
}

fn check(name: &str, text: &str) {
    let path = golden(name);
    let text = text.trim_end().to_owned() + "\n";
    if env::var_os("CONVOY_WRITE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} reads\n{text}\ninstead of\n{expected}");
}

const DELAY: [&str; 4] = ["cluster", "Replicate", "inbound_cidr", "max_delay"];

#[test]
fn a_look_at_a_configuration() {
    let mut shell = Shell::new();
    shell.offline(&[
        &["show"],
        &["show", "cluster"],
        &["show", "cluster", "Replicate"],
        &["show", "cluster", "cluster_group"],
        &["showrecurse", "msgc_server"],
        &[&["get"][..], &DELAY].concat(),
        &["get", "CLUSTER", "replicate \"inbound_cidr\"", "MAX_DELAY"],
        &["get", "cluster", "inbound_ports"],
        &["get", "msgc_server", "peers"],
        &["get", "cluster", "nodename"],
        &["eval", "cluster", "nodename"],
        &["eval", "cluster", "heartbeats_per_sec"],
        &["eval", "cluster", "outbound_ports"],
        &["locate", "Listen"],
        &["locate", "Listen", "^127"],
        &["locate", "Listen", "^10"],
    ]);
    shell.check("look.txt");
}

#[test]
fn mistakes_say_what_to_do() {
    let mut shell = Shell::new();
    shell.offline(&[
        &["get", "clutser", "nodename"],
        &["get", "cluster", "Replicate", "max_delay"],
        &["get", "cluster"],
        &["show", "cluster", "nodenam"],
        &["show", "msgc_client"],
        &["set", "cluster", "nodename"],
        &["set", "cluster", "nodename", "two", "words"],
        &["set", "cluster", "inbound_ports", "( 25"],
        &["unset"],
        &["unset", "cluster", "Replicate"],
        &["unset", "cluster", "nodename"],
        &["locate", "Listen", "("],
        &["begin"],
    ]);
    shell.type_in(&["config", "--file", "nowhere.conf", "show"]);
    shell.type_in(&["config", "begin", "afresh"]);
    shell.check("mistakes.txt");
}

#[test]
fn a_change_keeps_comments_and_layout() {
    let mut shell = Shell::new();
    shell.offline(&[
        &[&["set"][..], &DELAY, &["=", "0.5"]].concat(),
        &[&["set"][..], &DELAY, &["0.5"]].concat(),
        &["set", "cluster", "heartbeats_per_sec=5"],
        &["set", "cluster", "inbound_ports", "( 25 465 587 )"],
        &["set", "cluster", "Replicate", "outbound_cidr", "max_size", "=", "-1"],
        &["set", "msgc_server", "peers", "[ mx1 = 192.0.2.1  mx2 = 192.0.2.9  mx3 = 192.0.2.3 ]"],
        &["set", "cluster", "nodename", "mx1"],
        &["unset", "ECCluster_Listener", "Listen", "127.0.0.1:4803"],
        &["unset", "cluster", "cluster_group"],
    ]);
    let (main, peers) = (shell.read("main.conf"), shell.read("peers.conf"));
    write!(shell.transcript, "--- main.conf ---\n{main}\n--- peers.conf ---\n{peers}").unwrap();
    shell.check("change.txt");
}

#[test]
fn a_change_that_is_refused_leaves_the_files_alone() {
    let mut shell = Shell::new();
    shell.offline(&[&[&["set"][..], &DELAY, &["never"]].concat(), &["set", "cluster", "nodename", "a=b"]]);
    shell.type_in(&["--json", "config", "--file", "main.conf", "set", "cluster", "heartbeats_per_sec", "0"]);
    shell.check("refused.txt");
    assert_eq!((shell.read("main.conf").as_str(), shell.read("peers.conf").as_str()), (MAIN, PEERS));
}

#[test]
fn json_has_one_shape_for_each_command() {
    let mut shell = Shell::new();
    for words in [
        &[&["get"][..], &DELAY].concat()[..],
        &["get", "cluster", "nodename"],
        &["eval", "cluster", "outbound_ports"],
        &["show", "cluster"],
        &["showrecurse", "msgc_server"],
        &["locate", "Listen"],
        &[&["set"][..], &DELAY, &["0.5"]].concat(),
        &["unset", "cluster", "Replicate", "inbound_cidr"],
        &["begin"],
    ] {
        shell.type_in(&[&["--json", "config", "--file", "main.conf"], words].concat());
    }
    shell.check("json.txt");
}

#[test]
fn check_says_all_that_is_wrong_with_several_files() {
    let mut shell = Shell::new();
    shell.write(
        "bad.conf",
        "cluster {\n  heartbeats_per_sec = ten\n  inbound_ports = 25,\n}\ninclude \"worse.conf\"\n",
    );
    shell.write("worse.conf", "msgc_server {\n  peers = [ mx2 = \"192.0.2.2\" ]\n");
    shell.type_in(&["config", "check", "main.conf"]);
    shell.type_in(&["config", "check", "main.conf", "bad.conf", "nowhere.conf"]);
    shell.type_in(&["--json", "config", "check", "main.conf", "bad.conf"]);
    shell.type_in(&["config", "check"]);
    shell.check("check.txt");
}

#[test]
fn an_edited_file_keeps_its_mode_and_nothing_is_left_beside_it() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let shell = Shell::new();
    let path = shell.dir.path().join("main.conf");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o604)).unwrap();
    let output = shell.run(&[&["config", "--file", "main.conf", "set"][..], &DELAY, &["1"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o604);
    assert_eq!(fs::read_dir(shell.dir.path()).unwrap().count(), 2);
    assert_eq!(shell.read("main.conf"), MAIN.replace("0.05 ", "1 "));
}

#[test]
fn without_a_daemon_the_other_commands_end_with_3() {
    let shell = Shell::new();
    let run_dir = shell.dir.path().join("run");
    for words in [&["begin"][..], &["commit"], &["reload"], &["writeback"], &["get", "cluster", "nodename"]] {
        let output = shell.run(&[&["--run-dir", run_dir.to_str().unwrap(), "config"], words].concat());
        assert_eq!(output.status.code(), Some(3), "{words:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("no convoyd answers"), "{words:?}");
    }
}

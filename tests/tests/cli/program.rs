//! The program itself, where there is no daemon, or one that does not behave.
use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread::{self, JoinHandle},
};
use tempfile::TempDir;

/// Returns the client under test: `CONVOY`, or the one beside this program's directory.
pub(crate) fn program() -> PathBuf {
    if let Some(path) = env::var_os("CONVOY") {
        return path.into();
    }
    let running = env::current_exe().unwrap();
    let found = running.ancestors().map(|dir| dir.join("convoy")).find(|path| path.is_file());
    found.expect("no convoy near this test: cargo build -p convoy-agent, or set CONVOY")
}

fn run(run_dir: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(words).env("CONVOY_RUN_DIR", run_dir).env_remove("LC_ALL").env("LANG", "C");
    command.output().unwrap()
}

/// Checks that a run fails with `code`, one line on standard error that contains `says`, and nothing else.
fn check_failure(run_dir: &Path, words: &[&str], code: i32, says: &str) {
    let output = run(run_dir, words);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {error}");
    assert!(output.stdout.is_empty());
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("convoy: ") && error.contains(says), "{error}");
}

/// A daemon that gives `answer` to the first question of one client, whatever it is, and hangs up.
fn daemon(answer: &'static [u8]) -> (TempDir, JoinHandle<String>) {
    let dir = TempDir::new().unwrap();
    let listener = UnixListener::bind(dir.path().join("convoyd.sock")).unwrap();
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut question = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut question).unwrap();
        stream.write_all(answer).unwrap();
        question
    });
    (dir, thread)
}

#[test]
fn without_a_daemon_it_says_where_it_looked_and_ends_with_3() {
    let dir = TempDir::new().unwrap();
    let socket = dir.path().join("convoyd.sock");
    check_failure(dir.path(), &["status"], 3, &format!("no convoyd answers on {}", socket.display()));
    check_failure(dir.path(), &["--json", "drift"], 3, "--run-dir");
    check_failure(Path::new("/dev/null/nowhere"), &["membership"], 3, "no convoyd answers");
}

#[test]
fn a_socket_that_a_dead_daemon_left_is_no_daemon() {
    let dir = TempDir::new().unwrap();
    drop(UnixListener::bind(dir.path().join("convoyd.sock")).unwrap());
    check_failure(dir.path(), &["status"], 3, "start it");
}

#[test]
fn wrong_words_end_with_2_and_ask_nothing() {
    let dir = TempDir::new().unwrap();
    check_failure(dir.path(), &["sattus"], 2, "'status'");
    check_failure(dir.path(), &["shared", "show"], 2, "<OBJECT>");
    check_failure(dir.path(), &["shared", "query", "inbound_cidr", "10.0.0.0/33"], 2, "exceeds 32 bits");
    check_failure(dir.path(), &["shared", "top", "inbound_cidr", "--bits", "129"], 2, "129");
    check_failure(dir.path(), &["shared", "top", "inbound_cidr", "--limit", "0"], 2, "--limit");
    // What is no question for all nodes is refused, not asked of one.
    check_failure(dir.path(), &["--all", "console", "version"], 2, "`broadcast` has all nodes carry");
    check_failure(dir.path(), &["--all", "config", "begin"], 2, "a transaction is one node's");
    check_failure(dir.path(), &["--all", "config", "commit"], 2, "a transaction is one node's");
    check_failure(dir.path(), &["--all", "config", "check", "/x"], 2, "reads files of this host");
    check_failure(dir.path(), &["--all", "config", "--file", "/x", "show"], 2, "leave --all or --file out");
    check_failure(dir.path(), &["--all", "config", "--session", "x", "show"], 2, "a session is one node's");
    check_failure(dir.path(), &["--within", "1", "status"], 2, "--all");
    let bare = Command::new(program()).env_remove("CONVOY_RUN_DIR").output().unwrap();
    assert_eq!(bare.status.code(), Some(2));
    assert!(String::from_utf8(bare.stderr).unwrap().contains("Exit codes:"));
}

#[test]
fn help_and_version_are_no_failures() {
    let dir = TempDir::new().unwrap();
    for words in [&["--help"][..], &["--version"], &["shared", "show", "--help"]] {
        let output = run(dir.path(), words);
        assert_eq!(output.status.code(), Some(0));
        assert!(!output.stdout.is_empty() && output.stderr.is_empty());
    }
}

#[test]
fn a_refused_question_ends_with_1_and_the_daemons_words() {
    let (dir, daemon) = daemon(b"{\"error\":\"there is no object \\\"x\\\"; there are inbound_cidr\"}\n");
    check_failure(dir.path(), &["shared", "show", "x"], 1, "there is no object \"x\"");
    assert_eq!(daemon.join().unwrap(), "{\"ask\":\"shared show\",\"object\":\"x\",\"from\":null}\n");
}

#[test]
fn a_daemon_that_turns_it_away_before_it_asks_is_heard() {
    let dir = TempDir::new().unwrap();
    let listener = UnixListener::bind(dir.path().join("convoyd.sock")).unwrap();
    let daemon = thread::spawn(move || {
        // Many, because the client sometimes writes before this side has closed.
        for _ in 0..20 {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"{\"error\":\"too many control clients\"}\n").unwrap();
        }
    });
    for _ in 0..20 {
        check_failure(dir.path(), &["status"], 1, "too many control clients");
    }
    daemon.join().unwrap();
}

#[test]
fn a_daemon_that_hangs_up_or_talks_nonsense_ends_with_3() {
    let (dir, _daemon) = daemon(b"");
    check_failure(dir.path(), &["status"], 3, "broke off");
    let (dir, _daemon) = daemon(b"{\"pong\":1}\n");
    check_failure(dir.path(), &["status"], 3, "use the convoy of the daemon's version");
}

#[test]
fn json_is_the_daemons_line_as_it_is() {
    let (dir, _daemon) =
        daemon(b"{\"inbound\":0,\"outbound\":0,\"audits\":3,\"repaired\":0,\"later\":[1]}\n");
    let output = run(dir.path(), &["drift", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"{\"inbound\":0,\"outbound\":0,\"audits\":3,\"repaired\":0,\"later\":[1]}\n");
}

#[test]
fn fields_that_a_later_daemon_adds_do_not_disturb_the_text() {
    let (dir, _daemon) =
        daemon(b"{\"inbound\":0,\"outbound\":0,\"audits\":3,\"repaired\":0,\"later\":[1]}\n");
    let output = run(dir.path(), &["drift"]);
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("off by 0 inbound, 0 outbound"));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let dir = TempDir::new().unwrap();
    let listener = UnixListener::bind(dir.path().join("convoyd.sock")).unwrap();
    let daemon = thread::spawn(move || answer_with_a_large_tree(&mut listener.accept().unwrap().0));
    let mut client = Command::new(program())
        .args(["shared", "show", "inbound_cidr"])
        .env("CONVOY_RUN_DIR", dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut start = [0; 12];
    client.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let output = client.wait_with_output().unwrap();
    assert_eq!((&start, output.status.code(), &*output.stderr), (b"inbound_cidr", Some(0), &b""[..]));
    daemon.join().unwrap();
}

/// More than a pipe and all buffers on the way hold.
fn answer_with_a_large_tree(stream: &mut UnixStream) {
    let mut question = String::new();
    BufReader::new(stream.try_clone().unwrap()).read_line(&mut question).unwrap();
    let host =
        |n: u32| format!("{{\"prefix\":\"10.0.{}.{}/32\",\"current\":1,\"total\":1}}", n / 256, n % 256);
    let hosts = (0..60_000).map(host).collect::<Vec<_>>().join(",");
    writeln!(
        stream,
        "{{\"object\":\"inbound_cidr\",\"kind\":\"cidrtree\",\"view\":\"global\",\"entries\":[{hosts}]}}"
    )
    .unwrap();
}

//! The console on a terminal: what Ctrl-C, Ctrl-D, a pager, and a daemon that is started anew do there.
use crate::{BOUND, CLIENT_WITHIN, logged, one};
use anyhow::{Context as _, Result, ensure};
use lab::{Binaries, Host, Signal, require, until};
use std::{fs, path::PathBuf};

#[test]
fn ctrl_c_ends_the_command_that_runs_and_not_the_console() -> Result<()> {
    require!("tmux");
    let (lab, mut agent) = one("")?;
    let terminal = Terminal::open(lab.host(1))?;
    terminal.enter("cluster nodename")?;
    terminal.wait_for("\nmta1\n")?;
    agent.process().kill(Signal::STOP)?;
    terminal.start("cluster info")?;
    terminal.key("C-c")?;
    terminal.wait_for("\nconvoy: interrupted\n")?;
    terminal.wait_for_prompt()?;
    // What changes something may have been done by then.
    terminal.start("config set cluster debug_level = DEBUG")?;
    terminal.key("C-c")?;
    terminal.wait_for(
        "convoy: interrupted; `config set cluster debug_level = DEBUG` may or may not have been carried out, see: \
         config show",
    )?;
    agent.process().kill(Signal::CONT)?;
    terminal.wait_for_prompt()?;
    terminal.enter("cluster nodeaddr")?;
    terminal.wait_for(":4802\n")?;
    ensure!(!terminal.screen()?.contains("reattached"), "it is the same daemon");
    // While a line is typed it drops that.
    terminal.type_in("half a line")?;
    terminal.wait_for("half a line")?;
    terminal.key("C-c")?;
    terminal.enter("quit")?;
    terminal.wait_for("left with 0")
}

#[test]
fn a_daemon_that_is_started_anew_is_attached_to_and_nothing_is_done_twice() -> Result<()> {
    require!("tmux");
    let (lab, mut agent) = one("")?;
    let terminal = Terminal::open(lab.host(1))?;
    terminal.enter("cluster nodename")?;
    terminal.wait_for("\nmta1\n")?;
    agent.process().kill(Signal::KILL)?;
    agent.process().wait(BOUND)?;
    terminal.enter("cluster nodename")?;
    terminal.wait_for("no convoyd answers on")?;
    let mut agent = lab.host(1).start_agent()?;
    for _ in 0..2 {
        terminal.enter("cluster nodename")?;
    }
    let pid = agent.process().pid();
    terminal.wait_for(&format!("convoy: reattached to mta1 (pid {pid})\nmta1\n"))?;
    // It dies with a change under way, and another one is there before the console knows.
    agent.process().kill(Signal::STOP)?;
    terminal.start("config set cluster debug_level = DEBUG")?;
    agent.process().kill(Signal::KILL)?;
    agent.process().wait(BOUND)?;
    terminal.wait_for("debug_level = DEBUG` may or may not have been carried out, see: config show")?;
    let mut agent = lab.host(1).start_agent()?;
    terminal.wait_for_prompt()?;
    terminal.enter("cluster reset")?;
    logged(&mut agent, &["command done", "cluster reset"])?;
    let log = fs::read_to_string(agent.process().log())?;
    ensure!(!log.contains("config set"), "it was sent again: {log}");
    let said = terminal.screen()?;
    ensure!(said.matches("reattached to mta1").count() == 2, "{said}");
    Ok(())
}

#[test]
fn a_pager_shows_what_is_longer_than_the_screen_and_ctrl_d_leaves() -> Result<()> {
    require!("tmux", "less");
    let (lab, _agent) = one("")?;
    let terminal = Terminal::open(lab.host(1))?;
    terminal.enter("\\pager")?;
    terminal.wait_for("answers longer than the screen are shown in less")?;
    terminal.enter("cluster nodename")?;
    terminal.wait_for("\nmta1\n")?;
    terminal.enter("help")?;
    // less shows a colon below what it shows first.
    terminal.wait_for("\n:")?;
    terminal.key("q")?;
    terminal.wait_for_prompt()?;
    terminal.enter("\\pager")?;
    terminal.wait_for("answers are printed")?;
    terminal.key("C-d")?;
    terminal.wait_for("left with 0")
}

/// A terminal in which a console runs.
struct Terminal<'a> {
    host: &'a Host,
    socket: PathBuf,
}

impl<'a> Terminal<'a> {
    /// Opens one, and waits for the prompt.
    fn open(host: &'a Host) -> Result<Self> {
        let terminal = Self { host, socket: host.dir().join("tmux") };
        let convoy = Binaries::find()?.convoy;
        let (convoy, run_dir) = (convoy.to_str().context("UTF-8")?.to_owned(), host.run_dir());
        let run_dir = run_dir.to_str().context("UTF-8")?;
        // The shell stays when Ctrl-C reaches it too.
        let script = r#"trap : INT; "$0" --run-dir "$1" console; echo "left with $?"; exec cat"#;
        let size = ["new-session", "-d", "-x", "200", "-y", "24"];
        terminal.tmux(&[&size[..], &["sh", "-c", script, &convoy, run_dir]].concat())?;
        terminal.wait_for("# convoyd version: ")?;
        terminal.wait_for_prompt()?;
        Ok(terminal)
    }

    fn tmux(&self, words: &[&str]) -> Result<String> {
        let launch = self.host.launch("tmux").env("HOME", self.host.dir()).env("PAGER", "").env("LESS", "");
        let launch = launch.args(["-u", "-f", "/dev/null", "-S"]).arg(&self.socket).args(words);
        let output = launch.run(CLIENT_WITHIN)?;
        ensure!(output.status.success(), "tmux {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    fn key(&self, key: &str) -> Result<()> {
        self.tmux(&["send-keys", key]).map(drop)
    }

    fn type_in(&self, text: &str) -> Result<()> {
        self.tmux(&["send-keys", "-l", text]).map(drop)
    }

    /// Enters a line, and waits until it was taken: what is typed before that would be part of it, or of the screen.
    fn enter(&self, line: &str) -> Result<()> {
        self.wait_for_prompt()?;
        self.type_in(line)?;
        let is_last = || Ok(self.screen()?.trim_end().ends_with(&format!("{PROMPT} {line}")));
        self.wait_until("the line", is_last)?;
        self.key("Enter")?;
        // The cursor goes below the line, or something else is the last one on the screen.
        self.wait_until("the line to be taken", || Ok(self.column()? == "0" || !is_last()?))
    }

    /// Enters a line whose command does not end by itself.
    fn start(&self, line: &str) -> Result<()> {
        self.enter(line)?;
        self.wait_until("the command to run", || Ok(self.column()? == "0"))
    }

    fn is_at_prompt(&self) -> Result<bool> {
        Ok(self.screen()?.trim_end().ends_with(PROMPT))
    }

    fn wait_for_prompt(&self) -> Result<()> {
        self.wait_until("a prompt", || self.is_at_prompt())
    }

    fn wait_until(&self, what: &str, holds: impl Fn() -> Result<bool>) -> Result<()> {
        until(what, BOUND, || Ok(holds()?.then_some(()))).with_context(|| self.screen().unwrap_or_default())
    }

    fn wait_for(&self, text: &str) -> Result<()> {
        let shown = until("what it shows", BOUND, || Ok(self.screen()?.contains(text).then_some(())));
        shown.with_context(|| format!("{text:?} is not in\n{}", self.screen().unwrap_or_default()))
    }

    fn column(&self) -> Result<String> {
        Ok(self.tmux(&["display-message", "-p", "#{cursor_x}"])?.trim_end().to_owned())
    }

    /// Returns what was written so far.
    fn screen(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-p", "-J", "-S", "-200"]).map(|text| {
            // Blanks at the ends of lines are as wide as the terminal.
            text.lines().map(str::trim_end).fold(String::new(), |text, line| text + line + "\n")
        })
    }
}

/// How a prompt ends.
const PROMPT: &str = "convoyd.sock>";

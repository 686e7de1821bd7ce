//! The console on a terminal: a prompt with editing, history and completion.
use super::{Console, Failed, Next, interrupts::Interrupts, pager::Pager, say};
use convoy_core::console;
use nu_ansi_term::Style as Paint;
use reedline::{
    Completer, CompletionResult, DefaultHinter, FileBackedHistory, MenuBuilder, Prompt, PromptEditMode,
    PromptHistorySearch, Reedline, ReedlineMenu, Signal, Span, Suggestion,
};
use std::{
    borrow::Cow,
    env, fs,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

/// Reads and carries out lines until `quit` or Ctrl-D. Ctrl-C drops what is typed, or ends the command that runs.
pub(super) fn run(console: &mut Console, to: &mut impl Write) -> Result<(), Failed> {
    let interrupts = Interrupts::catch()?;
    console.attached.heed(interrupts.clone());
    let rule = "#".repeat(60);
    let kind = if console.attached.is_manager() { "convoyd manager" } else { "convoyd" };
    let version = &console.attached.daemon().version;
    writeln!(to, "{rule}\n# {kind} version: {version}\n# `help` lists the commands, `quit` leaves\n{rule}")?;
    to.flush()?;
    let mut editor = editor();
    let mut pager = Pager::new(interrupts.clone());
    loop {
        let prompt = Clock { endpoint: console.attached.socket().to_string() };
        match editor.read_line(&prompt) {
            Ok(Signal::Success(line)) => {
                interrupts.begin();
                let mut answer = Vec::new();
                let next = console.carry_out(&line, &mut answer);
                pager.show(&answer, to)?;
                if interrupts.caught() {
                    // Below the terminal's ^C.
                    writeln!(to)?;
                    to.flush()?;
                }
                match next {
                    Ok(Next::Quit) => return Ok(()),
                    Ok(Next::Pager) => writeln!(to, "{}", pager.toggle())?,
                    Ok(Next::Go) => {}
                    Err(failed) => say(&failed),
                }
                to.flush()?;
            }
            Ok(Signal::CtrlD) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn editor() -> Reedline {
    let menu = reedline::ColumnarMenu::default().with_name(MENU);
    let mut keys = reedline::default_emacs_keybindings();
    keys.add_binding(
        reedline::KeyModifiers::NONE,
        reedline::KeyCode::Tab,
        reedline::ReedlineEvent::UntilFound(vec![
            reedline::ReedlineEvent::Menu(MENU.into()),
            reedline::ReedlineEvent::MenuNext,
        ]),
    );
    let editor = Reedline::create()
        .with_completer(Box::new(Words))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_edit_mode(Box::new(reedline::Emacs::new(keys)))
        .with_hinter(Box::new(DefaultHinter::default().with_style(Paint::new().dimmed())));
    match history_file().and_then(|path| FileBackedHistory::with_file(HISTORY_LINES, path).ok()) {
        Some(history) => editor.with_history(Box::new(history)),
        None => editor,
    }
}

/// Returns the file of what was typed, readable by its user alone; none where there is no home.
fn history_file() -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".local/state")))?;
    let directory = state.join("convoy");
    fs::create_dir_all(&directory).ok()?;
    let path = directory.join("console_history");
    let file = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path).ok()?;
    file.set_permissions(fs::Permissions::from_mode(0o600)).ok()?;
    Some(path)
}

/// Completes from the table of commands.
struct Words;

impl Completer for Words {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let line = line.get(..pos).unwrap_or(line);
        let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let suggestion = |word: &str| Suggestion {
            value: word.into(),
            span: Span::new(start, pos),
            append_whitespace: true,
            ..Suggestion::default()
        };
        CompletionResult::fresh(console::complete(line).into_iter().map(suggestion).collect::<Vec<_>>())
    }
}

/// `HH:MM:SS <endpoint>>`, the time in UTC as in the log.
struct Clock {
    endpoint: String,
}

impl Prompt for Clock {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) % 86_400;
        format!("{:02}:{:02}:{:02} {}", now / 3_600, now / 60 % 60, now % 60, self.endpoint).into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        "> ".into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        "  ".into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        format!("search `{}`> ", search.term).into()
    }
}

const MENU: &str = "commands";
/// Lines of history that are kept.
const HISTORY_LINES: usize = 1_000;

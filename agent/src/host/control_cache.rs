//! The manager's control cache on disk, so that collected answers outlive a restart.
//!
//! A thread of its own writes the whole cache after each change, the newest state only; nobody waits for it. The file is one
//! line of text and then JSON:
//!
//! ```text
//! convoy control cache 1 HHHHHHHH                 version; CRC-32C of all that follows the line, hexadecimal
//! {"commands":[{"command":"cluster nodename","answers":[
//!   {"node":"mx1","code":0,"answer":"...","at":1795424319.25}]}]}      at: seconds since 1970
//! ```
//!
//! An answer without `answer` never came: `code` 1 is too late, 2 is that the node left. A damaged file is told in the log
//! and costs what was in it.
use crate::sys::file;
use convoy_core::{
    bounds,
    group::{
        cache::Kept,
        questions::{Answered, Outcome},
    },
    time::{Instant, Span},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Commands in the order in which they were given, each with its answers.
pub type Commands = Vec<(String, Vec<Kept>)>;

/// Keeps the cache in a file. Dropping it writes what is not written yet.
#[derive(Debug)]
pub struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// With the moment on the clock of the answers and on the wall's; turned into bytes on the thread that writes.
    newest: Option<(Commands, Instant, SystemTime)>,
    ends: bool,
    trouble: Option<String>,
}

/// What the JSON holds.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    commands: Vec<StoredCommand>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredCommand {
    command: String,
    answers: Vec<StoredAnswer>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredAnswer {
    node: String,
    code: u8,
    answer: Option<String>,
    at: f64,
}

/// Why there is nothing to take back.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is damaged: {0}")]
    Damaged(&'static str),
    #[error("is damaged: {0}")]
    Json(#[from] serde_json::Error),
}

impl Keeper {
    /// Begins to keep; gives what an earlier process kept there.
    ///
    /// # Errors
    /// The thread cannot be made.
    pub fn start(path: &Path) -> io::Result<(Self, Commands)> {
        let found = read(path).unwrap_or_else(|lost| {
            tracing::warn!("control_cache {} {lost}; it begins empty", path.display());
            Vec::new()
        });
        let shared =
            Arc::new(Shared { path: path.to_owned(), state: Mutex::default(), changed: Condvar::new() });
        let own = shared.clone();
        let thread = thread::Builder::new().name("control-cache".into()).spawn(move || own.run())?;
        Ok((Self { shared, thread: Some(thread) }, found))
    }

    /// Has this written in the place of what was there; `now` is on the clock of the answers.
    pub fn keep(&self, commands: Commands, now: Instant) {
        self.shared.lock().newest = Some((commands, now, SystemTime::now()));
        self.shared.changed.notify_one();
    }

    /// Returns why the newest state is not on disk, and what to do.
    pub fn trouble(&self) -> Option<String> {
        self.shared.lock().trouble.clone()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.lock().ends = true;
        self.shared.changed.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the control cache panicked; its message is above");
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.lock();
        loop {
            if let Some((commands, now, wall)) = state.newest.take() {
                drop(state);
                let written = write(&self.path, &stored(commands, now, wall));
                state = self.lock();
                self.note(&mut state, written);
            } else if state.ends {
                return;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Says in the log when it begins to fail and when that is over.
    fn note(&self, state: &mut State, written: io::Result<()>) {
        let path = self.path.display();
        let trouble = written.err().map(|error| {
            format!("control_cache {path} is not written: {error}; make its directory writable for convoyd")
        });
        match (&trouble, &state.trouble) {
            (Some(trouble), None) => tracing::error!("{trouble}"),
            (None, Some(_)) => tracing::info!("control_cache {path} is written again"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        state.trouble = trouble;
    }
}

fn stored(commands: Commands, now: Instant, wall: SystemTime) -> Stored {
    let answer = |kept: Kept| {
        let at = wall.checked_sub(Duration::from_nanos(kept.age(now).as_ns())).unwrap_or(UNIX_EPOCH);
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let Answered { node, outcome } = kept.answered;
        let node = node.to_string();
        match outcome {
            Outcome::Answer { code, text, at: _ } => {
                StoredAnswer { node, code, answer: Some(text.to_string()), at }
            }
            Outcome::Late => StoredAnswer { node, code: LATE, answer: None, at },
            Outcome::Left => StoredAnswer { node, code: LEFT, answer: None, at },
        }
    };
    let command = |(command, kept): (String, Vec<Kept>)| StoredCommand {
        command,
        answers: kept.into_iter().map(answer).collect(),
    };
    Stored { commands: commands.into_iter().map(command).collect() }
}

/// Ages are counted on from where they were; a clock that was set back makes them no younger than new.
fn taken_back(stored: Stored, wall: SystemTime) -> Commands {
    let answer = |StoredAnswer { node, code, answer, at }: StoredAnswer| {
        let at = Duration::try_from_secs_f64(at).unwrap_or_default();
        let age = wall.duration_since(UNIX_EPOCH + at).unwrap_or_default();
        let outcome = match (answer, code) {
            (Some(text), code) => Outcome::Answer { code, text: text.into(), at: Instant::from_ns(0) },
            (None, LEFT) => Outcome::Left,
            (None, _) => Outcome::Late,
        };
        let earlier = Span::from_ns(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        Kept { answered: Answered { node: node.into(), outcome }, earlier }
    };
    let command = |StoredCommand { command, answers }: StoredCommand| {
        (command, answers.into_iter().take(bounds::NODES_MAX).map(answer).collect())
    };
    stored.commands.into_iter().map(command).collect()
}

fn write(path: &Path, stored: &Stored) -> io::Result<()> {
    let json = serde_json::to_vec(stored)?;
    let mut bytes = format!("{HEAD}{:08x}\n", CRC.checksum(&json)).into_bytes();
    bytes.extend_from_slice(&json);
    file::put(path, &bytes, MODE)
}

fn read(path: &Path) -> Result<Commands, Lost> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Lost::Damaged("it is longer than convoyd writes it"));
    }
    let rest = bytes.strip_prefix(HEAD.as_bytes()).ok_or(Lost::Damaged("it has another first line"))?;
    let (sum, json) = rest.split_at_checked(9).ok_or(Lost::Damaged("it ends in its first line"))?;
    if sum != format!("{:08x}\n", CRC.checksum(json)).as_bytes() {
        return Err(Lost::Damaged("its checksum is another"));
    }
    Ok(taken_back(serde_json::from_slice(json)?, SystemTime::now()))
}

const HEAD: &str = "convoy control cache 1 ";
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
/// Answers may show configurations.
const MODE: u32 = 0o600;
const LATE: u8 = 1;
const LEFT: u8 = 2;
/// Answers are JSON inside JSON: most of their bytes stay one, some become two; those of a text that is nothing but control
/// characters would be six, and such a file is given up.
const FILE_BYTES_MAX: u64 = 3 * bounds::CACHED_BYTES_MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;

    fn commands() -> Commands {
        let kept = |node: &str, outcome| Kept {
            answered: Answered { node: node.into(), outcome },
            earlier: Span::from_secs(5),
        };
        let text = Outcome::Answer { code: 0, text: r#"{"nodename":"mx1"}"#.into(), at: Instant::from_ns(0) };
        let answers = vec![kept("mx1", text), kept("mx2", Outcome::Late), kept("mx3", Outcome::Left)];
        vec![("cluster nodename".into(), answers), ("version".into(), Vec::new())]
    }

    fn plain(commands: Commands) -> Vec<(String, Vec<Answered>)> {
        let answered = |answers: Vec<Kept>| answers.into_iter().map(|kept| kept.answered).collect();
        commands.into_iter().map(|(command, answers)| (command, answered(answers))).collect()
    }

    #[test]
    fn what_was_kept_is_there_after_a_restart_and_older() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache");
        let (keeper, found) = Keeper::start(&path).unwrap();
        assert_eq!(found, Vec::new());
        keeper.keep(commands(), Instant::from_ns(0));
        drop(keeper);
        let (_keeper, found) = Keeper::start(&path).unwrap();
        assert!(found[0].1[0].age(Instant::from_ns(0)) >= Span::from_secs(5));
        assert_eq!(plain(found), plain(commands()));
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap()) & 0o777, MODE);
    }

    #[test]
    fn a_damaged_file_is_given_up_and_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache");
        write(&path, &stored(commands(), Instant::from_ns(0), SystemTime::now())).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for len in [0, 10, 25, whole.len() - 1] {
            std::fs::write(&path, &whole[..len]).unwrap();
            assert!(matches!(read(&path), Err(Lost::Damaged(_))), "{len}");
        }
        let (keeper, found) = Keeper::start(&path).unwrap();
        assert_eq!(found, Vec::new());
        keeper.keep(commands(), Instant::from_ns(0));
        drop(keeper);
        assert_eq!(read(&path).unwrap().len(), 2);
    }

    #[test]
    fn a_directory_that_is_missing_is_told_and_nothing_else_suffers() {
        let dir = tempfile::tempdir().unwrap();
        let (keeper, _) = Keeper::start(&dir.path().join("no/cache")).unwrap();
        keeper.keep(commands(), Instant::from_ns(0));
        let shared = keeper.shared.clone();
        drop(keeper);
        let told = shared.lock().trouble.clone().unwrap();
        assert!(told.contains("is not written: No such file or directory"), "{told}");
    }
}

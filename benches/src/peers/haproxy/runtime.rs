//! A connection to HAProxy's runtime API that stays open: commands in, answers out.
use anyhow::{Context as _, Result, ensure};
use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

/// An open runtime connection in prompt mode: every answer ends in a prompt.
#[derive(Debug)]
pub(super) struct Runtime {
    stream: UnixStream,
    answer: Vec<u8>,
    /// Commands that were sent and not answered yet.
    open: usize,
}

impl Runtime {
    /// Connects, and switches the prompt on, which keeps the connection open.
    pub(super) fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).context("connect to the runtime socket")?;
        stream.set_read_timeout(Some(ANSWER_WAIT)).context("bound the wait for answers")?;
        let mut runtime = Self { stream, answer: Vec::with_capacity(1 << 16), open: 0 };
        runtime.ask("prompt")?;
        Ok(runtime)
    }

    /// Sends one line of commands, with `;` between them, and returns their answers.
    pub(super) fn ask(&mut self, line: &str) -> Result<&str> {
        self.send(line)?;
        self.receive()
    }

    /// Sends one line of commands; [`receive`](Self::receive) must follow.
    pub(super) fn send(&mut self, line: &str) -> Result<()> {
        ensure!(line.len() < LINE_BYTES_MAX, "a line of {} bytes does not fit HAProxy's buffer", line.len());
        self.open = line.matches(';').count() + 1;
        self.answer.clear();
        self.answer.extend_from_slice(line.as_bytes());
        self.answer.push(b'\n');
        self.stream.write_all(&self.answer).context("write a command")
    }

    /// Returns the answers to what was sent, without the last prompt.
    pub(super) fn receive(&mut self) -> Result<&str> {
        self.answer.clear();
        while prompts(&self.answer) < self.open {
            let mut piece = [0; 1 << 14];
            let read = self.stream.read(&mut piece).context("read an answer")?;
            ensure!(read > 0, "HAProxy closed the runtime connection");
            self.answer.extend_from_slice(&piece[..read]);
        }
        let answer = &self.answer[..self.answer.len() - PROMPT.len()];
        std::str::from_utf8(answer).context("an answer is not text")
    }
}

/// How many answers are complete. None carries a prompt inside: tables and messages have no such line.
fn prompts(answer: &[u8]) -> usize {
    answer.windows(PROMPT.len()).filter(|window| *window == PROMPT).count()
}

/// What ends every answer.
const PROMPT: &[u8] = b"\n> ";
/// HAProxy's default `tune.bufsize`, which a line must fit.
const LINE_BYTES_MAX: usize = 16_384 - 1_024;
/// No answer takes longer unless the process is stuck.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

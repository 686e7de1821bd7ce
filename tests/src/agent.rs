//! `convoyd` and `convoy` in a host: found, started, ready, asked.
//!
//! Readiness is what `sd_notify(3)` says: the daemon gets a `NOTIFY_SOCKET`, and nothing else counts.
use crate::{Host, Launch, Process, process::LOG_TAIL_LINES};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    env, fs,
    io::ErrorKind,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::Output,
    sync::OnceLock,
    time::{Duration, Instant},
};

/// The two programs under test.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The daemon.
    pub convoyd: PathBuf,
    /// The client.
    pub convoy: PathBuf,
}

impl Binaries {
    /// Finds them: in the environment (`CONVOYD`, `CONVOY`), else beside the running program, which is in
    /// `target/PROFILE` or one of its directories.
    ///
    /// # Errors
    /// Names the command that builds them.
    pub fn find() -> Result<Self> {
        Ok(Self { convoyd: find_binary("convoyd", "CONVOYD")?, convoy: find_binary("convoy", "CONVOY")? })
    }

    /// Returns what [`find`](Self::find) found the first time.
    fn known() -> Result<&'static Self> {
        static KNOWN: OnceLock<Binaries> = OnceLock::new();
        if let Some(known) = KNOWN.get() {
            return Ok(known);
        }
        let found = Self::find()?;
        Ok(KNOWN.get_or_init(|| found))
    }
}

/// One line of `shared show` and `shared top`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Entry {
    /// The prefix, `198.51.100.0/24`.
    pub prefix: String,
    /// Connections now.
    pub current: u64,
    /// Connections since counting began.
    pub total: u64,
}

/// A running `convoyd` with the socket on which it says how it fares.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    notify: UnixDatagram,
}

impl Agent {
    /// Returns the process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Waits until the daemon notifies `state`, for example `READY=1` or `STOPPING=1`.
    ///
    /// # Errors
    /// When the daemon ends before, or `bound` passes; with the tail of its log.
    pub fn wait_notified(&mut self, state: &str, bound: Duration) -> Result<()> {
        let end = Instant::now() + bound;
        let mut buffer = [0; NOTIFY_BYTES_MAX];
        while Instant::now() < end {
            self.notify.set_read_timeout(Some(NOTIFY_POLL))?;
            match self.notify.recv(&mut buffer) {
                Ok(len) if buffer[..len].split(|&b| b == b'\n').any(|line| line == state.as_bytes()) => {
                    return Ok(());
                }
                Ok(_) => continue,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error).context("notify socket"),
            }
            if let Some(status) = self.process.status()? {
                bail!(
                    "convoyd ended ({status}) without {state}; log:\n{}",
                    self.process.tail(LOG_TAIL_LINES)
                );
            }
        }
        bail!("no {state} within {} ms; log:\n{}", bound.as_millis(), self.process.tail(LOG_TAIL_LINES))
    }
}

impl Host {
    /// Prepares `convoyd` with the flags of this host, to add to or to run with `--check`.
    pub fn convoyd(&self) -> Result<Launch<'_>> {
        Ok(self
            .launch(&Binaries::known()?.convoyd)
            .arg("--config")
            .arg(self.config_path())
            .arg("--run-dir")
            .arg(self.run_dir())
            .arg("--state-dir")
            .arg(self.state_dir())
            .arg("--bpffs")
            .arg(self.bpffs_dir())
            .arg("--cgroup")
            .arg(self.cgroup().path()))
    }

    /// Starts `convoyd` and returns when it is ready.
    pub fn start_agent(&self) -> Result<Agent> {
        let mut agent = self.spawn_agent(self.convoyd()?)?;
        agent.wait_notified("READY=1", READY_BOUND).with_context(|| format!("convoyd of {}", self.name()))?;
        Ok(agent)
    }

    /// Starts a prepared `convoyd` and returns at once.
    pub fn spawn_agent(&self, launch: Launch<'_>) -> Result<Agent> {
        let path = self.dir().join("notify");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| path.display().to_string());
            }
            _ => {}
        }
        let notify = UnixDatagram::bind(&path).with_context(|| path.display().to_string())?;
        let process = launch.env("NOTIFY_SOCKET", &path).spawn("convoyd")?;
        Ok(Agent { process, notify })
    }

    /// Runs the client against this host's daemon.
    pub fn convoy(&self, args: &[&str]) -> Result<Output> {
        self.launch(&Binaries::known()?.convoy)
            .arg("--run-dir")
            .arg(self.run_dir())
            .args(args)
            .run(CLIENT_BOUND)
    }

    /// Runs the client with `--json` and returns what it answers.
    ///
    /// # Errors
    /// With the client's words when it fails.
    pub fn convoy_json(&self, args: &[&str]) -> Result<serde_json::Value> {
        let output = self.convoy(&[&["--json"], args].concat())?;
        let words = args.join(" ");
        ensure!(
            output.status.success(),
            "convoy {words} on {}: {} {}",
            self.name(),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
        serde_json::from_slice(&output.stdout).with_context(|| {
            format!("convoy {words} on {} wrote {}", self.name(), String::from_utf8_lossy(&output.stdout))
        })
    }

    /// Returns the entries of an object by prefix; `from` is a node, or nothing for the sum of all.
    pub fn shared(&self, object: &str, from: Option<&str>) -> Result<BTreeMap<String, Entry>> {
        let mut args = vec!["shared", "show", object];
        if let Some(node) = from {
            args.extend(["--from", node]);
        }
        let entries = entries(self.convoy_json(&args)?)?;
        Ok(entries.into_iter().map(|entry| (entry.prefix.clone(), entry)).collect())
    }

    /// Returns the sum below `prefix`.
    pub fn query(&self, object: &str, prefix: &str, from: Option<&str>) -> Result<Entry> {
        let mut args = vec!["shared", "query", object, prefix];
        if let Some(node) = from {
            args.extend(["--from", node]);
        }
        serde_json::from_value(self.convoy_json(&args)?).context("shared query")
    }

    /// Returns the `limit` busiest prefixes of length `bits`.
    pub fn top(&self, object: &str, bits: u8, limit: usize) -> Result<Vec<Entry>> {
        let (bits, limit) = (bits.to_string(), limit.to_string());
        entries(self.convoy_json(&["shared", "top", object, "--bits", &bits, "--limit", &limit])?)
    }

    /// Returns the state this host gives each member, by name.
    pub fn members(&self) -> Result<BTreeMap<String, String>> {
        let answer = self.convoy_json(&["membership"])?;
        let members = answer["members"].as_array().context("membership without members")?;
        let text = |member: &serde_json::Value, key| {
            member[key].as_str().map(str::to_owned).with_context(|| format!("member without {key}"))
        };
        members.iter().map(|member| Ok((text(member, "name")?, text(member, "state")?))).collect()
    }
}

fn entries(mut answer: serde_json::Value) -> Result<Vec<Entry>> {
    serde_json::from_value(answer["entries"].take()).context("entries")
}

fn find_binary(name: &str, variable: &str) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable) {
        return Ok(path.into());
    }
    let running = env::current_exe().context("own path")?;
    let beside = running.ancestors().skip(1).take(2).map(|dir: &Path| dir.join(name));
    beside.into_iter().find(|path| path.is_file()).with_context(|| {
        format!("no {name} near {}: cargo build -p convoy-agent, or set {variable}", running.display())
    })
}

/// chosen: loading the kernel programs takes tens of milliseconds, seconds on a loaded machine.
const READY_BOUND: Duration = Duration::from_secs(20);
/// chosen: an answer takes milliseconds; 200 000 entries as JSON a second.
const CLIENT_BOUND: Duration = Duration::from_secs(20);
/// How often a silent daemon is looked at.
const NOTIFY_POLL: Duration = Duration::from_millis(20);
/// The manual page bounds nothing; one datagram of a daemon is far below this.
const NOTIFY_BYTES_MAX: usize = 4_096;

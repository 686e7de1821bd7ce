//! Where a test counts: a network namespace, a control group and a directory for pins, gone when the test is.
use anyhow::{Result, ensure};
use convoy_agent::host::counting::{self, Counting, Settings};
use lab::traffic::{Namespace, Worker, enter};
use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

/// The binary that is a worker.
pub(crate) const TRAFFIC: &str = env!("CARGO_BIN_EXE_traffic");
/// Longest time a condition may take.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// A place of its own for one test.
pub(crate) struct Site {
    pub(crate) settings: Settings,
    namespace: Namespace,
    _state: tempfile::TempDir,
}

/// Runs `test` in a place of its own, or says loudly why it cannot.
pub(crate) fn run(name: &str, test: fn(&mut Site) -> Result<()>) {
    if let Some(why) = lacking() {
        #[expect(clippy::print_stderr, reason = "a skip is loud")]
        {
            eprintln!("\n*** SKIP {name}: {why} ***\n");
        }
        return;
    }
    // A thread of its own: it moves into the namespace, and what it starts is there, too.
    let done = thread::spawn(move || {
        let mut site = Site::new()?;
        test(&mut site)
    });
    let outcome = done.join().expect("the panic is shown above");
    assert!(outcome.is_ok(), "{name}: {outcome:?}");
}

fn lacking() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("needs root: it loads kernel programs and makes control groups".into());
    }
    counting::default_cgroup().err().map(|error| error.to_string())
}

impl Site {
    fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("convoy-kt-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let namespace = Namespace::new()?;
        enter(namespace.path())?;
        let cgroup = counting::default_cgroup()?.join(&name);
        fs::create_dir(&cgroup)?;
        let bpffs = counting::default_bpffs().with_file_name(&name);
        let state = tempfile::tempdir()?;
        let mut settings = Settings::new(bpffs, cgroup, state.path().into());
        (settings.hosts_max_inbound, settings.hosts_max_outbound) = (4096, 4096);
        Ok(Self { settings, namespace, _state: state })
    }

    /// Begins to count, or goes on where an earlier agent ended.
    pub(crate) fn open(&self) -> Result<Counting> {
        Ok(counting::open(&self.settings)?)
    }

    /// Returns the path of a pin.
    pub(crate) fn pin(&self, name: &str) -> PathBuf {
        self.settings.bpffs.join(name)
    }

    /// Starts a worker whose connections are counted.
    pub(crate) fn counted(&self) -> Result<Worker> {
        self.namespace.worker(TRAFFIC.as_ref(), Some(&self.settings.cgroup))
    }

    /// Starts a worker whose connections are nobody's business.
    pub(crate) fn uncounted(&self) -> Result<Worker> {
        self.namespace.worker(TRAFFIC.as_ref(), None)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Each is tried whatever became of the others; what is not there any more is fine.
        drop(counting::remove(&self.settings.bpffs));
        // Workers were killed before (they are dropped first); their group empties when the kernel buried them.
        drop(until("an empty control group", || Ok(fs::remove_dir(&self.settings.cgroup).is_ok())));
    }
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    lab::until(what, BOUND, || Ok(condition()?.then_some(())))
}

/// Runs a command in this thread's namespace.
pub(crate) fn sh(command: &str) -> Result<String> {
    let output = Command::new("sh").args(["-ec", command]).output()?;
    ensure!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

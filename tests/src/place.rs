//! A place in the lab: a network namespace, a cgroup and a directory, and what is run there.
//!
//! Invariants: 1. a launched process is in the cgroup and the namespace before its program starts; 2. it shares
//! the machine's mounts, so what it mounts or pins is visible outside (unlike under `ip netns exec`).
use crate::{Cgroup, Process, traffic::Worker};
use anyhow::{Context, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    ffi::{OsStr, OsString},
    fs::{File, OpenOptions},
    io::{Read, Seek},
    net::{IpAddr, SocketAddr, UdpSocket},
    os::{fd::AsFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio},
    thread,
    time::Duration,
};

/// A namespace with its cgroup and its directory.
#[derive(Debug)]
pub struct Place {
    name: String,
    netns: String,
    cgroup: Cgroup,
    dir: PathBuf,
}

impl Place {
    pub(crate) fn new(name: String, netns: String, cgroup: Cgroup, dir: PathBuf) -> Self {
        Self { name, netns, cgroup, dir }
    }

    /// Returns the name inside the lab: `mta1`, `client`, `sink`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the namespace's name as `ip netns` knows it, unique on the machine.
    pub fn netns(&self) -> &str {
        &self.netns
    }

    /// Returns the cgroup of all processes here.
    pub fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// Returns the directory of everything this place writes; it goes with the lab.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Sends something to an address, so that the kernels have to find each other.
    pub fn greet(&self, to: IpAddr) -> Result<()> {
        self.inside(|| {
            let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
            UdpSocket::bind(any)?.send_to(b"?", (to, 9))
        })??;
        Ok(())
    }

    /// Runs `work` on a thread inside the namespace. Sockets it opens stay in the namespace; the thread is not
    /// in the cgroup, so the kernel programs of the host do not see those sockets.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        inside_netns(&self.netns, work)
    }

    /// Starts a worker here, one that opens or serves connections, in a control group if one is given.
    pub fn worker(&self, program: &Path, cgroup: Option<&Path>) -> Result<Worker> {
        Worker::start(program, cgroup, Some(&netns_path(&self.netns)))
    }

    /// Prepares to run a program here.
    pub fn launch(&self, program: impl AsRef<OsStr>) -> Launch<'_> {
        Launch {
            place: self,
            program: program.as_ref().into(),
            args: vec![],
            env: vec![],
            uid: None,
            own_run: false,
        }
    }

    /// Kills every process here with SIGKILL, as if the power went; files and addresses stay.
    pub fn kill_all(&self) -> Result<()> {
        self.cgroup.kill()
    }
}

/// A program about to be run in a place.
#[derive(Debug)]
#[must_use = "nothing runs before spawn or run"]
pub struct Launch<'a> {
    place: &'a Place,
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    uid: Option<u32>,
    own_run: bool,
}

impl Launch<'_> {
    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().into());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().into()));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.as_ref().into(), value.as_ref().into()));
        self
    }

    /// Runs the program as this user, without supplementary groups.
    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    /// Gives the program, and all that it starts, an empty `/run` and `/dev/shm` of its own, as on a host of its own:
    /// corosync has its lock in the one, at a path that is compiled in, and what it shares with its clients in the
    /// other. What it mounts is not visible outside; a client from outside must enter, see `nsenter(1)`.
    pub fn own_run(mut self) -> Self {
        self.own_run = true;
        self
    }

    /// Starts the program and returns it with its standard input and output; its errors are appended to
    /// `DIR/NAME.log`.
    pub fn converse(self, name: &str) -> Result<(Process, ChildStdin, ChildStdout)> {
        let path = self.place.dir.join(format!("{name}.log"));
        let log = append_to(&path)?;
        let mut child = self.child(Stdio::piped(), Stdio::piped(), log.into())?;
        let (stdin, stdout) = (child.stdin.take().context("stdin")?, child.stdout.take().context("stdout")?);
        Ok((Process::new(child, path)?, stdin, stdout))
    }

    /// Starts the program; what it writes is appended to `DIR/NAME.log`.
    pub fn spawn(self, name: &str) -> Result<Process> {
        let path = self.place.dir.join(format!("{name}.log"));
        let log = append_to(&path)?;
        let errors = log.try_clone().context("clone log")?;
        self.start(log, errors, path)
    }

    /// Runs the program to its end and returns status and output.
    ///
    /// # Errors
    /// When it cannot start, or has not ended within `bound`; it is killed then.
    pub fn run(self, bound: Duration) -> Result<Output> {
        let what = format!("{} in {}", self.program.display(), self.place.name);
        let (mut out, mut err) = (tempfile::tempfile()?, tempfile::tempfile()?);
        let mut process = self.start(out.try_clone()?, err.try_clone()?, PathBuf::new())?;
        let Ok(status) = process.wait(bound) else {
            process.kill(rustix::process::Signal::KILL)?;
            process.wait(Duration::from_secs(1)).with_context(|| what.clone())?;
            let (stdout, stderr) = (read_back(&mut out)?, read_back(&mut err)?);
            return Err(anyhow!(
                "{what}: not finished within {} ms\nstdout: {}\nstderr: {}",
                bound.as_millis(),
                String::from_utf8_lossy(&stdout),
                String::from_utf8_lossy(&stderr)
            ));
        };
        Ok(Output { status, stdout: read_back(&mut out)?, stderr: read_back(&mut err)? })
    }

    fn start(self, stdout: File, stderr: File, log: PathBuf) -> Result<Process> {
        Process::new(self.child(Stdio::null(), stdout.into(), stderr.into())?, log)
    }

    fn child(self, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Result<Child> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(JOIN_AND_EXEC).arg(self.place.cgroup.procs());
        if self.own_run {
            command.args([
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                OWN_RUN_AND_EXEC,
                "sh",
            ]);
        }
        if let Some(uid) = self.uid {
            command.args(["setpriv", "--clear-groups"]).arg(format!("--reuid={uid}")).arg("--");
        }
        command.arg(&self.program).args(&self.args).envs(self.env);
        // A group of its own: the terminal's interrupt goes to the test, which takes the lab down in order.
        command.stdin(stdin).stdout(stdout).stderr(stderr).process_group(0);
        self.place
            .inside(move || command.spawn())?
            .with_context(|| format!("spawn {} in {}", self.program.display(), self.place.name))
    }
}

/// Runs `work` on a thread that has entered the namespace.
pub(crate) fn inside_netns<T: Send>(netns: &str, work: impl FnOnce() -> T + Send) -> Result<T> {
    let path = netns_path(netns);
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    let done = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).map(|()| work())
        });
        worker.join()
    });
    match done {
        Ok(result) => result.with_context(|| format!("enter namespace {netns}")),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn append_to(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(path).with_context(|| path.display().to_string())
}

fn read_back(file: &mut File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `$0` is the cgroup's `cgroup.procs`; the shell joins it and becomes the program.
const JOIN_AND_EXEC: &str = r#"echo 0 > "$0" && exec "$@""#;
/// In a mount namespace of its own.
const OWN_RUN_AND_EXEC: &str =
    r#"mount -t tmpfs -o mode=0755 tmpfs /run && mount -t tmpfs -o mode=1777 tmpfs /dev/shm && exec "$@""#;
fn netns_path(netns: &str) -> PathBuf {
    Path::new(NETNS_DIR).join(netns)
}

/// Where ip-netns(8) keeps its names.
const NETNS_DIR: &str = "/run/netns";

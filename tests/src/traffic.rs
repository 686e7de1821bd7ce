//! Connections in every shape: a server and a client, each a process of its own, told what to do line by line.
//!
//! A process of its own because a control group holds processes: so one end of a connection is counted and the
//! other is not, as on a real host. The program that uses this calls [`work`] when it finds [`ROLE`] in its
//! environment, and starts itself anew, or a binary that does, as [`Worker`].
//!
//! The client's first byte tells the server how the connection shall end; see [`End`].
use anyhow::{Context, Result, bail, ensure};
use rustix::{
    event::epoll,
    net::{self, AddressFamily, SocketFlags, SocketType, sockopt},
};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

/// Set in the environment of a process that shall call [`work`].
pub const ROLE: &str = "CONVOY_TRAFFIC";

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client closes first.
    Client,
    /// The client resets.
    ClientReset,
    /// The server closes first.
    Server,
    /// The server resets.
    ServerReset,
    /// The server closes its half, the client reads to the end and closes.
    HalfClosed,
    /// The server has data to send and gives up on a silent client after 200 ms.
    ServerTimeout,
}

impl End {
    /// All that need no help from the network.
    pub const PLAIN: [Self; 5] =
        [Self::Client, Self::ClientReset, Self::Server, Self::ServerReset, Self::HalfClosed];

    const fn letter(self) -> u8 {
        match self {
            Self::Client => b'k',
            Self::ClientReset => b'x',
            Self::Server => b's',
            Self::ServerReset => b'r',
            Self::HalfClosed => b'h',
            Self::ServerTimeout => b't',
        }
    }

    fn of(letter: u8) -> Option<Self> {
        let ends = [Self::ServerTimeout].into_iter().chain(Self::PLAIN);
        ends.into_iter().find(|end| end.letter() == letter)
    }
}

/// A process that serves or opens connections. Ends with its handle.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts `program` as a worker, in a control group and a network namespace (a path to open) if given.
    pub fn start(program: &Path, cgroup: Option<&Path>, netns: Option<&Path>) -> Result<Self> {
        let mut child = Command::new(program)
            .env(ROLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} does not start", program.display()))?;
        let orders = child.stdin.take().context("no standard input")?;
        let answers = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut worker = Self { child, orders, answers };
        if let Some(cgroup) = cgroup {
            worker.order(&format!("cgroup {}", cgroup.display()))?;
        }
        if let Some(netns) = netns {
            worker.order(&format!("netns {}", netns.display()))?;
        }
        Ok(worker)
    }

    /// Serves connections on `at` from now on.
    pub fn listen(&mut self, at: SocketAddr) -> Result<()> {
        self.order(&format!("listen {at}"))
    }

    /// Opens `n` connections and holds them; sources take turns through `spread` addresses from `from` on.
    pub fn open(&mut self, n: usize, from: IpAddr, spread: usize, to: SocketAddr) -> Result<()> {
        self.order(&format!("open {n} {from} {spread} {to}"))
    }

    /// Ends the first `n` connections held, in this way.
    pub fn end(&mut self, n: usize, end: End) -> Result<()> {
        self.order(&format!("end {n} {}", char::from(end.letter())))
    }

    /// Opens and ends `n` connections one after the other.
    pub fn churn(&mut self, n: usize, from: IpAddr, spread: usize, to: SocketAddr, end: End) -> Result<()> {
        self.order(&format!("churn {n} {from} {spread} {to} {}", char::from(end.letter())))
    }

    /// Begins what [`churn`](Self::churn) does, without waiting; [`wait`](Self::wait) does.
    pub fn begin_churn(
        &mut self,
        n: usize,
        from: IpAddr,
        spread: usize,
        to: SocketAddr,
        end: End,
    ) -> Result<()> {
        Ok(writeln!(self.orders, "churn {n} {from} {spread} {to} {}", char::from(end.letter()))?)
    }

    /// Waits for the answer to an order that was begun.
    pub fn wait(&mut self) -> Result<()> {
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        ensure!(answer.trim() == "ok", "the worker answers {answer:?}");
        Ok(())
    }

    /// Kills the process, as a crash would: the kernel closes its connections.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn order(&mut self, order: &str) -> Result<()> {
        writeln!(self.orders, "{order}")?;
        self.wait().with_context(|| format!("order {order:?}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Either fails only for a process that has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A network namespace whose loopback has every address of `127.0.0.0/8` and `2001:db8::/32`. Ends with its handle.
#[derive(Debug)]
pub struct Namespace {
    path: PathBuf,
    holder: Child,
}

impl Namespace {
    /// Makes one; nobody is moved into it.
    pub fn new() -> Result<Self> {
        // It ends when this process does, however that ends: its input is a pipe from us.
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-ec", SET_UP])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("unshare")?;
        let mut ready = String::new();
        BufReader::new(holder.stdout.take().context("no output")?).read_line(&mut ready)?;
        ensure!(ready.trim() == "ready", "the namespace is not ready: {ready:?}");
        let path = PathBuf::from(format!("/proc/{}/ns/net", holder.id()));
        Ok(Self { path, holder })
    }

    /// Returns where it can be entered.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts `program` as a worker in it, and in a control group if given.
    pub fn worker(&self, program: &Path, cgroup: Option<&Path>) -> Result<Worker> {
        Worker::start(program, cgroup, Some(&self.path))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Either fails only when it has ended already.
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

/// Is a worker until standard input ends.
pub fn work() -> Result<()> {
    let mut held: Vec<TcpStream> = Vec::new();
    for line in std::io::stdin().lines() {
        let line = line?;
        let answer = match obey(&line, &mut held) {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("{error:#}").replace('\n', " "),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn obey(line: &str, held: &mut Vec<TcpStream>) -> Result<()> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["cgroup", path] => {
            Ok(fs::write(PathBuf::from(path).join("cgroup.procs"), std::process::id().to_string())?)
        }
        ["netns", path] => enter(Path::new(path)),
        ["listen", at] => {
            let listener = listener(at.parse()?)?;
            thread::spawn(move || {
                // Its clients see it; there is nobody else to tell.
                drop(serve(&listener));
            });
            Ok(())
        }
        ["open", n, from, spread, to] => {
            let (n, from, to) = (n.parse::<usize>()?, from.parse()?, to.parse()?);
            let spread = spread.parse::<usize>()?;
            for i in 0..n {
                held.push(connect(nth(from, i % spread)?, to)?);
            }
            Ok(())
        }
        ["end", n, how] => {
            let n: usize = n.parse()?;
            ensure!(n <= held.len(), "{} connections are held", held.len());
            let end = parse_end(how)?;
            let ended: Vec<TcpStream> = held.drain(..n).collect();
            ended.into_iter().try_for_each(|stream| finish(stream, end))
        }
        ["churn", n, from, spread, to, how] => {
            let (n, from, to) = (n.parse::<usize>()?, from.parse()?, to.parse()?);
            let spread = spread.parse::<usize>()?;
            let end = parse_end(how)?;
            (0..n).try_for_each(|i| finish(connect(nth(from, i % spread)?, to)?, end))
        }
        _ => bail!("not an order: {line:?}"),
    }
}

/// Moves this thread into the network namespace at `path`.
pub fn enter(path: &Path) -> Result<()> {
    let netns = fs::File::open(path).with_context(|| format!("namespace {}", path.display()))?;
    let kind = rustix::thread::LinkNameSpaceType::Network;
    Ok(rustix::thread::move_into_link_name_space(netns.as_fd(), Some(kind))?)
}

fn parse_end(how: &str) -> Result<End> {
    how.bytes().next().and_then(End::of).with_context(|| format!("no end: {how:?}"))
}

/// Returns the address `i` after `from`.
fn nth(from: IpAddr, i: usize) -> Result<IpAddr> {
    Ok(match from {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) + u32::try_from(i)?).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) + u128::try_from(i)?).into()),
    })
}

/// Opens a connection from an address of this host's choice of port.
fn connect(from: IpAddr, to: SocketAddr) -> Result<TcpStream> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    net::bind(&socket, &SocketAddr::new(from, 0)).with_context(|| format!("bind {from}"))?;
    net::connect(&socket, &to).with_context(|| format!("connect {from} to {to}"))?;
    Ok(TcpStream::from(socket))
}

/// Ends a connection from the client's side.
fn finish(mut stream: TcpStream, end: End) -> Result<()> {
    if end == End::ClientReset {
        sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
        return Ok(());
    }
    stream.write_all(&[end.letter()])?;
    match end {
        End::Client | End::ClientReset | End::ServerTimeout => {}
        End::Server | End::ServerReset | End::HalfClosed => {
            let mut rest = Vec::new();
            match stream.read_to_end(&mut rest) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    if end == End::ServerTimeout {
        // Stays open, and unread: the server shall give up.
        drop(thread::spawn(move || {
            loop {
                thread::park();
                let _keep = &stream;
            }
        }));
    }
    Ok(())
}

fn listener(at: SocketAddr) -> Result<TcpListener> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if at.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    net::bind(&socket, &at).with_context(|| format!("bind {at}"))?;
    net::listen(&socket, 4096)?;
    Ok(TcpListener::from(socket))
}

/// Serves connections; one thread for all.
fn serve(listener: &TcpListener) -> Result<()> {
    let poll: OwnedFd = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let listening = key(listener.as_raw_fd());
    epoll::add(&poll, listener, epoll::EventData::new_u64(listening), epoll::EventFlags::IN)?;
    let mut open: BTreeMap<u64, TcpStream> = BTreeMap::new();
    let mut events = Vec::with_capacity(256);
    loop {
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let at = event.data.u64();
            if at == listening {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    let at = key(stream.as_raw_fd());
                    epoll::add(&poll, &stream, epoll::EventData::new_u64(at), epoll::EventFlags::IN)?;
                    open.insert(at, stream);
                }
            } else if open.get_mut(&at).is_some_and(is_over) {
                open.remove(&at);
            }
        }
    }
}

/// Does what the client's first byte says; tells whether the connection is over.
fn is_over(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    match stream.read(&mut byte) {
        Ok(0) => true,
        Ok(_) => match End::of(byte[0]) {
            Some(End::Server) => true,
            Some(End::ServerReset) => sockopt::set_socket_linger(&*stream, Some(Duration::ZERO)).is_ok(),
            Some(End::HalfClosed) => stream.shutdown(std::net::Shutdown::Write).is_err(),
            Some(End::ServerTimeout) => {
                // It fills the client's window; what stays in the queue is what the timeout is about.
                let started = sockopt::set_tcp_user_timeout(&*stream, 200).is_ok();
                while stream.write(&[0; 4096]).is_ok() {}
                !started
            }
            Some(End::Client | End::ClientReset) | None => false,
        },
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    }
}

/// Returns a descriptor as the number epoll brings back.
fn key(fd: RawFd) -> u64 {
    u64::from(fd.unsigned_abs())
}

/// Loopback with many addresses of both families; then wait to be let go.
const SET_UP: &str = "ip link set lo up
    ip -6 route add local 2001:db8::/32 dev lo
    sysctl -qw net.ipv6.ip_nonlocal_bind=1
    echo ready
    cat";

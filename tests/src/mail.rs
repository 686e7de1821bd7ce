//! Mail: real Postfix in the hosts, programs that send to them, and a sink that takes what they send on.
//!
//! A host's Postfix has its own configuration, queue and data directories; the system's instance, if there is
//! one, is neither read nor touched. Mail to [`INBOX`] is accepted and thrown away; mail to an address literal,
//! `x@[198.18.1.7]`, is delivered to that address of the sink, so every recipient chooses an outbound route.
//!
//! Source: postconf(5), master(5), smtp-source(1), smtp-sink(1) of Postfix 3.7.
use crate::{
    Host, Lab, Process, Sender,
    process::{LOG_TAIL_LINES, tail},
    until,
};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    time::Duration,
};

/// The domain whose mail every host accepts and discards.
pub const INBOX: &str = "inbox.test";

/// Ports on which every Postfix of the lab listens, in both families.
pub const POSTFIX_PORTS: [u16; 2] = [25, 587];

/// Postfix in a host. Dropping the handle leaves it running until the host is killed or the lab goes.
#[derive(Debug)]
pub struct Postfix<'a> {
    host: &'a Host,
    dir: PathBuf,
}

impl Postfix<'_> {
    /// Returns the log.
    pub fn log(&self) -> PathBuf {
        self.dir.join("mail.log")
    }

    /// Counts the log's lines with `text`: `status=sent`, `disconnect from`.
    pub fn logged(&self, text: &str) -> Result<usize> {
        let log = self.log();
        let bytes = fs::read(&log).with_context(|| log.display().to_string())?;
        Ok(String::from_utf8_lossy(&bytes).lines().filter(|line| line.contains(text)).count())
    }

    /// Stops it in order.
    pub fn stop(&self) -> Result<()> {
        control(self.host, &self.dir, "stop")
    }
}

impl Host {
    /// Starts this host's Postfix, as a new one or, after a kill, on the queue it left; it listens on return.
    pub fn start_postfix(&self) -> Result<Postfix<'_>> {
        let dir = self.dir().join("postfix");
        if !dir.exists() {
            write_instance(&dir, self.name())?;
        }
        control(self, &dir, "start")?;
        Ok(Postfix { host: self, dir })
    }
}

/// How a program that sends mail goes about it.
#[derive(Clone, Copy, Debug)]
pub struct MailLoad<'a> {
    /// Recipient; [`INBOX`] stays in the host, an address literal goes on to the sink.
    pub to: &'a str,
    /// Connections at a time.
    pub sessions: usize,
    /// Messages altogether.
    pub messages: usize,
    /// Longest pause between two messages of a session, in whole seconds; the pause is random up to it.
    pub pause_s: u32,
    /// Whether a session keeps its connection for all its messages.
    pub keep_open: bool,
}

impl Default for MailLoad<'_> {
    fn default() -> Self {
        Self { to: "user@inbox.test", sessions: 1, messages: 1, pause_s: 0, keep_open: false }
    }
}

impl Lab {
    /// Starts a program in the client that sends mail to `to`, from the address of `sender` if there is one.
    pub fn send_mail(&self, sender: Option<Sender>, to: SocketAddr, load: &MailLoad<'_>) -> Result<Process> {
        let (flag, host) = match to.ip() {
            IpAddr::V4(address) => ("-4", address.to_string()),
            IpAddr::V6(address) => ("-6", format!("[{address}]")),
        };
        let mut launch =
            self.client().launch("smtp-source").arg(flag).args(["-C", "20", "-M", "client.test"]);
        launch = launch.arg("-s").arg(load.sessions.to_string()).arg("-m").arg(load.messages.to_string());
        if load.pause_s > 0 {
            launch = launch.arg("-R").arg(load.pause_s.to_string());
        }
        if load.keep_open {
            launch = launch.arg("-d");
        }
        if let Some(sender) = sender {
            launch = launch.uid(sender.uid);
        }
        launch.arg("-t").arg(load.to).arg(format!("{host}:{}", to.port())).spawn("smtp-source")
    }

    /// Starts the sink: every address of [`SINK_NETS`](crate::SINK_NETS) takes mail on port 25. It waits
    /// `delay_s` seconds, whole ones, before it answers to DATA, so that connections to it last.
    pub fn start_sink(&self, delay_s: u32) -> Result<Sink> {
        let start = |address: &str, name| {
            let mut launch = self.sink().launch("smtp-sink").args(["-u", "nobody", "-c", "-m", "4000"]);
            if delay_s > 0 {
                launch = launch.arg("-w").arg(delay_s.to_string());
            }
            launch.args([address, "4000"]).spawn(name)
        };
        let mut processes = vec![start("0.0.0.0:25", "sink4")?];
        let mut listening = vec![SocketAddr::from(([127, 0, 0, 1], 25))];
        if self.has_ipv6() {
            processes.push(start("[::]:25", "sink6")?);
            listening.push(SocketAddr::from((Ipv6Addr::LOCALHOST, 25)));
        }
        until("the sink", SINK_BOUND, || {
            for process in &mut processes {
                ensure!(process.status()?.is_none(), "smtp-sink ended:\n{}", process.tail(LOG_TAIL_LINES));
            }
            let open = |to: &SocketAddr| TcpStream::connect(to).is_ok();
            Ok(self.sink().inside(|| listening.iter().all(open))?.then_some(()))
        })?;
        Ok(Sink { processes })
    }
}

/// The sink's programs, one a family.
#[derive(Debug)]
pub struct Sink {
    processes: Vec<Process>,
}

impl Sink {
    /// Returns how many messages have arrived.
    pub fn received(&self) -> Result<usize> {
        self.processes.iter().map(|process| messages(process.log())).sum()
    }
}

/// Reads the running counter of `smtp-sink -c`: `sess=1 quit=1 mesg=1`, again and again on one line.
fn messages(log: &Path) -> Result<usize> {
    let text = fs::read_to_string(log).with_context(|| log.display().to_string())?;
    let Some((_, last)) = text.rsplit_once("mesg=") else { return Ok(0) };
    let digits: String = last.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().with_context(|| format!("smtp-sink wrote mesg={last}"))
}

/// Runs `postfix start` or `postfix stop`; both return when it is done.
fn control(host: &Host, dir: &Path, command: &str) -> Result<()> {
    let output = host.launch("postfix").arg("-c").arg(dir.join("etc")).arg(command).run(POSTFIX_BOUND)?;
    ensure!(
        output.status.success(),
        "postfix {command} in {}: {}\n{}\nlog:\n{}",
        host.name(),
        String::from_utf8_lossy(&output.stdout).trim_end(),
        String::from_utf8_lossy(&output.stderr).trim_end(),
        tail(&dir.join("mail.log"), LOG_TAIL_LINES)
    );
    Ok(())
}

/// Lays out an instance: configuration, and the directories Postfix then fills itself.
fn write_instance(dir: &Path, name: &str) -> Result<()> {
    for sub in ["", "etc", "queue", "data"] {
        let path = dir.join(sub);
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
    }
    let users = fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
    let owner = users.lines().find_map(|line| line.strip_prefix("postfix:")).context("no user postfix")?;
    let uid = owner.split(':').nth(1).context("/etc/passwd")?.parse().context("/etc/passwd")?;
    chown(dir.join("data"), Some(uid), None).context("give Postfix its data directory")?;
    let main = MAIN_CF.replace("@DIR@", &dir.display().to_string()).replace("@NAME@", name);
    fs::write(dir.join("etc/main.cf"), main).context("main.cf")?;
    fs::write(dir.join("etc/master.cf"), MASTER_CF).context("master.cf")
}

/// chosen: a start takes 0.5 s, 2 s with cold caches, more on a loaded machine.
const POSTFIX_BOUND: Duration = Duration::from_mins(1);
/// chosen: it listens within milliseconds.
const SINK_BOUND: Duration = Duration::from_secs(10);
const MAIN_CF: &str = include_str!("mail/main.cf");
const MASTER_CF: &str = include_str!("mail/master.cf");

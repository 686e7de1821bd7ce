//! The pages of docs/operate, walked: what they do is done, what they show is shown.
//!
//! In a page, `<!-- lab: ACTION -->` says what happens to the hosts, and a block of kind `console` has commands after
//! `mx1$ ` with what they print below. Numbers and the width of columns may differ, and what the line `this host: ` says
//! of announcements and questions; everything else may not. After `<!-- lab: configure -->`, the next block is written
//! into the configuration of every host.
use crate::site::{BOUND, Site};
use anyhow::{Context as _, Result, bail, ensure};
use lab::{Signal, require, traffic::Worker, until};
use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
};

#[test]
fn forming_a_cluster_is_as_the_page_says() -> Result<()> {
    require!("corosync");
    walk("forming-a-cluster.md", 3, &[], None)
}

#[test]
fn adding_and_removing_a_node_is_as_the_page_says() -> Result<()> {
    require!("corosync");
    walk("adding-and-removing-a-node.md", 4, &[1, 2, 3], None)
}

#[test]
fn replacing_a_manager_is_as_the_page_says() -> Result<()> {
    require!("corosync");
    walk("replacing-a-manager.md", 4, &[1, 2, 3], Some(3))
}

#[test]
fn a_partition_is_as_the_page_says() -> Result<()> {
    require!("corosync");
    walk("a-partition.md", 3, &[1, 2, 3], None)
}

#[test]
fn moving_addresses_is_as_the_page_says() -> Result<()> {
    require!("corosync");
    walk("moving-addresses.md", 3, &[], None)
}

/// A step of a page.
enum Step {
    Do(String),
    Configure(String),
    Show { host: usize, command: String, expected: Vec<String> },
}

fn walk(page: &str, hosts: usize, first: &[usize], manager: Option<usize>) -> Result<()> {
    let mut site = Site::prepare(hosts, first, manager)?;
    let mut traffic = Traffic::default();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operate").join(page);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let steps = steps(&text)?;
    ensure!(
        steps.iter().filter(|step| matches!(step, Step::Show { .. })).count() >= 3,
        "{page} shows too little"
    );
    for step in steps {
        match step {
            Step::Do(action) => {
                act(&mut site, &action, &mut traffic).with_context(|| format!("{page}: {action}"))?;
            }
            Step::Configure(text) => site.add_config(&(text + IN_A_HURRY)).context(page.to_owned())?,
            Step::Show { host, command, expected } => show(&site, host, &command, &expected, page)?,
        }
    }
    Ok(())
}

fn steps(text: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut in_block = false;
    let mut is_config = false;
    for line in text.lines() {
        if line == "<!-- lab: configure -->" {
            steps.push(Step::Configure(String::new()));
            is_config = true;
        } else if let Some(action) = line.strip_prefix("<!-- lab: ") {
            steps.push(Step::Do(action.trim_end_matches(" -->").into()));
        } else if line.starts_with("```") {
            is_config &= !in_block;
            in_block = !in_block && (is_config || line == "```console");
        } else if let (true, true, Some(Step::Configure(config))) = (in_block, is_config, steps.last_mut()) {
            config.extend([line, "\n"]);
        } else if in_block {
            match line.split_once("$ ") {
                Some((host, command)) if host.starts_with("mx") && !host.contains(' ') => {
                    let host = host[2..].parse().with_context(|| line.to_owned())?;
                    steps.push(Step::Show { host, command: command.into(), expected: Vec::new() });
                }
                _ => match steps.last_mut() {
                    Some(Step::Show { expected, .. }) => expected.push(line.into()),
                    _ => bail!("{line}: no command before it"),
                },
            }
        }
    }
    Ok(steps)
}

fn act(site: &mut Site, action: &str, traffic: &mut Traffic) -> Result<()> {
    let (verb, rest) = action.split_once(' ').unwrap_or((action, ""));
    let hosts = rest.split(' ').filter_map(|word| word.parse().ok()).collect::<Vec<usize>>();
    match verb {
        "start" => hosts.iter().try_for_each(|host| site.start(*host)),
        "manager" => hosts.iter().try_for_each(|host| {
            site.make_manager(*host);
            site.start(*host)
        }),
        "stop" => hosts.iter().try_for_each(|host| site.end(*host, Signal::TERM)),
        "die" => hosts.iter().try_for_each(|host| site.die(*host)),
        "kill" => hosts.iter().try_for_each(|host| site.end(*host, Signal::KILL)),
        "cut" => hosts.iter().try_for_each(|host| site.lab.cut(*host)),
        "heal" => site.lab.heal(),
        "peers" => site.set_peers(&hosts),
        "view" => site.wait_for_view(&hosts).map(|_epoch| ()),
        "mail" => traffic.open(site, rest),
        _ => bail!("there is no such action"),
    }
}

/// Connections to the hosts, which stay open.
#[derive(Default)]
struct Traffic(Vec<Worker>);

impl Traffic {
    /// Opens connections: `HOST COUNT ADDRESS` has this many from that address to port 25 of the host.
    fn open(&mut self, site: &Site, words: &str) -> Result<()> {
        let [host, count, from] = words.split(' ').collect::<Vec<_>>()[..] else {
            bail!("HOST COUNT ADDRESS")
        };
        let (host, from) = (site.lab.host(host.parse()?), from.parse::<IpAddr>()?);
        let own: IpAddr = if from.is_ipv4() { host.v4().into() } else { host.v6().into() };
        let program = Path::new(env!("CARGO_BIN_EXE_traffic"));
        let mut server = host.worker(program, Some(host.cgroup().path()))?;
        server.listen(SocketAddr::new(own, SMTP))?;
        let mut client = site.lab.client().worker(program, None)?;
        client.open(count.parse()?, from, 1, SocketAddr::new(own, SMTP))?;
        self.0.extend([server, client]);
        Ok(())
    }
}

/// Has a host print what the page shows, sooner or later: views and answers take their time.
fn show(site: &Site, host: usize, command: &str, expected: &[String], page: &str) -> Result<()> {
    let words = command.strip_prefix("convoy ").with_context(|| format!("{command}: not ours"))?;
    let words = words.split(' ').collect::<Vec<_>>();
    let lines = |text: &str| {
        let plain = text.lines().filter(|line| !line.starts_with("this host: ")).map(plain);
        plain.filter(|line| !line.is_empty()).collect::<Vec<_>>()
    };
    let wanted = lines(&expected.join("\n"));
    let mut last = String::new();
    let shown = until("what the page shows", BOUND, || {
        let output = site.lab.host(host).convoy(&words)?;
        last =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Ok((lines(&last) == wanted).then_some(()))
    });
    shown.with_context(|| {
        format!("{page}: `{command}` on mx{host} prints\n{last}\ninstead of\n{}", expected.join("\n"))
    })
}

/// Returns a line without what may differ: numbers, and the width of columns.
fn plain(line: &str) -> String {
    let mut text = String::new();
    for word in line.split_whitespace() {
        let mut word_text = String::new();
        for letter in word.chars() {
            let digit = letter.is_ascii_digit();
            if !digit || !word_text.ends_with('0') || word.starts_with("mx") {
                word_text.push(if digit && !word.starts_with("mx") { '0' } else { letter });
            }
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text += &word_text;
    }
    text
}

const SMTP: u16 = 25;
/// The reader has more patience: views are acted on at once, and silence is noticed long before the bus does.
const IN_A_HURRY: &str = "cluster {\n  bus_token = 2\n  duravip_lease = 3\n  view_mature_time = 1\n  view_balance_interval = 1\n}\n";

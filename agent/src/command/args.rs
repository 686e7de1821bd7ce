//! The words of `convoy`. The texts here are its manual: what each command asks, an example, what comes back.
use super::{config::Config, vip::Vip};
use crate::host::control::shape::Request;
use clap::{Args as ClapArgs, Parser, Subcommand};
use convoy_common::prefix::Prefix;
use std::path::PathBuf;

/// Ask this host's convoyd: the cluster's members, and who is connected to all of its mail hosts.
///
/// Every node counts its SMTP connections in the kernel and tells the others; so each node answers for the whole
/// cluster. `current` is connections open now, `total` is connections opened since a host was first seen.
#[derive(Debug, Parser)]
#[command(name = "convoy", version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Args {
    /// Directory in which convoyd keeps its control socket
    #[arg(long, value_name = "DIR", env = "CONVOY_RUN_DIR", default_value = "/run/convoy", global = true)]
    pub run_dir: PathBuf,
    /// Print the daemon's answer as it is: one line of JSON (docs/control.md says what each field means)
    #[arg(long, global = true)]
    pub json: bool,
    /// Have every node of the cluster carry the command out, and show all answers side by side
    #[arg(long, global = true)]
    pub all: bool,
    /// Longest wait for the answers of --all; a node that has not answered by then is named
    #[arg(long, value_name = "SECONDS", default_value = "2", global = true, requires = "all", value_parser = known_wait)]
    pub within: f64,
    /// What to ask.
    #[command(subcommand)]
    pub question: Question,
}

/// What to ask.
#[derive(Debug, Subcommand)]
pub enum Question {
    /// How this node is: its sums, its peers, the kernel's side, and what needs attention
    ///
    /// The first line says whether the node is ready or degraded; reasons stand at the end, each with "!". "here"
    /// is what this host counts, the other columns are the sum over all nodes.
    #[command(after_long_help = "Example:\n  convoy status\n  convoy --json status | jq -r .state")]
    Status,
    /// Which nodes are in the cluster, and what this one last heard of them
    ///
    /// alive: heard lately. suspect: silent for a moment; its counts still stand. gone: it left or was silent for
    /// long; its counts have left the sums. "counts" says whether all that a node counts has arrived here, "resent"
    /// how often it was too slow and was sent everything again, "gaps" how often something of it was missed. Below
    /// the table stands what is between this node and another, and what to do about it.
    #[command(after_long_help = "Example:\n  convoy membership")]
    Membership,
    /// Who is in the cluster: the view on which all members agree
    ///
    /// Its epoch grows with every change. A manager is a member too; it counts nothing. Below the table stands who
    /// differs from the others in what must be the same on all, such as the peer list.
    #[command(after_long_help = "Example:\n  convoy view\n  convoy --all view")]
    View,
    /// A console for the commands of `ec_console`, at a prompt or one at a time
    ///
    /// With a command it carries that out and ends; on a terminal it reads commands at a prompt, with history and
    /// completion; else one command a line from standard input. `help` lists the commands. The first word may be
    /// the path of another daemon's control socket, or a loopback address with its port.
    #[command(
        after_long_help = "Example:\n  convoy console\n  convoy console cluster membership\n  convoy console /run/manager/convoyd.sock broadcast cluster nodename"
    )]
    Console {
        /// Socket or loopback address of another daemon, then a command; both may be left out
        #[arg(value_name = "WORDS", trailing_var_arg = true)]
        words: Vec<String>,
    },
    /// What the nodes tell each other: lists, sums, single prefixes
    #[command(subcommand)]
    Shared(Shared),
    /// How far the counts are from the kernel's own socket table
    ///
    /// The daemon compares the two on a period and puts right what differs. Both numbers are 0 unless a kernel
    /// event was missed; "put right" counts connections since the daemon started.
    #[command(after_long_help = "Example:\n  convoy drift")]
    Drift,
    /// The addresses that the cluster shares: who has which, moves, nodes to be emptied
    ///
    /// Each is held by one node at a time, and by another when that one is gone (docs/duravip.md). Everybody who may ask
    /// convoyd may look; only root and convoyd's own user, and whom a role allows it, may move something.
    #[command(subcommand)]
    Vip(Vip),
    /// The configuration: look, check, change while convoyd runs, save
    ///
    /// Words are scopes from the outermost to the innermost, each followed by its instance if it has instances, then
    /// the option, as in the examples. A change is built into a whole new configuration; if that
    /// is not good, nothing changes. It is in effect at once and saved by writeback. begin and commit make several
    /// changes one. With --file the same commands work on a file, without convoyd; set and unset then write it.
    /// Everybody who may ask convoyd may look; only root and convoyd's own user may change something. With --all every
    /// node does it, each for itself; transactions and files are for one host.
    #[command(
        after_long_help = "Example:\n  convoy config show cluster\n  convoy config set cluster Replicate inbound_cidr max_delay = 0.05\n  convoy config writeback\n  convoy config --file ecelerity-cluster.conf set cluster nodename mx1"
    )]
    Config(Config),
}

/// What the nodes tell each other.
#[derive(Debug, Subcommand)]
pub enum Shared {
    /// The replicated objects and their sums
    #[command(after_long_help = "Example:\n  convoy shared list")]
    List,
    /// The CIDR tree of an object: every host, and every prefix at which hosts branch
    ///
    /// A prefix shows the sum of everything below it; its two branches are indented under it. The first line is
    /// the sum over all. Large trees are long: use a pager.
    #[command(
        after_long_help = "Example:\n  convoy shared show inbound_cidr | less\n  convoy shared show inbound_cidr --from mx2"
    )]
    Show(View),
    /// The sum below one prefix
    ///
    /// Any prefix has an answer, also one that no listing shows; bits below its length are ignored. A single
    /// address is a prefix of full length.
    #[command(
        after_long_help = "Example:\n  convoy shared query inbound_cidr 192.0.2.0/24\n  convoy shared query outbound_cidr 2001:db8::25 --from mx1"
    )]
    Query {
        /// What is asked about.
        #[command(flatten)]
        view: View,
        /// Address or prefix.
        #[arg(value_parser = known_prefix, help = "Address or prefix: 192.0.2.7, 192.0.2.0/24, 2001:db8::/32")]
        prefix: String,
    },
    /// The busiest prefixes of one length
    ///
    /// Sorted by open connections, then by opened ones. The bar shows each prefix's open connections beside those
    /// of the busiest.
    #[command(
        after_long_help = "Example:\n  convoy shared top inbound_cidr\n  convoy shared top inbound_cidr --bits 32 --limit 5"
    )]
    Top {
        /// What is asked about.
        #[command(flatten)]
        view: View,
        /// Length of the prefixes; IPv4 stops at 32 [default: 24 for IPv4, 64 for IPv6]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=128))]
        bits: Option<u8>,
        /// Most rows to print [default: 20]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },
}

/// An object, and whose counts of it.
#[derive(Debug, ClapArgs)]
pub struct View {
    /// Which object.
    #[arg(help = "inbound_cidr (who connects to us) or outbound_cidr (whom we connect to)")]
    pub object: String,
    /// Only what this node counts, instead of the sum over all nodes
    #[arg(long, value_name = "NODE")]
    pub from: Option<String>,
}

impl Args {
    /// Returns the longest wait for the answers of other nodes, milliseconds.
    pub fn within_ms(&self) -> u64 {
        // The parser has seen to it that it is small and positive.
        std::time::Duration::from_secs_f64(self.within).as_millis().try_into().unwrap_or(u64::MAX)
    }

    /// Returns the request that these words are.
    /// `config` has requests of its own.
    pub fn request(&self) -> Option<Request> {
        Some(match &self.question {
            Question::Config(_) | Question::Console { .. } => return None,
            Question::View => Request::Cluster,
            Question::Status => Request::Status,
            Question::Membership => Request::Membership,
            Question::Drift => Request::Drift,
            Question::Vip(vip) => vip.request(),
            Question::Shared(Shared::List) => Request::SharedList,
            Question::Shared(Shared::Show(View { object, from })) => {
                Request::SharedShow { object: object.clone(), from: from.clone() }
            }
            Question::Shared(Shared::Query { view: View { object, from }, prefix }) => {
                Request::SharedQuery { object: object.clone(), prefix: prefix.clone(), from: from.clone() }
            }
            Question::Shared(Shared::Top { view: View { object, from }, bits, limit }) => {
                Request::SharedTop {
                    object: object.clone(),
                    bits: *bits,
                    limit: limit.and_then(|limit| usize::try_from(limit).ok()),
                    from: from.clone(),
                }
            }
        })
    }
}

fn known_wait(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=9.0).contains(&seconds) => Ok(seconds),
        _ => Err("write seconds, 0.001 to 9".into()),
    }
}

/// Lets a typing error be told before a daemon is asked.
fn known_prefix(text: &str) -> Result<String, convoy_common::prefix::PrefixError> {
    text.parse::<Prefix>().map(|_| text.to_owned())
}

const AFTER_HELP: &str = "\
Exit codes:
  0  answered
  1  convoyd cannot answer that: no such object or node, or too busy; it says which. config: not set, or refused
  2  the command line is wrong; nothing was asked
  3  no convoyd answers in the run directory, or it broke off

Colour is used on a terminal unless NO_COLOR is set.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::control::shape::vip::{DrainRequest, MoveRequest};
    use clap::CommandFactory;

    fn check(words: &str, expected: &Request) {
        let args = Args::try_parse_from(words.split(' ')).unwrap();
        assert_eq!(args.request().as_ref(), Some(expected));
    }

    #[test]
    fn words_become_requests() {
        let (object, from) = ("inbound_cidr".to_owned(), None);
        check("convoy status", &Request::Status);
        check("convoy membership --json", &Request::Membership);
        check("convoy --run-dir /x drift", &Request::Drift);
        check("convoy shared list", &Request::SharedList);
        check("convoy vip show", &Request::Vips);
        let (addresses, node) = (vec!["192.0.2.1".to_owned(), "2001:db8::/64".to_owned()], "mx2".to_owned());
        check(
            "convoy vip move 192.0.2.1 2001:db8::/64 mx2",
            &Request::VipMove(MoveRequest { addresses, node: node.clone() }),
        );
        check("convoy vip undrain mx2", &Request::VipDrain(DrainRequest { node, on: false }));
        check(
            "convoy shared show inbound_cidr --from mx2",
            &Request::SharedShow { object: object.clone(), from: Some("mx2".into()) },
        );
        check(
            "convoy shared query inbound_cidr 10.0.0.0/8",
            &Request::SharedQuery { object: object.clone(), prefix: "10.0.0.0/8".into(), from: from.clone() },
        );
        check(
            "convoy shared top inbound_cidr --bits 16 --limit 3",
            &Request::SharedTop { object, bits: Some(16), limit: Some(3), from },
        );
    }

    #[test]
    fn every_command_has_help_and_an_example() {
        fn visit(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            if !command.has_subcommands() {
                assert!(
                    command.get_after_long_help().is_some_and(|text| text.to_string().contains("convoy ")),
                    "{}",
                    command.get_name()
                );
            }
            command.get_subcommands().for_each(visit);
        }
        let command = Args::command();
        command.clone().debug_assert();
        visit(&command);
    }
}

//! `convoy vip`: the addresses that the cluster shares. The texts here are its manual.
use crate::host::control::shape::{
    Request,
    vip::{DrainRequest, MoveRequest},
};
use clap::Subcommand;
use convoy_common::prefix::Prefix;
use std::net::IpAddr;

mod show;

pub(super) use show::{announced, debugging, drained, history, hosts, list, moving};

/// What to ask of them.
#[derive(Debug, Subcommand)]
pub enum Vip {
    /// Every address: who has it, how it stands, who could have it
    ///
    /// state: owned; moving, with where to; waiting, when it has come here and somebody else still answers for it;
    /// unowned, when no node can have it; broken, when its bindings contradict each other and it is not managed.
    /// safety: safe; in conflict, when nodes prefer different ones; UNSAFE, when nodes serve different things on it;
    /// BROKEN. "for" is how long it has been with its owner. A node in ( ) cannot have the address now. Below the table
    /// stands what needs attention, with "!".
    #[command(
        after_long_help = "Example:\n  convoy vip show\n  convoy --json vip show | jq '.vips[] | select(.owner == null)'"
    )]
    Show,
    /// Have addresses go to a node
    ///
    /// The new owner is ready before the old one stops answering, so connections to other addresses notice nothing and
    /// what arrives meanwhile is taken by one of the two. The command ends when the move is ordered; see: convoy vip show.
    /// An address that its bindings prefer elsewhere goes back there with the next election. If one address cannot go,
    /// none goes.
    #[command(
        after_long_help = "Example:\n  convoy vip move 192.0.2.7 mx2\n  convoy vip move 192.0.2.0/28 2001:db8::25 mx2"
    )]
    Move {
        /// Addresses, or CIDR blocks for all shared addresses in them
        #[arg(value_name = "ADDRESS", required = true, num_args = 1..=ADDRESSES_MAX, value_parser = known_address)]
        addresses: Vec<String>,
        /// Name of the node
        #[arg(value_name = "NODE")]
        node: String,
    },
    /// Have a node hand over all it has, and get nothing more
    ///
    /// For work on its host: nothing is lost when it stops afterwards. It stays so until undrain, also when it restarts
    /// while another node runs.
    #[command(after_long_help = "Example:\n  convoy vip drain mx2")]
    Drain {
        /// Name of the node
        #[arg(value_name = "NODE")]
        node: String,
    },
    /// Let a drained node have addresses again
    #[command(after_long_help = "Example:\n  convoy vip undrain mx2")]
    Undrain {
        /// Name of the node
        #[arg(value_name = "NODE")]
        node: String,
    },
    /// Tell the members again what this node would hold, and its links what it has
    ///
    /// For the day on which somebody's table is wrong: a router that still sends to the old owner, or members that were
    /// reloaded at once and disagree.
    #[command(after_long_help = "Example:\n  convoy vip announce\n  convoy --all vip announce")]
    Announce,
    /// What moved lately, when and why
    ///
    /// Addresses that moved together are one line; the latest stands first. "outage" is for how long nobody answered, as
    /// the node that took them over knows.
    #[command(after_long_help = "Example:\n  convoy vip history\n  convoy --all vip history")]
    History,
}

impl Vip {
    /// Returns the request that these words are.
    pub fn request(&self) -> Request {
        let drain = |node: &String, on| Request::VipDrain(DrainRequest { node: node.clone(), on });
        match self {
            Self::Show => Request::Vips,
            Self::Move { addresses, node } => {
                Request::VipMove(MoveRequest { addresses: addresses.clone(), node: node.clone() })
            }
            Self::Drain { node } => drain(node, true),
            Self::Undrain { node } => drain(node, false),
            Self::Announce => Request::VipAnnounce,
            Self::History => Request::VipHistory,
        }
    }
}

/// Lets a typing error be told before a daemon is asked.
fn known_address(text: &str) -> Result<String, String> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    let block = text.parse::<Prefix>().map_err(|error| format!("{error}; the node comes last"));
    block.map(|_| text.to_owned())
}

/// Addresses of one command. chosen: they fit a request of the control socket; blocks are for more.
const ADDRESSES_MAX: usize = 64;

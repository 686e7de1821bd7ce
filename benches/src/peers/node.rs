//! Where a node of a peer runs: an address, and how a program is started there.
use lab::Lab;
use std::{
    ffi::{OsStr, OsString},
    net::{IpAddr, Ipv4Addr},
    process::{Command, Stdio},
};

/// A place for one node. The benchmark gives its own places here, so that both sides cross the same network.
#[derive(Clone, Debug)]
pub struct Node {
    name: String,
    address: IpAddr,
    enter: Vec<OsString>,
}

impl Node {
    /// A node on the machine's own loopback, `127.0.77.N`; no namespace, no bridge, so the network costs least.
    pub fn loopback(index: u8) -> Self {
        let address = Ipv4Addr::new(127, 0, 77, index).into();
        Self { name: format!("node{index}"), address, enter: vec![] }
    }

    /// A node in a named network namespace (see ip-netns(8)) that answers to `address`.
    pub fn in_namespace(name: &str, namespace: &str, address: IpAddr) -> Self {
        let enter = ["ip", "netns", "exec", namespace].map(OsString::from).to_vec();
        Self { name: name.to_owned(), address, enter }
    }

    /// The mail hosts of a lab, in their order.
    pub fn all_of(lab: &Lab) -> Vec<Self> {
        let node = |host: &lab::Host| Self::in_namespace(host.name(), host.netns(), host.v4().into());
        lab.hosts().iter().map(node).collect()
    }

    /// Returns the name, unique among the nodes of one cluster.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the address that other nodes reach it by.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Returns a command that runs `program` here and dies with the thread that starts it, whatever ends that.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let words: Vec<OsString> = self
            .enter
            .iter()
            .cloned()
            .chain(["setpriv", "--pdeathsig", "KILL", "--"].map(OsString::from))
            .chain([program.as_ref().to_owned()])
            .collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_enters_its_namespace_first() {
        let node = Node::in_namespace("a", "ns7", [192, 0, 2, 1].into());
        let command = node.command("haproxy");
        let words: Vec<_> = [command.get_program()].into_iter().chain(command.get_args()).collect();
        assert_eq!(words.join(OsStr::new(" ")), "ip netns exec ns7 setpriv --pdeathsig KILL -- haproxy");
    }
}

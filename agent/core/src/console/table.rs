//! The commands.

/// One command of the console.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// What it does.
    pub id: Id,
    /// Its words, in lower case.
    pub words: &'static [&'static str],
    /// What follows them, as the help shows it.
    pub arguments: &'static str,
    /// Fewest and most arguments; the last of many may be a command of its own.
    pub count: (usize, usize),
    /// One line.
    pub summary: &'static str,
    /// More: what comes back, an example.
    pub help: &'static str,
    /// Where it is carried out.
    pub place: Place,
    /// It changes something.
    pub changes: bool,
}

/// Where a command is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a node; a manager has it broadcast or sent to one.
    Node,
    /// On a manager only.
    Manager,
    /// On either.
    Both,
    /// By the console itself.
    Console,
}

/// Names a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is explained by its row of the table")]
pub enum Id {
    Help,
    Version,
    ClusterHelp,
    ClusterInfo,
    ClusterMembership,
    ClusterNodename,
    ClusterNodeaddr,
    ClusterReset,
    ArpShow,
    DuravipShow,
    DuravipShowTables,
    DuravipMove,
    DuravipAnnounceView,
    DuravipDebug,
    SharedList,
    SharedShow,
    ConfigGet,
    ConfigEval,
    ConfigSet,
    ConfigUnset,
    ConfigShow,
    ConfigShowrecurse,
    ConfigLocate,
    ConfigBegin,
    ConfigCommit,
    ConfigRollback,
    ConfigReplay,
    ConfigReload,
    ConfigWriteback,
    WriteConfig,
    AuthzId,
    AuthzRolesList,
    Broadcast,
    Retrieve,
    Unicast,
    RetrieveNode,
    SubclusterBroadcast,
    SubclusterRetrieve,
    FlushControlCache,
    ShowClusterMembership,
    Info,
    Shutdown,
    Pager,
    Quit,
}

const fn command(
    id: Id,
    words: &'static [&'static str],
    arguments: &'static str,
    count: (usize, usize),
    place: Place,
    summary: &'static str,
) -> Command {
    Command { id, words, arguments, count, summary, help: "", place, changes: false }
}

impl Command {
    const fn more(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    const fn changes(mut self) -> Self {
        self.changes = true;
        self
    }
}

/// Any number of words.
const MANY: usize = usize::MAX;

/// All commands, in the order in which help lists them. No command's words begin with those of another and go on with what could be that one's
/// argument, except where the longer one is meant.
pub const COMMANDS: &[Command] = &[
    command(Id::ClusterInfo, &["cluster", "info"], "", (0, 0), Place::Node, "The bus, this process's names on it, its groups, the leader")
        .more("Four lines: the engine of the bus with the private names of this process (m: member, s: sender of shared\nobjects), the control group, the cluster group with its leader, the logger group."),
    command(Id::ClusterMembership, &["cluster", "membership"], "", (0, 0), Place::Node, "Every member of the agreed view, a block each")
        .more("Private Name, Node Name, Subcluster, Node Type (Momentum for a node, or Manager), Version, Address, Groups.\nNothing is shown while this node is on no bus."),
    command(Id::ClusterNodename, &["cluster", "nodename"], "", (0, 0), Place::Node, "This node's name in the cluster"),
    command(Id::ClusterNodeaddr, &["cluster", "nodeaddr"], "", (0, 0), Place::Node, "Address and port of this node's cluster service"),
    command(Id::SharedList, &["cluster", "shared", "list"], "", (0, 0), Place::Node, "The replicated objects"),
    command(Id::SharedShow, &["cluster", "shared", "show"], "OBJECT [from NODE]", (1, 3), Place::Node, "The sum over all nodes of an object, or one node's part of it")
        .more("OBJECT is inbound_cidr or outbound_cidr. Example: cluster shared show inbound_cidr from mx2"),
    command(Id::DuravipShow, &["cluster", "duravip", "show"], "", (0, 0), Place::Node, "Every address that the cluster shares: who could have it, and who has")
        .more("An address with its bindings, whether it has an owner, whether the nodes' configurations fit each other (safe,\nin conflict, UNSAFE, BROKEN), its services; then its nodes, the owner with a star."),
    command(Id::DuravipShowTables, &["cluster", "duravip", "show", "tables"], "", (0, 0), Place::Node, "The same with all that is known, in XML"),
    command(Id::DuravipMove, &["cluster", "duravip", "move"], "ADDRESS [to] NODE", (2, 3), Place::Node, "Have an address go to a node")
        .more("Any node may be asked, or all: they agree on it. Example: cluster duravip move 192.0.2.7 to mx2")
        .changes(),
    command(Id::DuravipAnnounceView, &["cluster", "duravip", "announce", "view"], "", (0, 0), Place::Node, "Tell the members again what this node would hold, and its links what it has")
        .changes(),
    command(Id::DuravipDebug, &["cluster", "duravip", "debug"], "on|off", (1, 1), Place::Node, "Tell moves in detail in the log, or no longer").changes(),
    command(Id::ArpShow, &["cluster", "arp", "show"], "", (0, 0), Place::Node, "Who this host heard of on the links of shared addresses, with link address and age"),
    command(Id::ClusterReset, &["cluster", "reset"], "", (0, 0), Place::Node, "Leave the bus and join it again; all members agree on a new view")
        .more("For the day on which a node's idea of the cluster is wrong. Counts and connections stay.")
        .changes(),
    command(Id::ClusterHelp, &["cluster", "help"], "", (0, 0), Place::Both, "The commands of the cluster"),
    command(Id::ConfigGet, &["config", "get"], "[SCOPE ...] OPTION", (1, MANY), Place::Both, "The value set exactly there"),
    command(Id::ConfigEval, &["config", "eval"], "[SCOPE ...] OPTION", (1, MANY), Place::Both, "The value in effect there, as Name = value"),
    command(Id::ConfigSet, &["config", "set"], "[SCOPE ...] OPTION [=] VALUE", (2, MANY), Place::Both, "Change an option now").changes(),
    command(Id::ConfigUnset, &["config", "unset"], "SCOPE ... [OPTION]", (1, MANY), Place::Both, "Take an option, or a scope with all in it, away").changes(),
    command(Id::ConfigShow, &["config", "show"], "[SCOPE ...] [OPTION]", (0, MANY), Place::Both, "One scope; those in it as { ... }"),
    command(Id::ConfigShowrecurse, &["config", "showrecurse"], "[SCOPE ...]", (0, MANY), Place::Both, "One scope with all that is in it"),
    command(Id::ConfigLocate, &["config", "locate"], "SCOPE [REGEX]", (1, 2), Place::Both, "The paths of all scopes of a kind"),
    command(Id::ConfigBegin, &["config", "begin"], "[from scratch]", (0, 2), Place::Both, "Open a transaction: changes are made by commit").changes(),
    command(Id::ConfigCommit, &["config", "commit"], "", (0, 0), Place::Both, "Make the transaction's changes, all or none").changes(),
    command(Id::ConfigRollback, &["config", "rollback"], "", (0, 0), Place::Both, "Drop the transaction").changes(),
    command(Id::ConfigReplay, &["config", "replay"], "", (0, 0), Place::Both, "Make the transaction's changes again on the newest configuration").changes(),
    command(Id::ConfigReload, &["config", "reload"], "[PATH]", (0, 1), Place::Both, "Read the files anew").changes(),
    command(Id::ConfigWriteback, &["config", "writeback"], "[PATH]", (0, 1), Place::Both, "Save what was changed online").changes(),
    command(Id::WriteConfig, &["write", "config"], "[PATH]", (0, 1), Place::Both, "Print the running configuration as one file without includes, or save it so"),
    command(Id::AuthzId, &["authz", "id"], "", (0, 0), Place::Both, "Who you are to the daemon: user and roles"),
    command(Id::AuthzRolesList, &["authz", "roles", "list"], "", (0, 0), Place::Both, "The roles of the configuration, and what they may do"),
    command(Id::Broadcast, &["broadcast"], "COMMAND", (1, MANY), Place::Manager, "Have every node carry a command out; retrieve shows the answers")
        .more("The nodes are those of the control group. Example: broadcast cluster nodename")
        .changes(),
    command(Id::Retrieve, &["retrieve"], "COMMAND", (1, MANY), Place::Manager, "The answers to a command that was broadcast, with their age; missing nodes are named"),
    command(Id::Unicast, &["unicast"], "NODE COMMAND", (2, MANY), Place::Manager, "Have one node carry a command out").changes(),
    command(Id::RetrieveNode, &["retrieve_node"], "NODE COMMAND", (2, MANY), Place::Manager, "One node's answer to a command that was broadcast or unicast"),
    command(Id::SubclusterBroadcast, &["subcluster", "broadcast"], "SUBCLUSTER COMMAND", (2, MANY), Place::Manager, "Have the nodes of a subcluster carry a command out").changes(),
    command(Id::SubclusterRetrieve, &["subcluster", "retrieve"], "SUBCLUSTER COMMAND", (2, MANY), Place::Manager, "The answers of the nodes of a subcluster"),
    command(Id::FlushControlCache, &["flush", "control", "cache"], "", (0, 0), Place::Manager, "Forget the answers collected so far").changes(),
    command(Id::ShowClusterMembership, &["show", "cluster", "membership"], "", (0, 0), Place::Manager, "Every member of the agreed view, in XML"),
    command(Id::Info, &["info"], "", (0, 0), Place::Manager, "The cluster group, and how this manager is"),
    command(Id::Shutdown, &["shutdown"], "", (0, 0), Place::Both, "End this convoyd, as its service manager would")
        .more("A node says goodbye to the others, and its kernel counts on. It cannot be broadcast.")
        .changes(),
    command(Id::Version, &["version"], "", (0, 0), Place::Both, "Version of the daemon"),
    command(Id::Help, &["help"], "[COMMAND]", (0, MANY), Place::Console, "This list, or more about one command")
        .more("Before a command, xml has its answer in XML. Example: xml cluster membership"),
    command(Id::Pager, &["\\pager"], "", (0, 0), Place::Console, "Show long answers in a pager, or no longer"),
    command(Id::Quit, &["quit"], "", (0, 0), Place::Console, "Leave"),
];

//! From configuration files to settings in which every value is legal.
//!
//! Invariants: 1. [`load`] either gives settings or a report with every error found, never both; 2. whatever is not set has
//! the default of the schema table; 3. nothing here is started, opened for writing or looked up in the network.
//! Source: reference sections 1.7 to 1.10, 2.1, 2.4, 3.1 and 3.3.
use crate::host::control::Plan;
use convoy_core::{
    config::{
        diagnostic::Diagnostics,
        load::{Config, Source, load as load_config},
        place::Files,
        report::{Colour, Layout},
        schema::{Level, check},
    },
    time::Span,
    wire::Object,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

mod agreed;
mod build;
mod bus;
pub mod console;
mod control;
mod disk;
mod environment;
mod name;
pub(crate) mod rows;
mod view;
mod vip;
mod wanted;
mod write;

pub use bus::Bus;
pub use disk::Disk;
pub use environment::{BootFile, Environment};
pub use name::{BadName, NodeName};
pub use vip::Vips;
pub use wanted::Counted;
pub use write::NotWritten;

/// Everything the daemon needs to know. Every value is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// This node.
    pub node: NodeName,
    /// This node's address on the cluster network; `None` when it is alone and none is configured.
    pub address: Option<IpAddr>,
    /// All members, this node included; empty when no peers are configured. At most `NODES_MAX`.
    pub peers: BTreeMap<NodeName, IpAddr>,
    /// Whether this node takes part in the cluster; when false it counts alone.
    pub enabled: bool,
    /// Name of the cluster, 1 to `NAME_BYTES_MAX` bytes.
    pub cluster_group: String,
    /// Group for console commands.
    pub control_group: String,
    /// The subcluster this node is in.
    pub subcluster: String,
    /// What must be the same on every member, by name.
    pub agreed: Vec<(&'static str, String)>,
    /// Time between heartbeats, 5 ms to 1 s.
    pub heartbeat_interval: Span,
    /// Time after start before a peer's silence counts.
    pub heartbeat_start_delay: Span,
    /// Least level that is logged.
    pub debug_level: Level,
    /// Sockets to bind, in the order of the files; those not enabled are left out.
    pub listens: Vec<Listen>,
    /// Replicated objects; one that is not here is counted and told nobody.
    pub objects: BTreeMap<Object, ObjectSettings>,
    /// Local ports whose connections count as inbound.
    pub inbound_ports: BTreeSet<u16>,
    /// Remote ports whose connections count as outbound.
    pub outbound_ports: BTreeSet<u16>,
    /// Time between audits, 1 s to 1 h.
    pub audit_interval: Span,
    /// Where consoles are reached, and who may do what there.
    pub control: Plan,
    /// File in which a manager keeps the answers it has collected.
    pub control_cache: Option<PathBuf>,
    /// Connections to the other nodes.
    pub mesh: Mesh,
    /// Agreement with the other nodes.
    pub bus: Bus,
    /// The addresses that the cluster shares.
    pub vips: Vips,
}

/// One socket of `ECCluster_Listener`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Where to bind. `*` is `0.0.0.0`.
    pub address: SocketAddr,
    /// Connections the kernel keeps until they are accepted.
    pub backlog: u16,
    /// Whether to set `TCP_NODELAY`.
    pub nodelay: bool,
    /// Receive buffer in bytes; `None` leaves it to the kernel.
    pub receive_buffer: Option<u32>,
    /// Send buffer in bytes; `None` leaves it to the kernel.
    pub send_buffer: Option<u32>,
}

/// How one object is replicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectSettings {
    /// Longest time a change waits for others; zero sends at once.
    pub max_delay: Span,
    /// Most changes that wait, at least 1.
    pub max_pending: usize,
    /// Most hosts in this node's own table, 1 to `OBJECT_HOSTS_MAX`.
    pub max_size: u32,
}

/// How connections to the other nodes are made and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mesh {
    /// Port on which the other nodes listen: that of this node's first `Listen`.
    pub peer_port: u16,
    /// Longest wait for a connection to be accepted.
    pub connect_timeout: Span,
    /// Wait after a failed connection.
    pub reconnect_interval: Span,
    /// Silence after which a peer counts no more although it is a member.
    pub idle_timeout: Span,
    /// Socket buffers of connections this node opens, in bytes; `None` leaves them to the kernel.
    pub buffer: Option<u32>,
}

/// Settings, and what to tell the operator although they are good.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Warnings, with the texts they point into.
    pub warnings: Report,
    /// All files read, in order of first inclusion.
    pub files: Vec<PathBuf>,
    /// The configuration itself, for commands that show it.
    pub config: Config,
}

/// Diagnostics with the texts they point into; `Display` lays them out in plain text.
#[derive(Debug)]
pub struct Report {
    files: Files,
    diagnostics: Diagnostics,
}

/// Loads `path` and what it includes.
///
/// # Errors
/// A report with every error found, and the warnings; show it and change nothing.
pub fn load(path: &Path, environment: &Environment) -> Result<Loaded, Report> {
    let mut disk = Disk::new(path, environment);
    let (config, diagnostics) = load_config(&mut disk as &mut dyn Source, &path.to_string_lossy());
    let (settings, warnings) = judge(&config, diagnostics, environment)?;
    Ok(Loaded { settings, warnings, files: disk.files(), config })
}

/// Judges a configuration that was loaded, with what was found while it was: gives the settings and the warnings.
///
/// # Errors
/// As for [`load`].
pub fn judge(
    config: &Config,
    mut diagnostics: Diagnostics,
    environment: &Environment,
) -> Result<(Settings, Report), Report> {
    check(&config.scopes, &mut diagnostics);
    let settings = build::settings(&config.scopes, environment, &mut diagnostics);
    diagnostics.sort();
    let report = Report { files: config.texts.files.clone(), diagnostics };
    match settings {
        Some(settings) if !report.diagnostics.has_errors() => Ok((settings, report)),
        _ => Err(report),
    }
}

impl Settings {
    /// Returns the other members.
    pub fn others(&self) -> impl Iterator<Item = (&NodeName, IpAddr)> {
        self.peers.iter().filter(|(name, _)| **name != self.node).map(|(name, address)| (name, *address))
    }

    /// Returns whether there is nobody to talk to.
    pub fn is_solo(&self) -> bool {
        !self.enabled || self.others().next().is_none()
    }
}

impl Report {
    /// Returns what was found in these texts.
    pub fn new(files: Files, diagnostics: Diagnostics) -> Self {
        Self { files, diagnostics }
    }

    /// Returns the diagnostics.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// Returns the texts they point into.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Returns whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.diagnostics.iter().next().is_none()
    }

    /// Returns the layout for a terminal or a log.
    pub fn layout(&self, colour: Colour) -> Layout<'_> {
        Layout { files: &self.files, diagnostics: &self.diagnostics, colour }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.layout(Colour::Never).fmt(f)
    }
}

impl std::error::Error for Report {}

#[cfg(test)]
mod tests;

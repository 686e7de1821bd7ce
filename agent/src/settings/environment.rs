//! What the host says about itself before a configuration is found: environment variables, `cluster.boot`, its name.
//!
//! Invariants: 1. a variable beats the file, the file beats the host's name; 2. the file is read once, when the process
//! starts, as variables are; 3. what is wrong with it is not told here but by every load, with its place.
//! Source: reference sections 1.8 to 1.11.
use super::{NodeName, disk};
use convoy_core::{
    bounds,
    config::{boot, place::FileId},
};
use std::path::PathBuf;

/// What the host says about itself; an argument, so that tests need no other host.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `EC_CONF_SEARCH_PATH`.
    pub search_path: Option<String>,
    /// `EC_NODE_NAME`.
    pub node_name: Option<String>,
    /// `EC_SUB_CLUSTER`.
    pub sub_cluster: Option<String>,
    /// `cluster.boot`, if there is one.
    pub boot: Option<BootFile>,
    /// The host's name; what follows the first dot is not used.
    pub host_name: String,
}

/// What a `cluster.boot` says about this node; values that do not fit are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootFile {
    /// Where it is.
    pub path: PathBuf,
    /// `node_name`.
    pub node_name: Option<String>,
    /// `cluster_name`.
    pub cluster_name: Option<String>,
}

impl Environment {
    /// Returns the environment of this process on the host of that name, `cluster.boot` read.
    pub fn of_process(host_name: String) -> Self {
        let var = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let environment = Self {
            search_path: var("EC_CONF_SEARCH_PATH"),
            node_name: var("EC_NODE_NAME"),
            sub_cluster: var("EC_SUB_CLUSTER"),
            boot: None,
            host_name,
        };
        environment.booted()
    }

    /// Looks for `cluster.boot` in the directories of the search path that name neither node nor subcluster, for it is
    /// what says them, and reads the first one there is.
    #[must_use]
    pub fn booted(mut self) -> Self {
        let fixed = self.elements().filter(|element| !element.contains('{'));
        let path =
            fixed.map(|directory| PathBuf::from(directory).join(boot::FILE_NAME)).find(|path| path.is_file());
        self.boot = path.map(|path| {
            let bytes = disk::read(&path, bounds::BOOT_BYTES_MAX).unwrap_or_default();
            let (boot, _) = boot::parse(FileId::MAIN, &String::from_utf8_lossy(&bytes));
            BootFile { path, node_name: boot.node_name, cluster_name: boot.cluster_name }
        });
        self
    }

    /// Returns the name this node has when `nodename` is not set, and where it comes from.
    pub fn default_name(&self) -> (&str, &'static str) {
        let booted = || self.boot.as_ref().and_then(|boot| boot.node_name.as_deref());
        if let Some(name) = self.node_name.as_deref() {
            (name, "the environment variable EC_NODE_NAME")
        } else if let Some(name) = booted() {
            (name, "`node_name` in cluster.boot")
        } else {
            (self.host_name.split('.').next().unwrap_or_default(), "the host name")
        }
    }

    /// Returns the subcluster this node is in.
    pub fn subcluster(&self) -> &str {
        let booted = || self.boot.as_ref().and_then(|boot| boot.cluster_name.as_deref());
        self.sub_cluster.as_deref().or_else(booted).unwrap_or("default")
    }

    /// Returns the search path with its placeholders filled in. Elements whose placeholder has no legal value are left
    /// out: a name with a slash in it would lead somewhere else.
    pub fn search_path(&self) -> Vec<PathBuf> {
        let legal = |name: &str| NodeName::parse(name).ok().map(|_| name.to_owned());
        let (node, subcluster) = (legal(self.default_name().0), legal(self.subcluster()));
        let fill = |element: String, placeholder: &str, name: &Option<String>| match name {
            _ if !element.contains(placeholder) => Some(element),
            Some(name) => Some(element.replace(placeholder, name)),
            None => None,
        };
        self.elements()
            .filter_map(|element| fill(element.to_owned(), "{NODENAME}", &node))
            .filter_map(|element| fill(element, "{SUBCLUSTER}", &subcluster))
            .map(PathBuf::from)
            .collect()
    }

    fn elements(&self) -> impl Iterator<Item = &str> {
        let path = self.search_path.as_deref().unwrap_or(SEARCH_PATH);
        path.split(':').filter(|element| !element.is_empty())
    }
}

/// Source: reference section 1.8, the cluster's default. On a node that is alone nobody makes `conf/{NODENAME}`, and then
/// it is the single node's.
const SEARCH_PATH: &str = "/opt/msys/ecelerity/etc:/opt/msys/ecelerity/etc/conf/global:\
/opt/msys/ecelerity/etc/conf/{NODENAME}:/opt/msys/ecelerity/etc/conf/default";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_path_is_the_clusters() {
        let environment = Environment { host_name: "mx1.example.com".into(), ..Environment::default() };
        let etc = "/opt/msys/ecelerity/etc";
        let expected = ["", "/conf/global", "/conf/mx1", "/conf/default"]
            .map(|below| PathBuf::from(format!("{etc}{below}")));
        assert_eq!(environment.search_path(), expected);
    }

    #[test]
    fn placeholders_stand_for_node_and_subcluster() {
        let of = |path: &str, node: &str, subcluster: Option<&str>| {
            let environment = Environment {
                search_path: Some(path.into()),
                node_name: Some(node.into()),
                sub_cluster: subcluster.map(Into::into),
                ..Environment::default()
            };
            environment.search_path().iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(of("a/{NODENAME}::b/{SUBCLUSTER}", "MX1", Some("west")), ["a/MX1", "b/west"]);
        assert_eq!(of("{SUBCLUSTER}/{NODENAME}/x", "n", None), ["default/n/x"]);
        assert_eq!(of("a:{NODENAME}:b:{SUBCLUSTER}", "../x", Some("..")), ["a", "b"]);
        assert_eq!(of("{nodename}", "n", None), ["{nodename}"]);
    }
}

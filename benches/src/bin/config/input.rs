//! A configuration as large as operators have them: ten thousand bindings in a hundred groups, each with a domain of its
//! own, over a few files that one main file includes.
use anyhow::Result;
use convoy_core::config::effective::Step;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The files, and what is in them.
pub(crate) struct Input {
    /// The file to load.
    pub(crate) main: PathBuf,
    /// The file that holds almost everything.
    pub(crate) big: PathBuf,
    /// Lines of all files.
    pub(crate) lines: usize,
    /// Bytes of all files.
    pub(crate) bytes: usize,
    /// FNV-1a of all files.
    pub(crate) checksum: u64,
    /// Number of bindings.
    pub(crate) bindings: usize,
    _directory: TempDir,
}

/// What is asked.
pub(crate) struct Question {
    /// A group.
    pub(crate) group: String,
    /// A binding in it.
    pub(crate) binding: String,
    /// A domain that the binding has a scope for.
    pub(crate) domain: String,
    /// A domain that nobody names, and the last expression matches.
    pub(crate) other: String,
}

impl Question {
    /// Returns the path.
    pub(crate) fn steps(&self) -> [Step; 3] {
        [("binding_group", &self.group), ("binding", &self.binding), ("domain", &self.domain)]
            .map(|(name, instance)| Step { name: name.into(), instance: Some(instance.clone()) })
    }
}

impl Input {
    /// Writes the files into a directory that goes with the value.
    pub(crate) fn write(bindings: usize) -> Result<Self> {
        let directory = TempDir::new()?;
        let groups = bindings.div_ceil(BINDINGS_PER_GROUP);
        let files = [("ecelerity.conf", main_text()), ("bindings.conf", bindings_text(groups)?)];
        let (mut lines, mut bytes, mut checksum) = (0, 0, FNV_BASIS);
        for (name, text) in &files {
            lines += text.lines().count();
            bytes += text.len();
            checksum =
                text.bytes().fold(checksum, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
            fs::write(directory.path().join(name), text)?;
        }
        let at = |name: &str| Path::new(directory.path()).join(name);
        let (main, big) = (at("ecelerity.conf"), at("bindings.conf"));
        Ok(Self {
            main,
            big,
            lines,
            bytes,
            checksum,
            bindings: groups * BINDINGS_PER_GROUP,
            _directory: directory,
        })
    }

    /// Returns the bindings once more, as JSON.
    pub(crate) fn json(&self) -> String {
        let one = |n: usize| {
            format!(
                "{{\"binding\":\"b{n}\",\"bind_address\":\"{}\",\"enable_duravip\":\"true\",\"duravip_preference\":\
                 \"mx{}\",\"max_outbound_connections\":\"{}\",\"domain\":{{\"name\":\"{}\",\"cluster\":\"{}\",\
                 \"throttle\":\"{}/60\"}}}}",
                address(n),
                n % 3 + 1,
                n % 50,
                domain(n),
                n % 20,
                n % 600
            )
        };
        format!("[{}]", (0..self.bindings).map(one).collect::<Vec<_>>().join(","))
    }

    /// Returns as many questions as there are bindings, in an order that jumps about.
    pub(crate) fn questions(&self) -> Vec<Question> {
        (0..self.bindings)
            .map(|n| n * STRIDE % self.bindings)
            .map(|n| Question {
                group: group(n / BINDINGS_PER_GROUP),
                binding: format!("b{n}"),
                domain: domain(n),
                other: format!("mx{n}.provider9.net"),
            })
            .collect()
    }
}

fn main_text() -> String {
    let mut text = String::from(
        "# The whole of a large site\ncluster {\n  cluster_group = \"ec_cluster\"\n  Replicate \"inbound_cidr\" { }\n  \
         Replicate \"outbound_cidr\" { }\n}\nECCluster_Listener { Listen \"*:4802\" { } }\nmsgc_server {\n  peers = [ mx1 = \
         \"192.168.0.10\"  mx2 = \"192.168.0.11\"  mx3 = \"192.168.0.12\" ]\n}\nMax_Outbound_Connections = 32\nRetry_Interval = \
         1200\n",
    );
    let expressions = (0..10).map(|n| {
        format!("Domain \"/\\.provider{n}\\.(com|net)$/\" {{\n  Max_Messages_Per_Connection = {n}\n}}\n")
    });
    text.extend(expressions);
    text + "include \"bindings.conf\"\n"
}

fn bindings_text(groups: usize) -> Result<String> {
    let mut text = String::new();
    for g in 0..groups {
        writeln!(text, "Binding_Group \"{}\" {{\n  Outbound_Throttle_Connections = \"1000/60\"", group(g))?;
        for n in g * BINDINGS_PER_GROUP..(g + 1) * BINDINGS_PER_GROUP {
            writeln!(
                text,
                "  Binding \"b{n}\" {{\n    bind_address = \"{}\"\n    Enable_Duravip = \"true\"\n    Duravip_Preference = \
                 \"mx{}\"\n    Max_Outbound_Connections = {}\n    Domain \"{}\" {{\n      \
                 Cluster_Scope_Max_Outbound_Connections = {}\n      Outbound_Throttle_Messages = \"{}/60\"\n    }}\n  }}",
                address(n),
                n % 3 + 1,
                n % 50,
                domain(n),
                n % 20,
                n % 600
            )?;
        }
        writeln!(text, "}}")?;
    }
    Ok(text)
}

fn group(n: usize) -> String {
    format!("customer{n:03}")
}

fn domain(n: usize) -> String {
    format!("customer{n}.example.com")
}

fn address(n: usize) -> String {
    format!("10.{}.{}.{}", n / 65_536, n / 256 % 256, n % 256)
}

/// chosen: customers with a few dozen addresses each are usual.
const BINDINGS_PER_GROUP: usize = 100;
/// A prime that no number of bindings here is a multiple of.
const STRIDE: usize = 7_919;
/// Source: the FNV-1a hash, 64 bits.
const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

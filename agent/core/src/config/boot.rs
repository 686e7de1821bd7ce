//! `cluster.boot`: what a node knows before it has a configuration. One `key=value` a line, `#` begins a comment.
//!
//! Written by `eccfg bootstrap`, read by everything that must know this node's name or subcluster before it can find its
//! files. Invariants: 1. any text gives a [`Boot`], and every fault has its place; 2. a value that does not fit counts as
//! not set. Another format than the configuration: no scopes, no arrays, a line is a statement. A value may stand in one
//! pair of quotes, for some hosts read the file with a shell. Source: reference section 1.11.
use super::{
    diagnostic::Diagnostic,
    place::{FileId, Place},
    schema::nearest,
    value,
};
use crate::bounds;
use alloc::{
    borrow::ToOwned as _,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// `node_name`; unset means the host's name up to its first dot.
    pub node_name: Option<String>,
    /// `cluster_name`, the subcluster; the only key that must be there.
    pub cluster_name: Option<String>,
    /// `autoupdate`, default [`AutoUpdate::Always`].
    pub autoupdate: AutoUpdate,
    /// `repo`, in the order they are tried; default `auto`.
    pub repo: Vec<Repo>,
    /// `reload_config_on_update`, default true.
    pub reload_config_on_update: bool,
    /// `ecconfigd.1` and further, the hosts of the repository service, by number.
    pub ecconfigd: Vec<(u16, String)>,
}

/// When the working copy follows the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoUpdate {
    /// `true`: on start and periodically.
    Always,
    /// `ifunchanged`: as long as nobody changed the working copy.
    IfUnchanged,
    /// `false`: when told to.
    Never,
}

/// A place to pull from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repo {
    /// `auto`: where the working copy came from, else whoever answers.
    Auto,
    /// `local`: on this host.
    Local,
    /// A host, by name or address.
    Host {
        /// Without brackets.
        host: String,
        /// Given, or [`REPO_PORT`].
        port: u16,
    },
}

/// Name of the file.
pub const FILE_NAME: &str = "cluster.boot";
/// Port of a repository that is named without one. Source: reference section 0.4.
pub const REPO_PORT: u16 = 2_027;

/// Reads the text of the file; faults are in its order.
pub fn parse(file: FileId, text: &str) -> (Boot, Vec<Diagnostic>) {
    let mut reader = Reader { file, boot: Boot::default(), seen: Vec::new(), faults: Vec::new() };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        reader.line(line, at);
        at += line.len();
        if reader.faults.len() >= bounds::CONFIG_ERRORS_MAX {
            return (reader.boot, reader.faults);
        }
    }
    if reader.seen.iter().all(|(key, _)| key != "cluster_name") {
        let fault = Diagnostic::error("no-cluster-name", "`cluster_name` is missing");
        let place = Place::new(file, text.len()..text.len());
        reader.faults.push(fault.at(place).help("add `cluster_name=default`, or the name of the subcluster"));
    }
    (reader.boot, reader.faults)
}

impl Default for Boot {
    fn default() -> Self {
        Self {
            node_name: None,
            cluster_name: None,
            autoupdate: AutoUpdate::Always,
            repo: [Repo::Auto].into(),
            reload_config_on_update: true,
            ecconfigd: Vec::new(),
        }
    }
}

struct Reader {
    file: FileId,
    boot: Boot,
    seen: Vec<(String, Place)>,
    faults: Vec<Diagnostic>,
}

impl Reader {
    /// Reads the line that begins at byte `at`.
    fn line(&mut self, line: &str, at: usize) {
        let mark = if at == 0 { '\u{feff}' } else { '\n' };
        let said = before_comment(line.trim_start_matches(mark)).trim();
        if said.is_empty() {
            return;
        }
        let place = |part: &str| {
            let start = at + part.as_ptr().addr().saturating_sub(line.as_ptr().addr());
            Place::new(self.file, start..start + part.len())
        };
        let whole = place(said);
        let Some((key, value)) = said.split_once('=') else {
            let fault =
                Diagnostic::error("no-equals", format!("`{}` is no `key=value`", super::parser::clip(said)));
            self.faults.push(fault.at(whole).expected("expected `=` and a value"));
            return;
        };
        let (key, value) = (key.trim_end(), unquoted(value.trim_start()));
        let (key_place, value_place) = (place(key), place(value));
        self.key(&key.to_ascii_lowercase(), value, key_place, value_place);
    }

    fn key(&mut self, key: &str, value: &str, key_place: Place, value_place: Place) {
        if let Some((_, first)) = self.seen.iter().find(|(seen, _)| seen == key) {
            let warning =
                Diagnostic::warning("duplicate-key", format!("`{key}` is set twice; the later one counts"));
            self.faults.push(warning.at(key_place).note(*first, "first set here"));
        }
        if self.seen.len() < bounds::CONFIG_ERRORS_MAX {
            self.seen.push((key.to_owned(), key_place));
        }
        let result = match key {
            "node_name" => name(value).map(|name| self.boot.node_name = Some(name)),
            "cluster_name" => subcluster(value).map(|name| self.boot.cluster_name = Some(name)),
            "autoupdate" => autoupdate(value).map(|when| self.boot.autoupdate = when),
            "repo" => repo(value).map(|places| self.boot.repo = places),
            "reload_config_on_update" => value::boolean(value)
                .map(|is_wanted| self.boot.reload_config_on_update = is_wanted)
                .map_err(|bad| bad.to_string()),
            _ => match key.strip_prefix("ecconfigd.").map(str::parse::<u16>) {
                Some(Ok(number)) => host(value).map(|host| self.boot.ecconfigd.push((number, host))),
                _ => return self.unknown(key, key_place),
            },
        };
        if let Err(message) = result {
            self.faults
                .push(Diagnostic::error("bad-boot-value", format!("`{key}`: {message}")).at(value_place));
        }
    }

    fn unknown(&mut self, key: &str, place: Place) {
        let message = format!("unknown key `{}` is passed over", super::parser::clip(key));
        let warning = Diagnostic::warning("unknown-key", message).at(place);
        self.faults.push(match nearest(key, KEYS) {
            Some(meant) => warning.help(format!("did you mean `{meant}`?")),
            None => warning,
        });
    }
}

fn before_comment(line: &str) -> &str {
    let begins = |(at, _): &(usize, &str)| {
        line.get(..*at).is_none_or(|before| before.is_empty() || before.ends_with([' ', '\t']))
    };
    let at = line.match_indices('#').find(begins).map_or(line.len(), |(at, _)| at);
    line.get(..at).unwrap_or_default()
}

fn unquoted(value: &str) -> &str {
    let inside = |mark| value.strip_prefix(mark).and_then(|rest: &str| rest.strip_suffix(mark));
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

/// Of a node: what is also a name of a directory.
fn name(value: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let fits = (1..=bounds::NAME_BYTES_MAX).contains(&value.len());
    if !fits || !value.bytes().all(legal) || value.bytes().all(|byte| byte == b'.') {
        let text = super::parser::clip(value);
        return Err(format!("`{text}` is no node name (letters, digits, `.`, `-` and `_`)"));
    }
    Ok(value.to_owned())
}

/// Source: reference section 0.3, one word in lower case.
fn subcluster(value: &str) -> Result<String, String> {
    let name =
        name(value).map_err(|_e| format!("`{}` is no name of a subcluster", super::parser::clip(value)))?;
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("`{name}` is not in lower case"));
    }
    Ok(name)
}

fn autoupdate(value: &str) -> Result<AutoUpdate, String> {
    if value.eq_ignore_ascii_case("ifunchanged") {
        return Ok(AutoUpdate::IfUnchanged);
    }
    match value::boolean(value) {
        Ok(true) => Ok(AutoUpdate::Always),
        Ok(false) => Ok(AutoUpdate::Never),
        Err(_) => Err(format!("`{}` is none of true, ifunchanged and false", super::parser::clip(value))),
    }
}

fn repo(value: &str) -> Result<Vec<Repo>, String> {
    let one = |text: &str| {
        Ok(match text {
            "" => return Err("a place is missing between two commas".into()),
            "auto" => Repo::Auto,
            "local" => Repo::Local,
            text => {
                let (name, port) = match text.rsplit_once(':') {
                    Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
                    _ => (text, None),
                };
                let bad =
                    || format!("`{}` is not auto, local, a host, or host:port", super::parser::clip(text));
                let digits = |port: &&str| port.bytes().all(|byte| byte.is_ascii_digit());
                let number = |port: &str| Some(port).filter(digits)?.parse().ok().filter(|port| *port > 0);
                let port = port.map_or(Some(REPO_PORT), number).ok_or_else(bad)?;
                let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
                Repo::Host { host: host(name)?, port }
            }
        })
    };
    value.split(',').map(str::trim).map(one).collect()
}

/// A name or an address.
fn host(value: &str) -> Result<String, String> {
    if value::ip(value).is_ok() {
        return Ok(value.to_owned());
    }
    name(value).map_err(|_e| format!("`{}` is neither a host nor an address", super::parser::clip(value)))
}

const KEYS: [&str; 6] =
    ["autoupdate", "node_name", "cluster_name", "repo", "reload_config_on_update", "ecconfigd.1"];

#[cfg(test)]
mod tests;

//! Durable logs and those who read them.
//!
//! Source: reference sections 6.1 and 6.2.
use super::{
    super::{Typed, default_of, option},
    entries, one,
};
use crate::config::{
    diagnostic::{Diagnostic, Diagnostics},
    place::Place,
    scopes::Scope,
    value::Destination,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
};

pub(super) fn check(root: Scope<'_>, diagnostics: &mut Diagnostics) {
    let Some(published) = published(root) else { return };
    let mut written: BTreeMap<String, Place> = BTreeMap::new();
    let loggers = root.instances("ec_logger").chain(root.instances("bounce_logger"));
    for logger in loggers {
        for name in ["mainlog", "paniclog", "rejectlog", "acctlog", "bouncelog"] {
            let Some(entry) = one(logger, name) else { continue };
            let directory = match entry.value {
                Typed::Destination(Destination::Jlog { directory, subscribers }) => {
                    durable(name, &directory, subscribers.is_empty(), &published, entry.place, diagnostics);
                    directory
                }
                Typed::Destination(Destination::File(path)) => path,
                _ => continue,
            };
            if let Some(first) = written.get(&directory) {
                let message = format!("two logs are written to `{directory}`");
                let warning = Diagnostic::warning("log-written-twice", message).at(entry.place);
                diagnostics
                    .push(warning.note(*first, "the other one").help("give each log a place of its own"));
            }
            written.entry(directory).or_insert(entry.place);
        }
    }
}

fn durable(
    name: &str,
    directory: &str,
    unread: bool,
    published: &BTreeSet<String>,
    place: Place,
    diagnostics: &mut Diagnostics,
) {
    if unread {
        let message = format!("`{name}` has no subscriber: its records may be discarded at once");
        let warning = Diagnostic::warning("log-without-subscriber", message).at(place);
        diagnostics.push(warning.help("write `=>master` behind the directory"));
    } else if !published.contains(directory) {
        let message =
            format!("`{directory}` is not among the `logs` of scope `cluster`: no manager can pull it");
        let warning = Diagnostic::warning("log-not-published", message).at(place);
        diagnostics.push(warning.help(format!("add `{name} = \"{directory}\"` to `logs`")));
    }
}

/// Returns the directories in `logs`; `None` on a host that is in no cluster.
fn published(root: Scope<'_>) -> Option<BTreeSet<String>> {
    let cluster = root.scope("cluster", None)?;
    let logs = entries(cluster, "logs").or_else(|| default_of(option("cluster", "logs")?))?;
    let path = |value| match value {
        Typed::Text(path) => Some(path),
        _ => None,
    };
    Some(logs.into_iter().filter_map(|entry| path(entry.value)).collect())
}

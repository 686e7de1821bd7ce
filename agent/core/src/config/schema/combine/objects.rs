//! Replicated objects: what each may be told, and the limits that need one.
//!
//! Source: reference sections 2.4, 4.2, 4.3, 4.5, 4.6 and 10.3.
use super::{super::Typed, entries, one, text};
use crate::config::{
    diagnostic::{Diagnostic, Diagnostics},
    place::Place,
    scopes::Scope,
};
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

/// What is replicated without any `Replicate` scope, as in the files the reference ships.
const SHIPPED: [&str; 5] = [
    "inbound_cidr",
    "outbound_cidr",
    "outbound_domains",
    "outbound_binding_domains",
    "shared_named_throttles",
];

/// Limits, and the object whose counts they are compared with.
const NEEDS: [(&str, &str); 5] = [
    ("cluster_max_outbound_connections", "outbound_domains"),
    ("cluster_scope_max_outbound_connections", "outbound_binding_domains"),
    ("cluster_server_max_outbound_connections", "outbound_cidr"),
    ("cluster_outbound_throttle_connections", "OBTC"),
    ("cluster_outbound_throttle_messages", "OBTM"),
];

pub(super) fn check(root: Scope<'_>, diagnostics: &mut Diagnostics) {
    let cluster = root.scope("cluster", None);
    let objects: Vec<_> = cluster.into_iter().flat_map(|cluster| cluster.instances("replicate")).collect();
    let mut kinds: BTreeSet<String> = objects.iter().map(|object| kind(*object)).collect();
    if objects.is_empty() {
        kinds.extend(SHIPPED.map(String::from));
    }
    for object in objects {
        options(object, diagnostics);
    }
    let mut missing = Missing::default();
    missing.look(root, &kinds);
    missing.tell(diagnostics);
}

/// Returns the kind of an object, in lower case.
fn kind(object: Scope<'_>) -> String {
    let named = || object.instance().unwrap_or_default().into();
    let set = text(object, "class").or_else(|| text(object, "type"));
    set.map_or_else(named, |(kind, _)| kind).to_ascii_lowercase()
}

fn options(object: Scope<'_>, diagnostics: &mut Diagnostics) {
    let kind = kind(object);
    if let (Some((class, place)), Some((of, type_place))) = (text(object, "class"), text(object, "type"))
        && class != of
    {
        let fault = Diagnostic::error("class-differs", format!("`class` is {class} and `type` is {of}"));
        diagnostics.push(fault.at(place).note(type_place, "the other one").help("remove one of the two"));
    }
    if let Some(entry) = entries(object, "parameters").and_then(|mut words| words.pop())
        && let Typed::List(words) = entry.value
    {
        let cache = kind == "cache";
        let metrics = matches!(&*kind, "metrics" | "eccmgr_metrics");
        let wrong = words.into_iter().find(|word| if word == "snapshot" { !cache } else { !metrics });
        if let Some(word) = wrong {
            let of = if word == "snapshot" { "a cache" } else { "metrics" };
            let message = format!("`parameters`: `{word}` is a mode of {of}, the object is {kind}");
            diagnostics.push(Diagnostic::warning("parameter-unused", message).at(entry.place));
        }
    }
    if let Some((_, place)) = text(object, "binding_group")
        && !matches!(&*kind, "outbound_cidr" | "outbound_domains")
    {
        let message = format!("`binding_group` does not restrict {kind}");
        let warning = Diagnostic::warning("parameter-unused", message).at(place);
        diagnostics.push(warning.help("it restricts outbound_cidr and outbound_domains"));
    }
}

/// Limits whose object is not replicated: first place and number of each.
#[derive(Default)]
struct Missing([Option<(Place, usize, bool)>; NEEDS.len()]);

impl Missing {
    fn look(&mut self, scope: Scope<'_>, kinds: &BTreeSet<String>) {
        for ((name, needed), found) in NEEDS.into_iter().zip(&mut self.0) {
            // In a host, the limit is on connections to an address.
            let host = scope.name() == "host" && needed == "outbound_domains";
            let needed = if host { "outbound_cidr" } else { needed };
            if !kinds.contains(&needed.to_ascii_lowercase())
                && let Some(entry) = one(scope, name).filter(|entry| limits(&entry.value))
            {
                let (place, count, _) = found.get_or_insert((entry.place, 0, host));
                *place = entry.place.min(*place);
                *count += 1;
            }
        }
        for name in ["binding_group", "binding", "domain", "host"] {
            scope.instances(name).for_each(|inner| self.look(inner, kinds));
        }
    }

    fn tell(self, diagnostics: &mut Diagnostics) {
        for ((name, needed), found) in NEEDS.into_iter().zip(self.0) {
            let Some((place, count, host)) = found else { continue };
            let needed = if host { "outbound_cidr" } else { needed };
            let shown = super::super::rows_named(name).next().map_or(name, |row| row.name);
            let message = format!("`{shown}` limits nothing: `{needed}` is not replicated");
            let warning = Diagnostic::warning("limit-without-object", message).at(place);
            let warning = match count - 1 {
                0 => warning,
                1 => warning.expected("and in one other place"),
                others => warning.expected(format!("and in {others} other places")),
            };
            diagnostics.push(warning.help(format!("add `Replicate \"{needed}\" {{ }}` to scope `cluster`")));
        }
    }
}

/// Returns whether a value is a limit at all.
fn limits(value: &Typed) -> bool {
    match value {
        Typed::Int(most) => *most >= 0,
        Typed::Throttle(rate) => !rate.is_unlimited(),
        _ => false,
    }
}

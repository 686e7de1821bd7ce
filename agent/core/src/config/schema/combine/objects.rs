//! Replicated objects: what each may be told, and the limits that need one.
//!
//! Source: reference sections 2.4, 4.2, 4.3, 4.5, 4.6 and 10.3.
use super::{
    super::{Entry, Row, Typed},
    entries, text,
};
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

/// A limit, and the object whose counts it is compared with.
struct Need {
    name: &'static str,
    /// Whether it stands in a host.
    host: bool,
    object: &'static str,
}

const fn need(name: &'static str, object: &'static str) -> Need {
    Need { name, host: false, object }
}

/// In a host it limits connections to an address, elsewhere those to a domain.
const HOSTS_APART: &str = "Cluster_Max_Outbound_Connections";

const NEEDS: [Need; 6] = [
    need(HOSTS_APART, "outbound_domains"),
    Need { host: true, ..need(HOSTS_APART, "outbound_cidr") },
    need("Cluster_Scope_Max_Outbound_Connections", "outbound_binding_domains"),
    need("Cluster_Server_Max_Outbound_Connections", "outbound_cidr"),
    need("Cluster_Outbound_Throttle_Connections", "OBTC"),
    need("Cluster_Outbound_Throttle_Messages", "OBTM"),
];

pub(super) fn check(root: Scope<'_>, limits: &Limits, diagnostics: &mut Diagnostics) {
    let cluster = root.scope("cluster", None);
    let objects: Vec<_> = cluster.into_iter().flat_map(|cluster| cluster.instances("replicate")).collect();
    let mut kinds: BTreeSet<String> = objects.iter().map(|object| kind(*object)).collect();
    if objects.is_empty() {
        kinds.extend(SHIPPED.map(String::from));
    }
    for object in objects {
        options(object, diagnostics);
    }
    limits.tell(&kinds, diagnostics);
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

/// The limits that are set, each with its first place and the number of its places.
#[derive(Default)]
pub(super) struct Limits([Option<(Place, usize)>; NEEDS.len()]);

impl Limits {
    pub(super) fn add(&mut self, scope: Scope<'_>, row: &Row, entry: &Entry) {
        let host = || scope.name() == "host";
        let same = |need: &Need| need.name == row.name && (need.name != HOSTS_APART || need.host == host());
        let Some(at) = NEEDS.iter().position(same).filter(|_| limits(&entry.value)) else { return };
        let (first, count) = self.0[at].get_or_insert((entry.place, 0));
        *first = entry.place.min(*first);
        *count += 1;
    }

    fn tell(&self, kinds: &BTreeSet<String>, diagnostics: &mut Diagnostics) {
        for (need, found) in NEEDS.iter().zip(self.0) {
            let Some((place, count)) = found else { continue };
            if kinds.contains(&need.object.to_ascii_lowercase()) {
                continue;
            }
            let message = format!("`{}` limits nothing: `{}` is not replicated", need.name, need.object);
            let warning = Diagnostic::warning("limit-without-object", message).at(place);
            let warning = match count - 1 {
                0 => warning,
                1 => warning.expected("and in one other place"),
                others => warning.expected(format!("and in {others} other places")),
            };
            diagnostics
                .push(warning.help(format!("add `Replicate \"{}\" {{ }}` to scope `cluster`", need.object)));
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

//! A binding or a socket, as far as it says anything about its address.
use super::super::{Entry, Row, Typed, combine, option, path, read, table::SOCKETS};
use crate::config::{
    place::Place,
    scopes::Scope,
    value::{self, Endpoint},
};
use alloc::{format, string::String};
use core::net::IpAddr;

/// See the module.
pub(in crate::config::schema) struct Service<'a> {
    pub(in crate::config::schema) scope: Scope<'a>,
    /// Whether it is a binding.
    pub(in crate::config::schema) binding: bool,
    /// Its own address; `None` for any address.
    address: Option<IpAddr>,
    /// Where it is enabled, if it is.
    pub(in crate::config::schema) enabled: Option<Place>,
    /// The node it prefers.
    pub(in crate::config::schema) preference: Option<(String, Place)>,
    /// What it follows.
    pub(in crate::config::schema) follow: Option<(String, Place)>,
}

/// Returns all services.
pub(super) fn all(root: Scope<'_>) -> impl Iterator<Item = Service<'_>> {
    let listeners = SOCKETS.iter().filter_map(move |socket| root.scope(socket.split("::").next()?, None));
    bindings(root).chain(listeners.flat_map(|listener| listener.instances("listen"))).map(Service::read)
}

/// Returns all bindings, those in groups too.
pub(in crate::config::schema) fn bindings(root: Scope<'_>) -> impl Iterator<Item = Scope<'_>> {
    let groups = root.instances("binding_group").flat_map(|group| group.instances("binding"));
    root.instances("binding").chain(groups)
}

impl<'a> Service<'a> {
    /// A service that says nothing yet. The address of a socket is its name.
    pub(in crate::config::schema) fn of(scope: Scope<'a>) -> Self {
        let binding = scope.name() == "binding";
        let address = match scope.instance().filter(|_| !binding).map(value::endpoint) {
            Some(Ok(Endpoint::Inet(address))) => Some(address.ip()),
            _ => None,
        };
        Self { scope, binding, address, enabled: None, preference: None, follow: None }
    }

    /// A service with all it says.
    fn read(scope: Scope<'a>) -> Self {
        let mut service = Self::of(scope);
        let path = path(scope);
        for name in ["bind_address", "Enable_Duravip", "Duravip_Preference", "Duravip_Follow"] {
            let (Some(row), Some(setting)) = (option(&path, name), scope.option(name)) else { continue };
            if let Some(entry) = read(row, setting).ok().and_then(|entries| entries.into_iter().next()) {
                service.set(row, entry);
            }
        }
        service
    }

    /// Takes the value of an option.
    pub(in crate::config::schema) fn set(&mut self, row: &Row, entry: Entry) {
        match (row.name, entry.value) {
            ("Enable_Duravip", Typed::Bool(enabled)) => self.enabled = enabled.then_some(entry.place),
            ("Duravip_Preference", Typed::Text(node)) => self.preference = Some((node, entry.place)),
            ("Duravip_Follow", Typed::Text(target)) => self.follow = Some((target, entry.place)),
            ("bind_address", Typed::Address(address)) => self.address = address,
            _ => {}
        }
    }

    /// Returns the one address it has: its own, else that of its group, else the global one.
    pub(in crate::config::schema) fn address(&self) -> Option<IpAddr> {
        let outer = || {
            let mut around = core::iter::successors(self.scope.parent(), |scope| scope.parent());
            match around.find_map(|scope| combine::one(scope, "bind_address"))?.value {
                Typed::Address(address) => address,
                _ => None,
            }
        };
        let inherits = self.binding && self.address.is_none() && self.scope.option("bind_address").is_none();
        let address = self.address.or_else(|| if inherits { outer() } else { None });
        address.map(|ip| ip.to_canonical()).filter(|ip| !ip.is_unspecified())
    }

    /// Returns it as people call it.
    pub(in crate::config::schema) fn name(&self) -> String {
        let (what, instance) = (if self.binding { "binding" } else { "socket" }, self.scope.instance());
        format!("{what} `{}`", instance.unwrap_or_default())
    }
}

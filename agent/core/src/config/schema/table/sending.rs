//! The global scope, and the scopes of sending and receiving in which limits and addresses stand, with the general options there.
//!
//! Source: reference sections 1.12, 1.14, 4.12 and 5.2.
use super::{Fallback, Form, Instance, Kind, Live, Row, ScopeRow};

pub(super) const SCOPES: &[ScopeRow] = &[
    ScopeRow::new("", Instance::None, "What stands outside all scopes.").mixed(),
    ScopeRow::new("Binding", Instance::Named("name"), "A source of outbound mail, as a rule one address.")
        .form(Form::Binding)
        .mixed(),
    ScopeRow::new("Binding_Group", Instance::Named("name"), "Several bindings under one name.")
        .form(Form::Group)
        .mixed(),
    ScopeRow::new("Binding_Group::Binding", Instance::Named("name"), "A binding of the group.")
        .form(Form::Binding)
        .mixed(),
    ScopeRow::new(
        "Domain",
        Instance::Named("example.com"),
        "A destination: a domain, or several of them as `/regular expression/`.",
    )
    .form(Form::Pattern)
    .mixed(),
    ScopeRow::new("Binding::Domain", Instance::Named("example.com"), "A destination, from this binding.")
        .form(Form::Pattern)
        .mixed(),
    ScopeRow::new("Binding_Group::Domain", Instance::Named("example.com"), "A destination, from this group.")
        .form(Form::Pattern)
        .mixed(),
    ScopeRow::new(
        "Binding_Group::Binding::Domain",
        Instance::Named("example.com"),
        "A destination, from this binding of the group.",
    )
    .form(Form::Pattern)
    .mixed(),
    ScopeRow::new(
        "Host",
        Instance::Named("mx.example.com"),
        "A receiving host, by its name in the DNS or as `/regular expression/`.",
    )
    .form(Form::Pattern)
    .mixed(),
    ScopeRow::new("Binding::Host", Instance::Named("mx.example.com"), "A receiving host, from this binding.")
        .form(Form::Pattern)
        .mixed(),
    ScopeRow::new(
        "Binding_Group::Host",
        Instance::Named("mx.example.com"),
        "A receiving host, from this group.",
    )
    .form(Form::Pattern)
    .mixed(),
    ScopeRow::new(
        "Binding_Group::Binding::Host",
        Instance::Named("mx.example.com"),
        "A receiving host, from this binding of the group.",
    )
    .form(Form::Pattern)
    .mixed(),
    ScopeRow::new("Pathway", Instance::Named("name"), "Options of receiving under one name.").mixed(),
    ScopeRow::new("Pathway_Group", Instance::Named("name"), "Several pathways under one name.").mixed(),
    ScopeRow::new("Pathway_Group::Pathway", Instance::Named("name"), "A pathway of the group.").mixed(),
];

pub(super) const OPTIONS: &[Row] = &[
    Row::new(
        GLOBAL,
        "Local_Changes_File",
        Kind::Text,
        "Writable file that is loaded after everything else and takes online changes; found as an included file is.",
    )
    .changed(
        "/opt/msys/ecelerity/etc/local_changes.conf, elsewhere undefined",
        "a file that appears somewhere must not change a configuration that does not name it",
    ),
    Row::new(
        GLOBAL,
        "Local_Changes_Only",
        Kind::Bool,
        "Whether every online change goes to the Local_Changes_File.",
    )
    .default("false"),
    Row::new(
        GLOBAL,
        "default_binding",
        Kind::Choice(&["normal", "suspended", "none"]),
        "What becomes of mail that no binding was chosen for.",
    )
    .default("normal")
    .live(Live::Mta),
    Row::new(
        SENDERS,
        "adaptive_scope",
        Kind::Choice(&["auto", "global", "local"]),
        "Whether adaptive delivery judges by all nodes or by one; auto is global for addresses that move.",
    )
    .default("auto")
    .live(Live::Mta)
    .fallback(Fallback::Sending),
];

/// The scopes of options that are set for senders and destinations, hosts left out.
pub(super) const SENDERS: &[&str] = &[
    "",
    "Binding_Group",
    "Binding_Group::Binding",
    "Binding_Group::Binding::Domain",
    "Binding_Group::Domain",
    "Binding",
    "Binding::Domain",
    "Domain",
];
pub(super) const SENDERS_AND_HOSTS: &[&str] = &[
    "",
    "Binding_Group",
    "Binding_Group::Binding",
    "Binding_Group::Binding::Domain",
    "Binding_Group::Binding::Host",
    "Binding_Group::Domain",
    "Binding_Group::Host",
    "Binding",
    "Binding::Domain",
    "Binding::Host",
    "Domain",
    "Host",
];
/// Scopes around destinations.
pub(super) const SOURCES: &[&str] = &["", "Binding_Group", "Binding_Group::Binding", "Binding"];
pub(super) const GLOBAL: &[&str] = &[""];

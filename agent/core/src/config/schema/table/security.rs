//! Who the mail server runs as, and who may command it.
//!
//! Source: reference sections 3.2 and 3.8. Convoy itself runs as its service unit says.
use super::{Instance, Kind, Live, Row, ScopeRow};

pub(super) const SCOPES: &[ScopeRow] = &[
    ScopeRow::new("Security", Instance::None, "Who the mail server runs as. Changes need its restart."),
    ScopeRow::new("Authorization", Instance::None, "Who may give which command on the console."),
    ScopeRow::new("Authorization::Role", Instance::Named("name"), "A role, or a user, and what it may do."),
];

pub(super) const OPTIONS: &[Row] = &[
    Row::new(SECURITY, "user", Kind::Text, "User it becomes after the start.")
        .default("ecuser")
        .live(Live::Mta),
    Row::new(SECURITY, "group", Kind::Text, "Group it becomes after the start.")
        .default("ecuser")
        .live(Live::Mta),
    Row::new(
        SECURITY,
        "capabilities",
        Kind::Text,
        "Capabilities it keeps, as in cap_from_text(3); they replace all others.",
    )
    .live(Live::Mta),
    Row::new(SECURITY, "privileges", Kind::Text, "Privileges it keeps, on Solaris.").live(Live::Mta),
    Row::new(SECURITY, "supplemental_groups", Kind::Text, "Further groups.").array().live(Live::Mta),
    Row::new(SECURITY, "chroot", Kind::Path, "Directory that becomes its root.").live(Live::Mta),
    Row::new(
        ROLE,
        "allow",
        Kind::Text,
        "Commands that are allowed, as regular expressions; the first that matches permits.",
    )
    .array()
    .default("( )"),
];

const SECURITY: &[&str] = &["Security"];
const ROLE: &[&str] = &["Authorization::Role"];

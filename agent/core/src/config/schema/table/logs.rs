//! Log aggregation: where loggers write, and what a manager does with it.
//!
//! Source: reference sections 3.5, 3.6 and 6.2.
use super::{Instance, Kind, Live, Row, ScopeRow};
use crate::time::Span;

pub(super) const SCOPES: &[ScopeRow] = &[
    ScopeRow::new("ec_logger", Instance::Optional("ec_logger_cluster"), "A logger of the mail server.")
        .mixed(),
    ScopeRow::new("bounce_logger", Instance::Optional("bounce_logger_cluster"), "A logger of bounces.")
        .mixed(),
    ScopeRow::new("Logs", Instance::None, "What a manager does with the logs of the nodes."),
    ScopeRow::new("Logs::Manager", Instance::Named("name"), "What differs on one manager."),
    ScopeRow::new(
        "Logs::Manager::Node",
        Instance::Named("name"),
        "What differs for the logs of one node on that manager.",
    ),
];

pub(super) const OPTIONS: &[Row] = &[
    Row::new(EC_LOGGER, "mainlog", Kind::Destination, "Where receptions and deliveries are logged.")
        .live(Live::Mta),
    Row::new(EC_LOGGER, "paniclog", Kind::Destination, "Where trouble is logged.").live(Live::Mta),
    Row::new(EC_LOGGER, "rejectlog", Kind::Destination, "Where refusals are logged.").live(Live::Mta),
    Row::new(EC_LOGGER, "acctlog", Kind::Destination, "Where commands of the console are logged.")
        .live(Live::Mta),
    Row::new(
        EC_LOGGER,
        "heartbeat",
        Kind::Seconds(Span::ZERO, Span::from_secs(86_400)),
        "Time between two marks in the logs; 0 is none.",
    )
    .live(Live::Mta),
    Row::new(BOUNCE_LOGGER, "bouncelog", Kind::Destination, "Where bounces are logged.").live(Live::Mta),
    Row::new(
        MANAGERS,
        "logfile",
        Kind::Template,
        "File for the lines of a log: strftime's directives, %{l} log, %{s} subcluster, %{n} node.",
    )
    .default("\"/var/log/eccluster/%Y/%m/%d/%{l}/%{s}/%{n}\"")
    .live(Live::NoEffect),
    Row::new(MANAGERS, "file_mode", Kind::Permissions, "Mode of files that are created.")
        .default("0640")
        .live(Live::NoEffect),
    Row::new(MANAGERS, "dir_mode", Kind::Permissions, "Mode of directories that are created.")
        .default("0755")
        .live(Live::NoEffect),
    Row::new(MANAGERS, "max_open", Kind::Int(&[(1, 65_535)]), "Most files held open.")
        .default("128")
        .live(Live::NoEffect)
        .changed("unset", "every table has a bound; it is the one of the reference's sample"),
    Row::new(
        MANAGERS,
        "max_idle",
        Kind::Seconds(Span::from_secs(1), Span::from_secs(86_400)),
        "A file that is not written for this long is closed.",
    )
    .default("10")
    .live(Live::NoEffect)
    .changed("unset", "it is the one of the reference's sample"),
    Row::new(
        MANAGERS,
        "control_cache",
        Kind::Path,
        "File in which a manager keeps the answers to what it broadcast.",
    )
    .live(Live::Restart),
    Row::new(
        NODES,
        "Subscriber",
        Kind::Text,
        "Subscribers as which logs are pulled, in turn; unset means the manager's own name, then `master`.",
    )
    .array()
    .live(Live::NoEffect),
];

const EC_LOGGER: &[&str] = &["ec_logger"];
const BOUNCE_LOGGER: &[&str] = &["bounce_logger"];
const MANAGERS: &[&str] = &["Logs", "Logs::Manager"];
const NODES: &[&str] = &["Logs", "Logs::Manager", "Logs::Manager::Node"];

//! The process's log on standard error, whose level may change while it runs.
//!
//! The environment variable `CONVOY_LOG` (a filter of `tracing_subscriber`) decides alone when it is set.
use std::io::{self, IsTerminal as _};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter, Registry, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

/// The log. One a process.
#[derive(Debug)]
pub struct Log(Option<reload::Handle<EnvFilter, Registry>>);

impl Log {
    /// Begins to log, at level `info` until another one is set.
    pub fn start() -> Self {
        let fixed = EnvFilter::try_from_env("CONVOY_LOG").ok();
        let is_fixed = fixed.is_some();
        let filter = fixed.unwrap_or_else(|| EnvFilter::default().add_directive(LevelFilter::INFO.into()));
        let (filter, handle) = reload::Layer::new(filter);
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal())
            .with_target(false);
        tracing_subscriber::registry().with(filter).with(lines).init();
        Self((!is_fixed).then_some(handle))
    }

    /// Logs what is of `level` or more important, from now on.
    pub fn set_level(&self, level: LevelFilter) {
        let Some(handle) = &self.0 else { return };
        if let Err(error) = handle.reload(EnvFilter::default().add_directive(level.into())) {
            tracing::error!(%error, "the level of the log cannot change");
        }
    }
}

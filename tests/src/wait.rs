//! Waiting for a condition, never for a time.
use anyhow::{Result, bail};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Probes until `probe` gives a value, and returns it.
///
/// # Errors
/// The probe's own error at once, or one that names `what` when `bound` has passed.
pub fn until<T>(what: &str, bound: Duration, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    let mut pause = PAUSE_MIN;
    loop {
        if let Some(value) = probe()? {
            return Ok(value);
        }
        if start.elapsed() >= bound {
            bail!("{what}: not within {} ms", bound.as_millis());
        }
        // waits: between two looks at the condition, which nothing can announce.
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// chosen: the first probes come fast, because most conditions hold within a millisecond or two.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// chosen: a late answer costs at most this, and a long wait costs 50 probes a second.
const PAUSE_MAX: Duration = Duration::from_millis(20);

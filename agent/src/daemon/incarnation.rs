//! The number of this life: larger than that of every earlier process of this node, whatever the clock does.
//!
//! It is the wall clock in microseconds, or one more than the last, whichever is larger; the last is kept in the
//! state directory. A node that lost both its clock and its state may be refused by peers that still remember a
//! later life, until they give that one up (docs/protocol.md, liveness).
use super::Error;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// Returns the next number and keeps it.
pub(super) fn next(state_dir: &Path) -> Result<u64, Error> {
    let path = state_dir.join(FILE_NAME);
    let wrong = |source: io::Error| Error::Directory { path: state_dir.to_owned(), source };
    let last = match fs::read_to_string(&path) {
        Ok(text) => match text.trim().parse::<u64>() {
            Ok(last) => last,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "not a number; going by the clock alone");
                0
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(wrong(error)),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
    if last >= now {
        tracing::warn!(
            last,
            now,
            "the clock was set back since the last start; counting lives on from the last"
        );
    }
    let next = choose(last, now);
    keep(&path, next).map_err(wrong)?;
    Ok(next)
}

fn choose(last: u64, now: u64) -> u64 {
    now.max(last.saturating_add(1))
}

/// Writes beside, syncs, renames: a crash leaves the old number or the new one.
fn keep(path: &Path, number: u64) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    writeln!(file, "{number}")?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

const FILE_NAME: &str = "incarnation";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_grows_though_the_clock_goes_back() {
        assert_eq!(choose(0, 1_000), 1_000);
        assert_eq!(choose(5_000, 1_000), 5_001);
        assert_eq!(choose(1_000, 1_000), 1_001);
    }
}

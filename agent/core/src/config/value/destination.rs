//! Where a logger writes: a path, or a URI (reference section 6.2).
//!
//! `cluster:` is another name for `jlog:`. Schemes that are not known here belong to the mail server and are kept as they
//! are. Does not look whether anything exists.
use alloc::{string::String, vec::Vec};
use thiserror::Error;

/// A destination of a logger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A plain file, by its absolute path.
    File(String),
    /// A durable log.
    Jlog {
        /// Its directory, absolute.
        directory: String,
        /// Who is subscribed when the log is created; without any, records may be discarded at once.
        subscribers: Vec<String>,
    },
    /// Another scheme, `pipe:` among them; the whole URI.
    Other(String),
}

/// A word that is no destination, one variant per remedy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadDestination {
    /// Neither an absolute path nor a URI.
    #[error("`{word}` is neither an absolute path nor a URI")]
    Relative {
        /// As written.
        word: String,
    },
    /// `jlog:` or `cluster:` without an absolute directory.
    #[error("`{word}` names no absolute directory")]
    Directory {
        /// As written.
        word: String,
    },
    /// A subscriber without a name.
    #[error("`{word}` has a subscriber without a name")]
    Subscriber {
        /// As written.
        word: String,
    },
}

impl BadDestination {
    /// Returns what to do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Relative { .. } => "write `/path`, or `cluster:///directory=>subscriber`",
            Self::Directory { .. } => "write three slashes: `cluster:///directory=>subscriber`",
            Self::Subscriber { .. } => {
                "write `=>subscriber` for one, `?subscribers=a,b` for several, or neither for none"
            }
        }
    }
}

/// Reads a destination.
///
/// # Errors
/// [`BadDestination`] says which part is wrong.
pub fn destination(word: &str) -> Result<Destination, BadDestination> {
    let shown = || super::super::parser::clip(word);
    if word.starts_with('/') {
        return Ok(Destination::File(word.into()));
    }
    let uri = word.split_once(':').filter(|(scheme, _)| is_scheme(scheme));
    let Some((scheme, rest)) = uri else { return Err(BadDestination::Relative { word: shown() }) };
    let is = |names: &[&str]| names.iter().any(|name| scheme.eq_ignore_ascii_case(name));
    if is(&["file"]) {
        let path = path_of(rest).ok_or_else(|| BadDestination::Directory { word: shown() })?;
        return Ok(Destination::File(path.into()));
    }
    if !is(&["jlog", "cluster"]) {
        return Ok(Destination::Other(word.into()));
    }
    let (place, subscribers) = if let Some((place, subscriber)) = rest.split_once("=>") {
        (place, Vec::from([subscriber]))
    } else if let Some((place, several)) = rest.split_once("?subscribers=") {
        (place, several.split(',').collect())
    } else {
        (rest, Vec::new())
    };
    let directory = path_of(place).ok_or_else(|| BadDestination::Directory { word: shown() })?;
    if subscribers.iter().any(|name| name.trim().is_empty()) {
        return Err(BadDestination::Subscriber { word: shown() });
    }
    let subscribers = subscribers.into_iter().map(|name| name.trim().into()).collect();
    Ok(Destination::Jlog { directory: directory.into(), subscribers })
}

/// Returns the absolute path behind a scheme: `///path` and `/path` are the same.
fn path_of(rest: &str) -> Option<&str> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    (path.starts_with('/') && path.len() > 1).then_some(path)
}

/// Source: RFC 3986 section 3.1, and the underscore of the mail server's own schemes.
fn is_scheme(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_');
    text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jlog(directory: &str, subscribers: &[&str]) -> Destination {
        Destination::Jlog {
            directory: directory.into(),
            subscribers: subscribers.iter().map(|name| (*name).into()).collect(),
        }
    }

    /// Reference section 6.2, row by row.
    #[test]
    fn every_form_of_the_reference_is_read() {
        let main = "/var/log/ecelerity/mainlog.cluster";
        for (word, expected) in [
            ("/var/log/x.ec", Destination::File("/var/log/x.ec".into())),
            ("file:///var/log/x.ec", Destination::File("/var/log/x.ec".into())),
            ("jlog:///var/log/ecelerity/mainlog.cluster=>master", jlog(main, &["master"])),
            ("cluster:///var/log/ecelerity/mainlog.cluster=>master", jlog(main, &["master"])),
            ("CLUSTER:/var/log/ecelerity/mainlog.cluster", jlog(main, &[])),
            ("cluster:///var/log/ecelerity/mainlog.cluster?subscribers=a, b,c", jlog(main, &["a", "b", "c"])),
            ("pipe:///bin/cat?arg1=-u", Destination::Other("pipe:///bin/cat?arg1=-u".into())),
            ("syslog:mail", Destination::Other("syslog:mail".into())),
        ] {
            assert_eq!(destination(word), Ok(expected), "{word}");
        }
    }

    #[test]
    fn what_is_no_destination_is_told_which_part_is_wrong() {
        let kind = |word: &str| match destination(word) {
            Ok(_) => "good",
            Err(BadDestination::Relative { .. }) => "relative",
            Err(BadDestination::Directory { .. }) => "directory",
            Err(BadDestination::Subscriber { .. }) => "subscriber",
        };
        for (word, expected) in [
            ("", "relative"),
            ("mainlog.ec", "relative"),
            (":x", "relative"),
            ("cluster:", "directory"),
            ("cluster://host/x", "directory"),
            ("jlog:///", "directory"),
            ("cluster:///x=>", "subscriber"),
            ("cluster:///x?subscribers=a,,b", "subscriber"),
        ] {
            assert_eq!(kind(word), expected, "{word}");
        }
    }
}

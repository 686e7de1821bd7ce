//! What a word means once its type is known (reference sections 1.4, 1.13, 4.6 and 6.2).
//!
//! Pure functions from text to value; the error says what was expected, the caller knows the place. There are no unit
//! suffixes: a duration is seconds, a size is bytes.
use crate::time::Span;
use alloc::{
    format,
    string::{String, ToString as _},
};
use convoy_common::{addr::Host, prefix::Prefix};
use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr as _,
    time::Duration,
};
use thiserror::Error;

mod destination;
mod throttle;

pub use destination::{BadDestination, Destination, destination};
pub use throttle::{Throttle, throttle};

/// A word that does not have the type it should have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadValue {
    /// Not of the type at all.
    #[error("`{word}` is not {wanted}")]
    Type {
        /// As written, cut to a readable length.
        word: String,
        /// The type, with its article.
        wanted: &'static str,
    },
    /// A number outside its range.
    #[error("{word} is out of range")]
    Range {
        /// As written.
        word: String,
        /// The range.
        wanted: String,
    },
}

impl BadValue {
    /// Returns the error for a word that is not `wanted`, which begins with an article.
    pub fn of(word: &str, wanted: &'static str) -> Self {
        Self::Type { word: super::parser::clip(word), wanted }
    }

    /// Returns what was expected.
    pub fn expected(&self) -> String {
        match self {
            Self::Type { wanted, .. } => format!("expected {wanted}"),
            Self::Range { wanted, .. } => format!("expected {wanted}"),
        }
    }
}

/// Reads a decimal, hexadecimal (`0x1f`) or octal (`037`) number, with an optional sign.
///
/// # Errors
/// [`BadValue::Type`] also when it does not fit 64 bits.
pub fn int(word: &str) -> Result<i64, BadValue> {
    let bad = || BadValue::of(word, "a whole number");
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let lower = digits.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("0x"));
    let (digits, radix) = match digits {
        hex if lower => (hex.get(2..).unwrap_or_default(), 16),
        octal if octal.len() > 1 && octal.starts_with('0') => (octal, 8),
        decimal => (decimal, 10),
    };
    if digits.starts_with(['+', '-']) {
        return Err(bad());
    }
    let number = i128::from(u64::from_str_radix(digits, radix).map_err(|_e| bad())?);
    i64::try_from(if negative { -number } else { number }).map_err(|_e| bad())
}

/// Reads one of the words for yes and no, in any case: `true` `on` `enabled` `yes` `1`, `false` `off` `disabled` `no` `0`.
///
/// # Errors
/// [`BadValue::Type`].
pub fn boolean(word: &str) -> Result<bool, BadValue> {
    let is = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    if is(&["true", "on", "enabled", "yes", "1"]) {
        Ok(true)
    } else if is(&["false", "off", "disabled", "no", "0"]) {
        Ok(false)
    } else {
        Err(BadValue::of(word, "a boolean (true, false, on, off, enabled, disabled, yes, no, 1 or 0)"))
    }
}

/// Reads a decimal number with or without a fraction or an exponent.
///
/// # Errors
/// [`BadValue::Type`]; there is no infinity and no "not a number".
pub fn float(word: &str) -> Result<f64, BadValue> {
    let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
    let number = word.bytes().all(plain).then(|| f64::from_str(word).ok()).flatten();
    number.filter(|number| number.is_finite()).ok_or_else(|| BadValue::of(word, "a number"))
}

/// Reads a time in seconds, with or without a fraction; to the nanosecond.
///
/// # Errors
/// [`BadValue::Type`] for what is no number, is negative or is longer than 500 years.
pub fn seconds(word: &str) -> Result<Span, BadValue> {
    let bad = || BadValue::of(word, "a time in seconds");
    let seconds = float(word).map_err(|_e| bad())?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_e| bad())?;
    u64::try_from(duration.as_nanos()).map(Span::from_ns).map_err(|_e| bad())
}

/// Reads permissions, always octal: `0640`, `640`.
///
/// # Errors
/// [`BadValue::Type`] for another digit or more than twelve bits.
pub fn permissions(word: &str) -> Result<u16, BadValue> {
    let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let mode = digits.then(|| u16::from_str_radix(word, 8).ok()).flatten();
    mode.filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| BadValue::of(word, "a file mode in octal (such as 0640)"))
}

/// Reads an IP address without a port; IPv6 without brackets.
///
/// # Errors
/// [`BadValue::Type`].
pub fn ip(word: &str) -> Result<IpAddr, BadValue> {
    IpAddr::from_str(word).map_err(|_e| BadValue::of(word, "an IP address (IPv6 without brackets, no port)"))
}

/// Reads a CIDR block, or an address that stands for itself alone; IPv6 without brackets.
///
/// # Errors
/// [`BadValue::Type`].
pub fn prefix(word: &str) -> Result<Prefix, BadValue> {
    let block = Prefix::from_str(word).ok();
    let host = || ip(word).ok().map(|address| Prefix::host(Host::from(address)));
    block.or_else(host).ok_or_else(|| BadValue::of(word, "a CIDR block (such as 10.1.1.0/24)"))
}

/// Reads an absolute path.
///
/// # Errors
/// [`BadValue::Type`].
pub fn path(word: &str) -> Result<String, BadValue> {
    let absolute = word.starts_with('/') && !word.contains('\0');
    absolute.then(|| word.to_string()).ok_or_else(|| BadValue::of(word, "an absolute path"))
}

/// Something to bind to or connect to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// Address and port. `*` is `0.0.0.0`, `[*]` is `[::]`.
    Inet(SocketAddr),
    /// Absolute path of a Unix socket.
    Unix(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(path) => f.write_str(path),
        }
    }
}

/// Reads `ip:port`, `[ipv6]:port`, `*:port`, `:port`, `[*]:port` or the absolute path of a Unix socket.
///
/// # Errors
/// [`BadEndpoint`] says which part is wrong.
pub fn endpoint(word: &str) -> Result<Endpoint, BadEndpoint> {
    if word.starts_with('/') {
        return Ok(Endpoint::Unix(word.into()));
    }
    let bad = || BadEndpoint::Address { word: super::parser::clip(word) };
    let no_port = || BadEndpoint::NoPort { word: super::parser::clip(word) };
    let (address, port) = if let Some(rest) = word.strip_prefix('[') {
        let (inside, port) = rest.split_once(']').ok_or_else(bad)?;
        let address =
            if inside == "*" { Ipv6Addr::UNSPECIFIED } else { inside.parse().map_err(|_e| bad())? };
        (IpAddr::V6(address), port.strip_prefix(':').ok_or_else(no_port)?)
    } else {
        if IpAddr::from_str(word).is_ok_and(|ip| ip.is_ipv6()) {
            return Err(BadEndpoint::NoBrackets { word: word.to_string() });
        }
        let (address, port) = word.rsplit_once(':').ok_or_else(no_port)?;
        if address.contains(':') {
            return Err(BadEndpoint::NoBrackets { word: super::parser::clip(word) });
        }
        let any = matches!(address, "" | "*");
        let address = if any { Ipv4Addr::UNSPECIFIED } else { address.parse().map_err(|_e| bad())? };
        (IpAddr::V4(address), port)
    };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.then(|| port.parse().ok()).flatten().filter(|port| *port > 0).ok_or_else(no_port)?;
    Ok(Endpoint::Inet(SocketAddr::new(address, port)))
}

/// A word that is no endpoint, one variant per remedy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadEndpoint {
    /// The port is missing, 0 or above 65535.
    #[error("`{word}` has no port")]
    NoPort {
        /// As written.
        word: String,
    },
    /// The address is neither an IP address nor a wildcard.
    #[error("`{word}` is not an address and a port")]
    Address {
        /// As written.
        word: String,
    },
    /// An IPv6 address without brackets.
    #[error("the IPv6 address in `{word}` has no brackets")]
    NoBrackets {
        /// As written.
        word: String,
    },
}

impl BadEndpoint {
    /// Returns what to do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoPort { .. } => "write address, colon and a port from 1 to 65535: `\"*:4802\"`",
            Self::Address { .. } => {
                "write `\"*:4802\"` for every IPv4 address, `\"[::]:4802\"` for every IPv6 address, or one address; \
                 names are not looked up"
            }
            Self::NoBrackets { .. } => "write brackets and quotes: `\"[2001:db8::1]:4802\"`",
        }
    }
}

#[cfg(test)]
mod tests;

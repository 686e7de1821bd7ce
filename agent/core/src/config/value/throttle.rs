//! A rate as it is written: `N` events a second, or `N/S` events in S seconds (reference section 4.6).
use super::BadValue;
use core::fmt;

/// At most so many events in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Number of events; 0 means that there is no limit.
    pub events: u32,
    /// Length of the interval in seconds, at least 1.
    pub seconds: u32,
}

impl Throttle {
    /// Returns whether nothing is limited.
    pub const fn is_unlimited(self) -> bool {
        self.events == 0
    }
}

/// Writes what [`throttle`] reads; an interval of one second is left out.
impl fmt::Display for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            1 => write!(f, "{}", self.events),
            seconds => write!(f, "{}/{seconds}", self.events),
        }
    }
}

/// Reads a rate.
///
/// # Errors
/// [`BadValue::Type`] for what is no rate, does not fit 32 bits, or counts in an interval of 0 seconds.
pub fn throttle(word: &str) -> Result<Throttle, BadValue> {
    let bad = || BadValue::of(word, "a rate (N a second, or N/S in S seconds)");
    let (events, seconds) = word.split_once('/').unwrap_or((word, "1"));
    let number = |digits: &str| {
        let digits = digits.trim();
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u32>().ok()).flatten()
    };
    let (events, seconds) = (number(events).ok_or_else(bad)?, number(seconds).ok_or_else(bad)?);
    if seconds == 0 {
        return Err(bad());
    }
    Ok(Throttle { events, seconds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn a_rate_is_a_number_a_second_or_in_some_seconds() {
        for (word, events, seconds, written) in [
            ("100", 100, 1, "100"),
            ("100/1", 100, 1, "100"),
            ("5000/3600", 5_000, 3_600, "5000/3600"),
            ("10 / 60", 10, 60, "10/60"),
            ("0", 0, 1, "0"),
        ] {
            let rate = throttle(word).unwrap();
            assert_eq!((rate, rate.to_string().as_str()), (Throttle { events, seconds }, written), "{word}");
            assert_eq!(rate.is_unlimited(), events == 0);
        }
        for word in ["", "/", "1/", "/1", "1/0", "-1", "+1", "1/2/3", "1.5", "0x10", "4294967296", "1/min"] {
            assert!(throttle(word).is_err(), "{word}");
        }
    }
}

//! Numbers, times and sizes as people read them.

/// Returns a number in groups of three: `1 234 567`.
pub(super) fn number(value: impl TryInto<u64>) -> String {
    let digits = value.try_into().unwrap_or(u64::MAX).to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns a time in the largest unit of which there are at least two: `45 s`, `3 min`, `30 h`.
pub(super) fn span(seconds: f64) -> String {
    let (unit_s, unit) = match seconds {
        s if s < 120.0 => (1.0, "s"),
        s if s < 120.0 * 60.0 => (60.0, "min"),
        s if s < 48.0 * 3600.0 => (3600.0, "h"),
        _ => (86_400.0, "d"),
    };
    format!("{:.0} {unit}", (seconds / unit_s).floor().max(0.0))
}

/// Returns how long ago something was: `now` within a second.
pub(super) fn ago(seconds: f64) -> String {
    if seconds < 1.0 { "now".into() } else { format!("{} ago", span(seconds)) }
}

/// Returns a size in decimal units: `999 B`, `1.2 kB`, `34.0 MB`.
pub(super) fn bytes(value: u64) -> String {
    let (unit, name) = match value {
        0..1_000 => return format!("{value} B"),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    format!("{}.{} {name}", number(value / unit), value % unit * 10 / unit)
}

/// Returns `count` with `one`, or with its plural in s.
pub(super) fn counted(count: impl TryInto<u64>, one: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{} {one}{}", number(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_from_the_right() {
        let check = |value: u64, expected| assert_eq!(number(value), expected);
        check(0, "0");
        check(999, "999");
        check(1_000, "1 000");
        check(12_345_678, "12 345 678");
        check(u64::MAX, "18 446 744 073 709 551 615");
    }

    #[test]
    fn times_keep_two_of_a_unit_before_the_next() {
        let check = |value, expected| assert_eq!(span(value), expected);
        check(0.2, "0 s");
        check(119.9, "119 s");
        check(120.0, "2 min");
        check(7_199.0, "119 min");
        check(7_200.0, "2 h");
        check(172_800.0, "2 d");
    }

    #[test]
    fn what_was_a_moment_ago_is_now() {
        assert_eq!((ago(0.4).as_str(), ago(12.7).as_str()), ("now", "12 s ago"));
    }

    #[test]
    fn sizes_are_decimal() {
        let check = |value, expected| assert_eq!(bytes(value), expected);
        check(999, "999 B");
        check(1_250, "1.2 kB");
        check(34_000_000, "34.0 MB");
        check(5_600_000_000_000, "5 600.0 GB");
    }
}

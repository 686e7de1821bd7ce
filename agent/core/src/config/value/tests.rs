//! The rows of reference sections 1.4 and 1.13.
use super::*;

#[test]
fn whole_numbers_are_decimal_hexadecimal_or_octal() {
    let good = [
        ("0", 0),
        ("42", 42),
        ("-1", -1),
        ("+7", 7),
        ("0x1F", 31),
        ("0Xff", 255),
        ("017", 15),
        ("-0x10", -16),
    ];
    for (word, number) in good {
        assert_eq!(int(word), Ok(number), "{word}");
    }
    assert_eq!(int("9223372036854775807"), Ok(i64::MAX));
    assert_eq!(int("-9223372036854775808"), Ok(i64::MIN));
    for word in [
        "",
        "-",
        "0x",
        "08",
        "1k",
        "1.0",
        "1_000",
        "--1",
        "+-1",
        "9223372036854775808",
        " 1",
        "\u{661}",
        "0\u{e9}",
    ] {
        assert!(int(word).is_err(), "{word}");
    }
}

#[test]
fn booleans_are_the_union_of_both_lists_in_any_case() {
    for word in ["true", "on", "enabled", "yes", "1", "TRUE", "On"] {
        assert_eq!(boolean(word), Ok(true), "{word}");
    }
    for word in ["false", "off", "disabled", "no", "0", "False"] {
        assert_eq!(boolean(word), Ok(false), "{word}");
    }
    for word in ["", "2", "y", "enable", "truee"] {
        assert!(boolean(word).is_err(), "{word}");
    }
}

#[test]
fn floats_are_finite() {
    for (word, number) in [("1.0", 1.0), ("0", 0.0), (".5", 0.5), ("1e-2", 0.01), ("-1", -1.0)] {
        assert_eq!(float(word).unwrap().to_bits(), f64::to_bits(number), "{word}");
    }
    for word in ["", "inf", "NaN", "1s", "0x1", "1e999", "1,5"] {
        assert!(float(word).is_err(), "{word}");
    }
}

#[test]
fn seconds_are_kept_to_the_nanosecond() {
    let table =
        [("1.0", 1_000_000_000), ("0.01", 10_000_000), ("0", 0), ("15", 15_000_000_000), ("0.000000001", 1)];
    for (word, ns) in table {
        assert_eq!(seconds(word), Ok(Span::from_ns(ns)), "{word}");
    }
    for word in ["-1", "5m", "1e30", "ten"] {
        assert!(seconds(word).is_err(), "{word}");
    }
}

#[test]
fn permissions_are_octal_with_or_without_a_leading_zero() {
    for (word, mode) in [("0640", 0o640), ("0666", 0o666), ("755", 0o755), ("0", 0), ("7777", 0o7777)] {
        assert_eq!(permissions(word), Ok(mode), "{word}");
    }
    for word in ["", "0888", "rw-r--r--", "10000", "-1", "+7", "99999999"] {
        assert!(permissions(word).is_err(), "{word}");
    }
}

#[test]
fn endpoints_are_read_as_the_reference_lists_them() {
    let inet = |text: &str| Ok(Endpoint::Inet(text.parse().unwrap()));
    let table = [
        (":25", inet("0.0.0.0:25")),
        ("*:25", inet("0.0.0.0:25")),
        ("[*]:25", inet("[::]:25")),
        ("[::]:25", inet("[::]:25")),
        ("10.0.0.1:25", inet("10.0.0.1:25")),
        ("[fd00::1]:587", inet("[fd00::1]:587")),
        ("[FD00:0:0::1]:587", inet("[fd00::1]:587")),
        ("/tmp/2025", Ok(Endpoint::Unix("/tmp/2025".into()))),
        ("10.0.0.1", Err(BadEndpoint::NoPort { word: "10.0.0.1".into() })),
        ("*", Err(BadEndpoint::NoPort { word: "*".into() })),
        ("*:", Err(BadEndpoint::NoPort { word: "*:".into() })),
        ("*:0", Err(BadEndpoint::NoPort { word: "*:0".into() })),
        ("*:65536", Err(BadEndpoint::NoPort { word: "*:65536".into() })),
        ("*:+25", Err(BadEndpoint::NoPort { word: "*:+25".into() })),
        ("[::]", Err(BadEndpoint::NoPort { word: "[::]".into() })),
        ("[::1", Err(BadEndpoint::Address { word: "[::1".into() })),
        ("[::1::]:25", Err(BadEndpoint::Address { word: "[::1::]:25".into() })),
        ("host:25", Err(BadEndpoint::Address { word: "host:25".into() })),
        ("fd00::1", Err(BadEndpoint::NoBrackets { word: "fd00::1".into() })),
        ("fd00::1:25", Err(BadEndpoint::NoBrackets { word: "fd00::1:25".into() })),
    ];
    for (word, expected) in table {
        assert_eq!(endpoint(word), expected, "{word}");
    }
}

#[test]
fn an_address_without_a_port_has_no_brackets() {
    assert_eq!(ip("fd00::1"), Ok("fd00::1".parse().unwrap()));
    assert_eq!(ip("10.0.0.1"), Ok("10.0.0.1".parse().unwrap()));
    for word in ["[fd00::1]", "10.0.0.1:25", "10.0.0", "010.0.0.1", "localhost", ""] {
        assert!(ip(word).is_err(), "{word}");
    }
}

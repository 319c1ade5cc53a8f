//! Sizes and times as they are written on a command line, and as results show them.

use std::time::Duration;

use crate::numbers::real;

/// Names of multiples of a byte, lower case.
const UNITS: [(&str, u64); 11] = [
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
];

/// Bytes: `1024`, `64KiB`, `64k`, `100MB`.
///
/// # Errors
/// What is no size.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes);
    let bytes = unit.and_then(|unit| number.parse::<u64>().ok()?.checked_mul(unit));
    bytes.ok_or_else(|| format!("{text}: write a size as 1024, 64KiB or 100MB"))
}

/// A time: `30`, `30s`, `1.5s`, `500ms`, `2m`, `1h`.
///
/// # Errors
/// What is no time.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let fault = || format!("{text}: write a time as 30s, 500ms, 2m or 1h");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err(fault()),
    };
    let number: f64 = number.parse().map_err(|_| fault())?;
    Duration::try_from_secs_f64(number * scale).map_err(|_| fault())
}

/// Microseconds with three digits: `0.81 ms`.
pub(crate) fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", three(real(us) / 1e3)),
        _ => format!("{} s", three(real(us) / 1e6)),
    }
}

/// A number with three digits, and those before its point.
pub(crate) fn three(number: f64) -> String {
    match number.abs() {
        size if size >= 99.95 => grouped(number),
        size if size >= 9.995 => format!("{number:.1}"),
        size if size >= 0.999_5 || size == 0.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

/// Without digits behind the point, and commas between thousands.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::from(if number <= -0.5 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes with a unit: `12.3 MiB`.
pub(crate) fn binary(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", three(real(bytes) / 1_024.0)),
        1_048_576..1_073_741_824 => format!("{} MiB", three(real(bytes) / 1_048_576.0)),
        _ => format!("{} GiB", three(real(bytes) / 1_073_741_824.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_with_their_units() {
        assert_eq!(bytes("1024"), Ok(1024));
        assert_eq!(bytes("64KiB"), Ok(65_536));
        assert_eq!(bytes("2 m"), Ok(2 << 20));
        assert_eq!([bytes("100MB"), bytes("1GB")], [Ok(100_000_000), Ok(1_000_000_000)]);
        for wrong in ["", "k", "-1", "1.5k", "1q", "99999999999g"] {
            assert!(bytes(wrong).unwrap_err().starts_with(&format!("{wrong}: ")), "{wrong}");
        }
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "s", "-1s", "1 s", "1d", "1.2.3s"] {
            assert!(duration(wrong).unwrap_err().starts_with(&format!("{wrong}: ")), "{wrong}");
        }
    }

    #[test]
    fn figures_have_three_digits_and_those_before_the_point() {
        assert_eq!(
            [three(0.0), three(0.0123), three(1.0), three(12.34)],
            ["0.00", "0.012", "1.00", "12.3"]
        );
        assert_eq!(
            [three(99.96), three(1_234_567.8), three(-1_234.0)],
            ["100", "1,234,568", "-1,234"]
        );
        assert_eq!(
            [micros(999), micros(1_500), micros(2_000_000)],
            ["999 µs", "1.50 ms", "2.00 s"]
        );
        assert_eq!(
            [binary(512), binary(1_536), binary(3 << 30)],
            ["512 B", "1.50 KiB", "3.00 GiB"]
        );
        assert_eq!(grouped(-0.2), "0");
    }
}

//! Amounts, parts and times as people read them.

use serde_json::{Value, json};

use logboom_balance::{Resource, Worst};

/// Bytes with a unit of which there are a thousand at the most.
pub(super) fn bytes(bytes: u64) -> String {
    let (mut tenths, mut unit) = (u128::from(bytes) * 10, "B");
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        // Rounded it would be a thousand and more.
        if tenths < 9_995 {
            break;
        }
        (tenths, unit) = ((tenths + 512) / 1024, larger);
    }
    match (unit, tenths) {
        ("B", _) | (_, 1000..) => format!("{} {unit}", (tenths + 5) / 10),
        _ => format!("{}.{} {unit}", tenths / 10, tenths % 10),
    }
}

/// An amount of a resource.
pub(super) fn amount(resource: Resource, amount: u64) -> String {
    match resource {
        Resource::Partitions | Resource::Leaders => amount.to_string(),
        Resource::DiskBytes => bytes(amount),
        Resource::BytesIn | Resource::BytesOut => format!("{}/s", bytes(amount)),
    }
}

/// Millionths as per cent.
pub(super) fn percent(ppm: u64) -> String {
    let tenths = (u128::from(ppm) + 500) / 1000;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// A time in its two greatest units.
pub(super) fn seconds(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{minutes} min"),
        7_200..172_800 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

/// What a broker has most of.
pub(super) fn worst(worst: &Worst) -> String {
    format!("{} of {}", percent(worst.ppm), worst.resource)
}

/// The same for programs.
pub(super) fn worst_value(worst: &Worst) -> Value {
    json!({ "resource": worst.resource.word(), "ppm": worst.ppm })
}

/// What programs are told with hyphens, with blanks for people.
pub(super) fn words(text: &Value) -> Value {
    text.as_str().map_or(Value::Null, |text| text.replace('-', " ").into())
}

/// So many of a thing.
pub(super) fn count(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_or_four_digits_and_a_unit() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KiB"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (50 << 20, "50.0 MiB"),
            (200 << 20, "200 MiB"),
            (999 << 20, "999 MiB"),
            (1000 << 20, "1.0 GiB"),
            (1_023_436, "999 KiB"),
            (1_023_437, "1.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(number), text, "{number}");
        }
        assert_eq!(amount(Resource::BytesIn, 2048), "2.0 KiB/s");
        assert_eq!(amount(Resource::Leaders, 2048), "2048");
    }

    #[test]
    fn parts_are_rounded_to_a_tenth_of_a_percent() {
        for (ppm, text) in [
            (0, "0.0 %"),
            (499, "0.0 %"),
            (500, "0.1 %"),
            (400_000, "40.0 %"),
            (1_234_567, "123.5 %"),
            (u64::MAX, "1844674407370955.2 %"),
        ] {
            assert_eq!(percent(ppm), text, "{ppm}");
        }
    }

    #[test]
    fn times_have_at_most_two_units() {
        for (number, text) in [
            (1, "1 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_260, "2 h 1 min"),
            (172_800, "2 d 0 h"),
        ] {
            assert_eq!(seconds(number), text, "{number}");
        }
    }
}

//! Places in a partition as the command line names them.

use std::str::FromStr;

use jiff::Timestamp;

use logboom_client::{ClientError, Cluster, OffsetSpec};
use logboom_consumer::Start;

/// A place in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first record that is kept.
    Beginning,
    /// Behind the last record.
    End,
    /// This offset, inclusive.
    Offset(i64),
    /// The first record with at least this timestamp, milliseconds.
    Time(i64),
}

impl FromStr for Place {
    type Err = String;

    /// `beginning`, `end`, an offset, `@` and milliseconds since 1970, or a time as RFC 3339 has
    /// it.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|number: &i64| *number >= 0);
        let place = match text {
            "beginning" => Some(Self::Beginning),
            "end" => Some(Self::End),
            _ => match number(text) {
                Some(offset) => Some(Self::Offset(offset)),
                None => millis(text).ok().map(Self::Time),
            },
        };
        place.ok_or_else(|| {
            "write beginning, end, an offset, @MILLISECONDS, or a time as 2026-01-31T12:00:00Z"
                .to_owned()
        })
    }
}

/// A time in milliseconds since 1970: `@` and their number, or as RFC 3339 has it.
///
/// # Errors
/// A text that is neither.
pub(crate) fn millis(text: &str) -> Result<i64, String> {
    let millis = match text.strip_prefix('@') {
        Some(millis) => millis.parse().ok().filter(|number: &i64| *number >= 0),
        // A record is no older than 1970, and a negative time would mean something else on the
        // wire.
        None => text.parse::<Timestamp>().ok().map(|time| time.as_millisecond().max(0)),
    };
    millis.ok_or_else(|| "write @MILLISECONDS, or a time as 2026-01-31T12:00:00Z".to_owned())
}

impl Place {
    /// The same, for a consumer.
    pub(crate) fn start(self) -> Start {
        match self {
            Self::Beginning => Start::Earliest,
            Self::End => Start::Latest,
            Self::Offset(offset) => Start::Offset(offset),
            Self::Time(millis) => Start::Timestamp(millis),
        }
    }

    /// The offset of the place in each of the partitions, with the partition. A time after the
    /// last record is the end.
    pub(crate) async fn resolve(
        self,
        cluster: &Cluster,
        topic: &str,
        partitions: &[i32],
    ) -> Result<Vec<(i32, i64)>, ClientError> {
        let spec = match self {
            Self::Offset(offset) => {
                return Ok(partitions.iter().map(|&partition| (partition, offset)).collect());
            }
            Self::Beginning => OffsetSpec::Earliest,
            Self::End => OffsetSpec::Latest,
            Self::Time(millis) => OffsetSpec::Timestamp(millis),
        };
        let found = cluster.list_offsets(topic, partitions, spec).await?;
        let later: Vec<i32> =
            found.iter().filter(|one| one.offset.is_none()).map(|one| one.partition).collect();
        let ends = cluster.list_offsets(topic, &later, OffsetSpec::Latest).await?;
        let found = found.iter().chain(&ends);
        Ok(found.filter_map(|one| Some((one.partition, one.offset?))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_in_every_form() {
        for (text, place) in [
            ("beginning", Place::Beginning),
            ("end", Place::End),
            ("0", Place::Offset(0)),
            ("9223372036854775807", Place::Offset(i64::MAX)),
            ("@1700000000123", Place::Time(1_700_000_000_123)),
            ("2023-11-14T22:13:20Z", Place::Time(1_700_000_000_000)),
            ("2023-11-15T00:13:20.5+02:00", Place::Time(1_700_000_000_500)),
            ("1969-12-31T23:59:59Z", Place::Time(0)),
        ] {
            assert_eq!(text.parse(), Ok(place), "{text}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in ["", "-1", "@", "@-1", "start", "2023-11-14", "2023-13-01T00:00:00Z", "1.5"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}

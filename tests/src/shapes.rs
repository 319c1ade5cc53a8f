//! The batches that every client must write and read: what records can look like.
//!
//! As text, for the programs in `tests/java` and `tests/python` and for golden files:
//!
//! ```text
//! batch PARTITION
//! record TIMESTAMP KEY VALUE [HEADER-KEY HEADER-VALUE]…
//! ```
//!
//! Bytes are `-` for null, `=6b6579` for the bytes in hex, or `1600=6c6f67…` for a unit of
//! [`UNIT`] bytes that many times. A consumer prints a record as
//! `PARTITION OFFSET TIMESTAMP-TYPE TIMESTAMP KEY VALUE [HEADER-KEY HEADER-VALUE]…`.

use std::fmt::Write as _;

/// Bytes of a unit that may be repeated.
pub const UNIT: usize = 64;
/// Where the timestamps begin, milliseconds.
const START: i64 = 1_700_000_000_123;
/// Enough for any codec to make it smaller: some clients send what doesn't shrink as it is.
const RECORDS: usize = 12;
/// Enough of records with nothing in them.
const MANY: usize = 60;

/// A record as an application sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Milliseconds.
    pub timestamp: i64,
    /// `None` is null.
    pub key: Option<Vec<u8>>,
    /// `None` is null.
    pub value: Option<Vec<u8>>,
    /// In order; a value of `None` is null.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A batch with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// As in the names of golden files.
    pub name: &'static str,
    /// Its records.
    pub records: Vec<Record>,
}

/// What kafka-python refuses to send: records without key and value, and headers without value.
pub const NOT_FOR_KAFKA_PYTHON: [&str; 2] = ["null-key-and-value", "null-header"];

/// All shapes.
pub fn shapes() -> Vec<Shape> {
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let key = |i: usize| bytes(&format!("key {i}"));
    let value = |i: usize| bytes(&format!("the value of record {i}"));
    let mut shapes = vec![
        of("plain", |i| (key(i), value(i), vec![])),
        of("null-key", |i| (None, value(i), vec![])),
        of("null-value", |i| (key(i), None, vec![])),
        empty("null-key-and-value", |_| (None, None, vec![])),
        empty("empty", |_| (bytes(""), bytes(""), vec![])),
        of("headers", |i| (key(i), value(i), vec![("trace", value(i)), ("a", key(i))])),
        of("repeated-headers", |i| {
            (key(i), value(i), vec![("a", key(1)), ("b", key(2)), ("a", key(3)), ("a", key(1))])
        }),
        of("null-header", |i| (key(i), value(i), vec![("a", None), ("b", bytes(""))])),
        of("empty-header", |i| (key(i), value(i), vec![("", bytes("")), ("ключ", bytes("я"))])),
    ];
    let many = (0..MANY).map(|i| record(i, (key(i), value(i), vec![]))).collect();
    shapes.push(Shape { name: "many", records: many });
    let unit: Vec<u8> = (0..).take(UNIT).collect();
    let big = record(0, (key(0), Some(unit.repeat(1600)), vec![]));
    shapes.push(Shape { name: "big", records: vec![big] });
    let mut times = of("timestamps", |i| (key(i), value(i), vec![]));
    for (i, record) in times.records.iter_mut().enumerate() {
        // Before and after the first by days, the greatest in the middle.
        record.timestamp = START + [0, -86_400_000, 432_000_000, 1][i % 4];
    }
    shapes.push(times);
    shapes
}

type Parts = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<(&'static str, Option<Vec<u8>>)>);

fn of(name: &'static str, parts: impl Fn(usize) -> Parts) -> Shape {
    Shape { name, records: (0..RECORDS).map(|i| record(i, parts(i))).collect() }
}

fn empty(name: &'static str, parts: impl Fn(usize) -> Parts) -> Shape {
    Shape { name, records: (0..MANY).map(|i| record(i, parts(i))).collect() }
}

fn record(index: usize, (key, value, headers): Parts) -> Record {
    let timestamp = START + i64::try_from(index).expect("few");
    let headers = headers.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Record { timestamp, key, value, headers }
}

/// The text of batches for a client that produces them, each to its partition.
pub fn to_text<'a>(batches: impl IntoIterator<Item = (usize, &'a [Record])>) -> String {
    let mut text = String::new();
    for (partition, records) in batches {
        writeln!(text, "batch {partition}").expect("memory");
        for record in records {
            writeln!(text, "record {}", words(record)).expect("memory");
        }
    }
    text
}

/// The words of a record, for [`from_words`].
pub fn words(record: &Record) -> String {
    let Record { timestamp, key, value, headers } = record;
    let (key, value) = (show(key.as_deref()), show(value.as_deref()));
    let mut text = format!("{timestamp} {key} {value}");
    for (name, content) in headers {
        let (name, content) = (show(Some(name.as_bytes())), show(content.as_deref()));
        write!(text, " {name} {content}").expect("memory");
    }
    text
}

/// The records of a text of one batch.
///
/// # Panics
/// If it is none.
pub fn from_text(text: &str) -> Vec<Record> {
    let lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let records = lines.filter(|words| words[0] == "record");
    records.map(|words| from_words(&words[1..])).collect()
}

/// A record from its words: timestamp, key, value, headers.
///
/// # Panics
/// If they are none.
pub fn from_words(words: &[&str]) -> Record {
    let [timestamp, key, value, headers @ ..] = words else { panic!("{words:?} is no record") };
    assert!(headers.len() % 2 == 0, "{headers:?} are no pairs");
    let header = |pair: &[&str]| {
        let name = parse(pair[0]).expect("a header has a key");
        (String::from_utf8(name).expect("the key of a header is text"), parse(pair[1]))
    };
    Record {
        timestamp: timestamp.parse().expect("a timestamp"),
        key: parse(key),
        value: parse(value),
        headers: headers.chunks_exact(2).map(header).collect(),
    }
}

fn show(bytes: Option<&[u8]>) -> String {
    let hex =
        |bytes: &[u8]| bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let Some(bytes) = bytes else { return "-".to_owned() };
    let count = bytes.len() / UNIT;
    match bytes.first_chunk::<UNIT>() {
        Some(unit) if count >= 2 && *bytes == unit.repeat(count) => {
            format!("{count}={}", hex(unit))
        }
        _ => format!("={}", hex(bytes)),
    }
}

fn parse(text: &str) -> Option<Vec<u8>> {
    if text == "-" {
        return None;
    }
    let (count, hex) = text.split_once('=').expect("bytes");
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    let unit: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    let count = if count.is_empty() { 1 } else { count.parse().expect("a count") };
    Some(unit.repeat(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_says_all_of_a_record() {
        for shape in shapes() {
            let text = to_text([(3, shape.records.as_slice())]);
            assert!(text.starts_with("batch 3\n"));
            assert_eq!(from_text(&text), shape.records, "{}", shape.name);
        }
        assert_eq!(
            (parse("-"), parse("="), parse("2=0a")),
            (None, Some(vec![]), Some(vec![10, 10]))
        );
        assert_eq!(
            (show(None), show(Some(&[])), show(Some(&[255]))),
            ("-".into(), "=".into(), "=ff".into())
        );
    }
}

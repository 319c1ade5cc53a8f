//! How a record is written: kcat's format strings.

use std::io::{self, Write};
use std::str::FromStr;

use serde_json::{Value, json};

use logboom_protocol::records::{Header, Record};

/// A format string, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Topic,
    Partition,
    Offset,
    Key,
    KeyBytes,
    Value,
    ValueBytes,
    ValueBytesBinary,
    Timestamp,
    Headers,
}

impl FromStr for Format {
    type Err = String;

    /// `%` and a letter stands for a part of the record, `\` for a byte that can't be typed.
    fn from_str(text: &str) -> Result<Self, String> {
        let (mut parts, mut literal) = (Vec::new(), Vec::new());
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            match character {
                '%' => match part(rest.next())? {
                    Some(part) => {
                        if !literal.is_empty() {
                            parts.push(Part::Text(std::mem::take(&mut literal)));
                        }
                        parts.push(part);
                    }
                    None => literal.push(b'%'),
                },
                '\\' => escape(&mut rest, &mut literal)?,
                other => literal.extend(other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self { parts })
    }
}

/// What a letter behind `%` stands for; `None` is `%` itself.
fn part(letter: Option<char>) -> Result<Option<Part>, String> {
    Ok(Some(match letter {
        Some('t') => Part::Topic,
        Some('p') => Part::Partition,
        Some('o') => Part::Offset,
        Some('k') => Part::Key,
        Some('K') => Part::KeyBytes,
        Some('s') => Part::Value,
        Some('S') => Part::ValueBytes,
        Some('R') => Part::ValueBytesBinary,
        Some('T') => Part::Timestamp,
        Some('h') => Part::Headers,
        Some('%') => return Ok(None),
        Some(other) => return Err(format!("%{other} stands for nothing; write %% for a %")),
        None => return Err("a % at the end; write %% for a %".to_owned()),
    }))
}

/// Reads what stands behind a backslash.
fn escape(rest: &mut std::str::Chars<'_>, literal: &mut Vec<u8>) -> Result<(), String> {
    let byte = match rest.next() {
        Some('n') => b'\n',
        Some('r') => b'\r',
        Some('t') => b'\t',
        Some('0') => 0,
        Some('\\') => b'\\',
        Some('x') => {
            let digits: String = rest.by_ref().take(2).collect();
            let valid = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            let byte = u8::from_str_radix(&digits, 16).ok().filter(|_| valid);
            byte.ok_or("write two hexadecimal digits behind \\x")?
        }
        other => {
            let other = other.map(String::from).unwrap_or_default();
            return Err(format!("\\{other} stands for nothing; write \\\\ for a \\"));
        }
    };
    literal.push(byte);
    Ok(())
}

impl Format {
    /// Writes a record.
    ///
    /// # Errors
    /// Of the writer.
    pub(super) fn write(
        &self,
        out: &mut impl Write,
        topic: &str,
        partition: i32,
        record: &Record<'_>,
    ) -> io::Result<()> {
        for part in &self.parts {
            match part {
                Part::Text(bytes) => out.write_all(bytes)?,
                Part::Topic => out.write_all(topic.as_bytes())?,
                Part::Partition => write!(out, "{partition}")?,
                Part::Offset => write!(out, "{}", record.offset)?,
                Part::Key => out.write_all(record.key.unwrap_or_default())?,
                Part::KeyBytes => write!(out, "{}", length(record.key))?,
                Part::Value => out.write_all(record.value.unwrap_or_default())?,
                Part::ValueBytes => write!(out, "{}", length(record.value))?,
                Part::ValueBytesBinary => out.write_all(&length(record.value).to_be_bytes())?,
                Part::Timestamp => write!(out, "{}", record.timestamp)?,
                Part::Headers => write_headers(out, record)?,
            }
        }
        Ok(())
    }
}

/// Bytes of a key or a value; −1 is null.
fn length(bytes: Option<&[u8]>) -> i32 {
    bytes.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX))
}

/// `name=value` with commas between them; NULL for a value that is null.
fn write_headers(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    for (at, header) in record.headers.iter().enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        out.write_all(header.key)?;
        out.write_all(b"=")?;
        out.write_all(header.value.unwrap_or(b"NULL"))?;
    }
    Ok(())
}

/// A record as a JSON object.
pub(super) fn json(topic: &str, partition: i32, record: &Record<'_>) -> Value {
    let header = |header: Header<'_>| {
        let (key, value) = (text(Some(header.key)), text(header.value));
        json!({ "key": key, "value": value })
    };
    json!({
        "topic": topic, "partition": partition, "offset": record.offset,
        "timestamp": record.timestamp, "key": text(record.key), "value": text(record.value),
        "headers": record.headers.iter().map(header).collect::<Vec<_>>(),
    })
}

/// Bytes as a string, or, where they are none, as `{"hex": …}`.
fn text(bytes: Option<&[u8]>) -> Value {
    let Some(bytes) = bytes else { return Value::Null };
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "hex": hex })
        }
    }
}

#[cfg(test)]
mod tests {
    use logboom_protocol::records::{
        BatchBuilder, CheckedBatch, Codec, HeaderRef, Inflater, Records,
    };

    use super::*;

    /// A record with everything, and one of nulls.
    fn records() -> Records {
        let mut builder = BatchBuilder::new(Codec::None);
        let header = |key, value| HeaderRef { key, value };
        let headers = [header("a", Some(b"1".as_slice())), header("b", None)];
        builder.append(1_700_000_000_123, Some(b"key"), Some(b"v\xc3\xa9"), &headers).unwrap();
        builder.append(1_700_000_000_124, None, None, &[]).unwrap();
        builder.append(1_700_000_000_125, Some(b"\xff\x00"), Some(b""), &[]).unwrap();
        let batch = CheckedBatch::check(builder.build().unwrap()).unwrap();
        batch.records(&mut Inflater::new(0)).unwrap()
    }

    fn written(format: &str) -> Vec<String> {
        let format: Format = format.parse().unwrap();
        let write = |record: &Record<'_>| {
            let mut out = Vec::new();
            format.write(&mut out, "t", 3, record).unwrap();
            String::from_utf8_lossy(&out).into_owned()
        };
        records().iter().map(|record| write(&record.unwrap())).collect()
    }

    #[test]
    fn every_letter_stands_for_its_part() {
        let all = written(r"%t-%p@%o %k(%K) %s(%S) %T [%h]\n");
        assert_eq!(all[0], "t-3@0 key(3) vé(3) 1700000000123 [a=1,b=NULL]\n");
        assert_eq!(all[1], "t-3@1 (-1) (-1) 1700000000124 []\n");
        assert_eq!(written("%R")[1].len(), "\u{fffd}".len() * 4, "four bytes of 0xff");
        assert_eq!(written("100%% é")[0], "100% é");
    }

    #[test]
    fn escapes_are_bytes() {
        assert_eq!(written(r"\t\r\n\\\x41\0")[0], "\t\r\n\\A\0");
    }

    #[test]
    fn what_stands_for_nothing_is_refused() {
        for format in ["%", "%q", r"\", r"\q", r"\x", r"\x4", r"\xzz", r"\x+1"] {
            assert!(format.parse::<Format>().is_err(), "{format}");
        }
    }

    #[test]
    fn json_tells_null_from_empty_and_text_from_bytes() {
        let rows: Vec<Value> = records().iter().map(|one| json("t", 0, &one.unwrap())).collect();
        assert_eq!(rows[0]["value"], "vé");
        assert_eq!(
            rows[0]["headers"],
            json!([
                { "key": "a", "value": "1" }, { "key": "b", "value": null }
            ])
        );
        assert_eq!(rows[1]["key"], Value::Null);
        assert_eq!(rows[2]["key"], json!({ "hex": "ff00" }));
        assert_eq!(rows[2]["value"], "");
    }
}

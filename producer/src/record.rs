//! What is sent.

use logboom_protocol::records::HeaderRef;

/// A record to send. It borrows what it is made of, which [`crate::Producer::send`] copies once,
/// into the batch that goes to the socket.
///
/// ```
/// use logboom_producer::{Header, Record};
///
/// let headers = [Header { key: "source", value: Some(b"gate 7") }];
/// let record = Record::to("departures").key("LH 401").value("boarding").headers(&headers);
/// # let _ = record;
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<i32>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [HeaderRef<'a>],
}

/// Bytes that a record takes at most beside its key, its value and its headers.
const OVERHEAD_BYTES: usize = 32;
/// Bytes that a header takes at most beside its key and its value.
const HEADER_OVERHEAD_BYTES: usize = 10;

impl<'a> Record<'a> {
    /// A record for a topic, without key and value yet. One without a value is a tombstone where
    /// the topic is compacted.
    #[must_use]
    pub fn to(topic: &'a str) -> Self {
        Self { topic, partition: None, timestamp: None, key: None, value: None, headers: &[] }
    }

    /// Records with the same key go to the same partition, as with the Java client.
    #[must_use]
    pub fn key<K: AsRef<[u8]> + ?Sized>(mut self, key: &'a K) -> Self {
        self.key = Some(key.as_ref());
        self
    }

    /// The payload.
    #[must_use]
    pub fn value<V: AsRef<[u8]> + ?Sized>(mut self, value: &'a V) -> Self {
        self.value = Some(value.as_ref());
        self
    }

    /// The partition to go to, whatever the key.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// When it happened, milliseconds since 1970; when it is sent, if this isn't called.
    #[must_use]
    pub fn timestamp(mut self, millis: i64) -> Self {
        self.timestamp = Some(millis);
        self
    }

    /// What is said about the payload.
    #[must_use]
    pub fn headers(mut self, headers: &'a [HeaderRef<'a>]) -> Self {
        self.headers = headers;
        self
    }

    /// Bytes that it takes in a batch, at most.
    pub(crate) fn bytes_max(&self) -> usize {
        let part = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let header = |one: &HeaderRef<'_>| {
            HEADER_OVERHEAD_BYTES.saturating_add(one.key.len()).saturating_add(part(one.value))
        };
        let headers = self.headers.iter().map(header).fold(0, usize::saturating_add);
        OVERHEAD_BYTES
            .saturating_add(part(self.key))
            .saturating_add(part(self.value))
            .saturating_add(headers)
    }
}

#[cfg(test)]
mod tests {
    use logboom_protocol::records::{BatchBuilder, Codec};

    use super::*;

    #[test]
    fn a_record_takes_no_more_than_was_taken_for_it() {
        let long = vec![7; 300_000];
        let headers =
            [HeaderRef { key: "k", value: None }, HeaderRef { key: "", value: Some(&long) }];
        for record in [
            Record::to("t"),
            Record::to("t").key("k").value(&long).headers(&headers),
            Record::to("t").value("").timestamp(i64::MAX),
        ] {
            let mut batch = BatchBuilder::new(Codec::None);
            batch.append(0, None, None, &[]).unwrap();
            let before = batch.uncompressed_bytes();
            let timestamp = record.timestamp.unwrap_or(i64::MAX);
            batch.append(timestamp, record.key, record.value, record.headers).unwrap();
            assert!(batch.uncompressed_bytes() - before <= record.bytes_max());
        }
    }
}

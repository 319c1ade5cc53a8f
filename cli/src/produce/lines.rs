//! Lines of the input, and their numbers in messages.

use std::fmt;
use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// Bytes of a line. No broker takes a record that is longer than a frame.
const LINE_BYTES_MAX: usize = 100 << 20;

/// Reads lines one after the other.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    /// The number of the line that was read last, from 1.
    number: u64,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, line: Vec::new(), number: 0 }
    }

    /// Reads on to the end of a line, which [`Self::take`] gives; false at the end of the input.
    /// Cancel-safe: what was read of a line is kept.
    ///
    /// # Errors
    /// Of the reader, or a line beyond the limit.
    pub(super) async fn next(&mut self) -> io::Result<bool> {
        loop {
            let chunk = self.reader.fill_buf().await?;
            if chunk.is_empty() {
                // The last line may lack its end.
                return Ok(!self.line.is_empty());
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let bytes = end.unwrap_or(chunk.len());
            if self.line.len() + bytes > LINE_BYTES_MAX {
                let number = self.next_number();
                let message = format!("line {number} is longer than {LINE_BYTES_MAX} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            self.line.extend_from_slice(&chunk[..bytes]);
            self.reader.consume(bytes + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// The number of the line that will be read next, from 1.
    pub(super) fn next_number(&self) -> u64 {
        self.number + 1
    }

    /// The number of the line that was read last, and its bytes.
    pub(super) fn take(&mut self) -> (u64, Vec<u8>) {
        self.number += 1;
        (self.number, std::mem::take(&mut self.line))
    }
}

/// Numbers of lines in rising order, as ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LineNumbers {
    /// First and last, both inclusive.
    ranges: Vec<(u64, u64)>,
}

impl LineNumbers {
    pub(super) fn push(&mut self, number: u64) {
        match self.ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => self.ranges.push((number, number)),
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| last - first + 1).sum()
    }
}

impl fmt::Display for LineNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.count() == 1 { "line " } else { "lines " })?;
        for (at, (first, last)) in self.ranges.iter().enumerate() {
            let separator = if at == 0 { "" } else { "," };
            match last - first {
                0 => write!(f, "{separator}{first}")?,
                _ => write!(f, "{separator}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(text: &'static [u8]) -> Vec<(u64, String)> {
        let mut lines = Lines::new(tokio::io::BufReader::with_capacity(3, text));
        let mut all = Vec::new();
        while lines.next().await.unwrap() {
            let (number, line) = lines.take();
            all.push((number, String::from_utf8(line).unwrap()));
        }
        all
    }

    #[tokio::test]
    async fn a_line_ends_with_its_newline_or_with_the_input() {
        let pair = |number, line: &str| (number, line.to_owned());
        assert_eq!(lines(b"").await, []);
        assert_eq!(lines(b"\n").await, [pair(1, "")]);
        assert_eq!(
            lines(b"long line\n\nx").await,
            [pair(1, "long line"), pair(2, ""), pair(3, "x")]
        );
    }

    #[test]
    fn numbers_are_told_as_ranges() {
        let mut numbers = LineNumbers::default();
        numbers.push(7);
        assert_eq!(numbers.to_string(), "line 7");
        for number in [8, 9, 12, 14, 15] {
            numbers.push(number);
        }
        assert_eq!(numbers.to_string(), "lines 7-9,12,14-15");
        assert_eq!(numbers.count(), 6);
    }
}

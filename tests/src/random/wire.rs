//! A message as bytes, with a map of what stands where.

use std::ops::Range;

/// The body of a message, and what stands where in it.
#[derive(Debug, Clone, Default)]
pub struct Wire {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Every field; one that lies inside another comes before it.
    pub spans: Vec<Span>,
    /// Every length and count.
    pub lengths: Vec<Length>,
}

/// The bytes of one field.
#[derive(Debug, Clone)]
pub struct Span {
    /// Where they lie.
    pub range: Range<usize>,
    /// `Struct.field`, or [`TAGGED_FIELDS`] for the section at the end of a struct.
    pub field: String,
}

/// What the section of tagged fields is called in errors.
pub const TAGGED_FIELDS: &str = "tagged fields";

/// A place where a length or a count stands.
#[derive(Debug, Clone)]
pub struct Length {
    /// Where its bytes lie.
    pub range: Range<usize>,
    /// How it is written.
    pub form: LengthForm,
}

/// How a length is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthForm {
    /// Two bytes, −1 for null.
    I16,
    /// Four bytes, −1 for null.
    I32,
    /// A varint of one more than the length, 0 for null.
    Compact,
    /// A varint as it is: the number of tagged fields, or the size of one.
    Tagged,
}

impl Wire {
    /// The names of the fields that contain byte `position`, the innermost first.
    pub fn fields_at(&self, position: usize) -> impl Iterator<Item = &str> {
        let spans = self.spans.iter().filter(move |span| span.range.contains(&position));
        spans.map(|span| span.field.as_str())
    }

    /// Appends another message's part, whose places move behind ours.
    pub(super) fn append(&mut self, other: Self) {
        let offset = self.bytes.len();
        let moved = |range: Range<usize>| range.start + offset..range.end + offset;
        self.bytes.extend(other.bytes);
        let spans = other.spans.into_iter();
        self.spans.extend(spans.map(|span| Span { range: moved(span.range), ..span }));
        let lengths = other.lengths.into_iter();
        self.lengths.extend(lengths.map(|one| Length { range: moved(one.range), ..one }));
    }
}

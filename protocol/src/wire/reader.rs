//! Reading primitives from a body of bytes that may be anything.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use bytes::Bytes;
use compact_str::CompactString;

use super::writer::STRING_BYTES_MAX;
use crate::error::At as _;
use crate::units::Uuid;
use crate::{ErrorCode, Fault, FieldError};

/// Bytes of memory that decoding may take for each byte of input.
///
/// The worst honest message is a list of two-letter names: each takes 4 bytes on the wire and 40
/// in memory. Only lists of empty strings or of empty structs lie above the limit, and no client
/// has a reason to send those.
const MEMORY_PER_BYTE: usize = 16;

/// Memory that any input may take, so that a short one needs no thought.
const MEMORY_FLOOR: usize = 4096;

/// Memory that no input may take. A frame may be as long as 100 MiB for the sake of records,
/// which are slices of it; a message of half a million names is below this.
const MEMORY_CEILING: usize = 64 << 20;

/// The most memory, in bytes, that decoding a body of `length` bytes allocates.
#[must_use]
pub const fn memory_limit(length: usize) -> usize {
    let limit = length.saturating_mul(MEMORY_PER_BYTE).saturating_add(MEMORY_FLOOR);
    if limit < MEMORY_CEILING { limit } else { MEMORY_CEILING }
}

/// A string up to this length lies inside its `CompactString` and allocates nothing.
const INLINE_STRING_BYTES: usize = size_of::<CompactString>();

/// What `CompactString` allocates at least for a longer one.
const HEAP_STRING_BYTES_MIN: usize = INLINE_STRING_BYTES + size_of::<usize>();

/// Memory for each byte of a string in which three bytes of U+FFFD may stand for one: the buffer
/// doubles twice, and holds both sizes while it grows.
const LOSSY_GROWTH: usize = 6;

/// A cursor over a body.
///
/// **Invariant:** `rest` is the tail of `frame`, or of one tagged field within it.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    frame: &'a Bytes,
    rest: &'a [u8],
    /// Memory that may still be allocated, and its start value for the error message.
    memory_left: usize,
    memory_limit: usize,
}

impl<'a> Reader<'a> {
    /// A cursor at the start of `frame`.
    #[must_use]
    pub fn new(frame: &'a Bytes) -> Self {
        let memory_limit = memory_limit(frame.len());
        Self { frame, rest: frame, memory_left: memory_limit, memory_limit }
    }

    /// Bytes from the start of the frame to the cursor.
    #[must_use]
    pub fn position(&self) -> usize {
        self.rest.as_ptr().addr().saturating_sub(self.frame.as_ptr().addr())
    }

    /// Bytes behind the cursor.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`Fault::Trailing`].
    pub fn finish(&self) -> Result<(), Fault> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(Fault::Trailing { left }),
        }
    }

    /// Passes over all that is left.
    pub fn skip_rest(&mut self) {
        self.rest = self.rest.get(self.rest.len()..).unwrap_or_default();
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(Fault::Truncated { needed: N, left: self.rest.len() });
        };
        self.rest = rest;
        Ok(*head)
    }

    #[inline]
    fn take_slice(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let Some((head, rest)) = self.rest.split_at_checked(length) else {
            return Err(Fault::Truncated { needed: length, left: self.rest.len() });
        };
        self.rest = rest;
        Ok(head)
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Fault> {
        self.memory_left = self
            .memory_left
            .checked_sub(bytes)
            .ok_or(Fault::Memory { limit: self.memory_limit })?;
        Ok(())
    }

    /// A truth value; anything but 0 is true, as in the reference.
    ///
    /// # Errors
    /// [`Fault::Truncated`], as for all integers below.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, Fault> {
        self.take::<1>().map(|bytes| bytes != [0])
    }

    /// A signed byte.
    ///
    /// # Errors
    /// [`Fault::Truncated`].
    #[inline]
    pub fn i8(&mut self) -> Result<i8, Fault> {
        self.take().map(i8::from_be_bytes)
    }

    /// Two bytes, signed.
    ///
    /// # Errors
    /// [`Fault::Truncated`].
    #[inline]
    pub fn i16(&mut self) -> Result<i16, Fault> {
        self.take().map(i16::from_be_bytes)
    }

    /// Two bytes, unsigned.
    ///
    /// # Errors
    /// [`Fault::Truncated`].
    #[inline]
    pub fn u16(&mut self) -> Result<u16, Fault> {
        self.take().map(u16::from_be_bytes)
    }

    /// Four bytes, signed.
    ///
    /// # Errors
    /// [`Fault::Truncated`].
    #[inline]
    pub fn i32(&mut self) -> Result<i32, Fault> {
        self.take().map(i32::from_be_bytes)
    }

    /// Four bytes, unsigned.
    ///
    /// # Errors
    /// [`Fault::Truncated`].
    #[inline]
    pub fn u32(&mut self) -> Result<u32, Fault> {
        self.take().map(u32::from_be_bytes)
    }

    /// Eight bytes, signed.
    ///
    /// # Errors
    /// [`Fault::Truncated`].
    #[inline]
    pub fn i64(&mut self) -> Result<i64, Fault> {
        self.take().map(i64::from_be_bytes)
    }

    /// Eight bytes, IEEE 754.
    ///
    /// # Errors
    /// [`Fault::Truncated`].
    #[inline]
    pub fn f64(&mut self) -> Result<f64, Fault> {
        self.take().map(f64::from_be_bytes)
    }

    /// Sixteen bytes.
    ///
    /// # Errors
    /// [`Fault::Truncated`].
    #[inline]
    pub fn uuid(&mut self) -> Result<Uuid, Fault> {
        self.take().map(Uuid)
    }

    /// An error code, known or not.
    ///
    /// # Errors
    /// [`Fault::Truncated`].
    #[inline]
    pub fn error(&mut self) -> Result<ErrorCode, Fault> {
        self.i16().map(ErrorCode)
    }

    /// An unsigned varint of at most 32 bits.
    ///
    /// # Errors
    /// [`Fault::Truncated`], or [`Fault::Varint`] beyond 32 bits.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32, Fault> {
        let mut value = 0u32;
        for shift in [0u32, 7, 14, 21, 28] {
            let [byte] = self.take()?;
            if shift == 28 && byte > 0x0f {
                return Err(Fault::Varint);
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Fault::Varint)
    }

    /// A length, `None` for null: a varint of one more in flexible versions, else `i16` for
    /// strings and `i32` for everything else.
    #[inline]
    fn length(&mut self, flexible: bool, wide: bool) -> Result<Option<usize>, Fault> {
        if flexible {
            let length = self.uvarint()?.checked_sub(1);
            return Ok(length.map(|length| length as usize));
        }
        let length = if wide { self.i32()? } else { i32::from(self.i16()?) };
        match usize::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(Fault::NegativeLength(length.into())),
        }
    }

    /// The bytes of a string, `None` for null.
    #[inline]
    fn string_bytes(&mut self, flexible: bool) -> Result<Option<&'a [u8]>, Fault> {
        let Some(length) = self.length(flexible, false)? else { return Ok(None) };
        if length > STRING_BYTES_MAX {
            return Err(Fault::TooLong { length, limit: STRING_BYTES_MAX });
        }
        self.take_slice(length).map(Some)
    }

    /// A string without copying it, `None` for null.
    ///
    /// # Errors
    /// Any fault of a length, or [`Fault::Utf8`].
    #[inline]
    pub fn nullable_str(&mut self, flexible: bool) -> Result<Option<&'a str>, Fault> {
        let Some(bytes) = self.string_bytes(flexible)? else { return Ok(None) };
        std::str::from_utf8(bytes).map(Some).map_err(|_| Fault::Utf8)
    }

    /// A string in which U+FFFD stands for what is no UTF-8, `None` for null.
    ///
    /// The reference reads strings so; a client whose application put other bytes into a name
    /// gets an answer and not a closed connection.
    ///
    /// # Errors
    /// Any fault of a length.
    pub fn nullable_lossy_str(&mut self, flexible: bool) -> Result<Option<Cow<'a, str>>, Fault> {
        Ok(self.string_bytes(flexible)?.map(String::from_utf8_lossy))
    }

    /// A string, `None` for null; U+FFFD stands for what is no UTF-8.
    ///
    /// # Errors
    /// Any fault of a length, or [`Fault::Memory`].
    pub fn nullable_string(&mut self, flexible: bool) -> Result<Option<CompactString>, Fault> {
        let Some(bytes) = self.string_bytes(flexible)? else { return Ok(None) };
        if let Ok(text) = std::str::from_utf8(bytes) {
            if text.len() > INLINE_STRING_BYTES {
                self.charge(text.len().max(HEAP_STRING_BYTES_MIN))?;
            }
            return Ok(Some(CompactString::new(text)));
        }
        self.charge(bytes.len().saturating_mul(LOSSY_GROWTH).max(HEAP_STRING_BYTES_MIN))?;
        Ok(Some(CompactString::from(String::from_utf8_lossy(bytes))))
    }

    /// A string.
    ///
    /// # Errors
    /// As [`Self::nullable_string`], or [`Fault::Null`].
    pub fn string(&mut self, flexible: bool) -> Result<CompactString, Fault> {
        self.nullable_string(flexible)?.ok_or(Fault::Null)
    }

    /// Bytes as a borrowed slice, `None` for null.
    ///
    /// # Errors
    /// Any fault of a length.
    #[inline]
    pub fn nullable_slice(&mut self, flexible: bool) -> Result<Option<&'a [u8]>, Fault> {
        let Some(length) = self.length(flexible, true)? else { return Ok(None) };
        self.take_slice(length).map(Some)
    }

    /// Bytes as a slice of the frame, `None` for null.
    ///
    /// # Errors
    /// Any fault of a length.
    pub fn nullable_bytes(&mut self, flexible: bool) -> Result<Option<Bytes>, Fault> {
        Ok(self.nullable_slice(flexible)?.map(|bytes| self.frame.slice_ref(bytes)))
    }

    /// Bytes as a slice of the frame.
    ///
    /// # Errors
    /// Any fault of a length, or [`Fault::Null`].
    pub fn bytes(&mut self, flexible: bool) -> Result<Bytes, Fault> {
        self.nullable_bytes(flexible)?.ok_or(Fault::Null)
    }

    /// The number of elements of an array, `None` for null, each at least `element_min` bytes.
    ///
    /// # Errors
    /// Any fault of a length, or [`Fault::TooManyElements`].
    #[inline]
    pub fn nullable_count(
        &mut self,
        flexible: bool,
        element_min: usize,
    ) -> Result<Option<usize>, Fault> {
        let Some(count) = self.length(flexible, true)? else { return Ok(None) };
        if count.saturating_mul(element_min) > self.rest.len() {
            return Err(Fault::TooManyElements { count, left: self.rest.len() });
        }
        Ok(Some(count))
    }

    /// As [`Self::nullable_count`], for an array that is never null.
    ///
    /// # Errors
    /// As [`Self::nullable_count`], or [`Fault::Null`].
    #[inline]
    pub fn count(&mut self, flexible: bool, element_min: usize) -> Result<usize, Fault> {
        self.nullable_count(flexible, element_min)?.ok_or(Fault::Null)
    }

    /// An array, `None` for null, whose elements take at least `element_min` bytes each.
    ///
    /// # Errors
    /// Any fault of the count, [`Fault::Memory`], or what `element` says.
    pub fn nullable_array<T, E>(
        &mut self,
        flexible: bool,
        element_min: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, E>,
    ) -> Result<Option<Vec<T>>, FieldError>
    where
        FieldError: From<E>,
    {
        let Some(count) = self.nullable_count(flexible, element_min)? else { return Ok(None) };
        self.charge(count.saturating_mul(size_of::<T>()))?;
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(Some(elements))
    }

    /// An array whose elements take at least `element_min` bytes each.
    ///
    /// # Errors
    /// As [`Self::nullable_array`], or [`Fault::Null`].
    pub fn array<T, E>(
        &mut self,
        flexible: bool,
        element_min: usize,
        element: impl FnMut(&mut Self) -> Result<T, E>,
    ) -> Result<Vec<T>, FieldError>
    where
        FieldError: From<E>,
    {
        self.nullable_array(flexible, element_min, element)?.ok_or(Fault::Null.into())
    }

    /// A struct that may be null: a byte tells, −1 is null and 1 is not.
    ///
    /// # Errors
    /// [`Fault::Truncated`], or what `value` says.
    pub fn nullable_struct<T>(
        &mut self,
        value: impl FnOnce(&mut Self) -> Result<T, FieldError>,
    ) -> Result<Option<T>, FieldError> {
        if self.i8()? < 0 { Ok(None) } else { value(self).map(Some) }
    }

    /// The tagged fields at the end of a struct of a flexible version.
    ///
    /// `field` gets a tag and a reader over exactly its bytes. It returns false for a tag that it
    /// doesn't know, which is then skipped.
    ///
    /// # Errors
    /// Any fault of a length, [`Fault::TagSize`] where a known field leaves bytes over, or what
    /// `field` says.
    pub fn tagged_fields(
        &mut self,
        mut field: impl FnMut(u32, &mut Self) -> Result<bool, FieldError>,
    ) -> Result<(), FieldError> {
        let count = self.uvarint().at("tagged fields")?;
        for _ in 0..count {
            let tag = self.uvarint().at("tagged fields")?;
            let size = self.uvarint().at("tagged fields")? as usize;
            let contents = self.take_slice(size).at("tagged fields")?;
            let behind = std::mem::replace(&mut self.rest, contents);
            if field(tag, self)? && !self.rest.is_empty() {
                return Err(Fault::TagSize { tag, left: self.rest.len() }).at("tagged fields");
            }
            self.rest = behind;
        }
        Ok(())
    }
}

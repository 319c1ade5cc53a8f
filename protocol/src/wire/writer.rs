//! Writing primitives to a growing buffer.

use bytes::{BufMut as _, BytesMut};

use crate::error::At as _;
use crate::units::Uuid;
use crate::{ErrorCode, Fault, FieldError};

/// A buffer that grows by what is written to it.
#[derive(Debug)]
pub struct Writer {
    out: BytesMut,
}

/// The most bytes of a string, in flexible versions too: the reference reads no longer one.
pub(super) const STRING_BYTES_MAX: usize = i16::MAX as usize;

/// The most bytes or elements of everything else.
const LENGTH_MAX: usize = i32::MAX as usize;

impl Writer {
    /// Writes behind what `out` already holds.
    #[must_use]
    pub fn new(out: BytesMut) -> Self {
        Self { out }
    }

    /// Everything that was written, and what was there before.
    #[must_use]
    pub fn into_inner(self) -> BytesMut {
        self.out
    }

    /// Bytes in the buffer.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a place to remember, not a collection")]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// A truth value, 0 or 1.
    pub fn bool(&mut self, value: bool) {
        self.out.put_u8(value.into());
    }

    /// A signed byte.
    pub fn i8(&mut self, value: i8) {
        self.out.put_i8(value);
    }

    /// Two bytes, signed.
    pub fn i16(&mut self, value: i16) {
        self.out.put_i16(value);
    }

    /// Two bytes, unsigned.
    pub fn u16(&mut self, value: u16) {
        self.out.put_u16(value);
    }

    /// Four bytes, signed.
    pub fn i32(&mut self, value: i32) {
        self.out.put_i32(value);
    }

    /// Four bytes, unsigned.
    pub fn u32(&mut self, value: u32) {
        self.out.put_u32(value);
    }

    /// Eight bytes, signed.
    pub fn i64(&mut self, value: i64) {
        self.out.put_i64(value);
    }

    /// Eight bytes, IEEE 754.
    pub fn f64(&mut self, value: f64) {
        self.out.put_f64(value);
    }

    /// Sixteen bytes.
    pub fn uuid(&mut self, value: Uuid) {
        self.out.put_slice(&value.0);
    }

    /// An error code.
    pub fn error(&mut self, value: ErrorCode) {
        self.out.put_i16(value.0);
    }

    /// An unsigned varint of 1 to 5 bytes.
    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.out.put_u8((value & 0x7f) as u8);
    }

    /// Bytes as they are, without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    fn length(&mut self, length: Option<usize>, flexible: bool, wide: bool) -> Result<(), Fault> {
        let limit = if wide { LENGTH_MAX } else { STRING_BYTES_MAX };
        let too_long = |length| Fault::TooLong { length, limit };
        // In range from here on: −1 for null, and at most i32::MAX.
        let length = match length {
            None => -1,
            Some(length) if length <= limit => {
                i32::try_from(length).map_err(|_| too_long(length))?
            }
            Some(length) => return Err(too_long(length)),
        };
        if flexible {
            self.uvarint(length.wrapping_add(1).cast_unsigned());
        } else if wide {
            self.i32(length);
        } else {
            self.i16(i16::try_from(length).map_err(|_| Fault::NegativeLength(length.into()))?);
        }
        Ok(())
    }

    /// A string, `None` for null.
    ///
    /// # Errors
    /// [`Fault::TooLong`].
    pub fn nullable_string(&mut self, value: Option<&str>, flexible: bool) -> Result<(), Fault> {
        self.length(value.map(str::len), flexible, false)?;
        self.raw(value.unwrap_or_default().as_bytes());
        Ok(())
    }

    /// A string.
    ///
    /// # Errors
    /// [`Fault::TooLong`].
    pub fn string(&mut self, value: &str, flexible: bool) -> Result<(), Fault> {
        self.nullable_string(Some(value), flexible)
    }

    /// Bytes, `None` for null.
    ///
    /// # Errors
    /// [`Fault::TooLong`].
    pub fn nullable_bytes(&mut self, value: Option<&[u8]>, flexible: bool) -> Result<(), Fault> {
        self.bytes_length(value.map(<[u8]>::len), flexible)?;
        self.raw(value.unwrap_or_default());
        Ok(())
    }

    /// The length of bytes that travel apart from this buffer, `None` for null.
    ///
    /// # Errors
    /// [`Fault::TooLong`].
    pub fn bytes_length(&mut self, length: Option<usize>, flexible: bool) -> Result<(), Fault> {
        self.length(length, flexible, true)
    }

    /// Bytes.
    ///
    /// # Errors
    /// [`Fault::TooLong`].
    pub fn bytes(&mut self, value: &[u8], flexible: bool) -> Result<(), Fault> {
        self.nullable_bytes(Some(value), flexible)
    }

    /// The number of elements that follow, `None` for null.
    ///
    /// # Errors
    /// [`Fault::TooLong`].
    pub fn count(&mut self, count: Option<usize>, flexible: bool) -> Result<(), Fault> {
        self.length(count, flexible, true)
    }

    /// An array, `None` for null.
    ///
    /// # Errors
    /// [`Fault::TooLong`], or what `element` says.
    pub fn nullable_array<T>(
        &mut self,
        value: Option<&[T]>,
        flexible: bool,
        mut element: impl FnMut(&mut Self, &T) -> Result<(), FieldError>,
    ) -> Result<(), FieldError> {
        self.count(value.map(<[T]>::len), flexible)?;
        value.unwrap_or_default().iter().try_for_each(|one| element(self, one))
    }

    /// An array.
    ///
    /// # Errors
    /// [`Fault::TooLong`], or what `element` says.
    pub fn array<T>(
        &mut self,
        value: &[T],
        flexible: bool,
        element: impl FnMut(&mut Self, &T) -> Result<(), FieldError>,
    ) -> Result<(), FieldError> {
        self.nullable_array(Some(value), flexible, element)
    }

    /// A struct that may be null: −1 for null, else 1 and the struct.
    ///
    /// # Errors
    /// What `write` says.
    pub fn nullable_struct<T>(
        &mut self,
        value: Option<&T>,
        write: impl FnOnce(&mut Self, &T) -> Result<(), FieldError>,
    ) -> Result<(), FieldError> {
        let Some(value) = value else {
            self.i8(-1);
            return Ok(());
        };
        self.i8(1);
        write(self, value)
    }

    /// One tagged field: its tag, its size, and what `contents` writes.
    ///
    /// # Errors
    /// [`Fault::TooLong`], or what `contents` says.
    pub fn tagged_field(
        &mut self,
        tag: u32,
        contents: impl FnOnce(&mut Self) -> Result<(), FieldError>,
    ) -> Result<(), FieldError> {
        self.uvarint(tag);
        let start = self.out.len();
        contents(self)?;
        // The size stands before the contents and its own length depends on them: write it behind
        // and turn it to the front.
        let end = self.out.len();
        let length = end - start;
        let too_long = Fault::TooLong { length, limit: LENGTH_MAX };
        self.uvarint(u32::try_from(length).map_err(|_| too_long).at("tagged fields")?);
        let size_bytes = self.out.len() - end;
        self.out[start..].rotate_right(size_bytes);
        Ok(())
    }
}

//! 128-bit ids with Kafka's spelling.
//!
//! Must always hold: the spelling of an id reads back as the same id.

use core::fmt;
use core::str::FromStr;

/// A 128-bit id of a topic, a directory or a cluster, big-endian.
///
/// Written as 22 characters of unpadded base64 with `-` and `_`, as the reference broker does
/// (KIP-516).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// "No id": what the wire carries when a request names a topic by its name.
    pub const ZERO: Self = Self([0; 16]);

    /// Whether this is [`Self::ZERO`].
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Characters of a written id: 128 bits in groups of 6.
const UUID_CHARACTERS: usize = 22;

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u128::from_be_bytes(self.0);
        let mut text = [0u8; UUID_CHARACTERS];
        for (i, character) in text.iter_mut().enumerate() {
            // The last group has two bits and is filled with zeros to the right.
            let group = if i == 21 { number << 4 } else { number >> (122 - 6 * i) };
            *character = ALPHABET[(group & 63) as usize];
        }
        f.write_str(core::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no id: not 22 characters of the alphabet, or stray bits in the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UuidParseError;

impl fmt::Display for UuidParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 22 characters of A-Z, a-z, 0-9, '-' and '_'")
    }
}

impl core::error::Error for UuidParseError {}

impl FromStr for Uuid {
    type Err = UuidParseError;

    fn from_str(text: &str) -> Result<Self, UuidParseError> {
        if text.len() != UUID_CHARACTERS {
            return Err(UuidParseError);
        }
        let mut number = 0u128;
        for (i, character) in text.bytes().enumerate() {
            let group =
                ALPHABET.iter().position(|&a| a == character).ok_or(UuidParseError)? as u128;
            if i < 21 {
                number = number << 6 | group;
            } else if group & 15 == 0 {
                number = number << 2 | group >> 4;
            } else {
                return Err(UuidParseError);
            }
        }
        Ok(Self(number.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn uuids_are_spelt_as_the_reference_does() {
        // Uuid.toString() of the Java client for these two numbers.
        let one = Uuid(1u128.to_be_bytes());
        assert_eq!(one.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        let mixed = Uuid(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210_u128.to_be_bytes());
        assert_eq!(mixed.to_string(), "ASNFZ4mrze_-3LqYdlQyEA");
        for id in [one, mixed, Uuid::ZERO, Uuid([0xff; 16])] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn uuids_refuse_other_texts() {
        for text in
            ["", "AAAAAAAAAAAAAAAAAAAAAR", "AAAAAAAAAAAAAAAAAAAA=Q", "AAAAAAAAAAAAAAAAAAAAAAA"]
        {
            assert_eq!(text.parse::<Uuid>(), Err(UuidParseError), "{text:?}");
        }
    }
}

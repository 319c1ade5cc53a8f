//! What brokers may have, as the one that decides tells all others: so whoever decides next knows
//! it of those that are down then, the one that decided before first of all.
//!
//! | bytes | field |
//! | ---: | --- |
//! | 4 | how many brokers follow |
//! | n | id 4, weight 4, capacities 8 each, of each broker, as in a [report](super::report) |
//! | m | what later versions add |
//!
//! It stands behind the answer to a report, where earlier versions look at nothing.
//!
//! Must always hold: what arrives is sound, or nothing of it counts; nothing is allocated beyond
//! its length.

use std::collections::BTreeMap;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::report::Means;

/// By broker.
pub(super) type Table = BTreeMap<i32, Means>;

const ENTRY_BYTES: usize = 4 + Means::BYTES;

pub(super) fn encode(table: &Table, out: &mut BytesMut) {
    out.put_u32(u32::try_from(table.len()).unwrap_or(u32::MAX));
    for (id, means) in table {
        out.put_i32(*id);
        means.encode(out);
    }
}

/// `None` for bytes that are no table.
pub(super) fn decode(mut bytes: Bytes) -> Option<Table> {
    let count = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
    if count.checked_mul(ENTRY_BYTES)? > bytes.len() {
        return None;
    }
    (0..count).map(|_| Some((bytes.get_i32(), Means::decode(&mut bytes)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let large = Means { weight: 300, capacity: [None, Some(1 << 40), Some(7), None] };
        Table::from([(1, large), (5, Means { weight: 1, ..large })])
    }

    fn bytes(table: &Table) -> Vec<u8> {
        let mut out = BytesMut::new();
        encode(table, &mut out);
        out.to_vec()
    }

    #[test]
    fn a_table_is_read_as_it_was_written_and_what_later_versions_add_is_passed_over() {
        for table in [Table::new(), table()] {
            let mut written = bytes(&table);
            assert_eq!(decode(Bytes::copy_from_slice(&written)), Some(table.clone()));
            written.extend([9; 50]);
            assert_eq!(decode(Bytes::from(written)), Some(table));
        }
    }

    #[test]
    fn what_is_no_table_is_nothing() {
        let sound = bytes(&table());
        for length in 0..sound.len() {
            assert_eq!(decode(Bytes::copy_from_slice(&sound[..length])), None, "{length} bytes");
        }
        for (at, byte) in [(0, 0xff), (10, 0xff), (12, 0x80)] {
            let mut strange = sound.clone();
            strange[at] = byte;
            assert_eq!(decode(Bytes::from(strange)), None, "byte {at}");
        }
    }
}

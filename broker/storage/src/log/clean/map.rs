//! The last offset of each key, in memory of a fixed size.
//!
//! A key is known by a hash of 128 bits under a random seed (SipHash-2-4-128), so that nobody can
//! make two keys that meet; by chance two of five million do so once in 10²⁵ cleanings.
//!
//! Source: J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF".

/// Bytes of a key's place: its hash, and its offset.
const SLOT_BYTES: usize = size_of::<Slot>();

/// Of so many places …
const LOAD_OF: usize = 10;
/// … so many are used at the most: beyond it a key takes too long to be found.
const LOAD: usize = 8;

/// A place: a hash, and the offset plus one; 0 where there is none.
type Slot = [u64; 3];

/// The last offset of each key.
#[derive(Debug)]
pub(super) struct OffsetMap {
    seed: [u64; 2],
    slots: Vec<Slot>,
    count: usize,
    count_max: usize,
}

impl OffsetMap {
    /// A map in at most `bytes` of memory that never needs to hold more than `keys` keys. Memory
    /// is taken as it is used.
    pub(super) fn new(bytes: usize, keys: u64, seed: u128) -> Self {
        let wanted = usize::try_from(keys).unwrap_or(usize::MAX).saturating_mul(LOAD_OF) / LOAD;
        let slots = (bytes / SLOT_BYTES).min(wanted.saturating_add(LOAD_OF)).max(2);
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
        let [high, low] = [half(seed >> 64), half(seed)];
        let count_max = (slots / LOAD_OF * LOAD).max(1);
        Self { seed: [high, low], slots: vec![[0; 3]; slots], count: 0, count_max }
    }

    /// Takes an offset for the last of a key; `false` where there is no place for another key.
    pub(super) fn put(&mut self, key: &[u8], offset: i64) -> bool {
        let [first, second] = hash(self.seed, key);
        let at = self.find([first, second]);
        let Some(slot) = self.slots.get_mut(at) else { return false };
        if slot[2] == 0 {
            if self.count == self.count_max {
                return false;
            }
            self.count += 1;
        }
        *slot = [first, second, offset.cast_unsigned().wrapping_add(1)];
        true
    }

    /// The last offset of a key, if it has one here.
    pub(super) fn get(&self, key: &[u8]) -> Option<i64> {
        let slot = self.slots.get(self.find(hash(self.seed, key)))?;
        slot[2].checked_sub(1).map(u64::cast_signed)
    }

    /// How many keys it holds.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The place of a hash, or where it would go. There is always a place that is free.
    fn find(&self, [first, second]: [u64; 2]) -> usize {
        // The upper half of the product is evenly spread over the places.
        let spread = u128::from(first) * self.slots.len() as u128;
        let mut at = usize::try_from(spread >> 64).unwrap_or(0);
        loop {
            match self.slots[at] {
                [a, b, offset] if offset == 0 || [a, b] == [first, second] => return at,
                _ => at = if at + 1 == self.slots.len() { 0 } else { at + 1 },
            }
        }
    }
}

/// SipHash-2-4 with 128 bits of output.
fn hash([k0, k1]: [u64; 2], bytes: &[u8]) -> [u64; 2] {
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        compress(&mut v, little_endian(*word));
    }
    let mut last = [0; 8];
    last[..tail.len()].copy_from_slice(tail);
    // The length's lowest byte.
    let [.., length] = bytes.len().to_be_bytes();
    last[7] = length;
    compress(&mut v, little_endian(last));
    v[2] ^= 0xee;
    (0..4).for_each(|_| round(&mut v));
    let first = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    (0..4).for_each(|_| round(&mut v));
    [first, v[0] ^ v[1] ^ v[2] ^ v[3]]
}

fn little_endian(bytes: [u8; 8]) -> u64 {
    u64::from_be_bytes(bytes).swap_bytes()
}

fn compress(v: &mut [u64; 4], word: u64) {
    v[3] ^= word;
    round(v);
    round(v);
    v[0] ^= word;
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_hash_is_that_of_the_paper() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let bytes: Vec<u8> = (0..15).collect();
        let hex = |bytes: &[u8]| {
            let [first, second] = hash(key, bytes).map(|word| word.swap_bytes());
            format!("{first:016x}{second:016x}")
        };
        // The reference implementation's vectors for 0, 1 and 15 bytes.
        assert_eq!(hex(&[]), "a3817f04ba25a8e66df67214c7550293");
        assert_eq!(hex(&[0]), "da87c1d86b99af44347659119b22fc45");
        assert_eq!(hex(&bytes), "5493e99933b0a8117e08ec0f97cfc3d9");
    }

    #[test]
    fn it_is_a_map_and_refuses_more_keys_than_it_has_room_for() {
        let mut map = OffsetMap::new(1000 * SLOT_BYTES, u64::MAX, 5);
        let mut model = HashMap::new();
        for offset in 0_i64..5000 {
            let key = (offset * 7919 % 1200).to_string();
            let known = model.contains_key(&key);
            let taken = map.put(key.as_bytes(), offset);
            assert_eq!(taken, known || model.len() < 800, "{offset}");
            if taken {
                model.insert(key, offset);
            }
            assert_eq!(map.len(), model.len());
        }
        for key in 0..1200 {
            let key = key.to_string();
            assert_eq!(map.get(key.as_bytes()), model.get(&key).copied());
        }
    }

    #[test]
    fn it_takes_no_more_memory_than_the_keys_need() {
        assert_eq!(OffsetMap::new(1 << 30, 80, 1).slots.len(), 110);
        let mut least = OffsetMap::new(0, 0, 1);
        assert!(least.put(b"a", 0) && least.put(b"a", 3) && !least.put(b"b", 4));
        assert_eq!((least.get(b"a"), least.get(b"b")), (Some(3), None));
    }
}

//! Which partition a key belongs to, as the Java client decides it.
//!
//! Must always hold: the same key goes to the same partition whichever client sends it.

/// Kafka's variant of MurmurHash2, 32 bits, with its fixed seed.
///
/// Source: `org.apache.kafka.common.utils.Utils.murmur2`; the original is public domain
/// (Austin Appleby).
#[must_use]
pub fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    // What is longer than Java's arrays has no hash to agree with.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, tail) = data.as_chunks::<4>();
    let mut hash = SEED ^ length;
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (i, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * i);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^= hash >> 15;
    hash.cast_signed()
}

/// The partition of a record with that key, in `0..partition_count`.
///
/// # Panics
/// If `partition_count` is 0 or less: no topic has no partition.
#[must_use]
pub fn partition_of_key(key: &[u8], partition_count: i32) -> i32 {
    assert!(partition_count > 0, "a topic with {partition_count} partitions");
    (murmur2(key) & i32::MAX) % partition_count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of the reference's own test (`UtilsTest.testMurmur2`).
    #[test]
    fn murmur2_is_java_s() {
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()), hash, "{text}");
        }
    }

    #[test]
    fn a_partition_is_never_negative() {
        assert!(murmur2(b"21") < 0);
        assert_eq!(partition_of_key(b"21", 1), 0);
        assert_eq!(partition_of_key(b"21", i32::MAX), -973_932_308 & i32::MAX);
        assert_eq!(partition_of_key(b"abc", 10), 7);
        assert!((0..7).contains(&partition_of_key(b"", 7)));
    }
}

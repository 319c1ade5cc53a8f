//! The place of the protocol between brokers.
//!
//! Brokers talk to each other on a listener of their own (19092), never on the clients' one. The
//! first bytes of a connection are [`PREFACE`], so that a Kafka client that lands there by mistake
//! is told apart at once: read as a Kafka length they are far above any limit. Then both sides say
//! which versions they speak and go on with the newest common one. Whoever speaks it has the rest:
//! `docs/peer.md`.

use crate::VersionRange;

/// The first bytes of a peer connection, in both directions.
pub const PREFACE: [u8; 8] = *b"\x7fLOGBOOM";

/// The versions of the peer protocol that this build speaks.
///
/// **Invariant:** a release speaks every version that the release before it spoke, so that a
/// cluster can be upgraded broker by broker.
pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 3 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preface_is_no_kafka_frame() {
        let mut buffer = bytes::BytesMut::from(&PREFACE[..]);
        let limit = 100 << 20;
        assert!(crate::frame::split(&mut buffer, limit).is_err());
    }
}

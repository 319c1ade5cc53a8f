//! How a replica stands, as other brokers and operators are told.
//!
//! | bytes | field |
//! | ---: | --- |
//! | 4, 4, 16 | broker, life `u32` and data directory of the replica |
//! | 4 | epoch |
//! | 4, 8, 8 | epoch, offset and control sequence of the end of its log |
//! | 8 | high watermark |
//! | 1 | flags: 1 it may have lost records, 2 a part of its log is damaged, 4 it leads |
//! | n | the voters, as the state store has them |

use std::sync::Arc;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use logboom_raft::{Position, ReplicaId, Role, Voters};

use super::entries::{self, get_replica, put_replica};
use super::replica::Replica;

/// How a replica stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) id: ReplicaId,
    pub(crate) epoch: i32,
    pub(crate) end: Position,
    pub(crate) high_watermark: i64,
    pub(crate) is_lossy: bool,
    pub(crate) is_damaged: bool,
    pub(crate) leads: bool,
    pub(crate) voters: Arc<Voters>,
}

const LOSSY: u8 = 1;
const DAMAGED: u8 = 2;
const LEADS: u8 = 4;

const FIXED_BYTES: usize = 24 + 4 + 20 + 8 + 1;

impl Condition {
    pub(super) fn of(replica: &Replica) -> Self {
        let group = &replica.group;
        Self {
            id: group.id(),
            epoch: group.epoch(),
            end: group.history().end(),
            high_watermark: replica.log.view().high_watermark(),
            is_lossy: group.is_lossy(),
            is_damaged: replica.is_damaged,
            leads: group.role() == Role::Leader,
            voters: Arc::clone(group.voters()),
        }
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        put_replica(&mut out, &self.id);
        out.put_i32(self.epoch);
        out.put_i32(self.end.epoch);
        out.put_i64(self.end.offset);
        out.put_i64(self.end.control);
        out.put_i64(self.high_watermark);
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = flag(self.is_lossy, LOSSY) | flag(self.is_damaged, DAMAGED);
        out.put_u8(flags | flag(self.leads, LEADS));
        out.put_slice(&entries::payload(&self.voters));
        out.freeze()
    }

    /// `None` where these bytes are none.
    pub(crate) fn decode(mut bytes: Bytes) -> Option<Self> {
        if bytes.len() < FIXED_BYTES {
            return None;
        }
        let id = get_replica(&mut bytes);
        let epoch = bytes.get_i32();
        let end =
            Position { epoch: bytes.get_i32(), offset: bytes.get_i64(), control: bytes.get_i64() };
        let (high_watermark, flags) = (bytes.get_i64(), bytes.get_u8());
        let voters = Arc::new(entries::voters(&bytes).ok()?);
        let has = |flag: u8| flags & flag != 0;
        let (is_lossy, is_damaged, leads) = (has(LOSSY), has(DAMAGED), has(LEADS));
        Some(Self { id, epoch, end, high_watermark, is_lossy, is_damaged, leads, voters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_as_the_same_and_nothing_shorter_is() {
        let id = ReplicaId { directory: [7; 16], life: 3, broker: 9 };
        let condition = Condition {
            id,
            epoch: 5,
            end: Position { epoch: 4, offset: i64::MAX, control: 2 },
            high_watermark: 17,
            is_lossy: true,
            is_damaged: false,
            leads: true,
            voters: Arc::new(Voters::of([id, ReplicaId::of(2)])),
        };
        let bytes = condition.encode();
        assert_eq!(Condition::decode(bytes.clone()), Some(condition));
        assert!((0..bytes.len()).all(|end| Condition::decode(bytes.slice(..end)).is_none()));
    }
}

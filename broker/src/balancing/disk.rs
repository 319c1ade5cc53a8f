//! How much replicas may have on a disk that others write to as well.
//!
//! What they have and what is free is what they may have together, as long as nobody else takes it.
//! A 64th of it is left aside, so that what was said holds while others write a little; and what
//! was said stays until it is too much, or far too little: otherwise every plan would be made for
//! another disk.
//!
//! Must always hold: what is said is never more than there was when it was asked for.

/// The part that is left aside.
const ASIDE: u64 = 64;
/// What was said stays until there is so much more, as a part of it.
const MORE: u64 = 16;

/// What a disk has room for.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// In bytes, as was said last.
    said: Option<u64>,
}

impl Room {
    /// What replicas may have on the disk.
    ///
    /// - `own`: the bytes that they have.
    /// - `free`: the bytes of the file system that may still be taken; `None` where it doesn't say.
    pub(super) fn bytes(&mut self, own: u64, free: Option<u64>) -> Option<u64> {
        let Some(free) = free else { return self.said };
        let most = own.saturating_add(free);
        let holds = self.said.is_some_and(|said| said <= most && most - said <= said / MORE);
        if !holds {
            self.said = Some(most - most / ASIDE);
        }
        self.said
    }
}

/// What a broker may have on its disk: what is declared, and no more than there is.
pub(super) fn capacity(declared: Option<u64>, room: Option<u64>) -> Option<u64> {
    declared.into_iter().chain(room).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_counts_as_far_as_it_is_there() {
        for (declared, room, expected) in [
            (None, None, None),
            (Some(5), None, Some(5)),
            (None, Some(7), Some(7)),
            (Some(5), Some(7), Some(5)),
            (Some(9), Some(7), Some(7)),
        ] {
            assert_eq!(capacity(declared, room), expected);
        }
    }

    #[test]
    fn what_replicas_take_themselves_changes_nothing() {
        let mut room = Room::default();
        assert_eq!(room.bytes(0, None), None, "nobody knows");
        for own in [0, 1_000, 300_000, 640_000, 5] {
            assert_eq!(room.bytes(own, Some(640_000 - own)), Some(630_000));
        }
        assert_eq!(room.bytes(5, None), Some(630_000), "as it was");
    }

    #[test]
    fn what_others_take_is_less_room_once_it_is_more_than_a_little() {
        let mut room = Room::default();
        assert_eq!(room.bytes(40_000, Some(600_000)), Some(630_000));
        assert_eq!(room.bytes(40_000, Some(590_000)), Some(630_000), "there is so much still");
        assert_eq!(room.bytes(40_000, Some(589_999)), Some(620_156));
        assert_eq!(room.bytes(40_000, Some(610_000)), Some(620_156), "a little more is no news");
        assert_eq!(room.bytes(40_000, Some(618_915)), Some(620_156));
        assert_eq!(room.bytes(40_000, Some(618_916)), Some(648_621));
        for (own, free) in [(0, 0), (1, 0), (0, 1), (63, 0), (1 << 60, 1 << 60)] {
            let said = room.bytes(own, Some(free)).unwrap();
            assert!(said <= own + free, "{said} of {own} and {free}");
        }
    }
}

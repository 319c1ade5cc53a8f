//! How groups are kept.

/// The settings of a coordinator, named as the broker's are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The shortest session timeout in milliseconds (`group.min.session.timeout.ms`).
    pub session_timeout_min_ms: i32,
    /// The longest (`group.max.session.timeout.ms`).
    pub session_timeout_max_ms: i32,
    /// Milliseconds for which an empty group waits for more members
    /// (`group.initial.rebalance.delay.ms`).
    pub initial_delay_ms: i32,
    /// Members of a group (`group.max.size`).
    pub members_max: usize,
    /// UTF-16 units of the metadata of a committed offset (`offset.metadata.max.bytes`).
    pub offset_metadata_max: usize,
    /// Milliseconds for which the offsets of a group without members are kept
    /// (`offsets.retention.minutes`).
    pub offsets_retention_ms: i64,
    /// Groups of one coordinator.
    pub groups_max: usize,
    /// Bytes that the groups of one coordinator may take together.
    pub bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            session_timeout_min_ms: 6_000,
            session_timeout_max_ms: 1_800_000,
            initial_delay_ms: 3_000,
            members_max: usize::MAX,
            offset_metadata_max: 4_096,
            offsets_retention_ms: 7 * 24 * 3_600_000,
            groups_max: 100_000,
            bytes_max: 1 << 30,
        }
    }
}

/// How long a new member may take for its first join to be completed, in milliseconds.
pub(crate) const NEW_MEMBER_JOIN_MS: i64 = 5 * 60_000;

/// Bytes of a name that goes into records: their strings have two bytes of length, and a member's
/// id is another name with 37 bytes more.
pub(crate) const NAME_BYTES_MAX: usize = 32_000;

/// Bytes of the record of one group: members, what they subscribe to, what they are assigned.
pub(crate) const GROUP_RECORD_BYTES_MAX: usize = 32 << 20;

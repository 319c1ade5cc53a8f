//! Answers that say what is wrong, as the reference makes them.

use bytes::Bytes;

use logboom_protocol::messages::join_group::JoinGroupResponse;
use logboom_protocol::messages::sync_group::SyncGroupResponse;
use logboom_protocol::{CompactString, ErrorCode};

/// A member that has no id.
pub(crate) const UNKNOWN_MEMBER: &str = "";

/// A join that fails.
pub(crate) fn join_error(member_id: &str, error_code: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code,
        member_id: CompactString::from(member_id),
        ..JoinGroupResponse::default()
    }
}

/// The same where the reference names no protocol.
pub(crate) fn join_refusal(member_id: &str, error_code: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse { protocol_name: None, ..join_error(member_id, error_code) }
}

/// A sync that fails.
pub(crate) fn sync_error(error_code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code, assignment: Bytes::new(), ..SyncGroupResponse::default() }
}

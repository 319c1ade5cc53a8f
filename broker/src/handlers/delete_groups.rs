//! DeleteGroups.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use logboom_protocol::messages::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};
use logboom_protocol::{CompactString, ErrorCode};

use super::{GROUPS_AT_ONCE, RequestContext};

pub(super) async fn handle(
    context: RequestContext,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    // A name that comes twice is one.
    let mut names = BTreeSet::new();
    let mut groups = request.groups_names;
    groups.retain(|name| names.insert(name.clone()));
    let mut results = Vec::with_capacity(groups.len());
    for group in groups.chunks(GROUPS_AT_ONCE) {
        let deleted = group.iter().map(|group| delete(&context, group.clone()));
        results.append(&mut join_all(deleted).await);
    }
    DeleteGroupsResponse { throttle_time_ms: 0, results }
}

async fn delete(context: &RequestContext, group_id: CompactString) -> DeletableGroupResult {
    let asked = group_id.clone();
    let deleted = context
        .ask_group(&group_id, move |coordinator, _, effects| coordinator.delete(&asked, effects));
    let error_code = match deleted.await {
        Ok(deleted) => deleted.err().unwrap_or(ErrorCode::NONE),
        Err(error) => error.code(),
    };
    DeletableGroupResult { group_id: group_id.clone(), error_code, error_message: None }
}

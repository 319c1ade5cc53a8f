//! DeleteGroups.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use logboom_protocol::messages::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};
use logboom_protocol::{CompactString, ErrorCode};

use super::RequestContext;

pub(super) async fn handle(
    context: RequestContext,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    // A name that comes twice is one.
    let mut names = BTreeSet::new();
    let groups = request.groups_names.into_iter().filter(|name| names.insert(name.clone()));
    let results = groups.map(|group| delete(&context, group)).collect::<Vec<_>>();
    DeleteGroupsResponse { throttle_time_ms: 0, results: join_all(results).await }
}

async fn delete(context: &RequestContext, group_id: CompactString) -> DeletableGroupResult {
    let (node, asked) = (&context.node, group_id.clone());
    let deleted = node
        .coordination
        .ask(node, &group_id, move |coordinator, _, effects| coordinator.delete(&asked, effects));
    let error_code = match deleted.await {
        Ok(deleted) => deleted.err().unwrap_or(ErrorCode::NONE),
        Err(error) => error.code(),
    };
    DeletableGroupResult { group_id: group_id.clone(), error_code, error_message: None }
}

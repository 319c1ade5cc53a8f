//! Fetch: records, as soon as there are enough of them.
//!
//! ```text
//!   request ─▶ sessions ─▶ wanted ─▶ poll: read, wait, read what has changed ─▶ response
//! ```

mod nearest;
mod poll;
mod read;
mod response;
mod session;
mod sessions;
mod wanted;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use logboom_protocol::messages::fetch::{FetchRequest, ForgottenTopic};
use logboom_protocol::{ErrorCode, Message as _};

use self::nearest::Reader;
use self::poll::{Limits, Poll};
use self::response::Head;
pub(crate) use self::sessions::Sessions;
use self::sessions::{Asked, Fetch, NO_SESSION, Within};
use self::wanted::{BY_ID_FROM, TopicName, Wanted};
use super::{Pending, Reply, RequestContext, Unanswerable, close};
use crate::clock::now_ms;

/// Takes up a fetch; it is read when the answer is polled.
pub(super) fn dispatch(context: RequestContext, body: Bytes) -> Pending {
    Box::pin(async move {
        match handle(&context, body).await {
            Ok(reply) => reply,
            Err(error) => close(&context, &error),
        }
    })
}

async fn handle(context: &RequestContext, body: Bytes) -> Result<Reply, Unanswerable> {
    let mut request = FetchRequest::decode_front(&body, context.version)?;
    drop(body);
    let sessions = &context.node.fetch_sessions;
    let isolation_level = request.isolation_level;
    let failed = |error_code| Head { error_code, session_id: NO_SESSION, isolation_level };
    let limits = limits(context, &request);
    let reader = Reader::new(context, request.replica_id, &request.rack_id);
    let fetch = match sessions.begin(asked(&mut request, context.version), now_ms()) {
        Ok(fetch) => fetch,
        Err(code) => return Ok(Reply::Rope(response::write(context, failed(code), &[])?, 0)),
    };
    let (wanted, next) = match fetch {
        Fetch::Sessionless(wanted) => (wanted, Next::Nothing),
        Fetch::Opening { wanted, by_id } => (wanted, Next::Open { by_id }),
        Fetch::Incremental { wanted, within } => (wanted, Next::End(within)),
    };
    let image = context.node.image();
    let answers = Poll::new(&context.node, &image, &wanted, limits, reader).run().await;
    let mut answers: Vec<_> = wanted.into_iter().zip(answers).collect();
    let ended = match next {
        Next::Nothing => Ok(NO_SESSION),
        Next::Open { by_id } => {
            let slots = context.node.integer("max.incremental.fetch.session.cache.slots");
            let slots = usize::try_from(slots).unwrap_or(0);
            Ok(sessions.open(by_id, &answers, slots, now_ms()))
        }
        Next::End(within) => within.end(&mut answers).map(|()| within.session_id()),
    };
    let head = match ended {
        Ok(session_id) => Head { error_code: ErrorCode::NONE, session_id, isolation_level },
        Err(code) => {
            answers.clear();
            failed(code)
        }
    };
    let cold = answers.iter().filter(|(_, answer)| answer.is_cold);
    let held_bytes = cold.map(|(_, answer)| answer.records.len()).sum();
    Ok(Reply::Rope(response::write(context, head, &answers)?, held_bytes))
}

/// What is left to do with the session when everything is read.
enum Next {
    Nothing,
    Open { by_id: bool },
    End(Within),
}

fn asked(request: &mut FetchRequest, version: i16) -> Asked {
    let wanted = Wanted::take(request, version);
    let mut forgotten = Vec::new();
    for ForgottenTopic { topic, topic_id, partitions } in
        std::mem::take(&mut request.forgotten_topics_data)
    {
        let topic = Arc::new(TopicName::new(version, topic, topic_id));
        forgotten.extend(partitions.into_iter().map(|number| (Arc::clone(&topic), number)));
    }
    let (session_id, epoch) = (request.session_id, request.session_epoch);
    Asked { session_id, epoch, by_id: version >= BY_ID_FROM, wanted, forgotten }
}

fn limits(context: &RequestContext, request: &FetchRequest) -> Limits {
    let ours = context.node.integer("fetch.max.bytes");
    let bytes_max = usize::try_from(i64::from(request.max_bytes).min(ours)).unwrap_or(0);
    let bytes_min = usize::try_from(request.min_bytes).unwrap_or(0).min(bytes_max);
    let wait_ms = u64::try_from(request.max_wait_ms).unwrap_or(0);
    Limits { bytes_min, bytes_max, wait_max: Duration::from_millis(wait_ms) }
}

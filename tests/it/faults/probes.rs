//! Questions to every broker, whether it answers or not: one that stood still has some to answer
//! when it goes on, and may not know yet what has happened meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Scope};
use std::time::Duration;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use logboom_tests::raw::Raw;

use super::PARTITIONS;
use super::history::{History, Partition};
use super::readers::LIST_OFFSETS;

/// Between two questions to a broker.
const PAUSE: Duration = Duration::from_millis(100);
/// Longer than a broker stands still.
const PATIENCE: Duration = Duration::from_secs(4);
/// Questions that wait for an answer.
const WAITING_MAX: usize = 100;

/// A question's correlation id, and what its answer has to say at least, by partition.
type Asked = (i32, Vec<i64>);

/// Asks a broker again and again, until it is told to stop, without waiting for the answers.
pub(super) fn probe<'scope>(
    scope: &'scope Scope<'scope, '_>,
    history: &'scope History,
    address: &'scope str,
    stop: &'scope AtomicBool,
) {
    while !stop.load(Ordering::Relaxed) {
        rest();
        let Ok(mut raw) = Raw::brief(address, PATIENCE) else { continue };
        let Ok(answers) = raw.try_clone() else { continue };
        let (sender, asked) = sync_channel(WAITING_MAX);
        scope.spawn(move || listen(answers, history, address, &asked));
        while !stop.load(Ordering::Relaxed) {
            let expected = history.partitions.iter().map(Partition::committed).collect();
            let Ok(id) = raw.try_ask(LIST_OFFSETS, &question(history)) else { break };
            if sender.try_send((id, expected)).is_err() {
                break;
            }
            rest();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "so many questions and no more")]
fn rest() {
    thread::sleep(PAUSE);
}

/// Where do the partitions of the first topic end?
fn question(history: &History) -> ListOffsetsRequest {
    let topic = history.partitions[0].topic.as_str();
    let asked = |partition_index| ListOffsetsPartition {
        partition_index,
        timestamp: -1,
        current_leader_epoch: -1,
    };
    let partitions = (0..PARTITIONS).map(asked).collect();
    let topics = vec![ListOffsetsTopic { name: topic.into(), partitions }];
    ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }
}

/// Holds answers against what was known when they were asked for.
fn listen(mut raw: Raw, history: &History, address: &str, asked: &Receiver<Asked>) {
    for (id, expected) in asked {
        let Some(answer) = raw.answer::<ListOffsetsResponse>(LIST_OFFSETS, id) else { return };
        for told in &answer.topics[0].partitions {
            let at = usize::try_from(told.partition_index).expect("one that was asked for");
            if told.error_code == ErrorCode::NONE && told.offset < expected[at] {
                let (name, end) = (history.partitions[at].name(), told.offset);
                let expected = expected[at];
                history.break_with(format!(
                    "{name} ends at {end}, says {address}, and {expected} was committed"
                ));
            }
        }
    }
}

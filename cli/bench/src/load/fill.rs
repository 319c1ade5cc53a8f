//! Writing what is to be read later; it isn't measured.

use std::collections::VecDeque;

use logboom_producer::{ProduceError, Producer, Record};

use crate::workload::Workload;

/// Records whose ends are waited for together.
const UNDER_WAY_MAX: usize = 32 << 10;
/// Records between two looks at how far it is.
const TELL_EVERY: u64 = 4 << 10;

/// Writes so many bytes of keys and values, or so many records if that is less; returns both.
///
/// - `progress`: is told the bytes that were sent so far.
///
/// # Errors
/// The first record that isn't acknowledged.
pub(crate) async fn fill(
    producer: &Producer,
    topic: &str,
    workload: &Workload,
    (records_max, bytes_max): (u64, u64),
    mut progress: impl FnMut(u64),
) -> Result<(u64, u64), ProduceError> {
    let mut stream = workload.stream(u64::MAX);
    let mut under_way = VecDeque::new();
    let (mut records, mut bytes) = (0, 0);
    while records < records_max && bytes < bytes_max {
        let (key, value) = stream.next();
        bytes += (key.map_or(0, <[u8]>::len) + value.len()) as u64;
        let record = Record::to(topic).value(value);
        let record = key.into_iter().fold(record, Record::key);
        if under_way.len() == UNDER_WAY_MAX
            && let Some(delivery) = under_way.pop_front()
        {
            delivery_of(delivery).await?;
        }
        under_way.push_back(producer.send(record).await?);
        records += 1;
        if records.is_multiple_of(TELL_EVERY) {
            progress(bytes);
        }
    }
    for delivery in under_way {
        delivery_of(delivery).await?;
    }
    Ok((records, bytes))
}

async fn delivery_of(delivery: logboom_producer::Delivery) -> Result<(), ProduceError> {
    delivery.await.map(drop)
}

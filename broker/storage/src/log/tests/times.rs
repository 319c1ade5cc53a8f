//! What is found by its time, or by its epoch.

use super::*;

/// A batch of one record with a timestamp of its own.
fn timed(offset: i64, timestamp: i64) -> StampedBatch {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(timestamp, None, Some(b"a"), &[]).unwrap();
    let batch = ProducedBatch::check(builder.build().unwrap(), &mut Inflater::default()).unwrap();
    batch.stamp(&Stamps {
        base_offset: Offset::from_wire(offset).unwrap(),
        leader_epoch: LeaderEpoch::from_wire(0).unwrap(),
        log_append_time: None,
    })
}

/// The offset and the timestamp of the first record with the greatest timestamp.
fn latest(log: &Log) -> Option<(i64, i64)> {
    let found = log.view().find_max_timestamp(&mut Inflater::default()).unwrap();
    found.map(|found| (found.offset, found.timestamp))
}

#[test]
fn the_greatest_timestamp_is_that_of_the_first_record_that_is_kept_and_has_it() {
    // One segment for all, and one for few.
    for segment_bytes in [1 << 20, 150] {
        let directory = open_directory(&SimDisk::new(), BOOT);
        directory.create(KEY, 0).unwrap();
        let options = LogOptions { segment_bytes, ..log_options() };
        let (mut log, _) = directory.open_log(KEY, options).unwrap();
        assert_eq!(latest(&log), None);
        let timestamps = [5, 900, 3, 900, -1, 80, 70, 80, i64::MAX, 2, 60, 60];
        for (timestamp, offset) in timestamps.into_iter().zip(0..) {
            log.append(&[timed(offset, timestamp)]).unwrap();
        }
        assert!(flush(&directory, &mut log));
        log.set_high_watermark(log.end_offset());
        assert_eq!(latest(&log), Some((8, i64::MAX)));
        // What lies before the log start still counts in what its segment says of itself.
        for (start, expected) in [(8, (8, i64::MAX)), (9, (10, 60)), (11, (11, 60))] {
            log.set_log_start(start).unwrap();
            assert_eq!(latest(&log), Some(expected), "{segment_bytes} from {start} on");
        }
        log.set_log_start(12).unwrap();
        assert_eq!(latest(&log), None);
    }
}

#[test]
fn an_epoch_ends_where_the_next_one_begins() {
    let directory = open_directory(&SimDisk::new(), BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    log.append(&[batch(0, 0, 2, 10)]).unwrap();
    for (epoch, offset) in [(3, 2), (5, 6)] {
        let begun = log.begin_epoch(epoch, &[], Box::new(|result| result.unwrap())).unwrap();
        directory.run_flushes();
        log.on_flushed(begun);
        log.append(&[batch(offset, epoch, 4, 10)]).unwrap();
    }
    let view = log.view();
    // One that had no leader ends where the one before it does.
    for (epoch, expected) in [(3, (3, 6)), (4, (3, 6)), (5, (5, 10))] {
        assert_eq!(view.epoch_end(epoch), Some(expected), "epoch {epoch}");
    }
    assert_eq!(view.epoch_end(6), None, "it hasn't begun here");
}

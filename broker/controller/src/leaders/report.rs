//! What leaders say of their groups, in batches.

use alloc::vec::Vec;

use crate::MetadataImage;
use crate::decision::Decision;
use crate::record::{LeaderReport, MetadataRecord};

/// The most reports in one record.
pub const REPORTS_PER_RECORD_MAX: usize = 1_000;

/// Takes the reports that say something new; answers with how many did.
///
/// Passed over are those that are older than what is known, that say nothing else, that are about
/// partitions that don't exist, and that no leader makes.
///
/// A leader reports again whenever the image says something else of its group than it would, so
/// that a lost report costs time and nothing else.
#[must_use]
pub fn report_leaders(
    image: &MetadataImage,
    reports: impl IntoIterator<Item = LeaderReport>,
) -> Decision<usize> {
    // Several about one partition are judged again, each after those before it, where they are
    // applied.
    let news = reports.into_iter().filter(|report| is_news(image, report));
    let news: Vec<LeaderReport> = news.collect();
    let records = news.chunks(REPORTS_PER_RECORD_MAX);
    let records = records.map(|some| MetadataRecord::Leaders(some.to_vec())).collect();
    Decision { records, response: news.len() }
}

fn is_news(image: &MetadataImage, report: &LeaderReport) -> bool {
    let known = image.partition(report.topic_id, report.index);
    report.is_sound() && known.is_some_and(|known| known.with_report(report).is_some())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::record::Partition;
    use crate::samples::{id, partition, report, topic_of};

    /// The image of one partition of which this is known.
    fn image_with(partition: Partition) -> MetadataImage {
        MetadataImage::load(topic_of(1, "t", [partition])).unwrap()
    }

    fn known(image: &MetadataImage) -> &Partition {
        image.partition(id(1), 0).unwrap()
    }

    /// The image after these reports, one after the other; each is told to be news or not.
    fn told(image: &MetadataImage, reports: &[(LeaderReport, bool)]) -> MetadataImage {
        let mut image = image.clone();
        for (report, is_news) in reports {
            let decision = report_leaders(&image, [report.clone()]);
            assert_eq!(decision.response == 1, *is_news, "{report:?} on {:?}", known(&image));
            image = image.with(&decision.records).unwrap();
        }
        image
    }

    #[test]
    fn the_image_follows_elections_and_never_back() {
        let of = |leader, at| report(1, 0, leader, at, &[1, 2, 3]);
        let image = told(
            &image_with(partition(&[1, 2, 3])),
            &[
                // Epoch 0 is the first.
                (of(1, (0, 0)), true),
                (of(1, (0, 0)), false),
                (of(2, (3, 0)), true),
                (of(3, (2, 9)), false),
                // No epoch has two leaders.
                (of(3, (3, 0)), false),
                // It resigns, and doesn't come back in its epoch.
                (of(-1, (3, 0)), true),
                (of(2, (3, 0)), false),
                (of(2, (3, 1)), false),
                (of(1, (4, 0)), true),
            ],
        );
        assert_eq!((known(&image).leader, known(&image).leader_epoch), (1, 4));
        assert!(known(&image).is_founding);
    }

    #[test]
    fn in_sync_replicas_come_and_go_under_one_leader() {
        let of =
            |isr: &[i32]| LeaderReport { isr: isr.to_vec(), ..report(1, 0, 1, (2, 0), &[1, 2]) };
        let image = image_with(partition(&[1, 2]));
        let image = told(&image, &[(of(&[1]), true), (of(&[1, 2]), true), (of(&[1, 2]), false)]);
        assert_eq!(known(&image).isr, [1, 2]);
    }

    #[test]
    fn what_no_leader_says_and_what_is_of_no_partition_is_passed_over() {
        let image = image_with(partition(&[1, 2]));
        let good = report(1, 0, 2, (1, 0), &[1, 2]);
        for bad in [
            report(2, 0, 2, (1, 0), &[1, 2]),
            LeaderReport { index: 1, ..good.clone() },
            LeaderReport { index: -1, ..good.clone() },
            LeaderReport { leader: -2, ..good.clone() },
            LeaderReport { leader_epoch: -1, ..good.clone() },
            LeaderReport { control_sequence: -1, ..good.clone() },
            LeaderReport { voter_directories: Vec::new(), ..good.clone() },
            LeaderReport { isr: vec![1, 1], ..good.clone() },
            report(1, 0, 2, (1, 0), &[]),
            LeaderReport { isr: vec![1], ..report(1, 0, 2, (1, 0), &[1, 1]) },
        ] {
            let decision = report_leaders(&image, [bad.clone(), good.clone()]);
            assert_eq!(decision.records, [MetadataRecord::Leaders(vec![good.clone()])], "{bad:?}");
        }
    }

    #[test]
    fn a_move_ends_when_the_voters_are_its_target_and_not_before() {
        let moving = Partition {
            target_replicas: vec![3, 4],
            target_directories: partition(&[3, 4]).directories,
            generation: 5,
            ..partition(&[1, 2])
        };
        let image = told(
            &image_with(moving),
            &[(report(1, 0, 1, (1, 0), &[1, 2]), true), (report(1, 0, 1, (1, 3), &[1, 3]), true)],
        );
        assert_eq!(known(&image).voters().0, [1, 3]);
        assert!(known(&image).is_moving() && !known(&image).is_founding);
        let image = told(
            &image,
            &[(report(1, 0, 1, (1, 5), &[4, 3]), true), (report(1, 0, 1, (1, 3), &[1, 3]), false)],
        );
        let done = known(&image);
        assert_eq!(
            (&*done.replicas, done.wish().0, done.voters().0),
            (&[3, 4][..], &[3, 4][..], &[3, 4][..])
        );
        assert!(!done.is_moving() && !done.is_founding);
        assert_eq!(done.generation, 5, "the wish is the same");
    }

    #[test]
    fn reports_of_many_partitions_are_several_records() {
        let partitions = (0..1_001).map(|_| partition(&[1]));
        let image = MetadataImage::load(topic_of(1, "t", partitions)).unwrap();
        let reports = (0..1_001).map(|index| report(1, index, 1, (1, 0), &[1]));
        let decision = report_leaders(&image, reports);
        assert_eq!((decision.response, decision.records.len()), (1_001, 2));
        let after = image.with(&decision.records).unwrap();
        assert!(after.topic(id(1)).unwrap().partitions().all(|one| one.leader_epoch == 1));
    }

    #[test]
    fn of_two_reports_in_one_batch_the_newer_counts() {
        let of = |leader, at| report(1, 0, leader, at, &[1, 2]);
        let image = image_with(partition(&[1, 2]));
        let decision = report_leaders(&image, [of(2, (7, 0)), of(1, (6, 0))]);
        assert_eq!(known(&image.with(&decision.records).unwrap()).leader, 2);
    }
}

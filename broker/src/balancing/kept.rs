//! What brokers may have, as the metadata keep it: so that a cluster that starts anew knows it of
//! those that stay down.
//!
//! It is a configuration of each broker, which the one that decides sets when that broker says
//! something else, and which is in no table of configurations: nobody sees or sets it. A record of
//! a new kind would stop brokers of earlier versions; this one they pass over.
//!
//! Its value is the weight, then the capacities as in a [report](super::report), `-` where one
//! isn't known: `100 4000 1099511627776 - -`. Later versions may add words.
//!
//! Must always hold: what can't be read counts as not kept.

use logboom_balance::snapshot::{AMOUNT_MAX, WEIGHT_MAX};
use logboom_controller::image::MEANS;
use logboom_controller::record::ConfigResource;
use logboom_controller::{MetadataImage, MetadataRecord};

use super::means::Table;
use super::report::Means;

/// What is kept of the brokers that are registered.
pub(super) fn table(image: &MetadataImage) -> Table {
    let of = |id: i32| read(image.config_value(&ConfigResource::broker(id), MEANS)?);
    image.brokers().filter_map(|broker| Some((broker.id, of(broker.id)?))).collect()
}

/// The records after which what these brokers may have is kept.
pub(super) fn records(image: &MetadataImage, told: &Table) -> Vec<MetadataRecord> {
    let is_news = |id: i32, means: &Means| {
        let kept = image.config_value(&ConfigResource::broker(id), MEANS).and_then(read);
        image.broker(id).is_some() && kept != Some(*means)
    };
    let news = told.iter().filter(|(id, means)| is_news(**id, means));
    let record = |(id, means): (&i32, &Means)| MetadataRecord::Config {
        resource: ConfigResource::broker(*id),
        name: MEANS.into(),
        value: Some(written(means).into()),
    };
    news.map(record).collect()
}

fn written(means: &Means) -> String {
    let amount = |known: &Option<u64>| known.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let amounts = means.capacity.iter().map(amount);
    let words: Vec<String> = [means.weight.to_string()].into_iter().chain(amounts).collect();
    words.join(" ")
}

fn read(text: &str) -> Option<Means> {
    let mut words = text.split_ascii_whitespace();
    let weight = words.next()?.parse().ok().filter(|it| (1..=WEIGHT_MAX).contains(it))?;
    let mut capacity = [None; 4];
    for known in &mut capacity {
        *known = match words.next()? {
            "-" => None,
            word => Some(word.parse().ok().filter(|it| (1..=AMOUNT_MAX).contains(it))?),
        };
    }
    Some(Means { weight, capacity })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancing::samples::{MEANS as USUAL, cluster, set};

    const LARGE: Means =
        Means { weight: 300, capacity: [Some(7), Some(AMOUNT_MAX), None, Some(1)] };

    #[test]
    fn what_is_kept_is_read_and_written_again_only_when_it_is_news() {
        let image = cluster(&[1, 2], &[]);
        let told = Table::from([(1, LARGE), (2, USUAL), (9, LARGE)]);
        let records = records(&image, &told);
        assert_eq!(records.len(), 2, "the last one is no broker: {records:?}");
        let after = image.with(&records).unwrap();
        assert_eq!(table(&after), Table::from([(1, LARGE), (2, USUAL)]));
        assert_eq!(super::records(&after, &told), []);
        let less = Means { weight: 299, ..LARGE };
        let news = super::records(&after, &Table::from([(1, less), (2, USUAL)]));
        assert_eq!(table(&after.with(&news).unwrap())[&1], less);
        assert_eq!(news.len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_not_kept_and_what_later_versions_add_is_passed_over() {
        let of = |text| table(&set(&cluster(&[1], &[]), Some(1), MEANS, Some(text))).remove(&1);
        assert_eq!(of("300 7 1125899906842624 - 1 more of it"), Some(LARGE));
        for bad in ["", "300", "300 7 - -", "0 - - - -", "10001 - - - -", "5 0 - - -", "x - - - -"]
        {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(of("100 - 1125899906842625 - -"), None, "more than there may be");
    }
}

//! How fast brokers send replicas that are new to their partitions, as the metadata say.
//!
//! What another broker has in its file isn't known here: where nothing is set in the metadata, all
//! have what this one's file says.

use logboom_balance::Rates;
use logboom_controller::MetadataImage;
use logboom_controller::config::{Effective, StaticConfig};
use logboom_controller::record::ConfigResource;

/// What a broker sends new replicas, in bytes a second.
const RATE: &str = "balance.move.bytes.per.second";

pub(super) fn rates(image: &MetadataImage, config: &StaticConfig) -> Rates {
    let set = |resource: &ConfigResource| image.config_value(resource, RATE)?.trim().parse().ok();
    let all = set(&ConfigResource::all_brokers());
    let usual = all.unwrap_or_else(|| {
        // As if nothing were set, for this one neither.
        let rate = Effective::new(&MetadataImage::default(), config).broker_integer(RATE);
        u64::try_from(rate).unwrap_or(u64::MAX)
    });
    let own = |id: i32| Some((id, set(&ConfigResource::broker(id))?));
    Rates { usual, others: image.brokers().filter_map(|broker| own(broker.id)).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancing::samples::{cluster, set};

    #[test]
    fn a_broker_has_its_own_rate_or_that_of_all_or_what_is_usual() {
        let file = StaticConfig::new([("node.id", "1"), (RATE, "70")]).unwrap();
        let image = cluster(&[1, 2, 3], &[&[1]]);
        let of = |image: &MetadataImage| [1, 2, 3].map(|id| rates(image, &file).of(id));
        assert_eq!(rates(&image, &StaticConfig::default()), Rates::default());
        assert_eq!(of(&image), [70; 3]);
        let own = set(&image, Some(1), RATE, Some("500"));
        assert_eq!(of(&own), [500, 70, 70], "what is set for who decides is its own alone");
        let all = set(&own, None, RATE, Some("90"));
        assert_eq!(of(&all), [500, 90, 90]);
    }
}

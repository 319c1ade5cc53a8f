//! UnregisterBroker: a broker that will not come back, or not with the data that it had.

use alloc::vec::Vec;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::unregister_broker::{
    UnregisterBrokerRequest, UnregisterBrokerResponse,
};

use crate::MetadataImage;
use crate::decision::{Decision, message};
use crate::image::{DRAIN, MEANS};
use crate::record::{ConfigResource, MetadataRecord};

/// Removes a broker, in contact or not. As in the reference the partitions that name it still do,
/// and so does its configuration: what it had is moved by a reassignment, before or after.
///
/// Its id is free then: whoever registers under it is given the copies that are wished for there.
///
/// Source: KIP-631.
#[must_use]
pub fn unregister_broker(
    image: &MetadataImage,
    request: &UnregisterBrokerRequest,
) -> Decision<UnregisterBrokerResponse> {
    let id = request.broker_id;
    if image.node(id).is_some() {
        let mut records = Vec::from([MetadataRecord::BrokerRemoved { id }]);
        let resource = ConfigResource::broker(id);
        // Who comes under its number later isn't to be emptied, and may have something else.
        for name in [DRAIN, MEANS] {
            if image.config_value(&resource, name).is_some() {
                let (resource, name) = (resource.clone(), name.into());
                records.push(MetadataRecord::Config { resource, name, value: None });
            }
        }
        return Decision { records, response: UnregisterBrokerResponse::default() };
    }
    let response = UnregisterBrokerResponse {
        error_code: ErrorCode::BROKER_ID_NOT_REGISTERED,
        error_message: message(&format_args!("Broker ID {id} is not currently registered")),
        ..UnregisterBrokerResponse::default()
    };
    Decision { records: Vec::new(), response }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{broker, id, partition, topic_of};

    #[test]
    fn a_broker_goes_and_the_partitions_that_name_it_stay_as_they_are() {
        let brokers = [1, 2].map(|id| MetadataRecord::Broker(broker(id, None)));
        let image = MetadataImage::load(brokers).unwrap();
        let fenced = MetadataRecord::BrokerFenced { id: 2, fenced: true };
        let image = image.with(&topic_of(1, "t", [partition(&[2, 1])])).unwrap();
        let image = image.with([&fenced]).unwrap();
        let decision = unregister_broker(&image, &UnregisterBrokerRequest { broker_id: 2 });
        assert_eq!(decision.response, UnregisterBrokerResponse::default());
        let after = image.with(&decision.records).unwrap();
        assert_eq!(after.brokers().map(|broker| broker.id).collect::<Vec<_>>(), [1]);
        assert!(!after.is_fenced(2));
        let named = after.partitions_of(2).map(|(topic, index, _)| (topic.id(), index));
        assert_eq!(named.collect::<Vec<_>>(), [(id(1), 0)]);
        assert_eq!(after.partition(id(1), 0), image.partition(id(1), 0));
    }

    #[test]
    fn who_is_not_registered_cannot_be_removed() {
        let request = UnregisterBrokerRequest { broker_id: 7 };
        let decision = unregister_broker(&MetadataImage::default(), &request);
        assert_eq!(decision.records, []);
        assert_eq!(decision.response.error_code, ErrorCode::BROKER_ID_NOT_REGISTERED);
        let text = decision.response.error_message.unwrap();
        assert_eq!(text, "Broker ID 7 is not currently registered");
    }
}

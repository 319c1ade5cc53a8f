//! A whole image as records, in place of the log that led to it.

use core::iter;

use crate::record::{ConfigResource, MetadataRecord};

use super::{ApplyError, MetadataImage, Topic};

impl MetadataImage {
    /// The records that make this image out of an empty one, in an order that does.
    pub fn records(&self) -> impl Iterator<Item = MetadataRecord> {
        let cluster = self.cluster_id.into_iter().map(MetadataRecord::ClusterId);
        let features = self.features.iter().map(|(name, level)| MetadataRecord::FeatureLevel {
            name: name.clone(),
            level: *level,
        });
        let nodes = self.brokers.values().chain(self.controllers.values());
        let nodes = nodes.cloned().map(MetadataRecord::Broker);
        let fenced =
            self.fenced.iter().map(|&id| MetadataRecord::BrokerFenced { id, fenced: true });
        let topics = self.topics.values().flat_map(topic_records);
        let configs = self.configs.keys().flat_map(|resource| self.config_records(resource));
        let producers = (self.next_producer_id > 0)
            .then_some(MetadataRecord::ProducerIdBlock { next_producer_id: self.next_producer_id });
        let cluster = cluster.chain(features).chain(nodes).chain(fenced);
        cluster.chain(topics).chain(configs).chain(producers)
    }

    /// The image of a checkpoint.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn load(records: impl IntoIterator<Item = MetadataRecord>) -> Result<Self, ApplyError> {
        let mut image = Self::default();
        records.into_iter().try_for_each(|record| image.apply(&record))?;
        Ok(image)
    }

    fn config_records<'a>(
        &'a self,
        resource: &'a ConfigResource,
    ) -> impl Iterator<Item = MetadataRecord> + 'a {
        self.config(resource).map(|(name, value)| MetadataRecord::Config {
            resource: resource.clone(),
            name: name.into(),
            value: Some(value.into()),
        })
    }
}

fn topic_records(topic: &Topic) -> impl Iterator<Item = MetadataRecord> {
    let created = MetadataRecord::Topic { id: topic.id, name: topic.name.clone() };
    let partitions = topic.partitions.iter().zip(0..).map(|(partition, index)| {
        MetadataRecord::Partition { topic_id: topic.id, index, partition: partition.clone() }
    });
    iter::once(created).chain(partitions)
}

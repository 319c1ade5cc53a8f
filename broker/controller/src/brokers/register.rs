//! Brokers that come into the cluster, and its birth.
//!
//! Must always hold: no two brokers have the same data directory, and a broker's changes only after
//! it was removed.

use alloc::vec::Vec;
use core::fmt;

use logboom_protocol::units::Uuid;
use logboom_protocol::{ErrorCode, FieldError};

use crate::MetadataImage;
use crate::decision::Decision;
use crate::record::{BrokerRegistration, MetadataRecord};

/// A broker that starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterBroker {
    /// What it says of itself.
    pub registration: BrokerRegistration,
    /// The cluster that its data directory belongs to; `None` for a new one.
    pub cluster_id: Option<Uuid>,
}

/// Why a broker may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterBrokerError {
    /// Its data is another cluster's.
    OtherCluster {
        /// This cluster; `None` if it isn't born yet.
        cluster_id: Option<Uuid>,
        /// The cluster of the data.
        found: Uuid,
    },
    /// The id is that of a broker with another data directory. Had the operator lost that one, he
    /// would have removed the broker.
    OtherDirectory {
        /// The broker.
        id: i32,
        /// The directory known.
        known: Uuid,
        /// The other one.
        found: Uuid,
    },
    /// Another broker has this data directory: it was copied.
    DirectoryTaken {
        /// The directory.
        directory_id: Uuid,
        /// Whose it is.
        owner: i32,
    },
    /// An id below 0.
    BrokerId(i32),
    /// A rack, a listener's name or a host that is longer than the metadata log holds.
    TooLong(FieldError),
}

impl RegisterBrokerError {
    /// The protocol's code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::OtherCluster { .. } => ErrorCode::INCONSISTENT_CLUSTER_ID,
            Self::OtherDirectory { .. } => ErrorCode::DUPLICATE_BROKER_REGISTRATION,
            Self::DirectoryTaken { .. } | Self::BrokerId(_) | Self::TooLong(_) => {
                ErrorCode::INVALID_REGISTRATION
            }
        }
    }
}

impl fmt::Display for RegisterBrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherCluster { cluster_id: Some(id), found } => {
                write!(f, "the data directory belongs to cluster {found}, this is {id}")
            }
            Self::OtherCluster { cluster_id: None, found } => {
                write!(f, "the data directory belongs to cluster {found}, this one is new")
            }
            Self::OtherDirectory { id, known, found } => write!(
                f,
                "broker {id} has the data directory {known}, not {found}; \
                 remove the broker first if its data is gone"
            ),
            Self::DirectoryTaken { directory_id, owner } => {
                write!(f, "the data directory {directory_id} is that of broker {owner}")
            }
            Self::BrokerId(id) => write!(f, "broker id {id} is negative"),
            Self::TooLong(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RegisterBrokerError {}

/// Registers a broker that starts, and answers with the cluster's id. The first broker gives birth
/// to the cluster.
///
/// One that was removed, and comes with another data directory, is wished to have there what it
/// had in the old one: it takes the place of itself, as a new voter that is brought up to date.
///
/// A node that is only a controller has no copies, and no client is told of it.
///
/// - `new_cluster_id`: the id of the cluster if it is born now.
///
/// # Errors
/// [`RegisterBrokerError`]; the broker must not serve anything then.
pub fn register_broker(
    image: &MetadataImage,
    request: &RegisterBroker,
    new_cluster_id: Uuid,
) -> Result<Decision<Uuid>, RegisterBrokerError> {
    let RegisterBroker { registration, cluster_id: found } = request;
    if let Some(found) = *found
        && image.cluster_id() != Some(found)
    {
        return Err(RegisterBrokerError::OtherCluster { cluster_id: image.cluster_id(), found });
    }
    check_directory(image, registration)?;
    let cluster_id = image.cluster_id().unwrap_or(new_cluster_id);
    let birth = image.cluster_id().is_none().then_some(MetadataRecord::ClusterId(cluster_id));
    let mut records = Vec::from_iter(birth);
    let registered = MetadataRecord::Broker(registration.clone());
    registered.encode().map_err(RegisterBrokerError::TooLong)?;
    records.push(registered);
    records.extend(moved_copies(image, registration));
    Ok(Decision { records, response: cluster_id })
}

/// The partitions of which the broker should have a copy in another data directory than it has.
fn moved_copies<'a>(
    image: &'a MetadataImage,
    registration: &'a BrokerRegistration,
) -> impl Iterator<Item = MetadataRecord> + 'a {
    // A broker keeps its directory as long as it is registered.
    let is_back = registration.is_broker() && image.broker(registration.id).is_none();
    let own = is_back.then(|| image.partitions_of(registration.id)).into_iter().flatten();
    own.filter_map(|(topic, index, partition)| {
        let (replicas, directories) = partition.wish();
        let moved = replicas.iter().zip(directories).map(|(&id, &known)| {
            if id == registration.id { registration.directory_id } else { known }
        });
        let partition = partition.with_wish(replicas.to_vec(), moved.collect())?;
        Some(MetadataRecord::Partition { topic_id: topic.id(), index, partition })
    })
}

fn check_directory(
    image: &MetadataImage,
    registration: &BrokerRegistration,
) -> Result<(), RegisterBrokerError> {
    let &BrokerRegistration { id, directory_id, .. } = registration;
    if id < 0 {
        return Err(RegisterBrokerError::BrokerId(id));
    }
    if let Some(known) = image.node(id).map(|node| node.directory_id)
        && known != directory_id
    {
        return Err(RegisterBrokerError::OtherDirectory { id, known, found: directory_id });
    }
    let other = image.nodes().find(|one| one.id != id && one.directory_id == directory_id);
    match other.map(|broker| broker.id) {
        Some(owner) => Err(RegisterBrokerError::DirectoryTaken { directory_id, owner }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::record::{LeaderReport, Partition};
    use crate::samples::{broker, id, report, topic_of};

    fn start(registration: BrokerRegistration, cluster_id: Option<Uuid>) -> RegisterBroker {
        RegisterBroker { registration, cluster_id }
    }

    #[test]
    fn the_first_broker_gives_birth_to_the_cluster_and_the_next_ones_join_it() {
        let first = start(broker(1, None), None);
        let born = register_broker(&MetadataImage::default(), &first, id(7)).unwrap();
        assert_eq!(born.records[0], MetadataRecord::ClusterId(id(7)));
        assert_eq!(born.response, id(7));
        let image = MetadataImage::load(born.records).unwrap();

        let again = BrokerRegistration { incarnation: id(2), ..broker(1, Some("r")) };
        for request in [start(again, Some(id(7))), start(broker(2, None), None)] {
            let decision = register_broker(&image, &request, id(8)).unwrap();
            assert_eq!(decision.response, id(7));
            assert_eq!(decision.records, [MetadataRecord::Broker(request.registration)]);
        }
    }

    #[test]
    fn a_broker_with_the_wrong_data_stays_out() {
        let records = [MetadataRecord::ClusterId(id(7)), MetadataRecord::Broker(broker(1, None))];
        let image = MetadataImage::load(records).unwrap();
        let (one, two) = (broker(1, None), broker(2, None));
        let swapped = BrokerRegistration { directory_id: two.directory_id, ..one.clone() };
        let copied = BrokerRegistration { directory_id: one.directory_id, ..two.clone() };
        for (request, code) in [
            (start(one, Some(id(8))), ErrorCode::INCONSISTENT_CLUSTER_ID),
            (start(swapped, Some(id(7))), ErrorCode::DUPLICATE_BROKER_REGISTRATION),
            (start(copied, None), ErrorCode::INVALID_REGISTRATION),
            (start(broker(-1, None), None), ErrorCode::INVALID_REGISTRATION),
            (start(broker(3, Some(&"r".repeat(32_768))), None), ErrorCode::INVALID_REGISTRATION),
        ] {
            let error = register_broker(&image, &request, id(9)).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
        }
        let lost = register_broker(&MetadataImage::default(), &start(two, Some(id(7))), id(9));
        let code = lost.unwrap_err().code();
        assert_eq!(code, ErrorCode::INCONSISTENT_CLUSTER_ID, "its metadata is gone");
    }

    /// A partition on brokers 1 and 2, and the image without broker 2.
    fn without_broker_2() -> (MetadataImage, Partition) {
        let brokers = [1, 2].map(|id| broker(id, None));
        let directories = brokers.iter().map(|broker| broker.directory_id).collect();
        let partition = Partition::new(vec![1, 2], directories);
        let image = MetadataImage::load(brokers.map(MetadataRecord::Broker)).unwrap();
        let image = image.with(&topic_of(1, "t", [partition.clone()])).unwrap();
        (image.with([&MetadataRecord::BrokerRemoved { id: 2 }]).unwrap(), partition)
    }

    #[test]
    fn a_broker_that_was_removed_comes_back_with_what_it_had() {
        let (image, partition) = without_broker_2();
        let request = start(broker(2, None), None);
        let decision = register_broker(&image, &request, id(9)).unwrap();
        let after = image.with(&decision.records).unwrap();
        assert_eq!(after.partition(id(1), 0), Some(&partition));
    }

    #[test]
    fn a_removed_broker_with_another_directory_is_to_take_its_own_place() {
        let (image, before) = without_broker_2();
        let emptied = BrokerRegistration { directory_id: id(77), ..broker(2, None) };
        let decision = register_broker(&image, &start(emptied, None), id(9)).unwrap();
        let after = image.with(&decision.records).unwrap();
        let wished = after.partition(id(1), 0).unwrap();
        let directories = [before.directories[0], id(77)];
        assert_eq!(wished.wish(), (&[1, 2][..], &directories[..]));
        assert_eq!((wished.generation, wished.is_moving()), (1, true));

        // The same brokers vote, but in the old directory: nothing is reached yet.
        let old = LeaderReport {
            voter_directories: before.directories.clone(),
            ..report(1, 0, 1, (1, 0), &[1, 2])
        };
        let new = LeaderReport {
            control_sequence: 4,
            voter_directories: directories.to_vec(),
            ..old.clone()
        };
        let after = after.with([&MetadataRecord::Leaders(vec![old])]).unwrap();
        assert!(after.partition(id(1), 0).unwrap().is_moving());
        let after = after.with([&MetadataRecord::Leaders(vec![new])]).unwrap();
        let reached = after.partition(id(1), 0).unwrap();
        assert_eq!((&*reached.directories, reached.is_founding), (&directories[..], false));
    }

    #[test]
    fn a_node_that_is_only_a_controller_is_known_and_no_broker() {
        let controller = BrokerRegistration { endpoints: Vec::new(), ..broker(1, None) };
        let born =
            register_broker(&MetadataImage::default(), &start(controller.clone(), None), id(7));
        let image = MetadataImage::load(born.unwrap().records).unwrap();
        assert_eq!((image.brokers().len(), image.node(1)), (0, Some(&controller)));
        assert_eq!(MetadataImage::load(image.records()).unwrap(), image);
        let copied = BrokerRegistration { id: 2, ..controller.clone() };
        let wiped = BrokerRegistration { directory_id: id(9), ..controller };
        for request in [copied, wiped] {
            assert!(register_broker(&image, &start(request, Some(id(7))), id(8)).is_err());
        }
        let serves = register_broker(&image, &start(broker(1, None), Some(id(7))), id(8)).unwrap();
        let image = image.with(&serves.records).unwrap();
        assert_eq!((image.brokers().len(), image.nodes().count()), (1, 1));
    }

    #[test]
    fn a_broker_that_starts_again_is_in_contact() {
        let records = [MetadataRecord::ClusterId(id(7)), MetadataRecord::Broker(broker(1, None))];
        let image = MetadataImage::load(records).unwrap();
        let image = image.with([&MetadataRecord::BrokerFenced { id: 1, fenced: true }]).unwrap();
        assert!(!image.is_in_contact(1));
        let again = BrokerRegistration { incarnation: id(2), ..broker(1, None) };
        let decision = register_broker(&image, &start(again, None), id(8)).unwrap();
        assert!(image.with(&decision.records).unwrap().is_in_contact(1));
    }
}

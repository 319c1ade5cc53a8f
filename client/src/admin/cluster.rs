//! The brokers of a cluster, those included that are known and not alive; and removing one.

use logboom_protocol::VersionRange;
use logboom_protocol::messages::describe_cluster::{DescribeClusterBroker, DescribeClusterRequest};
use logboom_protocol::messages::unregister_broker::UnregisterBrokerRequest;

use crate::cluster::Target;
use crate::{Broker, BrokerAddress, ClientError, Cluster};

/// What brokers say about the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDescription {
    /// Its id, where brokers tell it.
    pub cluster_id: Option<String>,
    /// The controller, where brokers tell it.
    pub controller_id: Option<i32>,
    /// The brokers by number, and whether each may serve. Where brokers don't tell of those that
    /// may not, they are missing.
    pub brokers: Vec<(Broker, bool)>,
}

/// The first version that can tell of brokers that may not serve (KIP-1073).
const FENCED_FROM: i16 = 2;

impl Cluster {
    /// Describes the cluster (KIP-700); by its metadata, where brokers don't know the request.
    ///
    /// # Errors
    /// A broker's code, or why none can be asked.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, ClientError> {
        for include_fenced_brokers in [true, false] {
            match self.describe_by_request(include_fenced_brokers).await {
                Err(ClientError::UnsupportedVersion { .. }) => {}
                result => return result,
            }
        }
        self.describe_by_metadata().await
    }

    /// Removes a broker's registration (KIP-631): the cluster no longer knows it. Partitions that
    /// name it still do.
    ///
    /// # Errors
    /// A broker's code, or why none can be asked.
    pub async fn unregister_broker(&self, id: i32) -> Result<(), ClientError> {
        let request = UnregisterBrokerRequest { broker_id: id };
        let doing = format!("remove broker {id}");
        self.call(Target::Any, doing, &request, |_, response| {
            let message = response.error_message.as_deref();
            ClientError::check(response.error_code, message, || format!("broker {id}"))
        })
        .await
    }

    async fn describe_by_request(
        &self,
        include_fenced_brokers: bool,
    ) -> Result<ClusterDescription, ClientError> {
        let request =
            DescribeClusterRequest { include_fenced_brokers, ..DescribeClusterRequest::default() };
        let min = if include_fenced_brokers { FENCED_FROM } else { 0 };
        let allowed = VersionRange { min, max: i16::MAX };
        let doing = "describe the cluster".to_owned();
        self.call_within(Target::Any, doing, allowed, &request, |_, response| {
            let message = response.error_message.as_deref();
            ClientError::check(response.error_code, message, || "cluster".to_owned())?;
            Ok(ClusterDescription {
                cluster_id: Some(response.cluster_id.into()),
                controller_id: Some(response.controller_id).filter(|&id| id >= 0),
                brokers: response.brokers.into_iter().filter_map(broker).collect(),
            })
        })
        .await
    }

    async fn describe_by_metadata(&self) -> Result<ClusterDescription, ClientError> {
        let image = self.image(Some(&[])).await?;
        let brokers = image.brokers.into_values().map(|broker| (broker, true)).collect();
        let (cluster_id, controller_id) = (image.cluster_id, image.controller_id);
        Ok(ClusterDescription { cluster_id, controller_id, brokers })
    }
}

fn broker(broker: DescribeClusterBroker) -> Option<(Broker, bool)> {
    let port = u16::try_from(broker.port).ok()?;
    let address = BrokerAddress { host: broker.host.into(), port };
    let described = Broker { id: broker.broker_id, address, rack: broker.rack.map(Into::into) };
    Some((described, !broker.is_fenced))
}

//! Who coordinates a group, and asking it.

use std::time::Duration;

use logboom_protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use logboom_protocol::{Request, VersionRange};

use super::from;
use crate::cluster::Target;
use crate::{Broker, BrokerAddress, ClientError, Cluster, Connection};

/// The first version that asks for several at once (KIP-699).
const BATCHED_FROM: i16 = 4;

impl Cluster {
    /// The broker that coordinates a group; tried again until the call's deadline.
    ///
    /// # Errors
    /// No broker knows one, or says why it doesn't tell.
    pub async fn coordinator(&self, group: &str) -> Result<Broker, ClientError> {
        let mut retry = self.retry(format!("look up the coordinator of group {group}"));
        loop {
            match retry.within(self.find_coordinator(group, retry.timeout())).await {
                Ok(broker) => return Ok(broker),
                Err(error) => retry.pause(error).await?,
            }
        }
    }

    /// Asks for the coordinator once.
    pub(crate) async fn find_coordinator(
        &self,
        group: &str,
        timeout: Duration,
    ) -> Result<Broker, ClientError> {
        let ask = |connection: Connection| async move {
            let batched = FindCoordinatorRequest {
                coordinator_keys: vec![group.into()],
                ..FindCoordinatorRequest::default()
            };
            match connection.send_within(&batched, from(BATCHED_FROM), timeout).await {
                Err(ClientError::UnsupportedVersion { .. }) => {
                    let single = FindCoordinatorRequest { key: group.into(), ..Default::default() };
                    let older = VersionRange { min: 0, max: BATCHED_FROM - 1 };
                    connection.send_within(&single, older, timeout).await
                }
                result => result,
            }
        };
        let (connection, response) = self.ask_any(ask).await?;
        read(group, connection.address(), response)
    }

    /// Sends a request to the coordinator of a group in a version within `allowed`, until it is
    /// answered without a retriable error.
    ///
    /// - `doing`, `read`: as of [`Cluster::call`].
    pub(super) async fn call_coordinator<R: Request, T>(
        &self,
        group: &str,
        doing: String,
        allowed: VersionRange,
        request: &R,
        read: impl FnMut(&BrokerAddress, R::Response) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        self.call_within(Target::Coordinator(group), doing, allowed, request, read).await
    }
}

fn read(
    group: &str,
    address: &BrokerAddress,
    response: FindCoordinatorResponse,
) -> Result<Broker, ClientError> {
    let what = || format!("coordinator of group {group}");
    let single = Coordinator {
        key: group.into(),
        node_id: response.node_id,
        host: response.host,
        port: response.port,
        error_code: response.error_code,
        error_message: response.error_message,
    };
    let found = response.coordinators.into_iter().find(|one| one.key == group).unwrap_or(single);
    ClientError::check(found.error_code, found.error_message.as_deref(), what)?;
    let lacks = |_| ClientError::Unanswered { address: address.clone(), what: what() };
    let port = u16::try_from(found.port).map_err(lacks)?;
    let address = BrokerAddress { host: found.host.into(), port };
    Ok(Broker { id: found.node_id, address, rack: None })
}

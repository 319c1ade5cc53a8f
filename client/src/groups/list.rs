//! ListGroups: the groups of all brokers.

use logboom_protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};

use super::from;
use crate::cluster::Target;
use crate::{BrokerAddress, ClientError, Cluster};

/// Which groups are listed; an empty list is no condition.
#[derive(Debug, Clone, Default)]
pub struct GroupFilter {
    /// Only those in one of these states, as "Stable", "Empty" (KIP-518).
    pub states: Vec<String>,
    /// Only those of one of these types, as "classic", "consumer" (KIP-848).
    pub types: Vec<String>,
}

/// A group as its coordinator lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its name.
    pub group: String,
    /// What its members are to each other: "consumer", "connect"; empty where there were none yet.
    pub protocol_type: String,
    /// As "Stable"; `None` where the broker doesn't tell.
    pub state: Option<String>,
    /// As "classic"; `None` where the broker doesn't tell.
    pub group_type: Option<String>,
    /// The broker that coordinates it.
    pub coordinator: i32,
}

/// The first versions that know states and types.
const STATES_FROM: i16 = 4;
const TYPES_FROM: i16 = 5;

impl Cluster {
    /// The groups of all live brokers, by name.
    ///
    /// # Errors
    /// [`ClientError::UnsupportedVersion`] where a broker doesn't know the filter, a broker's code,
    /// or why one of them can't be asked.
    pub async fn list_groups(&self, filter: &GroupFilter) -> Result<Vec<ListedGroup>, ClientError> {
        let names = |texts: &[String]| texts.iter().map(|text| text.as_str().into()).collect();
        let request = ListGroupsRequest {
            states_filter: names(&filter.states),
            types_filter: names(&filter.types),
        };
        let allowed = match filter {
            GroupFilter { types, .. } if !types.is_empty() => from(TYPES_FROM),
            GroupFilter { states, .. } if !states.is_empty() => from(STATES_FROM),
            _ => from(0),
        };
        let mut groups = Vec::new();
        for broker in self.image(Some(&[])).await?.brokers.into_keys() {
            let target = Target::Broker(broker);
            let doing = format!("list the groups of broker {broker}");
            let read = |_: &BrokerAddress, response| read(broker, response);
            groups.extend(self.call_within(target, doing, allowed, &request, read).await?);
        }
        groups.sort_by(|a, b| a.group.cmp(&b.group));
        Ok(groups)
    }
}

fn read(coordinator: i32, response: ListGroupsResponse) -> Result<Vec<ListedGroup>, ClientError> {
    ClientError::check(response.error_code, None, || format!("groups of broker {coordinator}"))?;
    let told = |text: String| Some(text).filter(|text| !text.is_empty());
    let groups = response.groups.into_iter().map(|group| ListedGroup {
        group: group.group_id.into(),
        protocol_type: group.protocol_type.into(),
        state: told(group.group_state.into()),
        group_type: told(group.group_type.into()),
        coordinator,
    });
    Ok(groups.collect())
}

//! How a metadata log begins.
//!
//! A broker that is alone begins it by itself. Among others each of the brokers that the
//! configuration names waits until it has met all of them, with their data directories; then they
//! begin it, each with the same voters. Who comes later, and finds that another one has begun,
//! begins with that one's voters, if it is one of them with its directory: one whose directory was
//! lost is not, and must not vote as if it had forgotten nothing.
//!
//! Must always hold: whoever begins the log as a voter begins it with the same voters as all
//! others.

use std::sync::Arc;

use logboom_raft::{ReplicaId, Voters};
use logboom_storage::{Directory, StorageError};

use super::metadata_log::METADATA;
use super::neighbours::Neighbours;
use crate::partition::Seat;
use crate::peer::{FoundingVoter, PeerId};

/// Begins the metadata log of a broker that is alone, if there is none; returns whether it is new.
///
/// # Errors
/// What the storage says.
pub(crate) fn found_alone(directory: &Directory, seat: &Seat) -> Result<bool, StorageError> {
    let is_new = directory.state().group(&METADATA, |group| group.is_none());
    if is_new {
        directory.create_all(&[(METADATA, &seat.first_records())], 0)?;
    }
    Ok(is_new)
}

/// Begins the metadata log together with the other voters, if there is none; returns whether it is
/// new. Waits for them.
///
/// # Errors
/// What the storage says, or that others began it without this broker's directory.
pub(crate) async fn found_together(
    directory: &Directory,
    neighbours: &Neighbours,
    this: PeerId,
) -> Result<bool, String> {
    if let Some(known) = known(directory) {
        neighbours.set_founding(known);
        return Ok(false);
    }
    if directory.state().group(&METADATA, |group| group.is_some()) {
        return Err(
            "the data directory is that of a broker that was alone, and has its own metadata; \
                    a broker begins in a cluster with an empty one"
                .to_owned(),
        );
    }
    let founders = loop {
        let meets = neighbours.meets();
        if let Some(founders) = agreed(neighbours, this)? {
            break founders;
        }
        tokio::select! {
            () = meets => {}
            // A notification may come before it is waited for.
            () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {}
        }
    };
    let records = Seat::founding_records(&voters(&founders));
    directory.create_all(&[(METADATA, &records)], 0).map_err(|error| error.to_string())?;
    neighbours.set_founding(founders);
    Ok(true)
}

/// The founders, once they are known.
fn agreed(neighbours: &Neighbours, this: PeerId) -> Result<Option<Arc<[FoundingVoter]>>, String> {
    let own = FoundingVoter { node: this.node, directory: this.directory };
    let mut all = vec![own];
    let mut is_complete = true;
    for node in neighbours.voters() {
        let Some(met) = neighbours.met(node) else {
            is_complete = false;
            continue;
        };
        if let Some(founding) = met.founding {
            if founding.contains(&own) {
                return Ok(Some(founding));
            }
            return Err(format!(
                "broker {node} belongs to a cluster that began without this data directory ({}); \
                 a broker that has lost its data comes back when it was removed from the cluster",
                this.directory
            ));
        }
        all.push(FoundingVoter { node, directory: met.id.directory });
    }
    all.sort_unstable_by_key(|voter| voter.node);
    Ok(is_complete.then(|| all.into()))
}

fn voters(founders: &[FoundingVoter]) -> Voters {
    let id = |voter: &FoundingVoter| ReplicaId {
        broker: voter.node,
        life: 0,
        directory: voter.directory.0,
    };
    Voters::of(founders.iter().map(id).collect::<Vec<_>>())
}

/// With whom the metadata log began that is here.
fn known(directory: &Directory) -> Option<Arc<[FoundingVoter]>> {
    directory.state().group(&METADATA, |group| {
        let named = group?.controls.iter().find(|entry| !entry.payload.is_empty())?;
        Some(Seat::founders(named))
    })
}

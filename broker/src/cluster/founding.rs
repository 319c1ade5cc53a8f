//! How a metadata log begins.
//!
//! A broker that is alone begins it by itself. Among others each of the brokers that the
//! configuration names waits until it has met all of them, with their data directories; then they
//! begin it, each with the same voters. Who comes later, and finds that another one has begun,
//! begins with that one's voters, if it is one of them with its directory: one whose directory was
//! lost is not, and must not vote as if it had forgotten nothing. It begins as all do that the
//! configuration doesn't name: without voters, as somebody who is sent the log once it is known.
//!
//! Must always hold: whoever begins the log as a voter begins it with the same voters as all
//! others.

use std::sync::Arc;
use std::time::Duration;

use logboom_raft::{ReplicaId, Voters};
use logboom_storage::{Directory, StorageError};

use super::metadata_log::METADATA;
use super::neighbours::Neighbours;
use crate::partition::{Seat, Surroundings};
use crate::peer::{FoundingVoter, PeerId};

/// How often the voters that were met are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

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

/// Begins the metadata log of a broker among others, if there is none; returns whether it is new.
/// One that the configuration names waits for the other voters.
///
/// # Errors
/// What the storage says, or that the directory has the metadata of a broker that was alone.
pub(crate) async fn begin_among_others(
    directory: &Directory,
    neighbours: &Neighbours,
    this: PeerId,
    around: &dyn Surroundings,
) -> Result<bool, String> {
    if let Some(known) = known(directory) {
        if !known.is_empty() {
            neighbours.set_founding(known);
        }
        return Ok(false);
    }
    let own = FoundingVoter { node: this.node, directory: this.directory };
    if directory.state().group(&METADATA, |group| group.is_some()) {
        if !neighbours.names_this() {
            return Err("the data directory is that of a broker that was alone, and has its own \
                        metadata; a broker begins in a cluster with an empty one, or \
                        controller.quorum.voters names it, and others join it"
                .to_owned());
        }
        // It was alone, and goes on as the one voter that there is.
        neighbours.set_founding([own].into());
        return Ok(false);
    }
    let founders = match neighbours.names_this() {
        true => agree(neighbours, this, around).await,
        false => None,
    };
    let voters = founders.as_deref().map_or_else(|| Voters::of([]), voters);
    let records = Seat::founding_records(&voters);
    directory.create_all(&[(METADATA, &records)], 0).map_err(|error| error.to_string())?;
    match founders {
        Some(founders) => neighbours.set_founding(founders),
        None => tracing::info!("this broker follows the metadata log, and has no vote in it"),
    }
    Ok(true)
}

/// Waits for the other voters; gives the founders, or nobody where others are the founders.
async fn agree(
    neighbours: &Neighbours,
    this: PeerId,
    around: &dyn Surroundings,
) -> Option<Arc<[FoundingVoter]>> {
    loop {
        let meets = neighbours.meets();
        match look_around(neighbours, this) {
            Around::Founders(founders) => return Some(founders),
            Around::Begun => return None,
            Around::Incomplete => {}
        }
        tokio::select! {
            biased;
            () = meets => {}
            // A notification may come before it is waited for.
            () = around.pause(LOOK_EVERY) => {}
        }
    }
}

/// What is known of the other voters.
enum Around {
    /// Some haven't been met.
    Incomplete,
    /// These found the metadata log, or have done so, this broker among them.
    Founders(Arc<[FoundingVoter]>),
    /// Others have begun it, without this data directory.
    Begun,
}

fn look_around(neighbours: &Neighbours, this: PeerId) -> Around {
    let own = FoundingVoter { node: this.node, directory: this.directory };
    let mut all = vec![own];
    let mut is_complete = true;
    for node in neighbours.voters() {
        let Some(met) = neighbours.met(node) else {
            is_complete = false;
            continue;
        };
        if let Some(founding) = met.founding {
            let is_own = founding.contains(&own);
            return if is_own { Around::Founders(founding) } else { Around::Begun };
        }
        if met.cluster.is_some() {
            return Around::Begun;
        }
        all.push(FoundingVoter { node, directory: met.id.directory });
    }
    all.sort_unstable_by_key(|voter| voter.node);
    if is_complete { Around::Founders(all.into()) } else { Around::Incomplete }
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

//! Votes, as they are sent: whoever leads has a majority of them, and nobody has given two.
//!
//! A voter is a replica in one life and one data directory. What comes with another directory has
//! forgotten its votes, and is another voter.

use std::collections::BTreeMap;

use logboom_raft::{Body, Group, Message, ReplicaId};

use super::cluster::Cluster;
use super::oracle::Violation;
use crate::peer::GroupMessage;

/// The votes of a group.
#[derive(Default)]
pub(super) struct Votes {
    /// For whom each has voted in an epoch.
    given: BTreeMap<(i32, ReplicaId), ReplicaId>,
}

impl Votes {
    fn note(&mut self, message: &Message) -> Result<(), Violation> {
        let Message { from, to, epoch, body } = message;
        match body {
            Body::VoteReply(reply) if reply.granted && !reply.pre => self.give(*epoch, *from, *to),
            _ => Ok(()),
        }
    }

    fn give(&mut self, epoch: i32, from: ReplicaId, to: ReplicaId) -> Result<(), Violation> {
        match *self.given.entry((epoch, from)).or_insert(to) {
            known if known == to => Ok(()),
            known => Err(format!("{from} votes for {to} in {epoch}, and has for {known}")),
        }
    }

    /// A replica leads in its epoch.
    pub(super) fn check_elected(&mut self, group: &Group) -> Result<(), Violation> {
        let (own, epoch, voters) = (group.id(), group.epoch(), group.voters());
        self.give(epoch, own, own)?;
        let votes = |id| self.given.get(&(epoch, id)) == Some(&own);
        let is_elected = voters.have_majority(votes);
        if is_elected {
            Ok(())
        } else {
            Err(format!("{own} leads in {epoch} of {voters}, unelected"))
        }
    }
}

impl Cluster {
    /// Notes the votes that a broker sends.
    pub(super) fn note_votes(
        &mut self,
        at: usize,
        messages: &[GroupMessage],
    ) -> Result<(), Violation> {
        for GroupMessage { key, message, .. } in messages {
            if !matches!(message.body, Body::VoteReply(_)) {
                continue;
            }
            let known = self.subjects.iter_mut().enumerate().find(|(_, it)| it.key == *key);
            let Some((group, subject)) = known else { continue };
            let noted = subject.votes.note(message);
            noted.map_err(|what| format!("group {group} at {at}: {what}"))?;
        }
        Ok(())
    }
}

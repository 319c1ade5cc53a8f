//! The task that is a member of the group: it joins, has the front tell the listener what it gets
//! and loses, stays, and leaves.
//!
//! ```text
//!   subscribe ─▶ join ─▶ Revoke, Assign ─▶ stay ─┬─ the group shares anew ─▶ (Revoke) ─▶ join
//!                 ▲           │ let go of some   ├─ membership lost ─▶ Lose ─▶ join
//!                 └───────────┘ (cooperative)    ├─ nobody asks for records ─▶ Lose, leave, wait
//!                                                └─ unsubscribed, closed ─▶ leave
//! ```
//!
//! **Invariant:** the group is asked for partitions anew only when the front has let go of those
//! that it isn't to keep.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use logboom_client::{
    Assignment, Beat, ClientConfig, ClientError, Cluster, GroupMember, Joined, Remedy,
};
use logboom_protocol::ErrorCode;

use crate::config::ConsumerConfig;
use crate::shared::{Alive, Shared};
use crate::state::{Life, State, StepKind, Subscription};
use crate::topics::Topics;
use crate::{ConsumerError, TopicPartition};

/// Why a member doesn't go on as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interrupt {
    Closing,
    Unsubscribed,
    /// Other topics are wanted, or match.
    Resubscribed,
    /// Nobody has asked for records for too long.
    PollInterval,
}

/// How often it is looked at whether records are asked for, as a part of the interval, and the
/// limits of that.
const WATCH_PART: u32 = 16;
const WATCH_MIN: Duration = Duration::from_millis(5);
const WATCH_MAX: Duration = Duration::from_secs(5);

/// Whether anybody asks for records.
struct PollWatch {
    seen: u64,
    since: Instant,
}

impl PollWatch {
    fn new() -> Self {
        Self { seen: 0, since: Instant::now() }
    }

    /// Waits until nobody has asked for so long. Cancel-safe.
    async fn exceeded(&mut self, shared: &Shared, limit: Duration) {
        let pause = (limit / WATCH_PART).clamp(WATCH_MIN, WATCH_MAX);
        loop {
            let polls = shared.polls();
            if polls != self.seen {
                (self.seen, self.since) = (polls, Instant::now());
            } else if self.since.elapsed() >= limit {
                return;
            } else {
                // Whoever waits asks again, which shows that it is there.
                shared.update(|state| state.signals.front = true);
            }
            sleep(pause).await;
        }
    }
}

/// The task.
pub(crate) struct Membership {
    shared: Arc<Shared>,
    cluster: Cluster,
    config: Arc<ConsumerConfig>,
    group: String,
    wish: Wish,
    /// The topics of the wish that there are, as far as is known.
    found: Vec<String>,
    /// Those of them that the last look hasn't seen.
    missed: BTreeSet<String>,
    watch: PollWatch,
    /// How often the group hasn't taken it since it was taken last.
    refusals: u32,
    /// Topics that weren't shared, of which a warning was given.
    warned_of: BTreeSet<String>,
}

/// What the application wants of the group.
#[derive(Debug, Clone, Default)]
struct Wish {
    topics: Topics,
    /// [`State::farewells`] when it was wished.
    farewells: u64,
}

impl Membership {
    pub(crate) fn new(
        shared: Arc<Shared>,
        cluster: Cluster,
        config: Arc<ConsumerConfig>,
        group: String,
    ) -> Self {
        Self {
            shared,
            cluster,
            config,
            group,
            wish: Wish::default(),
            found: Vec::new(),
            missed: BTreeSet::new(),
            watch: PollWatch::new(),
            refusals: 0,
            warned_of: BTreeSet::new(),
        }
    }

    /// Is a member whenever topics are subscribed to, until the consumer is closed.
    pub(crate) async fn run(mut self) {
        let _alive = Alive::new(&self.shared, "the membership");
        while let Some(wish) = self.wish().await {
            self.wish = wish;
            let config = self.config.member(&self.group, Vec::new());
            let mut member = GroupMember::new(self.cluster.clone(), config);
            let committer = member.committer();
            self.shared.update(|state| state.member = Some(committer));
            self.watch = PollWatch::new();
            let stop = self.take_part(&mut member).await;
            // Before the group hears of it, and gives to others what this one has.
            let lost = (stop == Interrupt::PollInterval).then(|| self.lose_by_poll_interval());
            self.leave(member).await;
            if let Some(step) = lost {
                self.wait_until_heard(step).await;
            }
        }
    }

    /// Waits for topics; `None` when the consumer is closed.
    async fn wish(&self) -> Option<Wish> {
        loop {
            let wish = self.shared.update(|state| match (&state.subscription, state.life) {
                (_, Life::Closing) => Some(None),
                (Subscription::Topics(topics), Life::Open) => {
                    let (topics, farewells) = (topics.clone(), state.farewells);
                    Some(Some(Wish { topics, farewells }))
                }
                _ => None,
            });
            match wish {
                Some(wish) => return wish,
                None => self.shared.group.notified().await,
            }
        }
    }

    async fn take_part(&mut self, member: &mut GroupMember) -> Interrupt {
        let mut kept = Assignment::new();
        loop {
            let mut turn = self.turn(member, &mut kept).await;
            if turn == Err(Interrupt::Resubscribed) {
                turn = self.prepare(&mut kept).await;
            }
            if let Err(stop) = turn {
                return stop;
            }
        }
    }

    /// From one rebalance to the next.
    async fn turn(
        &mut self,
        member: &mut GroupMember,
        kept: &mut Assignment,
    ) -> Result<(), Interrupt> {
        if let Err(error) = self.look().await? {
            return self.fall_out(error, kept).await;
        }
        member.subscribe(self.found.clone());
        let joined = tokio::select! {
            joined = member.join_keeping(kept) => joined,
            stop = self.interrupted() => return Err(stop),
        };
        let joined = match joined {
            Ok(joined) => joined,
            Err(error) => return self.fall_out(error, kept).await,
        };
        self.refusals = 0;
        self.tell_of_unshared(&joined);
        if self.apply(&joined).await? {
            *kept = self.owned();
            return Ok(());
        }
        let beat = tokio::select! {
            beat = member.disturbed() => beat,
            found = self.others() => {
                self.found = found;
                return Err(Interrupt::Resubscribed);
            }
            stop = self.interrupted() => return Err(stop),
        };
        tracing::debug!(group = self.group, ?beat, "the group shares anew");
        match beat {
            Beat::Steady | Beat::Rebalance => self.prepare(kept).await,
            Beat::Lost => self.lose(kept).await,
        }
    }

    /// Looks which topics there are that are wanted. One that was there stays until a second look
    /// misses it: a broker that lags doesn't know it yet.
    async fn look(&mut self) -> Result<Result<(), ClientError>, Interrupt> {
        let (topics, cluster) = (self.wish.topics.clone(), self.cluster.clone());
        let excludes_internal = self.config.excludes_internal;
        let found = tokio::select! {
            found = topics.find(&cluster, excludes_internal) => found,
            stop = self.interrupted() => return Err(stop),
        };
        let mut found = match found {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let is_missed = |topic: &&String| topics.wants(topic) && !found.contains(topic);
        let missed: BTreeSet<String> = self.found.iter().filter(is_missed).cloned().collect();
        found.extend(missed.difference(&self.missed).cloned());
        found.sort_unstable();
        (self.found, self.missed) = (found, missed);
        Ok(Ok(()))
    }

    /// Waits for other topics to match than were found, and returns them. They are looked for as
    /// often as what is known of a topic is renewed (`metadata.max.age.ms`); where some are missed
    /// a second look follows, as with [`Self::look`].
    fn others(&self) -> impl Future<Output = Vec<String>> + use<> {
        let (topics, cluster) = (self.wish.topics.clone(), self.cluster.clone());
        let (before, excludes_internal) = (self.found.clone(), self.config.excludes_internal);
        let mut has_missed = !self.missed.is_empty();
        async move {
            if !topics.has_patterns() {
                return pending().await;
            }
            let ClientConfig { metadata_age_max, retry_backoff_max, .. } = *cluster.config();
            loop {
                let pause = if has_missed { Duration::ZERO } else { metadata_age_max };
                sleep(pause.max(retry_backoff_max)).await;
                let Ok(found) = topics.find(&cluster, excludes_internal).await else { continue };
                let misses = before.iter().any(|topic| !found.contains(topic));
                if found != before && (has_missed || !misses) {
                    return found;
                }
                has_missed = misses;
            }
        }
    }

    /// Topics of which no partitions are given: the application hears of those of its own that it
    /// may not read. Those of other members, and those that may yet come, are warned of.
    fn tell_of_unshared(&mut self, joined: &Joined) {
        if let Some(error) = refusal(&self.found, &joined.unshared) {
            self.shared.update(|state| state.tell(None, error.into()));
        }
        for (topic, &code) in &joined.unshared {
            if !self.warned_of.insert(topic.clone()) {
                continue;
            }
            let group = self.group.as_str();
            if code.is_retriable() {
                tracing::warn!(group, topic, %code, "a topic isn't there, and is waited for");
            } else {
                tracing::warn!(group, topic, %code, "a topic can't be shared");
            }
        }
    }

    /// The front learns what has changed; whether it has let go of something that the group shares
    /// next.
    async fn apply(&mut self, joined: &Joined) -> Result<bool, Interrupt> {
        metrics::counter!("logboom_consumer_rebalances_total").increment(1);
        let owned: BTreeSet<_> =
            self.shared.update(|state| state.shared_places()).into_iter().collect();
        let given: BTreeSet<_> = places(&joined.assignment).collect();
        let (generation, assignor) = (joined.generation, joined.assignor);
        let count = given.len();
        tracing::info!(group = self.group, generation, %assignor, partitions = count, "joined");
        let gone: Vec<_> = owned.difference(&given).cloned().collect();
        let new: Vec<_> = given.difference(&owned).cloned().collect();
        let lets_go = !gone.is_empty();
        self.step(StepKind::Revoke, gone).await?;
        self.step(StepKind::Assign, new).await?;
        Ok(lets_go)
    }

    /// Lets go, before the group shares anew, of what isn't kept meanwhile.
    async fn prepare(&mut self, kept: &mut Assignment) -> Result<(), Interrupt> {
        let is_kept = |place: &TopicPartition| {
            self.config.is_cooperative() && self.wish.topics.wants(&place.topic)
        };
        let owned = self.shared.update(|state| state.shared_places());
        let gone = owned.into_iter().filter(|place| !is_kept(place)).collect();
        let result = self.step(StepKind::Revoke, gone).await;
        *kept = self.owned();
        result
    }

    async fn lose(&mut self, kept: &mut Assignment) -> Result<(), Interrupt> {
        kept.clear();
        let owned = self.shared.update(|state| state.shared_places());
        self.step(StepKind::Lose, owned).await
    }

    /// The group doesn't take it, or not now.
    async fn fall_out(
        &mut self,
        error: ClientError,
        kept: &mut Assignment,
    ) -> Result<(), Interrupt> {
        let is_for_good = is_for_good(&error);
        if error.is_lost_membership() && !is_for_good {
            return self.lose(kept).await;
        }
        if !is_for_good {
            self.shared.update(|state| state.tell(None, error.into()));
            self.lose(kept).await?;
            return self.rest().await;
        }
        self.shared.update(|state| state.end_by(error.into()));
        // There is nothing to do until the application wants something else.
        let mut stop = self.lose(kept).await.err().unwrap_or(Interrupt::PollInterval);
        while stop == Interrupt::PollInterval {
            self.watch = PollWatch::new();
            stop = self.interrupted().await;
        }
        self.shared.update(State::begin_anew);
        Err(stop)
    }

    /// Pauses before the group is asked again, longer each time until it takes this one.
    async fn rest(&mut self) -> Result<(), Interrupt> {
        let pause = self.cluster.config().backoff(self.refusals);
        self.refusals = self.refusals.saturating_add(1);
        tokio::select! {
            () = sleep(pause) => Ok(()),
            stop = self.interrupted() => Err(stop),
        }
    }

    /// Tells the listener by way of the front, and waits until it has heard.
    async fn step(&mut self, kind: StepKind, places: Vec<TopicPartition>) -> Result<(), Interrupt> {
        // Everybody is told of an assignment, even if it brings nothing new.
        if places.is_empty() && kind != StepKind::Assign {
            return Ok(());
        }
        let id = self.shared.update(|state| state.put_step(kind, places));
        self.wait_for(false, |state| state.is_step_done(id).then_some(())).await
    }

    async fn interrupted(&mut self) -> Interrupt {
        match self.wait_for(true, |_| None::<Infallible>).await {
            Ok(never) => match never {},
            Err(stop) => stop,
        }
    }

    /// Waits until the state has what is looked for.
    ///
    /// - `heeds_topics`: whether other topics end it, too.
    async fn wait_for<T>(
        &mut self,
        heeds_topics: bool,
        mut check: impl FnMut(&State) -> Option<T>,
    ) -> Result<T, Interrupt> {
        loop {
            let wish = &mut self.wish;
            let verdict = self.shared.update(|state| {
                check(state).map(Ok).or_else(|| interrupt(state, wish, heeds_topics).map(Err))
            });
            if let Some(verdict) = verdict {
                return verdict;
            }
            tokio::select! {
                () = self.shared.group.notified() => {}
                () = self.watch.exceeded(&self.shared, self.config.poll_interval_max) => {
                    return Err(Interrupt::PollInterval);
                }
            }
        }
    }

    /// So that the others needn't wait for the end of the session. Who keeps a name stays a member
    /// until then, to come back as the same.
    async fn leave(&self, member: GroupMember) {
        self.shared.update(|state| state.member = None);
        if self.config.instance_id.is_some() {
            return;
        }
        if let Err(error) = member.leave().await {
            tracing::debug!(group = self.group, %error, "the group wasn't told of the end");
        }
    }

    /// The application is to hear that it was too slow, and what it has lost; the step by which it
    /// does.
    fn lose_by_poll_interval(&self) -> u64 {
        let limit = self.config.poll_interval_max;
        tracing::warn!(group = self.group, ?limit, "nobody asks for records; leaves the group");
        self.shared.update(|state| {
            state.member = None;
            state.tell(None, ConsumerError::PollInterval { limit });
            state.lose_all()
        })
    }

    /// Waits until the application has heard of a step, or wants something else.
    async fn wait_until_heard(&mut self, id: u64) {
        loop {
            let wish = &mut self.wish;
            let is_over = |state: &mut State| {
                state.is_step_done(id) || interrupt(state, wish, false).is_some()
            };
            if self.shared.update(is_over) {
                return;
            }
            self.shared.group.notified().await;
        }
    }

    fn owned(&self) -> Assignment {
        let mut owned = Assignment::new();
        for place in self.shared.update(|state| state.shared_places()) {
            owned.entry(place.topic.as_ref().to_owned()).or_default().push(place.partition);
        }
        owned
    }
}

/// Of topics that one wants, those that aren't shared and won't be, by the first one's
/// reason.
fn refusal(wanted: &[String], unshared: &BTreeMap<String, ErrorCode>) -> Option<ClientError> {
    let refused =
        |(topic, code): &(&String, &ErrorCode)| wanted.contains(topic) && !code.is_retriable();
    let mut refused = unshared.iter().filter(refused);
    let (first, &code) = refused.next()?;
    let what =
        refused.fold(format!("topic {first}"), |what, (topic, _)| format!("{what}, {topic}"));
    Some(ClientError::Refused { what, code, message: None })
}

/// Whether the application wants something else than it did; other topics become what it wants.
fn interrupt(state: &State, wish: &mut Wish, heeds_topics: bool) -> Option<Interrupt> {
    match &state.subscription {
        _ if state.life == Life::Closing => Some(Interrupt::Closing),
        _ if state.farewells != wish.farewells => Some(Interrupt::Unsubscribed),
        Subscription::Topics(wanted) if heeds_topics && *wanted != wish.topics => {
            wish.topics.clone_from(wanted);
            Some(Interrupt::Resubscribed)
        }
        Subscription::Topics(_) => None,
        Subscription::None | Subscription::Manual => Some(Interrupt::Unsubscribed),
    }
}

/// Whether the group takes this member only when somebody changes what it is, or may: another one
/// has its name, or its settings are refused.
fn is_for_good(error: &ClientError) -> bool {
    match error {
        ClientError::Deadline { last, .. } => is_for_good(last),
        ClientError::UnsupportedVersion { .. } => true,
        ClientError::Refused { code, .. } => matches!(
            *code,
            ErrorCode::FENCED_INSTANCE_ID
                | ErrorCode::INCONSISTENT_GROUP_PROTOCOL
                | ErrorCode::INVALID_GROUP_ID
                | ErrorCode::INVALID_SESSION_TIMEOUT
                | ErrorCode::UNSUPPORTED_VERSION
                | ErrorCode::GROUP_AUTHORIZATION_FAILED
                | ErrorCode::TOPIC_AUTHORIZATION_FAILED
                | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
                | ErrorCode::SASL_AUTHENTICATION_FAILED
        ),
        // What the settings say, as of who one is.
        error => error.remedy() == Remedy::FixCall,
    }
}

fn places(assignment: &Assignment) -> impl Iterator<Item = TopicPartition> {
    assignment.iter().flat_map(|(topic, partitions)| {
        let topic: Arc<str> = topic.as_str().into();
        partitions
            .iter()
            .map(move |&partition| TopicPartition { topic: Arc::clone(&topic), partition })
    })
}

#[cfg(test)]
mod tests;

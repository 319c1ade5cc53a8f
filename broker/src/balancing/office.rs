//! What the broker that decides does about balancing: when a plan is made, and what of it may go.
//!
//! A plan is kept in memory only. What is under way is in the metadata, and so is what operators
//! ask for: whoever decides next makes a plan from there, and goes on.
//!
//! Must always hold: without being asked only what the triggers say is moved; nothing is moved to
//! a broker that isn't in contact.

mod beside;
mod carried;
mod endless;
mod rates;
mod unplanned;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use logboom_balance::status::{DrainStatus, Growth, PlanStatus, Status, UnmetStatus};
use logboom_balance::{
    Beside, Limits, Move, MoveKind, Options, PerResource, Rule, Stage, Unmet, next_beside, plan,
};
use logboom_controller::MetadataImage;
use logboom_controller::config::{Effective, StaticConfig};
use logboom_controller::reassignments::{Relocation, RelocationKind};
use logboom_controller::record::ConfigResource;
use logboom_storage::state::GroupKey;

use self::beside::{Leaving, leaving, others, told};
use self::carried::{Carried, Hold};
use self::endless::endless;
use self::rates::rates;
use self::unplanned::{missing_of_internal, offices_of_drained};
use super::figures::{Figures, Prospects};
use super::loads::Loads;
use super::picture::Picture;
use crate::metrics::Metrics;

/// The configuration that asks for a plan of all rules.
pub(super) const ONCE: &str = "balance.once";
const TRIGGERS: &str = "balance.triggers";
/// How many replicas the topic of groups is to have.
const OFFSETS_REPLICAS: &str = "offsets.topic.replication.factor";

/// So many intervals of reports are waited for those who haven't told their loads, and lie between
/// two plans where nothing else asks for one.
const INTERVALS: u64 = 3;
const REST_INTERVALS: u64 = 6;
/// The most plans that are carried out because somebody asked once.
const PLANS_MAX: u32 = 10;
/// After so long another plan is made, whatever holds this one up; what is under way goes on.
const PLAN_MAX_MS: u64 = 600_000;
/// The most moves of one decision.
const MOVES_MAX: usize = 500;
/// The most leaders that a drain hands over in one decision.
const OFFICES_MAX: usize = 2_000;

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Rest,
    /// These moves are to begin.
    Move(Vec<Relocation>),
    /// What was asked for is done: the configuration that asks for it is to go.
    IsDone,
}

/// What is wanted, as far as a plan depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Wanted {
    rules: BTreeSet<Rule>,
    once: bool,
    drained: BTreeSet<i32>,
    lost: BTreeSet<i32>,
    brokers: BTreeSet<i32>,
}

/// What operators had set when moves were decided on: where that has changed meanwhile they don't
/// begin, because another look says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Intent {
    settings: Vec<Option<String>>,
    drained: BTreeSet<i32>,
}

impl Intent {
    /// - `broker`: the one that decides, whose own configuration comes first.
    pub(super) fn of(image: &MetadataImage, broker: i32) -> Self {
        let all = ConfigResource::all_brokers();
        let own = ConfigResource::broker(broker);
        let of = |(resource, name): (&ConfigResource, &str)| {
            image.config_value(resource, name).map(|it| it.to_string())
        };
        let settings = [(&all, ONCE), (&all, TRIGGERS), (&own, TRIGGERS)].map(of).to_vec();
        let ids = image.brokers().map(|broker| broker.id);
        Self { settings, drained: ids.filter(|id| image.is_drained(*id)).collect() }
    }
}

/// The balancer of the broker that decides. Times are milliseconds.
#[derive(Debug)]
pub(super) struct Office {
    began: u64,
    /// Since when brokers have been out of contact, as far as this office has seen it.
    fenced: BTreeMap<i32, u64>,
    wanted: Wanted,
    plan: Option<Carried>,
    /// What should move and can't, as the last plan said.
    unmet: Vec<(GroupKey, Unmet)>,
    /// When the next plan is made though nothing has changed.
    next_plan: u64,
    /// How many of what is wanted are over.
    plans: u32,
    /// The partitions whose new replicas never catch up, as was seen last, and when is looked
    /// again.
    endless: BTreeSet<GroupKey>,
    next_endless: u64,
    /// How brokers stand, as of the last plan.
    prospects: Prospects,
}

/// What the configuration says.
struct Settings {
    interval: u64,
    grace: u64,
    limits: Limits,
}

impl Settings {
    fn of(image: &MetadataImage, file: &StaticConfig) -> Self {
        let config = Effective::new(image, file);
        let number = |name| u64::try_from(config.broker_integer(name)).unwrap_or(0);
        let count = |name| usize::try_from(number(name)).unwrap_or(usize::MAX);
        Self {
            interval: number("balance.report.interval.ms"),
            grace: number("balance.lost.grace.ms"),
            limits: Limits {
                moves: count("balance.moves"),
                moves_per_broker: count("balance.moves.per.broker"),
                rates: rates(image, file),
            },
        }
    }
}

impl Office {
    pub(super) fn new(now: u64) -> Self {
        Self {
            began: now,
            fenced: BTreeMap::new(),
            wanted: Wanted::default(),
            plan: None,
            unmet: Vec::new(),
            next_plan: now,
            plans: 0,
            endless: BTreeSet::new(),
            next_endless: now,
            prospects: Prospects::default(),
        }
    }

    /// Looks at what has changed, and says what is to be done.
    pub(super) fn look(
        &mut self,
        image: &MetadataImage,
        config: &StaticConfig,
        loads: &Loads,
        now: u64,
    ) -> Step {
        let effective = Effective::new(image, config);
        let settings = Settings::of(image, config);
        self.note_contact(image, now);
        if now >= self.next_endless {
            self.next_endless = now + settings.interval;
            self.warn_of_endless(image, config, loads);
        }
        let wanted = self.wanted(image, &effective, settings.grace, now);
        if wanted != self.wanted {
            (self.wanted, self.plan, self.next_plan) = (wanted, None, now);
            // What was in the way may be no longer.
            self.unmet.clear();
            self.plans = 0;
        }
        let unplanned = self.unplanned(image, &effective, loads, &settings);
        if !unplanned.is_empty() {
            return Step::Move(unplanned);
        }
        if self.plan.is_none() && (now < self.next_plan || self.wanted.rules.is_empty()) {
            return Step::Rest;
        }
        // A plan of loads that nobody has told would move things the wrong way, and then back.
        if self.plan.is_none() && !self.knows_all(image, loads, &settings, now) {
            return Step::Rest;
        }
        let picture = match Picture::new(image, loads, &self.wanted.lost) {
            Ok(picture) => picture,
            Err(error) => {
                tracing::warn!(%error, "the cluster can't be balanced");
                self.next_plan = now + REST_INTERVALS * settings.interval;
                return Step::Rest;
            }
        };
        if self.plan.is_none() {
            self.make_plan(&picture, loads, now);
        }
        let leaving = leaving(image, loads);
        if self.plan.is_some() {
            return self.carry_on(&picture, image, &leaving, &settings, now);
        }
        self.next_plan = now + REST_INTERVALS * settings.interval;
        let is_gone = leaving.iter().all(|it| it.is_stuck);
        let is_done = self.wanted.once && is_gone;
        if is_done { Step::IsDone } else { Step::Rest }
    }

    /// What has to be done in any case, and needs no plan.
    fn unplanned(
        &self,
        image: &MetadataImage,
        config: &Effective<'_>,
        loads: &Loads,
        settings: &Settings,
    ) -> Vec<Relocation> {
        let mut offices = Vec::new();
        if self.wanted.rules.contains(&Rule::Drain) {
            offices = offices_of_drained(image, loads, &self.wanted.drained, OFFICES_MAX);
        }
        if offices.is_empty() {
            let replicas = config.broker_integer(OFFSETS_REPLICAS);
            let replicas = usize::try_from(replicas).unwrap_or(0);
            return missing_of_internal(image, loads, replicas, &settings.limits);
        }
        offices
    }

    /// Says once of each move that never ends why, and what helps.
    fn warn_of_endless(&mut self, image: &MetadataImage, config: &StaticConfig, loads: &Loads) {
        let endless = endless(image, config, loads);
        for (key, one) in endless.iter().filter(|(key, _)| !self.endless.contains(key)) {
            tracing::warn!(
                topic = one.topic,
                partition = key.partition,
                leader = one.leader,
                bytes_in = one.bytes_in,
                all_bytes_in = one.all_bytes_in,
                rate = one.bytes_per_second,
                "a new replica never catches up: its partition takes in more than its leader \
                 sends new replicas; raise balance.move.bytes.per.second, or take the move back \
                 with `logboom cluster balance --cancel`, and its rule out of balance.triggers \
                 if one had begun it"
            );
        }
        self.endless = endless.into_iter().map(|(key, _)| key).collect();
    }

    /// Brokers that won't come back in time.
    pub(super) fn lost(&self) -> &BTreeSet<i32> {
        &self.wanted.lost
    }

    fn note_contact(&mut self, image: &MetadataImage, now: u64) {
        let is_out = |id: i32| image.broker(id).is_some() && image.is_fenced(id);
        self.fenced.retain(|id, _| is_out(*id));
        for broker in image.brokers().filter(|broker| image.is_fenced(broker.id)) {
            self.fenced.entry(broker.id).or_insert(now);
        }
    }

    fn wanted(
        &self,
        image: &MetadataImage,
        config: &Effective<'_>,
        grace: u64,
        now: u64,
    ) -> Wanted {
        let once = image.config_value(&ConfigResource::all_brokers(), ONCE);
        let once = once.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let ids = || image.brokers().map(|broker| broker.id);
        let lost = self.fenced.iter().filter(|(_, since)| now >= **since + grace);
        Wanted {
            rules: if once { Rule::ALL.into_iter().collect() } else { triggers(config) },
            once,
            drained: ids().filter(|id| image.is_drained(*id)).collect(),
            lost: lost.map(|(id, _)| *id).collect(),
            brokers: ids().filter(|id| !image.is_fenced(*id)).collect(),
        }
    }

    /// Whether all brokers in contact have told their loads, or had the time to.
    fn knows_all(
        &self,
        image: &MetadataImage,
        loads: &Loads,
        settings: &Settings,
        now: u64,
    ) -> bool {
        let waited = now >= self.began + INTERVALS * settings.interval;
        waited || image.brokers_in_contact().all(|broker| loads.has(broker.id))
    }

    /// Makes a plan, if there is anything that can go.
    fn make_plan(&mut self, picture: &Picture, loads: &Loads, now: u64) {
        let rules = self.wanted.rules.iter().copied().collect();
        let made = plan(&picture.snapshot, &Options { rules, ..Options::default() });
        self.prospects = Prospects::new(picture, &made, growth(loads).as_ref());
        let unmet = made.unmet.into_iter();
        self.unmet = unmet.filter_map(|one| Some((picture.key(one.partition)?, one))).collect();
        if made.moves.is_empty() {
            return;
        }
        if self.wanted.once && self.plans >= PLANS_MAX {
            // It follows loads that change faster than they are moved.
            let moves = made.moves.len();
            tracing::warn!(moves, plans = PLANS_MAX, "balancing once ends with moves left");
            return;
        }
        let bytes = made.moves.iter().map(|one| one.bytes).sum();
        tracing::info!(moves = made.moves.len(), bytes, once = self.wanted.once, "balancing");
        let moves = made.moves.into_iter();
        let moves = moves.filter_map(|one| Some((picture.key(one.partition)?, one))).collect();
        self.plan = Some(Carried::new(moves, bytes, now));
    }

    /// Looks how far the plan is, and what may go now.
    fn carry_on(
        &mut self,
        picture: &Picture,
        image: &MetadataImage,
        leaving: &[Leaving],
        settings: &Settings,
        now: u64,
    ) -> Step {
        let Some(plan) = &mut self.plan else { return Step::Rest };
        let places = places(picture);
        let under_way = plan.find(&places, image);
        let moves: Vec<Move> = plan.moves.iter().map(|(_, one)| *one).collect();
        let own: HashSet<GroupKey> = under_way.iter().map(|place| plan.moves[*place].0).collect();
        let beside = Beside {
            leaving: leaving.iter().map(|it| (it.broker, it.load)).collect(),
            others: others(image, &places, &own),
            away: image.brokers().map(|it| it.id).filter(|id| !image.is_in_contact(*id)).collect(),
            behind: plan.behind(image),
        };
        let progress =
            next_beside(&picture.snapshot, &moves, &under_way, &beside, &settings.limits);
        let now_moves = progress.now().map(|place| &plan.moves[place]);
        let relocations: Vec<Relocation> =
            now_moves.take(MOVES_MAX).map(|(key, one)| relocation(key, one)).collect();
        let hold = Hold::of(&picture.snapshot, &moves, &progress.stages, &beside);
        plan.progress = Some(progress);
        if !relocations.is_empty() {
            return Step::Move(relocations);
        }
        let most = match hold {
            Hold::Nothing => 0,
            // Meanwhile something else may have to be done.
            Hold::Contact => REST_INTERVALS * settings.interval,
            Hold::InSync | Hold::Others => PLAN_MAX_MS,
        };
        if now >= plan.since + most {
            // It is done, or what is left can't go. Another plan may find more to do, once what
            // has moved is measured where it is. One that takes long is only made anew, and not
            // over.
            (self.plan, self.next_plan) = (None, now + 2 * settings.interval);
            self.plans += u32::from(matches!(hold, Hold::Nothing | Hold::InSync));
        }
        Step::Rest
    }

    /// Counts what is left.
    pub(super) fn count(&self, metrics: &Metrics) {
        let (moves, bytes, seconds) = self.plan.as_ref().map_or((0, 0, 0), Carried::left);
        metrics.balance_moves_left.set(moves);
        metrics.balance_bytes_left.set(usize::try_from(bytes).unwrap_or(usize::MAX));
        metrics.balance_seconds_left.set(usize::try_from(seconds).unwrap_or(usize::MAX));
        metrics.balance_unmet.set(self.unmet.len());
    }

    /// What metrics say.
    pub(super) fn figures(&self, image: &MetadataImage, loads: &Loads) -> Figures {
        Figures {
            growth: growth(loads),
            drains: self.drains(image),
            endless: self.endless.len(),
            prospects: self.prospects.clone(),
        }
    }

    fn drains(&self, image: &MetadataImage) -> Vec<DrainStatus> {
        self.wanted.drained.iter().map(|id| drain(image, *id)).collect()
    }

    /// Nothing of what was to begin could: if nothing else is under way, another plan may find a
    /// way, later.
    pub(super) fn give_up(&mut self, interval: i64, now: u64) {
        let stages = self.plan.iter().flat_map(|plan| &plan.progress).flat_map(|it| &it.stages);
        if stages.into_iter().any(|stage| *stage == Stage::UnderWay) {
            return;
        }
        let interval = u64::try_from(interval).unwrap_or(0);
        (self.plan, self.next_plan) = (None, now + 2 * interval);
        self.plans += 1;
    }

    /// How it stands, for operators.
    pub(super) fn status(
        &self,
        image: &MetadataImage,
        config: &StaticConfig,
        loads: &Loads,
        now: u64,
    ) -> Status {
        Status {
            controller: config.broker_id(),
            triggers: triggers(&Effective::new(image, config)).into_iter().collect(),
            once: self.wanted.once,
            plan: self.plan_status(image, now),
            growth: growth(loads),
            rates: rates(image, config),
            drains: self.drains(image),
            endless: endless(image, config, loads).into_iter().map(|(_, one)| one).collect(),
            others: told(image, loads, &self.own(image)),
        }
    }

    /// The partitions of which the plan has something under way.
    fn own(&self, image: &MetadataImage) -> HashSet<GroupKey> {
        let moves = self.plan.iter().flat_map(|plan| &plan.moves);
        moves.filter(|one| carried::is_under_way(image, one)).map(|(key, _)| *key).collect()
    }

    fn plan_status(&self, image: &MetadataImage, now: u64) -> Option<PlanStatus> {
        let unmet = self.unmet.iter().filter_map(|(key, one)| {
            let Unmet { from, rule, obstacle, .. } = *one;
            let topic = name(image, key)?;
            Some(UnmetStatus { topic, index: key.partition, from, rule, obstacle })
        });
        let unmet: Vec<UnmetStatus> = unmet.collect();
        match &self.plan {
            Some(plan) => Some(PlanStatus { unmet, ..plan.status(image, now) }),
            None if unmet.is_empty() => None,
            None => Some(PlanStatus { unmet, ..PlanStatus::default() }),
        }
    }
}

fn name(image: &MetadataImage, key: &GroupKey) -> Option<String> {
    image.topic(key.topic_id).map(|topic| topic.name().to_owned())
}

/// How all loads grow; what shrinks doesn't.
fn growth(loads: &Loads) -> Option<Growth> {
    loads.growth().map(|growth| Growth {
        over_seconds: growth.over_ms / 1_000,
        per_day: PerResource(growth.per_day.0.map(|it| u64::try_from(it).unwrap_or(0))),
    })
}

/// The rules that are followed without being asked.
fn triggers(config: &Effective<'_>) -> BTreeSet<Rule> {
    let list = config.broker_text(TRIGGERS);
    list.split(',').filter_map(|name| Rule::from_name(name.trim())).collect()
}

/// The place of each partition.
fn places(picture: &Picture) -> HashMap<GroupKey, usize> {
    let count = picture.snapshot.partitions().len();
    (0..count).filter_map(|place| Some((picture.key(place)?, place))).collect()
}

fn relocation(key: &GroupKey, one: &Move) -> Relocation {
    let kind = match one.kind {
        MoveKind::Leader => RelocationKind::Leader,
        MoveKind::Replica { .. } => RelocationKind::Replica,
    };
    let (topic_id, index) = (key.topic_id, key.partition);
    Relocation { topic_id, index, kind, from: one.from, to: one.to }
}

fn drain(image: &MetadataImage, broker: i32) -> DrainStatus {
    let mut status = DrainStatus { broker, replicas: 0, leaders: 0, moving: 0 };
    for (_, _, partition) in image.partitions_of(broker) {
        status.replicas += 1;
        status.leaders += u64::from(partition.leader == broker);
        status.moving += u64::from(!partition.wish().0.contains(&broker));
    }
    status
}

#[cfg(test)]
mod tests;

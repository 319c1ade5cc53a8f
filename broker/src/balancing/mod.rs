//! Weighted balancing: what is measured on every broker, and what the one that decides moves.
//!
//! ```text
//!   partitions ─▶ meter ─▶ report ──── call ────▶ loads ─┐        on the broker that decides
//!                                     metadata image ────┴▶ picture ─▶ logboom_balance::plan
//!                                          ▲                              │ moves
//!                                          └── decisions ◀── office ◀── logboom_balance::next
//! ```
//!
//! One thread measures and reports, and where this broker decides, balances. What operators want
//! of it are configurations; how it stands is asked for by the admin listener of any broker.
//!
//! Must always hold: nothing here is waited for by those who serve clients; what is planned and
//! known here may be lost at any time, and then is made and told anew.

mod addressee;
mod disk;
mod figures;
mod kept;
mod loads;
mod means;
mod meter;
mod office;
mod pages;
mod picture;
mod placing;
mod report;
#[cfg(test)]
mod samples;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use logboom_balance::snapshot::AMOUNT_MAX;
use logboom_controller::config::Effective;
use logboom_controller::reassignments::{Relocation, RelocationKind, relocate};
use logboom_controller::record::ConfigResource;
use logboom_controller::{Decision, MetadataImage, MetadataRecord};
use logboom_storage::state::GroupKey;

use crate::clock::boot_ms;
use crate::cluster::{ANSWER_MAX, AskError, ControllerError, Request};
use crate::limits;
use crate::node::{Node, random_bytes};
use crate::threads::spawn;

use self::addressee::Addressee;
pub(crate) use self::figures::Figures;
use self::loads::Loads;
use self::meter::{Meter, Reading};
use self::office::{Intent, ONCE, Office, Step};
pub(crate) use self::pages::PageOf;
use self::pages::{PAGE_BYTES_MAX, Pages, gather};
use self::picture::Picture;
pub(crate) use self::placing::Placing;
use self::report::LOADS_MAX;
pub(crate) use self::report::{Form, LoadReport, Means};

/// Between two looks at whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two looks at a plan while nothing has changed.
const PLAN_LOOK_MS: u64 = 1_000;
/// After a look it rests so many times as long as that took.
const RESTS: u64 = 9;
/// Up to so many brokers every answer to a report says what all may have, and one in two up to
/// twice as many, and so on.
const MEANS_OFTEN: u64 = 100;
/// How long one call may take.
const CALL_MAX: Duration = Duration::from_secs(2);

/// What operators ask about balancing, with its number in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// The snapshot of which plans are made.
    Snapshot = 0,
    /// How it stands with what is moved.
    Status = 1,
}

impl Question {
    pub(crate) fn of(number: u8) -> Option<Self> {
        [Self::Snapshot, Self::Status].into_iter().find(|question| *question as u8 == number)
    }
}

/// What comes to the thread.
#[derive(Debug)]
enum Message {
    /// A broker says what its loads are.
    Report(i32, LoadReport),
    /// An operator asks.
    Ask(Question, oneshot::Sender<String>),
}

/// Where the thread is reached.
#[derive(Debug)]
pub(crate) struct Balancing {
    messages: mpsc::Sender<Message>,
    /// The number of the office of this broker; 0 where it doesn't decide.
    office: AtomicU64,
    /// What other brokers read page by page.
    pages: Mutex<Pages>,
    /// What brokers may have, as far as it is known here, whoever decides.
    means: Mutex<means::Table>,
    /// What metrics say.
    figures: Mutex<Figures>,
}

/// What the thread hears.
pub(crate) struct Inbox(mpsc::Receiver<Message>);

/// The most that waits for the thread.
const MESSAGES_MAX: usize = 1_000;

impl Balancing {
    pub(crate) fn new() -> (Self, Inbox) {
        let (messages, inbox) = mpsc::channel(MESSAGES_MAX);
        let (office, pages) = (AtomicU64::new(0), Mutex::default());
        let (means, figures) = (Mutex::default(), Mutex::default());
        (Self { messages, office, pages, means, figures }, Inbox(inbox))
    }

    fn office(&self) -> Option<u64> {
        Some(self.office.load(Ordering::Acquire)).filter(|office| *office != 0)
    }

    /// Notes what a broker says of its loads; the answer to it, `None` where nobody decides here.
    pub(crate) fn note(&self, broker: i32, report: LoadReport) -> Option<Bytes> {
        let office = self.office()?;
        // Who told another office what it has begins anew.
        let is_last = report.is_last && report.office.is_none_or(|told| told == office);
        let report = LoadReport { is_last, ..report };
        self.messages.try_send(Message::Report(broker, report)).ok()?;
        let mut answer = BytesMut::new();
        answer.put_u64(office);
        let means = lock(&self.means);
        // In a large cluster not each time.
        if boot_ms().is_multiple_of(1 + means.len() as u64 / MEANS_OFTEN) {
            means::encode(&means, &mut answer);
        }
        Some(answer.freeze())
    }

    /// What metrics say.
    pub(crate) fn figures(&self) -> Figures {
        lock(&self.figures).clone()
    }

    /// Answers an operator, `None` where nobody decides here.
    pub(crate) async fn answer(&self, question: Question) -> Option<String> {
        self.office()?;
        let (answer, answered) = oneshot::channel();
        self.messages.try_send(Message::Ask(question, answer)).ok()?;
        answered.await.ok()
    }

    /// Answers an operator of another broker with a page, `None` where nobody decides here.
    pub(crate) async fn page(&self, question: Question, of: PageOf) -> Option<Bytes> {
        if of.number != 0 {
            let page = self.pages().go_on(of, PAGE_BYTES_MAX, boot_ms());
            return Some(page.map(|page| page.encode()).unwrap_or_default());
        }
        let text = self.answer(question).await?;
        Some(self.pages().begin(text, PAGE_BYTES_MAX, boot_ms()).encode())
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        lock(&self.pages)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks the broker that decides for an operator.
///
/// # Errors
/// Why there is no answer, in words.
pub(crate) async fn ask(node: &Node, question: Question) -> Result<String, String> {
    if let Some(answer) = node.balancing.answer(question).await {
        return Ok(answer);
    }
    let Some(others) = &node.others else { return Err("nothing is known yet".to_owned()) };
    match others.ask(&Request::Balance(question), ANSWER_MAX).await {
        Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        // The answer may be larger than what brokers send each other. Those before didn't know of
        // pages, so these are asked for last.
        Err(AskError::Unknown) => {
            let ask = |of| async move {
                let page = others.ask(&Request::BalancePage(question, of), ANSWER_MAX).await;
                page.map_err(why)
            };
            gather(ask).await
        }
        Err(error) => Err(why(error)),
    }
}

fn why(error: AskError) -> String {
    match error {
        AskError::Nobody => "nobody decides at this moment".to_owned(),
        AskError::Refused(why) => why,
        AskError::Unknown => "the broker that decides gave no answer".to_owned(),
    }
}

/// Starts the thread; it ends when the broker stops.
///
/// # Errors
/// What the system says to a new thread.
pub(crate) fn start(node: &Arc<Node>, inbox: Inbox) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let node = Arc::clone(node);
    spawn("balancer", move || {
        let mut stopping = node.stopping.clone();
        runtime.block_on(async {
            tokio::select! {
                () = Balancer::new(&node, inbox).run() => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        });
    })
}

/// What the thread works with.
struct Balancer<'a> {
    node: &'a Node,
    inbox: Inbox,
    meter: Meter,
    room: disk::Room,
    addressee: Addressee,
    /// When it is measured next.
    next_report: u64,
    /// What this broker knows and does as the one that decides.
    loads: Loads,
    office: Option<Office>,
    /// The image that was looked at last, and when.
    seen: Option<(Arc<MetadataImage>, u64)>,
    /// Until when nothing is looked at.
    rests_until: u64,
}

impl<'a> Balancer<'a> {
    fn new(node: &'a Node, inbox: Inbox) -> Self {
        Self {
            node,
            inbox,
            meter: Meter::default(),
            room: disk::Room::default(),
            addressee: Addressee::default(),
            next_report: boot_ms(),
            loads: Loads::default(),
            office: None,
            seen: None,
            rests_until: 0,
        }
    }

    async fn run(mut self) {
        loop {
            self.take_office();
            if boot_ms() >= self.next_report {
                self.report().await;
            }
            self.balance().await;
            if let Ok(message) = timeout(LOOK_EVERY, self.inbox.0.recv()).await {
                message.into_iter().for_each(|message| self.hear(message));
                while let Ok(message) = self.inbox.0.try_recv() {
                    self.hear(message);
                }
                self.tell();
            }
            self.node.balancing.pages().forget(boot_ms());
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Report(broker, report) => self.loads.note(broker, report),
            Message::Ask(question, answer) => {
                // Without one, and where nobody waits any more, the sender is dropped.
                _ = self.answer(question).map(|text| answer.send(text));
            }
        }
    }

    /// Tells others on this broker what is known, where it decides.
    fn tell(&self) {
        self.node.placement.tell(self.loads.sums());
        if self.office.is_some() {
            let (mut means, image) = (lock(&self.node.balancing.means), self.node.image());
            means.extend(self.loads.all_means());
            means.retain(|id, _| image.broker(*id).is_some());
        }
    }

    fn answer(&self, question: Question) -> Option<String> {
        let (office, image) = (self.office.as_ref()?, self.node.image());
        match question {
            Question::Status => {
                let status = office.status(&image, &self.node.config, &self.loads, boot_ms());
                Some(status.to_string())
            }
            Question::Snapshot => {
                let picture = Picture::new(&image, &self.loads, office.lost());
                picture.ok().map(|picture| picture.snapshot.to_string())
            }
        }
    }

    /// Begins an office where this broker decides from now on, and ends it where it doesn't.
    fn take_office(&mut self) {
        let decides = self.node.controller.decides();
        if decides == self.office.is_some() {
            return;
        }
        self.loads = match decides {
            true => {
                // What was told since is newer.
                let mut known = kept::table(&self.node.image());
                known.extend(lock(&self.node.balancing.means).clone());
                Loads::remembering(known)
            }
            false => Loads::default(),
        };
        self.seen = None;
        Office::new(0).count(&self.node.metrics);
        *lock(&self.node.balancing.figures) = Figures::default();
        self.office = decides.then(|| Office::new(boot_ms()));
        self.tell();
        let number = if decides { u64::from_be_bytes(random_bytes()) | 1 } else { 0 };
        self.node.balancing.office.store(number, Ordering::Release);
        if decides {
            // Its own come first.
            self.next_report = boot_ms();
        }
    }

    /// Measures, and tells what is new.
    async fn report(&mut self) {
        let interval = self.node.integer("balance.report.interval.ms");
        self.next_report = boot_ms() + u64::try_from(interval).unwrap_or(u64::MAX >> 1);
        let image = self.node.image();
        let (all, broker) = (self.node.registry.all(), self.node.config.broker_id());
        self.meter.measure(all.iter().map(|it| Reading::of(it)), &image, broker, boot_ms());
        let free = limits::free_bytes(self.node.directory.root()).ok();
        let means = means(self.node, self.room.bytes(self.meter.disk_bytes(), free));
        if self.office.is_some() {
            self.loads.prune(&image);
            self.keep(&image).await;
        }
        loop {
            let mut news = self.meter.news();
            let is_last = news.len() <= LOADS_MAX;
            news.truncate(LOADS_MAX);
            let (growth, loads) = (self.meter.growth(), news.clone());
            let office = Some(self.addressee.office().unwrap_or(0));
            let report = LoadReport { office, is_last, means, growth, loads };
            let Some(office) = self.deliver(report).await else { return };
            let is_same = self.addressee.is_still(office);
            if !is_same {
                self.meter.forget_told();
            }
            self.meter.told(&news);
            if is_same && is_last {
                return;
            }
        }
    }

    /// Has the metadata keep what brokers may have, where there are others that may ask for it.
    async fn keep(&self, image: &MetadataImage) {
        let told = self.loads.told_means();
        if self.node.others.is_none() || kept::records(image, &told).is_empty() {
            return;
        }
        let decide = move |image: &MetadataImage| Decision {
            records: kept::records(image, &told),
            response: (),
        };
        if let Err(error) = self.node.controller.decide(decide).await {
            tracing::debug!(%error, "what brokers may have isn't kept yet");
        }
    }

    /// Tells the broker that decides; returns its office, `None` where nobody has heard it.
    async fn deliver(&mut self, report: LoadReport) -> Option<u64> {
        let node = self.node;
        let mut answer = match &node.others {
            Some(others) if !node.controller.decides() => {
                let ask = async |form| {
                    let request = Request::Loads(report.clone(), form);
                    others.ask(&request, CALL_MAX).await
                };
                self.addressee.tell(ask).await?
            }
            _ => node.balancing.note(node.config.broker_id(), report)?,
        };
        let office = answer.try_get_u64().ok()?;
        if let Some(table) = means::decode(answer) {
            // Who decides since a moment ago may know less.
            lock(&node.balancing.means).extend(table);
        }
        Some(office)
    }

    /// Looks at the plan, where this broker decides, and has it go on.
    async fn balance(&mut self) {
        let (image, now) = (self.node.image(), boot_ms());
        let is_seen = self
            .seen
            .as_ref()
            .is_some_and(|(seen, at)| Arc::ptr_eq(seen, &image) && now < at + PLAN_LOOK_MS);
        if is_seen || now < self.rests_until {
            return;
        }
        let Some(office) = &mut self.office else { return };
        let step = office.look(&image, &self.node.config, &self.loads, now);
        office.count(&self.node.metrics);
        *lock(&self.node.balancing.figures) = office.figures(&image, &self.loads);
        self.seen = Some((Arc::clone(&image), now));
        self.rests_until = now + (RESTS + 1) * (boot_ms() - now);
        let done = match step {
            Step::Rest => return,
            Step::Move(moves) => {
                for one in moves.iter().filter(|one| one.kind == RelocationKind::Replica) {
                    let key = GroupKey { topic_id: one.topic_id, partition: one.index };
                    self.loads.expect(&key, one.from, one.to);
                }
                self.begin_moves(moves, &image).await
            }
            Step::IsDone => self.end_once().await,
        };
        if let Err(error) = done {
            tracing::info!(%error, "balancing waits");
        }
    }

    /// - `seen`: of which they were planned.
    async fn begin_moves(
        &mut self,
        moves: Vec<Relocation>,
        seen: &Arc<MetadataImage>,
    ) -> Result<(), ControllerError> {
        let (id, seen) = (self.node.config.broker_id(), Arc::clone(seen));
        let decide = move |image: &MetadataImage| begin(image, &moves, &seen, id);
        let Some(begun) = self.node.controller.decide(decide).await? else { return Ok(()) };
        self.node.metrics.balance_moves.add(begun);
        if let Some(office) = self.office.as_mut().filter(|_| begun == 0) {
            office.give_up(self.node.integer("balance.report.interval.ms"), boot_ms());
        }
        Ok(())
    }

    /// Removes the configuration that asked for a plan.
    async fn end_once(&self) -> Result<(), ControllerError> {
        let decide = |image: &MetadataImage| {
            let resource = ConfigResource::all_brokers();
            let is_set = image.config_value(&resource, ONCE).is_some();
            let record = MetadataRecord::Config { resource, name: ONCE.into(), value: None };
            let records = if is_set { vec![record] } else { Vec::new() };
            Decision { records, response: () }
        };
        self.node.controller.decide(decide).await?;
        tracing::info!("balancing that was asked for is over");
        Ok(())
    }
}

/// Begins moves as far as they can, if what operators want is as it was when they were planned;
/// `None` where it isn't. Where somebody else has a partition moved since, that stands.
///
/// - `seen`: when they were planned.
fn begin(
    image: &MetadataImage,
    moves: &[Relocation],
    seen: &MetadataImage,
    id: i32,
) -> Decision<Option<usize>> {
    if Intent::of(image, id) != Intent::of(seen, id) {
        return Decision { records: Vec::new(), response: None };
    }
    let wish = |image: &MetadataImage, one: &Relocation| {
        image.partition(one.topic_id, one.index).map(|partition| partition.generation)
    };
    let is_as_seen = |one: &&Relocation| wish(image, one) == wish(seen, one);
    let moves: Vec<Relocation> = moves.iter().filter(is_as_seen).copied().collect();
    let Decision { records, response } = relocate(image, &moves);
    Decision { records, response: Some(response) }
}

/// What this broker may have, as it is configured; on disk no more than there is.
///
/// - `room`: what there is.
fn means(node: &Node, room: Option<u64>) -> Means {
    let image = node.image();
    let config = Effective::new(&image, &node.config);
    let capacity = |name| u64::try_from(config.broker_integer(name)).ok().filter(|it| *it > 0);
    let disk = disk::capacity(capacity("balance.capacity.disk.bytes"), room);
    Means {
        weight: u32::try_from(config.broker_integer("balance.weight")).unwrap_or(1),
        capacity: [
            capacity("balance.capacity.partitions"),
            disk.map(|bytes| bytes.clamp(1, AMOUNT_MAX)),
            capacity("balance.capacity.in.bytes.per.second"),
            capacity("balance.capacity.out.bytes.per.second"),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancing::samples::{KEY, MEANS, cluster, set};

    #[test]
    fn moves_that_operators_do_not_want_any_more_do_not_begin() {
        let (topic_id, index) = (KEY.topic_id, KEY.partition);
        let kind = RelocationKind::Replica;
        let moves = [Relocation { topic_id, index, kind, from: 1, to: 2 }];
        let begun = |seen: &MetadataImage, now: &MetadataImage| {
            let Decision { records, response } = begin(now, &moves, seen, 1);
            (records.len(), response)
        };
        let plain = cluster(&[1, 2], &[&[1]]);
        for (broker, name) in [
            (None, ONCE),
            (None, "balance.triggers"),
            (Some(1), "balance.triggers"),
            (Some(1), "balance.drain"),
        ] {
            let wanted = set(&plain, broker, name, Some("true"));
            assert_eq!(begun(&wanted, &plain), (0, None), "{name} was taken away");
            assert_eq!(begun(&plain, &wanted), (0, None), "{name} was set");
            let more = set(&wanted, None, "num.partitions", Some("7"));
            assert_eq!(begun(&wanted, &more), (1, Some(1)), "that says nothing of moves");
        }
    }

    #[test]
    fn what_an_operator_has_moved_meanwhile_stands() {
        let (topic_id, index) = (KEY.topic_id, KEY.partition);
        let kind = RelocationKind::Replica;
        let to = |to| [Relocation { topic_id, index, kind, from: 1, to }];
        let seen = cluster(&[1, 2, 3], &[&[1]]);
        let records = relocate(&seen, &to(3)).records;
        let now = seen.with(&records).unwrap();
        assert_eq!(begin(&now, &to(2), &seen, 1).response, Some(0));
        assert_eq!(begin(&seen, &to(2), &seen, 1).response, Some(1));
    }

    #[test]
    fn who_has_told_another_office_has_not_said_all_and_who_does_not_say_so_may_have() {
        let (balancing, mut inbox) = Balancing::new();
        balancing.office.store(5, Ordering::Release);
        for (office, has_all) in [(Some(5), true), (Some(4), false), (Some(0), false), (None, true)]
        {
            let loads = Vec::new();
            let report = LoadReport { means: MEANS, growth: None, loads, office, is_last: true };
            assert_eq!(
                balancing.note(1, report),
                Some(Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0]))
            );
            let Ok(Message::Report(1, noted)) = inbox.0.try_recv() else { panic!("{office:?}") };
            assert_eq!((noted.office, noted.is_last), (office, has_all));
        }
    }
}

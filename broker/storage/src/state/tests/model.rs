//! Random lives of a store, through rounds, failures and power cuts, on a disk that is full at
//! times: what was reported durable is there, and every step is there wholly or not at all.

use std::sync::Mutex;

use super::steps::{DIR, sim_open};
use super::*;
use crate::sim::{Fault, Operation, SimDisk, Unflushed};

/// What happens to a store.
#[derive(Debug, Clone)]
enum Step {
    /// Votes of several groups in the next epoch, in one step; somebody waits for it, or nobody.
    Submit {
        groups: usize,
        lazily: bool,
    },
    Round,
    /// From now on the disk has so much room.
    Room(u64),
    /// The next call of this kind fails.
    Fail(usize),
    /// The process dies and starts again.
    Kill,
    /// The machine goes down so many calls before the last one.
    PowerCut {
        back: usize,
        unflushed: Unflushed,
    },
}

const GROUPS: u8 = 5;
const FAILING: [(Operation, i32); 6] = [
    (Operation::Sync, 5),
    (Operation::Write, 5),
    (Operation::Rename, 5),
    (Operation::SyncDir, 28),
    (Operation::Remove, 5),
    (Operation::Create, 28),
];

fn any_step() -> impl Strategy<Value = Step> {
    let unflushed = prop_oneof![
        Just(Unflushed::All),
        Just(Unflushed::None),
        any::<u64>().prop_map(Unflushed::Seeded),
    ];
    prop_oneof![
        8 => (1..=usize::from(GROUPS), any::<bool>())
            .prop_map(|(groups, lazily)| Step::Submit { groups, lazily }),
        8 => Just(Step::Round),
        1 => prop_oneof![Just(0), Just(12 << 10), Just(u64::MAX)].prop_map(Step::Room),
        1 => (0..FAILING.len()).prop_map(Step::Fail),
        1 => Just(Step::Kill),
        1 => (0..4usize, unflushed)
            .prop_map(|(back, unflushed)| Step::PowerCut { back, unflushed }),
    ]
}

/// The store, and what it promised.
struct Run {
    disk: Arc<SimDisk>,
    store: Option<StateStore>,
    /// The groups of every step, by its epoch from 1.
    steps: Vec<usize>,
    /// The epoch that was reported durable, with the length of the trace at that moment.
    durable: Arc<Mutex<Vec<(usize, i32)>>>,
}

impl Run {
    fn new() -> Self {
        let disk = SimDisk::new();
        let store = sim_open(&disk).unwrap();
        let groups: Vec<_> = (0..GROUPS).map(created).collect();
        store.commit(&groups).unwrap();
        let durable = Arc::new(Mutex::new(vec![(disk.trace_len(), 0)]));
        Self { disk, store: Some(store), steps: Vec::new(), durable }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Submit { groups, lazily } => self.submit(*groups, *lazily),
            // What it says goes to the completions.
            Step::Round => {
                self.store.as_ref().map(|store| store.commit_round().is_ok());
            }
            Step::Room(room) => self.disk.set_capacity(self.disk.used().saturating_add(*room)),
            Step::Fail(which) => {
                let (operation, errno) = FAILING[*which];
                self.disk.set_fault(Fault::new(operation, errno));
            }
            Step::Kill => self.restart(self.disk.trace_len(), None),
            Step::PowerCut { back, unflushed } => {
                // Not before this life was open: the trace of the image began with that.
                let first = self.durable.lock().unwrap()[0].0;
                let at = self.disk.trace_len().saturating_sub(*back).max(first);
                self.restart(at, Some(unflushed));
            }
        }
    }

    fn submit(&mut self, groups: usize, lazily: bool) {
        let Some(store) = self.store.as_ref().filter(|store| store.failure().is_none()) else {
            return;
        };
        self.steps.push(groups);
        let epoch = i32::try_from(self.steps.len()).unwrap();
        // Group 0 is in every step and tells which of them are there.
        let records: Vec<_> = (0..u8::try_from(groups).unwrap())
            .map(|number| (key(number), StateRecord::Vote { epoch, voted_for: 1 }))
            .collect();
        if lazily {
            return store.submit_lazily(&records);
        }
        let (disk, durable) = (Arc::clone(&self.disk), Arc::clone(&self.durable));
        let done = move |result: Result<(), StateError>| {
            if result.is_ok() {
                durable.lock().unwrap().push((disk.trace_len(), epoch));
            }
        };
        store.submit(&records, Box::new(done));
    }

    /// Goes on with what the disk has after `at` calls, and holds it against the promises.
    fn restart(&mut self, at: usize, unflushed: Option<&Unflushed>) {
        self.store = None;
        let promised: Vec<i32> = {
            let durable = self.durable.lock().unwrap();
            durable.iter().filter(|(when, _)| *when <= at).map(|(_, epoch)| *epoch).collect()
        };
        assert!(promised.is_sorted(), "completions keep the order: {promised:?}");
        self.disk = match unflushed {
            None => self.disk.kill_image(at),
            Some(unflushed) => self.disk.crash_image(at, unflushed),
        };
        // A disk whose last name isn't durable needs room; all others open without.
        self.disk.set_capacity(self.disk.used());
        let store = sim_open(&self.disk).or_else(|error| {
            assert!(self.disk.list(Path::new(DIR)).unwrap().len() > 1, "{error}");
            self.disk.set_capacity(u64::MAX);
            sim_open(&self.disk)
        });
        let store = store.unwrap();
        self.disk.set_capacity(u64::MAX);
        let epochs: Vec<i32> =
            (0..GROUPS).map(|number| state(&store, number).unwrap().epoch).collect();
        assert!(Some(&epochs[0]) >= promised.last(), "{epochs:?}, {promised:?}");
        // Steps that are not there were never promised, and their epochs are used again.
        self.steps.truncate(usize::try_from(epochs[0]).unwrap());
        for (number, epoch) in epochs.iter().enumerate() {
            let last = self.steps.iter().rposition(|groups| *groups > number);
            let expected = last.map_or(0, |last| i32::try_from(last).unwrap() + 1);
            assert_eq!(*epoch, expected, "group {number} of {epochs:?}, {:?}", self.steps);
        }
        self.durable = Arc::new(Mutex::new(vec![(self.disk.trace_len(), epochs[0])]));
        self.store = Some(store);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_was_reported_durable_is_there_and_steps_are_atomic(
        steps in proptest::collection::vec(any_step(), 1..120),
    ) {
        let mut run = Run::new();
        steps.iter().for_each(|step| run.step(step));
        run.restart(run.disk.trace_len(), Some(&Unflushed::None));
    }
}

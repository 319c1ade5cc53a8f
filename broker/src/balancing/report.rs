//! What a broker says of its loads to the broker that decides.
//!
//! | bytes | field |
//! | ---: | --- |
//! | 8 | the office that was told what isn't in this report; 0: none |
//! | 1 | whether more follows, 1, or this is the last part, 0 |
//! | 4 | weight |
//! | 8, 8, 8, 8 | capacities: partitions, bytes on disk, bytes in and out a second; −1: not known |
//! | 8 | milliseconds over which growth was measured; 0: it isn't known |
//! | 40 | by how much all that it has grows in a day, by resource |
//! | 4 | how many replicas follow |
//! | n | topic id 16, partition 4, bytes on disk, in and out a second 8 each, of each replica |
//! | m | what later versions add: whoever doesn't know it passes over it |
//!
//! Numbers are big-endian. The answer is the number of the office that has noted it, 8: who hears
//! of another than before tells everything again. Behind it may stand what all brokers may have, so
//! that whoever decides next knows it of those that are down then ([`super::means`]).
//!
//! Earlier versions write, and take, other forms, which their lengths tell apart: without the
//! number of replicas, which end the report; the first of all without office and part, too. Who
//! decides reads all of them, and refuses what it doesn't know; then the form before is tried.
//!
//! Must always hold: what arrives is sound, or refused as a whole; nothing is allocated beyond its
//! length.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use logboom_balance::snapshot::{AMOUNT_MAX, Load, WEIGHT_MAX};
use logboom_balance::{PerResource, Resource};
use logboom_protocol::units::Uuid;
use logboom_storage::state::GroupKey;

/// Amounts of each resource, and changes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sums(pub(crate) [i64; 5]);

impl Sums {
    pub(super) fn add_sums(&mut self, other: &Self) {
        for (own, more) in self.0.iter_mut().zip(other.0) {
            *own = own.saturating_add(more);
        }
    }
}

/// How something grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Growth {
    pub(crate) over_ms: u64,
    pub(crate) per_day: Sums,
}

/// What a broker may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Means {
    pub(crate) weight: u32,
    /// As in the table; `None` is not known.
    pub(crate) capacity: [Option<u64>; 4],
}

impl Means {
    /// By resource.
    pub(super) fn capacities(self) -> PerResource<Option<u64>> {
        let mut capacities = PerResource::default();
        for (resource, known) in Resource::MEASURED.into_iter().zip(self.capacity) {
            capacities[resource] = known;
        }
        capacities
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        out.put_u32(self.weight);
        for capacity in self.capacity {
            out.put_i64(capacity.map_or(-1, |it| i64::try_from(it).unwrap_or(i64::MAX)));
        }
    }

    /// - `bytes`: at least [`Self::BYTES`].
    pub(super) fn decode(bytes: &mut Bytes) -> Option<Self> {
        let weight = Some(bytes.get_u32()).filter(|it| (1..=WEIGHT_MAX).contains(it))?;
        let mut capacity = [None; 4];
        for one in &mut capacity {
            *one = match bytes.get_i64() {
                -1 => None,
                amount => Some(u64::try_from(amount).ok().filter(|it| is_amount(*it) && *it > 0)?),
            };
        }
        Some(Self { weight, capacity })
    }

    /// Weight and capacities.
    pub(super) const BYTES: usize = 4 + 4 * 8;
}

/// What a broker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoadReport {
    pub(crate) means: Means,
    pub(crate) growth: Option<Growth>,
    pub(crate) loads: Vec<(GroupKey, Load)>,
    /// The office that was told what isn't in this; 0 is none, `None` isn't said.
    pub(crate) office: Option<u64>,
    /// Whether nothing follows: then all that it has to say is said. Where that isn't said, what
    /// isn't full is the last.
    pub(crate) is_last: bool,
}

/// How a report is written, the first form first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Without office and part, replicas up to the end.
    Bare,
    /// Replicas up to the end.
    InParts,
    /// As in the table.
    Counted,
}

impl Form {
    pub(super) const NEWEST: Self = Self::Counted;
    pub(super) const COUNT: usize = 3;

    /// What is to be tried where it isn't known: the form before; behind the first, the newest.
    pub(super) fn before(self) -> Self {
        match self {
            Self::Counted => Self::InParts,
            Self::InParts => Self::Bare,
            Self::Bare => Self::Counted,
        }
    }

    /// The form of a report of so many bytes in which replicas end it.
    pub(crate) fn without_count(bytes: usize) -> Option<Self> {
        let fits = |form: &Self| {
            bytes.checked_sub(form.bytes()).is_some_and(|it| it.is_multiple_of(LOAD_BYTES))
        };
        [Self::InParts, Self::Bare].into_iter().find(fits)
    }

    /// All but replicas, and what later versions add.
    const fn bytes(self) -> usize {
        match self {
            Self::Bare => MEANS_BYTES,
            Self::InParts => PART_BYTES + MEANS_BYTES,
            Self::Counted => PART_BYTES + MEANS_BYTES + COUNT_BYTES,
        }
    }
}

/// The most replicas of one report.
pub(super) const LOADS_MAX: usize = 2_000;

const PART_BYTES: usize = 8 + 1;
const MEANS_BYTES: usize = Means::BYTES + 8 + 5 * 8;
const COUNT_BYTES: usize = 4;
const LOAD_BYTES: usize = 16 + 4 + 3 * 8;

impl LoadReport {
    pub(crate) fn encode(&self, out: &mut BytesMut, form: Form) {
        if form != Form::Bare {
            out.put_u64(self.office.unwrap_or(0));
            out.put_u8(u8::from(!self.is_last));
        }
        self.means.encode(out);
        out.put_u64(self.growth.map_or(0, |growth| growth.over_ms));
        let per_day = self.growth.map_or(Sums::default(), |growth| growth.per_day);
        per_day.0.into_iter().for_each(|amount| out.put_i64(amount));
        if form == Form::Counted {
            out.put_u32(u32::try_from(self.loads.len()).unwrap_or(u32::MAX));
        }
        for (key, load) in &self.loads {
            out.put_slice(&key.topic_id.0);
            out.put_i32(key.partition);
            for amount in [load.disk_bytes, load.bytes_in, load.bytes_out] {
                out.put_u64(amount);
            }
        }
    }

    /// `None` for bytes that are no report of this form.
    pub(crate) fn decode(mut bytes: Bytes, form: Form) -> Option<Self> {
        let loads_bytes = bytes.len().checked_sub(form.bytes())?;
        let (office, is_last) = match form {
            Form::Bare => (None, None),
            _ => (Some(bytes.get_u64()), Some(is_last(bytes.get_u8())?)),
        };
        let means = Means::decode(&mut bytes)?;
        let over_ms = bytes.get_u64();
        let per_day = Sums(std::array::from_fn(|_| bytes.get_i64()));
        let growth = (over_ms > 0).then_some(Growth { over_ms, per_day });
        let count = match form {
            Form::Counted => usize::try_from(bytes.get_u32()).ok()?,
            _ => loads_bytes.is_multiple_of(LOAD_BYTES).then_some(loads_bytes / LOAD_BYTES)?,
        };
        if count > LOADS_MAX || count * LOAD_BYTES > loads_bytes {
            return None;
        }
        let loads = (0..count).map(|_| load(&mut bytes)).collect::<Option<_>>()?;
        let is_last = is_last.unwrap_or(count < LOADS_MAX);
        Some(Self { means, growth, loads, office, is_last })
    }
}

fn is_last(byte: u8) -> Option<bool> {
    match byte {
        0 => Some(true),
        1 => Some(false),
        _ => None,
    }
}

/// - `bytes`: at least [`LOAD_BYTES`].
fn load(bytes: &mut Bytes) -> Option<(GroupKey, Load)> {
    let mut topic_id = [0; 16];
    bytes.copy_to_slice(&mut topic_id);
    let key = GroupKey { topic_id: Uuid(topic_id), partition: bytes.get_i32() };
    let [disk_bytes, bytes_in, bytes_out] = std::array::from_fn(|_| bytes.get_u64());
    let is_sound = [disk_bytes, bytes_in, bytes_out].into_iter().all(is_amount);
    is_sound.then_some((key, Load { disk_bytes, bytes_in, bytes_out }))
}

const fn is_amount(amount: u64) -> bool {
    amount <= AMOUNT_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: [Form; Form::COUNT] = [Form::Bare, Form::InParts, Form::Counted];

    fn report() -> LoadReport {
        let key = GroupKey { topic_id: Uuid([3; 16]), partition: 7 };
        let load = Load { disk_bytes: AMOUNT_MAX, bytes_in: 1, bytes_out: 0 };
        LoadReport {
            means: Means { weight: 50, capacity: [None, Some(9), None, Some(AMOUNT_MAX)] },
            growth: Some(Growth { over_ms: 5, per_day: Sums([-1, i64::MAX, 0, i64::MIN, 2]) }),
            loads: vec![(key, load); 3],
            office: Some(9),
            is_last: false,
        }
    }

    fn bytes(report: &LoadReport, form: Form) -> Vec<u8> {
        let mut out = BytesMut::new();
        report.encode(&mut out, form);
        out.to_vec()
    }

    fn read(bytes: &[u8], form: Form) -> Option<LoadReport> {
        LoadReport::decode(Bytes::copy_from_slice(bytes), form)
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let empty = LoadReport { growth: None, loads: Vec::new(), is_last: true, ..report() };
        for report in [report(), empty] {
            for form in [Form::InParts, Form::Counted] {
                assert_eq!(read(&bytes(&report, form), form).as_ref(), Some(&report));
            }
            let bare = LoadReport { office: None, is_last: true, ..report };
            assert_eq!(read(&bytes(&bare, Form::Bare), Form::Bare), Some(bare));
        }
    }

    /// Weight, capacities and growth as all versions have written them.
    const MEANS: &str = "00000032\
        ffffffffffffffff0000000000000009ffffffffffffffff0004000000000000\
        0000000000000005\
        ffffffffffffffff7fffffffffffffff000000000000000080000000000000000000000000000002";
    const LOAD: &str = "0303030303030303030303030303030300000007\
        000400000000000000000000000000010000000000000000";

    fn of_hex(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2).map(|it| str::from_utf8(it).unwrap());
        digits.map(|it| u8::from_str_radix(it, 16).unwrap()).collect()
    }

    #[test]
    fn the_forms_of_earlier_versions_are_read_and_written() {
        let part = "000000000000000901";
        for (form, hex) in [
            (Form::Bare, [MEANS, LOAD, LOAD, LOAD].concat()),
            (Form::InParts, [part, MEANS, LOAD, LOAD, LOAD].concat()),
            (Form::Counted, [part, MEANS, "00000003", LOAD, LOAD, LOAD].concat()),
        ] {
            let old = of_hex(&hex);
            assert_eq!(bytes(&report(), form), old, "{form:?}");
            let expected = match form {
                Form::Bare => LoadReport { office: None, is_last: true, ..report() },
                _ => report(),
            };
            assert_eq!(read(&old, form), Some(expected), "{form:?}");
            let known = Form::without_count(old.len());
            assert_eq!(known, Some(form).filter(|it| *it != Form::Counted), "{form:?}");
        }
    }

    #[test]
    fn a_full_report_that_does_not_say_whether_it_is_the_last_is_not() {
        let loads = |count| LoadReport { loads: vec![report().loads[0]; count], ..report() };
        for (count, is_last) in [(0, true), (LOADS_MAX - 1, true), (LOADS_MAX, false)] {
            let read = read(&bytes(&loads(count), Form::Bare), Form::Bare).unwrap();
            assert_eq!((read.office, read.is_last), (None, is_last), "{count} replicas");
        }
    }

    #[test]
    fn what_a_later_version_adds_is_passed_over() {
        let mut later = bytes(&report(), Form::Counted);
        for more in 1..=2 * LOAD_BYTES {
            later.push(0xff);
            assert_eq!(read(&later, Form::Counted), Some(report()), "{more} bytes more");
        }
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for form in FORMS {
            let sound = bytes(&report(), form);
            for length in 0..sound.len() {
                // Replicas that end a report may be fewer; those that are counted may not.
                let is_whole = form != Form::Counted
                    && length >= form.bytes()
                    && (length - form.bytes()).is_multiple_of(LOAD_BYTES);
                let read = read(&sound[..length], form);
                assert_eq!(read.is_some(), is_whole, "{form:?}, {length} bytes");
            }
            // A weight of nothing, a capacity of nothing, and too much of everything.
            let means = if form == Form::Bare { 0 } else { PART_BYTES };
            let strange =
                [(means + 3, 0), (means + 19, 0), (means + 4, 1), (form.bytes() + 20, 0x80)];
            for (at, byte) in strange {
                let mut bytes = sound.clone();
                bytes[at] = byte;
                assert_eq!(read(&bytes, form), None, "{form:?}, byte {at}");
            }
            let many = LoadReport { loads: vec![report().loads[0]; LOADS_MAX + 1], ..report() };
            assert_eq!(read(&bytes(&many, form), form), None, "{form:?}");
        }
        let mut part = bytes(&report(), Form::Counted);
        part[8] = 2;
        assert_eq!(read(&part, Form::Counted), None, "neither the last part nor another");
    }

    #[test]
    fn a_count_that_is_not_there_is_refused_before_anything_is_allocated() {
        let none = LoadReport { loads: Vec::new(), ..report() };
        let sound = bytes(&none, Form::Counted);
        let at = sound.len() - COUNT_BYTES;
        for count in [1, 2_000, 2_001, 0x7fff_ffff, u32::MAX] {
            let bytes = [&sound[..at], &count.to_be_bytes()].concat();
            assert_eq!(read(&bytes, Form::Counted), None, "{count}");
        }
    }
}

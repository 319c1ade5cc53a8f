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
//! | n | topic id 16, partition 4, bytes on disk, in and out a second 8 each, of each replica |
//!
//! Numbers are big-endian. The answer is the number of the office that has noted it, 8: who hears
//! of another than before tells everything again.
//!
//! Must always hold: what arrives is sound, or refused as a whole.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use logboom_balance::snapshot::{AMOUNT_MAX, Load, WEIGHT_MAX};
use logboom_balance::{PerResource, Resource};
use logboom_protocol::units::Uuid;
use logboom_storage::state::GroupKey;

/// Amounts of each resource, and changes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sums(pub(crate) [i64; 5]);

impl Sums {
    /// Adds what a replica takes.
    pub(super) fn add(&mut self, load: &Load, leads: bool) {
        let number = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
        let Load { disk_bytes, bytes_in, bytes_out } = *load;
        let more = [1, number(disk_bytes), number(bytes_in), number(bytes_out), i64::from(leads)];
        self.add_sums(&Self(more));
    }

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
}

/// What a broker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoadReport {
    pub(crate) means: Means,
    pub(crate) growth: Option<Growth>,
    pub(crate) loads: Vec<(GroupKey, Load)>,
    /// The office that was told what isn't in this; 0 is none.
    pub(crate) office: u64,
    /// Whether nothing follows: then all that it has to say is said.
    pub(crate) is_last: bool,
}

/// The most replicas of one report.
pub(super) const LOADS_MAX: usize = 2_000;

const FIXED_BYTES: usize = 8 + 1 + 4 + 4 * 8 + 8 + 5 * 8;
const LOAD_BYTES: usize = 16 + 4 + 3 * 8;

impl LoadReport {
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        out.put_u64(self.office);
        out.put_u8(u8::from(!self.is_last));
        out.put_u32(self.means.weight);
        for capacity in self.means.capacity {
            out.put_i64(capacity.map_or(-1, |it| i64::try_from(it).unwrap_or(i64::MAX)));
        }
        out.put_u64(self.growth.map_or(0, |growth| growth.over_ms));
        let per_day = self.growth.map_or(Sums::default(), |growth| growth.per_day);
        per_day.0.into_iter().for_each(|amount| out.put_i64(amount));
        for (key, load) in &self.loads {
            out.put_slice(&key.topic_id.0);
            out.put_i32(key.partition);
            for amount in [load.disk_bytes, load.bytes_in, load.bytes_out] {
                out.put_u64(amount);
            }
        }
    }

    /// `None` for bytes that are no report.
    pub(crate) fn decode(mut bytes: Bytes) -> Option<Self> {
        let count = bytes.len().checked_sub(FIXED_BYTES)?;
        if !count.is_multiple_of(LOAD_BYTES) || count / LOAD_BYTES > LOADS_MAX {
            return None;
        }
        let office = bytes.get_u64();
        let is_last = match bytes.get_u8() {
            0 => true,
            1 => false,
            _ => return None,
        };
        let weight = Some(bytes.get_u32()).filter(|it| (1..=WEIGHT_MAX).contains(it))?;
        let mut capacity = [None; 4];
        for one in &mut capacity {
            *one = match bytes.get_i64() {
                -1 => None,
                amount => Some(u64::try_from(amount).ok().filter(|it| is_amount(*it) && *it > 0)?),
            };
        }
        let over_ms = bytes.get_u64();
        let per_day = Sums(std::array::from_fn(|_| bytes.get_i64()));
        let growth = (over_ms > 0).then_some(Growth { over_ms, per_day });
        let mut loads = Vec::with_capacity(count / LOAD_BYTES);
        while bytes.has_remaining() {
            loads.push(load(&mut bytes)?);
        }
        Some(Self { means: Means { weight, capacity }, growth, loads, office, is_last })
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

    fn report() -> LoadReport {
        let key = GroupKey { topic_id: Uuid([3; 16]), partition: 7 };
        let load = Load { disk_bytes: AMOUNT_MAX, bytes_in: 1, bytes_out: 0 };
        LoadReport {
            means: Means { weight: 50, capacity: [None, Some(9), None, Some(AMOUNT_MAX)] },
            growth: Some(Growth { over_ms: 5, per_day: Sums([-1, i64::MAX, 0, i64::MIN, 2]) }),
            loads: vec![(key, load); 3],
            office: 9,
            is_last: false,
        }
    }

    fn bytes(report: &LoadReport) -> Vec<u8> {
        let mut out = BytesMut::new();
        report.encode(&mut out);
        out.to_vec()
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        for report in
            [report(), LoadReport { growth: None, loads: Vec::new(), is_last: true, ..report() }]
        {
            assert_eq!(LoadReport::decode(bytes(&report).into()), Some(report));
        }
    }

    #[test]
    fn what_is_no_report_is_refused() {
        let sound = bytes(&report());
        for length in 0..sound.len() {
            let is_whole =
                length >= FIXED_BYTES && (length - FIXED_BYTES).is_multiple_of(LOAD_BYTES);
            let read = LoadReport::decode(Bytes::copy_from_slice(&sound[..length]));
            assert_eq!(read.is_some(), is_whole, "{length} bytes");
        }
        // A weight of nothing, a capacity of nothing, and too much of everything.
        for (at, byte) in [(8, 2), (12, 0), (28, 0), (13, 1), (FIXED_BYTES + 20, 0x80)] {
            let mut bytes = sound.clone();
            bytes[at] = byte;
            assert_eq!(LoadReport::decode(bytes.into()), None, "byte {at}");
        }
        let many = LoadReport { loads: vec![report().loads[0]; LOADS_MAX + 1], ..report() };
        assert_eq!(LoadReport::decode(bytes(&many).into()), None);
    }
}

//! The parts of records that are structures.

use alloc::vec::Vec;

use logboom_protocol::units::Uuid;
use logboom_protocol::wire::{Reader, Writer};
use logboom_protocol::{Fault, FieldError};

use super::{BrokerRegistration, Endpoint, LeaderReport, Partition, PeerAddress};

/// Strings and lists have compact lengths.
pub(super) const COMPACT: bool = true;

/// From this version on a broker has the address at which other brokers reach it.
const BROKER_WITH_PEER: u8 = 1;
/// From this version on a partition has its generation and what its leader reported.
const PARTITION_WITH_REPORT: u8 = 1;

pub(super) fn at<T>(field: &'static str, result: Result<T, Fault>) -> Result<T, FieldError> {
    result.map_err(|fault| FieldError { field, fault })
}

pub(super) fn write_broker(
    broker: &BrokerRegistration,
    version: u8,
    w: &mut Writer,
) -> Result<(), FieldError> {
    w.i32(broker.id);
    w.uuid(broker.directory_id);
    w.uuid(broker.incarnation);
    w.nullable_string(broker.rack.as_deref(), COMPACT)?;
    w.array(&broker.endpoints, COMPACT, |w, endpoint| {
        w.string(&endpoint.listener, COMPACT)?;
        w.string(&endpoint.host, COMPACT)?;
        w.u16(endpoint.port);
        w.i16(endpoint.security_protocol);
        Ok(())
    })?;
    if version >= BROKER_WITH_PEER {
        w.nullable_string(broker.peer.as_ref().map(|peer| &*peer.host), COMPACT)?;
        if let Some(peer) = &broker.peer {
            w.u16(peer.port);
        }
    }
    Ok(())
}

pub(super) fn read_broker(
    version: u8,
    r: &mut Reader<'_>,
) -> Result<BrokerRegistration, FieldError> {
    Ok(BrokerRegistration {
        id: at("broker id", r.i32())?,
        directory_id: at("directory id", r.uuid())?,
        incarnation: at("incarnation", r.uuid())?,
        rack: at("rack", r.nullable_string(COMPACT))?,
        endpoints: r.array(COMPACT, ENDPOINT_BYTES_MIN, read_endpoint)?,
        peer: if version >= BROKER_WITH_PEER { read_peer(r)? } else { None },
    })
}

/// Two empty strings, the port and the security protocol.
const ENDPOINT_BYTES_MIN: usize = 6;

fn read_endpoint(r: &mut Reader<'_>) -> Result<Endpoint, FieldError> {
    Ok(Endpoint {
        listener: at("listener", r.string(COMPACT))?,
        host: at("host", r.string(COMPACT))?,
        port: at("port", r.u16())?,
        security_protocol: at("security protocol", r.i16())?,
    })
}

fn read_peer(r: &mut Reader<'_>) -> Result<Option<PeerAddress>, FieldError> {
    let host = at("peer host", r.nullable_string(COMPACT))?;
    host.map(|host| Ok(PeerAddress { host, port: at("peer port", r.u16())? })).transpose()
}

pub(super) fn write_partition(
    partition: &Partition,
    version: u8,
    w: &mut Writer,
) -> Result<(), FieldError> {
    write_ids(&partition.replicas, w)?;
    write_directories(&partition.directories, w)?;
    write_ids(&partition.target_replicas, w)?;
    w.i32(partition.leader);
    w.i32(partition.leader_epoch);
    if version >= PARTITION_WITH_REPORT {
        write_directories(&partition.target_directories, w)?;
        w.i64(partition.generation);
        w.bool(partition.is_founding);
        w.i32(partition.wished_leader);
        w.i64(partition.control_sequence);
        write_ids(&partition.voters, w)?;
        write_directories(&partition.voter_directories, w)?;
        write_ids(&partition.isr, w)?;
    }
    Ok(())
}

pub(super) fn read_partition(version: u8, r: &mut Reader<'_>) -> Result<Partition, FieldError> {
    let replicas = read_ids("replicas", r)?;
    let directories = read_directories("directories", r)?;
    let target_replicas = read_ids("target replicas", r)?;
    let partition = Partition {
        isr: replicas.clone(),
        // Brokers without another one had no move, and no directory to name for it.
        target_directories: target_replicas.iter().map(|_| Uuid::ZERO).collect(),
        replicas,
        directories,
        target_replicas,
        leader: at("leader", r.i32())?,
        leader_epoch: at("leader epoch", r.i32())?,
        ..Partition::unknown()
    };
    if version < PARTITION_WITH_REPORT {
        return Ok(partition);
    }
    Ok(Partition {
        target_directories: read_directories("target directories", r)?,
        generation: at("generation", r.i64())?,
        is_founding: at("founding", r.bool())?,
        wished_leader: at("wished leader", r.i32())?,
        control_sequence: at("control sequence", r.i64())?,
        voters: read_ids("voters", r)?,
        voter_directories: read_directories("voter directories", r)?,
        isr: read_ids("in-sync replicas", r)?,
        ..partition
    })
}

pub(super) fn write_report(w: &mut Writer, report: &LeaderReport) -> Result<(), FieldError> {
    w.uuid(report.topic_id);
    w.i32(report.index);
    w.i32(report.leader);
    w.i32(report.leader_epoch);
    w.i64(report.control_sequence);
    write_ids(&report.voters, w)?;
    write_directories(&report.voter_directories, w)?;
    write_ids(&report.isr, w)
}

/// The topic's id, the numbers, and three empty lists.
const REPORT_BYTES_MIN: usize = 16 + 3 * 4 + 8 + 3;

pub(super) fn read_reports(r: &mut Reader<'_>) -> Result<Vec<LeaderReport>, FieldError> {
    r.array(COMPACT, REPORT_BYTES_MIN, |r| {
        Ok::<_, FieldError>(LeaderReport {
            topic_id: at("topic id", r.uuid())?,
            index: at("partition", r.i32())?,
            leader: at("leader", r.i32())?,
            leader_epoch: at("leader epoch", r.i32())?,
            control_sequence: at("control sequence", r.i64())?,
            voters: read_ids("voters", r)?,
            voter_directories: read_directories("voter directories", r)?,
            isr: read_ids("in-sync replicas", r)?,
        })
    })
}

fn write_ids(ids: &[i32], w: &mut Writer) -> Result<(), FieldError> {
    w.array(ids, COMPACT, |w, id| {
        w.i32(*id);
        Ok(())
    })
}

fn write_directories(ids: &[Uuid], w: &mut Writer) -> Result<(), FieldError> {
    w.array(ids, COMPACT, |w, id| {
        w.uuid(*id);
        Ok(())
    })
}

fn read_ids(field: &'static str, r: &mut Reader<'_>) -> Result<Vec<i32>, FieldError> {
    read_list(r, field, size_of::<i32>(), |r| r.i32())
}

fn read_directories(field: &'static str, r: &mut Reader<'_>) -> Result<Vec<Uuid>, FieldError> {
    read_list(r, field, size_of::<Uuid>(), |r| r.uuid())
}

/// A list whose elements take `element_bytes` each.
fn read_list<T>(
    r: &mut Reader<'_>,
    field: &'static str,
    element_bytes: usize,
    element: impl Fn(&mut Reader<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, FieldError> {
    r.array(COMPACT, element_bytes, |r| Ok::<_, FieldError>(element(r)?))
        .map_err(|error| FieldError { field, ..error })
}

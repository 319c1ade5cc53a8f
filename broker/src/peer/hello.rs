//! The first words of a connection, in both directions: who is who, and what is spoken.
//!
//! A hello and its reply have the same form in all versions: a later one may add fields at the end,
//! which are passed over by whoever doesn't know them.
//!
//! Must always hold: a hello takes a bounded number of bytes; nothing else is said before both
//! sides know that they belong together.

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use logboom_protocol::peer::{PREFACE, VERSIONS};
use logboom_protocol::wire::{Reader, Writer};
use logboom_protocol::{Fault, VersionRange};

use super::codec::{at, flags, read_code, read_flags, write_bytes, write_count};
use super::frame::Strange;
use super::lanes::LANES;
use super::roster::{FoundingVoter, Identity, Kind, Membership, PeerId};

/// Bytes up to the body: the preface, the versions, the body's length.
pub(super) const FIRST_BYTES: usize = PREFACE.len() + 2 + 2 + 4;
/// The most bytes of a body, its CRC included.
pub(super) const BODY_BYTES_MAX: usize = 16 << 10;
/// The most voters with which a metadata log begins.
pub(super) const FOUNDING_MAX: usize = 100;
/// The most bytes of a refusal's sentence.
const SENTENCE_BYTES_MAX: usize = 1_000;
const CRC_BYTES: usize = 4;
const VOTER_BYTES: usize = 4 + 16;

/// What the one who dials says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) versions: VersionRange,
    pub(super) identity: Identity,
    pub(super) kind: Kind,
    /// Which of its shards, of how many.
    pub(super) index: u16,
    pub(super) count: u16,
}

/// What the one who was dialled answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) versions: VersionRange,
    pub(super) answer: Result<Welcome, Refusal>,
}

/// The connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Welcome {
    pub(super) identity: Identity,
    /// The most bytes of a frame that it takes.
    pub(super) frame_bytes_max: u32,
}

/// Why two brokers don't speak to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(super) reason: Reason,
    /// For people.
    pub(super) sentence: String,
}

/// The same, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// No version is common.
    Version,
    /// They belong to different clusters.
    Cluster,
    /// They claim the same id, or the same data directory; or it isn't the one who is meant.
    Node,
    /// The id belongs to a broker with another data directory.
    Directory,
    /// A broker that isn't known may only call.
    Stranger,
    /// There are too many connections.
    Full,
    /// They would found a cluster with different voters.
    Voters,
    /// One that a later version knows.
    Other(u8),
}

impl Reason {
    const fn to_wire(self) -> u8 {
        match self {
            Self::Version => 1,
            Self::Cluster => 2,
            Self::Node => 3,
            Self::Directory => 4,
            Self::Stranger => 5,
            Self::Full => 6,
            Self::Voters => 7,
            Self::Other(code) => code,
        }
    }

    const fn from_wire(code: u8) -> Self {
        match code {
            1 => Self::Version,
            2 => Self::Cluster,
            3 => Self::Node,
            4 => Self::Directory,
            5 => Self::Stranger,
            6 => Self::Full,
            7 => Self::Voters,
            code => Self::Other(code),
        }
    }

    pub(super) fn because(self, sentence: String) -> Refusal {
        Refusal { reason: self, sentence }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// The first bytes, by which the rest is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct First {
    pub(super) versions: VersionRange,
    pub(super) body_bytes: usize,
}

/// Why what came is no hello, or no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadHello {
    /// Whoever is there speaks something else.
    Preface,
    Strange(Strange),
}

impl From<Strange> for BadHello {
    fn from(strange: Strange) -> Self {
        Self::Strange(strange)
    }
}

impl fmt::Display for BadHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preface => f.write_str("it doesn't speak the protocol between brokers"),
            Self::Strange(strange) => strange.fmt(f),
        }
    }
}

impl First {
    /// # Errors
    /// [`BadHello`] for what isn't the beginning of a hello.
    pub(super) fn read(bytes: [u8; FIRST_BYTES]) -> Result<Self, BadHello> {
        let bytes = Bytes::copy_from_slice(&bytes);
        let Some(rest) = bytes.strip_prefix(&PREFACE[..]) else { return Err(BadHello::Preface) };
        let rest = bytes.slice_ref(rest);
        let mut reader = Reader::new(&rest);
        let read = |reader: &mut Reader<'_>| -> Result<_, Fault> {
            Ok((reader.i16()?, reader.i16()?, reader.u32()?))
        };
        let (min, max, length) =
            read(&mut reader).map_err(at("first bytes")).map_err(Strange::from)?;
        let (bytes, limit) = (usize::try_from(length).unwrap_or(usize::MAX), BODY_BYTES_MAX);
        if bytes > limit || min > max {
            return Err(Strange::Length { bytes, limit }.into());
        }
        Ok(Self { versions: VersionRange { min, max }, body_bytes: bytes })
    }
}

impl Hello {
    pub(super) fn encode(&self) -> Bytes {
        encode(self.versions, |out| {
            write_identity(out, &self.identity);
            let kind = match self.kind {
                Kind::Beats => 0,
                Kind::Groups => 1,
                Kind::Calls => 2,
            };
            write_bytes(out, [kind]);
            out.u16(self.index);
            out.u16(self.count);
            write_later(out, &self.identity);
        })
    }

    /// - `first`, `body`: what came, as bytes.
    ///
    /// # Errors
    /// [`BadHello`].
    pub(super) fn decode(first: &[u8; FIRST_BYTES], body: Bytes) -> Result<Self, BadHello> {
        let First { versions, .. } = First::read(*first)?;
        let body = checked(first, body)?;
        let mut reader = Reader::new(&body);
        let mut identity = read_identity(&mut reader)?;
        let kind = match read_code(&mut reader)? {
            0 => Kind::Beats,
            1 => Kind::Groups,
            2 => Kind::Calls,
            code => return Err(Strange::Code { what: "a connection's kind", code }.into()),
        };
        let mut number = || reader.u16().map_err(at("shard")).map_err(Strange::from);
        let (index, count) = (number()?, number()?);
        if index >= count || usize::from(index) >= LANES {
            return Err(Strange::Range { what: "a shard" }.into());
        }
        read_later(&mut reader, &mut identity)?;
        Ok(Self { versions, identity, kind, index, count })
    }
}

impl Reply {
    pub(super) fn encode(&self) -> Bytes {
        encode(self.versions, |out| match &self.answer {
            Ok(Welcome { identity, frame_bytes_max }) => {
                write_bytes(out, [0]);
                write_identity(out, identity);
                out.u32(*frame_bytes_max);
                write_later(out, identity);
            }
            Err(Refusal { reason, sentence }) => {
                write_bytes(out, [reason.to_wire()]);
                let end = sentence.floor_char_boundary(SENTENCE_BYTES_MAX);
                let fits = "a sentence below the limit of strings";
                out.string(&sentence[..end], false).expect(fits);
            }
        })
    }

    /// - `first`, `body`: what came, as bytes.
    ///
    /// # Errors
    /// [`BadHello`].
    pub(super) fn decode(first: &[u8; FIRST_BYTES], body: Bytes) -> Result<Self, BadHello> {
        let First { versions, .. } = First::read(*first)?;
        let body = checked(first, body)?;
        let mut reader = Reader::new(&body);
        let answer = match read_code(&mut reader)? {
            0 => {
                let mut identity = read_identity(&mut reader)?;
                let frame_bytes_max =
                    reader.u32().map_err(at("frame limit")).map_err(Strange::from)?;
                read_later(&mut reader, &mut identity)?;
                Ok(Welcome { identity, frame_bytes_max })
            }
            code => {
                let sentence =
                    reader.string(false).map_err(at("sentence")).map_err(Strange::from)?;
                // It goes into our log, on one line.
                let sentence = sentence.chars().map(|c| if c.is_control() { ' ' } else { c });
                Err(Reason::from_wire(code).because(sentence.collect()))
            }
        };
        Ok(Self { versions, answer })
    }
}

/// A hello or a reply around its body.
fn encode(versions: VersionRange, body: impl FnOnce(&mut Writer)) -> Bytes {
    let mut writer = Writer::new(BytesMut::new());
    writer.raw(&PREFACE);
    writer.i16(versions.min);
    writer.i16(versions.max);
    writer.u32(0);
    body(&mut writer);
    let mut out = writer.into_inner();
    let length = out.len() - FIRST_BYTES + CRC_BYTES;
    let length = u32::try_from(length).expect("its lists have limits");
    out[FIRST_BYTES - 4..FIRST_BYTES].copy_from_slice(&length.to_be_bytes());
    let crc = crc32fast::hash(&out);
    out.extend_from_slice(&crc.to_be_bytes());
    out.freeze()
}

/// A body without its CRC, which covers everything.
fn checked(first: &[u8], mut body: Bytes) -> Result<Bytes, Strange> {
    let length = body.len().checked_sub(CRC_BYTES).ok_or(Strange::Crc)?;
    let crc = body.split_off(length);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(first);
    hasher.update(&body);
    if crc[..] == hasher.finalize().to_be_bytes() { Ok(body) } else { Err(Strange::Crc) }
}

fn write_identity(out: &mut Writer, identity: &Identity) {
    let Identity { id: PeerId { node, directory, run }, cluster, founding, .. } = identity;
    out.i32(*node);
    out.uuid(*directory);
    out.i64(run.cast_signed());
    write_bytes(out, [flags([cluster.is_some(), founding.is_some(), false])]);
    cluster.iter().for_each(|cluster| out.uuid(*cluster));
    if let Some(founding) = founding {
        let founding = &founding[..founding.len().min(FOUNDING_MAX)];
        write_count(out, founding.len());
        for FoundingVoter { node, directory } in founding {
            out.i32(*node);
            out.uuid(*directory);
        }
    }
}

/// What stands behind what the first versions knew.
fn write_later(out: &mut Writer, Identity { named, is_controller, .. }: &Identity) {
    let named = &named[..named.len().min(FOUNDING_MAX)];
    write_count(out, named.len());
    named.iter().for_each(|node| out.i32(*node));
    write_bytes(out, [flags([*is_controller, false, false])]);
}

fn read_later(reader: &mut Reader<'_>, identity: &mut Identity) -> Result<(), Strange> {
    identity.named = read_named(reader)?;
    if reader.remaining() > 0 {
        [identity.is_controller, _, _] = read_flags(reader, 1)?;
    }
    Ok(())
}

fn read_identity(reader: &mut Reader<'_>) -> Result<Identity, Strange> {
    let id = PeerId {
        node: reader.i32().map_err(at("node"))?,
        directory: reader.uuid().map_err(at("directory"))?,
        run: reader.i64().map_err(at("run"))?.cast_unsigned(),
    };
    let [has_cluster, has_founding, _] = read_flags(reader, 2)?;
    let cluster = has_cluster.then(|| reader.uuid()).transpose().map_err(at("cluster"))?;
    let founding = if has_founding { Some(read_founding(reader)?) } else { None };
    Ok(Identity { id, cluster, founding, named: Arc::default(), is_controller: true })
}

fn read_founding(reader: &mut Reader<'_>) -> Result<Arc<[FoundingVoter]>, Strange> {
    let voters = reader.array(false, VOTER_BYTES, |reader| {
        let (node, directory) = (reader.i32()?, reader.uuid()?);
        Ok::<_, Fault>(FoundingVoter { node, directory })
    })?;
    if voters.len() > FOUNDING_MAX {
        return Err(Strange::Range { what: "the number of founding voters" });
    }
    Ok(voters.into())
}

fn read_named(reader: &mut Reader<'_>) -> Result<Arc<[i32]>, Strange> {
    if reader.remaining() == 0 {
        return Ok(Arc::default());
    }
    let named = reader.array(false, size_of::<i32>(), |reader| reader.i32())?;
    if named.len() > FOUNDING_MAX {
        return Err(Strange::Range { what: "the number of nodes that are named" });
    }
    Ok(named.into())
}

/// Whether this broker speaks to another one, and in which version.
///
/// - `membership`: what is known of the other one's id.
///
/// # Errors
/// [`Refusal`], with a sentence that says what to look at.
pub(crate) fn check(
    this: &Identity,
    other: &Identity,
    versions: VersionRange,
    kind: Kind,
    membership: Membership,
) -> Result<i16, Refusal> {
    let PeerId { node, directory, .. } = other.id;
    let Some(version) = VERSIONS.newest_common(versions) else {
        return Err(Reason::Version.because(format!(
            "broker {node} speaks versions {versions} of the protocol between brokers, broker {} \
             speaks {VERSIONS}",
            this.id.node
        )));
    };
    if let (Some(ours), Some(theirs)) = (this.cluster, other.cluster)
        && ours != theirs
    {
        let sentence = format!("broker {node} belongs to cluster {theirs}, not to {ours}");
        return Err(Reason::Cluster.because(sentence));
    }
    if node == this.id.node || directory == this.id.directory {
        return Err(Reason::Node.because(format!(
            "broker {node} with directory {directory} has the id or a copy of the directory of \
             broker {} with directory {}",
            this.id.node, this.id.directory
        )));
    }
    let founds = |it: &Identity| it.cluster.is_none() && it.founding.is_none();
    if founds(this) && founds(other) && this.named != other.named {
        return Err(Reason::Voters.because(format!(
            "controller.quorum.voters names {} at broker {node}, and {} at broker {}: they can't \
             found a cluster with different voters",
            listed(&other.named),
            listed(&this.named),
            this.id.node
        )));
    }
    match membership {
        Membership::Member(known) if known != directory => Err(Reason::Directory.because(format!(
            "broker {node} is known with directory {known}, and has {directory}; remove it \
                 first if the other one is gone"
        ))),
        Membership::Stranger if kind != Kind::Calls => {
            Err(Reason::Stranger.because(format!("broker {node} is not known here")))
        }
        _ => Ok(version),
    }
}

/// Node ids with commas between them.
pub(crate) fn listed(ids: &[i32]) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;

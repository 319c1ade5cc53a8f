//! Hellos and replies to bytes and back, and who is refused.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use logboom_protocol::units::Uuid;

use super::*;

fn identity() -> impl Strategy<Value = Identity> {
    let founding = vec((any::<i32>(), any::<[u8; 16]>()), 0..5).prop_map(|voters| {
        let voter = |(node, id)| FoundingVoter { node, directory: Uuid(id) };
        voters.into_iter().map(voter).collect::<Arc<[_]>>()
    });
    let id = (any::<i32>(), any::<[u8; 16]>(), any::<u64>());
    let named = vec(any::<i32>(), 0..5);
    (id, option::of(any::<[u8; 16]>()), option::of(founding), named, any::<bool>()).prop_map(
        |((node, id, run), cluster, founding, named, is_controller)| Identity {
            id: PeerId { node, directory: Uuid(id), run },
            cluster: cluster.map(Uuid),
            founding,
            named: named.into(),
            is_controller,
        },
    )
}

fn halves(bytes: &Bytes) -> ([u8; FIRST_BYTES], Bytes) {
    (*bytes.first_chunk().unwrap(), bytes.slice(FIRST_BYTES..))
}

fn plain(node: i32) -> Identity {
    let directory = Uuid([u8::try_from(node).unwrap(); 16]);
    Identity {
        id: PeerId { node, directory, run: 1 },
        cluster: None,
        founding: None,
        named: Arc::default(),
        is_controller: true,
    }
}

fn hello() -> Hello {
    Hello { versions: VERSIONS, identity: plain(1), kind: Kind::Groups, index: 2, count: 4 }
}

proptest! {
    #[test]
    fn a_hello_reads_as_written(identity in identity(), kind in 0..3usize, index in 0..16u16) {
        let kind = [Kind::Beats, Kind::Groups, Kind::Calls][kind];
        let hello = Hello { identity, kind, index, count: index + 3, ..hello() };
        let (first, body) = halves(&hello.encode());
        prop_assert_eq!(First::read(first).unwrap().body_bytes, body.len());
        prop_assert_eq!(Hello::decode(&first, body), Ok(hello));
    }

    #[test]
    fn a_reply_reads_as_written(identity in identity(), limit: u32, code in 1..=255u8) {
        let welcome = Ok(Welcome { identity, frame_bytes_max: limit });
        let refusal = Err(Reason::from_wire(code).because("it is so".to_owned()));
        for answer in [welcome, refusal] {
            let reply = Reply { versions: VersionRange { min: -3, max: 9 }, answer };
            let (first, body) = halves(&reply.encode());
            prop_assert_eq!(Reply::decode(&first, body), Ok(reply));
        }
    }

    #[test]
    fn any_bytes_are_a_hello_or_none(first: [u8; FIRST_BYTES], body in vec(any::<u8>(), 0..200)) {
        let mut known = first;
        known[..PREFACE.len()].copy_from_slice(&PREFACE);
        for first in [first, known] {
            prop_assert!(Hello::decode(&first, body.clone().into()).is_err());
            prop_assert!(Reply::decode(&first, body.clone().into()).is_err());
        }
    }
}

#[test]
fn a_flipped_bit_and_a_missing_byte_are_found() {
    let whole = hello().encode();
    for at in 0..whole.len() {
        let mut flipped = whole.to_vec();
        flipped[at] ^= 1;
        let (first, body) = halves(&flipped.into());
        assert!(Hello::decode(&first, body).is_err(), "byte {at}");
    }
    let (first, body) = halves(&whole);
    for cut in 0..body.len() {
        assert!(Hello::decode(&first, body.slice(..cut)).is_err(), "{cut} bytes");
    }
}

#[test]
fn fields_of_a_later_version_are_passed_over_and_those_that_an_earlier_one_lacks_are_as_it_was() {
    let versions = VersionRange { min: 0, max: 5 };
    for behind in [&b""[..], b"\0\0\0\0", b"\0\0\0\0\x01something new"] {
        let other = encode(versions, |out| {
            write_identity(out, &plain(1));
            out.raw(&[1, 0, 2, 0, 4]);
            out.raw(behind);
        });
        let (first, body) = halves(&other);
        assert_eq!(Hello::decode(&first, body), Ok(Hello { versions, ..hello() }));
    }
}

#[test]
fn a_body_has_a_limit_that_the_largest_hello_keeps() {
    let voter = FoundingVoter { node: 1, directory: Uuid([1; 16]) };
    let founding = Some(vec![voter; FOUNDING_MAX].into());
    let cluster = Some(Uuid([3; 16]));
    let named = vec![1; FOUNDING_MAX].into();
    let identity = Identity { founding, cluster, named, ..plain(1) };
    let (first, body) = halves(&Hello { identity, ..hello() }.encode());
    assert!(Hello::decode(&first, body).is_ok());

    let limit = u32::try_from(BODY_BYTES_MAX).unwrap();
    for (bytes, fits) in [(limit, true), (limit + 1, false), (u32::MAX, false)] {
        let mut first = first;
        first[FIRST_BYTES - 4..].copy_from_slice(&bytes.to_be_bytes());
        assert_eq!(First::read(first).is_ok(), fits, "{bytes}");
    }
    let mut other = first;
    other[0] = 0;
    assert_eq!(First::read(other), Err(BadHello::Preface));
}

#[test]
fn a_shard_beyond_its_lanes_is_strange() {
    let decoded = |index, count| {
        let (first, body) = halves(&Hello { index, count, ..hello() }.encode());
        Hello::decode(&first, body).is_ok()
    };
    assert!(decoded(0, 1) && decoded(15, 100));
    assert!(!decoded(1, 1) && !decoded(16, 100) && !decoded(0, 0));
}

#[test]
fn a_sentence_has_one_line_and_a_limit() {
    let sentence = format!("no\nword{}", "ü".repeat(SENTENCE_BYTES_MAX));
    let reply = Reply { versions: VERSIONS, answer: Err(Reason::Full.because(sentence)) };
    let (first, body) = halves(&reply.encode());
    let Err(refusal) = Reply::decode(&first, body).unwrap().answer else { panic!() };
    assert!(refusal.sentence.starts_with("no wordü"));
    assert!(refusal.sentence.len() <= SENTENCE_BYTES_MAX);
}

#[test]
fn who_does_not_belong_here_is_refused() {
    let (this, other) = (plain(1), plain(2));
    let [ours, theirs] = [[7; 16], [8; 16]].map(|id| Some(Uuid(id)));
    let known = Membership::Member(other.id.directory);
    let ask = |this: &Identity, other: &Identity, versions, kind, membership| {
        check(this, other, versions, kind, membership).map_err(|refusal| refusal.reason)
    };
    let met = |this: &Identity, other: &Identity| ask(this, other, VERSIONS, Kind::Groups, known);
    let of = |cluster, it: &Identity| Identity { cluster, ..it.clone() };

    assert_eq!(met(&this, &other), Ok(VERSIONS.max));
    for (a, b, expected) in [
        (ours, None, Ok(VERSIONS.max)),
        (None, ours, Ok(VERSIONS.max)),
        (ours, ours, Ok(VERSIONS.max)),
        (ours, theirs, Err(Reason::Cluster)),
    ] {
        assert_eq!(met(&of(a, &this), &of(b, &other)), expected);
    }

    let newer = VersionRange { min: VERSIONS.max + 1, max: VERSIONS.max + 2 };
    assert_eq!(ask(&this, &other, newer, Kind::Groups, known), Err(Reason::Version));
    let both = VersionRange { min: 0, max: VERSIONS.max + 2 };
    assert_eq!(ask(&this, &other, both, Kind::Groups, known), Ok(VERSIONS.max));

    let namesake = Identity { id: PeerId { node: 1, ..other.id }, ..other.clone() };
    let copy = Identity { id: PeerId { directory: this.id.directory, ..other.id }, ..plain(2) };
    assert_eq!(met(&this, &namesake), Err(Reason::Node));
    assert_eq!(met(&this, &copy), Err(Reason::Node));

    // Before there is a cluster they have to agree on who founds it.
    let naming = |it: &Identity, ids: &[i32]| Identity { named: ids.into(), ..it.clone() };
    let (ones, twos) = (naming(&this, &[1, 2]), naming(&other, &[1, 2, 3]));
    assert_eq!(met(&ones, &twos), Err(Reason::Voters));
    assert_eq!(met(&ones, &naming(&other, &[1, 2])), Ok(VERSIONS.max));
    assert_eq!(met(&ones, &of(ours, &twos)), Ok(VERSIONS.max));
    let founding: Option<Arc<[_]>> =
        Some([FoundingVoter { node: 1, directory: ones.id.directory }].into());
    assert_eq!(met(&Identity { founding, ..ones }, &twos), Ok(VERSIONS.max));

    for (membership, kind, expected) in [
        (Membership::Member(Uuid([9; 16])), Kind::Calls, Err(Reason::Directory)),
        (Membership::Expected, Kind::Groups, Ok(VERSIONS.max)),
        (Membership::Stranger, Kind::Groups, Err(Reason::Stranger)),
        (Membership::Stranger, Kind::Beats, Err(Reason::Stranger)),
        (Membership::Stranger, Kind::Calls, Ok(VERSIONS.max)),
    ] {
        assert_eq!(ask(&this, &other, VERSIONS, kind, membership), expected);
    }
}

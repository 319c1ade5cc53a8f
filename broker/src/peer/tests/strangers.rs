//! Who doesn't belong to the cluster, or doesn't speak as a peer does.

use super::*;

#[test]
fn who_does_not_belong_here_is_refused_with_a_sentence() {
    run(async {
        let world = World::new();
        let cluster = Some(Uuid([7; 16]));
        let two = Site::start(&world, Identity { cluster, ..identity(2, 1) }, 1);
        let ours = hello(Kind::Groups);
        let with = |identity| Hello { identity, ..ours.clone() };
        let other_cluster = Identity { cluster: Some(Uuid([8; 16])), ..identity(1, 1) };
        let moved = PeerId { directory: Uuid([9; 16]), ..identity(1, 1).id };
        let copied = PeerId { directory: identity(2, 1).id.directory, ..identity(1, 1).id };
        let of = |id| with(Identity { id, ..identity(1, 1) });
        for (hello, reason) in [
            (
                Hello { versions: VersionRange { min: 90, max: 99 }, ..ours.clone() },
                Reason::Version,
            ),
            (with(other_cluster), Reason::Cluster),
            (with(identity(2, 9)), Reason::Node),
            (of(copied), Reason::Node),
            (of(moved), Reason::Directory),
            (with(identity(50, 1)), Reason::Stranger),
        ] {
            let (stream, reply) = greet(two.port, &hello).await;
            let Err(refusal) = reply.answer else { panic!("{hello:?}") };
            assert_eq!(refusal.reason, reason);
            assert!(!refusal.sentence.is_empty());
            is_closed(stream).await;
        }
        join(two.port, &ours).await;
    });
}

#[test]
fn few_strangers_are_let_in_and_only_to_call() {
    run(async {
        let world = World::new();
        let two = Site::start(&world, identity(2, 1), 1);
        let calls = |node| Hello { identity: identity(node, 1), ..hello(Kind::Calls) };
        let mut inside = Vec::new();
        for node in 0..i32::try_from(accept::STRANGERS_MAX).unwrap() {
            inside.push(join(two.port, &calls(100 + node)).await);
        }
        let (_, reply) = greet(two.port, &calls(200)).await;
        assert_eq!(reply.answer.unwrap_err().reason, Reason::Full);
        join(two.port, &hello(Kind::Calls)).await;
        // Who leaves makes room, as soon as that is seen.
        drop(inside);
        for _ in 0..1_000 {
            if greet(two.port, &calls(200)).await.1.answer.is_ok() {
                return;
            }
        }
        panic!("no room");
    });
}

#[test]
fn another_broker_at_the_address_is_not_taken_for_the_one_that_is_meant() {
    run(async {
        let world = World::new();
        let one = Site::start(&world, identity(1, 1), 1);
        let two = Site::start(&world, identity(2, 1), 1);
        world.set_port(3, two.port);
        let attempt = |node| {
            let dialler = Dialler::new(Arc::clone(&one.peers), node, Kind::Groups, 0);
            async move { dialler.attempt().await.map(|connection| connection.peer.id) }
        };
        let Err(Ended::Refused(refusal)) = attempt(3).await else { panic!() };
        assert_eq!(refusal.reason, Reason::Node);
        // The one who dials looks at the directory, too.
        world.set_member(2, Membership::Member(Uuid([9; 16])));
        let Err(Ended::Refused(refusal)) = attempt(2).await else { panic!() };
        assert_eq!(refusal.reason, Reason::Directory);
        world.set_member(2, Membership::Expected);
        assert_eq!(attempt(2).await.unwrap(), identity(2, 1).id);
    });
}

#[test]
fn strange_bytes_end_their_own_connection_and_nothing_else() {
    run(async {
        let world = World::new();
        let mut one = Site::start(&world, identity(1, 1), 1);
        let mut two = Site::start(&world, identity(2, 1), 1);
        let link = one.peers.link(0, 2);
        one.connected(2).await;
        let mut flipped = BytesMut::from(&frame(1)[..]);
        flipped[30] ^= 1;
        let noise = |kind| {
            let mut builder = FrameBuilder::new(kind, 0);
            builder.head.raw(&[0xee; 50]);
            builder.finish(0)
        };
        let mut beat = FrameBuilder::new(FrameKind::Beats, 0);
        write_beat(&mut beat.head, 99, &empty_beat(1));
        for (kind, bytes) in [
            (Kind::Groups, Bytes::from_static(&[0xff; 100])),
            (Kind::Groups, Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n")),
            (Kind::Groups, flipped.freeze()),
            (Kind::Groups, noise(FrameKind::Groups)),
            (Kind::Groups, noise(FrameKind::Beats)),
            (Kind::Beats, noise(FrameKind::Beats)),
            (Kind::Beats, beat.finish(0)),
            (Kind::Beats, frame(1)),
            (Kind::Calls, noise(FrameKind::Answer)),
        ] {
            // Another shard of the same broker, so that the link keeps its places.
            let hello = Hello { index: 1, count: 2, ..hello(kind) };
            let mut stream = join(two.port, &hello).await;
            stream.write_all(&bytes).await.unwrap();
            is_closed(stream).await;
        }
        let (key, message) = data(5, 5);
        assert!(link.offer(&key, &message, &[]));
        let (_, _, messages) = two.messages().await;
        assert_eq!(messages[0].key, key, "nothing of the others");
    });
}

#[test]
fn what_is_no_hello_is_closed_without_a_word() {
    run(async {
        let world = World::new();
        let two = Site::start(&world, identity(2, 1), 1);
        let mut damaged = hello(Kind::Groups).encode().to_vec();
        damaged[20] ^= 1;
        for bytes in [&[0; 64][..], b"GET / HTTP/1.1\r\n\r\n", &damaged] {
            let mut stream = TcpStream::connect(("127.0.0.1", two.port)).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            is_closed(stream).await;
        }
        join(two.port, &hello(Kind::Groups)).await;
    });
}

#[test]
fn connections_that_say_nothing_are_few() {
    run(async {
        let world = World::new();
        let two = Site::start(&world, identity(2, 1), 1);
        let mut silent = Vec::new();
        for _ in 0..accept::GREETING_MAX {
            silent.push(TcpStream::connect(("127.0.0.1", two.port)).await.unwrap());
        }
        let mut one_more = TcpStream::connect(("127.0.0.1", two.port)).await.unwrap();
        // It is closed, and maybe with a reset before this is written.
        drop(one_more.write_all(&hello(Kind::Groups).encode()).await);
        let is_let_in = read_words(&mut one_more).await.is_ok();
        // On a machine that was slow the silent ones are gone by now, and there is room.
        let are_gone = silent.iter().any(|stream| matches!(stream.try_read(&mut [0]), Ok(0)));
        assert!(!is_let_in || are_gone);
        drop(silent);
        let mut one = Site::start(&world, identity(1, 1), 1);
        let _link = one.peers.link(0, 2);
        one.connected(2).await;
    });
}

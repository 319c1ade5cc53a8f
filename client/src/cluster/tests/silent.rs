//! Brokers that say nothing, or can't be connected to: what that costs callers, and others.

use super::*;

/// A broker that takes connections and does that with them; how many it took.
async fn unwilling(
    take: impl Fn(tokio::net::TcpStream) + Send + 'static,
) -> (BrokerAddress, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            take(stream);
        }
    });
    (BrokerAddress { host: "127.0.0.1".to_owned(), port }, count)
}

#[tokio::test]
async fn a_call_takes_no_longer_than_it_may_whatever_connecting_takes() {
    let kept = Mutex::new(Vec::new());
    let (address, _) = unwilling(move |stream| kept.lock().unwrap().push(stream)).await;
    let api_timeout = Duration::from_millis(50);
    let config = ClientConfig { api_timeout, ..ClientConfig::default() };
    let (limit, cluster) = (config.request_timeout / 2, Cluster::new(vec![address], config));
    let calls = async {
        let errors = [
            cluster.image(None).await.err(),
            cluster.topic("t").await.err(),
            cluster.init_producer_id().await.err(),
            cluster.describe_cluster().await.err(),
            cluster.delete_records("t", 0, None).await.err(),
            cluster.list_offsets("t", &[0], OffsetSpec::Latest).await.err(),
        ];
        for error in errors {
            let error = error.unwrap();
            assert!(matches!(error, ClientError::Deadline { .. }), "{error}");
        }
    };
    tokio::time::timeout(limit, calls).await.expect("each has a limit of its own");
}

#[tokio::test]
async fn who_is_silent_until_a_call_s_deadline_is_named_and_not_asked_again() {
    let kept = Mutex::new(Vec::new());
    let (dark, _) = unwilling(move |stream| kept.lock().unwrap().push(stream)).await;
    let broker = ScriptedBroker::bind().await;
    let (bootstrap, addresses) = (vec![broker.address.clone()], [broker.address.clone(), dark]);
    let (dark, leader) = (addresses[1].clone(), Arc::new(AtomicI32::new(1)));
    let led = Arc::clone(&leader);
    broker.run(move |asked| {
        Some(match asked.api {
            ApiKey::Metadata => {
                let leader = led.load(Ordering::SeqCst);
                let mut answer = metadata(&addresses, leader);
                answer.controller_id = leader;
                asked.answer(&answer)
            }
            ApiKey::ListOffsets => {
                let partitions = vec![ListOffsetsPartitionResponse::default()];
                let topic = ListOffsetsTopicResponse { name: "t".into(), partitions };
                asked.answer(&ListOffsetsResponse { topics: vec![topic], ..Default::default() })
            }
            ApiKey::Produce => asked.answer(&produced(ErrorCode::NONE, 1)),
            ApiKey::DeleteRecords => {
                let partitions = vec![DeleteRecordsPartitionResult::default()];
                let topic = DeleteRecordsTopicResult { name: "t".into(), partitions };
                asked.answer(&DeleteRecordsResponse { topics: vec![topic], ..Default::default() })
            }
            _ => asked.answer(&ListPartitionReassignmentsResponse::default()),
        })
    });
    let limit = Duration::from_millis(500);
    let config =
        ClientConfig { api_timeout: limit, delivery_timeout: limit, ..ClientConfig::default() };
    for call in 0..4 {
        let cluster = Cluster::new(bootstrap.clone(), config.clone());
        leader.store(1, Ordering::SeqCst);
        cluster.topic("t").await.unwrap();
        let run = async || match call {
            0 => cluster.reassignments().await.map(drop),
            1 => cluster.list_offsets("t", &[0], OffsetSpec::Latest).await.map(drop),
            2 => cluster.delete_records("t", 0, None).await.map(drop),
            _ => cluster.produce("t", 0, Bytes::new(), Acks::All).await.map(drop),
        };
        let error = run().await.unwrap_err();
        let ClientError::Deadline { last, .. } = error else { panic!("{call}: {error}") };
        let is_named =
            matches!(&*last, ClientError::Connection { address, .. } if *address == dark);
        assert!(is_named, "{call}: {last}");
        leader.store(0, Ordering::SeqCst);
        run().await.unwrap();
    }
}

#[tokio::test]
async fn a_leader_that_hangs_holds_up_no_other() {
    let kept = Mutex::new(Vec::new());
    let (dark, _) = unwilling(move |stream| kept.lock().unwrap().push(stream)).await;
    let broker = ScriptedBroker::bind().await;
    let (bootstrap, addresses) = (vec![broker.address.clone()], [dark, broker.address.clone()]);
    broker.run(move |asked| {
        Some(match asked.api {
            ApiKey::Metadata => asked.answer(&metadata(&addresses, 0)),
            ApiKey::ListOffsets => {
                let told =
                    ListOffsetsPartitionResponse { partition_index: 1, ..Default::default() };
                let topic = ListOffsetsTopicResponse { name: "t".into(), partitions: vec![told] };
                asked.answer(&ListOffsetsResponse { topics: vec![topic], ..Default::default() })
            }
            _ => {
                let partitions = vec![PartitionData { partition_index: 1, ..Default::default() }];
                let topic = FetchableTopicResponse {
                    topic_id: Uuid([1; 16]),
                    partitions,
                    ..Default::default()
                };
                asked.answer(&FetchResponse { responses: vec![topic], ..Default::default() })
            }
        })
    });
    let api_timeout = Duration::from_millis(500);
    let config = ClientConfig { api_timeout, ..ClientConfig::default() };
    let cluster = Cluster::new(bootstrap, config);
    let told = cluster.list_offsets_each("t", &[0, 1], OffsetSpec::Latest).await;
    assert_eq!(told.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true], "{told:?}");
    let at = |partition| FetchPosition { partition, offset: 0 };
    let told = cluster.first_records("t", &[at(0), at(1)]).await;
    assert_eq!(told.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true], "{told:?}");
}

#[tokio::test]
async fn who_waits_while_another_connects_has_what_comes_of_it() {
    let (address, count) = unwilling(drop).await;
    let (connections, config) = (Connections::default(), ClientConfig::default());
    let get = || connections.get(&address, &config);
    let (a, b, c) = tokio::join!(get(), get(), get());
    for error in [a, b, c].map(Result::unwrap_err) {
        assert!(matches!(error, ClientError::Connection { .. }), "{error}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    get().await.unwrap_err();
    assert_eq!(count.load(Ordering::SeqCst), 2, "who comes later tries anew");
}

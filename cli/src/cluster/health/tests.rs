//! Partitions and quorums, and what is said of them.

use logboom_client::{Broker, Partition, QuorumDescription, QuorumReplica};

use super::*;

const NOW: i64 = 1_000_000;

/// Brokers 1, 2, 5, 7, 8 and 9 are there, 3 is not, 6 doesn't answer; a directory of 2 is out of
/// service, one of 7 is full; flushes of 8 hang, and 9 hears nothing from 3, 5 and 8.
fn facts() -> Facts {
    let broker = |id| Broker { id, address: "b:1".parse().unwrap(), rack: None };
    let voter = |id, end_offset, last_contact_ms| QuorumReplica {
        id,
        end_offset: Some(end_offset),
        last_contact_ms,
        last_caught_up_ms: None,
    };
    let voters = vec![voter(1, 9, Some(NOW)), voter(2, 7, Some(NOW - 400)), voter(3, 2, Some(0))];
    let quorum = QuorumDescription {
        leader_id: Some(1),
        leader_epoch: 4,
        high_watermark: 9,
        voters,
        observers: Vec::new(),
    };
    Facts {
        brokers: vec![
            (broker(1), true),
            (broker(2), true),
            (broker(3), false),
            (broker(5), true),
            (broker(6), true),
            (broker(7), true),
            (broker(8), true),
            (broker(9), true),
        ],
        mute: [6].into(),
        silent: [(3, Some(0))].into(),
        failed: [(2, vec!["/d".to_owned()])].into(),
        full: [(7, ("/f".to_owned(), 12))].into(),
        slow: [(8, (Some(0), Some(3_000))), (9, (None, Some(400)))].into(),
        unheard: [(9, [(3, 0), (5, 0), (8, 0)].into())].into(),
        damaged: [("bad".to_owned(), [((0, 1), 10..20)].into())].into(),
        absent: [("unmade".to_owned(), 0, 7), ("unmade".to_owned(), 0, 1)].into(),
        moves: [(("moved".to_owned(), 0), vec![1])].into(),
        quorum: Some(Ok(quorum)),
        ..Facts::default()
    }
}

fn why(topic: &str, leader: Option<i32>, replicas: &[i32], in_sync: &[i32]) -> Option<String> {
    let partition = Partition {
        index: 0,
        leader,
        leader_epoch: 0,
        replicas: replicas.to_vec(),
        in_sync: in_sync.to_vec(),
        offline: Vec::new(),
    };
    let row = partition::judge(topic, &partition, &facts())?;
    Some(row["why"].as_str().unwrap().to_owned())
}

#[test]
fn what_a_partition_lacks_has_its_reason() {
    let said = |text: &str| Some(text.to_owned());
    let three = "3: not in contact since 1970-01-01T00:00:00Z";
    let two = "2: its directory /d is out of service";
    assert_eq!(why("t", Some(1), &[1, 5], &[1, 5]), None);
    assert_eq!(why("t", Some(1), &[1, 2, 3], &[1]), said(&format!("{two}; {three}")));
    assert_eq!(why("t", Some(5), &[1, 5], &[5]), said("1: behind"));
    assert_eq!(why("unmade", Some(5), &[1, 5], &[5]), said("1: has no replica of it"));
    let full = "its directory /f has 12 bytes left";
    assert_eq!(why("t", Some(5), &[5, 7], &[5]), said(&format!("7: behind: {full}")));
    let unmade = format!("7: has no replica of it: {full}");
    assert_eq!(why("unmade", Some(5), &[5, 7], &[5]), Some(unmade));
    assert_eq!(why("moved", Some(5), &[1, 5], &[5]), said("1: being moved here"));
    assert_eq!(why("t", Some(1), &[1, 4], &[1]), said("4: not in contact"));
    let no_majority = format!("no majority: 1 of 3 replicas can vote; {two}; {three}");
    assert_eq!(why("t", None, &[1, 2, 3], &[1, 2, 3]), Some(no_majority));
    // Who is said to lead may be gone, and nobody knows yet.
    assert_eq!(
        why("t", Some(6), &[5, 1, 6], &[5, 1, 6]),
        said("an election is due; 6: does not answer")
    );
    let nobody = format!("no replica in sync can lead (in sync: 3); {three}");
    assert_eq!(why("t", None, &[1, 3], &[3]), Some(nobody));
    assert_eq!(why("t", None, &[1], &[1]), said("an election is due"));
}

#[test]
fn what_a_broker_knows_to_be_wrong_with_itself_is_the_reason() {
    let said = |text: &str| Some(text.to_owned());
    let hang = "its flushes hang, or did lately, since 1970-01-01T00:00:00Z";
    assert_eq!(why("t", Some(1), &[1, 8], &[1]), said(&format!("8: behind: {hang}")));
    // Of those that it doesn't hear only the leader matters to it.
    let slow = "9: behind: a flush took 400 ms";
    assert_eq!(why("t", Some(1), &[1, 9, 5], &[1, 5]), said(slow));
    let deaf = "hears nothing from 5 since 1970-01-01T00:00:00Z";
    assert_eq!(why("t", Some(5), &[9, 5], &[5]), said(&format!("{slow}, {deaf}")));
    let mute = "5: behind: 9 hears nothing from it since 1970-01-01T00:00:00Z";
    assert_eq!(why("t", Some(9), &[9, 5], &[9]), said(mute));
    // A damaged replica may have all the others.
    let damaged = "its records from 10 to 19 can't be read";
    assert_eq!(why("bad", Some(5), &[1, 5], &[1, 5]), said(&format!("1: {damaged}")));
    assert_eq!(why("bad", Some(5), &[1, 5], &[5]), said(&format!("1: behind: {damaged}")));
    let due = format!("an election is due; 8: {hang}");
    assert_eq!(why("t", None, &[1, 5, 8], &[1, 5, 8]), Some(due));
}

#[test]
fn a_broker_is_unwell_where_its_flushes_hang_or_it_does_not_hear_one_that_is_there() {
    let facts = facts();
    let at = "since 1970-01-01T00:00:00Z";
    assert_eq!(facts.why_unwell(1), None);
    assert_eq!(facts.why_unwell(3), Some(format!("not in contact {at}")));
    assert_eq!(facts.why_unwell(8), Some(format!("its flushes hang, or did lately, {at}")));
    // Nobody hears who isn't there, and that is said of that one.
    let nine = format!("hears nothing from 5 {at}, hears nothing from 8 {at}");
    assert_eq!(facts.why_unwell(9), Some(nine));
}

#[test]
fn a_controller_that_is_silent_is_named_and_one_that_lags_is_not() {
    let (said, rows) = quorum::judge(&facts());
    assert_eq!((&said["voters"], &said["in_contact"]), (&json!(3), &json!(2)));
    let lags: Vec<&Value> = rows.iter().map(|row| &row["lag"]).collect();
    assert_eq!(lags, [&json!(0), &json!(2), &json!(7)]);
    let whys: Vec<bool> = rows.iter().map(|row| row["why"].is_null()).collect();
    assert_eq!(whys, [true, true, false]);
    let text = quorum::sentence(&said);
    let expected = "controllers: 1 leads in epoch 4, 2 of 3 voters in contact, metadata up to 9";
    assert_eq!(text, expected);
}

#[test]
fn without_a_leader_or_without_a_quorum_that_is_said() {
    let unknown = Facts { quorum: None, ..facts() };
    assert_eq!(quorum::judge(&unknown), (Value::Null, Vec::new()));
    let none = Facts { quorum: Some(Err("no controller leads".to_owned())), ..facts() };
    let (said, rows) = quorum::judge(&none);
    assert_eq!(quorum::sentence(&said), "controllers: no controller leads");
    assert_eq!((said["why"].as_str(), rows.len()), (Some("no controller leads"), 0));
}

#[test]
fn a_table_holds_so_many_rows_and_counts_the_others() {
    let row = json!({ "partition": "t-0", "replicas": [1], "in_sync": [], "why": "x" });
    let lacking = Lacking { partitions: 9, leaderless: 3, under_replicated: 4, rows: vec![row; 2] };
    let mut out = Vec::new();
    let summary = json!({ "healthy": false, "quorum": null });
    write_text(&mut out, &summary, &[], &brokers(&facts()), &lacking).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("cluster without an id: not healthy\n"), "{text}");
    assert!(text.ends_with("… and 5 more; --output json names all of them\n"), "{text}");
}

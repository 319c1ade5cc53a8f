//! Topics that a group is to read by a pattern of their names, those that come later among them.

use std::time::Duration;

use logboom_producer::Record;
use logboom_tests::broker::shared;
use logboom_tests::raw::topic_name;

use super::{consumer, create_topic, producer, run};

#[test]
fn a_group_reads_the_topics_that_match_and_those_that_come_to_match() {
    let subject = shared();
    let bootstrap = subject.bootstrap();
    let name = topic_name("by-pattern");
    let topic = |end: &str| format!("{name}-{end}");
    run(async {
        let producer = producer(&bootstrap).build().unwrap();
        let publish = async |topic: &str, value: &str| {
            create_topic(&bootstrap, topic, 2).await;
            producer.publish(Record::to(topic).value(value)).await.unwrap();
        };
        publish(&topic("flights-1"), "first").await;
        publish(&topic("trains-1"), "not read").await;
        let builder = consumer(&bootstrap).group_id(topic("readers"));
        let builder = builder.metadata_max_age(Duration::from_millis(200));
        let mut consumer = builder.build().unwrap();
        consumer.subscribe([format!("^{name}-fl.*-[0-9]$")]).unwrap();
        let mut read = async || {
            let record = consumer.next().await.unwrap();
            (record.topic.to_string(), String::from_utf8(record.value.unwrap().into()).unwrap())
        };
        assert_eq!(read().await, (topic("flights-1"), "first".to_owned()));
        publish(&topic("flights-x"), "not read either").await;
        publish(&topic("flights-2"), "second").await;
        assert_eq!(read().await, (topic("flights-2"), "second".to_owned()));
        publish(&topic("flights-1"), "third").await;
        assert_eq!(read().await, (topic("flights-1"), "third".to_owned()), "it goes on with it");
        consumer.close().await.unwrap();
    });
}

"""BOOTSTRAP TOPIC MILLISECONDS: the tour with kafka-python; tests/it/tour.rs describes it."""

import kafka
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic

import text
import tour


def produce(bootstrap, topic, start, first, options):
    producer = kafka.KafkaProducer(
        bootstrap_servers=bootstrap, linger_ms=10000, batch_size=1000000, **options)
    sent = [
        producer.send(
            topic,
            partition=0,
            key=tour.key(number),
            value=tour.value(number),
            timestamp_ms=start + number,
        )
        for number in range(first, first + tour.RUN)
    ]
    producer.flush(tour.PATIENCE)
    for one in sent:
        one.get(tour.PATIENCE)
    producer.close()


def read(reader, count):
    records = []
    for record in reader:
        records.append((record.offset, record.timestamp, record.key, record.value))
        if len(records) == count:
            return records
    text.fail(f"{len(records)} of {count} records")


def consume(bootstrap, topic, start):
    reader = kafka.KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        check_crcs=True,
        consumer_timeout_ms=tour.PATIENCE * 1000,
    )
    partition = kafka.TopicPartition(topic, 0)
    reader.assign([partition])
    earliest = reader.beginning_offsets([partition])[partition]
    latest = reader.end_offsets([partition])[partition]
    found = reader.offsets_for_times({partition: start + tour.AT})[partition].offset
    tour.step("list earliest", earliest)
    tour.step("list latest", latest)
    tour.step("list timestamp", found)
    reader.seek_to_beginning(partition)
    tour.check(read(reader, tour.COUNT), 0, start)
    tour.step("beginning")
    reader.seek(partition, tour.AT)
    tour.check(read(reader, 5), tour.AT, start)
    tour.step("offset")
    reader.seek(partition, found)
    tour.check(read(reader, 5), tour.AT, start)
    tour.step("time")
    reader.seek_to_end(partition)
    if reader.position(partition) != latest or reader.poll(100):
        text.fail("a record behind the end")
    tour.step("end")
    reader.close()


def retention(client, topic):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    return client.describe_configs([resource])["topic"][topic]["retention.ms"]["value"]


def tour_of(bootstrap, topic, start):
    client = kafka.KafkaAdminClient(bootstrap_servers=bootstrap)
    config = {"retention.ms": "7200000"}
    client.create_topics([NewTopic(topic, 2, -1, topic_configs=config)])
    tour.step("create")
    for round_, codec in enumerate(tour.CODECS):
        options = {"compression_type": None if codec == "none" else codec}
        produce(bootstrap, topic, start, round_ * tour.RUN, options | {"enable_idempotence": False})
        tour.step("produce", codec)
    first = tour.COUNT - tour.RUN
    produce(bootstrap, topic, start, first, {"enable_idempotence": True})
    tour.step("produce idempotent")
    consume(bootstrap, topic, start)
    tour.step("config", retention(client, topic))
    changed = {"retention.ms": "3600000"}
    client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=changed)])
    tour.step("changed", tour.settled(lambda: retention(client, topic), "3600000"))
    client.create_partitions({topic: NewPartitions(4)})
    count = lambda: len(client.describe_topics([topic])[0]["partitions"])
    tour.step("partitions", tour.settled(count, 4))
    partition = kafka.TopicPartition(topic, 0)
    client.delete_records({partition: 30})
    reader = kafka.KafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
    tour.step("trim", reader.beginning_offsets([partition])[partition])
    reader.close()
    client.create_topics([NewTopic(topic + "-gone", 1, -1)])
    client.delete_topics([topic + "-gone"])
    if tour.settled(lambda: topic + "-gone" in client.list_topics(), False):
        text.fail("it is still there")
    tour.step("delete")


if __name__ == "__main__":
    tour.main(tour_of)

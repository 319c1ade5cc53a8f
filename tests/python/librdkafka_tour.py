"""BOOTSTRAP TOPIC MILLISECONDS: the tour with librdkafka; tests/it/tour.rs describes it."""

import confluent_kafka
from confluent_kafka import TopicPartition, admin

import text
import tour


def produce(bootstrap, topic, start, first, options):
    producer = confluent_kafka.Producer({
        "bootstrap.servers": bootstrap,
        "linger.ms": 10000,
        **options,
    })
    producer.list_topics(topic, tour.PATIENCE)
    failures = []

    def delivered(error, _message):
        if error is not None:
            failures.append(str(error))

    for number in range(first, first + tour.RUN):
        producer.produce(
            topic,
            partition=0,
            key=tour.key(number),
            value=tour.value(number),
            timestamp=start + number,
            on_delivery=delivered,
        )
    if producer.flush(tour.PATIENCE) != 0 or failures:
        text.fail(f"not sent: {failures}")


def consumer(bootstrap):
    return confluent_kafka.Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "unused",
        "enable.auto.commit": False,
        "check.crcs": True,
    })


def read(reader, count):
    records = []
    for message in reader.consume(count, tour.PATIENCE):
        if message.error() is not None:
            text.fail(str(message.error()))
        timestamp = message.timestamp()[1]
        records.append((message.offset(), timestamp, message.key(), message.value()))
    if len(records) != count:
        text.fail(f"{len(records)} of {count} records")
    return records


def done(futures):
    (future,) = futures.values()
    return future.result(tour.PATIENCE)


def consume(bootstrap, topic, start):
    reader = consumer(bootstrap)
    reader.assign([TopicPartition(topic, 0, confluent_kafka.OFFSET_BEGINNING)])
    tour.check(read(reader, tour.COUNT), 0, start)
    tour.step("beginning")
    reader.assign([TopicPartition(topic, 0, tour.AT)])
    tour.check(read(reader, 5), tour.AT, start)
    tour.step("offset")
    asked = TopicPartition(topic, 0, start + tour.AT)
    (found,) = reader.offsets_for_times([asked], tour.PATIENCE)
    reader.assign([found])
    tour.check(read(reader, 5), tour.AT, start)
    tour.step("time")
    # From the end nothing comes before the next record does.
    _, end = reader.get_watermark_offsets(TopicPartition(topic, 0), tour.PATIENCE)
    reader.assign([TopicPartition(topic, 0, confluent_kafka.OFFSET_END)])
    send = confluent_kafka.Producer({"bootstrap.servers": bootstrap})
    message = None
    while message is None:
        # Until it is there, for the end is looked up meanwhile.
        send.produce(topic, partition=0, key=b"end", value=b"end")
        send.flush(tour.PATIENCE)
        message = reader.poll(1.0)
    if message.offset() < end or message.key() != b"end":
        text.fail(f"{message.offset()} behind the end {end}")
    tour.step("end")


def change(client, topic):
    resource = admin.ConfigResource(admin.ResourceType.TOPIC, topic)
    found = done(client.describe_configs([resource]))["retention.ms"]
    tour.step("config", found.value)
    entry = admin.ConfigEntry(
        "retention.ms", "3600000", incremental_operation=admin.AlterConfigOpType.SET)
    changed = admin.ConfigResource(
        admin.ResourceType.TOPIC, topic, incremental_configs=[entry])
    done(client.incremental_alter_configs([changed]))
    retention = lambda: done(client.describe_configs([resource]))["retention.ms"].value
    tour.step("changed", tour.settled(retention, "3600000"))


def tour_of(bootstrap, topic, start):
    client = admin.AdminClient({"bootstrap.servers": bootstrap})
    config = {"retention.ms": "7200000"}
    done(client.create_topics([admin.NewTopic(topic, 2, -1, config=config)]))
    tour.step("create")
    for round_, codec in enumerate(tour.CODECS):
        options = {"compression.type": codec}
        produce(bootstrap, topic, start, round_ * tour.RUN, options)
        tour.step("produce", codec)
    first = tour.COUNT - tour.RUN
    produce(bootstrap, topic, start, first, {"enable.idempotence": True})
    tour.step("produce idempotent")
    partition = TopicPartition(topic, 0)
    for name, spec in [
        ("earliest", admin.OffsetSpec.earliest()),
        ("latest", admin.OffsetSpec.latest()),
        ("timestamp", admin.OffsetSpec.for_timestamp(start + tour.AT)),
    ]:
        tour.step("list", name, done(client.list_offsets({partition: spec})).offset)
    consume(bootstrap, topic, start)
    change(client, topic)
    done(client.create_partitions([admin.NewPartitions(topic, 4)]))
    count = lambda: len(client.list_topics(topic, tour.PATIENCE).topics[topic].partitions)
    tour.step("partitions", tour.settled(count, 4))
    done(client.delete_records([TopicPartition(topic, 0, 30)]))
    earliest = {partition: admin.OffsetSpec.earliest()}
    tour.step("trim", done(client.list_offsets(earliest)).offset)
    done(client.create_topics([admin.NewTopic(topic + "-gone", 1, -1)]))
    done(client.delete_topics([topic + "-gone"]))
    is_there = lambda: topic + "-gone" in client.list_topics(timeout=tour.PATIENCE).topics
    if tour.settled(is_there, False):
        text.fail("it is still there")
    tour.step("delete")


if __name__ == "__main__":
    tour.main(tour_of)

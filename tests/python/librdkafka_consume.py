"""BOOTSTRAP TOPIC ISOLATION PARTITION:LAST...: prints the records up to the offset LAST."""

import sys

import confluent_kafka

import text

IDLE_POLLS_MAX = 30


def main(bootstrap, topic, isolation, *ends):
    left = text.ends(ends)
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "unused",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "check.crcs": True,
        "isolation.level": isolation,
    })
    beginning = confluent_kafka.OFFSET_BEGINNING
    consumer.assign([confluent_kafka.TopicPartition(topic, p, beginning) for p in left])
    kinds = {
        confluent_kafka.TIMESTAMP_CREATE_TIME: "CreateTime",
        confluent_kafka.TIMESTAMP_LOG_APPEND_TIME: "LogAppendTime",
    }
    idle = 0
    while left and idle < IDLE_POLLS_MAX:
        idle += 1
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error() is not None:
            text.fail(str(message.error()))
        idle = 0
        kind, timestamp = message.timestamp()
        partition, offset = message.partition(), message.offset()
        key, value, headers = message.key(), message.value(), message.headers()
        text.record(partition, offset, kinds[kind], timestamp, key, value, headers)
        if left.get(partition) == offset:
            del left[partition]
    consumer.close()
    if left:
        text.fail(f"nothing came for {left}")


if __name__ == "__main__":
    text.end_in_time()
    main(*sys.argv[1:])

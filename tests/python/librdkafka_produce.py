"""BOOTSTRAP TOPIC (CODEC IDEMPOTENT FILE)...: sends the batches that each FILE describes."""

import sys

import confluent_kafka

import text

FLUSH_SECONDS = 60


def produce(bootstrap, topic, codec, idempotent, path):
    producer = confluent_kafka.Producer({
        "bootstrap.servers": bootstrap,
        "compression.type": codec,
        "enable.idempotence": idempotent,
        "acks": "all",
        "linger.ms": 10000,
        "message.timeout.ms": 60000,
    })
    # Records that are queued before the partitions are known leave one by one at the flush.
    producer.list_topics(topic, FLUSH_SECONDS)
    failures = []

    def delivered(error, _message):
        if error is not None:
            failures.append(str(error))

    for partition, records in text.batches(path):
        for timestamp, key, value, headers in records:
            producer.produce(
                topic,
                value=value,
                key=key,
                partition=partition,
                timestamp=timestamp,
                headers=headers or None,
                on_delivery=delivered,
            )
        if producer.flush(FLUSH_SECONDS) != 0:
            text.fail(f"partition {partition} was not sent in time")
    if failures:
        text.fail(failures[0])


def main(bootstrap, topic, *jobs):
    for job in zip(*[iter(jobs)] * 3):
        produce(bootstrap, topic, *job)


if __name__ == "__main__":
    text.end_in_time()
    main(*sys.argv[1:])

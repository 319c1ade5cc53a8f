"""BOOTSTRAP TOPIC (CODEC IDEMPOTENT FILE)...: sends the batches that each FILE describes."""

import sys

import kafka

import text

FLUSH_SECONDS = 60


def produce(bootstrap, topic, codec, idempotent, path):
    producer = kafka.KafkaProducer(
        bootstrap_servers=bootstrap,
        compression_type=None if codec == "none" else codec,
        enable_idempotence=idempotent == "true",
        acks="all",
        linger_ms=10000,
        batch_size=1000000,
    )
    for partition, records in text.batches(path):
        sent = [
            producer.send(
                topic,
                value=value,
                key=key,
                partition=partition,
                timestamp_ms=timestamp,
                headers=headers,
            )
            for timestamp, key, value, headers in records
        ]
        producer.flush(timeout=FLUSH_SECONDS)
        for one in sent:
            one.get(timeout=FLUSH_SECONDS)
    producer.close(timeout=10)


def main(bootstrap, topic, *jobs):
    for job in zip(*[iter(jobs)] * 3):
        produce(bootstrap, topic, *job)


if __name__ == "__main__":
    text.end_in_time()
    main(*sys.argv[1:])

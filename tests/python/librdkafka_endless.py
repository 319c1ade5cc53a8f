"""BOOTSTRAP TOPIC PARTITIONS [RATE]: numbered records from an idempotent producer, RATE a second if it
is given, until standard input ends; then their count. Every record is delivered in the end, or it
fails."""

import sys
import threading
import time

import confluent_kafka

import text

FLUSH_SECONDS = 100
QUEUED_MAX = 5000


def main(bootstrap, topic, partitions, rate="0"):
    producer = confluent_kafka.Producer({
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "compression.type": "lz4",
        "reconnect.backoff.max.ms": 100,
        "retry.backoff.max.ms": 100,
        "log_level": 2,
    })
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    failures = []

    def delivered(error, _message):
        if error is not None:
            failures.append(str(error))

    count = 0
    begun = time.monotonic()
    while not ended.is_set() and not failures:
        is_early = rate != "0" and count > (time.monotonic() - begun) * int(rate)
        if is_early or len(producer) >= QUEUED_MAX:
            producer.poll(0.01)
            continue
        number = str(count).encode()
        producer.produce(
            topic, partition=count % int(partitions), value=number, on_delivery=delivered)
        producer.poll(0)
        count += 1
    if producer.flush(FLUSH_SECONDS) != 0 or failures:
        text.fail(f"not delivered: {failures[:3]}")
    print(count)


if __name__ == "__main__":
    text.SECONDS_MAX = 100_000
    main(*sys.argv[1:])

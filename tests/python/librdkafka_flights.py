"""BOOTSTRAP TOPIC FILE: the lines of a CSV file as records, with the carrier as their key; prints
how many are delivered, now and then and in the end."""

import sys

import confluent_kafka

import text

CARRIER = 9
REPORT_EVERY = 100
FLUSH_SECONDS = 100


def main(bootstrap, topic, path):
    producer = confluent_kafka.Producer({
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "compression.type": "zstd",
        "partitioner": "murmur2",
        "reconnect.backoff.max.ms": 100,
        "retry.backoff.max.ms": 100,
        "log_level": 2,
    })
    count = 0

    def delivered(error, _message):
        nonlocal count
        if error is not None:
            text.fail(str(error))
        count += 1
        if count % REPORT_EVERY == 0:
            print(count, flush=True)

    with open(path, encoding="ascii") as lines:
        for line in map(str.rstrip, lines):
            while len(producer) > 1000:
                producer.poll(0.1)
            producer.produce(
                topic, key=line.split(",")[CARRIER], value=line, on_delivery=delivered)
            producer.poll(0)
    if producer.flush(FLUSH_SECONDS) != 0:
        text.fail("not delivered in time")
    print(count)


if __name__ == "__main__":
    text.end_in_time()
    main(*sys.argv[1:])

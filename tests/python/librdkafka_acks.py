"""BOOTSTRAP TOPIC [OTHER [KEY=VALUE...]]: a record every few milliseconds to partition 0, with
librdkafka's defaults but for these; for each that is acknowledged, when it was handed over and when
its acknowledgement came (nanoseconds since 1970), until standard input ends. Now and then one to
another topic, so that there are connections to all who lead a partition of it."""

import itertools
import sys
import threading
import time

import confluent_kafka

import text

PERIOD_SECONDS = 0.002
# Of so many records one goes to the other topic, too.
OTHER_EVERY = 10
OTHER_PARTITIONS = 3


def main(bootstrap, topic, other=None, *properties):
    configuration = dict(line.split("=", 1) for line in properties)
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": bootstrap, "log_level": 0, **configuration})
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()

    def delivered(begun, error):
        if error is not None:
            text.fail(f"not delivered: {error}")
        print(begun, time.time_ns(), flush=True)

    for turn in itertools.count():
        if ended.is_set():
            break
        if other is not None and turn % OTHER_EVERY == 0:
            producer.produce(other, partition=turn // OTHER_EVERY % OTHER_PARTITIONS, value=b"x")
        begun = time.time_ns()
        producer.produce(
            topic, partition=0, value=b"x" * 1000,
            on_delivery=lambda error, _message, begun=begun: delivered(begun, error))
        producer.poll(PERIOD_SECONDS)


if __name__ == "__main__":
    text.SECONDS_MAX = 100_000
    main(*sys.argv[1:])

"""BOOTSTRAP TOPIC: a record every few milliseconds to partition 0, with librdkafka's defaults; for
each that is acknowledged, when it was handed over and when its acknowledgement came (nanoseconds
since 1970), until standard input ends."""

import sys
import threading
import time

import confluent_kafka

import text

PERIOD_SECONDS = 0.002


def main(bootstrap, topic):
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()

    def delivered(begun, error):
        if error is not None:
            text.fail(f"not delivered: {error}")
        print(begun, time.time_ns(), flush=True)

    while not ended.is_set():
        begun = time.time_ns()
        producer.produce(
            topic, partition=0, value=b"x" * 1000,
            on_delivery=lambda error, _message, begun=begun: delivered(begun, error))
        producer.poll(PERIOD_SECONDS)


if __name__ == "__main__":
    text.SECONDS_MAX = 100_000
    main(*sys.argv[1:])

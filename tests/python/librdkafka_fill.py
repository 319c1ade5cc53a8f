"""BOOTSTRAP TOPIC: numbered records of 60,000 bytes from an idempotent producer, until standard
input ends; then their count. Prints `refused CODE` when a batch is refused the first time. Every
record is delivered in the end, or it fails."""

import logging
import sys
import threading

import confluent_kafka

import text

FLUSH_SECONDS = 100
QUEUED_MAX = 20


class Refusals(logging.Handler):
    """What the producer says of batches that come back."""

    def __init__(self):
        super().__init__()
        self.said = False

    def emit(self, entry):
        line = entry.getMessage()
        if "encountered error" in line and not self.said:
            self.said = True
            known = confluent_kafka.KafkaError(confluent_kafka.KafkaError.KAFKA_STORAGE_ERROR)
            print("refused", known.name() if known.str() in line else line, flush=True)


def main(bootstrap, topic):
    logger = logging.getLogger("producer")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(Refusals())
    logger.propagate = False
    producer = confluent_kafka.Producer({
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "compression.type": "none",
        # One of ours is refused where one of its is.
        "batch.num.messages": 1,
        "debug": "msg",
    }, logger=logger)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    failures = []

    def delivered(error, _message):
        if error is not None:
            failures.append(str(error))

    count = 0
    while not ended.is_set() and not failures:
        if len(producer) >= QUEUED_MAX:
            producer.poll(0.01)
            continue
        producer.produce(topic, partition=0, value=f"{count:0>60000}", on_delivery=delivered)
        producer.poll(0)
        count += 1
    if producer.flush(FLUSH_SECONDS) != 0 or failures:
        text.fail(f"not delivered: {failures[:3]}")
    print(count)


if __name__ == "__main__":
    text.end_in_time()
    main(*sys.argv[1:])

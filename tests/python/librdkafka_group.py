"""BOOTSTRAP TOPIC GROUP COUNT [STRATEGY [TOLD]]: reads with a group, commits each record, and prints
its partition and offset then; so many of them, or with 0 until standard input ends. With `read` it
prints what it couldn't commit as well: where an answer was lost it may be committed, and nobody
else would read it."""

import sys
import threading

import confluent_kafka

import text

# After these a record belongs to whoever owns its partition now.
LOST = {
    confluent_kafka.KafkaError.ILLEGAL_GENERATION,
    confluent_kafka.KafkaError.UNKNOWN_MEMBER_ID,
    confluent_kafka.KafkaError.REBALANCE_IN_PROGRESS,
    confluent_kafka.KafkaError._ASSIGNMENT_LOST,
    confluent_kafka.KafkaError._STATE,
}


def commit(consumer, message):
    while True:
        try:
            consumer.commit(message=message, asynchronous=False)
            return True
        except confluent_kafka.KafkaException as error:
            if error.args[0].code() in LOST:
                return False


def main(bootstrap, topic, group, count, strategy="range", told="committed"):
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "partition.assignment.strategy": strategy,
        "heartbeat.interval.ms": 500,
        "session.timeout.ms": 10000,
        "reconnect.backoff.max.ms": 100,
        "log_level": 2,
    })
    ended = threading.Event()
    if count == "0":
        threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    consumer.subscribe([topic])
    read = 0
    while not ended.is_set() and (count == "0" or read < int(count)):
        message = consumer.poll(0.2)
        # Errors say that the broker is away; it comes back.
        if message is None or message.error():
            continue
        if not commit(consumer, message) and told != "read":
            continue
        print(message.partition(), message.offset(), flush=True)
        read += 1
    consumer.close()


if __name__ == "__main__":
    # A round of faults lasts for minutes where a machine has other work.
    text.SECONDS_MAX = 900
    text.end_in_time()
    main(*sys.argv[1:])

"""BOOTSTRAP TOPIC GROUP COUNT [STRATEGY]: as librdkafka_group.py."""

import sys
import threading

import kafka
from kafka.coordinator.assignors.range import RangePartitionAssignor

import text


def commit(consumer):
    try:
        consumer.commit()
        return True
    except kafka.errors.KafkaError:
        # The record belongs to whoever owns its partition now.
        return False


def main(bootstrap, topic, group, count, _strategy="range"):
    consumer = kafka.KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        partition_assignment_strategy=[RangePartitionAssignor],
        heartbeat_interval_ms=500,
        session_timeout_ms=10000,
        max_poll_records=1,
    )
    ended = threading.Event()
    if count == "0":
        threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    read = 0
    while not ended.is_set() and (count == "0" or read < int(count)):
        for records in consumer.poll(timeout_ms=200, max_records=1).values():
            for one in records:
                if commit(consumer):
                    print(one.partition, one.offset, flush=True)
                    read += 1
    consumer.close()


if __name__ == "__main__":
    text.end_in_time()
    main(*sys.argv[1:])

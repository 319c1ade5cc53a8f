"""BOOTSTRAP TOPIC ISOLATION PARTITION:LAST...: prints the records up to the offset LAST."""

import sys

import kafka

import text

IDLE_POLLS_MAX = 30
KINDS = {0: "CreateTime", 1: "LogAppendTime"}


def main(bootstrap, topic, isolation, *ends):
    left = text.ends(ends)
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        check_crcs=True,
        isolation_level=isolation,
    )
    consumer.assign([kafka.TopicPartition(topic, partition) for partition in left])
    idle = 0
    while left and idle < IDLE_POLLS_MAX:
        idle += 1
        for records in consumer.poll(timeout_ms=1000).values():
            for one in records:
                idle = 0
                text.record(
                    one.partition,
                    one.offset,
                    KINDS[one.timestamp_type],
                    one.timestamp,
                    one.key,
                    one.value,
                    one.headers,
                )
                if left.get(one.partition) == one.offset:
                    del left[one.partition]
    consumer.close()
    if left:
        text.fail(f"nothing came for {left}")


if __name__ == "__main__":
    text.end_in_time()
    main(*sys.argv[1:])

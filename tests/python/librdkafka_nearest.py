"""BOOTSTRAP TOPIC RACK COUNT: reads so many numbered records of partition 0 as a client in a rack,
and waits at their end; prints from which broker it fetches then."""

import json
import sys

import confluent_kafka

import text

LOOKS_MAX = 300


def main(bootstrap, topic, rack, count):
    seen = {"broker": -1}

    def on_stats(statistics):
        partitions = json.loads(statistics)["topics"].get(topic, {}).get("partitions", {})
        seen["broker"] = partitions.get("0", {}).get("broker", -1)

    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "nearest-" + rack,
        "client.rack": rack,
        "statistics.interval.ms": 100,
        "stats_cb": on_stats,
        "reconnect.backoff.max.ms": 100,
        "topic.metadata.refresh.interval.ms": 1000,
        "log_level": 2,
    })
    consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
    for number in range(int(count)):
        message = consumer.poll(60)
        if message is None or message.error() or message.value() != str(number).encode():
            text.fail(f"in place of {number}: {message and (message.error() or message.value())}")
    # The statistics are of a moment; what they say twice holds.
    for _ in range(LOOKS_MAX):
        consumer.poll(0.1)
        before = seen["broker"]
        consumer.poll(0.2)
        if before >= 0 and before == seen["broker"]:
            break
    print(seen["broker"])
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

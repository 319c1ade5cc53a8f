"""What a tour through a broker does, as tests/it/tour.rs describes it, for both Python clients."""

import sys
import time

import text

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
RUN = 20
COUNT = RUN * (len(CODECS) + 1)
AT = 50
PATIENCE = 60


def key(number):
    return f"key {number}".encode()


def value(number):
    return f"value {number} ".encode() * 20


def step(*words):
    print(*words, flush=True)


def settled(ask, expected):
    """What `ask` says: what is expected, once the broker that is asked has heard of it."""
    deadline = time.monotonic() + PATIENCE / 6
    while (found := ask()) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def check(records, first, start):
    """Records as (offset, timestamp, key, value), which begin at `first`; `start`: milliseconds."""
    for number, record in enumerate(records, first):
        expected = (number, start + number, key(number), value(number))
        if record != expected:
            text.fail(f"{record} for {expected}")


def main(tour):
    text.end_in_time()
    bootstrap, topic, start = sys.argv[1:]
    tour(bootstrap, topic, int(start))

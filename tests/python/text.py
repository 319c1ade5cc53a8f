"""Records as text; tests/src/shapes.rs describes the format."""

import signal
import sys

UNIT = 64
SECONDS_MAX = 120


def end_in_time():
    """No test waits for a client that hangs."""
    signal.alarm(SECONDS_MAX)


def show(data):
    if data is None:
        return "-"
    data = bytes(data)
    count = len(data) // UNIT
    if count >= 2 and data == data[:UNIT] * count:
        return f"{count}={data[:UNIT].hex()}"
    return f"={data.hex()}"


def parse(text):
    if text == "-":
        return None
    count, unit = text.split("=")
    return bytes.fromhex(unit) * int(count or 1)


def batches(path):
    """Yields (partition, records); a record is (timestamp, key, value, headers)."""
    found = []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            kind, *words = line.split()
            if kind == "batch":
                found.append((int(words[0]), []))
                continue
            timestamp, key, value, *headers = words
            headers = [parse(one) for one in headers]
            pairs = [(key.decode(), value) for key, value in zip(headers[::2], headers[1::2])]
            found[-1][1].append((int(timestamp), parse(key), parse(value), pairs))
    return found


def record(partition, offset, kind, timestamp, key, value, headers):
    words = [str(partition), str(offset), kind, str(timestamp), show(key), show(value)]
    for name, content in headers or ():
        words += [show(name.encode()), show(content)]
    print(" ".join(words))


def ends(words):
    """{partition: last offset} of PARTITION:LAST arguments."""
    return dict(map(int, word.split(":")) for word in words)


def fail(reason):
    sys.exit(reason)

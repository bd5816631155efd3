"""`engineroom notify SOCKET [HASH]`: tells a running pool that the node has a new tip. For -blocknotify.

The node starts one of these for every block, so that it must be quick and must never hang: it imports nothing
but what a datagram needs, sends one, and ends. The hash is passed on for whoever looks at the traffic; the
pool only takes it as a hint to ask the node.
"""

import socket
import sys

USAGE = "usage: engineroom notify SOCKET [HASH] (as the node's blocknotify=engineroom notify SOCKET %s)"


def main(arguments: list[str]) -> int:
    """Exit status: 0 told, 1 nobody listens there (one line on stderr), 2 wrong arguments."""
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        sys.stderr.write(USAGE + "\n")
        return 2
    path = arguments[0]
    message = " ".join(arguments[1:]).encode("utf-8", "surrogateescape")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            # A full queue holds hints already, and one more would say nothing new: never wait for room in it.
            sender.setblocking(False)
            sender.connect(path)
            sender.send(message)
    except BlockingIOError:
        return 0
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        sys.stderr.write(
            f"engineroom notify: nobody listens at {path} ({reason}): "
            "is engineroom running, and is this its notify_socket?\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

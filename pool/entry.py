"""The console script's first step: `engineroom notify` goes straight to its socket, all else to the CLI."""

import errno
import os
import sys


def main() -> None:
    """Run the command that was typed.

    The node starts `engineroom notify` at every block (-blocknotify): it must cost milliseconds, not the
    third of a second that importing the whole application takes.
    """
    if sys.argv[1:2] == ["notify"]:
        from pool.notify import main as notify

        sys.exit(notify(sys.argv[2:]))
    from pool.cli import app

    try:
        app()
        sys.stdout.flush()
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EIO):
            raise
        # What was to be shown could not be: there is nobody to show a traceback to, and no fault of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stderr.write(f"engineroom: the output cannot be written: {error.strerror}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()

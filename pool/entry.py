"""The console script's first step: `engineroom notify` goes straight to its socket, all else to the CLI."""

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

    app()


if __name__ == "__main__":
    main()

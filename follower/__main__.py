"""`python -m follower` is the `follower` command, and this its entry point: Ctrl-C is no traceback from here on."""

import sys


def main() -> int:
    """Carry out the command line; returns the exit code."""
    try:
        from follower.cli import main as run

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

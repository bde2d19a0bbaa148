"""`python -m offline_prep` is the `offline-prep` command, and this its entry point: as `follower.__main__`."""

import sys


def main() -> int:
    """Carry out the command line; returns the exit code."""
    try:
        from offline_prep.cli import main as run

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""The command line: `follower COMMAND ...`. One file per command in `follower/commands/`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from follower.errors import FollowerError

COMMANDS = ("replay", "live", "devices", "serve", "evaluate", "inspect", "latency", "demo")
"""Modules of `follower.commands`, in the order help lists them. Each has `add_parser(subparsers)` and `run(args)`."""

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with every command."""
    parser = argparse.ArgumentParser(
        prog="follower",
        description="Follow a live concerto pianist in an orchestra-only recording. "
        "First make a cache of the two recordings with offline-prep.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('concerto-follower')}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"follower.commands.{name}")
        module.add_parser(subparsers).set_defaults(run=module.run)
    return parser


def run_command(run: object, args: argparse.Namespace) -> int:
    """Call a command; turn an expected error into one line on stderr and exit code 2."""
    assert callable(run)
    try:
        return int(run(args))
    except FollowerError as e:
        print(f"error: {' '.join(str(e).split())}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`| head`): no message, and no second failure at interpreter exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code."""
    args = build_parser().parse_args(argv)
    return run_command(args.run, args)


if __name__ == "__main__":
    sys.exit(main())

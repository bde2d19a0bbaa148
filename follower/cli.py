"""The command line: `follower COMMAND ...`. A command's module is loaded when the command is chosen, not before."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from follower.errors import ConfigError, FollowerError
from follower.process import (
    EndedBySignalError,
    end_by_raising,
    exit_code,
    handling,
    lasting_streams,
    silence_output,
)

COMMANDS = {
    "replay": "replay a recording of the piano as a simulated live stream",
    "live": "follow the piano at a microphone",
    "devices": "list audio devices, or show an input's level",
    "serve": "serve follower sessions over WebSocket, and the practice room's page",
    "evaluate": "measure followers on annotated scenarios",
    "inspect": "show what is in a cache and how well its recordings were aligned",
    "markers": "print the markers of a piece, or write them for other programs",
    "latency": "measure compute, delivery and musical delay",
    "demo": "synthesise a small concerto, prepare it, follow it, print the errors, draw them",
}
"""Name and one-line help of each command, as help lists them.

The module of that name in `follower.commands` defines `DESCRIPTION`, `add_arguments(parser)` for what can be written,
`options_of(values)` for the frozen options that becomes, and `run(options)`, which returns the exit code.
"""

EXIT_BAD_INPUT = 2


class CommandParser(argparse.ArgumentParser):
    """A parser whose mistakes are one line that names the help, raised instead of printed under the usage."""

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError with the message and where the help is."""
        raise ConfigError(f"{message}; see {self.prog} --help")


class PrintVersion(argparse.Action):
    """`--version`: the version is looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print the program's name and version and end."""
        from follower.version import program_version

        print(f"{parser.prog} {program_version()}")
        parser.exit()


def add_version(parser: argparse.ArgumentParser) -> None:
    """Declare `--version`."""
    parser.add_argument("--version", action=PrintVersion, nargs=0, help="print the version and end")


def top_parser() -> CommandParser:
    """Return the parser of what stands before a command; it knows the commands by name only."""
    parser = CommandParser(
        prog="follower",
        description="Follow a live concerto pianist in an orchestra-only recording. "
        "First make a cache of the two recordings with offline-prep.",
    )
    add_version(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, line in COMMANDS.items():
        commands.add_parser(name, help=line, add_help=False)
    return parser


def command_parser(name: str) -> tuple[CommandParser, Any]:
    """Return the parser of a command, and the command's module."""
    module = importlib.import_module(f"follower.commands.{name}")
    parser = CommandParser(prog=f"follower {name}", description=module.DESCRIPTION)
    module.add_arguments(parser)
    return parser, module


def report_errors(run: Callable[[], int]) -> int:
    """Call; turn an expected error into one line on stderr and exit code 2, a signal into 128 + its number."""
    with handling(end_by_raising), lasting_streams():
        try:
            code = run()
            sys.stdout.flush()
            return code
        except FollowerError as e:
            print(f"error: {' '.join(str(e).split())}", file=sys.stderr)
            return EXIT_BAD_INPUT
        except KeyboardInterrupt as e:
            print("interrupted", file=sys.stderr)
            return exit_code(e.number if isinstance(e, EndedBySignalError) else signal.SIGINT)
        except BrokenPipeError:  # the reader of our output went away (`| head`)
            silence_output()
            return 0


def run_command(words: Sequence[str]) -> int:
    """Carry out the command these words ask for; returns the exit code.

    Raises:
        FollowerError: it cannot be understood, or not be done.
    """
    if not words or words[0] not in COMMANDS:
        parser = top_parser()
        parser.parse_args(words)  # help, version or an error
        parser.error("COMMAND comes first")  # as in `follower -- replay`
    parser, module = command_parser(words[0])
    options = module.options_of(parser.parse_args(words[1:]))
    return int(module.run(options))


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    return report_errors(lambda: run_command(words))


if __name__ == "__main__":
    sys.exit(main())

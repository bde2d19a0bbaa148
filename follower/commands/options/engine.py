"""How the engine follows: method and start."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Self

from follower.commands.options.values import time_s
from follower.inference.methods import DEFAULT_METHOD, METHODS


@dataclass(frozen=True)
class EngineOptions:
    """How the engine follows.

    Attributes:
        method: name in `follower.inference.methods.METHODS`.
        start_s: where in the orchestra recording the piano begins (s); None when unknown.
    """

    method: str
    start_s: float | None

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--method", choices=tuple(METHODS), default=DEFAULT_METHOD, help="default: %(default)s")
        parser.add_argument(
            "--start",
            type=time_s,
            metavar="TIME",
            help="where in the orchestra recording the piano begins, when known (seconds or m:ss)",
        )

    @classmethod
    def of(cls, values: argparse.Namespace) -> Self:
        """Take what was parsed."""
        return cls(values.method, values.start)

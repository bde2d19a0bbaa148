"""Who may connect to whatever listens on a network address."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field
from typing import Any, Self

TOKEN_VARIABLE = "FOLLOWER_TOKEN"


@dataclass(frozen=True)
class AccessOptions:
    """Who may connect.

    Attributes:
        token: what WebSocket clients must show, not in any printed form; None for none.
        origins: web origins whose pages may connect, besides the monitor page.
    """

    token: str | None = field(repr=False)
    origins: frozenset[str]

    @staticmethod
    def add_arguments(parser: Any) -> None:
        """Declare the options on a parser or a group of one."""
        parser.add_argument(
            "--token",
            metavar="TEXT",
            help=f"what WebSocket clients must show; needed unless on 127.0.0.1 (default: ${TOKEN_VARIABLE})",
        )
        parser.add_argument(
            "--origin",
            action="append",
            default=[],
            metavar="URL",
            help="a web origin whose pages may connect, besides the monitor page; repeatable",
        )

    @classmethod
    def of(cls, values: argparse.Namespace) -> Self:
        """Take what was parsed, the token from the environment where none is given."""
        token = values.token if values.token is not None else os.environ.get(TOKEN_VARIABLE) or None
        return cls(token, frozenset(values.origin))

"""Who may connect to whatever listens on a network address."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

TOKEN_VARIABLE = "FOLLOWER_TOKEN"


def origin(text: str) -> str:
    """Read a web origin as browsers send it.

    Example:
        >>> origin("https://Stage.example:8080/")
        'https://stage.example:8080'
    """
    try:
        parts = urlsplit(text.removesuffix("/"))
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise argparse.ArgumentTypeError(f"{text!r} is not a web origin; give for example https://stage.example:8080")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def token_in(text: str) -> str:
    """Read the token in a file: its first line, without spaces round it."""
    try:
        token = Path(text).read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, ValueError) as e:
        raise argparse.ArgumentTypeError(
            "cannot read that file; a token itself does not belong on the command line, where every user of this "
            f"machine can see it: put it into a file or into {TOKEN_VARIABLE}"
        ) from e
    if not token:
        raise argparse.ArgumentTypeError(f"{text} holds no token in its first line")
    return token


@dataclass(frozen=True)
class AccessOptions:
    """Who may connect.

    Attributes:
        token: what WebSocket clients must show, not in any printed form; None for none.
        origins: web origins whose pages may connect, besides the practice room's.
    """

    token: str | None = field(repr=False)
    origins: frozenset[str]

    @staticmethod
    def add_arguments(parser: Any) -> None:
        """Declare the options on a parser or a group of one."""
        parser.add_argument(
            "--token-file",
            type=token_in,
            metavar="F",
            help=f"holds what WebSocket clients must show; needed unless on 127.0.0.1 (default: ${TOKEN_VARIABLE})",
        )
        parser.add_argument(
            "--origin",
            type=origin,
            action="append",
            default=[],
            metavar="URL",
            help="a web origin whose pages may connect, besides the practice room's; repeatable",
        )

    @classmethod
    def of(cls, values: argparse.Namespace) -> Self:
        """Take what was parsed, the token from the environment where none is given."""
        token = values.token_file if values.token_file is not None else os.environ.get(TOKEN_VARIABLE) or None
        return cls(token, frozenset(values.origin))

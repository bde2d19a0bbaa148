"""The options of whatever listens on a network address: who may connect."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from follower.websocket.access import Access

TOKEN_VARIABLE = "FOLLOWER_TOKEN"


def add_access_options(parser: Any) -> None:
    """Declare --token and --origin on a parser or argument group."""
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


def access_of(host: str, args: argparse.Namespace) -> Access:
    """Return the rules for an address.

    Raises:
        ConfigError: the address needs a token.
    """
    from follower.websocket.access import Access

    token = args.token if args.token is not None else os.environ.get(TOKEN_VARIABLE) or None
    return Access(host, token, frozenset(args.origin))

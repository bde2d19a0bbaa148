"""`follower serve`: sessions over WebSocket, and the monitor page."""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from follower.commands.serving import access_of, add_access_options
from follower.commands.session import interruptible, low_jitter
from follower.errors import ConfigError
from follower.protocol.address import Address, parse_address

if TYPE_CHECKING:
    from follower.websocket.sessions import Sessions

DEFAULT_ADDRESS = Address("127.0.0.1", 8765)


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "serve",
        help="serve follower sessions over WebSocket, and the monitor page",
        description="Serve follower sessions: a client sends the piano's audio and gets positions back. "
        "The same port serves the monitor page, which can send a browser's microphone. Protocol: docs/protocol.md.",
    )
    parser.add_argument("--caches", type=Path, required=True, metavar="DIR", help="folder that holds the caches")
    parser.add_argument(
        "--ws",
        type=parse_address,
        default=DEFAULT_ADDRESS,
        metavar="[HOST:]PORT",
        help=f"where to listen (default: {DEFAULT_ADDRESS})",
    )
    add_access_options(parser)
    parser.add_argument("--sessions", type=int, default=8, metavar="N", help="audio sessions at a time (default: 8)")
    parser.add_argument(
        "--certificate",
        nargs=2,
        metavar=("CERT.pem", "KEY.pem"),
        help="serve https and wss; browsers give no microphone to pages from another machine without it",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from follower import kernels
    from follower.websocket.audio_sessions import AudioSessions
    from follower.websocket.cache_folder import CacheFolder
    from follower.websocket.limits import Limits
    from follower.websocket.thread import ServerThread

    if args.sessions < 1:
        raise ConfigError(f"--sessions is {args.sessions}; give 1 or more")
    access = access_of(args.ws.host, args)
    limits = Limits(sessions=args.sessions)
    caches = CacheFolder(args.caches)
    certificate = tuple(args.certificate) if args.certificate is not None else None
    kernels.warmup()

    def sessions(_: asyncio.AbstractEventLoop) -> Sessions:
        return AudioSessions(caches, limits.sessions)

    ended = threading.Event()
    with (
        ServerThread(args.ws.port, access, limits, sessions, certificate) as server,
        interruptible(ended.set),
        low_jitter(),
    ):
        scheme = "http" if certificate is None else "https"
        names = caches.names()
        print(f"{len(names)} caches in {args.caches}: {', '.join(names) or 'none yet'}", file=sys.stderr)
        print(f"monitor page: {scheme}://{Address(args.ws.host, server.port)}/  (Ctrl-C ends)", file=sys.stderr)
        ended.wait()
    return 0

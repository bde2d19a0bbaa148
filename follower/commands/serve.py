"""`follower serve`: sessions over WebSocket, and the practice room."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from follower.commands.options.access import AccessOptions
from follower.commands.options.values import address, whole_number
from follower.errors import OutputError
from follower.protocol.address import Address

if TYPE_CHECKING:
    import asyncio

    from follower.websocket.sessions import Sessions

DESCRIPTION = (
    "Serve follower sessions: a client sends the piano's audio and gets positions back. "
    "The same port serves the practice room, which can send a browser's microphone. Protocol: docs/protocol.md."
)
DEFAULT_ADDRESS = Address("127.0.0.1", 8765)


@dataclass(frozen=True)
class ServeOptions:
    """One server.

    Attributes:
        caches: folder that holds the caches.
        address: where to listen.
        access: who may connect.
        max_sessions: audio sessions at a time.
        certificate: certificate and key file for https and wss; None for plain http and ws.
    """

    caches: Path
    address: Address
    access: AccessOptions
    max_sessions: int
    certificate: tuple[str, str] | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be written on the command line."""
    parser.add_argument(
        "--caches", type=Path, metavar="DIR", help="folder that holds the pieces (default: one of your data folders)"
    )
    parser.add_argument(
        "--ws",
        type=address,
        default=DEFAULT_ADDRESS,
        metavar="[HOST:]PORT",
        help=f"where to listen (default: {DEFAULT_ADDRESS})",
    )
    AccessOptions.add_arguments(parser)
    parser.add_argument(
        "--sessions", type=whole_number(1), default=8, metavar="N", help="audio sessions at a time (default: 8)"
    )
    parser.add_argument(
        "--certificate",
        nargs=2,
        metavar=("CERT.pem", "KEY.pem"),
        help="serve https and wss; browsers give no microphone to pages from another machine without it",
    )


def options_of(values: argparse.Namespace) -> ServeOptions:
    """Take what was parsed."""
    certificate = None if values.certificate is None else (values.certificate[0], values.certificate[1])
    return ServeOptions(
        values.caches or _own_pieces(), values.ws, AccessOptions.of(values), values.sessions, certificate
    )


def _own_pieces() -> Path:
    """The pieces of whoever names no folder; made when it is used first."""
    from follower.files.user_folders import user_pieces_folder

    folder = user_pieces_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise OutputError(f"cannot make the folder {folder}: {e.strerror or e}; name another with --caches") from e
    return folder


def run(options: ServeOptions) -> int:
    """Carry out the command."""
    import contextlib
    import threading

    from follower import kernels
    from follower.commands.follow import interruptible, low_jitter
    from follower.commands.outputs import access_to
    from follower.library.library import Library
    from follower.websocket.audio_sessions import AudioSessions
    from follower.websocket.cache_folder import CacheFolder
    from follower.websocket.limits import Limits
    from follower.websocket.thread import ServerThread

    host, port = options.address.host, options.address.port
    access = access_to(host, options.access)
    limits = Limits(sessions=options.max_sessions)
    caches = CacheFolder(options.caches)
    library = Library(options.caches)
    library.open()
    kernels.warmup()

    def sessions(_: asyncio.AbstractEventLoop) -> Sessions:
        return AudioSessions(caches, limits.sessions, limits.resume_s)

    ended = threading.Event()
    with (
        contextlib.closing(library),
        ServerThread(port, access, limits, sessions, options.certificate, library) as server,
        interruptible(ended.set) as interruption,
        low_jitter(),
    ):
        scheme = "http" if options.certificate is None else "https"
        names = caches.names()
        print(f"{len(names)} caches in {options.caches}: {', '.join(names) or 'none yet'}", file=sys.stderr)
        print(f"practice room: {scheme}://{Address(host, server.port)}/  (Ctrl-C ends)", file=sys.stderr)
        ended.wait()
    return interruption.exit_code

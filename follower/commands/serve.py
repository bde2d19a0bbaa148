"""`follower serve`: sessions over WebSocket, and the practice room."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import socket
import sys
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from follower.commands.logs import LEVELS, log_to_stderr
from follower.commands.options.access import AccessOptions
from follower.commands.options.outputs import add_blackbox_minutes
from follower.commands.options.values import address, whole_number
from follower.errors import OutputError
from follower.inference.methods import DEFAULT_METHOD
from follower.protocol.address import Address

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from follower.session.engine_port import EnginePort
    from follower.session.recorder import Recorder
    from follower.websocket.session_setup import SessionSetup
    from follower.websocket.sessions import Sessions

DESCRIPTION = (
    "Serve follower sessions: a client sends the piano's audio and gets positions back. "
    "The same port serves the practice room, which can send a browser's microphone. Protocol: docs/protocol.md."
)
KEPT_BLACKBOXES = 32
SERVED_BLACKBOX_MINUTES = 30.0
DEFAULT_ADDRESS = Address("127.0.0.1", 8765)


@dataclass(frozen=True)
class ServeOptions:
    """One server.

    Attributes:
        caches: folder that holds the caches.
        address: where to listen.
        access: who may connect.
        max_sessions: audio sessions at a time.
        max_clients: connections at a time.
        workers: processes that follow; 0 for threads of this one.
        blackbox: folder for a blackbox of each session; None for none.
        blackbox_minutes: of audio each keeps at least.
        log_level: from which on events are logged.
        certificate: certificate and key file for https and wss; None for plain http and ws.
        name: begins the sessions' names; "" for none.
    """

    caches: Path
    address: Address
    access: AccessOptions
    max_sessions: int
    max_clients: int
    workers: int
    blackbox: Path | None
    blackbox_minutes: float
    log_level: str
    certificate: tuple[str, str] | None
    name: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be written on the command line."""
    from follower.websocket.limits import Limits

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
        "--sessions",
        type=whole_number(1),
        default=Limits.sessions,
        metavar="N",
        help="audio sessions at a time at most; fewer where the computer is busy with them (default: %(default)s)",
    )
    parser.add_argument(
        "--clients",
        type=whole_number(1),
        default=Limits.clients,
        metavar="N",
        help="connections at a time (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=whole_number(0),
        metavar="N",
        help="processes that follow; 0 follows in this one, without measuring the load (default: one for each core)",
    )
    parser.add_argument(
        "--blackbox",
        type=Path,
        metavar="DIR",
        help="keep each session's audio and commands in a file there, for follower replay; the newest "
        f"{KEPT_BLACKBOXES} files stay",
    )
    add_blackbox_minutes(parser, SERVED_BLACKBOX_MINUTES)
    parser.add_argument(
        "--log-level", choices=LEVELS, default="info", help="from which on events are logged (default: %(default)s)"
    )
    parser.add_argument(
        "--certificate",
        nargs=2,
        metavar=("CERT.pem", "KEY.pem"),
        help="serve https and wss; browsers give no microphone to pages from another machine without it",
    )
    parser.add_argument(
        "--name",
        type=_server_name,
        metavar="NAME",
        help="of this server, where several share an address: sessions are called NAME-s1, NAME-s2",
    )


def _server_name(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_.]{1,32}", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a name of 1 to 32 letters, digits, _ and .")
    return text


def options_of(values: argparse.Namespace) -> ServeOptions:
    """Take what was parsed."""
    certificate = None if values.certificate is None else (values.certificate[0], values.certificate[1])
    return ServeOptions(
        values.caches or _own_pieces(),
        values.ws,
        AccessOptions.of(values),
        values.sessions,
        values.clients,
        values.workers if values.workers is not None else _default_workers(),
        values.blackbox,
        values.blackbox_minutes,
        values.log_level,
        certificate,
        values.name or "",
    )


def _default_workers() -> int:
    """One for each core; none where a system cannot hand sockets to other processes."""
    if not hasattr(socket, "send_fds"):
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    from follower.commands.follow import interruptible, low_jitter
    from follower.commands.outputs import access_to
    from follower.library.library import Library
    from follower.websocket.audio_sessions import AudioSessions
    from follower.websocket.cache_folder import CacheFolder
    from follower.websocket.limits import Limits
    from follower.websocket.thread import ServerThread

    host, port = options.address.host, options.address.port
    access = access_to(host, options.access)
    _allow_descriptors()
    limits = Limits(sessions=options.max_sessions, clients=options.max_clients)
    caches = CacheFolder(options.caches)

    ended = threading.Event()
    with contextlib.ExitStack() as stack:
        stack.enter_context(log_to_stderr(options.log_level))
        interruption = stack.enter_context(interruptible(ended.set))
        library = Library(options.caches)
        library.open()
        stack.callback(library.close)
        setup, what_follows = _setup(options, stack)

        def sessions(_: asyncio.AbstractEventLoop) -> Sessions:
            made = AudioSessions(caches, limits.sessions, limits.resume_s, setup, options.name)
            if setup.metrics is not None:
                setup.metrics.gauge("sessions", "Audio sessions that are open", lambda: len(made.names()))
            return made

        server = stack.enter_context(ServerThread(port, access, limits, sessions, options.certificate, library))
        stack.enter_context(low_jitter())
        scheme = "http" if options.certificate is None else "https"
        names = caches.names()
        print(f"{len(names)} caches in {options.caches}: {', '.join(names) or 'none yet'}", file=sys.stderr)
        print(what_follows, file=sys.stderr)
        print(f"practice room: {scheme}://{Address(host, server.port)}/  (Ctrl-C ends)", file=sys.stderr)
        ended.wait()
    return interruption.exit_code


def _setup(options: ServeOptions, stack: contextlib.ExitStack) -> tuple[SessionSetup, str]:
    """What sessions are made with, and a line that says what follows."""
    from follower.commands.follow import warm_up
    from follower.websocket.load import LoadMeter
    from follower.websocket.metrics import Metrics
    from follower.websocket.session_setup import SessionSetup

    metrics = Metrics()
    recorder = _recorders(options.blackbox, options.blackbox_minutes) if options.blackbox is not None else None
    kept = SessionSetup(metrics=metrics) if recorder is None else SessionSetup(metrics=metrics, recorder=recorder)
    if options.workers == 0:
        warm_up(DEFAULT_METHOD)
        return kept, "following in this process"
    from follower.websocket.workers import Workers

    meter = LoadMeter()
    workers = stack.enter_context(Workers(options.workers, meter))
    metrics.gauge("workers", "Processes of engines that run", lambda: workers.alive)
    metrics.gauge("busy_cores", "Cores that engines and server use", lambda: meter.load().busy_cores)
    metrics.gauge("engine_wait_p99_seconds", "How long engines take to answer", lambda: meter.load().wait_p99_s)

    def tell() -> None:
        if workers.wait_ready():
            print("engines are ready", file=sys.stderr)

    threading.Thread(target=tell, daemon=True).start()
    setup = replace(kept, engines=workers, refusal=meter.refusal, healthy=lambda: workers.alive == options.workers)
    pids = ", ".join(map(str, workers.pids))
    return setup, f"following in {options.workers} processes ({pids})"


def _recorders(
    folder: Path, minutes: float
) -> Callable[[str, EnginePort, float | None], AbstractContextManager[Recorder | None]]:
    """Return what makes a session's blackbox, and removes the oldest ones of that folder."""
    from follower.files.blackbox import Blackbox

    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as e:
        raise OutputError(f"cannot make the folder {folder}: {e.strerror or e}; choose another") from e

    def recorder(session: str, engine: EnginePort, start_s: float | None) -> Blackbox:
        older = sorted(folder.glob("*.blackbox"), key=lambda path: path.stat().st_mtime)
        for path in older[: max(len(older) - KEPT_BLACKBOXES + 1, 0)]:
            path.unlink(missing_ok=True)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{session}.blackbox"
        return Blackbox(folder / name, engine.piece.path, engine.method, start_s, engine.sample_rate_hz, minutes)

    return recorder


def _allow_descriptors() -> None:
    """Each connection takes one, and the usual bound is 1024."""
    try:
        import resource
    except ImportError:  # Windows has none
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 1 << 16)), hard))

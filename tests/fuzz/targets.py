"""What is fuzzed: everything that reads bytes from outside. A target takes an example and raises what must not be."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final
from unittest import mock

import numpy as np
import soundfile
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from follower.errors import AudioFileError, CacheError, InputError, ScenarioError
from follower.evaluation.scenario import load_scenario
from follower.events import AudioBlock, Notice
from follower.files import blackbox_format
from follower.files.audio_file import read_audio
from follower.files.blackbox import Blackbox
from follower.files.blackbox_source import BlackboxSource
from follower.files.source import FileSource
from follower.osc.control import OscControl
from follower.piece.manifest import MANIFEST, read_manifest, sign_manifest
from follower.piece.reading import load_piece
from follower.piece.writing import write_piece
from follower.protocol.address import Address
from follower.protocol.commands import Command, PlaybackPosition, Seek, Start
from follower.session.controls import Control, ControlQueue
from follower.session.recorder import EventDigest
from follower.testing import RATE_HZ, FakeEngine, FakePiece, make_piece
from follower.websocket.access import Access
from follower.websocket.audio_sessions import AudioSessions
from follower.websocket.cache_folder import CacheFolder
from follower.websocket.limits import Limits
from follower.websocket.thread import ServerThread
from offline_prep.catalog import read_catalog
from tests.paths import DATA

WAIT_S: Final = 10.0
"""Whatever takes longer than this hangs."""
Target = Callable[[bytes], None]
MANY: Final = 1e9


def lines(name: str) -> list[bytes]:
    """Examples recorded in tests/data/protocol."""
    return (DATA / "protocol" / name).read_bytes().splitlines()


def put(path: Path, data: bytes) -> None:
    """Write a file anew; overwriting one makes some file systems wait for the disk."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


# The network.


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[ServerThread]:
    """A server without rate limits, with one cache and stand-in engines, so that everything is tried."""
    (folder / "caches" / "piece").mkdir(parents=True)
    (folder / "caches" / "piece" / MANIFEST).write_text("{}")
    limits = Limits(
        messages_per_s=MANY, message_burst=10**9, frames_per_s=MANY, refusals=10**9, audio_speed=1e6, loop_share=1.0,
        loop_burst_s=MANY,
    )  # fmt: skip
    caches = CacheFolder(folder / "caches")
    with (
        mock.patch("follower.engine.Engine", lambda piece, rate, method, start: FakeEngine(rate)),
        mock.patch("follower.websocket.cache_folder.load_piece", lambda path: FakePiece()),
        ServerThread(0, Access("127.0.0.1"), limits, lambda _: AudioSessions(caches, 8)) as server,
    ):
        yield server


class Talker:
    """A client that connects again whenever it was sent away."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: ClientConnection | None = None
        self._sent = 0

    def send(self, *frames: str | bytes) -> None:
        """Send frames; every tenth time wait until the server has answered all of it."""
        with contextlib.suppress(ConnectionClosed):
            if self._connection is None:
                self._connection = connect(f"ws://127.0.0.1:{self._port}/ws", compression=None, proxy=None)
                self._connection.__enter__()
            for frame in frames:
                self._connection.send(frame)
            self._sent += 1
            if self._sent % 10 == 0:
                self._await_answers(self._connection)
            return
        self.close()

    def _await_answers(self, connection: ClientConnection) -> None:
        connection.send(json.dumps({"type": "ping", "client_time": self._sent}))
        while True:
            message = json.loads(connection.recv(timeout=WAIT_S))
            if message["type"] == "pong" and message["client_time"] == self._sent:
                return

    def close(self) -> None:
        """Leave."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.__exit__(None, None, None)


@contextlib.contextmanager
def websocket_text(folder: Path) -> Iterator[Target]:
    """Text frames; every answer must come, the server must live on."""
    with serving(folder) as server:
        talker = Talker(server.port)
        yield lambda data: talker.send(data.decode("utf-8", "replace"))
        talker.close()


@contextlib.contextmanager
def websocket_binary(folder: Path) -> Iterator[Target]:
    """Audio frames after an `audio` message of changing format."""
    with serving(folder) as server:
        talker = Talker(server.port)
        opened = 0

        def send(data: bytes) -> None:
            nonlocal opened
            opened += 1
            frames: list[str | bytes] = [data]
            if opened % 50 == 1:
                audio = {"type": "audio", "sample_rate": RATE_HZ, "format": "f32le" if opened % 100 == 1 else "s16le"}
                frames = ['{"type":"end"}', json.dumps({**audio, "channels": 1 + opened // 50 % 3}), data]
            talker.send(*frames)

        yield send
        talker.close()


def exchange(port: int, data: bytes) -> bytes:
    """Send bytes to a port and return what comes back until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as sock, contextlib.suppress(OSError):
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while received := sock.recv(65536):
            answer += received
        return answer
    return b""


UPGRADE: Final = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@contextlib.contextmanager
def websocket_frames(folder: Path) -> Iterator[Target]:
    """What follows the handshake, as bytes: masks, lengths, opcodes, fragments."""
    with serving(folder) as server:

        def send(data: bytes) -> None:
            exchange(server.port, UPGRADE + data)

        yield send
        Talker(server.port).send('{"type":"list"}')


@contextlib.contextmanager
def http(folder: Path) -> Iterator[Target]:
    """Requests; none may be answered as a failure of the server (status 500)."""
    with serving(folder) as server:

        def send(data: bytes) -> None:
            status = ask(server.port, data)
            assert not status.startswith(b"HTTP/1.1 500"), f"answered with {status!r}"

        yield send
        assert ask(server.port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1").startswith(b"HTTP/1.1 200")


def ask(port: int, request: bytes) -> bytes:
    """Send a request, which is complete after two empty lines, and return the first line of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as sock, contextlib.suppress(ConnectionError):
        sock.sendall(request + b"\r\n\r\n")
        return sock.makefile("rb").readline()
    return b""


class Counted(ControlQueue):
    """Lets the sender wait for the last command."""

    def __init__(self) -> None:
        super().__init__()
        self.marks = threading.Semaphore(0)

    def put(self, control: Control) -> None:
        super().put(control)
        if getattr(control, "orchestra_time_s", None) == 123.25:
            self.marks.release()


@contextlib.contextmanager
def osc(folder: Path) -> Iterator[Target]:
    """Datagrams to a listening port; it must still listen after each batch."""
    del folder
    controls, engine = Counted(), FakeEngine()
    with (
        OscControl(Address("127.0.0.1", 0), controls, lambda: None) as control,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.connect(("127.0.0.1", control.port))
        sent = 0

        def flush() -> None:
            udp.send(b"/follower/seek\0\0,d\0\0" + struct.pack(">d", 123.25))
            assert controls.marks.acquire(timeout=WAIT_S), "it does not listen any more"
            for waiting in controls.take():
                if isinstance(waiting, Command):
                    with contextlib.suppress(Exception):
                        engine.command(waiting)

        def send(data: bytes) -> None:
            nonlocal sent
            udp.send(data[:9000])
            sent += 1
            if sent % 20 == 0:
                flush()

        yield send
        flush()


# Files.


@contextlib.contextmanager
def manifest(folder: Path) -> Iterator[Target]:
    """A cache's manifest, every second one with its checksum set right."""
    turn = 0

    def read(data: bytes) -> None:
        nonlocal turn
        turn += 1
        put(folder / MANIFEST, sign_manifest(data) if turn % 2 else data)
        with contextlib.suppress(CacheError):
            read_manifest(folder)

    yield read


@contextlib.contextmanager
def arrays(folder: Path) -> Iterator[Target]:
    """One file of a cache in turn, npy and npz, with all checksums set right."""
    cache = folder / "piece"
    write_piece(replace(make_piece(1.0), path=cache))
    names = sorted(p.name for p in cache.iterdir() if p.name != MANIFEST)
    good = (cache / MANIFEST).read_bytes()
    turn = 0

    def read(data: bytes) -> None:
        nonlocal turn
        turn += 1
        of_kind = [n for n in names if n.endswith(".npz") == data.startswith(b"PK")]
        file = cache / of_kind[turn % len(of_kind)]
        kept = file.read_bytes()
        before, after = hashlib.sha256(kept).hexdigest(), hashlib.sha256(data).hexdigest()
        put(file, data)
        put(cache / MANIFEST, sign_manifest(good.replace(before.encode(), after.encode())))
        try:
            with contextlib.suppress(CacheError):
                load_piece(cache)
        finally:
            put(file, kept)

    yield read


@contextlib.contextmanager
def audio(folder: Path) -> Iterator[Target]:
    """Recordings, read whole and as a stream."""
    path = folder / "p.wav"
    # libmpg123 comments on what it finds; it is not asked.
    silent, stderr = os.open(os.devnull, os.O_WRONLY), os.dup(2)
    os.dup2(silent, 2)

    def read(data: bytes) -> None:
        put(path, data)
        with contextlib.suppress(AudioFileError):
            samples, _ = read_audio(path)
            assert np.isfinite(samples).all()
        with contextlib.suppress(AudioFileError), FileSource(path, 4096, speed=None) as source:
            for block in source.blocks():
                assert np.isfinite(block.samples).all()

    try:
        yield read
    finally:
        os.dup2(stderr, 2)
        os.close(silent)
        os.close(stderr)


@contextlib.contextmanager
def blackbox(folder: Path) -> Iterator[Target]:
    """A blackbox: the file as it is, or its records in a slot whose checksum is right."""
    box = folder / "box"
    head = BLACKBOX_HEAD.encode()
    session = bytes.fromhex(BLACKBOX_HEAD.session)

    def read(data: bytes) -> None:
        whole = data.startswith(blackbox_format.MAGIC[:8])
        slots = [data[at : at + blackbox_format.ROOM] for at in range(0, len(data), blackbox_format.ROOM)][:8]
        put(box, data if whole else head)
        with box.open("r+b") as f:
            for number, content in enumerate([] if whole else slots):
                f.seek((number + 1) * blackbox_format.SLOT_BYTES)
                f.write(blackbox_format.Slot(number, 0 if number == 0 else None, content).encode(session))
        controls = ControlQueue()
        with contextlib.suppress(InputError), BlackboxSource(box, controls, EventDigest(), None) as source:
            for item in source.blocks():
                controls.take()
                assert isinstance(item, Notice) or item.samples.dtype == np.float32
            str(source.comparison())

    yield read


def blackbox_files(folder: Path) -> list[bytes]:
    """A small blackbox, and a stream of its records."""
    write_piece(replace(make_piece(1.0), path=folder / "example"))
    box = Blackbox(folder / "box", folder / "example", "tempo", None, 22050)
    commands: list[Command] = [Seek(0.5), Start(), PlaybackPosition(0.25, 1.0)]
    blocks = [AudioBlock(n * 64, np.full(64, 0.1, np.float32), n / 10) for n in range(20)]
    with box:
        for block in blocks:
            box.heard(block, [])
        for command in commands:
            box.commanded(command, [])
    checkpoint = blackbox_format.Checkpoint(3, bytes(32))
    records: list[blackbox_format.Record] = [
        *blocks[:3],
        *commands,
        checkpoint,
        blackbox_format.Missing(2),
        blackbox_format.End(),
    ]
    return [(folder / "box").read_bytes(), b"".join(map(blackbox_format.encode_record, records))]


@contextlib.contextmanager
def scenario(folder: Path) -> Iterator[Target]:
    """Tables of an annotated scenario: truth.csv or p.beats and o.beats."""
    for name in ("p.wav", "o.wav", "po.wav"):
        put(folder / name, b"")
    good = {"p.beats": BEATS[0], "o.beats": BEATS[0], "po.beats": BEATS[0]}
    for name, content in good.items():
        put(folder / name, content)
    turn = 0

    def read(data: bytes) -> None:
        nonlocal turn
        turn += 1
        file = folder / ("p.beats", "o.beats", "po.beats", "truth.csv")[turn % 4]
        put(file, data)
        with contextlib.suppress(ScenarioError):
            load_scenario(folder)
        file.unlink()
        if file.name in good:
            put(file, good[file.name])

    yield read


@contextlib.contextmanager
def catalog(folder: Path) -> Iterator[Target]:
    """A catalogue of pieces: no name may lead out of the library."""
    path = folder / "catalog.csv"

    def read(data: bytes) -> None:
        put(path, data)
        with contextlib.suppress(InputError):
            for entry in read_catalog(path):
                assert (folder / entry.name).parent == folder and entry.name == Path(entry.name).name

    yield read


# Examples to begin with.

BLACKBOX_HEAD: Final = blackbox_format.Head("1", "", "", "", "00" * 8, "piece", "", "tempo", None, 22050, 8)

BEATS: Final = [
    b"start,measure\n" + b"".join(b"%d.5,%d\n" % (n, n) for n in range(10)),
    b"p,o,po,both\n" + b"".join(b"%d,%d.5,%d,1\n" % (n, n, n + 1) for n in range(10)),
    b'start,measure\n"1.5","2"\n1e308,3\n',
]

CATALOGS: Final = [
    b"name,orchestra,mix\nbach,b/o.wav,b/po.wav\nRach 2,r/o.flac,r/po.flac\n",
    b"\xef\xbb\xbfname,orchestra,mix,mix_piano,mix_orchestra\r\n"
    b'"Dvo\xc5\x99\xc3\xa1k, op. 33",o.wav,po.wav,p.wav,"a ""b"".wav"\r\n..,o,po,,\r\n',
    b"mix,name,orchestra\n/po.wav,a/../b,/o.wav\n,,\npo,CON,o\n",
]


def recordings() -> list[bytes]:
    """Short recordings of every format that is read."""
    sound = 0.1 * np.random.default_rng(0).standard_normal((1500, 2))
    found = []
    for kind, subtype in (
        ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"),
        ("AIFF", "PCM_16"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16"), ("CAF", "PCM_16"), ("W64", "DOUBLE"),
    ):  # fmt: skip
        out = io.BytesIO()
        soundfile.write(out, sound, 44100, subtype, format=kind)
        found.append(out.getvalue())
    return found


def cache_files(folder: Path) -> dict[str, bytes]:
    """Files of a small cache, by name."""
    path = folder / "example"
    write_piece(replace(make_piece(1.0), path=path))
    return {p.name: p.read_bytes() for p in sorted(path.iterdir())}


def frame(opcode: int, payload: bytes) -> bytes:
    """A masked frame of a client (the mask is zero)."""
    return bytes([0x80 | opcode, 0x80 | min(len(payload), 125)]) + b"\0" * 4 + payload[:125]


def datagrams() -> list[bytes]:
    """OSC commands, alone and in a bundle."""
    seek = b"/follower/seek\0\0,d\0\0" + struct.pack(">d", 12.5)
    playback = b"/follower/playback\0\0,dd\0" + struct.pack(">dd", 3.0, 1.0)
    bundle = b"#bundle\0" + b"\0\0\0\0\0\0\0\1" + struct.pack(">i", len(seek)) + seek
    plain = [b"/follower/%s\0\0" % name for name in (b"pause", b"start", b"resume", b"hello")]
    return [seek, playback, bundle, *(p.ljust(-(-len(p) // 4) * 4, b"\0") + b",\0\0\0" for p in plain)]


def corpus_of(target: str, folder: Path) -> list[bytes]:
    """Whole examples for a target."""
    texts = [json.loads(line)["send"].encode() for line in lines("commands.jsonl")]
    texts += [
        b'{"type":"audio","sample_rate":44100,"format":"f32le","channels":1,"cache":"piece","start":1.5}',
        b'{"type":"seek","orchestra_time":12.5}', b'{"type":"playback","orchestra_time":1,"rate":1.0}',
        b'{"type":"gap","lost_samples":480}', b'{"type":"watch","session":"s1"}',
        b'{"type":"end"}', b'{"type":"list"}', b'{"type":"hello"}', b'{"type":"pause"}',
        b'{"type":"audio","sample_rate":48000,"format":"s16le","channels":2,"resume":"s1"}',
    ]  # fmt: skip
    match target:
        case "websocket_text":
            return texts
        case "websocket_binary":
            sound = np.linspace(-1.0, 1.0, 128)
            return [sound.astype("<f4").tobytes(), (30000 * sound).astype("<i2").tobytes(), b""]
        case "websocket_frames":
            return [frame(1, t) for t in texts] + [frame(2, b"\0" * 64), frame(8, b"\x03\xe8"), frame(9, b"p")]
        case "http":
            page = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n"
            return [page, page.replace(b"/ ", b"/monitor.js?a=%41&b ", 1), UPGRADE, b"HEAD /ws HTTP/1.0\r\n\r\n"]
        case "osc":
            return datagrams()
        case "manifest":
            return [cache_files(folder)[MANIFEST]]
        case "arrays":
            return [content for name, content in cache_files(folder).items() if name != MANIFEST]
        case "blackbox":
            return blackbox_files(folder)
        case "audio":
            return recordings()
        case "catalog":
            return CATALOGS
        case _:
            return BEATS


TARGETS: Final[dict[str, Callable[[Path], contextlib.AbstractContextManager[Target]]]] = {
    "websocket_text": websocket_text,
    "websocket_binary": websocket_binary,
    "websocket_frames": websocket_frames,
    "http": http,
    "osc": osc,
    "manifest": manifest,
    "arrays": arrays,
    "audio": audio,
    "blackbox": blackbox,
    "scenario": scenario,
    "catalog": catalog,
}

"""The server over real sockets: sessions, slow and hostile clients, the page, in the words of the shipped schema."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from follower.errors import OutputError
from follower.events import Gap
from follower.piece.manifest import MANIFEST
from follower.piece.piece import Piece
from follower.protocol.commands import Pause, Seek
from follower.protocol.schema import schema
from follower.session.controls import ControlQueue
from follower.testing import SESSION, FakeEngine, position
from follower.websocket.access import Access
from follower.websocket.audio_sessions import AudioSessions
from follower.websocket.broadcast import Broadcast
from follower.websocket.cache_folder import CacheFolder
from follower.websocket.limits import Limits
from follower.websocket.sessions import SingleSession
from follower.websocket.sink import WebSocketSink
from follower.websocket.thread import ServerThread
from tests.controls import ArrivalQueue

TOKEN = "a-token-that-is-long-enough"
WAIT_S = 10.0
VALIDATOR = jsonschema.Draft202012Validator({"$ref": "#/$defs/server", "$defs": schema()["$defs"]})


class Client:
    """A client that checks everything it receives against the schema."""

    def __init__(self, port: int, path: str = "/ws", **options: Any) -> None:
        self._context = connect(f"ws://127.0.0.1:{port}{path}", compression=None, proxy=None, **options)
        self.connection: ClientConnection = self._context.__enter__()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.__exit__(None, None, None)

    def send(self, content: object) -> None:
        self.connection.send(content if isinstance(content, str | bytes) else json.dumps(content))

    def receive(self, kind: str | None = None, **wanted: object) -> dict[str, Any]:
        """The next message (of that kind, with these values)."""
        while True:
            message = json.loads(self.connection.recv(timeout=WAIT_S))
            VALIDATOR.validate(message)
            fits = all(message.get(name) == value for name, value in wanted.items())
            if kind is None or (message["type"] == kind and fits):
                found: dict[str, Any] = message
                return found


@pytest.fixture
def sink() -> Iterator[WebSocketSink]:
    with WebSocketSink(0, ControlQueue()) as opened:
        yield opened


def test_hello_then_positions_to_every_client(sink: WebSocketSink) -> None:
    with Client(sink.port) as a, Client(sink.port, "/") as b:
        for client in (a, b):
            assert "session" not in client.receive("hello"), "nothing has begun yet"
        sink.begin(SESSION)
        for client in (a, b):
            hello = client.receive("hello")
            assert (hello["session"], hello["orchestra_duration"], hello["sample_rate"]) == ("live", 100.0, 44100)
        sink.send(position(3))
        for client in (a, b):
            assert client.receive("position") == {
                "type": "position", "seq": 3, "orchestra_time": 3.0, "mix_time": 4.0, "rate": 1.0, "confidence": 0.5,
                "state": "following", "audio_time": 4 * 512 / 44100, "capture_time": 1003.0, "latency_ms": 2.5,
            }  # fmt: skip
        with Client(sink.port) as late:
            assert late.receive("hello")["session"] == "live"
            assert late.receive("position")["seq"] == 3, "who comes late gets the newest position"


def test_unknown_numbers_are_null(sink: WebSocketSink) -> None:
    with Client(sink.port) as client:
        client.receive("hello")
        sink.send(position(0).__class__(0, 0, 44100, None, None, 1.0, 0.0, position(0).state))
        received = client.receive("position")
        assert (received["orchestra_time"], received["capture_time"], received["latency_ms"]) == (None, None, None)


def test_commands_reach_the_session() -> None:
    controls = ArrivalQueue()
    with WebSocketSink(0, controls) as sink, Client(sink.port) as client:
        client.send({"type": "seek", "orchestra_time": 12.5})
        client.send({"type": "pause"})
        for _ in range(2):
            assert controls.arrived.acquire(timeout=WAIT_S)
        assert controls.take() == [Seek(12.5), Pause()]


def test_ping_hello_and_list(sink: WebSocketSink) -> None:
    with Client(sink.port) as client:
        client.send({"type": "ping", "client_time": 5.0})
        assert client.receive("pong")["client_time"] == 5.0
        client.send({"type": "hello"})
        assert client.receive("hello")["protocol"] == 1
        client.send({"type": "list"})
        assert client.receive("list") == {"type": "list", "caches": [], "sessions": ["live"]}


def test_the_end_is_reported() -> None:
    with contextlib.ExitStack() as stack:
        ending = stack.enter_context(WebSocketSink(0, ControlQueue()))
        with Client(ending.port) as client:
            client.receive("hello")
            ending.begin(SESSION)
            ending.send(position(1))
            stack.close()
            assert client.receive("position")["seq"] == 1, "what was sent before the end arrives"
            assert client.receive("ended")["session"] == "live"
            with pytest.raises(ConnectionClosed):
                client.receive()


def test_no_delay_is_set_on_the_socket(sink: WebSocketSink, monkeypatch: pytest.MonkeyPatch) -> None:
    set_options: list[int] = []

    def note(connection: Any) -> None:
        sock = connection.transport.get_extra_info("socket")
        original(connection)
        set_options.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    from follower.websocket import server as app

    original = app._no_delay
    monkeypatch.setattr(app, "_no_delay", note)
    with Client(sink.port) as client:
        client.receive("hello")
    assert set_options and set_options[0] != 0


# Slow and stalled clients.


def stalled_socket(port: int) -> socket.socket:
    """A client that shakes hands and then reads nothing, with a small window."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", port))
    sock.settimeout(WAIT_S)
    request = (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    sock.sendall(request.encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    assert b" 101 " in head
    return sock


def read_frames(sock: socket.socket) -> Iterator[dict[str, Any]]:
    """Text frames of a server, by hand."""
    stream = sock.makefile("rb")
    while True:
        head = stream.read(2)
        if len(head) < 2 or head[0] & 0x0F == 8:
            return
        length = head[1] & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", stream.read(2))
        yield json.loads(stream.read(length))


def test_a_stalled_client_delays_nobody_and_gets_the_newest_position(sink: WebSocketSink) -> None:
    many = 4_000
    sink.begin(SESSION)
    with contextlib.closing(stalled_socket(sink.port)) as stalled, Client(sink.port) as quick:
        quick.receive("hello")
        newest = -1
        for n in range(many):
            sink.send(position(n))
            if n % 100 == 0:  # the quick one keeps up while the other is stuck
                newest = quick.receive("position", seq=n)["seq"]
        sink.send(Gap(0, 44100, 7))
        assert quick.receive("gap")["lost_samples"] == 7
        assert newest >= many - 100
        seqs = []
        for frame in read_frames(stalled):
            if frame["type"] == "position":
                seqs.append(frame["seq"])
            if frame["type"] == "gap":
                break
        assert seqs[-1] == many - 1, "the newest is delivered"
        assert len(seqs) < many / 2, "what was out of date is not"
        assert seqs == sorted(seqs)


def test_a_client_that_takes_nothing_for_too_long_is_dropped_and_the_others_learn_of_it() -> None:
    with (
        WebSocketSink(0, ControlQueue(), limits=Limits(stall_s=0.05)) as sink,
        contextlib.closing(stalled_socket(sink.port)),
        Client(sink.port) as other,
    ):
        sink.begin(SESSION)
        other.receive("hello")
        noticed = threading.Event()

        def flood() -> None:
            n = 0
            while not noticed.is_set():
                sink.send(position(n))
                n += 1

        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            assert "was dropped" in other.receive("notice")["message"]
        finally:
            noticed.set()
            flooding.join()


def test_a_queue_is_bounded_for_every_kind_of_event(sink: WebSocketSink) -> None:
    sink.begin(SESSION)
    with contextlib.closing(stalled_socket(sink.port)) as stalled, Client(sink.port) as quick:
        quick.receive("hello")
        for n in range(1, 1001):
            sink.send(Gap(0, 44100, n))
            if n % 50 == 0:
                quick.receive("gap", lost_samples=n)
        lost = []
        for frame in read_frames(stalled):
            if frame["type"] == "gap":
                lost.append(frame["lost_samples"])
                if lost[-1] == 1000:
                    break
        assert len(lost) < 1000


# Hostile clients. Each case is followed by the proof that the server still serves.


def still_serves(port: int) -> None:
    with Client(port) as client:
        client.receive("hello")
        client.send({"type": "ping", "client_time": 1.0})
        client.receive("pong")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("{not json", "malformed"),
        ("[1, 2]", "malformed"),
        ('{"type": "fly"}', "invalid"),
        ('{"type": "seek", "orchestra_time": "x"}', "invalid"),
        ("x" * 300_000, "too_large"),
        (b"\0" * 300_000, "too_large"),
        (b"\0" * 16, "unexpected"),
        ('{"type": "gap", "lost_samples": 5}', "unexpected"),
        ('{"type": "end"}', "unexpected"),
        ('{"type": "watch", "session": "s99"}', "unknown_session"),
        ('{"type": "audio", "sample_rate": 44100, "format": "f32le"}', "unexpected"),
    ],
)
def test_what_cannot_be_used_gets_an_error_message(sink: WebSocketSink, data: str | bytes, code: str) -> None:
    with Client(sink.port) as client:
        client.receive("hello")
        client.send(data)
        assert client.receive("error")["code"] == code
        client.send({"type": "ping", "client_time": 1.0})
        client.receive("pong")
    still_serves(sink.port)


def test_a_frame_beyond_reading_closes_only_that_connection(sink: WebSocketSink) -> None:
    with Client(sink.port) as client:
        client.receive("hello")
        with contextlib.suppress(ConnectionClosed):
            client.send("x" * (Limits().frame_bytes + 1))
        with pytest.raises(ConnectionClosed) as closed:
            client.receive("pong")
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009
    still_serves(sink.port)


def test_too_many_messages_get_an_error_and_in_the_end_the_door() -> None:
    limits = Limits(messages_per_s=1e-3, message_burst=5, refusals=3)
    with WebSocketSink(0, ControlQueue(), limits=limits) as sink:
        with Client(sink.port) as client:
            client.receive("hello")
            for _ in range(5 + 4):
                client.send({"type": "hello"})
            assert [client.receive("error")["code"] for _ in range(4)] == ["rate"] * 4
            with pytest.raises(ConnectionClosed) as closed:
                client.receive()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008
        still_serves(sink.port)


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\xfd" * 100, b"GET / HTTP/1.1\r\n\r\n", b"GET " + b"/" * 100_000, b"POST /ws HTTP/1.1\r\n\r\n"]
)
def test_what_is_not_even_http_does_no_harm(sink: WebSocketSink, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", sink.port), timeout=WAIT_S) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while sock.recv(65536):
                pass
    still_serves(sink.port)


def test_broken_frames_do_no_harm(sink: WebSocketSink) -> None:
    with contextlib.closing(stalled_socket(sink.port)) as sock:
        sock.sendall(b"\xff\xff\xff\xff" * 64)
        for _ in read_frames(sock):
            pass
    still_serves(sink.port)


def test_a_bounded_number_of_clients() -> None:
    with WebSocketSink(0, ControlQueue(), limits=Limits(clients=2)) as sink:
        with Client(sink.port) as a, Client(sink.port) as b:
            a.receive("hello")
            b.receive("hello")
            with pytest.raises(InvalidStatus) as refused:
                Client(sink.port)
            assert refused.value.response.status_code == 503
        # The server notices a closed connection in its own time; a connection it still refuses is tried again.
        for _ in range(1000):
            with contextlib.suppress(InvalidStatus):
                still_serves(sink.port)
                return
        pytest.fail("places of clients that left are not free again")


def test_origin_and_token_are_checked_at_the_door(sink: WebSocketSink) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Client(sink.port, additional_headers={"Origin": "http://evil.example"})
    assert refused.value.response.status_code == 403
    with WebSocketSink(0, ControlQueue(), Access("0.0.0.0", TOKEN)) as guarded:
        with pytest.raises(InvalidStatus):
            Client(guarded.port)
        with Client(guarded.port, f"/ws?token={TOKEN}") as client:
            client.receive("hello")
    with pytest.raises(InvalidStatus) as lost:
        Client(sink.port, "/elsewhere")
    assert lost.value.response.status_code == 404


def test_the_page_comes_from_the_same_port(sink: WebSocketSink) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=WAIT_S)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert response.status == 200
    assert "default-src 'none'" in (response.getheader("Content-Security-Policy") or "")
    assert b"Concerto Follower" in response.read()
    connection.close()


def test_a_port_in_use_is_named(sink: WebSocketSink) -> None:
    with pytest.raises(OutputError, match=f"127.0.0.1:{sink.port}"), WebSocketSink(sink.port, ControlQueue()):
        pass


@pytest.mark.skipif(shutil.which("openssl") is None, reason="not installed: openssl")
def test_a_certificate_makes_it_wss(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip

    def sessions(loop: asyncio.AbstractEventLoop) -> SingleSession:
        return SingleSession(Broadcast("live", loop, ControlQueue()))

    trust = ssl.create_default_context(cafile=str(certificate))
    with (
        ServerThread(0, Access("127.0.0.1"), Limits(), sessions, (str(certificate), str(key))) as server,
        connect(
            f"wss://127.0.0.1:{server.port}/ws",
            ssl=trust,
            proxy=None,
            origin=Origin(f"https://127.0.0.1:{server.port}"),
        ) as client,
    ):
        assert json.loads(client.recv(timeout=WAIT_S))["type"] == "hello"


# Audio sessions.


class Prepared:
    """Stands in for a loaded cache."""

    orchestra_duration_s = 100.0
    mix_duration_s = 110.0

    def __init__(self, path: Path) -> None:
        self.path = path


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ServerThread]]:
    """Starts servers with two caches and fake engines."""
    for name in ("bach", "rach"):
        (tmp_path / name).mkdir()
        (tmp_path / name / MANIFEST).write_text("{}")

    def engine(cache: Prepared, rate_hz: int, method: str, start_s: float | None) -> FakeEngine:
        return FakeEngine(rate_hz, f"{cache.path.name} {method} {start_s}")

    monkeypatch.setattr("follower.websocket.cache_folder.load_piece", Prepared)
    monkeypatch.setattr("follower.engine.Engine", engine)
    with contextlib.ExitStack() as stack:

        def start(**limits: Any) -> ServerThread:
            bounds = Limits(**limits)
            return stack.enter_context(
                ServerThread(
                    0, Access("127.0.0.1"), bounds, lambda _: AudioSessions(CacheFolder(tmp_path), bounds.sessions)
                )
            )

        yield start


AUDIO = {"type": "audio", "cache": "bach", "sample_rate": 44100, "format": "f32le"}


def test_audio_in_positions_out(serving: Callable[..., ServerThread]) -> None:
    with Client(serving().port) as client:
        assert client.receive("hello")["caches"] == ["bach", "rach"]
        client.send({**AUDIO, "start": 10})
        hello = client.receive("hello", session="s1")
        assert (hello["method"], hello["sample_rate"]) == ("bach tempo 10.0", 44100)
        block = np.zeros(441, "<f4").tobytes()
        client.send(block)
        client.send({"type": "gap", "lost_samples": 100})
        client.send(block)
        assert client.receive("position")["audio_time"] == pytest.approx(0.01)
        assert client.receive("gap")["lost_samples"] == 100
        assert client.receive("position")["audio_time"] == pytest.approx(0.02 + 100 / 44100)
        client.send({"type": "seek", "orchestra_time": 50})
        client.send(block)
        assert client.receive("position")["orchestra_time"] == pytest.approx(50.01)
        client.send({"type": "seek", "orchestra_time": 5000})
        assert "outside" in client.receive("notice")["message"]
        client.send({"type": "end"})
        assert client.receive("ended") == {"type": "ended", "session": "s1", "reason": "the audio is over"}
        client.send(AUDIO)
        assert client.receive("hello", session="s2")["session"] == "s2", "the connection can open another session"


def test_sixteen_bit_stereo(serving: Callable[..., ServerThread]) -> None:
    with Client(serving().port) as client:
        client.send({**AUDIO, "format": "s16le", "channels": 2, "sample_rate": 48000})
        client.send(np.zeros((480, 2), "<i2").tobytes())
        assert client.receive("position")["audio_time"] == pytest.approx(0.01)
        client.send(b"\0\0\0")
        assert "multiple of 4" in client.receive("error", code="invalid")["message"]


def test_samples_that_are_not_numbers_are_a_gap(serving: Callable[..., ServerThread]) -> None:
    with Client(serving().port) as client:
        client.send(AUDIO)
        client.send(np.zeros(512, "<f4").tobytes())
        client.send(np.full(512, np.nan, "<f4").tobytes())
        assert client.receive("error")["code"] == "invalid"
        client.send(np.zeros(512, "<f4").tobytes())
        assert client.receive("gap")["lost_samples"] == 512


def test_sessions_at_once_with_their_own_caches_and_watchers(serving: Callable[..., ServerThread]) -> None:
    server = serving()
    with Client(server.port) as a, Client(server.port) as b, Client(server.port) as watcher:
        a.send(AUDIO)
        b.send({**AUDIO, "cache": "rach", "method": "dense-sparse"})
        names = [
            client.receive("hello", method=method)["session"]
            for client, method in ((a, "bach tempo None"), (b, "rach dense-sparse None"))
        ]
        watcher.send({"type": "list"})
        assert sorted(watcher.receive("list")["sessions"]) == sorted(names)
        watcher.send({"type": "pause"})
        assert watcher.receive("error")["code"] == "unexpected", "nothing is watched yet"
        watcher.send({"type": "watch", "session": names[1]})
        assert watcher.receive("hello", session=names[1])["method"] == "rach dense-sparse None"
        b.send(np.zeros(441, "<f4").tobytes())
        assert watcher.receive("position")["seq"] == 0
        a.send(np.zeros(4410, "<f4").tobytes())
        assert a.receive("position")["audio_time"] == pytest.approx(0.1)
    # Both left: their sessions end by themselves.
    with Client(server.port) as later:
        for _ in range(1000):
            later.send({"type": "list"})
            if not later.receive("list")["sessions"]:
                return
        pytest.fail("sessions outlive their clients")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"cache": "../bach"}, "unknown_cache"),
        ({"cache": None}, "invalid"),
        ({"method": "guess"}, "invalid"),
        ({"start": 1e6}, "invalid"),
    ],
)
def test_sessions_that_cannot_be_opened(
    serving: Callable[..., ServerThread], change: dict[str, object], code: str
) -> None:
    with Client(serving().port) as client:
        client.send({**AUDIO, **change})
        assert client.receive("error")["code"] == code
        client.send(AUDIO)
        client.receive("hello", session="s1")
        client.send(AUDIO)
        assert client.receive("error")["code"] == "unexpected", "one audio session per connection"


def test_a_bounded_number_of_sessions(serving: Callable[..., ServerThread]) -> None:
    server = serving(sessions=1)
    with Client(server.port) as a, Client(server.port) as b:
        a.send(AUDIO)
        a.receive("hello", session="s1")
        b.send(AUDIO)
        assert b.receive("error")["code"] == "too_many"


def test_more_frames_than_allowed_are_read_later_and_none_is_lost(serving: Callable[..., ServerThread]) -> None:
    with Client(serving(frames_per_s=200.0).port) as client:
        client.send(AUDIO)
        for _ in range(250):
            client.send(np.zeros(8, "<f4").tobytes())
        client.send({"type": "end"})
        last = None
        while (message := client.receive())["type"] != "ended":
            last = message if message["type"] == "position" else last
        assert last is not None and last["audio_time"] == pytest.approx(250 * 8 / 44100)


def test_an_engine_that_fails_ends_only_its_session(
    serving: Callable[..., ServerThread], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serving()

    def broken(*_: object) -> FakeEngine:
        raise OutputError("broken on purpose")

    with Client(server.port) as client, monkeypatch.context() as patch:
        patch.setattr("follower.engine.Engine", broken)
        client.send(AUDIO)
        assert client.receive("ended")["reason"] == "broken on purpose"
    with Client(server.port) as client:
        client.send(AUDIO)
        client.receive("hello", session="s2")


def test_the_cache_type_fits_the_stand_in() -> None:
    assert {"path", "orchestra_duration_s", "mix_duration_s"} <= set(dir(Piece)) | set(Piece.__annotations__)


def is_open(idle: socket.socket) -> bool:
    """Whether the server still holds a connection on which nothing was said."""
    idle.settimeout(0.05)
    try:
        return idle.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionResetError:
        return False


def test_silent_connections_give_way_to_new_ones(serving: Callable[..., ServerThread]) -> None:
    server = serving(handshakes=3)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(12)]
        idle[0].settimeout(WAIT_S)
        with contextlib.suppress(ConnectionResetError):
            assert idle[0].recv(1) == b"", "nothing was said, and the place was needed"
        with Client(server.port) as client:
            assert client.receive("hello"), "an honest client gets in"
            for gone in idle[:10]:
                gone.settimeout(WAIT_S)
                with contextlib.suppress(ConnectionResetError):
                    assert gone.recv(1) == b""
            assert [is_open(i) for i in idle[10:]] == [True, True]


def test_who_is_through_the_handshake_is_not_cut_off(serving: Callable[..., ServerThread]) -> None:
    server = serving(handshakes=2)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(server.port)) for _ in range(5)]
        for client in clients:
            client.receive("hello")
        for _ in range(4):
            page = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
            page.request("GET", "/")
            assert page.getresponse().status == 200
            page.close()
        for client in clients:
            client.send({**AUDIO, "cache": "none"})
            assert client.receive("error")

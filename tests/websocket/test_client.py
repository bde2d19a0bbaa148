"""The Python client: extrapolation, clock offset, reconnecting, against a real server."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from follower.errors import ProtocolError
from follower.events import Position, State
from follower.protocol.codec import decode_message, to_object
from follower.protocol.commands import Pause, PlaybackPosition, Resume, Seek, Start, Stop
from follower.protocol.conversion import message_of, position_of
from follower.protocol.messages import PositionMessage
from follower.session.controls import ControlQueue
from follower.session.extrapolation import MAX_EXTRAPOLATION_S, orchestra_time_at
from follower.testing import SESSION, position
from follower.websocket.access import Access
from follower.websocket.client import BACKOFF_S, ClockOffset, FollowerClient
from follower.websocket.sink import WebSocketSink
from tests.controls import ArrivalQueue

WAIT_S = 10.0
AT_20 = Position(0, 0, 44100, 20.0, 21.0, 1.5, 0.9, State.FOLLOWING, 100.0, 3.0)


@pytest.mark.parametrize(
    ("change", "now_s", "position_s"),
    [
        ({}, 100.0, 20.0),
        ({}, 100.2, 20.3),
        ({"state": State.ORCHESTRA}, 100.2, 20.3),
        ({"state": State.PAUSED}, 100.2, 20.0),
        ({"state": State.LOST}, 100.2, 20.0),
        ({"state": State.WAITING}, 100.2, 20.0),
        ({"rate": 0.0}, 100.2, 20.0),
        ({}, 99.0, 20.0),
        ({}, 1e6, 20.0 + 1.5 * MAX_EXTRAPOLATION_S),
        ({"capture_time_s": None}, 100.2, 20.0),
        ({"orchestra_time_s": None}, 100.2, None),
    ],
)
def test_extrapolation(change: dict[str, Any], now_s: float, position_s: float | None) -> None:
    assert orchestra_time_at(replace(AT_20, **change), now_s) == pytest.approx(position_s)


def test_the_quickest_round_trip_sets_the_offset() -> None:
    offset = ClockOffset()
    assert offset.s is None
    offset.add(sent_s=0.0, server_s=1000.9, received_s=1.0)  # slow and lopsided: 0.4 s off
    offset.add(sent_s=2.0, server_s=1002.505, received_s=2.01)
    assert offset.s == pytest.approx(1000.5, abs=0.005)


def over_the_wire(position: Position) -> Position:
    message = decode_message(to_object(message_of(position)))
    assert isinstance(message, PositionMessage)
    return position_of(message, position.sample_rate_hz)


def test_a_position_survives_the_wire() -> None:
    assert over_the_wire(AT_20) == AT_20
    unknown = Position(0, 0, 44100, None, None, 1.0, 0.0, State.WAITING)
    assert over_the_wire(unknown) == unknown


def test_a_position_of_another_version_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="rate"):
        decode_message({k: v for k, v in to_object(message_of(AT_20)).items() if k != "rate"})


def test_what_a_newer_server_adds_is_ignored() -> None:
    message = message_of(AT_20)
    assert decode_message({**to_object(message), "more": 1}) == message
    assert decode_message({"type": "news", "more": 1}) is None


class Received:
    """Lets a test wait for messages and connections."""

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._messages: list[dict[str, Any]] = []

    def __call__(self, content: dict[str, Any]) -> None:
        with self._ready:
            self._messages.append(content)
            self._ready.notify_all()

    def wait_for(self, kind: str, **wanted: object) -> None:
        def there() -> bool:
            return any(m["type"] == kind and all(m.get(k) == v for k, v in wanted.items()) for m in self._messages)

        with self._ready:
            assert self._ready.wait_for(there, WAIT_S), self._messages


def url(sink: WebSocketSink) -> str:
    return f"ws://127.0.0.1:{sink.port}/ws"


def test_it_follows_and_extrapolates_on_its_own_clock() -> None:
    received = Received()
    now = [5000.0]  # a machine whose clock has nothing to do with the server's
    with WebSocketSink(0, ControlQueue()) as sink:
        server_s: list[float] = []
        with FollowerClient(url(sink), on_message=received, clock=lambda: now[0]) as client:
            received.wait_for("pong")
            pong = next(m for m in received._messages if m["type"] == "pong")
            server_s.append(pong["monotonic_time"])
            sink.begin(SESSION)
            # Captured half a second after that pong, by the server's clock: 5000.5 by ours.
            sink.send(replace(AT_20, capture_time_s=server_s[0] + 0.5))
            received.wait_for("position")
            assert client.connected and client.hello["session"] == "live"
            now[0] = 5000.5
            assert client.orchestra_time_s() == pytest.approx(20.0, abs=1e-6)
            now[0] = 5000.7
            assert client.orchestra_time_s() == pytest.approx(20.3, abs=1e-6)
            assert client.position is not None and client.position.audio_sample == 0


def test_it_sends_every_command() -> None:
    received, controls = Received(), ArrivalQueue()
    with WebSocketSink(0, controls) as sink, FollowerClient(url(sink), on_message=received) as client:
        received.wait_for("hello")
        sent = [
            client.seek(5.0), client.pause(), client.resume(), client.stop(), client.start(), client.playback(6.0, 0.5)
        ]  # fmt: skip
        assert all(sent)
        for _ in sent:
            assert controls.arrived.acquire(timeout=WAIT_S)
        assert controls.take() == [Seek(5.0), Pause(), Resume(), Stop(), Start(), PlaybackPosition(6.0, 0.5)]


def test_it_reconnects_when_the_server_comes_back() -> None:
    received = Received()
    waits: list[float] = []
    gone, refused, back = threading.Event(), threading.Event(), threading.Event()

    def wait(seconds: float) -> bool:
        """Notes the waits instead of waiting: the first lasts until the server is gone, the third until it is back."""
        waits.append(seconds)
        if len(waits) == 1:
            assert gone.wait(WAIT_S)
        if len(waits) >= 3:
            refused.set()
            assert back.wait(WAIT_S)
        return False

    with WebSocketSink(0, ControlQueue()) as first:
        port = first.port
        client = FollowerClient(url(first), on_message=received, wait=wait)
        client.__enter__()
        first.begin(SESSION)
        first.send(position(1))
        received.wait_for("position", seq=1)
    gone.set()
    assert refused.wait(WAIT_S), "two attempts fail before the server is back"
    try:
        with WebSocketSink(port, ControlQueue()) as second:
            back.set()
            second.begin(SESSION)
            second.send(position(2))
            received.wait_for("position", seq=2)
            assert client.connections == 2
            assert waits == list(BACKOFF_S[:3])
    finally:
        client._wait = lambda _: True
        client.__exit__(None, None, None)
    assert not client.seek(1.0), "nothing can be sent without a connection"


def test_it_shows_the_token() -> None:
    token = "a-token-that-is-long-enough"
    received = Received()
    with (
        WebSocketSink(0, ControlQueue(), Access("127.0.0.1", token)) as sink,
        FollowerClient(url(sink), token=token, on_message=received),
    ):
        received.wait_for("hello")


def test_a_server_of_another_protocol_ends_the_client_with_a_reason() -> None:
    client = FollowerClient("ws://127.0.0.1:1/ws")
    with pytest.raises(ProtocolError, match="protocol 99"):
        client._handle({"type": "hello", "protocol": 99, "program_version": "9"})
    assert client.failure is not None and "protocol 99" in client.failure

"""What protocol 1 said, word for word: cases, and how to play them. The answers are in tests/data/protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from follower.events import Event, Gap, Jump, Notice, Position, Session, State, StateChange
from follower.osc.control import OscControl
from follower.osc.sink import TimeType, encode
from follower.protocol.address import Address
from follower.protocol.codec import RefusedError, decode_request, to_object
from follower.protocol.commands import Command
from follower.protocol.conversion import message_of
from follower.session.controls import ControlQueue
from follower.version import program_version
from follower.websocket.broadcast import Broadcast
from follower.websocket.connection import ClientConnection
from follower.websocket.frames import Frame
from follower.websocket.limits import Limits
from follower.websocket.sessions import AudioSession, SingleSession
from follower.websocket.source import WebSocketSource
from tests.paths import REPOSITORY

DATA = REPOSITORY / "tests" / "data" / "protocol"

ITEMS: dict[str, Session | Event] = {
    "session": Session("1.2.3", "tempo", 44100, 100.0, 110.5),
    "session of whole numbers": Session("1.2.3", "dense-sparse", 48000, 100, 110),
    "position": Position(512, 525312, 44100, 42.125, 44.5, 1.03, 0.97, State.FOLLOWING, 5024.162, 1.9),
    "first position": Position(0, 512, 44100, None, None, 1.0, 0.0, State.WAITING),
    "position without a clock": Position(7, 4096, 48000, 1.5, 2.25, 0.0, 0.123456789, State.PAUSED),
    "position with tiny numbers": Position(8, 1, 192000, 1e-05, 2.5e-07, 1e-16, 1e-300, State.LOST, 1e17, 1e22),
    "orchestra": Position(9, 10000, 22050, 100.0, 110.0, 0.98, 1.0, State.ORCHESTRA, 0.0, -0.5),
    "ended": Position(10, 10000, 22050, 100.0, 110.0, 0.0, 1.0, State.ENDED, 0.0, 0.0),
    "state": StateChange(22050, 44100, State.ORCHESTRA, State.FOLLOWING, "the piano rests"),
    "jump": Jump(44100, 44100, 44.1, 12.7),
    "gap": Gap(22050, 22050, 512),
    "notice": Notice(0, 44100, "the audio input Flügel \u2192 \"USB\" is back\n"),
}  # fmt: skip

TAKEN = (
    '{"type": "hello"}',
    '{"type": "list"}',
    '{"type": "ping", "client_time": 12.25}',
    '{"type": "ping", "client_time": -5}',
    '{"type": "watch", "session": "s1"}',
    '{"type": "start"}',
    '{"type": "stop"}',
    '{"type": "pause"}',
    '{"type": "resume"}',
    '{"type": "seek", "orchestra_time": 42.0}',
    '{"type": "seek", "orchestra_time": 0}',
    ' {"orchestra_time": 1e9, "type": "seek"} ',
    '{"type": "playback", "orchestra_time": 42.0, "rate": 1.02}',
    '{"type": "playback", "orchestra_time": 5}',
    '{"type": "playback", "orchestra_time": 5, "rate": 16}',
    '{"type": "audio", "cache": "rach2", "sample_rate": 48000, "format": "f32le", "channels": 1}',
    '{"type": "audio", "sample_rate": 44100, "format": "s16le", "channels": 2, "method": "tempo", "start": 12.5}',
    '{"type": "audio", "sample_rate": 8000.0, "format": "f32le", "start": null}',
    '{"type": "gap", "lost_samples": 480}',
    '{"type": "gap", "lost_samples": 1000000000}',
    '{"type": "end"}',
)

REFUSED = (
    "", "{", "[" * 100_000, "[]", "5", "null", '"seek"', "true", "{'type': 'seek'}", '{"type": "end"} x',
    '{"type": "seek", "orchestra_time": NaN}', '{"type": "seek", "orchestra_time": -Infinity}',
    "1" * 10_000, "{}", '{"type": null}', '{"type": 5}', '{"type": ["seek"]}', '{"type": "fly"}', '{"type": "Seek"}',
    '{"type": "position"}', json.dumps({"type": "x" * 1000}),
    '{"type": "hello", "protocol": 1}', '{"type": "list", "caches": []}',
    '{"type": "ping"}', '{"type": "ping", "client_time": "now"}', '{"type": "ping", "client_time": null}',
    '{"type": "ping", "client_time": true}',
    '{"type": "watch"}', '{"type": "watch", "session": ""}', '{"type": "watch", "session": 1}',
    json.dumps({"type": "watch", "session": "s" * 129}),
    '{"type": "start", "at": 5}', '{"type": "stop", "x": 0}', '{"type": "pause", "": 1}', '{"type": "resume", "a": {}}',
    '{"type": "seek"}', '{"type": "seek", "orchestra_time": -1}', '{"type": "seek", "orchestra_time": 1000000001}',
    '{"type": "seek", "orchestra_time": 1e999}', '{"type": "seek", "orchestra_time": true}',
    '{"type": "seek", "orchestra_time": null}', '{"type": "seek", "orchestra_time": "5"}',
    '{"type": "seek", "orchestra_time": 1, "more": 2}', '{"type": "seek", "orchestra_time": [1]}',
    '{"type": "playback"}', '{"type": "playback", "orchestra_time": -0.1}',
    '{"type": "playback", "orchestra_time": 1, "rate": -1}', '{"type": "playback", "orchestra_time": 1, "rate": 16.5}',
    '{"type": "playback", "orchestra_time": 1, "rate": null}',
    '{"type": "audio"}', '{"type": "audio", "sample_rate": 48000}', '{"type": "audio", "format": "f32le"}',
    '{"type": "audio", "sample_rate": 48000.5, "format": "f32le"}',
    '{"type": "audio", "sample_rate": 7999, "format": "f32le"}',
    '{"type": "audio", "sample_rate": 192001, "format": "f32le"}',
    '{"type": "audio", "sample_rate": "48000", "format": "f32le"}',
    '{"type": "audio", "sample_rate": 48000, "format": "mp3"}', '{"type": "audio", "sample_rate": 48000, "format": 1}',
    '{"type": "audio", "sample_rate": 48000, "format": "f32le", "channels": 0}',
    '{"type": "audio", "sample_rate": 48000, "format": "f32le", "channels": 9}',
    '{"type": "audio", "sample_rate": 48000, "format": "f32le", "cache": ""}',
    '{"type": "audio", "sample_rate": 48000, "format": "f32le", "cache": null}',
    '{"type": "audio", "sample_rate": 48000, "format": "f32le", "method": 5}',
    '{"type": "audio", "sample_rate": 48000, "format": "f32le", "start": -1}',
    '{"type": "gap"}', '{"type": "gap", "lost_samples": 0}', '{"type": "gap", "lost_samples": 1000000001}',
    '{"type": "gap", "lost_samples": 1.5}', '{"type": "end", "reason": "tired"}',
)  # fmt: skip


def osc(address: str, *arguments: tuple[Any, str]) -> bytes:
    builder = OscMessageBuilder(address)
    for value, kind in arguments:
        builder.add_arg(value, kind)
    dgram: bytes = builder.build().dgram
    return dgram


def bundle() -> bytes:
    builder = OscBundleBuilder(2.08e9)  # a time tag in the year 2035
    for address, arguments in (("/follower/pause", []), ("/follower/seek", [7.0])):
        inner = OscMessageBuilder(address)
        for value in arguments:
            inner.add_arg(value, "f")
        builder.add_content(inner.build())
    dgram: bytes = builder.build().dgram
    return dgram


OSC_TAKEN = (
    osc("/follower/hello"), osc("/follower/start"), osc("/follower/stop"), osc("/follower/pause"),
    osc("/follower/resume"), osc("/follower/seek", (12.5, "d")), osc("/follower/seek", (12.5, "f")),
    osc("/follower/seek", (12, "i")), osc("/follower/seek", (0.0, "d"), ("more is ignored", "s")),
    osc("/follower/playback", (3.0, "d")), osc("/follower/playback", (3.0, "d"), (0.5, "f")),
    osc("/follower/playback", (3, "i"), (0, "i")), osc("/follower/stop", (1, "i")), bundle(),
)  # fmt: skip

OSC_REFUSED = (
    b"", b"\xff" * 64, b"#bundle\0" + b"\xff" * 30, b"/follower/seek\0\0,d\0\0\1",
    osc("/follower/fly"), osc("/other/seek", (1.0, "d")), osc("/follower/seek"), osc("/follower/seek", ("there", "s")),
    osc("/follower/seek", (-1.0, "d")), osc("/follower/seek", (float("nan"), "d")),
    osc("/follower/seek", (float("inf"), "d")), osc("/follower/seek", (True, "T")), osc("/follower/playback"),
    osc("/follower/playback", (1.0, "d"), (-1.0, "f")), osc("/follower/playback", (1.0, "d"), (float("nan"), "f")),
    osc("/follower/playback", (1.0, "d"), ("fast", "s")),
)  # fmt: skip


def said(item: Session | Event) -> dict[str, str | bytes]:
    """One item in every medium."""
    return {
        "jsonl": json.dumps(to_object(message_of(item))),
        "websocket": Frame.of(message_of(item)).content,
        "osc": encode(item).hex(),
        "osc_float": encode(item, TimeType.FLOAT).hex(),
    }


def taken(text: str) -> str:
    """What a client's text asks for; commands only, other requests are in the conversation."""
    request = decode_request(text)
    return repr(request if isinstance(request, Command) else None)


def refused(text: str) -> tuple[str, str]:
    """The code and message of the error that a client's text gets."""
    try:
        decode_request(text)
    except RefusedError as e:
        return e.code, str(e)
    raise AssertionError(f"taken: {text[:100]}")


def done(dgram: bytes) -> list[str]:
    """What a datagram asks for; raises what the listening thread would catch."""
    asked: list[str] = []
    queue = ControlQueue()
    control = OscControl(Address("127.0.0.1", 0), queue, lambda: asked.append("hello"))
    control._handle(dgram)
    return asked + [repr(c) for c in queue.take()]


class BusyTransport:
    """Something waits to be sent, so that the server queues what follows instead of writing it at once."""

    def get_write_buffer_size(self) -> int:
        return 1


class FakeConnection:
    """The server's side of a connection: what the client sends comes from a script, what it gets is written down."""

    remote_address = ("127.0.0.1", 5)

    def __init__(self, script: list[str | bytes | Callable[[], None]], log: list[dict[str, str]]) -> None:
        self._script = script
        self._log = log
        self.transport = BusyTransport()

    async def send(self, text: str) -> None:
        self._log.append({"server": text})

    async def close(self, code: int, reason: str) -> None:
        self._log.append({"close": f"{code} {reason}"})

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        for step in self._script:
            for _ in range(20):
                await asyncio.sleep(0)
            if callable(step):
                step()
            else:
                self._log.append({"client": step if isinstance(step, str) else f"{len(step)} bytes"})
                yield step
        for _ in range(20):
            await asyncio.sleep(0)


class OneAudioSession(SingleSession):
    """As `follower serve` with one cache; the engine is the script."""

    def cache_names(self) -> list[str]:
        return ["rach2"]

    async def open(
        self, cache: str | None, method: str | None, start_s: float | None, source: WebSocketSource
    ) -> AudioSession:
        return AudioSession(self._broadcast, source)


async def _converse(log: list[dict[str, str]]) -> None:
    broadcast = Broadcast("live", asyncio.get_running_loop(), ControlQueue(), clock=lambda: 5012.25)
    sent: list[str | bytes | Callable[[], None]] = [
        '{"type":"hello"}', '{"type":"list"}',
        '{"type":"ping","client_time":12.25}', '{"type":"ping","client_time":12}',
        '{"type":"watch","session":"s9"}', '{"type":"watch","session":"live"}', '{"type":"seek","orchestra_time":-1}',
        b"\0" * 8, '{"type":"gap","lost_samples":5}', '{"type":"end"}', "[]",
        lambda: broadcast.begin(ITEMS["session"]),  # type: ignore[arg-type]
        *[(lambda item=item: broadcast.send(item)) for item in ITEMS.values() if not isinstance(item, Session)],
        lambda: broadcast.notice("listener 127.0.0.1:5 was dropped: it took nothing for 10 s"),
        '{"type":"hello"}', '{"type":"seek","orchestra_time":5}',
        '{"type":"audio","sample_rate":48000,"format":"f32le","cache":"rach2"}', b"\0" * 8, b"\0" * 7,
        b"\0\0\xc0\x7f", '{"type":"audio","sample_rate":48000,"format":"f32le"}',
        '{"type":"gap","lost_samples":5}', b"\0" * 300_000, '{"type":"end"}', '{"type":"end"}',
        lambda: broadcast.end("the audio is over"),
    ]  # fmt: skip
    connection: Any = FakeConnection(sent, log)
    await ClientConnection(connection, OneAudioSession(broadcast), Limits(), lambda: 5012.25).serve()


def conversation() -> list[dict[str, str]]:
    """A whole connection, frame by frame; the installed version is left out."""
    log: list[dict[str, str]] = []
    asyncio.run(_converse(log))
    installed, stand_in = f'"program_version":"{program_version()}"', '"program_version":"VERSION"'
    return [{who: text.replace(installed, stand_in) for who, text in line.items()} for line in log]
